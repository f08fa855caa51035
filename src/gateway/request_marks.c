#include "gateway/request_marks.h"

#include "base/text.h"
#include "crypto/random.h"
#include "http/grammar.h"

enum { TRACE_ID_BYTES = 16, PARENT_ID_BYTES = 8 };

static bool is_request_id(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (!tg_http_is(byte, TG_HTTP_TCHAR) && byte != ':' && byte != '/' && byte != '=' && byte != '@') {
            return false;
        }
    }
    return text.len > 0 && text.len <= TG_MAX_REQUEST_ID_BYTES;
}

/* Lower-case digits, and with is_id not all of them zero. */
static bool is_hex(tg_slice text, bool is_id)
{
    bool is_zero = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (!tg_ascii_is_digit(byte) && (byte < 'a' || byte > 'f')) {
            return false;
        }
        is_zero = is_zero && byte == '0';
    }
    return !is_id || !is_zero;
}

/* traceparent = "00-" 32HEXDIGLC "-" 16HEXDIGLC "-" 2HEXDIGLC (§3.2) */
static bool is_traceparent(tg_slice text)
{
    return text.len == TG_TRACEPARENT_BYTES && tg_slice_starts(text, TG_LIT("00-")) && text.ptr[35] == '-' &&
           text.ptr[52] == '-' && is_hex(tg_slice_of(text.ptr + 3, 32), true) &&
           is_hex(tg_slice_of(text.ptr + 36, 16), true) && is_hex(tg_slice_of(text.ptr + 53, 2), false);
}

static void put_hex(const uint8_t *bytes, size_t num_bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < num_bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static bool find(const tg_http_header *headers, size_t num_headers, tg_slice name, tg_slice *out_value)
{
    return tg_is_ok(tg_http_headers_find_only(headers, num_headers, name, out_value));
}

tg_result tg_request_marks_take(const tg_http_header *headers, size_t num_headers, tg_request_marks *out_marks)
{
    tg_request_marks marks = {.tracestate = {NULL, 0}};
    struct {
        uint8_t id[TRACE_ID_BYTES], trace_id[TRACE_ID_BYTES], parent_id[PARENT_ID_BYTES];
    } fresh;
    tg_slice value, state;
    bool has_id = find(headers, num_headers, TG_LIT("x-request-id"), &value) && is_request_id(value);
    if (has_id) {
        memcpy(marks.request_id, value.ptr, value.len);
    }
    bool has_parent = find(headers, num_headers, TG_LIT("traceparent"), &value) && is_traceparent(value);
    if (has_parent) {
        memcpy(marks.traceparent, value.ptr, value.len);
        if (find(headers, num_headers, TG_LIT("tracestate"), &state) && state.len <= TG_MAX_TRACESTATE_BYTES) {
            marks.tracestate = state;
        }
    }
    if (!has_id || !has_parent) { /* all at once: the generator's price is by the call */
        TG_TRY(tg_random_fill((uint8_t *)&fresh, sizeof fresh));
    }
    if (!has_id) {
        put_hex(fresh.id, sizeof fresh.id, marks.request_id);
    }
    if (!has_parent) {
        fresh.trace_id[0] |= 1; /* neither may be zero */
        fresh.parent_id[0] |= 1;
        memcpy(marks.traceparent, "00-", 3);
        put_hex(fresh.trace_id, sizeof fresh.trace_id, marks.traceparent + 3);
        marks.traceparent[35] = '-';
        put_hex(fresh.parent_id, sizeof fresh.parent_id, marks.traceparent + 36);
        memcpy(marks.traceparent + 52, "-00", 4);
    }
    *out_marks = marks;
    return tg_ok();
}
