/* What a key policy must hold so that only an attested enclave opens data keys, and nobody can put another key in the
 * place of one. */
#ifndef TG_TOOL_KEY_POLICY_LINT_H
#define TG_TOOL_KEY_POLICY_LINT_H

#include "tool/key_policy.h"

typedef struct tg_policy_finding {
    const char *rule;   /* `decrypt_without_attestation`; static */
    size_t statement;   /* SIZE_MAX: the policy as a whole */
    const char *sid;    /* "" where it has none */
    char reason[256];   /* foreign bytes escaped */
    const char *remedy; /* static */
} tg_policy_finding;

typedef tg_result tg_policy_finding_fn(const tg_policy_finding *finding, void *owner);

/* tg_key_policy_lint reports each finding, in the order of the statements, those of the whole policy last. Rules:
 * decrypt_without_attestation, debug_mode_allowed, value_cannot_match, case_matters, absent_is_fine,
 * attestation_on_unattested_action, no_image, data_key_without_attestation, anybody, allow_by_negation,
 * encrypt_not_denied, reencrypt_not_denied, create_grant_not_denied. A Deny counts as one where it takes in everybody,
 * or all but named callers.
 * err   TG_ERR_MEMORY, or what `report` fails with, which ends it
 */
TG_MUST_USE tg_result tg_key_policy_lint(const tg_key_policy *policy, tg_policy_finding_fn *report, void *owner);

#endif
