#include "fields/walk.h"

#include "base/num.h"
#include "fields/json_scan.h"
#include "fields/pointer.h"

enum { FIRST_FRAMES = 16, FIRST_NAME_BYTES = 64 };

/* What trying a name against a pattern takes, in bytes of scanning: its set-up, and at worst the square of the name. */
enum { PATTERN_COST = 256, NAME_COST_DIVISOR = 32 };

/* What may come next. White space may stand before all but the last three, which are inside a token. */
enum {
    EXPECT_VALUE,
    EXPECT_FIRST_ELEMENT, /* or `]` */
    EXPECT_FIRST_KEY,     /* or `}` */
    EXPECT_KEY,
    EXPECT_COLON,
    EXPECT_NEXT, /* a comma or the container's end */
    EXPECT_END,  /* of the text */
    IN_KEY,
    IN_STRING,
    IN_NUMBER
};

/* A top-level member `payload` that no root defines is a wrapper, and must be the only member. Whether the top-level
 * object is a wrapper is known at its first member. */
enum { WRAPPER_NOT_LOOKED_FOR, WRAPPER_OPEN, WRAPPER_PRESENT, WRAPPER_ABSENT };

static void start(tg_walk *walk)
{
    walk->at = 0;
    walk->expect = EXPECT_VALUE;
    walk->wrapper = walk->root->defines_payload ? WRAPPER_NOT_LOOKED_FOR : WRAPPER_OPEN;
    walk->state = walk->root->state;
    walk->depth = 0;
    walk->num_frames = 0;
    walk->sealed_depth = 0;
}

void tg_walk_init(tg_walk *walk, tg_arena *arena, tg_slice text, const tg_pii_root *root, size_t max_spans)
{
    *walk = (tg_walk){.text = text, .arena = arena, .root = root, .max_spans = max_spans, .locate_at = SIZE_MAX};
    start(walk);
}

void tg_walk_locate(tg_walk *walk, size_t offset)
{
    walk->locate_at = offset;
    start(walk);
}

