#include "http/client_ask.h"

#include "base/text.h"
#include "http/grammar.h"
#include "http/target.h"

static bool is_clients_own(tg_slice name)
{
    static const tg_slice own[] = {
        {(const uint8_t *)"Host", 4},
        {(const uint8_t *)"Connection", 10},
        {(const uint8_t *)"Content-Length", 14},
        {(const uint8_t *)"Transfer-Encoding", 17},
        {(const uint8_t *)"Expect", 6},
        {(const uint8_t *)"Upgrade", 7},
        {(const uint8_t *)"TE", 2},
        {(const uint8_t *)"Trailer", 7},
        {(const uint8_t *)"Keep-Alive", 10},
        {(const uint8_t *)"Proxy-Connection", 16},
    };
    for (size_t i = 0; i < TG_COUNT(own); i++) {
        if (tg_text_equal_nocase(own[i], name)) {
            return true;
        }
    }
    return false;
}

static tg_result check(const tg_http_ask *ask)
{
    tg_http_target target;
    if (!tg_http_is_token(ask->method)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (tg_slice_equal(ask->method, TG_LIT("CONNECT"))) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(tg_http_target_parse(ask->target, ask->method, &target));
    if (target.form != TG_HTTP_TARGET_PATH) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < ask->num_headers; i++) {
        const tg_http_header *header = &ask->headers[i];
        if (!tg_http_is_token(header->name) || !tg_http_is_value(header->value) || is_clients_own(header->name)) {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    return tg_ok();
}

/* RFC 9110 §8.6: a method that expects content says that there is none. */
static bool expects_content(tg_slice method)
{
    return tg_slice_equal(method, TG_LIT("POST")) || tg_slice_equal(method, TG_LIT("PUT")) ||
           tg_slice_equal(method, TG_LIT("PATCH"));
}

static tg_result append_field(tg_buf *buf, tg_slice name, tg_slice value)
{
    TG_TRY(tg_buf_append(buf, name));
    TG_TRY(tg_buf_append(buf, TG_LIT(": ")));
    TG_TRY(tg_buf_append(buf, value));
    return tg_buf_append(buf, TG_LIT("\r\n"));
}

static tg_result append_length(tg_buf *buf, uint64_t length)
{
    TG_TRY(tg_buf_append(buf, TG_LIT("Content-Length: ")));
    TG_TRY(tg_buf_append_u64(buf, length));
    return tg_buf_append(buf, TG_LIT("\r\n"));
}

/* request-line = method SP request-target SP HTTP-version CRLF; then *( field-line CRLF ) CRLF */
tg_result tg_http_ask_append(tg_buf *buf, const tg_http_ask *ask, tg_slice authority, bool *out_is_chunked)
{
    TG_TRY(check(ask));
    TG_TRY(tg_buf_append(buf, ask->method));
    TG_TRY(tg_buf_append_byte(buf, ' '));
    TG_TRY(tg_buf_append(buf, ask->target));
    TG_TRY(tg_buf_append(buf, TG_LIT(" HTTP/1.1\r\n")));
    TG_TRY(append_field(buf, TG_LIT("Host"), authority));
    for (size_t i = 0; i < ask->num_headers; i++) {
        TG_TRY(append_field(buf, ask->headers[i].name, ask->headers[i].value));
    }
    bool is_chunked = ask->is_streamed && ask->body_length == TG_HTTP_LENGTH_UNKNOWN;
    uint64_t length = ask->is_streamed ? ask->body_length : ask->body.len;
    if (is_chunked) {
        TG_TRY(append_field(buf, TG_LIT("Transfer-Encoding"), TG_LIT("chunked")));
    } else if (length > 0 || expects_content(ask->method)) {
        TG_TRY(append_length(buf, length));
    }
    TG_TRY(tg_buf_append(buf, TG_LIT("\r\n")));
    *out_is_chunked = is_chunked;
    return tg_ok();
}

/* chunk = chunk-size CRLF chunk-data CRLF; last-chunk CRLF */
tg_result tg_http_chunk_append(tg_buf *buf, tg_slice piece)
{
    uint8_t *room;
    size_t before = tg_buf_len(buf);
    TG_TRY(tg_buf_reserve(buf, piece.len + 24, &room)); /* all or nothing */
    tg_result result = tg_buf_printf(buf, "%zx\r\n", piece.len);
    if (tg_is_ok(result)) {
        result = tg_buf_append(buf, piece);
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append(buf, TG_LIT("\r\n"));
    }
    if (!tg_is_ok(result)) {
        tg_buf_truncate(buf, before);
    }
    return result;
}
