#include "schema/graph_compare.h"

#include "schema/graph_store.h"
#include "schema/name_index.h"
#include "schema/pattern.h"
#include "schema/vector.h"

#include <stdlib.h>

tg_result tg_compare_init(tg_compare *compare, const tg_pii_graph *sealing, const tg_pii_graph *other,
                          size_t max_losses)
{
    *compare = (tg_compare){.sealing = sealing, .other = other, .max_losses = max_losses, .num_slots = 1024};
    compare->slots = calloc(compare->num_slots, sizeof *compare->slots);
    return compare->slots != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

void tg_compare_done(tg_compare *compare)
{
    free(compare->pairs);
    free(compare->slots);
    free(compare->losses);
    *compare = (tg_compare){0};
}

static size_t find_slot(const tg_compare *compare, tg_pii_state sealing, tg_pii_state other)
{
    const tg_pii_state states[] = {sealing, other};
    size_t at = (size_t)tg_hash_bytes(0, tg_slice_of(states, sizeof states)) & (compare->num_slots - 1);
    for (; compare->slots[at] != 0; at = (at + 1) & (compare->num_slots - 1)) {
        const tg_compare_pair *pair = &compare->pairs[compare->slots[at] - 1];
        if (pair->sealing == sealing && pair->other == other) {
            break;
        }
    }
    return at;
}

static tg_result widen(tg_compare *compare)
{
    size_t num_slots = compare->num_slots * 2;
    uint32_t *slots = calloc(num_slots, sizeof *slots);
    if (slots == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    free(compare->slots);
    compare->slots = slots;
    compare->num_slots = num_slots;
    for (size_t i = 0; i < compare->num_pairs; i++) {
        compare->slots[find_slot(compare, compare->pairs[i].sealing, compare->pairs[i].other)] = (uint32_t)i + 1;
    }
    return tg_ok();
}

static tg_result add_pair(tg_compare *compare, tg_compare_pair pair)
{
    if (compare->num_pairs == TG_MAX_COMPARE_PAIRS) {
        compare->is_cut = true;
        return tg_ok();
    }
    if ((compare->num_pairs + 1) * 2 > compare->num_slots) {
        TG_TRY(widen(compare));
    }
    size_t at = find_slot(compare, pair.sealing, pair.other);
    if (compare->slots[at] != 0) {
        return tg_ok();
    }
    TG_TRY(tg_vector_grow(&compare->pairs, &compare->pairs_cap, compare->num_pairs + 1, sizeof *compare->pairs,
                          TG_MAX_COMPARE_PAIRS));
    compare->pairs[compare->num_pairs++] = pair;
    compare->slots[at] = (uint32_t)compare->num_pairs;
    return tg_ok();
}

/* Judges one position: a loss, nothing to do, or a pair to be walked. */
static tg_result meet(tg_compare *compare, tg_compare_pair pair)
{
    compare->work++;
    if (pair.sealing == TG_PII_NOWHERE || (tg_pii_flags(compare->other, pair.other) & TG_PII_SEALED) != 0) {
        return tg_ok();
    }
    uint32_t sealing = tg_pii_flags(compare->sealing, pair.sealing);
    if ((sealing & TG_PII_SEALED) == 0) {
        TG_TRY(add_pair(compare, pair));
        bool is_lost = (sealing & TG_PII_SEALED_SCALAR) != 0 &&
                       (tg_pii_flags(compare->other, pair.other) & TG_PII_SEALED_SCALAR) == 0;
        if (!is_lost) {
            return tg_ok();
        }
    }
    if (compare->num_losses == compare->max_losses) {
        compare->is_cut = true;
        return tg_ok();
    }
    TG_TRY(tg_vector_grow(&compare->losses, &compare->losses_cap, compare->num_losses + 1, sizeof *compare->losses,
                          compare->max_losses));
    compare->losses[compare->num_losses++] = pair;
    return tg_ok();
}

static tg_result meet_name(tg_compare *compare, uint32_t parent, tg_slice name)
{
    uint32_t hash = tg_pii_hash(name);
    tg_compare_pair above = compare->pairs[parent];
    tg_compare_pair pair = {.parent = parent, .step = {.kind = TG_STEP_NAME, .text = name}};
    tg_result result = tg_pii_member_next(compare->sealing, above.sealing, name, hash, &pair.sealing);
    if (tg_is_ok(result)) {
        result = tg_pii_member_next(compare->other, above.other, name, hash, &pair.other);
    }
    if (result.code == TG_ERR_LIMIT || result.code == TG_ERR_SYNTAX) { /* a pattern gave up: nothing is proved */
        compare->is_cut = true;
        return tg_ok();
    }
    TG_TRY(result);
    return meet(compare, pair);
}

static tg_result meet_names(tg_compare *compare, uint32_t parent, const tg_pii_graph *graph, tg_pii_state state)
{
    const tg_pii_node *node = &graph->nodes[state];
    for (uint32_t i = 0; node->num_members > 0 && i <= node->member_mask; i++) {
        const tg_pii_member *member = &graph->members[node->first_member + i];
        if (member->key_len != UINT32_MAX) {
            TG_TRY(meet_name(compare, parent, tg_slice_of(graph->keys + member->key_offset, member->key_len)));
        }
    }
    return tg_ok();
}

/* Patterns of both nodes, those of one text once; *_bits give each node's own numbering. */
typedef struct pattern_union {
    tg_slice texts[16];
    uint32_t num;
    uint32_t sealing_bit[8];
    uint32_t other_bit[8];
} pattern_union;

static void join_patterns(pattern_union *all, const tg_pii_graph *graph, const tg_pii_node *node, uint32_t *bits)
{
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        tg_slice text = tg_pii_pattern_text(graph->patterns[node->first_pattern + i]);
        uint32_t bit = 0;
        while (bit < all->num && !tg_slice_equal(all->texts[bit], text)) {
            bit++;
        }
        if (bit == all->num) {
            all->texts[all->num++] = text;
        }
        bits[i] = bit;
    }
}

static tg_pii_state unlisted_state(const tg_pii_graph *graph, const tg_pii_node *node, const uint32_t *bits,
                                   uint32_t matching)
{
    if (node->num_patterns == 0) {
        return node->other;
    }
    uint32_t own = 0;
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        own |= (matching >> bits[i] & 1u) << i;
    }
    return graph->states[node->first_combined + own];
}

