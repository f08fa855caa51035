/* What requests are answered with: schemas, data keys and the TLS context, as one immutable, reference-counted set.
 * Whoever refreshes a part publishes a new snapshot; each worker takes it up between two requests. */
#ifndef TG_ENCLAVE_SNAPSHOT_H
#define TG_ENCLAVE_SNAPSHOT_H

#include "envelope/envelope_keys.h"
#include "io/loop.h"
#include "keys/ring.h"
#include "schema/schema_set.h"
#include "secrets/store.h"
#include "tls/context.h"

typedef struct tg_snapshot tg_snapshot;
typedef struct tg_publisher tg_publisher;

enum { TG_MAX_SUBSCRIBERS = 258 /* 256 workers, the admin site, the envelope keys */ };

/* Any part may be NULL: it has not come yet. They live as long as the snapshot. */
tg_schema_set *tg_snapshot_schemas(const tg_snapshot *snapshot);
tg_key_ring *tg_snapshot_ring(const tg_snapshot *snapshot);
tg_tls_context *tg_snapshot_tls(const tg_snapshot *snapshot);
/* Derived from the data keys. */
tg_envelope_keys *tg_snapshot_envelope_keys(const tg_snapshot *snapshot);
/* What was delivered; never NULL after tg_secrets_service_open, whose set of version 0 is empty. */
tg_secrets *tg_snapshot_secrets(const tg_snapshot *snapshot);
/* How secrets are delivered (`none`, `open`, `sealed`; static), and the SubjectPublicKeyInfo that they are sealed to;
 * empty where nothing is. */
const char *tg_snapshot_secrets_mode(const tg_snapshot *snapshot);
tg_slice tg_snapshot_secrets_key(const tg_snapshot *snapshot);
/* When the schemas were last read with success, 0 before. */
uint64_t tg_snapshot_schemas_unix_ms(const tg_snapshot *snapshot);
/* tg_snapshot_num_schemas is how many can be asked for, 0 before the first set. */
size_t tg_snapshot_num_schemas(const tg_snapshot *snapshot);
/* tg_snapshot_is_ready says whether requests can be answered: a data key and at least one schema are there. */
bool tg_snapshot_is_ready(const tg_snapshot *snapshot);

/* Reference counts are atomic: any thread. tg_snapshot_unref takes NULL. */
tg_snapshot *tg_snapshot_ref(tg_snapshot *snapshot);
void tg_snapshot_unref(tg_snapshot *snapshot);

/* One who is told of new snapshots, on its loop's thread. */
typedef struct tg_subscription {
    tg_task task; /* the publisher's own */
    tg_loop *loop;
    void (*changed)(void *owner);
    void *owner;
} tg_subscription;

/* tg_publisher_new makes one that holds an empty snapshot. err: TG_ERR_MEMORY
 * keep  freed after all subscribers' loops have ended
 */
TG_MUST_USE tg_result tg_publisher_new(tg_publisher **out_publisher);
void tg_publisher_free(tg_publisher *publisher);

/* tg_publisher_subscribe adds a subscriber before anything is published from another thread.
 * keep  subscription stays in place as long as the publisher. err: TG_ERR_LIMIT past TG_MAX_SUBSCRIBERS
 */
TG_MUST_USE tg_result tg_publisher_subscribe(tg_publisher *publisher, tg_subscription *subscription);

/* tg_publisher_end tells no subscriber any more: their loops may end then, while other threads still publish. */
void tg_publisher_end(tg_publisher *publisher);

/* tg_publisher_current gives the newest snapshot; the caller gives it back by tg_snapshot_unref. Any thread. */
tg_snapshot *tg_publisher_current(tg_publisher *publisher);

/* The setters publish a snapshot that differs from the newest in one part, and take the reference to that part that
 * the caller holds (on failure too). Any thread. err: TG_ERR_MEMORY; then the old one stays in force
 */
TG_MUST_USE tg_result tg_publisher_set_schemas(tg_publisher *publisher, tg_schema_set *schemas, uint64_t unix_ms);
TG_MUST_USE tg_result tg_publisher_set_ring(tg_publisher *publisher, tg_key_ring *ring);
TG_MUST_USE tg_result tg_publisher_set_tls(tg_publisher *publisher, tg_tls_context *tls);
TG_MUST_USE tg_result tg_publisher_set_secrets(tg_publisher *publisher, tg_secrets *secrets);
TG_MUST_USE tg_result tg_publisher_set_envelope_keys(tg_publisher *publisher, tg_envelope_keys *keys);

/* tg_publisher_set_secrets_key says how secrets are delivered. in: mode: static; key: at most TG_P256_SPKI_BYTES. err:
 * TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_publisher_set_secrets_key(tg_publisher *publisher, const char *mode, tg_slice key);

#endif
