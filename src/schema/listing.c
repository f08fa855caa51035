#include "schema/listing.h"

#include "base/num.h"
#include "schema/graph_compare.h"
#include "schema/graph_sets.h"
#include "schema/listing_facts.h"
#include "schema/vector.h"

#include <stdlib.h>

/* One path on its way to be unfolded: the schemas that speak of it. Equal sets of schemas unfold alike. */
typedef struct position {
    tg_slice path;
    const tg_net_id *ids; /* ordered, each once */
    size_t num_ids;
    tg_net_id first; /* the schema that stands there, before references were seen through */
    uint32_t above;  /* the position that it was found in; UINT32_MAX at the root */
    bool is_live;
} position;

typedef enum step_kind { STEP_NAME, STEP_PATTERN, STEP_INDEX, STEP_ANY } step_kind;

typedef struct labelled {
    step_kind kind;
    uint32_t label;
    tg_net_id target;
} labelled;

typedef struct unfold_state {
    tg_listing *listing;
    tg_net *net;
    tg_arena scratch;
    tg_graph_sets sets;
    position *queue;
    size_t num_queued, queue_cap;
    labelled *steps; /* of the position that is being unfolded */
    size_t num_steps, steps_cap;
    tg_net_id *targets;
    size_t targets_cap;
    tg_name_index first_of; /* a set's ids as bytes, to the first position that has it */
} unfold_state;

void tg_listing_done(tg_listing *listing)
{
    free(listing->paths);
    tg_arena_done(&listing->arena);
    *listing = (tg_listing){0};
}

/* What a schema that only refers to another stands for. */
static tg_net_id see_through(const tg_net *net, tg_net_id id)
{
    for (size_t i = 0; i < TG_MAX_REF_CHAIN; i++) {
        const tg_net_node *node = &net->nodes[id];
        bool is_only_ref = node->ref != TG_NET_NONE && !node->is_marked && node->own_types == TG_TYPE_ANY &&
                           net->links[node->first_link].next == UINT32_MAX && node->num_properties == 0 &&
                           node->num_patterns == 0 && node->num_prefix == 0 && node->additional == TG_NET_NONE &&
                           node->unevaluated == TG_NET_NONE && node->items == TG_NET_NONE &&
                           node->contains == TG_NET_NONE && node->unevaluated_items == TG_NET_NONE;
        if (!is_only_ref) {
            break;
        }
        id = node->ref;
    }
    return id;
}

static int compare_ids(const void *a, const void *b)
{
    tg_net_id left = *(const tg_net_id *)a;
    tg_net_id right = *(const tg_net_id *)b;
    return left < right ? -1 : left > right;
}

static tg_slice bytes_of(const position *at)
{
    return tg_slice_of(at->ids, at->num_ids * sizeof *at->ids);
}

