/* How fast bodies must come and answers be taken, and how much memory they may hold together. */
#include "server_case.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

static tg_http_limits defaults(void)
{
    tg_http_limits limits;
    tg_http_limits_default(&limits);
    return limits;
}

static void rate_body_too_slow_is_408(void **state)
{
    (void)state;
    static const handler_mode modes[] = {ECHOES, STREAMS_IN};
    for (size_t i = 0; i < TG_COUNT(modes); i++) {
        tg_http_limits limits = defaults();
        limits.rate_grace_ms = 60;
        server_case *at = start_with(modes[i], &limits, NULL);
        fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\nab"));
        settle_ms(at, client, 300);
        assert_true(answer_starts(client, "HTTP/1.1 408 Request Timeout\r\n"));
        assert_int_equal(at->last_refusal, TG_HTTP_BODY_TIMEOUT);
        assert_int_equal(at->num_cancels, 1);
        stop(at);
        fake_client_free(client);
    }
}

static void rate_body_that_stops_after_a_burst_is_408(void **state)
{
    (void)state;
    static const uint8_t burst[60000] = {0};
    static const handler_mode modes[] = {ECHOES, STREAMS_IN};
    for (size_t i = 0; i < TG_COUNT(modes); i++) {
        tg_http_limits limits = defaults();
        limits.rate_grace_ms = 60;
        server_case *at = start_with(modes[i], &limits, NULL);
        fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 60001\r\n\r\n"));
        give(client, tg_slice_of(burst, sizeof burst));
        settle_ms(at, client, 500);
        assert_true(answer_starts(client, "HTTP/1.1 408 Request Timeout\r\n"));
        stop(at);
        fake_client_free(client);
    }
}

static void rate_body_fast_enough_or_paused_goes_on(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.rate_grace_ms = 40;
    limits.body_bytes_per_second = 20;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"));
    for (size_t i = 0; i < 10; i++) {
        give(client, TG_LIT("0123456789"));
        settle_ms(at, client, 30);
    }
    assert_true(answer_starts(client, "HTTP/1.1 200 OK\r\n"));
    leave(at, client);
    at->mode = PAUSES;
    client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"));
    settle_ms(at, client, 200);
    assert_int_equal(tg_buf_len(&client->out), 0);
    tg_http_request_resume(at->kept);
    settle(at, client);
    assert_true(answer_starts(client, "HTTP/1.1 200 OK\r\n"));
    stop(at);
    fake_client_free(client);
}

