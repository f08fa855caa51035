/* Calls to real peers of this machine: a TLS server of ours behind TCP, unix sockets and a stand-in of the egress
 * proxy, with certificates that are right and wrong. */
#include "support/folder.h"
#include "unit/io/sockets.h"
#include "unit/tls/issuer.h"

#include "http/client.h"
#include "http/server.h"
#include "io/bound.h"
#include "io/listener.h"
#include "io/peer.h"
#include "outbound/outbound.h"
#include "outbound/trust.h"
#include "tls/stream.h"

#include <stdio.h>

enum { MAX_LINE = 300 };

/* What the origin does with a connection. */
typedef enum origin_mode { SERVES_TLS, SERVES_PLAIN, SAYS_NOTHING, CLOSES, SPEAKS_FIRST } origin_mode;

typedef struct fixture {
    tg_loop *loop;
    tg_bound *bound;
    tg_listener *listener;
    tg_http_server *server;
    tg_tls_context *server_tls;
    tg_tls_context *client_tls;
    test_certificate authority;
    origin_mode mode;
    bool is_egress; /* a line comes first */
    bool closes_after_line;
    char line[MAX_LINE];
    size_t line_len;
    tg_stream *raw; /* before the server has it, or when nobody has */
    bool saw_certificate;
    char saw_name[64];

    tg_outbound *outbound;
    tg_http_client *client;
    bool is_done;
    tg_code code;
    tg_http_stage stage;
    unsigned status;
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
} fixture;

static fixture f;

static void on_request(tg_http_request *request, void *context)
{
    (void)context;
    const tg_peer_tls *tls = tg_stream_peer(request->stream)->tls;
    f.saw_certificate = tls != NULL && tls->has_certificate;
    if (tls != NULL) {
        snprintf(f.saw_name, sizeof f.saw_name, "%.*s", (int)tls->server_name.len, (const char *)tls->server_name.ptr);
    }
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("hello"));
}

static void serve(void)
{
    tg_stream *stream = TG_TAKE(f.raw);
    tg_stream *tls = NULL;
    size_t len;
    switch (f.mode) {
    case SERVES_PLAIN:
        assert_ok(tg_http_server_adopt(f.server, stream));
        break;
    case SERVES_TLS:
        assert_ok(tg_tls_accept(f.server_tls, stream, f.loop, &tls));
        assert_ok(tg_http_server_adopt(f.server, tls));
        break;
    case SPEAKS_FIRST:
        assert_ok(tg_stream_write(stream, TG_LIT("220 mail.test ESMTP\r\n"), &len));
        f.raw = stream;
        break;
    case CLOSES:
        tg_stream_close(stream);
        break;
    case SAYS_NOTHING:
    default:
        f.raw = stream;
        tg_stream_watch(stream, 0);
        break;
    }
}

static void read_line(tg_stream *stream, unsigned events, void *owner)
{
    (void)events;
    (void)owner;
    size_t len;
    while (tg_is_ok(tg_stream_read(stream, (uint8_t *)f.line + f.line_len, 1, &len))) {
        if (f.line[f.line_len++] == '\n') {
            if (f.closes_after_line) {
                tg_stream_close(TG_TAKE(f.raw));
            } else {
                serve();
            }
            return;
        }
        assert_true(f.line_len < sizeof f.line - 1);
    }
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    (void)listener;
    (void)owner;
    tg_stream_close(f.raw);
    f.raw = stream;
    if (f.is_egress) {
        tg_stream_own(stream, read_line, NULL);
        tg_stream_watch(stream, TG_STREAM_READ);
    } else {
        serve();
    }
}

static const tg_listener_calls calls = {.accepted = on_accepted};
static const tg_http_handlers handlers = {.on_request = on_request};

static void listen_on(const char *address)
{
    tg_address parsed;
    assert_ok(tg_address_parse(tg_slice_str(address), &parsed, NULL));
    assert_ok(tg_bound_open(&parsed, &(tg_bind_options){.backlog = 16}, &f.bound, NULL));
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, NULL, &f.listener));
}

