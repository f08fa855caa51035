#include "fields/ndjson.h"

#include "base/num.h"
#include "base/text.h"
#include "fields/json_scan.h"

enum {
    KEPT_LINE_BYTES = 65536,  /* longer lines give their memory back */
    KEPT_ARENA_BYTES = 16384, /* and so do those of many values */
    FULL_OUT_BYTES = 65536,   /* no line begins behind so much output */
    KEPT_OUT_BYTES = 131072,  /* the output's memory grows by steps up to here, then to what is needed */
    VALUE_COST = 512,         /* tg_rewrite_apply's */
    LINE_COST = 64
};

static const tg_fault too_long = {.kind = TG_FAULT_PAYLOAD_TOO_LARGE, .message = "the line is longer than is allowed"};
static const tg_fault no_memory = {.kind = TG_FAULT_SERVICE_UNAVAILABLE, .message = "no memory is left for this line"};
static const tg_fault no_room = {.kind = TG_FAULT_SERVICE_UNAVAILABLE,
                                 .message = "the bodies in flight take all the memory that is set aside for them"};

void tg_ndjson_init(tg_ndjson *ndjson, const tg_ndjson_options *options)
{
    *ndjson = (tg_ndjson){.options = *options};
    size_t max_fields = tg_size_min(options->rewrite.max_fields, options->max_line_bytes);
    tg_arena_init(&ndjson->arena, 2 * tg_rewrite_arena_bytes(max_fields) + 4 * options->max_line_bytes, true);
    tg_buf_init_wiped(&ndjson->begun, options->max_line_bytes + 1);
    ndjson->options.rewrite.queue = &ndjson->queue;
}

void tg_ndjson_done(tg_ndjson *ndjson)
{
    tg_arena_done(&ndjson->arena);
    tg_buf_done(&ndjson->begun);
}

void tg_ndjson_set_root(tg_ndjson *ndjson, const tg_pii_root *root)
{
    ndjson->options.rewrite.root = *root;
    ndjson->rewrite = NULL;
    tg_arena_clear(&ndjson->arena);
}

void tg_ndjson_feed(tg_ndjson *ndjson, tg_slice bytes)
{
    ndjson->fed = bytes;
}

void tg_ndjson_end(tg_ndjson *ndjson)
{
    ndjson->is_at_end = true;
}

