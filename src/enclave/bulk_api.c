#include "enclave/bulk_api.h"

#include "base/text.h"

bool tg_bulk_is_asked(tg_slice content_type)
{
    tg_slice rest = content_type;
    tg_slice type = tg_slice_trim(tg_slice_split(&rest, ';'), " \t");
    bool is_utf8 = rest.ptr == NULL || tg_text_equal_nocase(tg_slice_trim(rest, " \t"), TG_LIT("charset=utf-8"));
    return is_utf8 && tg_text_equal_nocase(type, TG_LIT("application/x-ndjson"));
}

void tg_bulk_init(tg_bulk *bulk, tg_http_request *request, const tg_rewrite_options *options, tg_field_keys *keys)
{
    *bulk = (tg_bulk){.request = request, .keys = keys};
    tg_ndjson_init(&bulk->ndjson, options, TG_BULK_LINE_BYTES);
    tg_buf_init_wiped(&bulk->out, SIZE_MAX / 2);
    tg_http_request_limit_body(request, UINT64_MAX);
    tg_http_request_stream_body(request);
    tg_http_request_answer_early(request);
}

void tg_bulk_done(tg_bulk *bulk)
{
    tg_ndjson_done(&bulk->ndjson);
    tg_buf_done(&bulk->out);
}

tg_bulk_state tg_bulk_write(tg_bulk *bulk)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/x-ndjson"),
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    if (!bulk->is_begun) {
        bulk->is_begun = true;
        tg_http_answer_begin(bulk->request, 200, headers, TG_COUNT(headers), TG_HTTP_UNKNOWN_LENGTH);
    }
    if (tg_buf_len(&bulk->out) > 0) {
        tg_result result = tg_http_answer_write(bulk->request, tg_buf_slice(&bulk->out));
        if (result.code == TG_ERR_AGAIN) { /* nothing more is read until on_writable */
            tg_http_request_pause(bulk->request);
            return TG_BULK_GOES_ON;
        }
        if (!tg_is_ok(result)) {
            return TG_BULK_BROKEN;
        }
        tg_buf_clear(&bulk->out);
    }
    if (bulk->is_body_over) {
        return TG_BULK_ENDED;
    }
    tg_http_request_resume(bulk->request);
    return TG_BULK_GOES_ON;
}

tg_bulk_state tg_bulk_take(tg_bulk *bulk, tg_slice piece)
{
    bool is_fine = tg_is_ok(tg_ndjson_feed(&bulk->ndjson, bulk->keys, piece, &bulk->out));
    return is_fine ? tg_bulk_write(bulk) : TG_BULK_BROKEN;
}

tg_bulk_state tg_bulk_end(tg_bulk *bulk)
{
    bulk->is_body_over = true;
    bool is_fine = tg_is_ok(tg_ndjson_end(&bulk->ndjson, bulk->keys, &bulk->out));
    return is_fine ? tg_bulk_write(bulk) : TG_BULK_BROKEN;
}
