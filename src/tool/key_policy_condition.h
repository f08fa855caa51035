/* One condition of a policy statement against one call. */
#ifndef TG_TOOL_KEY_POLICY_CONDITION_H
#define TG_TOOL_KEY_POLICY_CONDITION_H

#include "tool/key_policy.h"

/* tg_policy_condition_holds judges `key` under `operator` (`StringEqualsIgnoreCase`, with ForAnyValue: and IfExists).
 * in    wanted: what the policy gives, a scalar or an array of them
 * out   *reason is filled with what was compared, for people
 * err   TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_policy_condition_holds(const char *operator, const char * key, const json_t *wanted,
                                                           const tg_policy_call *call, tg_policy_truth *out_truth,
                                                           tg_buf *reason);

/* tg_policy_pcr_of_key gives the PCR that a key asks for (`kms:RecipientAttestation:PCR8` 8, `...:ImageSha384` 0), -1
 * for other keys. */
int tg_policy_pcr_of_key(const char *key);

/* tg_policy_account_of gives the account in an ARN, empty where there is none. */
tg_slice tg_policy_account_of(tg_slice text);

#endif
