#include "tool/attest_fetch.h"

#include "base/encode.h"

#include <errno.h>
#include <sys/random.h>

enum { MAX_TARGET_BYTES = 2048, MAX_TRIES = 4, TOO_MANY_REQUESTS = 429 };

static tg_result append_target(tg_slice path, tg_slice nonce, tg_buf *target)
{
    TG_TRY(tg_buf_append(target, path.len > 1 ? path : TG_LIT("/attestation")));
    TG_TRY(tg_buf_append_str(target, "?nonce="));
    return tg_hex_append(target, nonce);
}

static tg_result take(const tg_fetched *fetched, tg_attest_answer *answer, tg_detail *detail)
{
    if (fetched->status != 200) {
        tg_detail_set_reason(detail, "it answered %u%s", fetched->status,
                             fetched->status == 404                 ? ": nothing attests there"
                             : fetched->status == TOO_MANY_REQUESTS ? ": too many ask just now"
                             : fetched->status == 421               ? ": it does not answer to that name"
                                                                    : "");
        return tg_fail(TG_ERR_DENIED);
    }
    return tg_attest_answer_parse(tg_buf_slice(&fetched->body), answer, detail);
}

/* Documents are shared out by the second: the next one has some again. */
static tg_result ask(tg_fetch *fetch, tg_slice target, tg_fetched *out_fetched, tg_detail *detail)
{
    const tg_http_ask ask = {.method = TG_LIT("GET"), .target = target, .max_answer_bytes = TG_MAX_ATTEST_ANSWER_BYTES};
    for (unsigned number = 1;; number++) {
        TG_TRY(tg_fetch_ask(fetch, &ask, out_fetched, detail));
        if (out_fetched->status != TOO_MANY_REQUESTS || number == MAX_TRIES) {
            return tg_ok();
        }
        tg_fetched_done(out_fetched);
        TG_TRY(tg_fetch_pause(fetch, detail));
    }
}

tg_result tg_attest_fetch(tg_fetch *fetch, tg_slice path, tg_attest_answer *answer, tg_detail *detail)
{
    tg_buf target;
    tg_fetched fetched;
    if (getrandom(answer->nonce, sizeof answer->nonce, 0) != (ssize_t)sizeof answer->nonce) {
        return tg_fail_os(errno);
    }
    tg_buf_init(&target, MAX_TARGET_BYTES);
    tg_result result = append_target(path, tg_slice_of(answer->nonce, sizeof answer->nonce), &target);
    if (tg_is_ok(result)) {
        result = ask(fetch, tg_buf_slice(&target), &fetched, detail);
    }
    tg_buf_done(&target);
    TG_TRY(result);
    result = take(&fetched, answer, detail);
    tg_fetched_done(&fetched);
    if (tg_is_ok(result)) {
        memcpy(answer->spki_sha256, tg_fetch_key(fetch).ptr, sizeof answer->spki_sha256);
        answer->is_live = true;
    }
    return result;
}