static bool may_hold(const tg_ndjson *ndjson, size_t num_bytes)
{
    return num_bytes <= TG_NDJSON_SMALL_BYTES || ndjson->options.may_hold == NULL ||
           ndjson->options.may_hold(ndjson->options.owner, num_bytes);
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

/* Ends the line; what it needed beyond the usual is given back. */
static void end_line(tg_ndjson *ndjson, bool is_reusable)
{
    ndjson->is_in_line = false;
    ndjson->is_planned = false;
    ndjson->unfinished = 0;
    if (!is_reusable || ndjson->arena.used > KEPT_ARENA_BYTES) {
        ndjson->rewrite = NULL;
        tg_arena_clear(&ndjson->arena);
    }
    if (ndjson->begun.cap > KEPT_LINE_BYTES) {
        tg_buf_release(&ndjson->begun);
    } else {
        tg_buf_clear(&ndjson->begun);
    }
}

/* Answers the line in work by its fault, and by its newline where it has one. */
static tg_result refuse(tg_ndjson *ndjson, const tg_fault *fault, tg_buf *out)
{
    size_t before = tg_buf_len(out) - ndjson->unfinished;
    ndjson->num_refused++;
    ndjson->num_bad_tokens += fault->kind == TG_FAULT_BAD_TOKEN;
    tg_seal_queue_drop(&ndjson->queue, before);
    tg_buf_truncate(out, before);
    TG_TRY(append_refusal(ndjson, fault, out));
    TG_TRY(tg_slice_ends(ndjson->line, TG_LIT("\n")) ? tg_buf_append_byte(out, '\n') : tg_ok());
    ndjson->dropped = NULL;
    end_line(ndjson, false);
    return tg_ok();
}

static bool is_blank(tg_slice line)
{
    size_t at = 0;
    while (at < line.len && tg_json_is_space(line.ptr[at])) {
        at++;
    }
    return at == line.len;
}

/* Begins the work on a line, which is a document with the newline as white space behind it. */
static tg_result begin_line(tg_ndjson *ndjson, tg_slice line, tg_buf *out)
{
    ndjson->line = line;
    ndjson->num_lines++;
    if (ndjson->dropped != NULL) {
        return refuse(ndjson, ndjson->dropped, out);
    }
    if (line.len - tg_slice_ends(line, TG_LIT("\n")) > ndjson->options.max_line_bytes) {
        return refuse(ndjson, &too_long, out);
    }
    if (is_blank(line)) {
        tg_result result = tg_buf_append(out, line);
        end_line(ndjson, true);
        return result;
    }
    if (ndjson->rewrite != NULL) {
        tg_rewrite_again(ndjson->rewrite, line);
    } else if (!tg_is_ok(tg_rewrite_new(&ndjson->arena, &ndjson->options.rewrite, line, &ndjson->rewrite))) {
        return refuse(ndjson, &no_memory, out);
    }
    ndjson->is_in_line = true;
    return tg_ok();
}

/* Keeps a piece of a line that has not come whole. */
static void keep(tg_ndjson *ndjson, tg_slice piece, size_t out_cap)
{
    tg_buf *begun = &ndjson->begun;
    if (ndjson->dropped != NULL || piece.len == 0) {
        return;
    }
    if (piece.len > tg_buf_space(begun)) {
        ndjson->dropped = &too_long;
    } else if (piece.len > begun->cap - begun->end) {
        size_t cap = tg_size_max(tg_buf_len(begun) + piece.len, 2 * begun->cap);
        cap = tg_size_min(cap, begun->max);
        if (!may_hold(ndjson, tg_ndjson_held(ndjson) - begun->cap + cap + out_cap)) {
            ndjson->dropped = &no_room;
        } else if (!tg_is_ok(tg_buf_widen(begun, cap))) {
            ndjson->dropped = &no_memory;
        }
    }
    if (ndjson->dropped == NULL && !tg_is_ok(tg_buf_append(begun, piece))) {
        ndjson->dropped = &no_memory;
    }
    if (ndjson->dropped != NULL) { /* a byte stands for all of them */
        tg_buf_release(begun);
    }
}

static bool is_begun(const tg_ndjson *ndjson)
{
    return tg_buf_len(&ndjson->begun) > 0 || ndjson->dropped != NULL;
}

/* Begins the next line, if a whole one is there. */
static tg_result next_line(tg_ndjson *ndjson, tg_buf *out)
{
    size_t len = tg_slice_find(ndjson->fed, '\n');
    bool is_whole = len < ndjson->fed.len;
    tg_slice line = tg_slice_first(ndjson->fed, is_whole ? len + 1 : len);
    ndjson->fed = tg_slice_from(ndjson->fed, line.len);
    if (is_whole && !is_begun(ndjson)) {
        return begin_line(ndjson, line, out);
    }
    keep(ndjson, line, out->cap);
    if (!is_whole && !(ndjson->is_at_end && is_begun(ndjson))) {
        return tg_ok();
    }
    tg_slice newline = tg_slice_from(line, len);
    return begin_line(ndjson, ndjson->dropped != NULL ? newline : tg_buf_slice(&ndjson->begun), out);
}

/* The output's memory for a line that is planned. */
static const tg_fault *make_room(tg_ndjson *ndjson, tg_buf *out)
{
    size_t len = tg_buf_len(out) + tg_rewrite_output_max(ndjson->rewrite);
    size_t cap = tg_size_max(tg_size_max(out->cap, KEPT_OUT_BYTES), tg_size_min(len, out->max));
    if (!may_hold(ndjson, tg_ndjson_held(ndjson) + cap)) {
        return &no_room;
    }
    bool is_wide = len <= KEPT_OUT_BYTES || tg_is_ok(tg_buf_widen(out, tg_size_min(len, out->max)));
    return is_wide ? NULL : &no_memory;
}

static void charge(size_t *budget, size_t cost)
{
    *budget -= tg_size_min(*budget, cost);
}

/* Goes on with the line in work. */
static tg_result go_on(tg_ndjson *ndjson, tg_field_keys *keys, size_t *budget, tg_buf *out)
{
    const tg_fault *fault = NULL;
    tg_result result = tg_ok();
    if (!ndjson->is_planned) {
        result = tg_rewrite_plan(ndjson->rewrite, *budget);
        ndjson->is_planned = tg_is_ok(result);
        charge(budget, ndjson->line.len);
        if (ndjson->is_planned) {
            fault = make_room(ndjson, out);
        } else if (!may_hold(ndjson, tg_ndjson_held(ndjson) + out->cap)) {
            fault = &no_room;
        }
    }
    if (ndjson->is_planned && fault == NULL) {
        size_t before = tg_buf_len(out);
        result = tg_rewrite_apply(ndjson->rewrite, keys, tg_size_max(*budget, 1), out);
        ndjson->unfinished += tg_buf_len(out) - before;
    }
    if (fault == NULL && result.code == TG_ERR_AGAIN) {
        *budget = 0;
        return result;
    }
    tg_rewrite_counts counts = tg_rewrite_get_counts(ndjson->rewrite);
    charge(budget, counts.num_fields * VALUE_COST);
    if (fault != NULL || !tg_is_ok(result)) {
        tg_fault why = fault != NULL ? *fault : *tg_rewrite_fault(ndjson->rewrite);
        return refuse(ndjson, &why, out);
    }
    if (tg_buf_len(&ndjson->begun) > 0) { /* what is queued of it stands there */
        TG_TRY(tg_seal_queue_seal(&ndjson->queue, keys, out));
    }
    ndjson->num_fields += counts.num_fields;
    ndjson->num_old_key += counts.num_old_key;
    end_line(ndjson, true);
    return tg_ok();
}

static bool has_more(const tg_ndjson *ndjson)
{
    return ndjson->is_in_line || ndjson->fed.len > 0 || (ndjson->is_at_end && is_begun(ndjson));
}

static tg_result step(tg_ndjson *ndjson, tg_field_keys *keys, size_t budget, tg_buf *out)
{
    while (has_more(ndjson)) {
        if (budget == 0 || (!ndjson->is_in_line && tg_buf_len(out) >= FULL_OUT_BYTES)) {
            return tg_fail(TG_ERR_AGAIN);
        }
        if (ndjson->is_in_line) {
            TG_TRY(go_on(ndjson, keys, &budget, out));
        } else {
            charge(&budget, LINE_COST);
            TG_TRY(next_line(ndjson, out));
        }
    }
    return tg_ok();
}

tg_result tg_ndjson_step(tg_ndjson *ndjson, tg_field_keys *keys, size_t budget, tg_buf *out)
{
    tg_result result = step(ndjson, keys, tg_size_max(budget, 1), out);
    if (tg_is_ok(result) || result.code == TG_ERR_AGAIN) {
        TG_TRY(tg_seal_queue_seal(&ndjson->queue, keys, out));
    }
    return result;
}
