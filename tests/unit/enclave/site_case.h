/* A site on a real loop and HTTP server, with clients in memory. Included by one test program at a time. */
#ifndef TG_TESTS_UNIT_ENCLAVE_SITE_CASE_H
#define TG_TESTS_UNIT_ENCLAVE_SITE_CASE_H

#include "enclave/site.h"
#include "enclave/snapshot.h"
#include "io/loop.h"
#include "io/peer.h"
#include "support/fake_client.h"
#include "unit/enclave/parts.h"

#include <stdio.h>

typedef struct site_case {
    tg_enclave_settings settings;
    tg_loop *loop;
    tg_publisher *publisher;
    tg_http_budget budget;
    _Atomic bool is_draining;
    tg_site site;
    tg_http_server *server;
    tg_peer_name name; /* the client certificate's, once site_client_is has said so */
    tg_peer_tls tls;
    tg_peer peer;
} site_case;

static site_case at;

/* Gives new requests what the publisher holds now. */
static inline void site_take_up(void)
{
    tg_serving *next = NULL;
    tg_snapshot *snapshot = tg_publisher_current(at.publisher);
    assert_ok(tg_serving_new(snapshot, at.site.serving, &next));
    tg_snapshot_unref(snapshot);
    tg_serving_unref(at.site.serving);
    at.site.serving = next;
}

static inline void site_set_ring(const char *fills)
{
    assert_ok(tg_publisher_set_ring(at.publisher, test_ring(fills)));
    site_take_up();
}

static inline void site_set_schema(const char *text)
{
    assert_ok(tg_publisher_set_schemas(at.publisher, tg_build_text(text), 1000));
    site_take_up();
}

/* A site without keys and schemas. */
static inline void site_open(const char *const *environment, bool is_admin)
{
    at = (site_case){.peer = {.kind = TG_ADDRESS_TCP, .ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}, .port = 1024}};
    test_settings(&at.settings, environment);
    assert_ok(tg_loop_new(&at.loop));
    assert_ok(tg_publisher_new(&at.publisher));
    tg_http_budget_init(&at.budget, (size_t)at.settings.max_inflight_bytes);
    at.site = (tg_site){.settings = &at.settings,
                        .loop = at.loop,
                        .budget = &at.budget,
                        .is_draining = &at.is_draining,
                        .is_admin = is_admin};
    site_take_up();
    tg_http_handlers handlers = tg_site_handlers(&at.site);
    assert_ok(tg_http_server_new(at.loop, NULL, &handlers, &at.budget, &at.server));
}

/* The public site with the key 32 x 0xAA and TEST_SCHEMA. */
static inline void site_open_ready(const char *const *environment)
{
    site_open(environment, false);
    site_set_ring("\xAA");
    site_set_schema(TEST_SCHEMA);
}

static inline void site_close(void)
{
    tg_http_server_free(at.server);
    tg_applications_free(at.site.applications);
    assert_int_equal(atomic_load(&at.budget.used), 0);
    tg_serving_unref(at.site.serving);
    tg_loop_free(at.loop);
    tg_publisher_free(at.publisher);
    tg_enclave_settings_done(&at.settings);
}

/* From here on clients prove this name (DNS), by a certificate that ends then, and ask for this server's name. */
static inline void site_client_is(const char *name, int64_t not_after_unix_s, const char *server_name)
{
    at.name = (tg_peer_name){TG_PEER_NAME_DNS, tg_slice_str(name)};
    at.tls = (tg_peer_tls){.server_name = tg_slice_str(server_name),
                           .has_certificate = true,
                           .not_after_unix_s = not_after_unix_s,
                           .names = &at.name,
                           .num_names = 1};
    at.peer.tls = &at.tls;
}

static inline bool site_turn(fake_client *client)
{
    bool is_any = fake_client_turn(client);
    tg_loop_turn(at.loop);
    return is_any;
}

static inline fake_client *site_connect(void)
{
    fake_client *client = fake_client_new();
    client->peer = &at.peer;
    assert_ok(tg_http_server_adopt(at.server, &client->stream));
    return client;
}

/* Until the client has an answer and nothing moves any more. */
static inline void site_settle(fake_client *client)
{
    for (unsigned quiet = 0, turns = 0; quiet < 3 || tg_buf_len(&client->out) == 0; turns++) {
        assert_in_range(turns, 0, 100000);
        quiet = site_turn(client) ? 0 : quiet + 1;
    }
}

/* The client goes without a word. */
static inline void site_leave(fake_client *client)
{
    client->is_broken = true;
    tg_buf_clear(&client->in);
    for (unsigned turns = 0; !client->is_closed; turns++) {
        assert_in_range(turns, 0, 100000);
        site_turn(client);
    }
    fake_client_free(client);
}

/* What one connection answers to these bytes; holds until the next call. */
static inline const char *site_ask(const char *bytes)
{
    static char text[1 << 20];
    fake_client *client = site_connect();
    assert_ok(tg_buf_append(&client->in, tg_slice_str(bytes)));
    site_settle(client);
    tg_slice out = tg_buf_slice(&client->out);
    assert_true(out.len < sizeof text);
    if (out.len > 0) {
        memcpy(text, out.ptr, out.len);
    }
    text[out.len] = 0;
    site_leave(client);
    return text;
}

static inline unsigned site_status(const char *answer)
{
    unsigned status = 0;
    assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
    for (size_t i = 9; i < 12; i++) {
        assert_in_range(answer[i], '0', '9');
        status = status * 10 + (unsigned)(answer[i] - '0');
    }
    return status;
}

static inline const char *site_body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static inline const char *site_get(const char *path)
{
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: tee.example.org\r\n\r\n", path);
    return site_ask(request);
}

/* A POST with these further header lines, each ended by CRLF. */
static inline const char *site_post(const char *path, const char *headers, const char *body)
{
    static char request[1 << 20];
    assert_in_range(snprintf(request, sizeof request,
                             "POST %s HTTP/1.1\r\nHost: tee.example.org\r\nContent-Length: %zu\r\n%s\r\n%s", path,
                             strlen(body), headers, body),
                    1, sizeof request - 1);
    return site_ask(request);
}

#define SITE_JSON     "Content-Type: application/json\r\n"
#define SITE_SCHEMA_A "X-Schema-Name: a\r\n"

#define assert_answer(answer, expected_status, expected_body)                                                          \
    do {                                                                                                               \
        const char *the_answer = (answer);                                                                             \
        assert_string_equal(site_body(the_answer), expected_body);                                                     \
        assert_int_equal(site_status(the_answer), expected_status);                                                    \
    } while (0)

#endif
