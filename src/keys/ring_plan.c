#include "keys/ring_plan.h"

#include <stdio.h>

typedef struct tg_remembered_key remembered;
typedef struct tg_remembered_ciphertext sealed_in;

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

static void remember_key(tg_ring_memory *memory, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES], uint64_t now_ms)
{
    if (recall(memory, fingerprint) != NULL) {
        return;
    }
    if (memory->num_keys == TG_MAX_REMEMBERED_KEYS) {
        memmove(&memory->keys[0], &memory->keys[1], sizeof memory->keys[0] * (TG_MAX_REMEMBERED_KEYS - 1));
        memory->num_keys--;
    }
    remembered *known = &memory->keys[memory->num_keys++];
    *known = (remembered){.seen_ms = now_ms};
    memcpy(known->fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES);
}

static const sealed_in *recall_ciphertext(const tg_ring_memory *memory, const uint8_t sha256[TG_SHA256_BYTES])
{
    for (size_t i = 0; i < memory->num_ciphertexts && i < TG_MAX_REMEMBERED_CIPHERTEXTS; i++) {
        if (memcmp(memory->ciphertexts[i].sha256, sha256, TG_SHA256_BYTES) == 0) {
            return &memory->ciphertexts[i];
        }
    }
    return NULL;
}

static void remember_ciphertext(tg_ring_memory *memory, const uint8_t sha256[TG_SHA256_BYTES],
                                const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES])
{
    if (recall_ciphertext(memory, sha256) == NULL) {
        sealed_in *next = &memory->ciphertexts[memory->num_ciphertexts++ % TG_MAX_REMEMBERED_CIPHERTEXTS];
        memcpy(next->sha256, sha256, TG_SHA256_BYTES);
        memcpy(next->fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES);
    }
}

/* EnvelopedData has no integrity of its own: a ciphertext that now opens to another key was tampered with on its way.
 */
static tg_result check_same(const tg_ring_memory *memory, const uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES],
                            const uint8_t sha256[TG_SHA256_BYTES], tg_slice id, tg_detail *detail)
{
    const sealed_in *known = recall_ciphertext(memory, sha256);
    if (known == NULL || memcmp(known->fingerprint, fingerprint, TG_KEY_FINGERPRINT_BYTES) == 0) {
        return tg_ok();
    }
    tg_detail_set_place(detail, TG_LIT("secret"), 0, id);
    tg_detail_set_reason(detail, "this ciphertext was opened to another key before");
    tg_detail_set_remedy(detail, "it was changed on its way: the keys in use stay");
    return tg_fail(TG_ERR_MISMATCH);
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

static tg_result refuse_for_room(tg_slice id, tg_detail *detail)
{
    tg_detail_set_place(detail, TG_LIT("secret"), 0, id);
    tg_detail_set_reason(detail, "the key in use is not in the secret, and there is no room for it beside %d others",
                         TG_MAX_RING_KEYS);
    tg_detail_set_remedy(detail, "put it back as retired, or take another out: the keys in use stay");
    return tg_fail(TG_ERR_LIMIT);
}

/* Keys that were sealed with, and that the secret no longer names: the one in use always, those before it while there
 * is room. */
static tg_result keep_sealed(plan *self, const tg_key_ring *previous, tg_ring_memory *memory, tg_ring_change *change,
                             tg_detail *detail)
{
    for (size_t i = 0; i < tg_key_ring_len(previous); i++) {
        const tg_ring_entry *entry = tg_key_ring_at(previous, i);
        uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
        TG_TRY(tg_key_fingerprint(entry->key, fingerprint));
        const remembered *known = recall(memory, fingerprint);
        bool has_sealed = i == 0 || (known != NULL && known->has_sealed);
        if (!has_sealed || find(self, fingerprint) < self->num_entries) {
            continue;
        }
        if (self->num_entries < TG_MAX_RING_KEYS) {
            tg_slice id = has_id(self, entry->id) ? kept_id(self, fingerprint) : entry->id;
            TG_TRY(add(self, id, TG_KEY_RETIRED, entry->key));
            change->num_kept++;
        } else if (i == 0) {
            return refuse_for_room(entry->id, detail);
        } else {
            change->num_dropped++;
        }
    }
    return tg_ok();
}

/* The key in use writes on, where the secret still has it and the new one was not seen for an interval. Where the
 * secret has dropped it, the new one writes at once: what the dropped one still sealed would be lost with this process,
 * while a replica that does not know the new one yet reads the secret for the first token that it cannot open. */
static tg_result hold(plan *self, const tg_key_ring *previous, tg_ring_memory *memory, uint64_t now_ms,
                      uint64_t interval_ms, tg_ring_change *change)
{
    uint8_t before[TG_KEY_FINGERPRINT_BYTES];
    TG_TRY(tg_key_fingerprint(tg_key_ring_at(previous, 0)->key, before));
    size_t old = find(self, before), new = self->current;
    if (old == new) {
        return tg_ok();
    }
    const remembered *known = recall(memory, self->fingerprints[new]);
    uint64_t seen_ms = known != NULL ? known->seen_ms : now_ms;
    if (old == self->num_entries || now_ms - seen_ms >= interval_ms) {
        change->is_back = known != NULL && known->has_sealed;
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
        TG_TRY(keep_sealed(self, previous, memory, change, detail));
    }
    size_t num_entries = self->num_entries;
    TG_TRY(tg_key_ring_new(self->entries, num_entries, created_unix_ms, out_ring, detail));
    for (size_t i = 0; i < num_keys; i++) {
        remember_key(memory, self->fingerprints[i], now_ms);
        remember_ciphertext(memory, digests[i], self->fingerprints[i]);
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
