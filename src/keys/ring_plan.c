#include "keys/ring_plan.h"

#include <stdio.h>

typedef struct tg_remembered_key remembered;

/* What a plan is made of: entries whose keys are copies, freed unless the ring took them. */
typedef struct plan {
    tg_ring_entry entries[TG_MAX_RING_KEYS];
    uint8_t fingerprints[TG_MAX_RING_KEYS][TG_KEY_FINGERPRINT_BYTES];
    char kept_ids[TG_MAX_RING_KEYS][2 * TG_KEY_FINGERPRINT_BYTES + 8];
    size_t num_entries;
    size_t current;
} plan;

static void plan_done(plan *self)
{
    for (size_t i = 0; i < self->num_entries; i++) {
        tg_secret_free(self->entries[i].key);
    }
}

static remembered *recall(tg_ring_memory *memory, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES])
{
    for (size_t i = 0; i < memory->num_keys; i++) {
        if (memcmp(memory->keys[i].fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES) == 0) {
            return &memory->keys[i];
        }
    }
    return NULL;
}

static remembered *remember(tg_ring_memory *memory, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES],
                            const uint8_t digest[TG_SHA256_BYTES], uint64_t now_ms)
{
    remembered *known = recall(memory, fingerprint);
    if (known == NULL) {
        if (memory->num_keys == TG_MAX_REMEMBERED_KEYS) {
            memmove(&memory->keys[0], &memory->keys[1], sizeof memory->keys[0] * (TG_MAX_REMEMBERED_KEYS - 1));
            memory->num_keys--;
        }
        known = &memory->keys[memory->num_keys++];
        *known = (remembered){.seen_ms = now_ms};
        memcpy(known->fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES);
    }
    memcpy(known->ciphertext_sha256, digest, TG_SHA256_BYTES);
    return known;
}

/* EnvelopedData has no integrity of its own: a ciphertext that now opens to another key was tampered with on its way.
 */
static tg_result check_same(const tg_ring_memory *memory, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES],
                            const uint8_t digest[TG_SHA256_BYTES], tg_slice id, tg_detail *detail)
{
    for (size_t i = 0; i < memory->num_keys; i++) {
        if (memcmp(memory->keys[i].ciphertext_sha256, digest, TG_SHA256_BYTES) == 0 &&
            memcmp(memory->keys[i].fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES) != 0) {
            tg_detail_set_place(detail, TG_LIT("secret"), 0, id);
            tg_detail_set_reason(detail, "this ciphertext was opened to another key before");
            tg_detail_set_remedy(detail, "it was changed on its way: the keys in use stay");
            return tg_fail(TG_ERR_MISMATCH);
        }
    }
    return tg_ok();
}

static tg_result add(plan *self, tg_slice id, tg_key_state state, const tg_secret *key)
{
    tg_ring_entry *entry = &self->entries[self->num_entries];
    *entry = (tg_ring_entry){.id = id, .state = state};
    TG_TRY(tg_key_fingerprint(key, self->fingerprints[self->num_entries]));
    TG_TRY(tg_secret_copy(tg_slice_of(tg_secret_bytes(key), tg_secret_len(key)), &entry->key));
    self->current = state == TG_KEY_CURRENT ? self->num_entries : self->current;
    self->num_entries++;
    return tg_ok();
}

static bool has_id(const plan *self, tg_slice id)
{
    for (size_t i = 0; i < self->num_entries; i++) {
        if (tg_slice_equal(self->entries[i].id, id)) {
            return true;
        }
    }
    return false;
}

static size_t find(const plan *self, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES])
{
    size_t i = 0;
    while (i < self->num_entries && memcmp(self->fingerprints[i], fingerprint, TG_KEY_FINGERPRINT_BYTES) != 0) {
        i++;
    }
    return i;
}

/* The id of a key whose own another key bears now. */
static tg_slice kept_id(plan *self, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES])
{
    char *out = self->kept_ids[self->num_entries];
    size_t len = 0;
    len += (size_t)snprintf(out, sizeof self->kept_ids[0], "kept-");
    for (size_t i = 0; i < TG_KEY_FINGERPRINT_BYTES; i++) {
        len += (size_t)snprintf(out + len, sizeof self->kept_ids[0] - len, "%02x", fingerprint[i]);
    }
    return tg_slice_of(out, len);
}

