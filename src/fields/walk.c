#include "fields/walk.h"

#include "base/num.h"
#include "fields/json_scan.h"
#include "fields/walk_meaning.h"

static void start(tg_walk *walk)
{
    walk->at = 0;
    walk->expect = TG_EXPECT_VALUE;
    walk->wrapper = walk->root->defines_payload ? TG_WRAPPER_NOT_LOOKED_FOR : TG_WRAPPER_OPEN;
    walk->state = walk->root->state;
    walk->depth = 0;
    walk->num_frames = 0;
    walk->sealed_depth = 0;
}

void tg_walk_init(tg_walk *walk, tg_arena *arena, tg_slice text, const tg_pii_root *root, size_t max_spans)
{
    *walk = (tg_walk){.text = text, .arena = arena, .root = root, .max_spans = max_spans, .locate_at = SIZE_MAX};
    tg_json_index_init(&walk->index, text);
    start(walk);
}

void tg_walk_again(tg_walk *walk, tg_slice text)
{
    walk->text = text;
    walk->locate_at = SIZE_MAX;
    walk->num_spans = 0;
    walk->last_chunk = NULL; /* those that hang at first_chunk are filled again */
    walk->charge = 0;
    tg_json_index_init(&walk->index, text);
    start(walk);
}

void tg_walk_locate(tg_walk *walk, size_t offset)
{
    walk->locate_at = offset;
    start(walk);
}

static tg_result read_literal(tg_walk *walk, tg_slice literal)
{
    tg_slice rest = tg_slice_from(walk->text, walk->at);
    if (!tg_slice_starts(rest, literal)) {
        bool is_cut = tg_slice_starts(literal, rest);
        return is_cut ? tg_walk_refuse_end(walk) : tg_walk_refuse_byte(walk);
    }
    walk->token_at = walk->at;
    walk->at += literal.len;
    if (literal.ptr[0] == 'n') { /* null stays wherever it stands */
        walk->state = TG_PII_NOWHERE;
    }
    return tg_walk_end_scalar(walk, TG_SPAN_SCALAR);
}

static tg_result begin_value(tg_walk *walk, uint8_t c)
{
    switch (c) {
    case '"':
        walk->token_at = walk->at++;
        walk->has_escapes = false;
        walk->expect = TG_IN_STRING;
        return tg_ok();
    case '{':
        return tg_walk_open(walk, true);
    case '[':
        return tg_walk_open(walk, false);
    case 't':
        return read_literal(walk, TG_LIT("true"));
    case 'f':
        return read_literal(walk, TG_LIT("false"));
    case 'n':
        return read_literal(walk, TG_LIT("null"));
    default: /* whatever is no number is refused at its first byte */
        walk->token_at = walk->at;
        walk->number_state = 0;
        walk->expect = TG_IN_NUMBER;
        return tg_ok();
    }
}

static tg_result read_key_or_end(tg_walk *walk, uint8_t c)
{
    if (c == '"') {
        walk->token_at = walk->at++;
        walk->has_escapes = false;
        walk->expect = TG_IN_KEY;
        return tg_ok();
    }
    if (c != '}' || walk->expect != TG_EXPECT_FIRST_KEY) {
        return tg_walk_refuse_byte(walk);
    }
    if (walk->depth == 1 && walk->wrapper == TG_WRAPPER_OPEN) {
        TG_TRY(tg_walk_decide_no_wrapper(walk));
    }
    return tg_walk_close(walk);
}

static tg_result read_next(tg_walk *walk, uint8_t c)
{
    bool is_object = tg_walk_is_in_object(walk);
    if (c == ',') {
        walk->at++;
        if (is_object) {
            walk->expect = TG_EXPECT_KEY;
        } else {
            tg_walk_begin_element(walk, false);
        }
        return tg_ok();
    }
    return c == (is_object ? '}' : ']') ? tg_walk_close(walk) : tg_walk_refuse_byte(walk);
}