/* Names that neither lists, by every combination of patterns that they might match. Some combinations match no name
 * at all; they can only make a loss out of none, and then the old graph stays. */
static tg_result meet_unlisted(tg_compare *compare, uint32_t parent)
{
    const tg_pii_node *sealing = &compare->sealing->nodes[compare->pairs[parent].sealing];
    const tg_pii_node *other = &compare->other->nodes[compare->pairs[parent].other];
    pattern_union all = {.num = 0};
    join_patterns(&all, compare->sealing, sealing, all.sealing_bit);
    join_patterns(&all, compare->other, other, all.other_bit);
    for (uint32_t matching = 0; matching < 1u << all.num; matching++) {
        tg_compare_pair pair = {.sealing = unlisted_state(compare->sealing, sealing, all.sealing_bit, matching),
                                .other = unlisted_state(compare->other, other, all.other_bit, matching),
                                .parent = parent,
                                .step = {.kind = TG_STEP_UNLISTED}};
        if (matching != 0) {
            pair.step.kind = TG_STEP_PATTERN;
            pair.step.text = all.texts[__builtin_ctz(matching)];
        }
        TG_TRY(meet(compare, pair));
    }
    return tg_ok();
}

static tg_result meet_elements(tg_compare *compare, uint32_t parent)
{
    tg_pii_state sealing = compare->pairs[parent].sealing;
    tg_pii_state other = compare->pairs[parent].other;
    uint32_t num = compare->sealing->nodes[sealing].num_prefix;
    num = compare->other->nodes[other].num_prefix > num ? compare->other->nodes[other].num_prefix : num;
    for (uint32_t i = 0; i <= num; i++) { /* `num` stands for all behind */
        TG_TRY(meet(compare, (tg_compare_pair){.sealing = tg_pii_element_next(compare->sealing, sealing, i),
                                               .other = tg_pii_element_next(compare->other, other, i),
                                               .parent = parent,
                                               .step = {.kind = i < num ? TG_STEP_INDEX : TG_STEP_REST, .index = i}}));
    }
    return tg_ok();
}

