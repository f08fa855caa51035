#include "keys/ring.h"

#include "base/refs.h"
#include "base/text.h"

#include <stdlib.h>

struct tg_key_ring {
    tg_refs refs;
    uint64_t created_unix_ms;
    size_t num_entries;
    tg_ring_entry entries[TG_MAX_RING_KEYS];
    uint8_t ids[TG_MAX_RING_KEYS][TG_MAX_RING_ID_BYTES];
};

bool tg_key_id_is_valid(tg_slice id)
{
    if (id.len == 0 || id.len > TG_MAX_RING_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static tg_result refuse(tg_detail *detail, tg_slice id, tg_code code, const char *reason, const char *remedy)
{
    tg_detail_set_place(detail, tg_slice_of(NULL, 0), 0, tg_slice_first(id, TG_MAX_RING_ID_BYTES));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

static tg_result check_entry(const tg_ring_entry *entries, size_t index, tg_detail *detail)
{
    const tg_ring_entry *entry = &entries[index];
    if (!tg_key_id_is_valid(entry->id)) {
        return refuse(detail, entry->id, TG_ERR_SYNTAX, "the key id is not 1 to 64 of letters, digits, '.', '_', '-'",
                      "name the key with those characters");
    }
    if (tg_secret_len(entry->key) != TG_DEK_BYTES) {
        return refuse(detail, entry->id, TG_ERR_RANGE, "the data key is not 32 bytes long",
                      "make it with a 256-bit key spec");
    }
    for (size_t i = 0; i < index; i++) {
        if (tg_slice_equal(entries[i].id, entry->id)) {
            return refuse(detail, entry->id, TG_ERR_EXISTS, "two keys have this id", "give each key an id of its own");
        }
        if (tg_secret_equal(entries[i].key, entry->key)) {
            return refuse(detail, entry->id, TG_ERR_EXISTS, "this key stands in the ring twice", "remove one of them");
        }
    }
    return tg_ok();
}

static void add(tg_key_ring *ring, tg_ring_entry *entry)
{
    size_t index = ring->num_entries++;
    memcpy(ring->ids[index], entry->id.ptr, entry->id.len);
    ring->entries[index] = (tg_ring_entry){
        .id = tg_slice_of(ring->ids[index], entry->id.len), .state = entry->state, .key = TG_TAKE(entry->key)};
}

tg_result tg_key_ring_new(tg_ring_entry *entries, size_t num_entries, uint64_t created_unix_ms, tg_key_ring **out_ring,
                          tg_detail *out_detail)
{
    size_t num_current = 0;
    if (num_entries == 0 || num_entries > TG_MAX_RING_KEYS) {
        return refuse(out_detail, tg_slice_of(NULL, 0), TG_ERR_RANGE, "a ring holds 1 to 8 keys",
                      "retire the oldest keys for good");
    }
    for (size_t i = 0; i < num_entries; i++) {
        TG_TRY(check_entry(entries, i, out_detail));
        num_current += entries[i].state == TG_KEY_CURRENT;
    }
    if (num_current != 1) {
        return refuse(out_detail, tg_slice_of(NULL, 0), num_current == 0 ? TG_ERR_NOT_FOUND : TG_ERR_EXISTS,
                      "not exactly one key is current", "mark one key \"current\"");
    }
    tg_key_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&ring->refs);
    ring->created_unix_ms = created_unix_ms;
    for (int wants_current = 1; wants_current >= 0; wants_current--) {
        for (size_t i = 0; i < num_entries; i++) {
            if (entries[i].key != NULL && (entries[i].state == TG_KEY_CURRENT) == (wants_current == 1)) {
                add(ring, &entries[i]);
            }
        }
    }
    *out_ring = ring;
    return tg_ok();
}

tg_key_ring *tg_key_ring_ref(tg_key_ring *ring)
{
    tg_refs_take(&ring->refs);
    return ring;
}

void tg_key_ring_unref(tg_key_ring *ring)
{
    if (ring != NULL && tg_refs_drop(&ring->refs)) {
        for (size_t i = 0; i < ring->num_entries; i++) {
            tg_secret_free(ring->entries[i].key);
        }
        free(ring);
    }
}

size_t tg_key_ring_len(const tg_key_ring *ring)
{
    return ring->num_entries;
}

const tg_ring_entry *tg_key_ring_at(const tg_key_ring *ring, size_t index)
{
    return &ring->entries[index];
}

uint64_t tg_key_ring_created_unix_ms(const tg_key_ring *ring)
{
    return ring->created_unix_ms;
}

bool tg_key_ring_equal(const tg_key_ring *a, const tg_key_ring *b)
{
    if (a->num_entries != b->num_entries) {
        return false;
    }
    for (size_t i = 0; i < a->num_entries; i++) {
        const tg_ring_entry *left = &a->entries[i], *right = &b->entries[i];
        if (left->state != right->state || !tg_slice_equal(left->id, right->id) ||
            !tg_secret_equal(left->key, right->key)) {
            return false;
        }
    }
    return true;
}
