#include "enclave/forward_api.h"

#include "gateway/header_policy.h"

#include "support/folder.h"
#include "sys/clock.h"
#include "unit/enclave/site_case.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KNOWN_IN  "{\"ssn\":\"123-45-6789\"}"
#define KNOWN_OUT "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}"

/* The application, in this thread. */
static struct {
    int listener, sock;
    const char *answer; /* NULL: it says nothing; empty: it closes */
    char request[65536];
    size_t len;
    char endpoint[300];
} app;

static void open_site(const char *more)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(&app, 0, sizeof app);
    app.sock = -1;
    snprintf(app.endpoint, sizeof app.endpoint, "APP_ENDPOINT=unix:%s", tg_test_path("app"));
    const char *const environment[] = {"FORWARD_SCHEMAS=/orders=a|a#P|gone", app.endpoint, "FORWARD_HEADERS=X-App",
                                       more, NULL};
    app.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", tg_test_path("app"));
    assert_int_equal(bind(app.listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(app.listener, 8), 0);
    site_open_ready(environment);
    assert_ok(tg_forward_new(&at.settings, at.loop, &at.site.applications));
}

static void close_site(void)
{
    site_close();
    if (app.sock >= 0) {
        close(app.sock);
    }
    close(app.listener);
}

/* One step of the application: it answers once the request's end has come. */
static void app_turn(void)
{
    if (app.sock < 0) {
        app.sock = accept4(app.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    ssize_t got = app.sock >= 0 ? recv(app.sock, app.request + app.len, sizeof app.request - 1 - app.len, 0) : -1;
    app.len += got > 0 ? (size_t)got : 0;
    app.request[app.len] = 0;
    if (app.answer != NULL && app.len > 0 && app.request[app.len - 1] == '}') {
        if (app.answer[0] != 0) {
            assert_int_equal(send(app.sock, app.answer, strlen(app.answer), MSG_NOSIGNAL), (ssize_t)strlen(app.answer));
        }
        shutdown(app.sock, SHUT_WR);
        app.answer = NULL;
    }
}

static const char *ask(const char *bytes)
{
    static char text[65536];
    uint64_t until_ms = tg_clock_monotonic_ms() + 20000;
    fake_client *client = site_connect();
    assert_ok(tg_buf_append(&client->in, tg_slice_str(bytes)));
    while (tg_buf_len(&client->out) == 0) {
        assert_true(tg_clock_monotonic_ms() < until_ms);
        site_turn(client);
        app_turn();
    }
    site_settle(client);
    tg_slice out = tg_buf_slice(&client->out);
    memcpy(text, out.ptr, out.len);
    text[out.len] = 0;
    site_leave(client);
    return text;
}

static const char *compose(const char *head, const char *headers, const char *body)
{
    static char request[65536];
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: tee.example.org\r\nContent-Length: %zu\r\n%s\r\n%s", head,
             strlen(body), headers, body);
    return request;
}

static bool is_error(const char *answer, unsigned status, const char *code)
{
    char start[64];
    snprintf(start, sizeof start, "{\"code\":\"%s\",\"message\":\"", code);
    return site_status(answer) == status && strncmp(site_body(answer), start, strlen(start)) == 0;
}

static void request_is_sealed_and_its_answer_relayed(void **state)
{
    (void)state;
    open_site(NULL);
    app.answer =
        "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nX-App: 1\r\nSet-Cookie: a\r\nContent-Length: 2\r\n\r\nhi";
    const char *answer = ask(compose("PUT /orders", SITE_JSON SITE_SCHEMA_A "Cookie: c\r\nX-App: 2\r\n", KNOWN_IN));
    assert_answer(answer, 201, "hi");
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(answer, "\r\nX-App: 1\r\n"));
    assert_null(strstr(answer, "Set-Cookie"));
    assert_int_equal(strncmp(app.request, "PUT /orders HTTP/1.1\r\n", 22), 0);
    assert_non_null(strstr(app.request, "\r\n\r\n" KNOWN_OUT));
    assert_non_null(strstr(app.request, "\r\nX-Schema-Name: a\r\n"));
    assert_non_null(strstr(app.request, "\r\nX-App: 2\r\n"));
    assert_null(strstr(app.request, "Cookie"));
    close_site();
}

static void request_of_a_sidecars_connection_says_its_token_first(void **state)
{
    (void)state;
    open_site(NULL);
    at.peer.return_port = 7;
    memcpy(at.peer.return_token, "sixteen bytes :)", 16);
    app.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_int_equal(site_status(ask(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN))), 204);
    assert_int_equal(strncmp(app.request, "sixteen bytes :)POST /orders ", 29), 0);
    close_site();
}

static void head_what_is_not_covered_is_refused(void **state)
{
    static const struct {
        const char *head, *headers, *body;
        unsigned status;
        const char *code;
    } cases[] = {
        {"POST /orders", SITE_JSON, KNOWN_IN, 400, "schema_missing"},
        {"POST /orders", SITE_JSON SITE_SCHEMA_A SITE_SCHEMA_A, KNOWN_IN, 400, "schema_missing"},
        {"POST /orders", SITE_JSON "X-Schema-Name: b\r\n", KNOWN_IN, 400, "schema_not_allowed"},
        {"POST /orders", SITE_JSON "X-Schema-Name: gone\r\n", KNOWN_IN, 503, "schema_not_loaded"},
        {"POST /orders?", SITE_JSON SITE_SCHEMA_A, KNOWN_IN, 400, "query_not_forwarded"},
        {"POST /orders", SITE_SCHEMA_A, KNOWN_IN, 415, "unsupported_media_type"},
        {"POST /orders", SITE_JSON SITE_SCHEMA_A "Content-Encoding: gzip\r\n", KNOWN_IN, 415, "unsupported_media_type"},
        {"DELETE /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN, 405, "method_not_allowed"},
        {"POST /orders", SITE_JSON SITE_SCHEMA_A, "{\"ssn\":", 400, "bad_request"},
        {"POST /orders", SITE_JSON SITE_SCHEMA_A, "[1]", 400, "schema_mismatch"},
    };
    (void)state;
    open_site(NULL);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const char *answer = ask(compose(cases[i].head, cases[i].headers, cases[i].body));
        if (!is_error(answer, cases[i].status, cases[i].code)) {
            fail_msg("%zu: %s", i, answer);
        }
    }
    assert_int_equal(app.sock, -1); /* nobody came */
    close_site();
}

