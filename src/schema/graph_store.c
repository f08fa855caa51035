/* The arrays of a finished graph, and how a member table is filled. */
#include "schema/graph_store.h"

#include "schema/pattern.h"
#include "schema/vector.h"

#include <stdlib.h>

void tg_pii_store_done(tg_pii_store *store)
{
    for (size_t i = 0; i < store->num_owned; i++) {
        tg_pii_pattern_free(store->owned_patterns[i]);
    }
    free(store->owned_patterns);
    free(store->patterns);
    free(store->nodes);
    free(store->members);
    free(store->keys);
    free(store->states);
    *store = (tg_pii_store){0};
}

tg_result tg_pii_store_add_node(tg_pii_store *store, tg_pii_node node)
{
    TG_TRY(tg_vector_grow(&store->nodes, &store->nodes_cap, store->num_nodes + 1, sizeof *store->nodes,
                          TG_MAX_PII_STATES));
    store->nodes[store->num_nodes++] = node;
    return tg_ok();
}

tg_result tg_pii_store_add_states(tg_pii_store *store, const tg_pii_state *states, size_t num, uint32_t *out_first)
{
    TG_TRY(tg_vector_grow(&store->states, &store->states_cap, store->num_states + num, sizeof *store->states,
                          TG_MAX_PII_ENTRIES));
    if (num > 0) {
        memcpy(store->states + store->num_states, states, num * sizeof *states);
    }
    *out_first = (uint32_t)store->num_states;
    store->num_states += num;
    return tg_ok();
}

tg_result tg_pii_store_add_key(tg_pii_store *store, tg_slice name, uint32_t *out_offset)
{
    TG_TRY(tg_vector_grow(&store->keys, &store->keys_cap, store->keys_len + name.len + 1, 1, (size_t)256 << 20));
    if (name.len > 0) {
        memcpy(store->keys + store->keys_len, name.ptr, name.len);
    }
    *out_offset = (uint32_t)store->keys_len;
    store->keys_len += name.len;
    return tg_ok();
}

tg_result tg_pii_store_add_members(tg_pii_store *store, const tg_pii_member *members, uint32_t num, tg_pii_node *node)
{
    node->num_members = num;
    node->first_member = (uint32_t)store->num_members;
    if (num == 0) {
        return tg_ok();
    }
    size_t num_slots = 2;
    while (num_slots < (size_t)num * 2) {
        num_slots *= 2;
    }
    TG_TRY(tg_vector_grow(&store->members, &store->members_cap, store->num_members + num_slots, sizeof *store->members,
                          TG_MAX_PII_ENTRIES));
    tg_pii_member *table = store->members + store->num_members;
    for (size_t i = 0; i < num_slots; i++) {
        table[i] = (tg_pii_member){.key_len = UINT32_MAX};
    }
    uint32_t mask = (uint32_t)(num_slots - 1);
    for (uint32_t i = 0; i < num; i++) {
        uint32_t at = members[i].hash & mask;
        for (size_t probes = 0; table[at].key_len != UINT32_MAX; at = (at + 1) & mask) {
            if (++probes > TG_MAX_PII_PROBES) {
                return tg_fail(TG_ERR_LIMIT);
            }
        }
        table[at] = members[i];
    }
    node->member_mask = mask;
    store->num_members += num_slots;
    return tg_ok();
}

static void shrink(void *array, size_t count, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *smaller = count > 0 ? realloc(old, count * size) : NULL;
    if (smaller != NULL) {
        memcpy(array, &smaller, sizeof smaller);
    }
}

void tg_pii_store_finish(tg_pii_store *store)
{
    shrink(&store->nodes, store->num_nodes, sizeof *store->nodes);
    shrink(&store->members, store->num_members, sizeof *store->members);
    shrink(&store->keys, store->keys_len > 0 ? store->keys_len : store->keys_cap, 1);
    shrink(&store->states, store->num_states, sizeof *store->states);
    store->graph = (tg_pii_graph){.nodes = store->nodes,
                                  .members = store->members,
                                  .keys = store->keys,
                                  .states = store->states,
                                  .patterns = store->patterns,
                                  .num_nodes = (uint32_t)store->num_nodes};
}
