#include "enclave/snapshot.h"

#include "base/refs.h"
#include "crypto/ec_key.h"

#include <pthread.h>
#include <stdlib.h>

struct tg_snapshot {
    tg_refs refs;
    tg_schema_set *schemas;
    uint64_t schemas_unix_ms;
    tg_key_ring *ring;
    tg_tls_context *tls;
    tg_envelope_keys *envelope_keys;
    tg_secrets *secrets;
    const char *secrets_mode;
    uint8_t secrets_key[TG_P256_SPKI_BYTES];
    size_t secrets_key_len;
};

struct tg_publisher {
    pthread_mutex_t lock; /* of everything below; never held while somebody is called */
    tg_snapshot *current;
    tg_subscription *subscriptions[TG_MAX_SUBSCRIBERS];
    size_t num_subscriptions;
};

tg_schema_set *tg_snapshot_schemas(const tg_snapshot *snapshot)
{
    return snapshot->schemas;
}

tg_key_ring *tg_snapshot_ring(const tg_snapshot *snapshot)
{
    return snapshot->ring;
}

tg_tls_context *tg_snapshot_tls(const tg_snapshot *snapshot)
{
    return snapshot->tls;
}

tg_envelope_keys *tg_snapshot_envelope_keys(const tg_snapshot *snapshot)
{
    return snapshot->envelope_keys;
}

tg_secrets *tg_snapshot_secrets(const tg_snapshot *snapshot)
{
    return snapshot->secrets;
}

const char *tg_snapshot_secrets_mode(const tg_snapshot *snapshot)
{
    return snapshot->secrets_mode != NULL ? snapshot->secrets_mode : "none";
}

tg_slice tg_snapshot_secrets_key(const tg_snapshot *snapshot)
{
    return tg_slice_of(snapshot->secrets_key_len > 0 ? snapshot->secrets_key : NULL, snapshot->secrets_key_len);
}

uint64_t tg_snapshot_schemas_unix_ms(const tg_snapshot *snapshot)
{
    return snapshot->schemas_unix_ms;
}

size_t tg_snapshot_num_schemas(const tg_snapshot *snapshot)
{
    return snapshot->schemas != NULL ? tg_schema_set_num_schemas(snapshot->schemas) : 0;
}

bool tg_snapshot_is_ready(const tg_snapshot *snapshot)
{
    return snapshot->ring != NULL && tg_snapshot_num_schemas(snapshot) > 0;
}

tg_snapshot *tg_snapshot_ref(tg_snapshot *snapshot)
{
    tg_refs_take(&snapshot->refs);
    return snapshot;
}

void tg_snapshot_unref(tg_snapshot *snapshot)
{
    if (snapshot != NULL && tg_refs_drop(&snapshot->refs)) {
        tg_schema_set_unref(snapshot->schemas);
        tg_key_ring_unref(snapshot->ring);
        tg_tls_context_unref(snapshot->tls);
        tg_secrets_unref(snapshot->secrets);
        tg_envelope_keys_unref(snapshot->envelope_keys);
        free(snapshot);
    }
}