/* One byte between tokens, which is no white space. */
static tg_result read_structure(tg_walk *walk, uint8_t c)
{
    switch (walk->expect) {
    case TG_EXPECT_VALUE:
        return begin_value(walk, c);
    case TG_EXPECT_FIRST_ELEMENT:
        if (c == ']') {
            return tg_walk_close(walk);
        }
        tg_walk_begin_element(walk, true);
        return tg_ok(); /* the same byte again, as a value's first */
    case TG_EXPECT_FIRST_KEY:
    case TG_EXPECT_KEY:
        return read_key_or_end(walk, c);
    case TG_EXPECT_COLON:
        if (c != ':') {
            return tg_walk_refuse_byte(walk);
        }
        walk->at++;
        walk->expect = TG_EXPECT_VALUE;
        return tg_ok();
    case TG_EXPECT_NEXT:
        return read_next(walk, c);
    default:
        return tg_walk_refuse(walk, TG_FAULT_BAD_REQUEST, walk->at, "more bytes follow the JSON value");
    }
}

/* The rest of a string, key or number, as far as the limit. */
static tg_result read_token(tg_walk *walk, size_t limit)
{
    tg_scan scan = walk->expect == TG_IN_NUMBER
                       ? tg_json_scan_number(walk->text, limit, &walk->at, &walk->number_state)
                       : tg_json_scan_string(&walk->index, limit, &walk->at, &walk->has_escapes);
    switch (scan) {
    case TG_SCAN_MORE:
        return tg_fail(TG_ERR_AGAIN);
    case TG_SCAN_BAD:
        return tg_walk_refuse_byte(walk);
    case TG_SCAN_ENDS:
        return tg_walk_refuse_end(walk);
    case TG_SCAN_DONE:
        break;
    }
    if (walk->expect == TG_IN_KEY) {
        return tg_walk_end_key(walk);
    }
    return tg_walk_end_scalar(walk, walk->expect == TG_IN_NUMBER ? TG_SPAN_SCALAR
                                    : walk->has_escapes          ? TG_SPAN_ESCAPED
                                                                 : TG_SPAN_STRING);
}

/* Ends a value between `from` and `end`. */
static inline tg_result end_scalar(tg_walk *walk, size_t from, size_t end, tg_span_kind kind)
{
    if (walk->state == TG_PII_NOWHERE) {
        walk->expect = walk->depth > 0 ? TG_EXPECT_NEXT : TG_EXPECT_END;
        return tg_ok();
    }
    walk->token_at = from;
    walk->at = end;
    return tg_walk_end_scalar(walk, kind);
}

/* The end of a string without escapes that begins at `at` and ends before the limit; otherwise `at`. */
static inline size_t skip_plain_string(tg_walk *walk, size_t at, size_t limit)
{
    if (at >= limit || walk->text.ptr[at] != '"') {
        return at;
    }
    size_t quote = tg_json_skip_plain(&walk->index, at + 1, limit);
    return quote < limit && walk->text.ptr[quote] == '"' ? quote + 1 : at;
}

static inline size_t skip_literal(const tg_walk *walk, size_t at, size_t limit)
{
    const uint8_t *here = walk->text.ptr + at;
    if (limit - at >= 4 && (memcmp(here, "true", 4) == 0 || memcmp(here, "null", 4) == 0)) {
        return at + 4;
    }
    return limit - at >= 5 && memcmp(here, "false", 5) == 0 ? at + 5 : at;
}

/* A value at `at` that is no container and nothing out of the ordinary; *out_end is `at` where it is something else. */
static inline tg_result read_plain_scalar(tg_walk *walk, size_t at, size_t limit, size_t *out_end)
{
    uint8_t c = walk->text.ptr[at];
    size_t end = at;
    tg_span_kind kind = TG_SPAN_SCALAR;
    if (c == '"') {
        kind = TG_SPAN_STRING;
        end = skip_plain_string(walk, at, limit);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        end = tg_json_skip_short_number(walk->text.ptr, at, limit);
    } else {
        end = skip_literal(walk, at, limit);
        walk->state = end > at && c == 'n' ? TG_PII_NOWHERE : walk->state; /* null stays wherever it stands */
    }
    *out_end = end;
    return end > at ? end_scalar(walk, at, end, kind) : tg_ok();
}

/* The way of most of a document, where the place that is read stays in a register: names and strings without escapes,
 * short numbers, nothing wrong. It stops between tokens where something else comes, or the limit. */
