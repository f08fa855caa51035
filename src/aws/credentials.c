#include "aws/credentials.h"

#include "aws/key_fetch.h"
#include "sys/log.h"

#include <stdlib.h>

enum { MIN_PAUSE_MS = 1000, MAX_PAUSE_MS = 60000 };

struct tg_aws_credentials {
    tg_aws_transport *transport;
    tg_aws_key_set *set;
    uint64_t taken_s;         /* when the set came, by AWS's clock as it is known */
    tg_aws_key_fetch *fetch;  /* the refresh that is under way */
    tg_aws_key_source source; /* get NULL: none */
    uint64_t version;         /* of the source, when it was asked last */
    const char *source_name;
    tg_link waits;
    tg_tick tick; /* tells the waits */
    tg_aws_failure failure;
    uint64_t not_before_ms; /* the next refresh, after a failure */
    uint64_t pause_ms;
};

static bool is_good(const tg_aws_credentials *credentials, uint64_t margin_s)
{
    const tg_aws_key_set *set = credentials->set;
    return set != NULL && (set->expires_unix_s == 0 ||
                           set->expires_unix_s > tg_aws_transport_now_s(credentials->transport) + margin_s);
}

static bool is_fresh(const tg_aws_credentials *credentials)
{
    uint64_t now_s = tg_aws_transport_now_s(credentials->transport);
    return credentials->set != NULL && now_s >= credentials->taken_s && now_s - credentials->taken_s < TG_AWS_FRESH_S;
}

/* Keys that have just come are tried though they seem to have expired: the clock may be wrong, and only AWS's answer to
 * a call can tell. */
static bool is_usable(const tg_aws_credentials *credentials)
{
    return is_good(credentials, 0) || is_fresh(credentials);
}

static void tell(tg_tick *tick)
{
    tg_aws_credentials *credentials = TG_OBJECT_OF(tick, tg_aws_credentials, tick);
    tg_link told;
    tg_link_init_head(&told);
    tg_link_move_all(&credentials->waits, &told);
    tg_aws_key_set *set = is_usable(credentials) ? tg_aws_key_set_ref(credentials->set) : NULL;
    while (!tg_link_is_empty(&told)) {
        tg_aws_wait *wait = TG_OBJECT_OF(told.next, tg_aws_wait, link);
        tg_link_remove(&wait->link);
        wait->ready(wait, set, set != NULL ? NULL : &credentials->failure);
    }
    tg_aws_key_set_unref(set);
}

static void take(tg_aws_credentials *credentials, tg_aws_key_set *set, const tg_aws_failure *failure)
{
    if (set != NULL) {
        tg_aws_key_set_unref(credentials->set);
        credentials->set = set;
        credentials->taken_s = tg_aws_transport_now_s(credentials->transport);
        credentials->pause_ms = 0;
        credentials->not_before_ms = 0;
        tg_log(TG_LOG_DEBUG, "aws", "credentials renewed", TG_F_STR("source", credentials->source_name),
               TG_F_UINT("expires", set->expires_unix_s));
    } else if (failure != NULL) {
        uint64_t twice = credentials->pause_ms * 2;
        credentials->pause_ms = twice < MIN_PAUSE_MS ? MIN_PAUSE_MS : twice < MAX_PAUSE_MS ? twice : MAX_PAUSE_MS;
        credentials->not_before_ms =
            tg_loop_now_ms(tg_aws_transport_loop(credentials->transport)) + credentials->pause_ms;
        credentials->failure = *failure;
    }
    tg_loop_tick(tg_aws_transport_loop(credentials->transport), &credentials->tick);
}

/* Where the caller's source has changed, what is held or asked for is no longer wanted. */
static bool is_changed(tg_aws_credentials *credentials)
{
    uint64_t version = credentials->source.version != NULL ? credentials->source.version(credentials->source.owner)
                                                           : credentials->version;
    if (version == credentials->version) {
        return false;
    }
    credentials->version = version;
    credentials->pause_ms = 0;
    credentials->not_before_ms = 0;
    tg_aws_key_set_unref(TG_TAKE(credentials->set));
    return true;
}

