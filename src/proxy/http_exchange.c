#include "proxy/http_visit.h"
#include "proxy/worker.h"

void tg_http_visit_keep_for_repeat(tg_http_visit *http, const tg_http_head *head)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    bool is_idempotent = false;
    for (size_t i = 0; i < TG_COUNT(methods); i++) {
        is_idempotent = is_idempotent || tg_slice_equal(head->method, tg_slice_str(methods[i]));
    }
    if (is_idempotent && http->up.extent.is_whole &&
        !tg_is_ok(tg_buf_append(&http->repeat, tg_slice_first(tg_buf_slice(&http->up.bytes), head->len)))) {
        tg_buf_release(&http->repeat); /* then it is not repeated */
    }
}

/* Heads of responses up to the final one; those before it (100, 103) are passed on. True where there is no more to do
 * with what has come. */
static bool read_response(tg_http_visit *http)
{
    tg_http_flow *down = &http->down;
    while (!down->has_head) {
        tg_http_head head;
        tg_http_framing framing;
        tg_slice rest = tg_slice_from(tg_buf_slice(&down->bytes), down->num_ready);
        tg_result result = tg_http_head_parse(http->parser, rest, &head);
        if (result.code == TG_ERR_AGAIN) {
            return true;
        }
        if (!tg_is_ok(result) ||
            tg_http_frame_response(&head, http->is_head_request, &framing) != TG_HTTP_NOT_REFUSED) {
            return false;
        }
        if (head.status == 101 && !http->wants_upgrade) { /* what is pipelined behind may be for another enclave */
            return false;
        }
        down->num_ready += head.len;
        http->status = head.status;
        if (head.status == 101) {
            tg_http_visit_go(http, TG_HTTP_VISIT_UPGRADING);
            return true;
        }
        if (head.status >= 200) {
            tg_http_extent_begin(&down->extent, &framing);
            down->has_head = true;
            http->keeps_target = framing.keeps_alive && framing.body != TG_HTTP_BODY_TO_END;
        } else {
            tg_http_head_start(http->parser, TG_HTTP_RESPONSE_HEAD, &tg_http_router_limits);
        }
    }
    return tg_is_ok(tg_http_flow_admit(down));
}

static bool write_preface(tg_http_visit *http)
{
    while (tg_buf_len(&http->preface) > 0) {
        size_t len;
        tg_result result = tg_stream_write(http->target, tg_buf_slice(&http->preface), &len);
        if (!tg_is_ok(result)) {
            http->up.is_dropped = http->up.is_dropped || result.code != TG_ERR_AGAIN;
            return false;
        }
        tg_buf_consume(&http->preface, len);
    }
    tg_buf_release(&http->preface);
    return true;
}

static void watch_exchange(tg_http_visit *http)
{
    unsigned client = !http->up.is_ended && !http->up.is_dropped && tg_buf_space(&http->up.bytes) > 0 &&
                              (!tg_http_flow_is_whole(&http->up) || tg_buf_len(&http->up.bytes) == 0)
                          ? TG_STREAM_READ
                          : 0;
    unsigned target = !http->down.is_ended && tg_buf_space(&http->down.bytes) > 0 ? TG_STREAM_READ : 0;
    client |= http->down.num_ready > 0 ? TG_STREAM_WRITE : 0;
    bool has_more = http->up.num_ready > 0 || tg_buf_len(&http->preface) > 0;
    target |= has_more && !http->up.is_dropped ? TG_STREAM_WRITE : 0;
    tg_stream_watch(http->client, client);
    tg_stream_watch(http->target, target);
}

/* The target ended or broke before its answer was whole. */
static void target_left(tg_http_visit *http)
{
    if (!http->down.has_head && http->down.num_bytes == 0) {
        if (tg_http_visit_repeat(http)) {
            return;
        }
        tg_proxy_visit_refused(&http->visit, "no answer", TG_LIT("target_left"), tg_slice_str(http->host),
                               "the enclave's program ended the connection before it answered");
        tg_http_visit_answer(http, 502, "Service unavailable", false);
    } else {
        tg_http_visit_break_off(http, "target_left");
    }
}

void tg_http_visit_exchange(tg_http_visit *http)
{
    tg_http_flow *up = &http->up, *down = &http->down;
    if (!tg_is_ok(tg_http_flow_admit(up))) {
        if (down->num_bytes == 0) {
            tg_http_visit_refuse(http, up->extent.chunked.refusal);
        } else {
            tg_http_visit_break_off(http, "bad_chunk");
        }
        return;
    }
    if (write_preface(http)) {
        (void)tg_http_flow_write(http, up, http->target);
    }
    if (tg_buf_len(&down->bytes) > 0) {
        tg_buf_release(&http->repeat); /* it was heard */
    }
    bool is_good = read_response(http);
    (void)tg_http_flow_write(http, down, http->client);
    if (up->is_broken || down->is_dropped) {
        tg_http_visit_break_off(http, "client_broke");
    } else if (!is_good) {
        down->is_broken = true;
        target_left(http);
    } else if (http->state == TG_HTTP_VISIT_UPGRADING) {
        tg_http_visit_step(http);
    } else if (tg_http_flow_is_whole(down) && down->num_ready == 0) {
        tg_http_visit_log(http, "ended");
        bool keeps = http->keeps_client && http->keeps_target && tg_http_flow_is_whole(up) && up->num_ready == 0 &&
                     (!up->is_ended || tg_buf_len(&up->bytes) > 0); /* who ended its side may have asked more before */
        if (keeps) {
            tg_http_visit_next(http);
        } else {
            tg_http_visit_end_client(http);
        }
    } else if ((down->is_ended || down->is_broken) && !tg_http_flow_is_whole(down) && down->num_ready == 0) {
        target_left(http);
    } else if (up->is_ended && !up->is_dropped && !tg_http_flow_is_whole(up)) {
        tg_http_visit_break_off(http, "client_left");
    } else {
        watch_exchange(http);
    }
}