/* Keys that were sealed with, and that the secret no longer names: kept while there is room. */
static tg_result keep_sealed(plan *self, const tg_key_ring *previous, tg_ring_memory *memory, size_t *out_num_kept)
{
    for (size_t i = 0; i < tg_key_ring_len(previous) && self->num_entries < TG_MAX_RING_KEYS; i++) {
        const tg_ring_entry *entry = tg_key_ring_at(previous, i);
        uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
        TG_TRY(tg_key_fingerprint(entry->key, fingerprint));
        const remembered *known = recall(memory, fingerprint);
        bool has_sealed = i == 0 || (known != NULL && known->has_sealed);
        if (has_sealed && find(self, fingerprint) == self->num_entries) {
            tg_slice id = has_id(self, entry->id) ? kept_id(self, fingerprint) : entry->id;
            TG_TRY(add(self, id, TG_KEY_RETIRED, entry->key));
            (*out_num_kept)++;
        }
    }
    return tg_ok();
}

/* The key before writes on, where the secret still has it and the new one was not seen for an interval. */
static tg_result hold(plan *self, const tg_key_ring *previous, tg_ring_memory *memory, uint64_t now_ms,
                      uint64_t interval_ms, tg_ring_change *change)
{
    uint8_t before[TG_KEY_FINGERPRINT_BYTES];
    TG_TRY(tg_key_fingerprint(tg_key_ring_at(previous, 0)->key, before));
    size_t old = find(self, before), new = self->current;
    const remembered *known = recall(memory, self->fingerprints[new]);
    uint64_t seen_ms = known != NULL ? known->seen_ms : now_ms;
    if (old == new || old == self->num_entries || now_ms - seen_ms >= interval_ms) {
        return tg_ok();
    }
    self->entries[old].state = TG_KEY_CURRENT;
    self->entries[new].state = TG_KEY_PENDING;
    self->current = old;
    change->is_held = true;
    change->due_ms = seen_ms + interval_ms;
    return tg_ok();
}

static tg_result fill(plan *self, const tg_opened_key *keys, size_t num_keys, const tg_ring_memory *memory,
                      uint8_t digests[][TG_SHA256_BYTES], tg_detail *detail)
{
    for (size_t i = 0; i < num_keys; i++) {
        TG_TRY(tg_sha256(keys[i].ciphertext, digests[i]));
        TG_TRY(add(self, keys[i].id, keys[i].state, keys[i].key));
        TG_TRY(check_same(memory, self->fingerprints[i], digests[i], keys[i].id, detail));
    }
    return tg_ok();
}

static tg_result make(plan *self, const tg_key_ring *previous, size_t num_keys, tg_ring_memory *memory,
                      uint8_t digests[][TG_SHA256_BYTES], uint64_t now_ms, uint64_t interval_ms,
                      uint64_t created_unix_ms, tg_key_ring **out_ring, tg_ring_change *change, tg_detail *detail)
{
    if (previous != NULL) {
        TG_TRY(hold(self, previous, memory, now_ms, interval_ms, change));
        TG_TRY(keep_sealed(self, previous, memory, &change->num_kept));
    }
    size_t num_entries = self->num_entries;
    TG_TRY(tg_key_ring_new(self->entries, num_entries, created_unix_ms, out_ring, detail));
    for (size_t i = 0; i < num_keys; i++) {
        remember(memory, self->fingerprints[i], digests[i], now_ms);
    }
    remembered *current = recall(memory, self->fingerprints[self->current]);
    if (current != NULL) { /* as it is: it was remembered above */
        current->has_sealed = true;
    }
    change->is_changed = previous == NULL || !tg_key_ring_equal(previous, *out_ring);
    return tg_ok();
}

tg_result tg_ring_plan(const tg_key_ring *previous, const tg_opened_key *keys, size_t num_keys, tg_ring_memory *memory,
                       uint64_t now_ms, uint64_t interval_ms, uint64_t created_unix_ms, tg_key_ring **out_ring,
                       tg_ring_change *out_change, tg_detail *detail)
{
    plan self = {.num_entries = 0};
    uint8_t digests[TG_MAX_RING_KEYS][TG_SHA256_BYTES];
    tg_ring_change change = {.is_changed = false};
    if (num_keys == 0 || num_keys > TG_MAX_RING_KEYS) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_result planned = fill(&self, keys, num_keys, memory, digests, detail);
    if (tg_is_ok(planned)) {
        planned = make(&self, previous, num_keys, memory, digests, now_ms, interval_ms, created_unix_ms, out_ring,
                       &change, detail);
    }
    plan_done(&self);
    if (tg_is_ok(planned)) {
        *out_change = change;
    }
    return planned;
}
