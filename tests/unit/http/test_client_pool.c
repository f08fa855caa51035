/* Connections that are kept, waited for, found ended; deadlines; calls that are given up. */
#include "client_case.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define GET_HEAD "GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n"

static tg_http_client_limits limits_of(size_t num_connections)
{
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_connections = num_connections;
    return limits;
}

static void call_start_more_than_connections_wait_in_line(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(2);
    limits.num_waiting = 3;
    client_case *at = open_case(&limits);
    const tg_http_ask ask = {.method = TG_LIT("GET"), .target = TG_LIT("/")};
    for (unsigned i = 0; i < 3; i++) {
        ask_with(at, &ask);
        case_settle(at);
    }
    assert_int_equal(at->num_origins, 2);
    assert_int_equal(tg_http_client_counts_of(at->client).num_waiting, 1);
    ask_with(at, &ask);
    ask_with(at, &ask);
    assert_code(tg_http_call_start(at->client, &ask, &collecting, at, NULL), TG_ERR_LIMIT);
    say(at, 1, TG_LIT(OK_HELLO));
    assert_slice(heard(at, 1), GET_HEAD GET_HEAD);
    say(at, 1, TG_LIT(OK_HELLO));
    say(at, 0, TG_LIT(OK_HELLO));
    say(at, 1, TG_LIT(OK_HELLO));
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->num_done, 5);
    assert_int_equal(at->num_origins, 2);
    assert_int_equal(tg_http_client_counts_of(at->client).num_kept, 2);
    close_case(at);
}

static void call_start_connection_that_ends_while_kept_is_closed(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(tg_http_client_counts_of(at->client).num_kept, 1);
    say_last(at, 0, TG_LIT(""));
    assert_true(at->origins[0]->is_closed);
    assert_true(at->origins[0]->is_shut);
    tg_http_client_counts counts = tg_http_client_counts_of(at->client);
    assert_int_equal(counts.num_kept, 0);
    assert_int_equal(counts.num_connections, 0);
    assert_int_equal(counts.num_stale, 1);
    close_case(at);
}

static void call_start_connection_that_speaks_while_kept_is_closed(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    say(at, 0, TG_LIT("HTTP/1.1 408 Request Timeout\r\n\r\n"));
    assert_true(at->origins[0]->is_closed);
    get(at);
    assert_int_equal(at->num_origins, 2);
    close_case(at);
}

static void call_start_stale_connection_is_found_before_it_is_used(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    at->origins[0]->is_at_end = true; /* and nobody was told */
    ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/"), .body = TG_LIT("x")});
    case_settle(at);
    assert_int_equal(at->num_origins, 2);
    assert_slice(heard(at, 0), GET_HEAD);
    say(at, 1, TG_LIT(OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(tg_http_client_counts_of(at->client).num_stale, 1);
    close_case(at);
}

/* The kernel learns of the reset with the first write: nothing was sent, so that even a POST may go again. */
static void call_start_first_write_refused_on_a_kept_connection_goes_anew_once(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    at->origins[0]->window = 0;
    ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/p"), .body = TG_LIT("x")});
    case_settle(at);
    assert_int_equal(at->num_origins, 1);
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_origins, 2);
    assert_slice(heard(at, 1), "POST /p HTTP/1.1\r\nHost: api.test:8443\r\nContent-Length: 1\r\n\r\nx");
    say(at, 1, TG_LIT(OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    assert_false(at->is_reused);
    assert_int_equal(tg_http_client_counts_of(at->client).num_retried, 1);
    close_case(at);
}

static void call_start_part_of_a_head_sent_goes_anew_from_the_beginning(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    at->origins[0]->window = 7;
    get(at);
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_origins, 2);
    assert_slice(heard(at, 1), GET_HEAD);
    close_case(at);
}

static void call_start_whole_head_sent_is_never_sent_again(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    get(at); /* sent whole, then the origin is gone */
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_done, 2);
    assert_int_equal(at->code, TG_ERR_CLOSED);
    assert_true(at->may_be_processed);
    assert_true(at->is_reused);
    assert_int_equal(at->num_origins, 1);
    assert_string_equal(at->text, "head: closed without an answer: as the test wanted");
    close_case(at);
}

#define POST_HEAD "POST /p HTTP/1.1\r\nHost: api.test:8443\r\nContent-Length: 1\r\n\r\n"

/* The origin has the head, and may act upon it before the body comes. */
static void call_start_head_sent_and_body_refused_is_never_sent_again(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    at->origins[0]->window = sizeof POST_HEAD - 1;
    ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/p"), .body = TG_LIT("x")});
    case_settle(at);
    assert_slice(heard(at, 0), GET_HEAD POST_HEAD);
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_done, 2);
    assert_int_equal(at->code, TG_ERR_CLOSED);
    assert_true(at->may_be_processed);
    assert_int_equal(at->num_origins, 1);
    close_case(at);
}

