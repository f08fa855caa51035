#include "fields/ndjson.h"

#include "base/num.h"
#include "base/text.h"
#include "fields/json_scan.h"

/* What a line may take beside what its values do: member names with escapes (tg_rewrite_arena_bytes). */
enum { KEPT_LINE_BYTES = 65536 };

void tg_ndjson_init(tg_ndjson *ndjson, const tg_rewrite_options *options, size_t max_line_bytes)
{
    *ndjson = (tg_ndjson){.options = *options, .max_line_bytes = max_line_bytes};
    size_t max_fields = tg_size_min(options->max_fields, max_line_bytes);
    tg_arena_init(&ndjson->arena, 2 * tg_rewrite_arena_bytes(max_fields) + 4 * max_line_bytes, true);
    tg_buf_init_wiped(&ndjson->begun, max_line_bytes);
}

void tg_ndjson_done(tg_ndjson *ndjson)
{
    tg_arena_done(&ndjson->arena);
    tg_buf_done(&ndjson->begun);
}

static tg_result append_refusal(const tg_ndjson *ndjson, const tg_fault *fault, tg_buf *out)
{
    TG_TRY(tg_buf_append_str(out, "{\"error\":{\"code\":"));
    TG_TRY(tg_json_append_string(out, tg_slice_str(tg_fault_name(fault->kind))));
    TG_TRY(tg_buf_append_str(out, ",\"message\":"));
    TG_TRY(tg_json_append_string(out, tg_slice_str(fault->message)));
    if (fault->has_pointer) {
        TG_TRY(tg_buf_append_str(out, ",\"pointer\":"));
        TG_TRY(tg_json_append_string(out, tg_slice_str(fault->pointer)));
    }
    TG_TRY(tg_buf_append_str(out, ",\"line\":"));
    TG_TRY(tg_buf_append_u64(out, ndjson->num_lines));
    return tg_buf_append_str(out, "}}");
}

static tg_result refuse(tg_ndjson *ndjson, const tg_fault *fault, tg_buf *out)
{
    ndjson->num_refused++;
    return append_refusal(ndjson, fault, out);
}

static tg_result rewrite_line(tg_ndjson *ndjson, tg_field_keys *keys, tg_slice line, tg_buf *out)
{
    tg_rewrite *rewrite;
    size_t before = tg_buf_len(out);
    TG_TRY(tg_rewrite_new(&ndjson->arena, &ndjson->options, line, &rewrite));
    tg_result result = tg_rewrite_plan(rewrite, SIZE_MAX);
    if (tg_is_ok(result)) {
        while ((result = tg_rewrite_apply(rewrite, keys, SIZE_MAX, out)).code == TG_ERR_AGAIN) {
        }
    }
    if (!tg_is_ok(result)) {
        tg_fault fault = *tg_rewrite_fault(rewrite);
        tg_buf_truncate(out, before);
        return refuse(ndjson, &fault, out);
    }
    tg_rewrite_counts counts = tg_rewrite_get_counts(rewrite);
    ndjson->num_fields += counts.num_fields;
    ndjson->num_old_key += counts.num_old_key;
    return result;
}

static bool is_blank(tg_slice line)
{
    size_t at = 0;
    while (at < line.len && tg_json_is_space(line.ptr[at])) {
        at++;
    }
    return at == line.len;
}

static tg_result take_line(tg_ndjson *ndjson, tg_field_keys *keys, tg_slice line, tg_buf *out)
{
    static const tg_fault too_long = {.kind = TG_FAULT_PAYLOAD_TOO_LARGE,
                                      .message = "the line is longer than is allowed"};
    ndjson->num_lines++;
    if (ndjson->is_too_long || line.len > ndjson->max_line_bytes) {
        ndjson->is_too_long = false;
        return refuse(ndjson, &too_long, out);
    }
    if (is_blank(line)) {
        return tg_buf_append(out, line);
    }
    tg_result result = rewrite_line(ndjson, keys, line, out);
    tg_arena_clear(&ndjson->arena);
    return result;
}

/* Ends the line that has begun, of which `rest` is the last piece. */
static tg_result end_line(tg_ndjson *ndjson, tg_field_keys *keys, tg_slice rest, tg_buf *out)
{
    if (tg_buf_len(&ndjson->begun) == 0) {
        return take_line(ndjson, keys, rest, out);
    }
    if (!ndjson->is_too_long && !tg_is_ok(tg_buf_append(&ndjson->begun, rest))) {
        ndjson->is_too_long = true;
    }
    tg_result result = take_line(ndjson, keys, tg_buf_slice(&ndjson->begun), out);
    if (ndjson->begun.cap > KEPT_LINE_BYTES) {
        tg_buf_release(&ndjson->begun);
    } else {
        tg_buf_clear(&ndjson->begun);
    }
    return result;
}

tg_result tg_ndjson_feed(tg_ndjson *ndjson, tg_field_keys *keys, tg_slice bytes, tg_buf *out)
{
    for (;;) {
        size_t len = tg_slice_find(bytes, '\n');
        if (len == bytes.len) {
            break;
        }
        TG_TRY(end_line(ndjson, keys, tg_slice_first(bytes, len), out));
        TG_TRY(tg_buf_append_byte(out, '\n'));
        bytes = tg_slice_from(bytes, len + 1);
    }
    if (!ndjson->is_too_long && bytes.len > 0) {
        tg_result result = tg_buf_append(&ndjson->begun, bytes);
        if (result.code == TG_ERR_MEMORY) {
            return result;
        }
        ndjson->is_too_long = !tg_is_ok(result);
    }
    return tg_ok();
}

tg_result tg_ndjson_end(tg_ndjson *ndjson, tg_field_keys *keys, tg_buf *out)
{
    bool is_begun = tg_buf_len(&ndjson->begun) > 0 || ndjson->is_too_long;
    return is_begun ? end_line(ndjson, keys, tg_slice_of("", 0), out) : tg_ok();
}
