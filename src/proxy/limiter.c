#include "proxy/limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { KIND_NONE, KIND_CID, KIND_IP };
enum { NUM_SLOTS = 1 << 16, MAX_PROBES = 32, TOKEN_MS = 1000 };

/* A slot is free to take when nothing is open under it and its bucket is full again. */
typedef struct limit_slot {
    tg_limit_key key;
    uint32_t num_open;
    uint32_t rate;      /* tokens a second, what the bucket holds at most; 0: not limited */
    uint64_t tokens_ms; /* in thousandths of a token */
    uint64_t refilled_ms;
} limit_slot;

struct tg_limiter {
    _Atomic size_t num_connections;
    uint64_t hash_key;
    pthread_mutex_t lock; /* held for a probe of the table */
    limit_slot slots[NUM_SLOTS];
};

tg_result tg_limiter_new(tg_limiter **out_limiter)
{
    tg_limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (getrandom(&limiter->hash_key, sizeof limiter->hash_key, 0) != sizeof limiter->hash_key ||
        pthread_mutex_init(&limiter->lock, NULL) != 0) {
        free(limiter);
        return tg_fail(TG_ERR_MEMORY);
    }
    *out_limiter = limiter;
    return tg_ok();
}

void tg_limiter_free(tg_limiter *limiter)
{
    if (limiter != NULL) {
        pthread_mutex_destroy(&limiter->lock);
        free(limiter);
    }
}

tg_limit_key tg_limit_key_of_ip(tg_slice address)
{
    tg_limit_key key = {.kind = KIND_NONE};
    if (address.len == 4 || address.len == 16) {
        key.kind = KIND_IP;
        memcpy(key.bytes + (address.len == 4 ? 12 : 0), address.ptr, address.len == 4 ? 4 : 8);
    }
    return key;
}

tg_limit_key tg_limit_key_of_peer(const tg_peer *peer)
{
    tg_limit_key key = {.kind = KIND_NONE};
    if (peer->has_cid) {
        key.kind = KIND_CID;
        memcpy(key.bytes, &peer->cid, sizeof peer->cid);
    } else if (peer->kind == TG_ADDRESS_TCP) {
        bool is_ipv4 = tg_peer_is_ipv4(peer);
        key = tg_limit_key_of_ip(tg_slice_of(peer->ip + (is_ipv4 ? 12 : 0), is_ipv4 ? 4 : 16));
    }
    return key;
}

