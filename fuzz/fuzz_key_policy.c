// room: tool
/* A key policy from anywhere: whatever parses can be judged and linted; and what people paste as a refusal. */
#include "tool/aws_refusal.h"
#include "tool/key_policy_condition.h"
#include "tool/key_policy_lint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_result check_told(const tg_policy_check *check, void *owner)
{
    (void)owner;
    if (check->reason == NULL || strlen(check->reason) == 0) {
        abort();
    }
    return tg_ok();
}

static tg_result check_found(const tg_policy_finding *finding, void *owner)
{
    (void)owner;
    if (finding->reason[0] == 0 || finding->remedy == NULL) {
        abort();
    }
    return tg_ok();
}

static void look_at_one_condition(tg_slice text, const tg_policy_call *call)
{
    tg_policy_truth truth;
    tg_buf reason;
    char key[256];
    tg_slice wanted = text, name = tg_slice_split(&wanted, '=');
    snprintf(key, sizeof key, "%.*s", (int)(name.len < 255 ? name.len : 255), (const char *)name.ptr);
    json_t *value = json_stringn((const char *)wanted.ptr, wanted.len);
    tg_buf_init(&reason, 16384);
    if (value != NULL && !tg_is_ok(tg_policy_condition_holds("StringLike", key, value, call, &truth, &reason))) {
        abort();
    }
    json_decref(value);
    tg_buf_done(&reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t pcr[48] = {0x3f};
    tg_nitro_document document = {.pcrs = {[0] = {pcr, sizeof pcr}}};
    const tg_policy_context context[] = {{TG_LIT("app"), TG_LIT("tee")}};
    const tg_policy_call call = {.action = TG_LIT("kms:Decrypt"),
                                 .principal = TG_LIT("arn:aws:sts::111122223333:assumed-role/enclave/i-1"),
                                 .document = &document,
                                 .context = context,
                                 .num_context = 1};
    tg_slice text = tg_slice_of(data, size);
    tg_key_policy policy;
    tg_aws_refusal refusal;
    tg_policy_verdict verdict;
    if (tg_aws_refusal_read(text, &refusal) && (refusal.code.len == 0 || refusal.meaning == NULL)) {
        abort();
    }
    tg_slice pattern = tg_slice_first(text, size / 2), rest = tg_slice_from(text, size / 2);
    if (size < 512 && tg_policy_matches(pattern, rest, false) && !tg_policy_matches(pattern, rest, true)) {
        abort();
    }
    look_at_one_condition(text, &call);
    if (tg_is_ok(tg_key_policy_parse(text, &policy, NULL))) {
        if (!tg_is_ok(tg_key_policy_judge(&policy, &call, check_told, NULL, &verdict)) ||
            !tg_is_ok(tg_key_policy_lint(&policy, check_found, NULL))) {
            abort();
        }
        tg_key_policy_done(&policy);
    }
    return 0;
}
