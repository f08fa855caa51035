#include "base/text.h"
#include "envelope/bhttp.h"
#include "http/date.h"
#include "http/grammar.h"
#include "tool/call_envelope.h"

enum { MAX_ARENA_BYTES = 1 << 20, MAX_OWN_FIELDS = 2 };

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason)
{
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(code);
}

/* Names are in lower case inside (RFC 9292 §3.6, RFC 9113 §8.2.1). */
static tg_result add_field(tg_arena *arena, tg_slice name, tg_slice value, tg_bhttp_field *fields, size_t *num_fields)
{
    uint8_t *lower = tg_arena_alloc(arena, name.len + 1);
    if (lower == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = tg_ascii_lower(name.ptr[i]);
    }
    fields[(*num_fields)++] = (tg_bhttp_field){tg_slice_of(lower, name.len), value};
    return tg_ok();
}

/* The Date is what lets the enclave tell a new request from an old one (RFC 9458 §6.5.1). */
static tg_result add_fields(const tg_call_request *request, tg_slice date, tg_arena *arena, tg_bhttp_section *out)
{
    size_t num_fields = 0;
    tg_bhttp_field *fields = tg_arena_zalloc(arena, request->num_headers + MAX_OWN_FIELDS, sizeof *fields);
    if (fields == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(add_field(arena, TG_LIT("date"), date, fields, &num_fields));
    if (request->content_type.len > 0) {
        TG_TRY(add_field(arena, TG_LIT("content-type"), request->content_type, fields, &num_fields));
    }
    for (size_t i = 0; i < request->num_headers; i++) {
        TG_TRY(add_field(arena, request->headers[i].name, request->headers[i].value, fields, &num_fields));
    }
    *out = (tg_bhttp_section){fields, num_fields};
    return tg_ok();
}

static tg_result append_inside(const tg_call_request *request, uint64_t now_unix_s, tg_arena *arena, tg_buf *out)
{
    char date[TG_HTTP_DATE_LEN];
    tg_bhttp inside = {.is_request = true,
                       .method = request->method,
                       .scheme = TG_LIT("https"),
                       .authority = request->authority,
                       .path = request->path,
                       .content = request->body};
    tg_http_date_format(now_unix_s, date);
    TG_TRY(add_fields(request, tg_slice_of(date, sizeof date), arena, &inside.header));
    return tg_bhttp_append(&inside, TG_BHTTP_KNOWN_LENGTH, out);
}

tg_result tg_call_ohttp_seal(const tg_call_keys *keys, const tg_call_request *request, tg_call_sealed *sealed,
                             tg_detail *detail)
{
    tg_arena arena;
    tg_buf inside;
    if (!tg_http_is_token(request->method) || !tg_http_is_value(request->content_type)) {
        return refuse(detail, TG_ERR_SYNTAX, "the method or the content type is none");
    }
    tg_arena_init(&arena, MAX_ARENA_BYTES, true);
    tg_buf_init_wiped(&inside, TG_MAX_CALL_SEALED_BYTES);
    tg_result result = append_inside(request, sealed->made_unix_s, &arena, &inside);
    if (tg_is_ok(result)) {
        result = tg_ohttp_request_seal(&keys->ohttp, tg_buf_slice(&inside), &sealed->body, &sealed->ohttp_reply);
    }
    tg_buf_done(&inside);
    tg_arena_done(&arena);
    return result;
}

static tg_result take(const tg_bhttp *inside, tg_call_answer *answer, tg_detail *detail)
{
    if (inside->is_request) {
        return refuse(detail, TG_ERR_SYNTAX, "what was sealed is no answer");
    }
    tg_slice type = tg_bhttp_find(&inside->header, TG_LIT("content-type"));
    if (type.len > 0 && type.len < sizeof answer->content_type) {
        memcpy(answer->content_type, type.ptr, type.len);
    }
    answer->status = inside->status;
    return tg_buf_append(&answer->body, inside->content);
}

/* The answer's key comes from this request's own exchange with the enclave's key: there is none other that fits, so
 * that whose answer it is, and to what, is one question. Its Date is only told. */
static void note_date(const tg_bhttp *inside, tg_call_answer *answer)
{
    uint64_t made_unix_s = 0;
    tg_slice date = tg_bhttp_find(&inside->header, TG_LIT("date"));
    if (date.ptr != NULL && tg_is_ok(tg_http_date_parse(date, &made_unix_s))) {
        answer->issued_unix_s = made_unix_s;
    }
}

static tg_result read_inside(tg_slice plaintext, tg_call_answer *answer, tg_detail *detail)
{
    tg_arena arena;
    tg_bhttp inside;
    tg_arena_init(&arena, plaintext.len + MAX_ARENA_BYTES, true);
    tg_result result = tg_bhttp_parse(plaintext, &arena, &inside);
    if (!tg_is_ok(result)) {
        result = refuse(detail, result.code, "what was sealed is no binary HTTP answer");
    } else {
        note_date(&inside, answer);
        result = take(&inside, answer, detail);
    }
    tg_arena_done(&arena);
    return result;
}

tg_result tg_call_ohttp_open(const tg_call_sealed *sealed, tg_slice body, tg_call_answer *answer, tg_detail *detail)
{
    tg_buf plaintext;
    tg_buf_init_wiped(&plaintext, TG_MAX_CALL_SEALED_BYTES);
    tg_result result = tg_ohttp_response_open(&sealed->ohttp_reply, body, &plaintext);
    if (!tg_is_ok(result)) {
        result = refuse(detail, result.code == TG_ERR_TRUNCATED ? TG_ERR_AUTH : result.code,
                        "the answer is not sealed for this request by the enclave's key, or was changed");
    } else {
        result = read_inside(tg_buf_slice(&plaintext), answer, detail);
    }
    tg_buf_done(&plaintext);
    return result;
}
