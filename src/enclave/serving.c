#include "enclave/serving.h"

#include <stdlib.h>

/* The handles, counted apart: servings whose snapshots differ only in their schemas share them. */
typedef struct worker_keys {
    size_t num_refs;
    tg_field_keys *keys;
} worker_keys;

struct tg_serving {
    size_t num_refs;
    tg_snapshot *snapshot;
    worker_keys *keys;
};

static void unref_keys(worker_keys *keys)
{
    if (keys != NULL && --keys->num_refs == 0) {
        tg_field_keys_free(keys->keys);
        free(keys);
    }
}

static tg_result make_keys(const tg_key_ring *ring, worker_keys **out_keys)
{
    tg_field_key entries[TG_MAX_RING_KEYS];
    size_t num_keys = tg_key_ring_len(ring);
    for (size_t i = 0; i < num_keys; i++) {
        const tg_ring_entry *entry = tg_key_ring_at(ring, i);
        entries[i] = (tg_field_key){entry->id, entry->key, entry->state == TG_KEY_CURRENT};
    }
    worker_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    keys->num_refs = 1;
    tg_result made = tg_field_keys_new(entries, num_keys, &keys->keys);
    if (!tg_is_ok(made)) {
        free(keys);
        return made;
    }
    *out_keys = keys;
    return tg_ok();
}

static tg_result make_serving(tg_snapshot *snapshot, worker_keys *keys, tg_serving **out_serving)
{
    tg_serving *serving = calloc(1, sizeof *serving);
    if (serving == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *serving = (tg_serving){.num_refs = 1, .snapshot = tg_snapshot_ref(snapshot), .keys = keys};
    *out_serving = serving;
    return tg_ok();
}

tg_result tg_serving_new(tg_snapshot *snapshot, const tg_serving *previous, tg_serving **out_serving)
{
    const tg_key_ring *ring = tg_snapshot_ring(snapshot);
    worker_keys *keys = NULL;
    if (ring != NULL && previous != NULL && tg_snapshot_ring(previous->snapshot) == ring) {
        keys = previous->keys;
        keys->num_refs++;
    } else if (ring != NULL) {
        TG_TRY(make_keys(ring, &keys));
    }
    tg_result made = make_serving(snapshot, keys, out_serving);
    if (!tg_is_ok(made)) {
        unref_keys(keys);
    }
    return made;
}

tg_result tg_serving_new_without_keys(tg_snapshot *snapshot, tg_serving **out_serving)
{
    return make_serving(snapshot, NULL, out_serving);
}

tg_serving *tg_serving_ref(tg_serving *serving)
{
    serving->num_refs++;
    return serving;
}

void tg_serving_unref(tg_serving *serving)
{
    if (serving != NULL && --serving->num_refs == 0) {
        unref_keys(serving->keys);
        tg_snapshot_unref(serving->snapshot);
        free(serving);
    }
}

bool tg_serving_has_same_issuers(const tg_serving *a, const tg_serving *b)
{
    const tg_tls_context *tls_a = tg_snapshot_tls(a->snapshot), *tls_b = tg_snapshot_tls(b->snapshot);
    return tls_a == tls_b || tls_a == NULL || tls_b == NULL ||
           tg_slice_equal(tg_tls_context_issuers_sha256(tls_a), tg_tls_context_issuers_sha256(tls_b));
}

const tg_snapshot *tg_serving_snapshot(const tg_serving *serving)
{
    return serving->snapshot;
}

tg_field_keys *tg_serving_keys(const tg_serving *serving)
{
    return serving->keys != NULL ? serving->keys->keys : NULL;
}