/* The server shows a certificate made by `request`; the client believes `believed`, or the fixture's authority. */
static void secure(const test_request *request, const test_certificate *believed, const test_certificate *client)
{
    tg_buf chain;
    tg_buf key;
    tg_buf authorities;
    tg_tls_identity *identity = NULL;
    tg_tls_identity *own = NULL;
    tg_tls_authorities *issuers = NULL;
    tg_tls_tickets *tickets = NULL;
    tg_buf_init(&chain, 65536);
    tg_buf_init(&key, 65536);
    tg_buf_init(&authorities, 65536);
    test_certificate leaf = test_issue(request);
    test_append_certificate(&leaf, &chain);
    test_append_key(&leaf, &key);
    test_append_certificate(believed != NULL ? believed : &f.authority, &authorities);
    int64_t issued = request->to_s < 0 ? test_now() - 86400 : test_now();
    assert_ok(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), issued, &identity, NULL));
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&authorities), test_now(), &issuers, NULL));
    assert_ok(
        tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets)); /* they come on a kept connection, and are no answer */
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity,
                                                                  .client_issuers = client != NULL ? issuers : NULL,
                                                                  .tickets = tickets},
                                        &f.server_tls, NULL));
    if (client != NULL) {
        tg_buf_clear(&chain);
        tg_buf_clear(&key);
        test_append_certificate(client, &chain);
        test_append_key(client, &key);
        assert_ok(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), test_now(), &own, NULL));
    }
    assert_ok(tg_trust_new(
        &(tg_trust_settings){.ca_pem = tg_buf_slice(&authorities), .identity = own, .now_unix_s = test_now()},
        &f.client_tls, NULL));
    tg_tls_tickets_unref(tickets);
    tg_tls_identity_unref(identity);
    tg_tls_identity_unref(own);
    tg_tls_authorities_unref(issuers);
    test_certificate_done(&leaf);
    tg_buf_done(&chain);
    tg_buf_done(&key);
    tg_buf_done(&authorities);
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)call;
    (void)owner;
    f.is_done = true;
    f.code = outcome->result.code;
    f.stage = outcome->stage;
    f.status = outcome->answer != NULL ? outcome->answer->status : 0;
    tg_http_outcome_format(outcome, f.text);
}

static bool is_done(void)
{
    return f.is_done;
}

static bool has_raw(void)
{
    return f.raw != NULL;
}

static void open_client(const tg_outbound_settings *settings)
{
    assert_ok(tg_outbound_new(settings, &f.outbound, NULL));
    assert_ok(tg_http_client_new(f.loop, tg_outbound_connector(f.outbound),
                                 tg_slice_str(tg_outbound_origin(f.outbound)->authority), NULL, &f.client));
}

static void ask(void)
{
    const tg_http_ask request = {.method = TG_LIT("GET"), .target = TG_LIT("/")};
    f.is_done = false;
    assert_ok(tg_http_call_start(f.client, &request, &(tg_http_call_handlers){.on_done = on_done}, NULL, NULL));
}

static void ask_and_wait(void)
{
    ask();
    assert_true(test_run(f.loop, is_done, 20000));
}

/* https://api.test over the listener, whatever it is. */
static void ask_over_carrier(bool is_egress, bool may_be_common_name, uint64_t handshake_ms)
{
    open_client(&(tg_outbound_settings){.url = TG_LIT("https://Api.Test"),
                                        .carrier = tg_bound_address(f.bound),
                                        .is_egress = is_egress,
                                        .tls = f.client_tls,
                                        .may_be_common_name = may_be_common_name,
                                        .handshake_ms = handshake_ms});
    ask_and_wait();
}

