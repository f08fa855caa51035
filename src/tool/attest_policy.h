/* What `teegate attest verify` asks of a document: which images, which keys and schemas, and which weaknesses are let
 * pass because somebody said so. */
#ifndef TG_TOOL_ATTEST_POLICY_H
#define TG_TOOL_ATTEST_POLICY_H

#include "attest/nitro_document.h"
#include "tool/options.h"

#include <jansson.h>

enum { TG_MAX_POLICY_SETS = 64 };

/* The PCRs of one image: those that are there must match. */
typedef struct tg_pcr_set {
    const char *name;
    bool has[TG_NITRO_NUM_PCRS];
    uint8_t values[TG_NITRO_NUM_PCRS][TG_NITRO_PCR_BYTES];
} tg_pcr_set;

typedef struct tg_attest_policy {
    tg_pcr_set sets[TG_MAX_POLICY_SETS];
    size_t num_sets;
    const json_t *dek_fingerprints; /* array of hex texts; NULL: any */
    const json_t *schemas;          /* the same, and those below */
    const json_t *client_ca;
    const json_t *settings;
    const json_t *routes;
    uint64_t max_age_s;         /* of the document; 0: any age */
    const tg_invocation *allow; /* its --allow words */
    json_t *tree;               /* the file, whose texts the members above point into */
} tg_attest_policy;

/* The words of --allow. */
#ifdef TG_DEVELOPMENT
#define TG_ATTEST_ALLOW_WORDS                                                                                          \
    "any-image debug delivered-key development image-key open-encrypt open-secrets schema-removal test-root"
#else
#define TG_ATTEST_ALLOW_WORDS                                                                                          \
    "any-image debug delivered-key development image-key open-encrypt open-secrets schema-removal"
#endif

/* tg_attest_policy_load reads the file of --policy and the values of --pcr (N=HEX, one set together).
 * err   TG_ERR_SYNTAX and others, with detail
 * keep  ended with tg_attest_policy_done, also after a failure
 */
TG_MUST_USE tg_result tg_attest_policy_load(const tg_invocation *invocation, tg_attest_policy *policy,
                                            tg_detail *detail);
void tg_attest_policy_done(tg_attest_policy *policy);

/* tg_attest_policy_allows says whether --allow names the weakness. */
bool tg_attest_policy_allows(const tg_attest_policy *policy, const char *word);

#endif
