#include "fields/walk_meaning.h"

#include "base/num.h"
#include "fields/json_scan.h"
#include "fields/pointer.h"

enum { FIRST_FRAMES = 16, FIRST_NAME_BYTES = 64 };

/* What trying a name against a pattern takes, in bytes of scanning: its set-up, and at worst the square of the name. */
enum { PATTERN_COST = 256, NAME_COST_DIVISOR = 32 };

tg_result tg_walk_refuse(tg_walk *walk, tg_fault_kind kind, size_t offset, const char *message)
{
    walk->fault = (tg_fault){.kind = kind, .message = message, .offset = offset};
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result refuse_value(tg_walk *walk, tg_fault_kind kind, size_t offset, const char *message)
{
    tg_result refused = tg_walk_refuse(walk, kind, offset, message);
    tg_walk_point(walk, &walk->fault);
    return refused;
}

static tg_result refuse_memory(tg_walk *walk)
{
    return tg_walk_refuse(walk, TG_FAULT_SERVICE_UNAVAILABLE, walk->at, "no memory is left for this document");
}

tg_result tg_walk_refuse_byte(tg_walk *walk)
{
    return tg_walk_refuse(walk, TG_FAULT_BAD_REQUEST, walk->at, "the body is not valid JSON");
}

tg_result tg_walk_refuse_end(tg_walk *walk)
{
    return tg_walk_refuse(walk, TG_FAULT_BAD_REQUEST, walk->text.len, "the body ends inside a JSON value");
}

/* The frame of the innermost container, NULL where PII stands neither in it nor below. */
static tg_walk_frame *innermost_frame(const tg_walk *walk)
{
    return walk->num_frames == walk->depth && walk->depth > 0 ? &walk->frames[walk->depth - 1] : NULL;
}

/* A member name with its escapes taken off. A lone surrogate becomes U+FFFD: names are only compared. */
static tg_result unescape_name(tg_walk *walk, tg_slice inside, tg_slice *out_name)
{
    if (inside.len > walk->names_cap) {
        size_t cap = tg_size_max(tg_size_max(inside.len, walk->names_cap * 2), FIRST_NAME_BYTES);
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
        if (has_escapes && !tg_is_ok(unescape_name(walk, raw, &name))) {
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

/* Makes the next chunk of spans the last one: one that an earlier text has left, or a new one. */
static bool begin_chunk(tg_walk *walk)
{
    tg_span_chunk **link = walk->last_chunk != NULL ? &walk->last_chunk->next : &walk->first_chunk;
    if (*link == NULL) {
        tg_span_chunk *chunk = tg_arena_alloc(walk->arena, sizeof *chunk);
        if (chunk == NULL) {
            return false;
        }
        chunk->next = NULL;
        *link = chunk;
    }
    walk->last_chunk = *link;
    return true;
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
    if (place == 0 && !begin_chunk(walk)) {
        return refuse_memory(walk);
    }
    walk->last_chunk->spans[place] = (tg_span){(uint32_t)at, (uint32_t)(end - at), kind};
    walk->num_spans++;
    return tg_ok();
}

tg_result tg_walk_end_scalar(tg_walk *walk, tg_span_kind kind)
{
    walk->expect = walk->depth > 0 ? TG_EXPECT_NEXT : TG_EXPECT_END;
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

tg_result tg_walk_open(tg_walk *walk, bool is_object)
{
    size_t offset = walk->at;
    if (walk->depth == TG_MAX_JSON_DEPTH) {
        return tg_walk_refuse(walk, TG_FAULT_BAD_REQUEST, offset, "the body is nested more than 512 deep");
    }
    uint64_t bit = (uint64_t)1 << walk->depth % 64, *word = &walk->is_object[walk->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    walk->depth++;
    walk->at++;
    walk->expect = is_object ? TG_EXPECT_FIRST_KEY : TG_EXPECT_FIRST_ELEMENT;
    if (walk->depth == 1 && is_object && walk->wrapper == TG_WRAPPER_OPEN) {
        walk->top_at = offset; /* entered once the first member is known */
        return push_frame(walk, TG_PII_NOWHERE);
    }
    tg_pii_state state;
    TG_TRY(enter(walk, is_object, offset, &state));
    return state != TG_PII_NOWHERE ? push_frame(walk, state) : tg_ok();
}

/* The top-level object is the value itself: what open_container left out. */
tg_result tg_walk_decide_no_wrapper(tg_walk *walk)
{
    walk->wrapper = TG_WRAPPER_ABSENT;
    walk->num_frames = 0; /* a fault here points at the document */
    tg_pii_state state;
    TG_TRY(enter(walk, true, walk->top_at, &state));
    walk->num_frames = 1;
    walk->frames[0].state = state;
    return tg_ok();
}

tg_result tg_walk_close(tg_walk *walk)
{
    walk->at++;
    bool is_sealed = walk->sealed_depth == walk->depth;
    walk->depth--;
    walk->num_frames = walk->num_frames < walk->depth ? walk->num_frames : walk->depth;
    walk->expect = walk->depth > 0 ? TG_EXPECT_NEXT : TG_EXPECT_END;
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
    if (walk->wrapper == TG_WRAPPER_OPEN) {
        if (!is_payload) {
            return tg_walk_decide_no_wrapper(walk);
        }
        walk->wrapper = TG_WRAPPER_PRESENT;
        *out_is_wrapped = true;
        return tg_ok();
    }
    if (walk->wrapper == TG_WRAPPER_PRESENT || is_payload) {
        return refuse_value(walk, TG_FAULT_BAD_REQUEST, walk->token_at, "a member stands beside the wrapper payload");
    }
    return tg_ok();
}

static tg_result match_key(tg_walk *walk, tg_walk_frame *frame)
{
    size_t at = walk->token_at + 1, len = walk->at - at - 1;
    tg_slice name = tg_slice_of(walk->text.ptr + at, len);
    frame->key_at = (uint32_t)at;
    frame->key_len = (uint32_t)len;
    if (walk->has_escapes) {
        tg_slice unescaped;
        if (!tg_is_ok(unescape_name(walk, name, &unescaped))) {
            return refuse_memory(walk);
        }
        name = unescaped; /* in two steps: the plain way keeps it in registers */
    }
    if (walk->depth == 1 && walk->wrapper != TG_WRAPPER_NOT_LOOKED_FOR) {
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

tg_result tg_walk_end_key(tg_walk *walk)
{
    tg_walk_frame *frame = innermost_frame(walk);
    walk->expect = TG_EXPECT_COLON;
    if (frame == NULL) {
        walk->state = TG_PII_NOWHERE;
        return tg_ok();
    }
    return match_key(walk, frame);
}

void tg_walk_begin_element(tg_walk *walk, bool is_first)
{
    tg_walk_frame *frame = innermost_frame(walk);
    walk->expect = TG_EXPECT_VALUE;
    walk->state = TG_PII_NOWHERE;
    if (frame != NULL) {
        frame->index = is_first ? 0 : frame->index + 1;
        walk->state = tg_pii_element_next(walk->root->graph, frame->state, frame->index);
    }
}