static tg_result read_plainly(tg_walk *walk, size_t limit)
{
    const uint8_t *text = walk->text.ptr;
    size_t at = walk->at;
    for (;;) {
        at = tg_json_skip_space(&walk->index, at, limit);
        if (at >= limit) {
            break;
        }
        uint8_t c = text[at];
        if (walk->expect == TG_EXPECT_KEY || walk->expect == TG_EXPECT_FIRST_KEY) {
            size_t end = skip_plain_string(walk, at, limit);
            if (end == at) {
                break;
            }
            walk->token_at = at;
            walk->at = end;
            walk->has_escapes = false;
            TG_TRY(tg_walk_end_key(walk));
            at = end;
            if (walk->charge > 0 || at >= limit || text[at] != ':') {
                break;
            }
            walk->expect = TG_EXPECT_VALUE;
            at = tg_json_skip_space(&walk->index, at + 1, limit);
            if (at >= limit) {
                break;
            }
            c = text[at];
        }
        if (walk->expect == TG_EXPECT_FIRST_ELEMENT && c != ']') {
            tg_walk_begin_element(walk, true);
        }
        if (walk->expect == TG_EXPECT_VALUE) {
            if (at == walk->locate_at) {
                break;
            }
            if (c == '{' || c == '[') {
                walk->at = at;
                TG_TRY(tg_walk_open(walk, c == '{'));
                at++;
                continue;
            }
            size_t end;
            TG_TRY(read_plain_scalar(walk, at, limit, &end));
            if (end == at) {
                break;
            }
            at = tg_json_skip_space(&walk->index, end, limit);
            if (at >= limit) {
                break;
            }
            c = text[at];
        }
        if (walk->expect != TG_EXPECT_NEXT) {
            break;
        }
        bool is_object = tg_walk_is_in_object(walk);
        if (c == ',' && is_object) {
            walk->expect = TG_EXPECT_KEY;
        } else if (c == ',') {
            tg_walk_begin_element(walk, false);
        } else if (c == (is_object ? '}' : ']')) {
            walk->at = at;
            TG_TRY(tg_walk_close(walk));
        } else {
            break;
        }
        at++;
    }
    walk->at = at;
    return tg_ok();
}

/* The limit, after what was charged is taken from the budget: first from what goes beyond the text. */
static size_t pay(tg_walk *walk, size_t limit, size_t *spare)
{
    size_t rest = walk->charge - tg_size_min(walk->charge, *spare);
    *spare -= walk->charge - rest;
    walk->charge = 0;
    return limit - tg_size_min(rest, limit - walk->at);
}

tg_result tg_walk_step(tg_walk *walk, size_t budget)
{
    size_t left = walk->text.len - walk->at;
    size_t span = tg_size_min(tg_size_max(budget, 1), left);
    size_t limit = walk->at + span;
    size_t spare = tg_size_max(budget, 1) - span;
    for (;;) {
        if (walk->expect >= TG_IN_KEY) {
            TG_TRY(read_token(walk, limit));
            limit = pay(walk, limit, &spare);
            continue;
        }
        TG_TRY(read_plainly(walk, limit));
        limit = pay(walk, limit, &spare);
        walk->at = tg_json_skip_space(&walk->index, walk->at, limit);
        if (walk->at >= limit) {
            break;
        }
        if (walk->at == walk->locate_at && walk->expect == TG_EXPECT_VALUE) {
            return tg_ok();
        }
        TG_TRY(read_structure(walk, walk->text.ptr[walk->at]));
    }
    if (walk->at < walk->text.len) {
        return tg_fail(TG_ERR_AGAIN);
    }
    return walk->expect == TG_EXPECT_END ? tg_ok() : tg_walk_refuse_end(walk);
}

bool tg_json_is_valid(tg_slice text)
{
    static const tg_pii_root nowhere = {.graph = NULL, .state = TG_PII_NOWHERE, .defines_payload = true};
    tg_walk walk;
    tg_walk_init(&walk, NULL, text, &nowhere, 0);
    return tg_is_ok(tg_walk_step(&walk, SIZE_MAX));
}