static tg_result refuse(tg_walk *walk, tg_fault_kind kind, size_t offset, const char *message)
{
    walk->fault = (tg_fault){.kind = kind, .message = message, .offset = offset};
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result refuse_value(tg_walk *walk, tg_fault_kind kind, size_t offset, const char *message)
{
    (void)refuse(walk, kind, offset, message);
    tg_walk_point(walk, &walk->fault);
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result refuse_memory(tg_walk *walk)
{
    return refuse(walk, TG_FAULT_SERVICE_UNAVAILABLE, walk->at, "no memory is left for this document");
}

static tg_result refuse_byte(tg_walk *walk)
{
    return refuse(walk, TG_FAULT_BAD_REQUEST, walk->at, "the body is not valid JSON");
}

static tg_result refuse_end(tg_walk *walk)
{
    return refuse(walk, TG_FAULT_BAD_REQUEST, walk->text.len, "the body ends inside a JSON value");
}

static bool innermost_is_object(const tg_walk *walk)
{
    uint32_t at = walk->depth - 1;
    return (walk->is_object[at / 64] >> at % 64 & 1) != 0;
}

/* The frame of the innermost container, NULL where PII stands neither in it nor below. */
static tg_walk_frame *innermost_frame(const tg_walk *walk)
{
    return walk->num_frames == walk->depth && walk->depth > 0 ? &walk->frames[walk->depth - 1] : NULL;
}

/* The member name between the quotes, without escapes. A lone surrogate becomes U+FFFD: names are only compared. */
static tg_result read_name(tg_walk *walk, size_t at, size_t len, bool has_escapes, tg_slice *out_name)
{
    tg_slice inside = tg_slice_of(walk->text.ptr + at, len);
    if (!has_escapes) {
        *out_name = inside;
        return tg_ok();
    }
    if (len > walk->names_cap) {
        size_t cap = tg_size_max(tg_size_max(len, walk->names_cap * 2), FIRST_NAME_BYTES);
        uint8_t *names = tg_arena_alloc(walk->arena, cap);
        if (names == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        walk->names = names;
        walk->names_cap = cap;
    }
    size_t name_len;
    TG_TRY(tg_json_unescape(inside, TG_LONE_REPLACED, walk->names, &name_len));
    *out_name = tg_slice_of(walk->names, name_len);
    return tg_ok();
}

void tg_walk_point(tg_walk *walk, tg_fault *fault)
{
    tg_pointer pointer = tg_pointer_init(fault);
    for (uint32_t i = 0; i < walk->num_frames; i++) {
        const tg_walk_frame *frame = &walk->frames[i];
        if ((walk->is_object[i / 64] >> i % 64 & 1) == 0) {
            tg_pointer_add_index(&pointer, frame->index);
            continue;
        }
        tg_slice raw = tg_slice_of(walk->text.ptr + frame->key_at, frame->key_len), name = raw;
        bool has_escapes = tg_slice_find(raw, '\\') < raw.len;
        if (!tg_is_ok(read_name(walk, frame->key_at, frame->key_len, has_escapes, &name))) {
            name = raw; /* without memory, as it is spelt */
        }
        tg_pointer_add_name(&pointer, name);
    }
}

static tg_result push_frame(tg_walk *walk, tg_pii_state state)
{
    if (walk->num_frames == walk->cap_frames) {
        uint32_t cap = walk->cap_frames > 0 ? walk->cap_frames * 2 : FIRST_FRAMES;
        tg_walk_frame *frames = tg_arena_alloc(walk->arena, cap * sizeof *frames);
        if (frames == NULL) {
            return refuse_memory(walk);
        }
        if (walk->num_frames > 0) {
            memcpy(frames, walk->frames, walk->num_frames * sizeof *frames);
        }
        walk->frames = frames;
        walk->cap_frames = cap;
    }
    walk->frames[walk->num_frames++] = (tg_walk_frame){.state = state};
    return tg_ok();
}

static tg_result add_span(tg_walk *walk, size_t at, size_t end, tg_span_kind kind)
{
    if (walk->locate_at != SIZE_MAX) {
        return tg_ok();
    }
    if (walk->num_spans == walk->max_spans) {
        return refuse_value(walk, TG_FAULT_PAYLOAD_TOO_LARGE, at, "the document has more PII fields than are allowed");
    }
    size_t place = walk->num_spans % TG_SPANS_PER_CHUNK;
    if (place == 0) {
        tg_span_chunk *chunk = tg_arena_alloc(walk->arena, sizeof *chunk);
        if (chunk == NULL) {
            return refuse_memory(walk);
        }
        chunk->next = NULL;
        *(walk->last_chunk != NULL ? &walk->last_chunk->next : &walk->first_chunk) = chunk;
        walk->last_chunk = chunk;
    }
    walk->last_chunk->spans[place] = (tg_span){(uint32_t)at, (uint32_t)(end - at), kind};
    walk->num_spans++;
    return tg_ok();
}

static tg_result end_scalar(tg_walk *walk, tg_span_kind kind)
{
    walk->expect = walk->depth > 0 ? EXPECT_NEXT : EXPECT_END;
    if (walk->state != TG_PII_NOWHERE &&
        (tg_pii_flags(walk->root->graph, walk->state) & (TG_PII_SEALED | TG_PII_SEALED_SCALAR)) != 0) {
        return add_span(walk, walk->token_at, walk->at, kind);
    }
    return tg_ok();
}

/* Decides what the container that begins at `offset` means to the schema; *out_state is what its members start from. */
static tg_result enter(tg_walk *walk, bool is_object, size_t offset, tg_pii_state *out_state)
{
    tg_pii_state state = walk->state;
    uint32_t flags = state != TG_PII_NOWHERE ? tg_pii_flags(walk->root->graph, state) : 0;
    if ((flags & TG_PII_SEALED) != 0) {
        walk->sealed_depth = walk->depth;
        walk->sealed_at = offset;
        *out_state = TG_PII_NOWHERE;
        return tg_ok();
    }
    if ((flags & (is_object ? TG_PII_NO_OBJECT : TG_PII_NO_ARRAY)) != 0) {
        return refuse_value(walk, TG_FAULT_SCHEMA_MISMATCH, offset,
                            is_object ? "the schema has no object here, and PII lies below"
                                      : "the schema has no array here, and PII lies below");
    }
    *out_state = state;
    return tg_ok();
}

static tg_result open_container(tg_walk *walk, bool is_object)
{
    size_t offset = walk->at;
    if (walk->depth == TG_MAX_JSON_DEPTH) {
        return refuse(walk, TG_FAULT_BAD_REQUEST, offset, "the body is nested more than 512 deep");
    }
    uint64_t bit = (uint64_t)1 << walk->depth % 64, *word = &walk->is_object[walk->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    walk->depth++;
    walk->at++;
    walk->expect = is_object ? EXPECT_FIRST_KEY : EXPECT_FIRST_ELEMENT;
    if (walk->depth == 1 && is_object && walk->wrapper == WRAPPER_OPEN) {
        walk->top_at = offset; /* entered once the first member is known */
        return push_frame(walk, TG_PII_NOWHERE);
    }
    tg_pii_state state;
    TG_TRY(enter(walk, is_object, offset, &state));
    return state != TG_PII_NOWHERE ? push_frame(walk, state) : tg_ok();
}

/* The top-level object is the value itself: what open_container left out. */
static tg_result decide_no_wrapper(tg_walk *walk)
{
    walk->wrapper = WRAPPER_ABSENT;
    walk->num_frames = 0; /* a fault here points at the document */
    tg_pii_state state;
    TG_TRY(enter(walk, true, walk->top_at, &state));
    walk->num_frames = 1;
    walk->frames[0].state = state;
    return tg_ok();
}

static tg_result close_container(tg_walk *walk)
{
    walk->at++;
    bool is_sealed = walk->sealed_depth == walk->depth;
    walk->depth--;
    walk->num_frames = walk->num_frames < walk->depth ? walk->num_frames : walk->depth;
    walk->expect = walk->depth > 0 ? EXPECT_NEXT : EXPECT_END;
    if (!is_sealed) {
        return tg_ok();
    }
    walk->sealed_depth = 0;
    return add_span(walk, walk->sealed_at, walk->at, TG_SPAN_CONTAINER);
}

static tg_result check_wrapper(tg_walk *walk, tg_slice name, bool *out_is_wrapped)
{
    bool is_payload = tg_slice_equal(name, TG_LIT("payload"));
    *out_is_wrapped = false;
    if (walk->wrapper == WRAPPER_OPEN) {
        if (!is_payload) {
            return decide_no_wrapper(walk);
        }
        walk->wrapper = WRAPPER_PRESENT;
        *out_is_wrapped = true;
        return tg_ok();
    }
    if (walk->wrapper == WRAPPER_PRESENT || is_payload) {
        return refuse_value(walk, TG_FAULT_BAD_REQUEST, walk->token_at, "a member stands beside the wrapper payload");
    }
    return tg_ok();
}

static tg_result match_key(tg_walk *walk, tg_walk_frame *frame)
{
    tg_slice name;
    frame->key_at = (uint32_t)(walk->token_at + 1);
    frame->key_len = (uint32_t)(walk->at - walk->token_at - 2);
    if (!tg_is_ok(read_name(walk, frame->key_at, frame->key_len, walk->has_escapes, &name))) {
        return refuse_memory(walk);
    }
    if (walk->depth == 1 && walk->wrapper != WRAPPER_NOT_LOOKED_FOR) {
        bool is_wrapped;
        TG_TRY(check_wrapper(walk, name, &is_wrapped));
        if (is_wrapped) {
            walk->state = walk->root->state;
            return tg_ok();
        }
    }
    walk->state = TG_PII_NOWHERE;
    if (frame->state == TG_PII_NOWHERE) {
        return tg_ok();
    }
    if (!tg_is_ok(tg_pii_member_next(walk->root->graph, frame->state, name, tg_pii_hash(name), &walk->state))) {
        return refuse_value(walk, TG_FAULT_BAD_REQUEST, walk->token_at,
                            "a member name takes too long to match against the schema's patterns");
    }
    uint32_t num_patterns = walk->root->graph->nodes[frame->state].num_patterns;
    walk->charge = num_patterns * (PATTERN_COST + name.len / NAME_COST_DIVISOR * name.len);
    return tg_ok();
}

static tg_result end_key(tg_walk *walk)
{
    tg_walk_frame *frame = innermost_frame(walk);
    walk->expect = EXPECT_COLON;
    if (frame == NULL) {
        walk->state = TG_PII_NOWHERE;
        return tg_ok();
    }
    return match_key(walk, frame);
}

static void begin_element(tg_walk *walk, bool is_first)
{
    tg_walk_frame *frame = innermost_frame(walk);
    walk->expect = EXPECT_VALUE;
    walk->state = TG_PII_NOWHERE;
    if (frame != NULL) {
        frame->index = is_first ? 0 : frame->index + 1;
        walk->state = tg_pii_element_next(walk->root->graph, frame->state, frame->index);
    }
}

static tg_result read_literal(tg_walk *walk, tg_slice literal)
{
    tg_slice rest = tg_slice_from(walk->text, walk->at);
    if (!tg_slice_starts(rest, literal)) {
        bool is_cut = tg_slice_starts(literal, rest);
        return is_cut ? refuse_end(walk) : refuse_byte(walk);
    }
    walk->token_at = walk->at;
    walk->at += literal.len;
    if (literal.ptr[0] == 'n') { /* null stays wherever it stands */
        walk->state = TG_PII_NOWHERE;
    }
    return end_scalar(walk, TG_SPAN_SCALAR);
}

static tg_result begin_value(tg_walk *walk, uint8_t c)
{
    switch (c) {
    case '"':
        walk->token_at = walk->at++;
        walk->has_escapes = false;
        walk->expect = IN_STRING;
        return tg_ok();
    case '{':
        return open_container(walk, true);
    case '[':
        return open_container(walk, false);
    case 't':
        return read_literal(walk, TG_LIT("true"));
    case 'f':
        return read_literal(walk, TG_LIT("false"));
    case 'n':
        return read_literal(walk, TG_LIT("null"));
    default: /* whatever is no number is refused at its first byte */
        walk->token_at = walk->at;
        walk->number_state = 0;
        walk->expect = IN_NUMBER;
        return tg_ok();
    }
}

static tg_result read_key_or_end(tg_walk *walk, uint8_t c)
{
    if (c == '"') {
        walk->token_at = walk->at++;
        walk->has_escapes = false;
        walk->expect = IN_KEY;
        return tg_ok();
    }
    if (c != '}' || walk->expect != EXPECT_FIRST_KEY) {
        return refuse_byte(walk);
    }
    if (walk->depth == 1 && walk->wrapper == WRAPPER_OPEN) {
        TG_TRY(decide_no_wrapper(walk));
    }
    return close_container(walk);
}

static tg_result read_next(tg_walk *walk, uint8_t c)
{
    bool is_object = innermost_is_object(walk);
    if (c == ',') {
        walk->at++;
        if (is_object) {
            walk->expect = EXPECT_KEY;
        } else {
            begin_element(walk, false);
        }
        return tg_ok();
    }
    return c == (is_object ? '}' : ']') ? close_container(walk) : refuse_byte(walk);
}

/* One byte between tokens, which is no white space. */
static tg_result read_structure(tg_walk *walk, uint8_t c)
{
    switch (walk->expect) {
    case EXPECT_VALUE:
        return begin_value(walk, c);
    case EXPECT_FIRST_ELEMENT:
        if (c == ']') {
            return close_container(walk);
        }
        begin_element(walk, true);
        return tg_ok(); /* the same byte again, as a value's first */
    case EXPECT_FIRST_KEY:
    case EXPECT_KEY:
        return read_key_or_end(walk, c);
    case EXPECT_COLON:
        if (c != ':') {
            return refuse_byte(walk);
        }
        walk->at++;
        walk->expect = EXPECT_VALUE;
        return tg_ok();
    case EXPECT_NEXT:
        return read_next(walk, c);
    default:
        return refuse(walk, TG_FAULT_BAD_REQUEST, walk->at, "more bytes follow the JSON value");
    }
}

/* The rest of a string, key or number, as far as the limit. */
static tg_result read_token(tg_walk *walk, size_t limit)
{
    tg_scan scan = walk->expect == IN_NUMBER ? tg_json_scan_number(walk->text, limit, &walk->at, &walk->number_state)
                                             : tg_json_scan_string(walk->text, limit, &walk->at, &walk->has_escapes);
    switch (scan) {
    case TG_SCAN_MORE:
        return tg_fail(TG_ERR_AGAIN);
    case TG_SCAN_BAD:
        return refuse_byte(walk);
    case TG_SCAN_ENDS:
        return refuse_end(walk);
    case TG_SCAN_DONE:
        break;
    }
    if (walk->expect == IN_KEY) {
        return end_key(walk);
    }
    return end_scalar(walk, walk->expect == IN_NUMBER ? TG_SPAN_SCALAR
                            : walk->has_escapes       ? TG_SPAN_ESCAPED
                                                      : TG_SPAN_STRING);
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
        if (walk->expect >= IN_KEY) {
            TG_TRY(read_token(walk, limit));
            limit = pay(walk, limit, &spare);
            continue;
        }
        walk->at = tg_json_skip_space(walk->text, walk->at, limit);
        if (walk->at >= limit) {
            break;
        }
        if (walk->at == walk->locate_at && walk->expect == EXPECT_VALUE) {
            return tg_ok();
        }
        TG_TRY(read_structure(walk, walk->text.ptr[walk->at]));
    }
    if (walk->at < walk->text.len) {
        return tg_fail(TG_ERR_AGAIN);
    }
    return walk->expect == EXPECT_END ? tg_ok() : refuse_end(walk);
}

bool tg_json_is_valid(tg_slice text)
{
    static const tg_pii_root nowhere = {.graph = NULL, .state = TG_PII_NOWHERE, .defines_payload = true};
    tg_walk walk;
    tg_walk_init(&walk, NULL, text, &nowhere, 0);
    return tg_is_ok(tg_walk_step(&walk, SIZE_MAX));
}