/* It has answered what came: that is the answer. */
static void call_start_answered_within_the_head_is_never_sent_again(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    at->origins[0]->window = 7;
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 408 Request Timeout\r\nContent-"));
    at->origins[0]->is_broken = true;
    say(at, 0, TG_LIT("Length: 0\r\n\r\n"));
    assert_int_equal(at->num_done, 2);
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(at->status, 408);
    assert_int_equal(at->num_origins, 1);
    close_case(at);
}

static void call_start_fresh_connection_that_breaks_is_no_reason_for_another(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->window = 7;
    get(at);
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_ERR_CLOSED);
    assert_int_equal(at->stage, TG_HTTP_STAGE_SEND);
    assert_false(at->may_be_processed);
    assert_int_equal(at->num_origins, 1);
    close_case(at);
}

static void call_start_connector_that_fails_is_told_with_its_stage(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->connect_code = TG_ERR_AUTH;
    at->connect_stage = TG_HTTP_STAGE_HANDSHAKE;
    at->connect_reason = "tls: certificate verify failed: self-signed certificate";
    get(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_ERR_AUTH);
    assert_int_equal(at->stage, TG_HTTP_STAGE_HANDSHAKE);
    assert_string_equal(at->text, "handshake: tls: certificate verify failed: self-signed certificate");
    at->connect_code = TG_ERR_TIMEOUT;
    at->connect_stage = TG_HTTP_STAGE_DIAL;
    at->connect_reason = "";
    get(at);
    assert_string_equal(at->text, "dial: timeout");
    at->refuses_at_once = TG_ERR_MEMORY;
    get(at);
    assert_int_equal(at->num_done, 3);
    assert_int_equal(at->code, TG_ERR_MEMORY);
    assert_int_equal(tg_http_client_counts_of(at->client).num_connections, 0);
    close_case(at);
}

static void client_kept_connections_are_bounded_and_end_in_time(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(4);
    limits.num_kept = 1;
    limits.keep_ms = 50;
    client_case *at = open_case(&limits);
    get(at);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    say(at, 1, TG_LIT(OK_HELLO));
    assert_int_equal(tg_http_client_counts_of(at->client).num_kept, 1);
    assert_true(at->origins[0]->is_closed);
    assert_false(at->origins[1]->is_closed);
    uint64_t until = tg_clock_monotonic_ms() + 10000;
    while (!at->origins[1]->is_closed && tg_clock_monotonic_ms() < until) {
        case_settle(at);
        usleep(1000);
    }
    assert_true(at->origins[1]->is_closed);
    close_case(at);
}

static void client_connection_past_its_age_is_not_kept(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(4);
    limits.max_age_ms = 0;
    client_case *at = open_case(&limits);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_true(at->origins[0]->is_closed);
    close_case(at);
}

