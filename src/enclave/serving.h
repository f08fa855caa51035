/* What one worker serves with: a snapshot, and cipher handles of its own for the snapshot's keys (they are not for two
 * threads). A request keeps the one that it began with until it is answered. */
#ifndef TG_ENCLAVE_SERVING_H
#define TG_ENCLAVE_SERVING_H

#include "enclave/snapshot.h"
#include "fields/keys.h"

typedef struct tg_serving tg_serving;

/* tg_serving_new readies a snapshot for this thread. It takes over the handles of `previous` where the keys are the
 * same.
 * in    previous: of the same worker, or NULL
 * err   TG_ERR_MEMORY: no heap, or no locked memory for cipher states; the caller goes on with the previous one
 * keep  takes a reference of its own to the snapshot; reference-counted, for one thread
 */
TG_MUST_USE tg_result tg_serving_new(tg_snapshot *snapshot, const tg_serving *previous, tg_serving **out_serving);
/* tg_serving_new_without_keys readies a snapshot for a thread that seals nothing; errors and ownership as above. */
TG_MUST_USE tg_result tg_serving_new_without_keys(tg_snapshot *snapshot, tg_serving **out_serving);
tg_serving *tg_serving_ref(tg_serving *serving);
void tg_serving_unref(tg_serving *serving);

/* tg_serving_has_same_issuers says whether two trust the same authorities of clients. */
bool tg_serving_has_same_issuers(const tg_serving *a, const tg_serving *b);

const tg_snapshot *tg_serving_snapshot(const tg_serving *serving);
/* tg_serving_keys is NULL while no data key is there, and in one made without keys. */
tg_field_keys *tg_serving_keys(const tg_serving *serving);

#endif
