#include "base/text.h"
#include "envelope/bhttp.h"
#include "gateway/sealing_parts.h"
#include "http/date.h"

/* Framing, status, lengths, Date and Content-Type's name; nonce and tag. */
enum { MAX_FRAME_BYTES = 256, MAX_FIELD_FRAME_BYTES = 16 };

static size_t inside_max(const tg_gateway_answer *answer)
{
    size_t len = MAX_FRAME_BYTES + answer->content_type.len + answer->body.len;
    for (size_t i = 0; i < answer->num_headers; i++) {
        len += MAX_FIELD_FRAME_BYTES + answer->headers[i].name.len + answer->headers[i].value.len;
    }
    return len;
}

size_t tg_sealing_ohttp_max(const tg_gateway_answer *answer)
{
    return inside_max(answer) + TG_MAX_OHTTP_NONCE_BYTES + TG_GCM_TAG_BYTES;
}

/* Names of binary HTTP are those of HTTP/2: in lower case (RFC 9292 §3.6, RFC 9113 §8.2.1). */
static tg_result add_field(tg_arena *arena, tg_slice name, tg_slice value, tg_bhttp_field *fields, size_t *num)
{
    uint8_t *lower = tg_arena_alloc(arena, name.len + 1);
    if (lower == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = tg_ascii_lower(name.ptr[i]);
    }
    fields[(*num)++] = (tg_bhttp_field){tg_slice_of(lower, name.len), value};
    return tg_ok();
}

/* The Date lets a client whose own was refused set its clock right (RFC 9458 §6.5.2). */
static tg_result add_fields(const tg_gateway_answer *answer, tg_slice date, tg_arena *arena, tg_bhttp_section *out)
{
    size_t num = 0;
    tg_bhttp_field *fields = tg_arena_zalloc(arena, answer->num_headers + 2, sizeof *fields);
    if (fields == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(add_field(arena, TG_LIT("date"), date, fields, &num));
    if (answer->content_type.len > 0) {
        TG_TRY(add_field(arena, TG_LIT("content-type"), answer->content_type, fields, &num));
    }
    for (size_t i = 0; i < answer->num_headers; i++) {
        tg_slice name = answer->headers[i].name;
        if (!tg_text_equal_nocase(name, TG_LIT("date")) && !tg_text_equal_nocase(name, TG_LIT("content-type"))) {
            TG_TRY(add_field(arena, answer->headers[i].name, answer->headers[i].value, fields, &num));
        }
    }
    *out = (tg_bhttp_section){fields, num};
    return tg_ok();
}

static tg_result append_inside(const tg_envelope_context *context, const tg_gateway_answer *answer, tg_arena *arena,
                               tg_buf *out)
{
    char date[TG_HTTP_DATE_LEN];
    tg_bhttp inside = {.status = answer->status, .content = answer->body};
    tg_http_date_format(context->now_unix_s, date);
    TG_TRY(add_fields(answer, tg_slice_of(date, sizeof date), arena, &inside.header));
    return tg_bhttp_append(&inside, TG_BHTTP_KNOWN_LENGTH, out);
}

tg_result tg_sealing_ohttp(const tg_envelope_context *context, const tg_opened_request *opened,
                           const tg_gateway_answer *answer, tg_buf *out)
{
    enum { MAX_ARENA_BYTES = 1 << 18 };
    tg_arena arena;
    tg_buf inside;
    tg_arena_init(&arena, MAX_ARENA_BYTES, true);
    tg_buf_init_wiped(&inside, inside_max(answer));
    tg_result result = tg_buf_widen(&inside, inside.max);
    if (tg_is_ok(result)) {
        result = append_inside(context, answer, &arena, &inside);
    }
    if (tg_is_ok(result)) {
        result = tg_ohttp_response_seal(&opened->ohttp_reply, tg_buf_slice(&inside), out);
    }
    tg_buf_done(&inside);
    tg_arena_done(&arena);
    return result;
}
