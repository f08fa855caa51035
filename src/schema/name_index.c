#include "schema/name_index.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t key[2] = {0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u};
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof drawn, 0) == (ssize_t)sizeof drawn) {
        key[0] ^= drawn[0];
        key[1] ^= drawn[1] << 1; /* stays odd */
    }
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t tg_hash_bytes(uint64_t start, tg_slice bytes)
{
    pthread_once(&key_once, draw_key);
    uint64_t hash = fold(start ^ key[0] ^ bytes.len, key[1]);
    while (bytes.len > 0) {
        uint64_t part = 0;
        size_t len = bytes.len < sizeof part ? bytes.len : sizeof part;
        memcpy(&part, bytes.ptr, len);
        hash = fold(hash ^ part, key[1]) ^ key[0];
        bytes = tg_slice_from(bytes, len);
    }
    return hash;
}

void tg_name_index_init(tg_name_index *index)
{
    *index = (tg_name_index){0};
}

void tg_name_index_done(tg_name_index *index)
{
    free(index->slots);
    tg_name_index_init(index);
}

static tg_name_slot *find_slot(const tg_name_index *index, uint64_t hash, uint32_t scope, tg_slice name)
{
    size_t mask = index->num_slots - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        tg_name_slot *slot = &index->slots[i];
        if (!slot->is_used || (slot->hash == hash && slot->scope == scope && tg_slice_equal(slot->name, name))) {
            return slot;
        }
    }
}

uint32_t tg_name_index_get(const tg_name_index *index, uint32_t scope, tg_slice name)
{
    if (index->num_names == 0) {
        return TG_NAME_NONE;
    }
    const tg_name_slot *slot = find_slot(index, tg_hash_bytes(scope, name), scope, name);
    return slot->is_used ? slot->value : TG_NAME_NONE;
}

static tg_result widen(tg_name_index *index)
{
    tg_name_index wider = {.num_slots = index->num_slots > 0 ? index->num_slots * 2 : 16,
                           .num_names = index->num_names};
    wider.slots = calloc(wider.num_slots, sizeof *wider.slots);
    if (wider.slots == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < index->num_slots; i++) {
        const tg_name_slot *slot = &index->slots[i];
        if (slot->is_used) {
            *find_slot(&wider, slot->hash, slot->scope, slot->name) = *slot;
        }
    }
    free(index->slots);
    *index = wider;
    return tg_ok();
}

tg_result tg_name_index_put(tg_name_index *index, uint32_t scope, tg_slice name, uint32_t value)
{
    if (index->num_names + 1 > index->num_slots / 2) {
        TG_TRY(widen(index));
    }
    uint64_t hash = tg_hash_bytes(scope, name);
    tg_name_slot *slot = find_slot(index, hash, scope, name);
    if (slot->is_used) {
        return tg_fail(TG_ERR_EXISTS);
    }
    *slot = (tg_name_slot){.name = name, .hash = hash, .scope = scope, .value = value, .is_used = true};
    index->num_names++;
    return tg_ok();
}
