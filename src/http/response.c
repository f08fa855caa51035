#include "http/response.h"

#include "base/text.h"
#include "http/date.h"
#include "http/grammar.h"

static bool is_servers_own(tg_slice name)
{
    switch (name.len) {
    case sizeof "Date" - 1:
        return tg_text_equal_nocase(name, TG_LIT("Date"));
    case sizeof "Connection" - 1:
        return tg_text_equal_nocase(name, TG_LIT("Connection"));
    case sizeof "Content-Length" - 1:
        return tg_text_equal_nocase(name, TG_LIT("Content-Length"));
    case sizeof "Transfer-Encoding" - 1:
        return tg_text_equal_nocase(name, TG_LIT("Transfer-Encoding"));
    default:
        return false;
    }
}

/* Everything but the caller's headers fits into this. */
enum { MAX_OWN_BYTES = 256 };

static tg_result check(const tg_http_response_head *head, size_t *out_max_len)
{
    size_t len = MAX_OWN_BYTES;
    if (head->status < 200 || head->status > 599) {
        return tg_fail(TG_ERR_RANGE);
    }
    for (size_t i = 0; i < head->num_headers; i++) {
        const tg_http_header *header = &head->headers[i];
        if (!tg_http_is_token(header->name) || !tg_http_is_value(header->value) || is_servers_own(header->name)) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        len += header->name.len + header->value.len + 4;
    }
    *out_max_len = len;
    return tg_ok();
}

static uint8_t *put(uint8_t *at, tg_slice bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

static uint8_t *put_number(uint8_t *at, uint64_t value)
{
    uint8_t digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(at, tg_slice_of(digits + first, sizeof digits - first));
}

/* status-line CRLF *( field-line CRLF ) CRLF */
tg_result tg_http_response_head_append(tg_buf *buf, const tg_http_response_head *head)
{
    size_t max_len;
    uint8_t *begin;
    TG_TRY(check(head, &max_len));
    TG_TRY(tg_buf_reserve(buf, max_len, &begin));
    uint8_t *at = put(begin, TG_LIT("HTTP/1.1 "));
    at = put_number(at, head->status);
    at = put(at, TG_LIT(" "));
    at = put(at, tg_slice_str(tg_http_reason(head->status)));
    at = put(at, TG_LIT("\r\nDate: "));
    at = put(at, tg_slice_first(head->date, TG_HTTP_DATE_LEN));
    at = put(at, TG_LIT("\r\n"));
    for (size_t i = 0; i < head->num_headers; i++) {
        at = put(at, head->headers[i].name);
        at = put(at, TG_LIT(": "));
        at = put(at, head->headers[i].value);
        at = put(at, TG_LIT("\r\n"));
    }
    if (head->framing == TG_HTTP_SAYS_LENGTH) {
        at = put(at, TG_LIT("Content-Length: "));
        at = put_number(at, head->length);
        at = put(at, TG_LIT("\r\n"));
    } else if (head->framing == TG_HTTP_SAYS_CHUNKED) {
        at = put(at, TG_LIT("Transfer-Encoding: chunked\r\n"));
    }
    if (head->connection == TG_HTTP_SAYS_CLOSE) {
        at = put(at, TG_LIT("Connection: close\r\n"));
    } else if (head->connection == TG_HTTP_SAYS_KEEP_ALIVE) {
        at = put(at, TG_LIT("Connection: keep-alive\r\n"));
    }
    at = put(at, TG_LIT("\r\n"));
    tg_buf_commit(buf, (size_t)(at - begin));
    return tg_ok();
}

tg_result tg_http_error_append(tg_buf *buf, const char *code, const char *message, tg_slice pointer)
{
    TG_TRY(tg_buf_append_str(buf, "{\"code\":"));
    TG_TRY(tg_json_append_string(buf, tg_slice_str(code)));
    TG_TRY(tg_buf_append_str(buf, ",\"message\":"));
    TG_TRY(tg_json_append_string(buf, tg_slice_str(message)));
    if (pointer.ptr != NULL) {
        TG_TRY(tg_buf_append_str(buf, ",\"pointer\":"));
        TG_TRY(tg_json_append_string(buf, pointer));
    }
    return tg_buf_append_byte(buf, '}');
}
