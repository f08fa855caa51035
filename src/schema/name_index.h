/* A map from names to numbers, for names that a hostile document may have chosen: the hash is keyed at random for
 * each process, so that no set of names can be made to collide. Names are borrowed, not copied. */
#ifndef TG_SCHEMA_NAME_INDEX_H
#define TG_SCHEMA_NAME_INDEX_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_name_slot {
    tg_slice name;
    uint64_t hash;
    uint32_t scope;
    uint32_t value;
    bool is_used;
} tg_name_slot;

typedef struct tg_name_index {
    tg_name_slot *slots;
    size_t num_slots; /* 0 or a power of two */
    size_t num_names;
} tg_name_index;

enum { TG_NAME_NONE = UINT32_MAX };

/* tg_name_index_init makes an empty index that allocates nothing yet; ended with tg_name_index_done. */
void tg_name_index_init(tg_name_index *index);
void tg_name_index_done(tg_name_index *index);

/* tg_name_index_get gives the value of `name` in `scope` (a number that keeps names of different owners apart), or
 * TG_NAME_NONE. */
uint32_t tg_name_index_get(const tg_name_index *index, uint32_t scope, tg_slice name);

/* tg_name_index_put enters a name; it must outlive the index.
 * err   TG_ERR_EXISTS where the name is there already (its value stays), TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_name_index_put(tg_name_index *index, uint32_t scope, tg_slice name, uint32_t value);

/* tg_hash_bytes is the keyed hash: different in every process, so never stored or shown. */
uint64_t tg_hash_bytes(uint64_t start, tg_slice bytes);

#endif