static int set_up(void **state)
{
    (void)state;
    f = (fixture){.mode = SERVES_TLS};
    assert_ok(tg_loop_new(&f.loop));
    assert_ok(tg_http_server_new(f.loop, NULL, &handlers, NULL, &f.server));
    f.authority = test_issue_authority("the authority");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_http_client_free(f.client);
    tg_listener_close(f.listener);
    tg_bound_close(f.bound);
    tg_stream_close(f.raw);
    tg_http_server_free(f.server);
    tg_outbound_unref(f.outbound);
    tg_tls_context_unref(f.client_tls);
    tg_tls_context_unref(f.server_tls);
    test_certificate_done(&f.authority);
    tg_loop_free(f.loop);
    return 0;
}

static void assert_says(const char *part)
{
    if (strstr(f.text, part) == NULL) {
        fail_msg("'%s' does not hold '%s'", f.text, part);
    }
}

static void connector_tls_over_tcp_asks_for_the_name_of_the_url(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.code, TG_OK);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.saw_name, "api.test");
    assert_false(f.saw_certificate);
    test_run(f.loop, NULL, 20);
    ask_and_wait(); /* and over the same connection again */
    assert_int_equal(f.code, TG_OK);
    assert_int_equal(tg_http_client_counts_of(f.client).num_connected, 1);
}

static void connector_egress_line_over_unix_goes_before_tls(void **state)
{
    (void)state;
    char address[160];
    snprintf(address, sizeof address, "unix:%s", tg_test_path("egress"));
    f.is_egress = true;
    listen_on(address);
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(true, false, 0);
    assert_int_equal(f.code, TG_OK);
    assert_slice(tg_slice_of(f.line, f.line_len), "api.test:443\n");
    assert_string_equal(f.saw_name, "api.test");
}

static void connector_preface_goes_before_all_else(void **state)
{
    char too_long[TG_MAX_PREFACE_BYTES + 1] = {0};
    (void)state;
    tg_outbound_settings settings = {
        .url = TG_LIT("http://localhost"), .preface = TG_LIT("a token\n"), .plain = TG_OUTBOUND_PLAIN_LOOPBACK};
    f.is_egress = true; /* the listener reads a line first */
    f.mode = SERVES_PLAIN;
    listen_on("tcp:127.0.0.1:0");
    settings.carrier = tg_bound_address(f.bound);
    open_client(&settings);
    ask_and_wait();
    assert_int_equal(f.status, 200);
    assert_string_equal(f.line, "a token\n");
    tg_outbound *refused;
    settings.preface = tg_slice_of(too_long, sizeof too_long);
    assert_code(tg_outbound_new(&settings, &refused, NULL), TG_ERR_LIMIT);
}

static void connector_egress_that_closes_is_named(void **state)
{
    (void)state;
    f.is_egress = true;
    f.closes_after_line = true;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(true, false, 0);
    assert_int_equal(f.stage, TG_HTTP_STAGE_EGRESS);
    assert_says("egress: the egress proxy closed the connection");
}

static void connector_certificate_of_another_name_is_refused(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "api.test", .san = "DNS:other.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, true, 0);
    assert_int_equal(f.code, TG_ERR_CLOSED);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("handshake: tls: certificate verify failed");
    assert_says("hostname mismatch");
}

/* Whether the connector demands a server that asks for our certificate. */
static void ask_mutual(void)
{
    open_client(&(tg_outbound_settings){.url = TG_LIT("https://api.test"),
                                        .carrier = tg_bound_address(f.bound),
                                        .tls = f.client_tls,
                                        .is_mutual = true});
    ask_and_wait();
}

static void connector_mutual_demands_to_be_asked_for_a_certificate(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_mutual();
    assert_int_equal(f.code, TG_ERR_DENIED);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("asks for no client certificate");
}

static void connector_mutual_to_who_asks_is_answered(void **state)
{
    (void)state;
    test_certificate client = test_issue(&(test_request){.subject = "us", .by = &f.authority});
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, &client);
    ask_mutual();
    assert_int_equal(f.code, TG_OK);
    assert_true(f.saw_certificate);
    test_certificate_done(&client);
}