static void refresh(tg_aws_credentials *credentials);

static void on_fetched(tg_aws_key_set *set, const tg_aws_failure *failure, void *owner)
{
    tg_aws_credentials *credentials = owner;
    tg_aws_key_fetch *fetch = TG_TAKE(credentials->fetch);
    if (is_changed(credentials)) {
        tg_aws_key_set_unref(set);
        refresh(credentials);
    } else {
        take(credentials, set, failure); /* failure is the fetch's */
    }
    tg_aws_key_fetch_free(fetch);
}

static void fail(tg_aws_credentials *credentials, tg_result result, const char *message)
{
    tg_aws_failure failure;
    tg_aws_failure_set(&failure, result, TG_AWS_GIVE_UP, tg_slice_str(message));
    take(credentials, NULL, &failure);
}

/* False where the others are to be asked. */
static bool has_asked_caller(tg_aws_credentials *credentials)
{
    tg_aws_key_set *set = NULL;
    if (credentials->source.get == NULL) {
        return false;
    }
    tg_result result = credentials->source.get(credentials->source.owner, &set);
    if (tg_is_ok(result) && set == NULL) {
        return false;
    }
    credentials->source_name = "callback";
    if (tg_is_ok(result)) {
        take(credentials, set, NULL);
    } else {
        fail(credentials, result, "credentials: the caller's source has none");
    }
    return true;
}

static void refresh(tg_aws_credentials *credentials)
{
    if (credentials->fetch != NULL ||
        tg_loop_now_ms(tg_aws_transport_loop(credentials->transport)) < credentials->not_before_ms) {
        return;
    }
    if (has_asked_caller(credentials)) {
        return;
    }
    tg_result result = tg_aws_key_fetch_start(credentials->transport, on_fetched, credentials,
                                              &credentials->source_name, &credentials->fetch);
    if (!tg_is_ok(result)) {
        fail(credentials, result, "credentials: no memory");
    }
}

tg_result tg_aws_credentials_new(tg_aws_transport *transport, const tg_aws_key_source *source,
                                 tg_aws_credentials **out_credentials)
{
    tg_aws_credentials *credentials = calloc(1, sizeof *credentials);
    if (credentials == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    credentials->transport = transport;
    if (source != NULL) {
        credentials->source = *source;
    }
    credentials->source_name = "none";
    credentials->tick.run = tell;
    tg_link_init_head(&credentials->waits);
    *out_credentials = credentials;
    return tg_ok();
}

void tg_aws_credentials_free(tg_aws_credentials *credentials)
{
    if (credentials != NULL) {
        tg_tick_cancel(&credentials->tick);
        tg_aws_key_fetch_free(credentials->fetch);
        tg_aws_key_set_unref(credentials->set);
        free(credentials);
    }
}

tg_aws_key_set *tg_aws_credentials_now(tg_aws_credentials *credentials)
{
    if (is_changed(credentials)) {
        tg_aws_key_fetch_free(TG_TAKE(credentials->fetch));
    }
    if (!is_good(credentials, TG_AWS_REFRESH_BEFORE_S) && !is_fresh(credentials)) {
        refresh(credentials);
    }
    return is_usable(credentials) ? credentials->set : NULL;
}

void tg_aws_credentials_drop(tg_aws_credentials *credentials, const tg_aws_key_set *set)
{
    if (credentials->set == set) {
        tg_aws_key_set_unref(TG_TAKE(credentials->set));
    }
}

const char *tg_aws_credentials_source(const tg_aws_credentials *credentials)
{
    return credentials->source_name;
}

void tg_aws_credentials_wait(tg_aws_credentials *credentials, tg_aws_wait *wait)
{
    tg_link_append(&credentials->waits, &wait->link);
    if (tg_aws_credentials_now(credentials) != NULL || credentials->fetch == NULL) {
        tg_loop_tick(tg_aws_transport_loop(credentials->transport), &credentials->tick); /* known already */
    }
}

void tg_aws_credentials_leave(tg_aws_wait *wait)
{
    tg_link_remove(&wait->link);
}
