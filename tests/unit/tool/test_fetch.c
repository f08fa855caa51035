#include "tool/fetch.h"

#include "sys/clock.h"
#include "unit/tool/tls_server.h"

#include <signal.h>
#include <stdlib.h>

/* One endpoint, one deadline, one key. */

static test_tls_server server;
static tg_fetch *fetch;
static tg_detail detail;

static const tg_option options[] = {TG_FETCH_OPTIONS};

static int do_nothing(const tg_invocation *invocation, tg_console *console)
{
    (void)invocation;
    (void)console;
    return 0;
}

static const tg_command command = {
    .name = "test", .options = options, .num_options = TG_COUNT(options), .run = do_nothing};

static tg_result open_with(const char *url, const char *option, const char *value)
{
    const char *argv[] = {"test", option, value};
    tg_invocation invocation;
    tg_detail_clear(&detail);
    assert_ok(tg_options_parse(&command, option != NULL ? 3 : 1, argv, &invocation, &detail));
    return tg_fetch_open(&invocation, url, &fetch, &detail);
}

static tg_result get(tg_slice target, uint64_t max_bytes, tg_fetched *fetched)
{
    const tg_http_ask ask = {.method = TG_LIT("GET"), .target = target, .max_answer_bytes = max_bytes};
    tg_detail_clear(&detail);
    return tg_fetch_ask(fetch, &ask, fetched, &detail);
}

static void start(void (*serve)(test_tls_server *, SSL *, unsigned))
{
    server.serve = serve;
    test_tls_start(&server);
}

static int set_up(void **state)
{
    (void)state;
    server = (test_tls_server){0};
    fetch = NULL;
    signal(SIGPIPE, SIG_IGN); /* the server's: ours needs no such thing */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_fetch_close(fetch);
    if (server.heard != NULL) {
        test_tls_stop(&server);
    }
    return 0;
}

static void answer_all(test_tls_server *self, SSL *ssl, unsigned number)
{
    (void)number;
    while (test_tls_hear(self, ssl)) {
        test_tls_answer(ssl, 201, "text/x-test", "hello", 5);
    }
}

static void ask_two_questions_share_a_connection_and_its_key(void **state)
{
    (void)state;
    tg_fetched fetched;
    uint8_t key[32];
    start(answer_all);
    assert_ok(open_with(server.url, NULL, NULL));
    assert_int_equal(tg_fetch_key(fetch).len, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(get(TG_LIT("/a?b=c"), 5, &fetched));
        assert_int_equal(fetched.status, 201);
        assert_string_equal(fetched.content_type, "text/x-test");
        assert_slice(tg_buf_slice(&fetched.body), "hello");
        tg_fetched_done(&fetched);
        assert_non_null(strstr(server.heard, "GET /a?b=c HTTP/1.1\r\n"));
    }
    test_tls_key(&server, key);
    assert_int_equal(tg_fetch_key(fetch).len, sizeof key);
    assert_memory_equal(tg_fetch_key(fetch).ptr, key, sizeof key);
}

static void open_takes_the_url_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *target, *path;
    } cases[] = {{"https://h", "/", "/"},
                 {"https://h/", "/", "/"},
                 {"https://[::1]:8443/a/b", "/a/b", "/a/b"},
                 {"HTTPS://h:1/a?b=c/d", "/a?b=c/d", "/a"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_ok(open_with(cases[i].url, NULL, NULL));
        tg_slice target = tg_fetch_target(fetch), path = tg_fetch_path(fetch);
        tg_assert_slice(target, tg_slice_str(cases[i].target), __FILE__, __LINE__);
        tg_assert_slice(path, tg_slice_str(cases[i].path), __FILE__, __LINE__);
        tg_fetch_close(TG_TAKE(fetch));
    }
}

static void open_what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"",
                                       "https://",
                                       "https://:1",
                                       "https://h:",
                                       "https://h:x",
                                       "https://h:0",
                                       "https://[::1",
                                       "https://h/a b",
                                       "https://u@h",
                                       "https://h#f",
                                       "http://h",
                                       "ftp://h",
                                       "https://h?a",
                                       "https://h?a/b",
                                       "h",
                                       "https://h:70000"};
    for (size_t i = 0; i < TG_COUNT(urls); i++) {
        assert_false(tg_is_ok(open_with(urls[i], NULL, NULL)));
        assert_null(fetch);
        assert_true(detail.reason[0] != 0);
    }
}

static void open_timeout_outside_its_range_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "3601", "-1", "1.5", "", "99999999999999999999"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(open_with("https://h", "--timeout", bad[i]), TG_ERR_RANGE);
        assert_string_equal(detail.field, "--timeout");
    }
    assert_ok(open_with("https://h", "--timeout", "3600"));
    tg_fetch_close(TG_TAKE(fetch));
    assert_false(tg_is_ok(open_with("https://h", "--connect-to", "nowhere")));
}

static void ask_carrier_is_dialled_and_the_name_is_the_urls(void **state)
{
    (void)state;
    tg_fetched fetched;
    char address[64];
    start(answer_all);
    snprintf(address, sizeof address, "tcp:127.0.0.1:%u", server.port);
    assert_ok(open_with("https://tee.test:8443/x", "--connect-to", address));
    assert_ok(get(tg_fetch_target(fetch), 5, &fetched));
    tg_fetched_done(&fetched);
    assert_string_equal(server.server_name, "tee.test");
    assert_non_null(strstr(server.heard, "\r\nHost: tee.test:8443\r\n"));
}