static void connector_expired_certificate_is_refused(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(
        &(test_request){
            .subject = "x", .san = "DNS:api.test", .by = &f.authority, .from_s = -3L * TEST_DAY_S, .to_s = -60},
        NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("certificate has expired");
}

static void connector_self_signed_certificate_is_refused(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test"}, NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("self-signed certificate");
}

static void connector_common_name_counts_only_where_it_may(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    tg_http_client_free(TG_TAKE(f.client));
    tg_outbound_unref(TG_TAKE(f.outbound));
    ask_over_carrier(false, true, 0);
    assert_int_equal(f.code, TG_OK);
}

static void connector_client_certificate_is_shown(void **state)
{
    (void)state;
    test_certificate client =
        test_issue(&(test_request){.subject = "us", .san = "DNS:us.test", .usage = "clientAuth", .by = &f.authority});
    listen_on("tcp:127.0.0.1:0");
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, &client);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.code, TG_OK);
    assert_true(f.saw_certificate);
    test_certificate_done(&client);
}

static void connector_nobody_listening_is_a_failed_dial(void **state)
{
    (void)state;
    struct sockaddr_in address;
    char url[64];
    close(test_tcp_listen(&address));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    open_client(&(tg_outbound_settings){.url = tg_slice_str(url), .plain = TG_OUTBOUND_PLAIN_LOOPBACK});
    ask_and_wait();
    assert_int_equal(f.stage, TG_HTTP_STAGE_DIAL);
    assert_says("dial: tcp:127.0.0.1:");
    assert_says("connect: system: Connection refused");
}

static void connector_peer_that_is_not_tls_is_refused(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.mode = SPEAKS_FIRST;
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("handshake: tls: ");
}

static void connector_peer_that_closes_is_a_failed_handshake(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.mode = CLOSES;
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, false, 0);
    assert_int_equal(f.code, TG_ERR_CLOSED);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("handshake: ");
}

static void connector_peer_that_says_nothing_is_given_up(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.mode = SAYS_NOTHING;
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    ask_over_carrier(false, false, 100);
    assert_int_equal(f.code, TG_ERR_TIMEOUT);
    assert_int_equal(f.stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_says("handshake: not done within 100 ms");
}

static void connector_cancelled_in_any_stage_leaves_nothing(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.mode = SAYS_NOTHING;
    secure(&(test_request){.subject = "x", .san = "DNS:api.test", .by = &f.authority}, NULL, NULL);
    open_client(&(tg_outbound_settings){
        .url = TG_LIT("https://api.test"), .carrier = tg_bound_address(f.bound), .tls = f.client_tls});
    ask(); /* dials */
    test_run(f.loop, NULL, 1);
    tg_http_client_free(TG_TAKE(f.client));
    assert_true(f.is_done);
    assert_int_equal(f.code, TG_ERR_CANCELLED);
    assert_ok(tg_http_client_new(f.loop, tg_outbound_connector(f.outbound), TG_LIT("api.test"), NULL, &f.client));
    tg_stream_close(TG_TAKE(f.raw));
    ask(); /* shakes hands */
    assert_true(test_run(f.loop, has_raw, 10000));
    tg_http_client_free(TG_TAKE(f.client));
    assert_int_equal(f.code, TG_ERR_CANCELLED);
}

static void connector_plain_http_on_loopback_where_asked(void **state)
{
    (void)state;
    char url[64];
    listen_on("tcp:127.0.0.1:0");
    f.mode = SERVES_PLAIN;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/base", (unsigned)tg_bound_address(f.bound)->port);
    open_client(&(tg_outbound_settings){.url = tg_slice_str(url), .plain = TG_OUTBOUND_PLAIN_LOOPBACK});
    ask_and_wait();
    assert_int_equal(f.code, TG_OK);
    assert_int_equal(f.status, 200);
}

static void outbound_new_plain_http_elsewhere_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        tg_outbound_plain plain;
        bool is_taken;
    } cases[] = {
        {"http://127.0.0.1", TG_OUTBOUND_TLS_ONLY, false},
        {"http://127.0.0.1", TG_OUTBOUND_PLAIN_LOOPBACK, true},
        {"http://api.test", TG_OUTBOUND_PLAIN_LOOPBACK, false},
        {"http://169.254.169.254", TG_OUTBOUND_PLAIN_LOOPBACK, false},
        {"http://169.254.169.254", TG_OUTBOUND_PLAIN_LOCAL, true},
        {"http://[::1]:8080", TG_OUTBOUND_PLAIN_LOCAL, true},
        {"http://10.0.0.1", TG_OUTBOUND_PLAIN_LOCAL, false},
        {"https://api.test", TG_OUTBOUND_PLAIN_LOCAL, false}, /* without authorities */
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_outbound *outbound = NULL;
        tg_detail detail = {.line = 0};
        tg_result result = tg_outbound_new(
            &(tg_outbound_settings){.url = tg_slice_str(cases[i].url), .plain = cases[i].plain}, &outbound, &detail);
        assert_code(result, cases[i].is_taken ? TG_OK : TG_ERR_DENIED);
        assert_int_equal(detail.reason[0] != 0, !cases[i].is_taken);
        tg_outbound_unref(outbound);
    }
    tg_outbound *outbound = NULL;
    assert_code(tg_outbound_new(&(tg_outbound_settings){.url = TG_LIT("api.test")}, &outbound, NULL), TG_ERR_SYNTAX);
}

