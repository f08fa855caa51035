#include "unit/gateway/exchange_case.h"

static void run_plain_hands_on_what_the_policy_lets_pass(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nContent-Length: 3\r\n\r\nyes";
    const char *answer = post("PUT", "/r?a=b", "Content-Type: text/x\r\nX-Request-Id: one\r\nCookie: b=2\r\n", "body");
    assert_says(answer, "HTTP/1.1 201 Created\r\n");
    assert_says(answer, "\r\nX-Request-Id: one\r\n");
    assert_says(answer, "\r\n\r\nyes");
    assert_null(strstr(answer, "Set-Cookie"));
    assert_int_equal(strncmp(up.asked, "PUT /process?a=b HTTP/1.1\r\n", 27), 0);
    assert_says(up.asked, "\r\nContent-Type: text/x\r\n");
    assert_says(up.asked, "\r\n\r\nbody");
    assert_null(strstr(up.asked, "Cookie"));
    static const tg_slice listed[] = {{(const uint8_t *)"date", 4}}; /* the server writes its own */
    ex.route.response_headers = listed;
    ex.route.num_response_headers = 1;
    up.answer = "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 3\r\n\r\nyes";
    answer = post("GET", "/r", "", "");
    assert_says(answer, "HTTP/1.1 200 OK\r\n");
    assert_null(strstr(answer, " 2024 "));
    close_exchange();
}

static void run_plain_empty_answers_and_head_pass(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_says(post("DELETE", "/r?", "", ""), "HTTP/1.1 204 ");
    assert_int_equal(strncmp(up.asked, "DELETE /process? HTTP/1.1\r\n", 27), 0);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n";
    assert_says(post("HEAD", "/r", "", ""), "HTTP/1.1 200 ");
    up.answer = "HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_says(post("GET", "/r", "", ""), "HTTP/1.1 304 ");
    up.answer = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";
    assert_says(post("GET", "/r", "", ""), "HTTP/1.1 500 ");
    close_exchange();
}

static void run_fields_opens_and_seals(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    const char *answer = ask(KNOWN_TOKEN);
    assert_says(answer, "HTTP/1.1 200 ");
    assert_says(answer, "\r\n\r\n" KNOWN_TOKEN);
    assert_says(up.asked, "\r\n\r\n" KNOWN_CLEAR);
    assert_int_equal(ex.num_rewritten, 2);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; /* nothing to seal */
    assert_says(ask(KNOWN_TOKEN), "HTTP/1.1 200 ");
    close_exchange();
}

static void run_fields_long_bodies_take_several_turns(void **state)
{
    static char long_body[400000];
    static char long_answer[sizeof long_body + 200];
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    size_t len = (size_t)snprintf(long_body, sizeof long_body, "{\"open\":\"");
    memset(long_body + len, 'x', 300000);
    snprintf(long_body + len + 300000, sizeof long_body - len - 300000, "\",\"ssn\":null}");
    snprintf(long_answer, sizeof long_answer, OK_JSON "Content-Length: %zu\r\n\r\n%s", strlen(long_body), long_body);
    up.answer = long_answer;
    const char *answer = ask(KNOWN_TOKEN);
    assert_says(answer, "HTTP/1.1 200 ");
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, long_body);
    up.answer = NULL;
    fake_client *client = connect_client("");
    char head[200];
    snprintf(head, sizeof head,
             "POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(long_body));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(head)));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(long_body)));
    settle(client);
    assert_int_equal(up.num_backends, 1);
    assert_true(tg_buf_len(&up.backends[0]->out) > 300000);
    leave(client);
    close_exchange();
}

static void run_fields_refuses_what_cannot_be_opened(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    assert_refused_so(ask("{\"ssn\":\"123\"}"), 400, "not_a_token");
    assert_string_equal(ex.pointer, "/ssn");
    assert_refused_so(ask("{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU4\"}"), 400, "bad_token");
    assert_int_equal(ex.num_missed_keys, 1);
    assert_refused_so(ask("{"), 400, "bad_request");
    assert_refused_so(post("POST", "/r", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", KNOWN_TOKEN),
                      415, "unsupported_media_type");
    assert_refused_so(post("POST", "/r", "Content-Type: a/b\r\nContent-Type: a/c\r\n", KNOWN_TOKEN), 400,
                      "bad_request");
    assert_int_equal(up.num_backends, 0);
    close_exchange();
}

static void run_fields_refuses_answers_that_cannot_be_sealed(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_media_type");
    up.answer = OK_JSON "Content-Encoding: gzip\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_media_type");
    up.answer = OK_JSON "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_bad_answer");
    up.answer = OK_JSON "Content-Length: 1\r\n\r\n{";
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_schema");
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    ex.site.max_fields = 0;
    assert_refused_so(ask("{}"), 502, "upstream_too_large");
    ex.site.max_fields = 1000;
    up.answer = "HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_redirect");
    assert_null(strstr(ex.text, "123-45"));
    close_exchange();
}

