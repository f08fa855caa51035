#include "secrets/store.h"

#include "base/refs.h"
#include "secrets/files.h"

#include <stdlib.h>

struct tg_secrets {
    tg_refs refs;
    uint64_t version;
    tg_tls_identity *client, *server;
    tg_tls_authorities *ca;
    tg_secret_value values[TG_MAX_SECRET_VALUES];
    uint64_t value_versions[TG_MAX_SECRET_VALUES];
    size_t num_values;
};

struct tg_secrets_store {
    const char *directory;
    tg_secrets_changed_fn *changed;
    void *owner;
    tg_secrets *current;
};

tg_secrets *tg_secrets_ref(tg_secrets *secrets)
{
    tg_refs_take(&secrets->refs);
    return secrets;
}

void tg_secrets_unref(tg_secrets *secrets)
{
    if (secrets == NULL || !tg_refs_drop(&secrets->refs)) {
        return;
    }
    tg_tls_identity_unref(secrets->client);
    tg_tls_identity_unref(secrets->server);
    tg_tls_authorities_unref(secrets->ca);
    for (size_t i = 0; i < secrets->num_values; i++) {
        tg_secret_free(secrets->values[i].text);
    }
    free(secrets);
}

uint64_t tg_secrets_version(const tg_secrets *secrets)
{
    return secrets->version;
}

tg_tls_identity *tg_secrets_client(const tg_secrets *secrets)
{
    return secrets->client;
}

tg_tls_authorities *tg_secrets_ca(const tg_secrets *secrets)
{
    return secrets->ca;
}

tg_tls_identity *tg_secrets_server(const tg_secrets *secrets)
{
    return secrets->server;
}

static tg_secret_value *find(const tg_secrets *secrets, const char *name)
{
    for (size_t i = 0; i < secrets->num_values; i++) {
        if (strcmp(secrets->values[i].name, name) == 0) {
            return (tg_secret_value *)(uintptr_t)&secrets->values[i];
        }
    }
    return NULL;
}

const tg_secret *tg_secrets_value(const tg_secrets *secrets, const char *name)
{
    const tg_secret_value *value = find(secrets, name);
    return value != NULL ? value->text : NULL;
}

uint64_t tg_secrets_value_version(const tg_secrets *secrets, const char *name)
{
    const tg_secret_value *value = find(secrets, name);
    return value != NULL ? secrets->value_versions[value - secrets->values] : 0;
}

static tg_result empty_set(tg_secrets **out_secrets)
{
    tg_secrets *secrets = calloc(1, sizeof *secrets);
    if (secrets == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&secrets->refs);
    *out_secrets = secrets;
    return tg_ok();
}

tg_result tg_secrets_store_new(const char *directory, tg_secrets_changed_fn *changed, void *owner,
                               tg_secrets_store **out_store)
{
    tg_secrets_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *store = (tg_secrets_store){.directory = directory, .changed = changed, .owner = owner};
    tg_result result = empty_set(&store->current);
    if (!tg_is_ok(result)) {
        free(store);
        return result;
    }
    *out_store = store;
    return tg_ok();
}

void tg_secrets_store_free(tg_secrets_store *store)
{
    if (store != NULL) {
        tg_secrets_unref(store->current);
        free(store);
    }
}

tg_secrets *tg_secrets_store_current(const tg_secrets_store *store)
{
    return store->current;
}