/* Keyed, so that nobody can choose addresses that all fall into one place. */
static size_t hash(const tg_limiter *limiter, const tg_limit_key *key)
{
    uint64_t parts[2], value = limiter->hash_key ^ key->kind;
    memcpy(parts, key->bytes, sizeof parts);
    for (int i = 0; i < 2; i++) {
        value = (value ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        value ^= value >> 29;
        value = (value + limiter->hash_key) * UINT64_C(0xbf58476d1ce4e5b9);
        value ^= value >> 32;
    }
    return (size_t)value % NUM_SLOTS;
}

static bool is_key(const limit_slot *slot, const tg_limit_key *key)
{
    return slot->key.kind == key->kind && memcmp(slot->key.bytes, key->bytes, sizeof key->bytes) == 0;
}

static void refill(limit_slot *slot, uint64_t now_ms)
{
    uint64_t full = (uint64_t)slot->rate * TOKEN_MS;
    uint64_t passed = now_ms > slot->refilled_ms ? now_ms - slot->refilled_ms : 0;
    passed = passed < TOKEN_MS ? passed : TOKEN_MS;
    slot->tokens_ms = slot->tokens_ms + passed * slot->rate < full ? slot->tokens_ms + passed * slot->rate : full;
    slot->refilled_ms = now_ms;
}

/* The key's slot, or one that it may take; NULL where the table is crowded there. */
static limit_slot *find(tg_limiter *limiter, const tg_limit_key *key, bool may_take, uint64_t now_ms)
{
    size_t first = hash(limiter, key);
    limit_slot *free_slot = NULL;
    for (size_t i = 0; i < MAX_PROBES; i++) {
        limit_slot *slot = &limiter->slots[(first + i) % NUM_SLOTS];
        if (is_key(slot, key)) {
            return slot;
        }
        if (free_slot == NULL && slot->num_open == 0) {
            if (slot->key.kind == KIND_NONE || now_ms - slot->refilled_ms >= TOKEN_MS) {
                free_slot = slot;
            }
        }
    }
    if (!may_take || free_slot == NULL) {
        return NULL;
    }
    *free_slot = (limit_slot){.key = *key, .refilled_ms = now_ms};
    return free_slot;
}

static tg_limit_verdict enter_slot(limit_slot *slot, uint64_t max_open, uint64_t rate, uint64_t now_ms)
{
    if (max_open > 0 && slot->num_open >= max_open) {
        return TG_LIMIT_PER_KEY;
    }
    if (rate > 0) {
        if (slot->rate != rate) {
            slot->rate = (uint32_t)rate;
            slot->tokens_ms = rate * TOKEN_MS;
        }
        refill(slot, now_ms);
        if (slot->tokens_ms < TOKEN_MS) {
            return TG_LIMIT_RATE;
        }
        slot->tokens_ms -= TOKEN_MS;
    }
    slot->num_open++;
    return TG_LIMIT_FINE;
}

tg_limit_verdict tg_limiter_enter_key(tg_limiter *limiter, const tg_proxy_limits *limits, tg_limit_key *key,
                                      uint64_t now_ms)
{
    if (key->kind == KIND_NONE) {
        return TG_LIMIT_FINE;
    }
    uint64_t max_open = key->kind == KIND_CID ? limits->per_cid : limits->per_source;
    uint64_t rate = key->kind == KIND_CID ? limits->rate_per_cid : limits->rate_per_source;
    if (max_open == 0 && rate == 0) {
        key->kind = KIND_NONE;
        return TG_LIMIT_FINE;
    }
    pthread_mutex_lock(&limiter->lock);
    limit_slot *slot = find(limiter, key, true, now_ms);
    /* a crowded table: fail open here, for connections in all are limited as well */
    tg_limit_verdict verdict = slot != NULL ? enter_slot(slot, max_open, rate, now_ms) : TG_LIMIT_FINE;
    pthread_mutex_unlock(&limiter->lock);
    key->kind = slot != NULL ? key->kind : KIND_NONE;
    return verdict;
}

void tg_limiter_leave_key(tg_limiter *limiter, const tg_limit_key *key)
{
    if (key->kind == KIND_NONE) {
        return;
    }
    pthread_mutex_lock(&limiter->lock);
    limit_slot *slot = find(limiter, key, false, 0);
    if (slot != NULL && slot->num_open > 0) {
        slot->num_open--;
    }
    pthread_mutex_unlock(&limiter->lock);
}

tg_limit_verdict tg_limiter_enter(tg_limiter *limiter, const tg_proxy_limits *limits)
{
    if (atomic_fetch_add_explicit(&limiter->num_connections, 1, memory_order_relaxed) >= limits->connections) {
        atomic_fetch_sub_explicit(&limiter->num_connections, 1, memory_order_relaxed);
        return TG_LIMIT_CONNECTIONS;
    }
    return TG_LIMIT_FINE;
}

void tg_limiter_leave(tg_limiter *limiter)
{
    atomic_fetch_sub_explicit(&limiter->num_connections, 1, memory_order_relaxed);
}

size_t tg_limiter_num_connections(const tg_limiter *limiter)
{
    return atomic_load_explicit(&limiter->num_connections, memory_order_relaxed);
}

const char *tg_limit_verdict_name(tg_limit_verdict verdict)
{
    static const char *const names[] = {"fine", "limit_connections", "limit_per_peer", "limit_rate"};
    return (unsigned)verdict < TG_COUNT(names) ? names[verdict] : "unknown";
}