static tg_result take_ids(unfold_state *unfolding, const tg_net_id *ids, size_t num, position *out)
{
    tg_net_id *own = tg_arena_alloc(&unfolding->scratch, num * sizeof *own);
    if (own == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    bool is_live = false;
    for (size_t i = 0; i < num; i++) {
        own[i] = see_through(unfolding->net, ids[i]);
        is_live = is_live || unfolding->net->nodes[own[i]].is_live;
    }
    if (num > 1) {
        qsort(own, num, sizeof *own, compare_ids);
    }
    size_t kept = 0;
    for (size_t i = 0; i < num; i++) {
        if (kept == 0 || own[i] != own[kept - 1]) {
            own[kept++] = own[i];
        }
    }
    out->first = num > 0 ? ids[0] : (tg_net_id)TG_NET_ANY;
    out->ids = own;
    out->num_ids = kept;
    out->is_live = is_live;
    return tg_net_spend(unfolding->net, num + 1);
}

static tg_result add_path(unfold_state *unfolding, tg_pii_path path)
{
    tg_listing *listing = unfolding->listing;
    if (listing->num_paths == TG_MAX_PII_PATHS) {
        listing->is_cut = true;
        return tg_ok();
    }
    TG_TRY(tg_vector_grow(&listing->paths, &listing->paths_cap, listing->num_paths + 1, sizeof *listing->paths,
                          TG_MAX_PII_PATHS));
    listing->paths[listing->num_paths++] = path;
    return tg_ok();
}

/* The position that unfolds as this one does: one above it (a cycle); once enough has been written, any; and what has
 * no PII is written out once only. */
static const position *find_same(const unfold_state *unfolding, const position *at)
{
    for (uint32_t up = at->above; up != UINT32_MAX; up = unfolding->queue[up].above) {
        if (tg_slice_equal(bytes_of(at), bytes_of(&unfolding->queue[up]))) {
            return &unfolding->queue[up];
        }
    }
    if (at->is_live && unfolding->listing->num_paths < TG_LISTING_UNFOLDED) {
        return NULL;
    }
    uint32_t first = tg_name_index_get(&unfolding->first_of, 0, bytes_of(at));
    return first != TG_NAME_NONE ? &unfolding->queue[first] : NULL;
}

static tg_result enqueue(unfold_state *unfolding, position at)
{
    TG_TRY(tg_vector_grow(&unfolding->queue, &unfolding->queue_cap, unfolding->num_queued + 1, sizeof *unfolding->queue,
                          TG_MAX_NET_NODES));
    uint32_t index = (uint32_t)unfolding->num_queued++;
    unfolding->queue[index] = at;
    tg_result result = tg_name_index_put(&unfolding->first_of, 0, bytes_of(&at), index);
    return result.code == TG_ERR_EXISTS ? tg_ok() : result;
}

static tg_result add_step(unfold_state *unfolding, step_kind kind, uint32_t label, tg_net_id target)
{
    if (target == TG_NET_NONE) {
        return tg_ok();
    }
    TG_TRY(tg_vector_grow(&unfolding->steps, &unfolding->steps_cap, unfolding->num_steps + 1, sizeof *unfolding->steps,
                          TG_MAX_NET_STEPS));
    unfolding->steps[unfolding->num_steps++] = (labelled){kind, label, target};
    return tg_ok();
}

static tg_result gather_steps(unfold_state *unfolding, const tg_net_node *node)
{
    const tg_net *net = unfolding->net;
    for (uint32_t i = 0; i < node->num_properties; i++) {
        const tg_net_step *step = &net->steps[node->first_property + i];
        TG_TRY(add_step(unfolding, STEP_NAME, step->label, step->target));
    }
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        const tg_net_step *step = &net->steps[node->first_pattern + i];
        TG_TRY(add_step(unfolding, STEP_PATTERN, step->label, step->target));
    }
    for (uint32_t i = 0; i < node->num_prefix; i++) {
        const tg_net_step *step = &net->steps[node->first_prefix + i];
        TG_TRY(add_step(unfolding, STEP_INDEX, step->label, step->target));
    }
    const tg_net_id others[] = {node->additional, node->unevaluated, node->items, node->contains,
                                node->unevaluated_items};
    for (size_t i = 0; i < TG_COUNT(others); i++) {
        TG_TRY(add_step(unfolding, STEP_ANY, 0, others[i]));
    }
    return tg_ok();
}

static tg_result make_path(unfold_state *unfolding, tg_slice above, const labelled *step, tg_slice *out_path)
{
    tg_buf buf;
    tg_buf_init(&buf, TG_MAX_LISTED_PATH_BYTES);
    tg_result result = tg_buf_append(&buf, above);
    const tg_net *net = unfolding->net;
    if (tg_is_ok(result) && step->kind == STEP_NAME) {
        result = tg_pii_append_name(net->names[step->label], &buf);
    } else if (tg_is_ok(result) && step->kind == STEP_PATTERN) {
        tg_slice pattern = net->patterns[step->label];
        result = tg_buf_printf(&buf, "/{%.*s}", (int)tg_size_min(pattern.len, 256), (const char *)pattern.ptr);
    } else if (tg_is_ok(result) && step->kind == STEP_INDEX) {
        result = tg_buf_printf(&buf, "/%u", step->label);
    } else if (tg_is_ok(result)) {
        result = tg_buf_append_str(&buf, "/*");
    }
    if (tg_is_ok(result)) {
        result = tg_arena_copy(&unfolding->listing->arena, tg_buf_slice(&buf), out_path);
    }
    tg_buf_done(&buf);
    return result;
}

static bool is_sealed(const tg_net *net, const position *at)
{
    for (size_t i = 0; i < at->num_ids; i++) {
        if (net->nodes[at->ids[i]].is_sealed) {
            return true;
        }
    }
    return false;
}