static void client_close_kept_ends_the_unused_now_and_the_used_later(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    tg_http_client_close_kept(at->client);
    assert_true(at->origins[0]->is_closed);
    assert_false(at->origins[1]->is_closed);
    say(at, 1, TG_LIT(OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    assert_true(at->origins[1]->is_closed);
    close_case(at);
}

static void client_free_tells_every_call(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(1);
    client_case *at = open_case(&limits);
    get(at);
    get(at);
    close_case(at);
    assert_int_equal(the_case.num_done, 2);
    assert_int_equal(the_case.code, TG_ERR_CANCELLED);
}

static void call_deadline_whole_covers_the_wait_for_a_connection(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(1);
    client_case *at = open_case(&limits);
    get(at);
    const tg_http_deadlines deadlines = {.whole_ms = 40};
    ask_with(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/"), .deadlines = &deadlines});
    case_wait(at);
    assert_int_equal(at->code, TG_ERR_TIMEOUT);
    assert_int_equal(at->stage, TG_HTTP_STAGE_QUEUE);
    assert_string_equal(at->text, "queue: not done within 40 ms");
    close_case(at);
}

static void call_deadline_whole_cancels_the_dial(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->never_connects = true;
    const tg_http_deadlines deadlines = {.whole_ms = 40};
    ask_with(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/"), .deadlines = &deadlines});
    case_wait(at);
    assert_int_equal(at->code, TG_ERR_TIMEOUT);
    assert_int_equal(at->stage, TG_HTTP_STAGE_DIAL);
    assert_int_equal(at->num_cancels, 1);
    close_case(at);
}

static void call_deadline_of_each_phase_names_it(void **state)
{
    (void)state;
    static const struct {
        size_t window;
        const char *answer; /* what comes in time */
        tg_http_stage stage;
        const char *text;
    } cases[] = {
        {3, "", TG_HTTP_STAGE_SEND, "send: no byte within 41 ms"},
        {SIZE_MAX, "", TG_HTTP_STAGE_HEAD, "head: no answer within 42 ms"},
        {SIZE_MAX, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 O", TG_HTTP_STAGE_HEAD, "head: no answer within 42 ms"},
        {SIZE_MAX, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", TG_HTTP_STAGE_BODY, "body: no byte within 43 ms"},
        {SIZE_MAX, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", TG_HTTP_STAGE_BODY,
         "body: no byte within 43 ms"},
    };
    const tg_http_deadlines deadlines = {.send_ms = 41, .head_ms = 42, .body_ms = 43};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        client_case *at = open_case(NULL);
        at->window = cases[i].window;
        ask_with(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/"), .deadlines = &deadlines});
        case_settle(at);
        say(at, 0, tg_slice_str(cases[i].answer));
        case_wait(at);
        assert_int_equal(at->code, TG_ERR_TIMEOUT);
        assert_int_equal(at->stage, cases[i].stage);
        assert_string_equal(at->text, cases[i].text);
        close_case(at);
    }
}

static void call_deadline_of_the_body_stands_still_while_paused(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    const tg_http_deadlines deadlines = {.body_ms = 40};
    at->pauses = true;
    tg_http_call *call =
        ask_by(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/"), .deadlines = &deadlines}, &streaming);
    case_settle(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    uint64_t until = tg_clock_monotonic_ms() + 150;
    while (tg_clock_monotonic_ms() < until) {
        case_settle(at);
        usleep(1000);
    }
    assert_int_equal(at->num_done, 0);
    tg_http_call_resume(call);
    case_wait(at);
    assert_int_equal(at->code, TG_ERR_TIMEOUT);
    close_case(at);
}

static void call_cancel_in_every_state_is_silent(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(1);
    client_case *at = open_case(&limits);
    const tg_http_ask ask = {.method = TG_LIT("GET"), .target = TG_LIT("/")};
    tg_http_call_cancel(ask_with(at, &ask)); /* before its first turn */
    at->never_connects = true;
    tg_http_call *dialling = ask_with(at, &ask);
    case_settle(at);
    tg_http_call *waiting = ask_with(at, &ask);
    case_settle(at);
    tg_http_call_cancel(waiting);
    tg_http_call_cancel(dialling);
    assert_int_equal(at->num_cancels, 1);
    at->never_connects = false;
    tg_http_call_cancel(get(at)); /* its answer is waited for */
    assert_true(at->origins[0]->is_closed);
    tg_http_call *reading = get(at);
    say(at, 1, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"));
    tg_http_call_cancel(reading);
    assert_true(at->origins[1]->is_closed); /* half read: never used again */
    case_settle(at);
    assert_int_equal(at->num_done, 0);
    assert_int_equal(tg_http_client_counts_of(at->client).num_connections, 0);
    close_case(at);
}

static void call_cancel_inside_handlers_is_silent(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->cancels_at_head = true;
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->num_heads, 1);
    at->cancels_at_head = false;
    at->cancels_at_body = true;
    ask_by(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/")}, &streaming);
    case_settle(at);
    say(at, 1, TG_LIT(OK_HELLO));
    assert_slice(tg_buf_slice(&at->body), "hello"); /* the piece outlives the cancel */
    assert_int_equal(at->num_done, 0);
    at->cancels_at_body = false;
    at->cancels_at_done = true; /* too late: does nothing */
    get(at);
    say(at, 2, TG_LIT(OK_HELLO));
    assert_int_equal(at->num_done, 1);
    close_case(at);
}

/* A write that fails behind the head: the answer may have come before the reset. */
static void stage_name_every_stage_has_one(void **state)
{
    (void)state;
    assert_string_equal(tg_http_stage_name(TG_HTTP_STAGE_QUEUE), "queue");
    assert_string_equal(tg_http_stage_name(TG_HTTP_STAGE_EGRESS), "egress");
    assert_string_equal(tg_http_stage_name(TG_HTTP_STAGE_DONE), "done");
    assert_string_equal(tg_http_stage_name(TG_HTTP_NUM_STAGES), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_start_more_than_connections_wait_in_line),
        cmocka_unit_test(call_start_connection_that_ends_while_kept_is_closed),
        cmocka_unit_test(call_start_connection_that_speaks_while_kept_is_closed),
        cmocka_unit_test(call_start_stale_connection_is_found_before_it_is_used),
        cmocka_unit_test(call_start_first_write_refused_on_a_kept_connection_goes_anew_once),
        cmocka_unit_test(call_start_part_of_a_head_sent_goes_anew_from_the_beginning),
        cmocka_unit_test(call_start_whole_head_sent_is_never_sent_again),
        cmocka_unit_test(call_start_head_sent_and_body_refused_is_never_sent_again),
        cmocka_unit_test(call_start_answered_within_the_head_is_never_sent_again),
        cmocka_unit_test(call_start_fresh_connection_that_breaks_is_no_reason_for_another),
        cmocka_unit_test(call_start_connector_that_fails_is_told_with_its_stage),
        cmocka_unit_test(client_kept_connections_are_bounded_and_end_in_time),
        cmocka_unit_test(client_connection_past_its_age_is_not_kept),
        cmocka_unit_test(client_close_kept_ends_the_unused_now_and_the_used_later),
        cmocka_unit_test(client_free_tells_every_call),
        cmocka_unit_test(call_deadline_whole_covers_the_wait_for_a_connection),
        cmocka_unit_test(call_deadline_whole_cancels_the_dial),
        cmocka_unit_test(call_deadline_of_each_phase_names_it),
        cmocka_unit_test(call_deadline_of_the_body_stands_still_while_paused),
        cmocka_unit_test(call_cancel_in_every_state_is_silent),
        cmocka_unit_test(call_cancel_inside_handlers_is_silent),
        cmocka_unit_test(stage_name_every_stage_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