static tg_result put_value(tg_secrets *next, const tg_secret_value *value, uint64_t version)
{
    tg_secret *copy;
    tg_secret_value *there = find(next, value->name);
    if (there == NULL && next->num_values == TG_MAX_SECRET_VALUES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(tg_secret_copy(tg_slice_of(tg_secret_bytes(value->text), tg_secret_len(value->text)), &copy));
    if (there == NULL) {
        there = &next->values[next->num_values++];
        memcpy(there->name, value->name, sizeof there->name);
    }
    tg_secret_free(there->text);
    there->text = copy;
    next->value_versions[there - next->values] = version;
    return tg_ok();
}

/* A session token is one of the keys that it came with, and of no others. */
static bool is_superseded(const tg_secret_value *value, const tg_bundle *bundle)
{
    bool has_keys = false;
    for (size_t i = 0; i < bundle->num_values; i++) {
        has_keys = has_keys || strcmp(bundle->values[i].name, TG_SECRET_AWS_KEY_ID) == 0;
    }
    return has_keys && strcmp(value->name, TG_SECRET_AWS_TOKEN) == 0;
}

/* The old set with the bundle's parts in the place of its own. */
static tg_result merge(const tg_secrets *old, const tg_bundle *bundle, tg_secrets *next)
{
    tg_tls_identity *client = bundle->client != NULL ? bundle->client : old->client;
    tg_tls_identity *server = bundle->server != NULL ? bundle->server : old->server;
    tg_tls_authorities *ca = bundle->client != NULL ? bundle->ca : old->ca;
    next->client = client != NULL ? tg_tls_identity_ref(client) : NULL;
    next->server = server != NULL ? tg_tls_identity_ref(server) : NULL;
    next->ca = ca != NULL ? tg_tls_authorities_ref(ca) : NULL;
    for (size_t i = 0; i < old->num_values; i++) {
        if (!is_superseded(&old->values[i], bundle)) {
            TG_TRY(put_value(next, &old->values[i], old->value_versions[i]));
        }
    }
    for (size_t i = 0; i < bundle->num_values; i++) {
        TG_TRY(put_value(next, &bundle->values[i], next->version));
    }
    return tg_ok();
}

static tg_result refuse(tg_delivery_fault *fault, const char *code, const char *reason, tg_result result)
{
    fault->code = code;
    if (fault->detail.reason[0] == 0) {
        tg_detail_set_reason(&fault->detail, "%s", reason);
    }
    return result;
}

/* The files first: they may fail for the disk's reasons, and can be undone; what is published cannot. */
static tg_result bring_into_force(tg_secrets_store *store, const tg_bundle *bundle, tg_secrets *next,
                                  tg_delivery_fault *fault)
{
    bool has_files = store->directory != NULL && bundle->client != NULL;
    tg_secrets_files files;
    if (has_files) {
        tg_result replaced = tg_secrets_files_replace(&files, store->directory, bundle, &fault->detail);
        if (!tg_is_ok(replaced)) {
            return refuse(fault, "cannot_store", "the files cannot be written", replaced);
        }
    }
    tg_result changed = store->changed != NULL ? store->changed(next, store->owner) : tg_ok();
    if (!tg_is_ok(changed)) {
        if (has_files) {
            tg_secrets_files_undo(&files);
        }
        return refuse(fault, "cannot_apply", "what uses the secrets cannot take them", changed);
    }
    tg_secrets_unref(store->current);
    store->current = tg_secrets_ref(next);
    if (has_files) {
        tg_secrets_files_keep(&files);
    }
    return tg_ok();
}

tg_result tg_secrets_store_apply(tg_secrets_store *store, const tg_bundle *bundle, uint64_t version,
                                 tg_delivery_fault *out_fault)
{
    tg_secrets *next;
    *out_fault = (tg_delivery_fault){.code = "internal_error"};
    if (version <= store->current->version) {
        return refuse(out_fault, "not_newer", "the version is not above the one in force", tg_fail(TG_ERR_RANGE));
    }
    TG_TRY(empty_set(&next));
    next->version = version;
    tg_result result = merge(store->current, bundle, next);
    result = tg_is_ok(result) ? bring_into_force(store, bundle, next, out_fault)
                              : refuse(out_fault, result.code == TG_ERR_LIMIT ? "too_many_values" : "out_of_memory",
                                       "no room for another named value", result);
    tg_secrets_unref(next);
    return result;
}