static void head_nobody_but_listed_clients_may(void **state)
{
    (void)state;
    const char *const environment[] = {"FORWARD_SCHEMAS=/orders=a", "APP_ENDPOINT=tcp:127.0.0.1:9",
                                       "CLIENT_CA_PATH=/etc/ca.pem", "ENCRYPT_ALLOWED_CLIENTS=app.example.org", NULL};
    site_open_ready(environment);
    assert_ok(tg_forward_new(&at.settings, at.loop, &at.site.applications));
    assert_true(is_error(site_post("/orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 403, "forbidden"));
    site_client_is("app.example.org", INT64_MAX, "");
    assert_true(is_error(site_post("/orders", SITE_JSON, KNOWN_IN), 400, "schema_missing"));
    site_close();
}

static void head_without_keys_schemas_or_an_application_is_503(void **state)
{
    (void)state;
    const char *const environment[] = {"FORWARD_SCHEMAS=/orders=a", "LISTEN_PROXY_ADDRESS=tcp:127.0.0.1:9", NULL};
    site_open(environment, false);
    assert_ok(tg_forward_new(&at.settings, at.loop, &at.site.applications));
    assert_true(is_error(site_post("/orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 503, "service_unavailable"));
    site_set_schema(TEST_SCHEMA);
    assert_true(is_error(site_post("/orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 503, "service_unavailable"));
    site_set_ring("\xAA");
    assert_true(is_error(site_post("/orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 503, "no_application"));
    site_close();
}

static void answer_that_is_none_is_502(void **state)
{
    static const char *const answers[] = {
        "", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Type: b\r\nContent-Length: 0\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        open_site(NULL);
        app.answer = answers[i];
        assert_true(
            is_error(ask(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN)), 502, "application_failed"));
        close_site();
        assert_int_equal(unlink(tg_test_path("app")), 0);
    }
}

static void application_that_is_down_is_502(void **state)
{
    (void)state;
    open_site(NULL);
    assert_int_equal(unlink(tg_test_path("app")), 0);
    assert_true(
        is_error(ask(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN)), 502, "application_unreachable"));
    close_site();
}

static void header_that_may_not_stand_twice_is_400(void **state)
{
    char headers[2048] = SITE_JSON SITE_SCHEMA_A "Connection: a";
    (void)state;
    for (unsigned i = 0; i < TG_MAX_CONNECTION_OPTIONS + 1; i++) {
        strcat(headers, ",x");
    }
    strcat(headers, "\r\n");
    open_site(NULL);
    assert_int_equal(site_status(ask(compose("POST /orders", headers, KNOWN_IN))), 400);
    close_site();
}

static void cancel_gives_the_call_up(void **state)
{
    (void)state;
    uint64_t until_ms = tg_clock_monotonic_ms() + 20000;
    open_site(NULL);
    fake_client *client = site_connect();
    assert_ok(tg_buf_append(&client->in, tg_slice_str(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN))));
    while (app.len == 0) {
        assert_true(tg_clock_monotonic_ms() < until_ms);
        site_turn(client);
        app_turn();
    }
    site_leave(client);
    char rest[65536];
    ssize_t got;
    while ((got = recv(app.sock, rest, sizeof rest, 0)) != 0) { /* until its end */
        assert_true(tg_clock_monotonic_ms() < until_ms);
        tg_loop_turn(at.loop);
    }
    close_site();
}

static void body_past_the_budget_is_503(void **state)
{
    (void)state;
    open_site(NULL);
    at.budget.max = 4096;
    assert_int_equal(site_status(ask(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN))), 503);
    close_site();
}

static void answer_past_the_budget_is_503(void **state)
{
    static char answer[50000];
    (void)state;
    memset(answer, 'x', sizeof answer - 1);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 49900\r\n\r\n";
    memcpy(answer, head, strlen(head));
    answer[strlen(head) + 49900] = 0;
    open_site(NULL);
    at.budget.max = 30000;
    app.answer = answer;
    assert_int_equal(site_status(ask(compose("POST /orders", SITE_JSON SITE_SCHEMA_A, KNOWN_IN))), 503);
    close_site(); /* which finds the budget as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_is_sealed_and_its_answer_relayed, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(request_of_a_sidecars_connection_says_its_token_first, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(head_what_is_not_covered_is_refused, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test(head_nobody_but_listed_clients_may),
        cmocka_unit_test(head_without_keys_schemas_or_an_application_is_503),
        cmocka_unit_test_setup_teardown(answer_that_is_none_is_502, tg_test_folder_set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(application_that_is_down_is_502, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(header_that_may_not_stand_twice_is_400, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(cancel_gives_the_call_up, tg_test_folder_set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(answer_past_the_budget_is_503, tg_test_folder_set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(body_past_the_budget_is_503, tg_test_folder_set_up, tg_test_folder_tear_down),
    };
    return cmocka_run_group_tests(tests, test_crypto_set_up, NULL);
}
