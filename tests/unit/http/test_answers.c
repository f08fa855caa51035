/* Answers: their heads, long and streamed bodies, backpressure, and clients that go away. */
#include "server_case.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

static void respond_long_body_is_written_as_the_client_takes_it(void **state)
{
    (void)state;
    server_case *at = start(BIG);
    at->answer_len = 1000000;
    fake_client *client = connect_client(at);
    client->window = 0;
    give(client, TG_LIT(GET));
    settle(at, client);
    assert_int_equal(tg_buf_len(&client->out), 0);
    for (size_t i = 0; i < 2000 && at->num_ends == 0; i++) {
        assert_int_equal(client->watched & TG_STREAM_WRITE, TG_STREAM_WRITE);
        client->window = 777;
        settle(at, client);
    }
    client->window = SIZE_MAX;
    settle(at, client);
    assert_int_equal(at->num_ends, 1);
    assert_int_equal(at->num_aborted, 0);
    tg_slice head = TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabcdefghijklm");
    tg_slice got = answers(client);
    assert_true(tg_slice_starts(got, head));
    assert_int_equal(got.len, head.len - 13 + 1000000);
    for (size_t i = 0; i < 1000000; i++) {
        assert_int_equal(got.ptr[head.len - 13 + i], 'a' + i % 26);
    }
    stop(at);
    fake_client_free(client);
}

static void respond_long_body_leaves_in_whole_records(void **state)
{
    (void)state;
    server_case *at = start(BIG);
    at->answer_len = 16000;
    fake_client *client = ask(at, TG_LIT(GET));
    assert_int_equal(client->num_writes, 1);
    leave(at, client);
    at->answer_len = 20000;
    client = ask(at, TG_LIT(GET));
    assert_int_equal(client->num_writes, 2);
    leave(at, client);
    stop(at);
}

static void respond_head_gives_length_without_content(void **state)
{
    (void)state;
    static const size_t lens[] = {100, 100000};
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        char expected[128];
        server_case *at = start(BIG);
        at->answer_len = lens[i];
        fake_client *client = ask(at, TG_LIT("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"));
        snprintf(expected, sizeof expected, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", lens[i]);
        tg_assert_slice(answers(client), tg_slice_str(expected), __FILE__, __LINE__);
        assert_false(client->is_shut);
        stop(at);
        fake_client_free(client);
    }
}

static tg_http_request *ask_later(server_case **out_at, fake_client **out_client)
{
    *out_at = start(LATER);
    *out_client = ask(*out_at, TG_LIT(GET));
    assert_non_null((*out_at)->kept);
    return (*out_at)->kept;
}

static void respond_headers_that_are_none_become_500(void **state)
{
    (void)state;
    static const tg_http_header wrong[] = {
        {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\r\nSet-Cookie: b", 16}},
        {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\0b", 3}},
        {{(const uint8_t *)"X:", 2}, {(const uint8_t *)"a", 1}},
        {{(const uint8_t *)"", 0}, {(const uint8_t *)"a", 1}},
        {{(const uint8_t *)"content-length", 14}, {(const uint8_t *)"1", 1}},
        {{(const uint8_t *)"Transfer-Encoding", 17}, {(const uint8_t *)"chunked", 7}},
        {{(const uint8_t *)"Connection", 10}, {(const uint8_t *)"close", 5}},
        {{(const uint8_t *)"Date", 4}, {(const uint8_t *)"now", 3}},
    };
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        server_case *at;
        fake_client *client;
        tg_http_request *request = ask_later(&at, &client);
        tg_http_respond_text(request, 200, &wrong[i], 1, TG_LIT("body"));
        settle(at, client);
        assert_slice(answers(client), "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
                                      "Content-Length: 67\r\n\r\n"
                                      "{\"code\":\"internal_error\",\"message\":\"The answer could not be made.\"}");
        stop(at);
        fake_client_free(client);
    }
}

static void respond_error_is_json_with_its_code(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_respond_error(request, 400, "schema_mismatch", "An object is not taken here.", TG_LIT("/a/\"b"));
    settle(at, client);
    assert_slice(answers(client),
                 "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 86\r\n\r\n"
                 "{\"code\":\"schema_mismatch\",\"message\":\"An object is not taken here.\","
                 "\"pointer\":\"/a/\\\"b\"}");
    give(client, TG_LIT(GET));
    settle(at, client);
    tg_buf_clear(&client->out);
    tg_http_respond_error(at->kept, 503, NULL, "Not yet.", (tg_slice){NULL, 0});
    settle(at, client);
    assert_slice(answers(client),
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
                 "Content-Length: 51\r\n\r\n{\"code\":\"service_unavailable\",\"message\":\"Not yet.\"}");
    give(client, TG_LIT(GET));
    settle(at, client);
    tg_buf_clear(&client->out);
    tg_http_respond_not_allowed(at->kept, "GET, HEAD");
    settle(at, client);
    assert_slice(answers(client),
                 "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nAllow: GET, HEAD\r\n"
                 "Content-Length: 78\r\n\r\n"
                 "{\"code\":\"method_not_allowed\",\"message\":\"This path does not take this method.\"}");
    stop(at);
    fake_client_free(client);
}

static void respond_twice_the_second_does_nothing(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("1"));
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("2"));
    tg_http_respond_error(request, 400, NULL, "x", (tg_slice){NULL, 0});
    tg_http_respond_not_allowed(request, "GET");
    tg_http_answer_begin(request, 200, NULL, 0, 1);
    tg_http_answer_end(request);
    tg_http_answer_abort(request);
    assert_code(tg_http_answer_write(request, TG_LIT("x")), TG_ERR_CANCELLED);
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    stop(at);
    fake_client_free(client);
}