static void outbound_ref_keeps_it(void **state)
{
    (void)state;
    tg_outbound *outbound = NULL;
    const tg_outbound_settings settings = {.url = TG_LIT("http://[::1]:1"), .plain = TG_OUTBOUND_PLAIN_LOOPBACK};
    assert_ok(tg_outbound_new(&settings, &outbound, NULL));
    assert_ptr_equal(tg_outbound_ref(outbound), outbound);
    tg_outbound_unref(outbound);
    assert_string_equal(tg_outbound_origin(outbound)->authority, "[::1]:1");
    tg_outbound_unref(outbound);
    tg_outbound_unref(NULL);
}

static void trust_new_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    tg_tls_context *context = NULL;
    tg_detail detail = {.line = 0};
    const tg_trust_settings settings = {.ca_path = "/nowhere/ca.pem", .now_unix_s = test_now()};
    assert_code(tg_trust_new(&settings, &context, &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, "/nowhere/ca.pem");
    const tg_trust_settings damaged = {.ca_pem = TG_LIT("-----BEGIN CERTIFICATE-----\n"), .now_unix_s = test_now()};
    assert_code(tg_trust_new(&damaged, &context, &detail), TG_ERR_SYNTAX);
    assert_null(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connector_tls_over_tcp_asks_for_the_name_of_the_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_egress_line_over_unix_goes_before_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_preface_goes_before_all_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_egress_that_closes_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_certificate_of_another_name_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_mutual_demands_to_be_asked_for_a_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_mutual_to_who_asks_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_expired_certificate_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_self_signed_certificate_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_common_name_counts_only_where_it_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_client_certificate_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_nobody_listening_is_a_failed_dial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_peer_that_is_not_tls_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_peer_that_closes_is_a_failed_handshake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_peer_that_says_nothing_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_cancelled_in_any_stage_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connector_plain_http_on_loopback_where_asked, set_up, tear_down),
        cmocka_unit_test(outbound_new_plain_http_elsewhere_is_refused),
        cmocka_unit_test(outbound_ref_keeps_it),
        cmocka_unit_test(trust_new_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, tg_test_folder_set_up, tg_test_folder_tear_down);
}
