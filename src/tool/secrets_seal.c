#include "tool/secrets_seal.h"

#include "secrets/delivery.h"
#include "secrets/sealing.h"
#include "sys/clock.h"
#include "tool/attest_checks.h"
#include "tool/attest_fetch.h"

enum { LIVE_MAX_AGE_S = 300 };

static tg_result check(tg_attest_answer *answer, tg_attest_policy *policy, tg_detail *detail)
{
    static tg_attest_report report;
    const tg_attest_expected expected = {.nonce = tg_slice_of(answer->nonce, sizeof answer->nonce),
                                         .spki_sha256 = tg_slice_of(answer->spki_sha256, sizeof answer->spki_sha256),
                                         .now_unix_ms = tg_clock_unix_ms()};
    policy->max_age_s = policy->max_age_s == 0 ? LIVE_MAX_AGE_S : policy->max_age_s;
    tg_attest_check_all(answer, policy, &expected, &report);
    for (size_t i = 0; i < report.num_checks && !report.is_verified; i++) {
        if (report.checks[i].verdict == TG_CHECK_FAILED) {
            tg_detail_set_reason(detail, "is not the enclave that it should be: %s: %s", report.checks[i].name,
                                 report.checks[i].text);
            tg_detail_set_remedy(detail, "`teegate attest verify` shows every check; nothing was sent");
            break;
        }
    }
    return report.is_verified ? tg_ok() : tg_fail(TG_ERR_AUTH);
}

static tg_result take_key(const tg_attest_answer *answer, uint8_t out_point[TG_P256_PUBLIC_BYTES], tg_detail *detail)
{
    tg_nitro_document document;
    tg_slice point;
    TG_TRY(tg_nitro_document_parse(tg_buf_slice(&answer->document), &document, detail));
    tg_result result = tg_p256_from_spki(document.public_key, &point);
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(detail, "takes no sealed secrets: its document holds no key for them");
        tg_detail_set_remedy(detail, "build the image with SECRETS_MODE=sealed");
        return result;
    }
    memcpy(out_point, point.ptr, TG_P256_PUBLIC_BYTES);
    return tg_ok();
}

static int attested_key(const tg_invocation *invocation, const char *url, tg_console *console,
                        uint8_t out_point[TG_P256_PUBLIC_BYTES])
{
    static tg_attest_policy policy; /* large; the tool does one thing and ends */
    tg_attest_answer answer;
    tg_detail detail = {0};
    tg_attest_answer_init(&answer);
    tg_result result = tg_attest_policy_load(invocation, &policy, &detail);
    if (tg_is_ok(result)) {
        result = tg_attest_fetch(url, &answer, &detail);
    }
    if (tg_is_ok(result)) {
        result = check(&answer, &policy, &detail);
    }
    if (tg_is_ok(result)) {
        result = take_key(&answer, out_point, &detail);
    }
    tg_attest_answer_done(&answer);
    tg_attest_policy_done(&policy);
    if (tg_is_ok(result)) {
        return TG_EXIT_OK;
    }
    tg_detail_set_place(&detail, tg_slice_str(url), 0, (tg_slice){NULL, 0});
    int status = tg_console_fail(console, &detail);
    return result.code == TG_ERR_AUTH ? TG_EXIT_FINDINGS : status;
}

static tg_result seal(const tg_ec_key *key, tg_slice point, tg_buf *text)
{
    tg_buf sealed;
    tg_buf_init(&sealed, TG_MAX_SEALED_BYTES);
    tg_result result = tg_delivery_seal(key, point, tg_clock_unix_ms(), tg_buf_slice(text), &sealed);
    if (!tg_is_ok(result)) {
        tg_buf_done(&sealed);
        return result;
    }
    tg_buf_done(text);
    *text = sealed;
    return tg_ok();
}

int tg_secrets_seal(const tg_invocation *invocation, const char *url, const tg_ec_key *key, tg_console *console,
                    tg_buf *text)
{
    uint8_t point[TG_P256_PUBLIC_BYTES];
    int status = attested_key(invocation, url, console, point);
    if (status == TG_EXIT_OK) {
        tg_result sealed = seal(key, tg_slice_of(point, sizeof point), text);
        status = tg_is_ok(sealed) ? status : tg_console_fail_result(console, "the delivery cannot be sealed", sealed);
    }
    return status;
}
