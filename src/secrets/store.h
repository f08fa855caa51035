/* The secrets in force: an immutable set, made anew by every delivery, and the files that other programs of the
 * enclave read. */
#ifndef TG_SECRETS_STORE_H
#define TG_SECRETS_STORE_H

#include "secrets/bundle.h"

/* One set; reference-counted, so that whoever works with it keeps it whole while the next comes into force. */
typedef struct tg_secrets tg_secrets;

tg_secrets *tg_secrets_ref(tg_secrets *secrets);
void tg_secrets_unref(tg_secrets *secrets);

/* Rises with every set; of a sealed delivery it is its sender's. */
uint64_t tg_secrets_version(const tg_secrets *secrets);
/* The getters give what lives as long as the set, NULL where none was delivered: whom calls show and believe, whom the
 * enclave shows. */
tg_tls_identity *tg_secrets_client(const tg_secrets *secrets);
tg_tls_authorities *tg_secrets_ca(const tg_secrets *secrets);
tg_tls_identity *tg_secrets_server(const tg_secrets *secrets);
/* tg_secrets_value gives a named value, NULL where none was delivered. */
const tg_secret *tg_secrets_value(const tg_secrets *secrets, const char *name);
/* tg_secrets_value_version is the version of the delivery that brought a value, 0 where none did. */
uint64_t tg_secrets_value_version(const tg_secrets *secrets, const char *name);

typedef struct tg_secrets_store tg_secrets_store;

/* Called with each new set, which the callee may take a reference of; on the thread that applies.
 * err: what it returns refuses the delivery: nothing has changed then */
typedef tg_result tg_secrets_changed_fn(tg_secrets *secrets, void *owner);

/* tg_secrets_store_new makes an empty store of version 0.
 * in    directory: where client.crt (0644), client.key (0600) and ecs-ca.crt (0644) are kept; NULL: in memory alone
 *       changed: NULL: nobody is told
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_secrets_store_new(const char *directory, tg_secrets_changed_fn *changed, void *owner,
                                           tg_secrets_store **out_store);
void tg_secrets_store_free(tg_secrets_store *store);

/* tg_secrets_store_current is the set in force; the store's. */
tg_secrets *tg_secrets_store_current(const tg_secrets_store *store);

/* tg_secrets_store_apply brings a bundle into force: what it holds replaces what was there under the same name, the
 * rest stays, but for a session token, which goes with the AWS keys that it belongs to. First the files take their
 * places (secrets/files.h), then `changed` is asked; where either fails, files and set are the old ones.
 *
 * in    version: above the current one
 * err   TG_ERR_RANGE: it is not; else what the files or `changed` say; TG_ERR_MEMORY; with *out_fault set
 */
TG_MUST_USE tg_result tg_secrets_store_apply(tg_secrets_store *store, const tg_bundle *bundle, uint64_t version,
                                             tg_delivery_fault *out_fault);

#endif