/* A snapshot of the same parts, one reference taken to each; NULL without memory. */
static tg_snapshot *copy_of(const tg_snapshot *old)
{
    tg_snapshot *copy = calloc(1, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    tg_refs_init(&copy->refs);
    copy->schemas = old->schemas != NULL ? tg_schema_set_ref(old->schemas) : NULL;
    copy->schemas_unix_ms = old->schemas_unix_ms;
    copy->ring = old->ring != NULL ? tg_key_ring_ref(old->ring) : NULL;
    copy->tls = old->tls != NULL ? tg_tls_context_ref(old->tls) : NULL;
    copy->secrets = old->secrets != NULL ? tg_secrets_ref(old->secrets) : NULL;
    copy->envelope_keys = old->envelope_keys != NULL ? tg_envelope_keys_ref(old->envelope_keys) : NULL;
    copy->secrets_mode = old->secrets_mode;
    memcpy(copy->secrets_key, old->secrets_key, sizeof copy->secrets_key);
    copy->secrets_key_len = old->secrets_key_len;
    return copy;
}

tg_result tg_publisher_new(tg_publisher **out_publisher)
{
    tg_publisher *publisher = calloc(1, sizeof *publisher);
    tg_snapshot *empty = calloc(1, sizeof *empty);
    if (publisher == NULL || empty == NULL) {
        free(publisher);
        free(empty);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&empty->refs);
    pthread_mutex_init(&publisher->lock, NULL);
    publisher->current = empty;
    *out_publisher = publisher;
    return tg_ok();
}

void tg_publisher_free(tg_publisher *publisher)
{
    if (publisher != NULL) {
        tg_snapshot_unref(publisher->current);
        pthread_mutex_destroy(&publisher->lock);
        free(publisher);
    }
}

static void run_subscription(tg_task *task)
{
    tg_subscription *subscription = (tg_subscription *)((char *)task - offsetof(tg_subscription, task));
    subscription->changed(subscription->owner);
}

tg_result tg_publisher_subscribe(tg_publisher *publisher, tg_subscription *subscription)
{
    if (publisher->num_subscriptions == TG_MAX_SUBSCRIBERS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    subscription->task = (tg_task){.run = run_subscription};
    publisher->subscriptions[publisher->num_subscriptions++] = subscription;
    return tg_ok();
}

tg_snapshot *tg_publisher_current(tg_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    tg_snapshot *current = tg_snapshot_ref(publisher->current);
    pthread_mutex_unlock(&publisher->lock);
    return current;
}

/* The two halves of a setter: a copy of the newest under the lock, and its publication with the lock's end. */
static tg_snapshot *begin_change(tg_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    tg_snapshot *next = copy_of(publisher->current);
    if (next == NULL) {
        pthread_mutex_unlock(&publisher->lock);
    }
    return next;
}

static void end_change(tg_publisher *publisher, tg_snapshot *next)
{
    tg_snapshot *old = publisher->current;
    publisher->current = next;
    for (size_t i = 0; i < publisher->num_subscriptions; i++) { /* runs nothing here: it only queues */
        tg_loop_post(publisher->subscriptions[i]->loop, &publisher->subscriptions[i]->task);
    }
    pthread_mutex_unlock(&publisher->lock);
    tg_snapshot_unref(old);
}

void tg_publisher_end(tg_publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    publisher->num_subscriptions = 0;
    pthread_mutex_unlock(&publisher->lock);
}

tg_result tg_publisher_set_schemas(tg_publisher *publisher, tg_schema_set *schemas, uint64_t unix_ms)
{
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        tg_schema_set_unref(schemas);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_schema_set_unref(next->schemas);
    next->schemas = schemas;
    next->schemas_unix_ms = unix_ms;
    end_change(publisher, next);
    return tg_ok();
}

tg_result tg_publisher_set_ring(tg_publisher *publisher, tg_key_ring *ring)
{
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        tg_key_ring_unref(ring);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_key_ring_unref(next->ring);
    next->ring = ring;
    end_change(publisher, next);
    return tg_ok();
}

tg_result tg_publisher_set_tls(tg_publisher *publisher, tg_tls_context *tls)
{
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        tg_tls_context_unref(tls);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_tls_context_unref(next->tls);
    next->tls = tls;
    end_change(publisher, next);
    return tg_ok();
}

tg_result tg_publisher_set_secrets(tg_publisher *publisher, tg_secrets *secrets)
{
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        tg_secrets_unref(secrets);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_secrets_unref(next->secrets);
    next->secrets = secrets;
    end_change(publisher, next);
    return tg_ok();
}

tg_result tg_publisher_set_envelope_keys(tg_publisher *publisher, tg_envelope_keys *keys)
{
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        tg_envelope_keys_unref(keys);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_envelope_keys_unref(next->envelope_keys);
    next->envelope_keys = keys;
    end_change(publisher, next);
    return tg_ok();
}

tg_result tg_publisher_set_secrets_key(tg_publisher *publisher, const char *mode, tg_slice key)
{
    if (key.len > TG_P256_SPKI_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_snapshot *next = begin_change(publisher);
    if (next == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    next->secrets_mode = mode;
    if (key.len > 0) {
        memcpy(next->secrets_key, key.ptr, key.len);
    }
    next->secrets_key_len = key.len;
    end_change(publisher, next);
    return tg_ok();
}