static tg_result walk(tg_compare *compare)
{
    for (; compare->num_walked < compare->num_pairs; compare->num_walked++) {
        if (compare->work > TG_MAX_COMPARE_WORK || (compare->is_cut && compare->max_losses == 1)) {
            compare->is_cut = true;
            return tg_ok();
        }
        uint32_t at = (uint32_t)compare->num_walked;
        tg_compare_pair pair = compare->pairs[at];
        TG_TRY(meet_names(compare, at, compare->sealing, pair.sealing));
        TG_TRY(meet_names(compare, at, compare->other, pair.other));
        TG_TRY(meet_unlisted(compare, at));
        TG_TRY(meet_elements(compare, at));
    }
    return tg_ok();
}

tg_result tg_compare_roots(tg_compare *compare, tg_pii_root sealing, tg_pii_root other)
{
    tg_compare_pair pair = {.sealing = sealing.state, .other = other.state, .parent = UINT32_MAX};
    TG_TRY(meet(compare, pair));
    if (!sealing.defines_payload && other.defines_payload) {
        /* {"payload": X} was a wrapper around what the root speaks of; it would be one member of it. */
        tg_slice name = TG_LIT("payload");
        tg_result result = tg_pii_member_next(compare->other, other.state, name, tg_pii_hash(name), &pair.other);
        if (tg_is_ok(result)) {
            pair.step = (tg_compare_step){.kind = TG_STEP_NAME, .text = name};
            TG_TRY(meet(compare, pair));
        } else {
            compare->is_cut = true;
        }
    }
    return walk(compare);
}

tg_result tg_pii_append_name(tg_slice name, tg_buf *buf)
{
    TG_TRY(tg_buf_append_byte(buf, '/'));
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~' || name.ptr[i] == '/') {
            TG_TRY(tg_buf_append_str(buf, name.ptr[i] == '~' ? "~0" : "~1"));
        } else {
            TG_TRY(tg_buf_append_byte(buf, name.ptr[i]));
        }
    }
    return tg_ok();
}

static tg_result append_step(const tg_compare_step *step, tg_buf *buf)
{
    switch (step->kind) {
    case TG_STEP_ROOT:
        return tg_ok();
    case TG_STEP_NAME:
        return tg_pii_append_name(step->text, buf);
    case TG_STEP_UNLISTED:
    case TG_STEP_REST:
        return tg_buf_append_str(buf, "/*");
    case TG_STEP_PATTERN:
        TG_TRY(tg_buf_append_str(buf, "/{"));
        TG_TRY(tg_buf_append(buf, step->text));
        return tg_buf_append_byte(buf, '}');
    case TG_STEP_INDEX:
        TG_TRY(tg_buf_append_byte(buf, '/'));
        return tg_buf_append_u64(buf, step->index);
    }
    return tg_ok();
}

tg_result tg_compare_append_path(const tg_compare *compare, const tg_compare_pair *loss, tg_buf *buf)
{
    size_t depth = 0;
    for (uint32_t at = loss->parent; at != UINT32_MAX; at = compare->pairs[at].parent) {
        depth++;
    }
    const tg_compare_pair **path = calloc(depth + 1, sizeof(const tg_compare_pair *));
    if (path == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    path[depth] = loss;
    for (size_t i = depth; i > 0; i--) {
        path[i - 1] = &compare->pairs[path[i]->parent];
    }
    tg_result result = tg_ok();
    for (size_t i = 0; i <= depth && tg_is_ok(result); i++) {
        result = append_step(&path[i]->step, buf);
    }
    free(path);
    return result;
}