/* Writes a position down, or puts it into the queue to be unfolded. */
static tg_result settle(unfold_state *unfolding, position at, const labelled *step)
{
    tg_net *net = unfolding->net;
    tg_pii_path path = {.path = at.path, .max_length = UINT64_MAX};
    if (step != NULL && step->kind == STEP_NAME) {
        TG_TRY(tg_arena_copy(&unfolding->listing->arena, net->names[step->label], &path.name));
    }
    const position *same = NULL;
    path.kind = is_sealed(net, &at) ? TG_PII_PATH_SEALED : TG_PII_PATH_AS;
    if (path.kind == TG_PII_PATH_AS) {
        same = find_same(unfolding, &at);
        path.kind = at.is_live ? TG_PII_PATH_AS : TG_PII_PATH_PLAIN;
        path.same_as = same != NULL && at.is_live ? same->path : tg_slice_of(NULL, 0);
    }
    bool is_written = path.kind == TG_PII_PATH_SEALED || (path.kind == TG_PII_PATH_AS && same != NULL) ||
                      (path.kind == TG_PII_PATH_PLAIN && path.name.len > 0);
    if (is_written) {
        TG_TRY(tg_graph_sets_close(&unfolding->sets, at.ids, at.num_ids, false));
        TG_TRY(tg_listing_add_facts(&unfolding->listing->arena, net, &unfolding->sets, at.ids, at.num_ids, at.first,
                                    &path));
        TG_TRY(add_path(unfolding, path));
    }
    bool is_done = path.kind == TG_PII_PATH_SEALED || same != NULL || unfolding->listing->is_cut;
    return is_done ? tg_ok() : enqueue(unfolding, at);
}

static int compare_steps(const void *a, const void *b)
{
    const labelled *left = a;
    const labelled *right = b;
    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return left->label < right->label ? -1 : left->label > right->label;
}

static tg_result unfold(unfold_state *unfolding, uint32_t index)
{
    TG_TRY(tg_graph_sets_close(&unfolding->sets, unfolding->queue[index].ids, unfolding->queue[index].num_ids, false));
    unfolding->num_steps = 0;
    for (size_t i = 0; i < unfolding->sets.num_closure; i++) {
        TG_TRY(gather_steps(unfolding, &unfolding->net->nodes[unfolding->sets.closure[i]]));
    }
    if (unfolding->num_steps > 1) {
        qsort(unfolding->steps, unfolding->num_steps, sizeof *unfolding->steps, compare_steps);
    }
    for (size_t i = 0; i < unfolding->num_steps && !unfolding->listing->is_cut;) {
        const labelled step = unfolding->steps[i];
        size_t num = 0;
        for (; i < unfolding->num_steps && compare_steps(&step, &unfolding->steps[i]) == 0; i++) {
            TG_TRY(tg_net_push(&unfolding->targets, &num, &unfolding->targets_cap, unfolding->steps[i].target));
        }
        position below = {.above = index};
        tg_result result = make_path(unfolding, unfolding->queue[index].path, &step, &below.path);
        if (result.code == TG_ERR_LIMIT) {
            unfolding->listing->is_cut = true;
            return tg_ok();
        }
        TG_TRY(result);
        TG_TRY(take_ids(unfolding, unfolding->targets, num, &below));
        TG_TRY(settle(unfolding, below, &step));
    }
    return tg_ok();
}

static tg_result list_all(unfold_state *unfolding)
{
    TG_TRY(tg_graph_sets_init(&unfolding->sets, unfolding->net));
    position root = {.above = UINT32_MAX};
    const tg_net *net = unfolding->net;
    for (unsigned pass = 0; pass < 2; pass++) { /* marks of scalars seal only such values at a root; then the others */
        size_t num = 0;
        for (size_t i = 0; i < net->num_roots; i++) {
            if (tg_net_is_scalar_mark(net, net->roots[i]) == (pass == 0)) {
                TG_TRY(tg_net_push(&unfolding->targets, &num, &unfolding->targets_cap, net->roots[i]));
            }
        }
        if (num > 0) {
            TG_TRY(take_ids(unfolding, unfolding->targets, num, &root));
            TG_TRY(settle(unfolding, root, NULL));
        }
    }
    for (uint32_t i = 0; i < unfolding->num_queued; i++) {
        TG_TRY(unfold(unfolding, i));
    }
    return tg_ok();
}

tg_result tg_listing_build(tg_listing *listing, tg_net *net)
{
    *listing = (tg_listing){0};
    tg_arena_init(&listing->arena, (size_t)256 << 20, false);
    unfold_state unfolding = {.listing = listing, .net = net};
    tg_arena_init(&unfolding.scratch, (size_t)512 << 20, false);
    tg_name_index_init(&unfolding.first_of);
    tg_result result = list_all(&unfolding);
    tg_graph_sets_done(&unfolding.sets);
    tg_name_index_done(&unfolding.first_of);
    tg_arena_done(&unfolding.scratch);
    free(unfolding.queue);
    free(unfolding.steps);
    free(unfolding.targets);
    return result;
}
