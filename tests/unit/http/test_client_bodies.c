/* Bodies that flow both ways, at the pace of who takes them. */
#include "client_case.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static tg_http_client_limits limits_of(size_t num_connections)
{
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_connections = num_connections;
    return limits;
}

static void call_pause_holds_the_body_back(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->pauses = true;
    tg_http_call *call = ask_by(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/")}, &streaming);
    case_settle(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"));
    assert_slice(tg_buf_slice(&at->body), "hel");
    say(at, 0, TG_LIT("1\r\n!\r\n0\r\n\r\n"));
    assert_true(tg_buf_len(&at->origins[0]->in) > 0); /* left with the origin */
    assert_slice(tg_buf_slice(&at->body), "hel");
    tg_http_call_resume(call);
    case_settle(at);
    assert_slice(tg_buf_slice(&at->body), "hello");
    at->pauses = false;
    tg_http_call_resume(call);
    case_settle(at);
    assert_slice(tg_buf_slice(&at->body), "hello!");
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_OK);
    close_case(at);
}

static void call_read_long_bodies_pass_through_in_pieces(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    static uint8_t bytes[300000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t step = 0; step < 40000; step += 13333) {
        tg_buf_clear(&at->body);
        at->step = step;
        at->num_done = 0;
        ask_by(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/")}, &streaming);
        case_settle(at);
        say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"));
        say(at, 0, tg_slice_of(bytes, sizeof bytes));
        assert_int_equal(at->num_done, 1);
        assert_true(tg_slice_equal(tg_buf_slice(&at->body), tg_slice_of(bytes, sizeof bytes)));
    }
    assert_int_equal(at->num_origins, 1);
    close_case(at);
}

static void call_write_body_of_known_length_is_sent_as_it_comes(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    tg_http_call *call = ask_with(
        at, &(tg_http_ask){.method = TG_LIT("PUT"), .target = TG_LIT("/"), .is_streamed = true, .body_length = 6});
    assert_ok(tg_http_call_write(call, TG_LIT("one"))); /* before a connection stands */
    case_settle(at);
    assert_slice(heard(at, 0), "PUT / HTTP/1.1\r\nHost: api.test:8443\r\nContent-Length: 6\r\n\r\none");
    assert_ok(tg_http_call_write(call, TG_LIT("")));
    assert_code(tg_http_call_end(call), TG_ERR_RANGE);
    assert_code(tg_http_call_write(call, TG_LIT("four")), TG_ERR_RANGE);
    assert_ok(tg_http_call_write(call, TG_LIT("two")));
    assert_ok(tg_http_call_end(call));
    assert_code(tg_http_call_end(call), TG_ERR_RANGE);
    assert_code(tg_http_call_write(call, TG_LIT("x")), TG_ERR_RANGE);
    case_settle(at);
    assert_true(tg_slice_ends(heard(at, 0), TG_LIT("onetwo")));
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(tg_http_client_counts_of(at->client).num_kept, 1);
    close_case(at);
}

static void call_write_body_of_unknown_length_is_chunked(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    tg_http_call *call = ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"),
                                                     .target = TG_LIT("/"),
                                                     .is_streamed = true,
                                                     .body_length = TG_HTTP_LENGTH_UNKNOWN});
    case_settle(at);
    assert_ok(tg_http_call_write(call, TG_LIT("0123456789abcdef")));
    case_settle(at);
    assert_ok(tg_http_call_end(call));
    case_settle(at);
    assert_slice(heard(at, 0), "POST / HTTP/1.1\r\nHost: api.test:8443\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "10\r\n0123456789abcdef\r\n0\r\n\r\n");
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    close_case(at);
}

static void call_write_origin_that_does_not_read_makes_the_caller_wait(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(1);
    limits.queue_bytes = 10;
    client_case *at = open_case(&limits);
    tg_http_call *call = ask_with(
        at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/"), .is_streamed = true, .body_length = 100});
    at->window = 0;
    case_settle(at);
    assert_ok(tg_http_call_write(call, TG_LIT("01234567890123456789"))); /* the queue was empty */
    assert_code(tg_http_call_write(call, TG_LIT("x")), TG_ERR_AGAIN);
    case_settle(at);
    assert_int_equal(at->num_rooms, 0);
    at->origins[0]->window = SIZE_MAX;
    case_settle(at);
    assert_int_equal(at->num_rooms, 1);
    assert_ok(tg_http_call_write(call, TG_LIT("x")));
    case_settle(at);
    assert_int_equal(at->num_rooms, 1);
    assert_true(tg_slice_ends(heard(at, 0), TG_LIT("9x")));
    close_case(at);
}

static void call_write_origin_that_answers_early_is_heard(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    tg_http_call *call = ask_with(
        at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/"), .is_streamed = true, .body_length = 1000});
    case_settle(at);
    assert_ok(tg_http_call_write(call, TG_LIT("part")));
    case_settle(at);
    say(at, 0, TG_LIT("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"));
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(at->status, 413);
    assert_true(at->origins[0]->is_closed); /* the rest of the body was never sent */
    close_case(at);
}

static void call_write_refused_does_not_hide_the_answer(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    tg_http_call *call = ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"),
                                                     .target = TG_LIT("/"),
                                                     .is_streamed = true,
                                                     .body_length = TG_HTTP_LENGTH_UNKNOWN});
    case_settle(at);
    at->origins[0]->is_broken = true; /* reads still give what is there */
    assert_ok(tg_buf_append(&at->origins[0]->in, TG_LIT("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")));
    assert_ok(tg_http_call_write(call, TG_LIT("part")));
    case_settle(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(at->status, 403);
    close_case(at);
}

static void call_write_after_the_connection_broke_is_taken_and_dropped(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    tg_http_call *call = ask_with(
        at, &(tg_http_ask){.method = TG_LIT("POST"), .target = TG_LIT("/"), .is_streamed = true, .body_length = 8});
    at->window = 20;
    case_settle(at);
    at->origins[0]->is_broken = true;
    assert_ok(tg_http_call_write(call, TG_LIT("part")));
    tg_loop_turn(at->loop); /* its write is refused; its read has not happened yet */
    assert_int_equal(at->num_done, 0);
    assert_ok(tg_http_call_write(call, TG_LIT("rest")));
    assert_ok(tg_http_call_end(call));
    case_settle(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_ERR_CLOSED);
    assert_int_equal(at->stage, TG_HTTP_STAGE_SEND);
    close_case(at);
}

static void call_start_body_over_its_limit_is_refused(void **state)
{
    (void)state;
    tg_http_client_limits limits = limits_of(1);
    limits.ask_body_bytes = 3;
    client_case *at = open_case(&limits);
    const tg_http_ask ask = {.method = TG_LIT("POST"), .target = TG_LIT("/"), .body = TG_LIT("four")};
    assert_code(tg_http_call_start(at->client, &ask, &collecting, at, NULL), TG_ERR_LIMIT);
    const tg_http_ask fits = {.method = TG_LIT("POST"), .target = TG_LIT("/"), .body = TG_LIT("thr")};
    assert_ok(tg_http_call_start(at->client, &fits, &collecting, at, NULL));
    static char value[70000];
    memset(value, 'v', sizeof value);
    const tg_http_header header = {TG_LIT("A"), tg_slice_of(value, sizeof value)};
    const tg_http_ask long_head = {
        .method = TG_LIT("GET"), .target = TG_LIT("/"), .headers = &header, .num_headers = 1};
    assert_code(tg_http_call_start(at->client, &long_head, &collecting, at, NULL), TG_ERR_LIMIT);
    close_case(at);
}

static tg_buf taken;

static void take(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)owner;
    assert_ok(outcome->result);
    tg_http_call_take_body(call, &taken);
}

static void call_take_body_gives_the_buffer_away(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    ask_by(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/")},
           &(tg_http_call_handlers){.on_done = take});
    case_settle(at);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_slice(tg_buf_slice(&taken), "hello");
    assert_true(taken.is_wiped);
    tg_buf_done(&taken);
    close_case(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_pause_holds_the_body_back),
        cmocka_unit_test(call_read_long_bodies_pass_through_in_pieces),
        cmocka_unit_test(call_write_body_of_known_length_is_sent_as_it_comes),
        cmocka_unit_test(call_write_body_of_unknown_length_is_chunked),
        cmocka_unit_test(call_write_origin_that_does_not_read_makes_the_caller_wait),
        cmocka_unit_test(call_write_origin_that_answers_early_is_heard),
        cmocka_unit_test(call_write_refused_does_not_hide_the_answer),
        cmocka_unit_test(call_write_after_the_connection_broke_is_taken_and_dropped),
        cmocka_unit_test(call_start_body_over_its_limit_is_refused),
        cmocka_unit_test(call_take_body_gives_the_buffer_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
