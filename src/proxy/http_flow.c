#include "proxy/http_visit.h"

#include "base/num.h"
#include "proxy/worker.h"

enum { FIRST_READ_BYTES = 4096 };

static void progressed(tg_http_visit *http)
{
    if (http->state == TG_HTTP_VISIT_EXCHANGE && http->visit.config->timeouts.idle_ms > 0) {
        tg_deadline_arm_in(http->visit.worker->loop, &http->deadline, http->visit.config->timeouts.idle_ms);
    }
}

void tg_http_flow_read(tg_http_visit *http, tg_http_flow *flow, tg_stream *from)
{
    uint8_t *at;
    /* small while a head is awaited, large once a body flows */
    size_t cap = flow->has_head && !flow->extent.is_whole ? TG_HTTP_FLOW_BYTES : FIRST_READ_BYTES;
    size_t len;
    cap = tg_size_min(cap, tg_buf_space(&flow->bytes));
    if (cap == 0 || flow->is_ended || flow->is_dropped) {
        return;
    }
    if (!tg_is_ok(tg_buf_reserve(&flow->bytes, cap, &at))) {
        flow->is_broken = flow->is_ended = true;
        return;
    }
    tg_result result = tg_stream_read(from, at, cap, &len);
    if (tg_is_ok(result)) {
        tg_buf_commit(&flow->bytes, len);
        progressed(http);
    } else if (result.code != TG_ERR_AGAIN) {
        flow->is_ended = true;
        flow->is_broken = result.code != TG_ERR_EOF;
    }
    if (tg_buf_len(&flow->bytes) == 0) {
        tg_buf_release(&flow->bytes);
    }
}

bool tg_http_flow_write(tg_http_visit *http, tg_http_flow *flow, tg_stream *to)
{
    while (flow->num_ready > 0) {
        size_t len;
        tg_slice ready = tg_slice_first(tg_buf_slice(&flow->bytes), flow->num_ready);
        tg_result result = tg_stream_write(to, ready, &len);
        if (result.code == TG_ERR_AGAIN) {
            return false;
        }
        if (!tg_is_ok(result)) {
            flow->is_dropped = true;
            tg_buf_consume(&flow->bytes, flow->num_ready);
            flow->num_ready = 0;
            break;
        }
        tg_buf_consume(&flow->bytes, len);
        flow->num_ready -= len;
        flow->num_bytes += len;
        tg_metric *counter = http->byte_counters[flow == &http->up ? 0 : 1];
        if (counter != NULL) {
            tg_metric_add(counter, len);
        }
        progressed(http);
    }
    if (tg_buf_len(&flow->bytes) == 0) {
        tg_buf_release(&flow->bytes);
    }
    return true;
}

tg_result tg_http_flow_admit(tg_http_flow *flow)
{
    size_t len = 0;
    if (!flow->has_head || flow->extent.is_whole || flow->is_dropped) {
        return tg_ok();
    }
    TG_TRY(tg_http_extent_take(&flow->extent, tg_slice_from(tg_buf_slice(&flow->bytes), flow->num_ready), &len));
    flow->num_ready += len;
    if (flow->extent.kind == TG_HTTP_BODY_TO_END && flow->is_ended && !flow->is_broken) {
        flow->extent.is_whole = true;
    }
    return tg_ok();
}

void tg_http_flow_begin(tg_http_flow *flow)
{
    flow->has_head = flow->is_dropped = false;
    flow->num_bytes = 0;
    flow->extent = (tg_http_extent){.kind = TG_HTTP_BODY_NONE};
}