static void answer_streamed_of_unknown_length_is_chunked(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_answer_begin(request, 200, NULL, 0, TG_HTTP_UNKNOWN_LENGTH);
    assert_ok(tg_http_answer_write(request, TG_LIT("hello")));
    assert_ok(tg_http_answer_write(request, TG_LIT("")));
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_ok(tg_http_answer_write(request, TG_LIT("0123456789abcdef")));
    tg_http_answer_end(request);
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                                  "10\r\n0123456789abcdef\r\n0\r\n\r\n");
    assert_false(client->is_shut);
    assert_int_equal(at->num_ends, 1);
    stop(at);
    fake_client_free(client);
}

static void answer_streamed_of_known_length_is_plain(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_answer_begin(request, 200, NULL, 0, 6);
    assert_ok(tg_http_answer_write(request, TG_LIT("hello")));
    assert_code(tg_http_answer_write(request, TG_LIT("!!")), TG_ERR_RANGE);
    assert_ok(tg_http_answer_write(request, TG_LIT("!")));
    tg_http_answer_end(request);
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!");
    assert_false(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void answer_that_ends_short_or_is_aborted_breaks_the_connection(void **state)
{
    (void)state;
    for (unsigned is_aborted = 0; is_aborted < 2; is_aborted++) {
        server_case *at;
        fake_client *client;
        tg_http_request *request = ask_later(&at, &client);
        tg_http_answer_begin(request, 200, NULL, 0, is_aborted ? TG_HTTP_UNKNOWN_LENGTH : 6);
        assert_ok(tg_http_answer_write(request, TG_LIT("hello")));
        settle(at, client);
        if (is_aborted) {
            tg_http_answer_abort(request);
        } else {
            tg_http_answer_end(request);
        }
        settle(at, client);
        assert_true(client->is_closed);
        assert_true(answer_ends(client, is_aborted ? "5\r\nhello\r\n" : "hello"));
        assert_int_equal(at->num_cancels, 0);
        assert_int_equal(at->num_aborted, 1);
        stop(at);
        fake_client_free(client);
    }
}

static void answer_to_old_client_ends_with_the_connection(void **state)
{
    (void)state;
    server_case *at = start(STREAMS_OUT);
    at->answer_len = 5;
    fake_client *client = ask(at, TG_LIT("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(tg_slice_starts(answers(client), TG_LIT("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx")));
    assert_true(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void answer_to_head_has_no_content(void **state)
{
    (void)state;
    server_case *at = start(STREAMS_OUT);
    at->answer_len = 5000;
    fake_client *client = ask(at, TG_LIT("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_false(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void answer_queue_full_waits_for_the_client(void **state)
{
    (void)state;
    enum { LEN = 1000000 };
    server_case *at = start(STREAMS_OUT);
    at->answer_len = LEN;
    at->answer_length = LEN;
    fake_client *client = connect_client(at);
    client->window = 0;
    give(client, TG_LIT(GET));
    settle(at, client);
    assert_in_range(at->answer_sent, 60000, 65536);
    size_t before = at->answer_sent;
    settle(at, client);
    assert_int_equal(at->answer_sent, before);
    while (at->num_ends == 0) {
        client->window += 10000;
        settle(at, client);
        assert_true(at->answer_sent <= tg_buf_len(&client->out) + 65536);
    }
    assert_int_equal(at->answer_sent, LEN);
    assert_true(answer_starts(client, "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(tg_buf_len(&client->out), at->last_bytes_out);
    assert_int_equal(at->num_aborted, 0);
    stop(at);
    fake_client_free(client);
}

static void answer_piece_larger_than_the_queue_is_taken_alone(void **state)
{
    (void)state;
    static uint8_t piece[100000];
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    client->window = 0;
    tg_http_answer_begin(request, 200, NULL, 0, TG_HTTP_UNKNOWN_LENGTH);
    assert_code(tg_http_answer_write(request, tg_slice_of(piece, sizeof piece)), TG_ERR_AGAIN); /* behind the head */
    at->answer_len = 0;
    client->window = SIZE_MAX;
    settle(at, client); /* on_writable ends the answer */
    assert_true(answer_ends(client, "\r\n\r\n0\r\n\r\n"));
    stop(at);
    fake_client_free(client);
}

static void client_gone_while_the_handler_works_cancels(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    ask_later(&at, &client);
    leave(at, client);
    assert_string_equal(at->last_fault, "as the test wanted");
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->num_ends, 1);
    assert_int_equal(at->num_aborted, 1);
    assert_int_equal(at->last_status, 0);
    stop(at);
}

static void client_gone_between_requests_is_no_fault(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT(GET));
    leave(at, client);
    assert_string_equal(at->last_fault, "");
    client = connect_client(at); /* before its first request: a handshake that failed */
    settle(at, client);
    leave(at, client);
    assert_string_equal(at->last_fault, "as the test wanted");
    stop(at);
}

static void client_gone_within_the_body_cancels(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
    leave(at, client);
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->num_requests, 0);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
}

static void client_gone_within_the_answer_cancels_a_streamed_one_only(void **state)
{
    (void)state;
    static const handler_mode modes[] = {BIG, STREAMS_OUT};
    for (size_t i = 0; i < TG_COUNT(modes); i++) {
        server_case *at = start(modes[i]);
        at->answer_len = 1000000;
        fake_client *client = connect_client(at);
        client->window = 1000;
        give(client, TG_LIT(GET));
        settle(at, client);
        leave(at, client);
        assert_int_equal(at->num_cancels, modes[i] == STREAMS_OUT);
        assert_int_equal(at->num_aborted, 1);
        assert_int_equal(at->last_status, 200);
        stop(at);
    }
}

static void server_free_with_requests_in_work_cancels_them(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    ask_later(&at, &client);
    fake_client *other = ask(at, TG_LIT("GET /b HT"));
    stop(at);
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->num_ends, 2);
    assert_true(client->is_closed && other->is_closed);
    fake_client_free(client);
    fake_client_free(other);
}

static void server_free_while_connections_are_due_frees_them(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("1"));
    stop(at);
    assert_int_equal(at->num_cancels, 0);
    assert_true(client->is_closed);
    fake_client_free(client);
}

static void client_gone_after_the_answer_was_given_is_no_cancel(void **state)
{
    (void)state;
    server_case *at;
    fake_client *client;
    tg_http_request *request = ask_later(&at, &client);
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("1"));
    client->is_broken = true;
    fake_client_turn(client); /* the reset is seen before the answer's turn comes */
    settle(at, client);
    assert_true(client->is_closed);
    assert_int_equal(at->num_cancels, 0);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(respond_long_body_is_written_as_the_client_takes_it),
        cmocka_unit_test(respond_long_body_leaves_in_whole_records),
        cmocka_unit_test(respond_head_gives_length_without_content),
        cmocka_unit_test(respond_headers_that_are_none_become_500),
        cmocka_unit_test(respond_error_is_json_with_its_code),
        cmocka_unit_test(respond_twice_the_second_does_nothing),
        cmocka_unit_test(answer_streamed_of_unknown_length_is_chunked),
        cmocka_unit_test(answer_streamed_of_known_length_is_plain),
        cmocka_unit_test(answer_that_ends_short_or_is_aborted_breaks_the_connection),
        cmocka_unit_test(answer_to_old_client_ends_with_the_connection),
        cmocka_unit_test(answer_to_head_has_no_content),
        cmocka_unit_test(answer_queue_full_waits_for_the_client),
        cmocka_unit_test(answer_piece_larger_than_the_queue_is_taken_alone),
        cmocka_unit_test(client_gone_while_the_handler_works_cancels),
        cmocka_unit_test(client_gone_between_requests_is_no_fault),
        cmocka_unit_test(client_gone_within_the_body_cancels),
        cmocka_unit_test(client_gone_within_the_answer_cancels_a_streamed_one_only),
        cmocka_unit_test(server_free_with_requests_in_work_cancels_them),
        cmocka_unit_test(server_free_while_connections_are_due_frees_them),
        cmocka_unit_test(client_gone_after_the_answer_was_given_is_no_cancel),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