static void rate_answer_taken_too_slowly_breaks_the_connection(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.rate_grace_ms = 60;
    server_case *at = start_with(BIG, &limits, NULL);
    at->answer_len = 100000;
    fake_client *client = connect_client(at);
    client->window = 1000;
    give(client, TG_LIT(GET));
    settle_ms(at, client, 300);
    assert_true(client->is_closed);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

static void rate_answer_that_is_left_after_a_burst_breaks_the_connection(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.rate_grace_ms = 60;
    server_case *at = start_with(BIG, &limits, NULL);
    at->answer_len = 100000;
    fake_client *client = connect_client(at);
    give(client, TG_LIT(GET));
    client->window = 10;
    settle(at, client);
    client->window = 90000; /* that much of it would pay for a minute and a half */
    settle_ms(at, client, 600);
    assert_true(client->is_closed);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

static void rate_answer_taken_fast_enough_goes_on(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.rate_grace_ms = 200;
    limits.answer_bytes_per_second = 100;
    server_case *at = start_with(BIG, &limits, NULL);
    at->answer_len = 100000;
    fake_client *client = connect_client(at);
    client->window = 1000;
    give(client, TG_LIT(GET));
    for (size_t i = 0; i < 40; i++) {
        settle_ms(at, client, 20);
        client->window += 1000;
    }
    assert_false(client->is_closed);
    client->window = SIZE_MAX;
    settle(at, client);
    assert_true(tg_buf_len(&client->out) > 100000);
    stop(at);
    fake_client_free(client);
}

static void deadline_answer_untouched_breaks_the_connection(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.idle_ms = 60;
    server_case *at = start_with(BIG, &limits, NULL);
    at->answer_len = 100000;
    fake_client *client = connect_client(at);
    client->window = 90000; /* that much of it would pay for a minute and a half */
    give(client, TG_LIT(GET));
    settle_ms(at, client, 300);
    assert_true(client->is_closed);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

static void budget_used_up_is_503_and_given_back(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n12345678",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n12345678",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678"};
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        tg_http_budget budget;
        tg_http_budget_init(&budget, 200000);
        atomic_store(&budget.used, 199993);
        server_case *at = start_with(ECHOES, NULL, &budget);
        fake_client *client = ask(at, tg_slice_str(requests[i]));
        assert_true(answer_starts(client, "HTTP/1.1 503 Service Unavailable\r\n"));
        assert_int_equal(at->last_refusal, TG_HTTP_NO_BUDGET);
        assert_int_equal(budget.used, 199993);
        leave(at, client);
        tg_http_budget_give(&budget, 199993);
        client = ask(at, tg_slice_str(requests[i]));
        assert_int_equal(budget.used, i == 0 ? 0 : 16384);
        leave(at, client);
        assert_int_equal(budget.used, 0);
        stop(at);
    }
}

static void budget_of_long_body_grows_as_it_comes(void **state)
{
    (void)state;
    tg_http_budget budget;
    tg_http_budget_init(&budget, 1000000);
    server_case *at = start_with(ECHOES, NULL, &budget);
    fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n"));
    assert_true(budget.used <= 16384);
    for (size_t i = 0; i < 30000; i++) {
        give(client, TG_LIT("0123456789"));
        if (i == 10000) {
            settle(at, client);
            assert_in_range(budget.used, 100000, 262144);
        }
    }
    settle(at, client);
    assert_int_equal(budget.used, 0);
    assert_true(answer_starts(client, "HTTP/1.1 200 OK\r\n"));
    stop(at);
    fake_client_free(client);
}

static void budget_of_an_answered_body_is_given_back_while_the_answer_waits(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    static const char *const heads[] = {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
                                        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n"};
    for (size_t i = 0; i < TG_COUNT(heads); i++) {
        tg_http_budget budget;
        tg_http_budget_init(&budget, 200000);
        server_case *at = start_with(LATER, NULL, &budget);
        fake_client *client = ask(at, tg_slice_str(heads[i]));
        client->window = 1000;
        give(client, tg_slice_of(bytes, sizeof bytes));
        give(client, i == 0 ? TG_LIT("") : TG_LIT("\r\n0\r\n\r\n"));
        settle(at, client);
        assert_non_null(at->kept);
        assert_in_range(budget.used, sizeof bytes, 2 * sizeof bytes);
        tg_http_respond_text(at->kept, 200, NULL, 0, tg_slice_of(bytes, sizeof bytes));
        settle(at, client);
        assert_int_equal(budget.used, 0);
        client->window = SIZE_MAX;
        give(client, TG_LIT(GET));
        settle(at, client);
        assert_true(tg_buf_len(&client->out) > sizeof bytes);
        assert_string_equal(at->last_path, "/a");
        assert_int_equal(at->num_requests, 2);
        stop(at);
        fake_client_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(rate_body_too_slow_is_408),
        cmocka_unit_test(rate_body_that_stops_after_a_burst_is_408),
        cmocka_unit_test(rate_body_fast_enough_or_paused_goes_on),
        cmocka_unit_test(rate_answer_taken_too_slowly_breaks_the_connection),
        cmocka_unit_test(rate_answer_that_is_left_after_a_burst_breaks_the_connection),
        cmocka_unit_test(rate_answer_taken_fast_enough_goes_on),
        cmocka_unit_test(deadline_answer_untouched_breaks_the_connection),
        cmocka_unit_test(budget_used_up_is_503_and_given_back),
        cmocka_unit_test(budget_of_long_body_grows_as_it_comes),
        cmocka_unit_test(budget_of_an_answered_body_is_given_back_while_the_answer_waits),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