static void run_follows_no_redirect(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n";
    assert_refused_so(ask("{}"), 502, "upstream_redirect");
    assert_null(strstr(ex.text, "elsewhere"));
    close_exchange();
}

static void run_what_breaks_is_never_a_short_answer(void **state)
{
    static const struct {
        const char *answer;
        const char *code;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "upstream_broken"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", "upstream_broken"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortXX5\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshorts", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Le", "upstream_closed"},
        {"", "upstream_closed"},
        {"nonsense\r\n\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "upstream_too_large"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        open_exchange(TG_CRYPTO_NONE);
        up.answer = cases[i].answer;
        up.ends = true;
        assert_refused_so(ask("{}"), 502, cases[i].code);
        close_exchange();
    }
}

static void run_interim_answers_are_passed_over(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    assert_says(ask("{}"), "\r\n\r\nhi");
    close_exchange();
}

static void run_too_slow_is_504(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    ex.route.timeout_ms = 50;
    assert_refused_so(ask("{}"), 504, "upstream_timeout");
    up.never_connects = true;
    assert_refused_so(ask("{}"), 504, "upstream_timeout");
    close_exchange();
}

static void run_without_the_budget_is_503(void **state)
{
    static char answer[200000];
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    ex.budget.max = 100000;
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    assert_refused_so(ask("{}"), 503, "service_unavailable");
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1d4c0\r\n%0120000d\r\n0\r\n\r\n", 1);
    up.answer = answer;
    assert_refused_so(ask("{}"), 503, "service_unavailable");
    /* No more is held for it than the route takes. */
    ex.budget.max = 140000;
    ex.route.max_answer_bytes = 120000;
    assert_says(ask("{}"), "HTTP/1.1 200 OK\r\n");
    close_exchange();
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    ex.budget.max = 1000;
    assert_refused_so(ask(KNOWN_TOKEN), 503, "service_unavailable");
    close_exchange();
}

static void run_without_secrets_opens_nothing(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    ex.route.upstream_url = TG_LIT("https://backend.example/");
    assert_refused_so(ask(KNOWN_TOKEN), 503, "secrets_missing");
    assert_int_equal(ex.num_rewritten, 0);
    close_exchange();
}

static void cancel_ends_the_call(void **state)
{
    static const char request[] =
        "POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    fake_client *client = connect_client(request);
    settle(client);
    assert_int_equal(up.num_backends, 1);
    assert_false(up.backends[0]->is_closed);
    leave(client);
    assert_true(up.backends[0]->is_closed);
    up.step = 7; /* within the answer's body */
    client = connect_client(request);
    settle(client);
    assert_ok(tg_buf_append(&up.backends[1]->in, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")));
    settle(client);
    assert_int_equal(tg_buf_len(&client->out), 0);
    leave(client);
    assert_true(up.backends[1]->is_closed);
    close_exchange();
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(4)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_plain_hands_on_what_the_policy_lets_pass),
        cmocka_unit_test(run_plain_empty_answers_and_head_pass),
        cmocka_unit_test(run_fields_opens_and_seals),
        cmocka_unit_test(run_fields_long_bodies_take_several_turns),
        cmocka_unit_test(run_fields_refuses_what_cannot_be_opened),
        cmocka_unit_test(run_fields_refuses_answers_that_cannot_be_sealed),
        cmocka_unit_test(run_follows_no_redirect),
        cmocka_unit_test(run_what_breaks_is_never_a_short_answer),
        cmocka_unit_test(run_interim_answers_are_passed_over),
        cmocka_unit_test(run_too_slow_is_504),
        cmocka_unit_test(run_without_the_budget_is_503),
        cmocka_unit_test(run_without_secrets_opens_nothing),
        cmocka_unit_test(cancel_ends_the_call),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
