/* Upstreams on a real loop, before backends in memory that the test plays. Included by one test program at a time. */
#ifndef TG_TESTS_UNIT_GATEWAY_UPSTREAM_CASE_H
#define TG_TESTS_UNIT_GATEWAY_UPSTREAM_CASE_H

#include "unit/secrets/secrets_case.h"

#include "gateway/upstreams.h"
#include "secrets/delivery.h"
#include "support/fake_client.h"
#include "sys/log.h"

#include <unistd.h>

enum { MAX_BACKENDS = 32 };

struct tg_http_attempt {
    tg_tick tick;
    tg_http_connected_fn *done;
    void *owner;
};

typedef struct upstream_case {
    tg_http_connector connector; /* first */
    tg_loop *loop;
    tg_upstreams *upstreams;
    tg_code connect_code; /* of the attempts from now on */
    tg_http_stage connect_stage;
    const char *connect_reason;
    bool never_connects;
    unsigned num_attempts; /* under way */
    fake_client *backends[MAX_BACKENDS];
    size_t num_backends;
    const char *answer; /* of every backend to every request, where it is not NULL; then it ends, where it ends */
    bool ends;
    char asked[8192]; /* the last request, whole */
    size_t step;      /* of what is read of backends */
} upstream_case;

static upstream_case up;

static inline void up_on_attempt(tg_tick *tick)
{
    tg_http_attempt *attempt = TG_OBJECT_OF(tick, tg_http_attempt, tick);
    const tg_http_connected connected = {
        .result = {up.connect_code, 0}, .stage = up.connect_stage, .reason = up.connect_reason};
    tg_stream *stream = NULL;
    up.num_attempts--;
    if (up.connect_code == TG_OK) {
        assert_true(up.num_backends < MAX_BACKENDS);
        up.backends[up.num_backends] = fake_client_new();
        up.backends[up.num_backends]->step = up.step;
        stream = &up.backends[up.num_backends++]->stream;
    }
    attempt->done(stream, &connected, attempt->owner);
    free(attempt);
}

static inline tg_result up_connect(tg_http_connector *connector, tg_loop *loop, tg_http_connected_fn *done, void *owner,
                                   tg_http_attempt **out_attempt)
{
    tg_http_attempt *attempt = calloc(1, sizeof *attempt);
    assert_non_null(attempt);
    (void)connector;
    *attempt = (tg_http_attempt){.tick = {.run = up_on_attempt}, .done = done, .owner = owner};
    up.num_attempts++;
    if (!up.never_connects) {
        tg_loop_tick(loop, &attempt->tick);
    }
    *out_attempt = attempt;
    return tg_ok();
}

static inline void up_cancel(tg_http_connector *connector, tg_http_attempt *attempt)
{
    (void)connector;
    tg_tick_cancel(&attempt->tick);
    up.num_attempts--;
    free(attempt);
}

static inline tg_http_connector *up_connector_of(const tg_outbound_settings *settings, void *owner)
{
    (void)settings;
    return &((upstream_case *)owner)->connector;
}

static inline tg_upstreams_settings up_settings(void)
{
    return (tg_upstreams_settings){.plain = TG_OUTBOUND_PLAIN_LOOPBACK,
                                   .num_connections = 4,
                                   .max_ask_bytes = 1 << 20,
                                   .connector_of = up_connector_of,
                                   .owner = &up};
}

static inline void up_open(const tg_upstreams_settings *settings)
{
    const tg_upstreams_settings usual = up_settings();
    up = (upstream_case){.connector = {.connect = up_connect, .cancel = up_cancel}, .connect_reason = ""};
    tg_log_set_level(TG_LOG_OFF);
    assert_ok(tg_loop_new(&up.loop));
    assert_ok(tg_upstreams_new(up.loop, settings != NULL ? settings : &usual, &up.upstreams));
}

static inline void up_close(void)
{
    tg_upstreams_free(up.upstreams);
    assert_int_equal(up.num_attempts, 0);
    for (size_t i = 0; i < up.num_backends; i++) {
        assert_true(up.backends[i]->is_closed);
        fake_client_free(up.backends[i]);
    }
    tg_loop_free(up.loop);
}

/* Whether `text` is a request with all of its body; the tests' requests say Content-Length where they have one. */
static inline bool up_is_whole(tg_slice text)
{
    static char copy[sizeof up.asked];
    if (text.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    const char *end = strstr(copy, "\r\n\r\n");
    const char *length = strstr(copy, "Content-Length: ");
    size_t body_len = length != NULL ? (size_t)strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;
    return end != NULL && strlen(end + 4) >= body_len;
}

/* Answers where a request has come; true where something moved. */
static inline bool up_play(void)
{
    bool has_moved = false;
    for (size_t i = 0; i < up.num_backends; i++) {
        fake_client *backend = up.backends[i];
        tg_slice out = tg_buf_slice(&backend->out);
        if (up.answer != NULL && up_is_whole(out)) {
            memcpy(up.asked, out.ptr, out.len);
            up.asked[out.len] = 0;
            tg_buf_clear(&backend->out);
            assert_ok(tg_buf_append(&backend->in, tg_slice_str(up.answer)));
            backend->is_at_end = up.ends;
            has_moved = true;
        }
        has_moved = fake_client_turn(backend) || has_moved;
    }
    return has_moved;
}

static inline void up_settle(void)
{
    for (unsigned quiet = 0; quiet < 5;) {
        size_t before = up.num_backends;
        bool has_moved = up_play();
        tg_loop_turn(up.loop);
        quiet = has_moved || up.num_backends != before ? 0 : quiet + 1;
    }
}

/* Secrets of a version, with the identity and authority of `parts` where it is not NULL, and ECS_WATERMARK_ENDPOINT. */
static inline tg_secrets *up_secrets(const test_parts *parts, uint64_t version, const char *endpoint)
{
    const tg_bundle_rules rules = {.now_unix_s = test_now()};
    tg_secrets_store *store;
    tg_delivery_fault fault;
    tg_bundle bundle;
    json_t *object = json_object();
    if (parts != NULL) {
        json_object_set_new(object, "MTLS_CLIENT_CERT_JSON", test_mtls(parts->cert, parts->key, parts->ca));
    }
    if (endpoint != NULL) {
        json_object_set_new(object, "ECS_WATERMARK_ENDPOINT", json_string(endpoint));
    }
    char *text = json_dumps(object, JSON_COMPACT);
    assert_ok(tg_bundle_parse(tg_slice_str(text), &rules, &bundle, &fault));
    assert_ok(tg_secrets_store_new(NULL, NULL, NULL, &store));
    assert_ok(tg_secrets_store_apply(store, &bundle, version, &fault));
    tg_secrets *secrets = tg_secrets_ref(tg_secrets_store_current(store));
    tg_secrets_store_free(store);
    tg_bundle_done(&bundle);
    json_decref(object);
    free(text);
    return secrets;
}

#endif
