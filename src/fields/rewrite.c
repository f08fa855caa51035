#include "fields/rewrite.h"

#include "base/num.h"
#include "base/text.h"
#include "fields/json_scan.h"
#include "fields/token.h"
#include "fields/walk.h"

enum {
    BATCH = 16,
    VALUE_COST = 512,    /* sealing a short value takes as long as scanning about so many bytes */
    COPIES_PER_SCAN = 8, /* bytes are copied so much faster than they are scanned */
    LONGEST_ESCAPE = 6,  /* \u001f */
    MAX_BUDGET = 1 << 30
};

typedef enum phase { PLANNING, PLANNED, APPLYING, LOCATING, FINISHED, REFUSED } phase;

struct tg_rewrite {
    tg_rewrite_options options;
    tg_slice body;
    phase phase;
    tg_walk walk;
    size_t output_max;
    const tg_span_chunk *chunk; /* of the next span */
    size_t next_span;           /* its number */
    size_t copied;              /* bytes of the body that the output stands for so far */
    tg_rewrite_counts counts;
    tg_fault fault;
};

tg_result tg_rewrite_new(tg_arena *arena, const tg_rewrite_options *options, tg_slice body, tg_rewrite **out_rewrite)
{
    tg_rewrite *rewrite = tg_arena_zalloc(arena, 1, sizeof *rewrite);
    if (rewrite == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    rewrite->options = *options;
    rewrite->body = body;
    tg_walk_init(&rewrite->walk, arena, body, &rewrite->options.root, options->max_fields);
    *out_rewrite = rewrite;
    return tg_ok();
}

void tg_rewrite_again(tg_rewrite *rewrite, tg_slice body)
{
    rewrite->body = body;
    rewrite->phase = PLANNING;
    rewrite->next_span = 0;
    rewrite->copied = 0;
    rewrite->counts = (tg_rewrite_counts){0};
    tg_walk_again(&rewrite->walk, body);
}

static tg_result refuse(tg_rewrite *rewrite, tg_fault_kind kind, size_t offset, const char *message)
{
    rewrite->fault = (tg_fault){.kind = kind, .message = message, .offset = offset};
    rewrite->phase = REFUSED;
    return tg_fail(TG_ERR_SYNTAX);
}

/* Refuses a value: its pointer is found by walking the body again, in steps, before the refusal is told. */
static tg_result refuse_value(tg_rewrite *rewrite, tg_fault_kind kind, const tg_span *span, const char *message)
{
    tg_result refused = refuse(rewrite, kind, span->at, message);
    rewrite->phase = LOCATING;
    tg_walk_locate(&rewrite->walk, span->at);
    return refused;
}

static tg_result refuse_output(tg_rewrite *rewrite, tg_result why)
{
    if (why.code == TG_ERR_LIMIT) {
        return refuse(rewrite, TG_FAULT_PAYLOAD_TOO_LARGE, rewrite->copied,
                      "the output would be longer than is allowed");
    }
    return refuse(rewrite, TG_FAULT_SERVICE_UNAVAILABLE, rewrite->copied, "no memory is left for this document");
}

static tg_result refuse_internal(tg_rewrite *rewrite)
{
    return refuse(rewrite, TG_FAULT_INTERNAL_ERROR, rewrite->copied, "the cipher library failed");
}

static tg_slice inside_quotes(const tg_rewrite *rewrite, const tg_span *span)
{
    return tg_slice_of(rewrite->body.ptr + span->at + 1, span->len - 2);
}

static bool is_string(const tg_span *span)
{
    return span->kind == TG_SPAN_STRING || span->kind == TG_SPAN_ESCAPED;
}

static size_t sealed_max(const tg_span *span)
{
    return 2 + tg_token_len(is_string(span) ? span->len - 2 : span->len);
}

static size_t opened_max(const tg_span *span)
{
    size_t escaped = is_string(span) ? 2 + (size_t)span->len / 4 * 3 * LONGEST_ESCAPE : 0;
    return tg_size_max(escaped, span->len);
}

static void finish_plan(tg_rewrite *rewrite)
{
    bool is_seal = rewrite->options.mode == TG_REWRITE_ENCRYPT;
    size_t max = rewrite->body.len;
    const tg_span_chunk *chunk = rewrite->walk.first_chunk;
    for (size_t i = 0; i < rewrite->walk.num_spans; i++) {
        const tg_span *span = &chunk->spans[i % TG_SPANS_PER_CHUNK];
        max += (is_seal ? sealed_max(span) : opened_max(span)) - span->len;
        chunk = i % TG_SPANS_PER_CHUNK == TG_SPANS_PER_CHUNK - 1 ? chunk->next : chunk;
    }
    rewrite->output_max = max;
    rewrite->chunk = rewrite->walk.first_chunk;
    rewrite->counts.num_fields = rewrite->walk.num_spans;
    rewrite->phase = PLANNED;
}

tg_result tg_rewrite_plan(tg_rewrite *rewrite, size_t budget)
{
    if (rewrite->phase == REFUSED) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (rewrite->phase != PLANNING) {
        return tg_ok();
    }
    if (rewrite->body.len > UINT32_MAX) {
        return refuse(rewrite, TG_FAULT_PAYLOAD_TOO_LARGE, 0, "the body is longer than 4 GiB");
    }
    tg_result result = tg_walk_step(&rewrite->walk, budget);
    if (tg_is_ok(result)) {
        finish_plan(rewrite);
    } else if (result.code == TG_ERR_SYNTAX) {
        rewrite->fault = rewrite->walk.fault;
        rewrite->phase = REFUSED;
    }
    return result;
}

static bool has_next_span(const tg_rewrite *rewrite)
{
    return rewrite->next_span < rewrite->walk.num_spans;
}

static const tg_span *next_span(const tg_rewrite *rewrite)
{
    return &rewrite->chunk->spans[rewrite->next_span % TG_SPANS_PER_CHUNK];
}

static void pass_span(tg_rewrite *rewrite)
{
    rewrite->next_span++;
    if (rewrite->next_span % TG_SPANS_PER_CHUNK == 0) {
        rewrite->chunk = rewrite->chunk->next;
    }
}

/* Copies the body up to `end`, as far as the budget goes. */
static tg_result copy_until(tg_rewrite *rewrite, size_t end, tg_buf *out, size_t *budget)
{
    size_t left = end - rewrite->copied;
    size_t take = tg_size_min(left, *budget * COPIES_PER_SCAN);
    tg_result result = tg_buf_append(out, tg_slice_of(rewrite->body.ptr + rewrite->copied, take));
    if (!tg_is_ok(result)) {
        return refuse_output(rewrite, result);
    }
    rewrite->copied += take;
    *budget -= tg_size_min(*budget, take / COPIES_PER_SCAN);
    return take == left ? tg_ok() : tg_fail(TG_ERR_AGAIN);
}

/* A run of neighbouring values that are sealed together, with room for them and what stands between them. */
typedef struct batch {
    size_t num_spans;
    size_t work;
    size_t output_max;
    size_t num_escaped_bytes;
} batch;

static batch choose_batch(const tg_rewrite *rewrite, size_t budget)
{
    batch chosen = {0};
    const tg_span_chunk *chunk = rewrite->chunk;
    size_t from = rewrite->copied;
    for (size_t i = rewrite->next_span; i < rewrite->walk.num_spans && chosen.num_spans < BATCH; i++) {
        const tg_span *span = &chunk->spans[i % TG_SPANS_PER_CHUNK];
        size_t work = VALUE_COST + span->len + (span->at - from) / COPIES_PER_SCAN;
        if (chosen.num_spans > 0 && chosen.work + work > budget) {
            break;
        }
        chosen.num_spans++;
        chosen.work += work;
        chosen.output_max += span->at - from + sealed_max(span);
        chosen.num_escaped_bytes += span->kind == TG_SPAN_ESCAPED ? span->len : 0;
        from = span->at + span->len;
        chunk = i % TG_SPANS_PER_CHUNK == TG_SPANS_PER_CHUNK - 1 ? chunk->next : chunk;
    }
    return chosen;
}

static tg_result plaintext_of(tg_rewrite *rewrite, const tg_span *span, tg_buf *scratch, tg_slice *out_plaintext)
{
    if (span->kind != TG_SPAN_ESCAPED) {
        *out_plaintext =
            is_string(span) ? inside_quotes(rewrite, span) : tg_slice_of(rewrite->body.ptr + span->at, span->len);
        return tg_ok();
    }
    uint8_t *at;
    size_t len;
    tg_slice inside = inside_quotes(rewrite, span);
    if (!tg_is_ok(tg_buf_reserve(scratch, inside.len, &at))) {
        return refuse_output(rewrite, tg_fail(TG_ERR_MEMORY));
    }
    tg_result result = tg_json_unescape(inside, TG_LONE_REFUSED, at, &len);
    tg_buf_commit(scratch, tg_is_ok(result) ? len : inside.len); /* what is counted is wiped */
    if (!tg_is_ok(result)) {
        return refuse_value(rewrite, TG_FAULT_BAD_REQUEST, span, "a string holds half of a surrogate pair");
    }
    *out_plaintext = tg_slice_of(at, len);
    return tg_ok();
}

static tg_result seal_batch(tg_rewrite *rewrite, tg_field_keys *keys, const batch *chosen, tg_buf *out)
{
    tg_token_job jobs[BATCH];
    uint8_t *begin, *unused;
    tg_buf *scratch = tg_field_keys_scratch(keys);
    tg_result room = tg_buf_reserve(out, chosen->output_max, &begin);
    if (!tg_is_ok(room)) {
        return refuse_output(rewrite, room);
    }
    if (!tg_is_ok(tg_buf_reserve(scratch, chosen->num_escaped_bytes, &unused))) { /* at once: it must not move below */
        return refuse_output(rewrite, tg_fail(TG_ERR_MEMORY));
    }
    uint8_t *at = begin;
    for (size_t i = 0; i < chosen->num_spans; i++) {
        const tg_span *span = next_span(rewrite);
        size_t gap = span->at - rewrite->copied;
        memcpy(at, rewrite->body.ptr + rewrite->copied, gap);
        at += gap;
        tg_slice plaintext = {NULL, 0};
        TG_TRY(plaintext_of(rewrite, span, scratch, &plaintext));
        *at++ = '"';
        jobs[i] = (tg_token_job){is_string(span) ? TG_TOKEN_STRING : TG_TOKEN_JSON, plaintext, at};
        at += tg_token_len(plaintext.len);
        *at++ = '"';
        rewrite->copied = span->at + span->len;
        pass_span(rewrite);
    }
    if (!tg_is_ok(tg_token_seal(keys, jobs, chosen->num_spans))) {
        return refuse_internal(rewrite);
    }
    tg_buf_commit(out, (size_t)(at - begin));
    return tg_ok();
}

/* The same, but for the tokens themselves: they are left to the queue. */
static tg_result queue_batch(tg_rewrite *rewrite, tg_field_keys *keys, const batch *chosen, tg_buf *out)
{
    tg_seal_queue *queue = rewrite->options.queue;
    uint8_t *at;
    tg_result room = tg_buf_reserve(out, chosen->output_max, &at);
    if (!tg_is_ok(room)) {
        return refuse_output(rewrite, room);
    }
    const uint8_t *begin = at;
    size_t before = tg_buf_len(out);
    for (size_t i = 0; i < chosen->num_spans; i++) {
        const tg_span *span = next_span(rewrite);
        size_t gap = span->at - rewrite->copied;
        memcpy(at, rewrite->body.ptr + rewrite->copied, gap);
        at += gap;
        tg_slice plaintext =
            is_string(span) ? inside_quotes(rewrite, span) : tg_slice_of(rewrite->body.ptr + span->at, span->len);
        *at++ = '"';
        if (tg_seal_queue_is_full(queue) && !tg_is_ok(tg_seal_queue_seal(queue, keys, out))) {
            return refuse_internal(rewrite);
        }
        tg_seal_queue_add(queue, is_string(span) ? TG_TOKEN_STRING : TG_TOKEN_JSON, plaintext,
                          before + (size_t)(at - begin));
        at += tg_token_len(plaintext.len);
        *at++ = '"';
        rewrite->copied = span->at + span->len;
        pass_span(rewrite);
    }
    tg_buf_commit(out, (size_t)(at - begin));
    return tg_ok();
}

static tg_result seal_some(tg_rewrite *rewrite, tg_field_keys *keys, tg_buf *out, size_t *budget)
{
    batch chosen = choose_batch(rewrite, *budget);
    tg_result result;
    if (rewrite->options.queue != NULL && chosen.num_escaped_bytes == 0) {
        result = queue_batch(rewrite, keys, &chosen, out);
    } else {
        result = seal_batch(rewrite, keys, &chosen, out);
        tg_field_keys_scratch_end(keys);
    }
    *budget -= tg_size_min(*budget, chosen.work);
    return result;
}

static tg_result keep_or_refuse(tg_rewrite *rewrite, const tg_span *span, tg_buf *out)
{
    if (!rewrite->options.is_lenient) {
        return refuse_value(rewrite, TG_FAULT_NOT_A_TOKEN, span, "no token stands where the schema has PII");
    }
    tg_result result = tg_buf_append(out, tg_slice_of(rewrite->body.ptr + span->at, span->len));
    if (!tg_is_ok(result)) {
        return refuse_output(rewrite, result);
    }
    rewrite->counts.num_not_tokens++;
    return tg_ok();
}

/* Ends what tg_buf_reserve gave at `room`: the plaintext stands behind its first byte. */
static tg_result write_string(tg_rewrite *rewrite, const tg_span *span, tg_buf *scratch, uint8_t *room, size_t len,
                              tg_buf *out)
{
    tg_slice plaintext = tg_slice_of(room + 1, len);
    if (tg_json_plain_prefix(plaintext) == len) {
        room[0] = '"';
        room[1 + len] = '"';
        tg_buf_commit(out, len + 2);
        return tg_ok();
    }
    bool is_text = tg_utf8_is_valid(plaintext);
    tg_buf_clear(scratch);
    tg_result result = is_text ? tg_buf_append(scratch, plaintext) : tg_ok();
    tg_wipe(room, len + 1);
    if (!is_text) {
        return refuse_value(rewrite, TG_FAULT_BAD_TOKEN, span, "a token holds what is no text");
    }
    if (tg_is_ok(result)) {
        result = tg_json_append_string(out, tg_buf_slice(scratch));
    }
    return tg_is_ok(result) ? result : refuse_output(rewrite, result);
}

static tg_result write_json(tg_rewrite *rewrite, const tg_span *span, uint8_t *room, size_t len, tg_buf *out)
{
    if (!tg_json_is_valid(tg_slice_of(room + 1, len))) {
        tg_wipe(room, len + 1);
        return refuse_value(rewrite, TG_FAULT_BAD_TOKEN, span, "a token holds what is no JSON value");
    }
    memmove(room, room + 1, len);
    tg_buf_commit(out, len);
    tg_wipe(room + len, 1);
    return tg_ok();
}

static tg_result open_value(tg_rewrite *rewrite, tg_field_keys *keys, const tg_span *span, tg_buf *out)
{
    if (!is_string(span)) {
        return keep_or_refuse(rewrite, span, out);
    }
    tg_slice text = {NULL, 0};
    tg_buf *scratch = tg_field_keys_scratch(keys);
    uint8_t *room;
    if (span->kind == TG_SPAN_ESCAPED && /* at once: the text that will stand there must not move when it is opened */
        !tg_is_ok(tg_buf_reserve(scratch, span->len + tg_base64_decoded_max(span->len), &room))) {
        return refuse_output(rewrite, tg_fail(TG_ERR_MEMORY));
    }
    TG_TRY(plaintext_of(rewrite, span, scratch, &text));
    tg_result result = tg_buf_reserve(out, tg_token_open_room(text.len) + 2, &room);
    if (!tg_is_ok(result)) {
        return refuse_output(rewrite, result);
    }
    tg_opened opened;
    result = tg_token_open(keys, text, room + 1, &opened);
    if (result.code == TG_ERR_SYNTAX) {
        return keep_or_refuse(rewrite, span, out);
    }
    if (result.code == TG_ERR_AUTH) {
        return refuse_value(rewrite, TG_FAULT_BAD_TOKEN, span, "a token does not open with any key in use");
    }
    if (!tg_is_ok(result)) {
        return result.code == TG_ERR_MEMORY ? refuse_output(rewrite, result) : refuse_internal(rewrite);
    }
    rewrite->counts.num_old_key += opened.key_index > 0;
    return opened.kind == TG_TOKEN_STRING ? write_string(rewrite, span, scratch, room, opened.len, out)
                                          : write_json(rewrite, span, room, opened.len, out);
}

static tg_result open_some(tg_rewrite *rewrite, tg_field_keys *keys, tg_buf *out, size_t *budget)
{
    const tg_span *span = next_span(rewrite);
    tg_result result = open_value(rewrite, keys, span, out);
    tg_field_keys_scratch_end(keys);
    TG_TRY(result);
    rewrite->copied = span->at + span->len;
    pass_span(rewrite);
    *budget -= tg_size_min(*budget, VALUE_COST + span->len);
    return tg_ok();
}

/* The output's whole room at once where its bound is near, so that it does not move while it grows. */
static tg_result reserve_output(tg_rewrite *rewrite, tg_buf *out)
{
    bool is_seal = rewrite->options.mode == TG_REWRITE_ENCRYPT;
    size_t len = tg_size_min(is_seal ? rewrite->output_max : rewrite->body.len, tg_buf_space(out));
    uint8_t *unused;
    tg_result result = tg_buf_reserve(out, len, &unused);
    rewrite->phase = APPLYING;
    return tg_is_ok(result) ? result : refuse_output(rewrite, result);
}

static tg_result apply(tg_rewrite *rewrite, tg_field_keys *keys, size_t budget, tg_buf *out)
{
    bool is_seal = rewrite->options.mode == TG_REWRITE_ENCRYPT;
    while (has_next_span(rewrite)) {
        if (budget == 0) {
            return tg_fail(TG_ERR_AGAIN);
        }
        TG_TRY(copy_until(rewrite, next_span(rewrite)->at, out, &budget));
        TG_TRY(is_seal ? seal_some(rewrite, keys, out, &budget) : open_some(rewrite, keys, out, &budget));
    }
    TG_TRY(copy_until(rewrite, rewrite->body.len, out, &budget));
    rewrite->phase = FINISHED;
    return tg_ok();
}

static tg_result locate(tg_rewrite *rewrite, size_t budget)
{
    tg_result result = tg_walk_step(&rewrite->walk, budget);
    if (result.code == TG_ERR_AGAIN) {
        return result;
    }
    if (tg_is_ok(result)) {
        tg_walk_point(&rewrite->walk, &rewrite->fault);
    }
    rewrite->phase = REFUSED;
    return tg_fail(TG_ERR_SYNTAX);
}

tg_result tg_rewrite_apply(tg_rewrite *rewrite, tg_field_keys *keys, size_t budget, tg_buf *out)
{
    size_t left = tg_size_min(tg_size_max(budget, 1), MAX_BUDGET);
    if (rewrite->phase == PLANNED) {
        TG_TRY(reserve_output(rewrite, out));
    }
    if (rewrite->phase == APPLYING) {
        tg_result result = apply(rewrite, keys, left, out);
        bool is_unlocated = result.code == TG_ERR_SYNTAX && rewrite->phase == LOCATING;
        return is_unlocated ? tg_fail(TG_ERR_AGAIN) : result;
    }
    if (rewrite->phase == LOCATING) {
        return locate(rewrite, left);
    }
    return rewrite->phase == FINISHED ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

size_t tg_rewrite_output_max(const tg_rewrite *rewrite)
{
    return rewrite->output_max;
}

const tg_fault *tg_rewrite_fault(const tg_rewrite *rewrite)
{
    return &rewrite->fault;
}

tg_rewrite_counts tg_rewrite_get_counts(const tg_rewrite *rewrite)
{
    return rewrite->counts;
}
