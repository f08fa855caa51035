/* A KMS key policy, and what it says to one call: which statement applies, which condition does not hold. It judges
 * what the policy alone can tell; where IAM or an unknown condition key decides, it says so instead of guessing. */
#ifndef TG_TOOL_KEY_POLICY_H
#define TG_TOOL_KEY_POLICY_H

#include "attest/nitro_document.h"
#include "base/detail.h"

#include <jansson.h>

enum {
    TG_MAX_KEY_POLICY_BYTES = 65536, /* KMS takes 32 KiB; white space of files counts here */
    TG_MAX_POLICY_STATEMENTS = 256,
    TG_MAX_POLICY_CONTEXT = 64
};

typedef struct tg_key_policy {
    json_t *tree;
    const json_t *statements[TG_MAX_POLICY_STATEMENTS];
    size_t num_statements;
} tg_key_policy;

/* tg_key_policy_parse reads a policy's JSON, the bare document or what `aws kms get-key-policy --output json` prints
 * around it ({"Policy": "..."}).
 * err   TG_ERR_LIMIT: too long, too many statements; TG_ERR_SYNTAX: not JSON, a member twice, or not of a policy's form
 *       (detail: the statement and the member); TG_ERR_MEMORY
 * keep  ended by tg_key_policy_done
 */
TG_FOREIGN TG_MUST_USE tg_result tg_key_policy_parse(tg_slice json, tg_key_policy *out_policy, tg_detail *detail);
void tg_key_policy_done(tg_key_policy *policy);

/* One pair of an encryption context. */
typedef struct tg_policy_context {
    tg_slice name;
    tg_slice value;
} tg_policy_context;

/* The call that is judged. */
typedef struct tg_policy_call {
    tg_slice action;                   /* `kms:Decrypt` */
    tg_slice principal;                /* ARN of the caller; empty: not known */
    const tg_nitro_document *document; /* of Recipient; NULL: the call has none */
    const tg_policy_context *context;
    size_t num_context;
} tg_policy_call;

typedef enum tg_policy_truth { TG_POLICY_NO, TG_POLICY_YES, TG_POLICY_UNKNOWN } tg_policy_truth;

/* What was looked at in a statement. */
typedef enum tg_policy_part {
    TG_POLICY_PRINCIPAL,
    TG_POLICY_ACTION,
    TG_POLICY_CONDITION,
    TG_POLICY_STATEMENT /* the statement as a whole: whether it applies */
} tg_policy_part;

typedef struct tg_policy_check {
    size_t statement; /* from 0 */
    const char *sid;  /* "" where it has none */
    bool is_allow;
    tg_policy_part part;
    const char *key; /* of a condition: `kms:RecipientAttestation:PCR0`; else "" */
    tg_policy_truth truth;
    const char *reason; /* for people; foreign bytes escaped */
} tg_policy_check;

typedef tg_result tg_policy_report_fn(const tg_policy_check *check, void *owner);

typedef enum tg_policy_verdict {
    TG_POLICY_ALLOWED,
    TG_POLICY_DENIED,      /* by a Deny that applies */
    TG_POLICY_NOT_ALLOWED, /* no Allow applies */
    TG_POLICY_UNDECIDED    /* what is not known here decides */
} tg_policy_verdict;

/* tg_policy_verdict_name gives "allowed", "denied", "not_allowed" or "undecided". Static. */
const char *tg_policy_verdict_name(tg_policy_verdict verdict);

/* tg_key_policy_judge reports each part of each statement that has to do with the call's action, in order, and gives
 * the verdict. A statement about other actions is passed over.
 * err   TG_ERR_MEMORY, or what `report` fails with, which ends it
 */
TG_MUST_USE tg_result tg_key_policy_judge(const tg_key_policy *policy, const tg_policy_call *call,
                                          tg_policy_report_fn *report, void *owner, tg_policy_verdict *out_verdict);

/* The getters for whoever looks at statements by himself. tg_policy_statement_covers says whether Action (or NotAction)
 * takes `action` in. tg_policy_matches compares with `*` and `?`, ASCII letters without case where is_nocase. */
bool tg_policy_statement_is_allow(const json_t *statement);
const char *tg_policy_statement_sid(const json_t *statement);
bool tg_policy_statement_covers(const json_t *statement, const char *action);
TG_FOREIGN bool tg_policy_matches(tg_slice pattern, tg_slice text, bool is_nocase);

#endif
