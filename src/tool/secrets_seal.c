#include "tool/secrets_seal.h"

#include "secrets/delivery.h"
#include "secrets/sealing.h"
#include "sys/clock.h"
#include "tool/attest_verify.h"

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
    tg_attest_answer answer;
    tg_detail detail = {0};
    int status = tg_attest_load(invocation, url, console, &answer);
    if (status == TG_EXIT_OK) {
        status = tg_attest_demand(invocation, &answer, false, console);
        if (status == TG_EXIT_FINDINGS) {
            tg_console_say(console, TG_LIT("teegate: nothing was sent\n"));
        }
    }
    if (status == TG_EXIT_OK && !tg_is_ok(take_key(&answer, out_point, &detail))) {
        tg_detail_set_place(&detail, tg_slice_str(url), 0, (tg_slice){NULL, 0});
        status = tg_console_fail(console, &detail);
    }
    tg_attest_answer_done(&answer);
    return status;
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