static void answer_once(test_tls_server *self, SSL *ssl, unsigned number)
{
    (void)number;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (test_tls_hear(self, ssl)) {
        test_tls_say(ssl, text, sizeof text - 1);
    }
}

static void ask_another_connection_with_the_same_key_is_taken(void **state)
{
    (void)state;
    tg_fetched fetched;
    start(answer_once);
    assert_ok(open_with(server.url, NULL, NULL));
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(get(TG_LIT("/"), 5, &fetched));
        assert_string_equal(fetched.content_type, "");
        tg_fetched_done(&fetched);
    }
}

static void ask_another_connection_with_another_key_is_refused(void **state)
{
    (void)state;
    tg_fetched fetched;
    server.changes_its_key = true;
    start(answer_once);
    assert_ok(open_with(server.url, NULL, NULL));
    assert_ok(get(TG_LIT("/"), 5, &fetched));
    tg_fetched_done(&fetched);
    memset(server.heard, 0, 16);
    assert_code(get(TG_LIT("/"), 5, &fetched), TG_ERR_MISMATCH);
    assert_non_null(strstr(detail.reason, "another key than a moment ago"));
    assert_int_equal(server.heard[0], 0); /* nothing was asked of it */
}

/* Each byte comes in time; all of them never. */
static void drip(test_tls_server *self, SSL *ssl, unsigned number)
{
    (void)number;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    if (test_tls_hear(self, ssl)) {
        test_tls_say(ssl, head, sizeof head - 1);
        while (SSL_write(ssl, "x", 1) == 1) {
            usleep(50000);
        }
    }
}

static void ask_endless_answer_meets_the_whole_deadline(void **state)
{
    (void)state;
    tg_fetched fetched;
    start(drip);
    assert_ok(open_with(server.url, "--timeout", "1"));
    uint64_t began_ms = tg_clock_monotonic_ms();
    assert_code(get(TG_LIT("/"), 200000, &fetched), TG_ERR_TIMEOUT);
    assert_true(tg_clock_monotonic_ms() - began_ms >= 900);
    assert_string_equal(detail.reason, "not done within 1 s: reading the answer");
    assert_non_null(strstr(detail.remedy, "--timeout"));
    assert_code(get(TG_LIT("/"), 200000, &fetched), TG_ERR_TIMEOUT); /* the next question has no time left */
}

static void ask_mute_endpoint_meets_the_whole_deadline(void **state)
{
    (void)state;
    tg_fetched fetched;
    server.is_mute = true;
    start(NULL);
    assert_ok(open_with(server.url, "--timeout", "1"));
    assert_code(get(TG_LIT("/"), 5, &fetched), TG_ERR_TIMEOUT);
    assert_string_equal(detail.reason, "not done within 1 s: connecting");
}

static void ask_answer_over_its_limit_is_refused(void **state)
{
    (void)state;
    tg_fetched fetched;
    start(answer_all);
    assert_ok(open_with(server.url, NULL, NULL));
    assert_code(get(TG_LIT("/"), 4, &fetched), TG_ERR_LIMIT);
    assert_non_null(strstr(detail.reason, "its answer cannot be taken"));
}

static const char *said;
static void say(test_tls_server *self, SSL *ssl, unsigned number)
{
    (void)number;
    if (test_tls_hear(self, ssl)) {
        test_tls_say(ssl, said, strlen(said));
    }
}

static void ask_what_is_no_answer_is_named_by_its_stage(void **state)
{
    (void)state;
    static const struct {
        const char *said, *reason;
    } cases[] = {{"", "it gives no HTTP answer: closed without an answer"},
                 {"HTTP/1.1 200 OK\r\n", "it gives no HTTP answer"},
                 {"220 mail\r\n\r\n", "it gives no HTTP answer"},
                 {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the answer ends within its body"}};
    tg_fetched fetched;
    start(say);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        said = cases[i].said;
        assert_ok(open_with(server.url, NULL, NULL));
        assert_false(tg_is_ok(get(TG_LIT("/"), 50, &fetched)));
        if (strstr(detail.reason, cases[i].reason) == NULL) {
            fail_msg("%zu: %s", i, detail.reason);
        }
        tg_fetch_close(TG_TAKE(fetch));
    }
    assert_ok(open_with("https://127.0.0.1:1", NULL, NULL));
    assert_false(tg_is_ok(get(TG_LIT("/"), 50, &fetched)));
    assert_non_null(strstr(detail.reason, "no connection can be made: "));
    assert_code(get(TG_LIT("no target"), 50, &fetched), TG_ERR_SYNTAX);
    assert_non_null(strstr(detail.reason, "cannot be asked"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ask_two_questions_share_a_connection_and_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_takes_the_url_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_what_is_no_url_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_timeout_outside_its_range_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_carrier_is_dialled_and_the_name_is_the_urls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_another_connection_with_the_same_key_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_another_connection_with_another_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_endless_answer_meets_the_whole_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_mute_endpoint_meets_the_whole_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_answer_over_its_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ask_what_is_no_answer_is_named_by_its_stage, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
