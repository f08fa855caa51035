#include "fields/keys.h"

#include <stdlib.h>

enum { KEPT_SCRATCH_BYTES = 65536 };

typedef struct ring_key {
    tg_siv *siv;
    size_t id_len;
    uint8_t id[TG_MAX_KEY_ID_BYTES];
} ring_key;

struct tg_field_keys {
    size_t num_keys;
    ring_key keys[TG_MAX_FIELD_KEYS]; /* [0] is the current one */
    tg_hmac *hmac;
    tg_buf scratch;
};

void tg_field_keys_free(tg_field_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->num_keys; i++) {
        tg_siv_free(keys->keys[i].siv);
    }
    tg_hmac_free(keys->hmac);
    tg_buf_done(&keys->scratch);
    free(keys);
}

static tg_result add_key(tg_field_keys *ring, const tg_field_key *key)
{
    if (key->id.len > TG_MAX_KEY_ID_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    ring_key *added = &ring->keys[ring->num_keys];
    TG_TRY(tg_siv_new(key->secret, &added->siv));
    if (key->id.len > 0) {
        memcpy(added->id, key->id.ptr, key->id.len);
    }
    added->id_len = key->id.len;
    ring->num_keys++;
    return tg_ok();
}

static tg_result add_current(tg_field_keys *ring, const tg_field_key *key)
{
    TG_TRY(add_key(ring, key));
    return tg_hmac_new(tg_slice_of(tg_secret_bytes(key->secret), tg_secret_len(key->secret)), &ring->hmac);
}

static tg_result fill(tg_field_keys *ring, const tg_field_key *keys, size_t num_keys)
{
    size_t num_current = 0;
    for (size_t i = 0; i < num_keys; i++) {
        if (keys[i].is_current) {
            num_current++;
            TG_TRY(num_current == 1 ? add_current(ring, &keys[i]) : tg_fail(TG_ERR_RANGE));
        }
    }
    if (num_current != 1) {
        return tg_fail(TG_ERR_RANGE);
    }
    for (size_t i = 0; i < num_keys; i++) {
        if (!keys[i].is_current) {
            TG_TRY(add_key(ring, &keys[i]));
        }
    }
    return tg_ok();
}

tg_result tg_field_keys_new(const tg_field_key *keys, size_t num_keys, tg_field_keys **out_keys)
{
    if (num_keys == 0 || num_keys > TG_MAX_FIELD_KEYS) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_field_keys *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_buf_init_wiped(&ring->scratch, UINT32_MAX);
    tg_result result = fill(ring, keys, num_keys);
    if (!tg_is_ok(result)) {
        tg_field_keys_free(ring);
        return result;
    }
    *out_keys = ring;
    return tg_ok();
}

size_t tg_field_keys_num(const tg_field_keys *keys)
{
    return keys->num_keys;
}

tg_slice tg_field_keys_id(const tg_field_keys *keys, size_t index)
{
    return tg_slice_of(keys->keys[index].id, keys->keys[index].id_len);
}

tg_siv *tg_field_keys_siv(tg_field_keys *keys, size_t index)
{
    return keys->keys[index].siv;
}

tg_hmac *tg_field_keys_hmac(tg_field_keys *keys)
{
    return keys->hmac;
}

tg_buf *tg_field_keys_scratch(tg_field_keys *keys)
{
    return &keys->scratch;
}

void tg_field_keys_scratch_end(tg_field_keys *keys)
{
    if (keys->scratch.cap > KEPT_SCRATCH_BYTES) {
        tg_buf_release(&keys->scratch);
    } else {
        tg_buf_clear(&keys->scratch);
    }
}
