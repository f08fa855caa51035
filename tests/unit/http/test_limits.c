/* What a peer may take of the server: time, connections, requests, bytes; and how the service ends in order. */
#include "server_case.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

static tg_http_limits defaults(void)
{
    tg_http_limits limits;
    tg_http_limits_default(&limits);
    return limits;
}

static void deadline_head_not_begun_closes_in_silence(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.head_ms = 60;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = connect_client(at);
    settle_ms(at, client, 300);
    assert_true(client->is_closed);
    assert_int_equal(tg_buf_len(&client->out), 0);
    assert_int_equal(at->num_ends, 0);
    stop(at);
    fake_client_free(client);
}

static void deadline_head_not_finished_is_408(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.head_ms = 60;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT("GET /a HT"));
    settle_ms(at, client, 300);
    assert_true(answer_starts(client, "HTTP/1.1 408 Request Timeout\r\n"));
    assert_true(client->is_shut);
    assert_int_equal(at->last_refusal, TG_HTTP_HEAD_TIMEOUT);
    stop(at);
    fake_client_free(client);
}

static void deadline_idle_closes_in_silence(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.idle_ms = 60;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT(GET));
    size_t len = tg_buf_len(&client->out);
    settle_ms(at, client, 300);
    assert_true(client->is_shut); /* over TLS: with close_notify */
    assert_true(client->is_closed);
    assert_int_equal(tg_buf_len(&client->out), len);
    assert_int_equal(tg_http_server_counts(at->server).num_idle_closed, 1);
    stop(at);
    fake_client_free(client);
}

static void deadline_handler_silent_is_503(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.handler_ms = 60;
    server_case *at = start_with(LATER, &limits, NULL);
    fake_client *client = ask(at, TG_LIT(GET));
    settle_ms(at, client, 300);
    assert_true(answer_starts(client, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->last_refusal, TG_HTTP_HANDLER_TIMEOUT);
    stop(at);
    fake_client_free(client);
}

static void deadline_lingering_client_is_closed(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.linger_ms = 60;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT("GET / HTTP/1.1\r\n\r\n"));
    assert_true(client->is_shut);
    assert_false(client->is_closed);
    settle_ms(at, client, 300);
    assert_true(client->is_closed);
    stop(at);
    fake_client_free(client);
}

static void linger_bytes_over_limit_closes(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.linger_bytes = 1000;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT("GET / HTTP/1.1\r\n\r\n"));
    for (size_t i = 0; i < 99; i++) {
        give(client, TG_LIT("0123456789"));
    }
    settle(at, client);
    assert_false(client->is_closed);
    give(client, TG_LIT("0123456789x"));
    settle(at, client);
    assert_true(client->is_closed);
    stop(at);
    fake_client_free(client);
}

static void discard_body_at_limit_keeps_the_connection_and_one_over_ends_it(void **state)
{
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        tg_http_limits limits = defaults();
        limits.discard_bytes = 100;
        server_case *at = start_with(AT_HEAD, &limits, NULL);
        fake_client *client = ask(at, over ? TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n")
                                           : TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"));
        assert_int_equal(client->is_shut, over);
        for (size_t i = 0; i < 10; i++) {
            give(client, TG_LIT("0123456789"));
        }
        give(client, TG_LIT(GET));
        settle(at, client);
        assert_int_equal(at->num_ends, over ? 1 : 2);
        stop(at);
        fake_client_free(client);
    }
}

static void discard_that_does_not_come_is_closed(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.linger_ms = 60;
    server_case *at = start_with(AT_HEAD, &limits, NULL);
    fake_client *client = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"));
    fake_client *other = ask(at, TG_LIT("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"));
    other->is_at_end = true;
    settle(at, other);
    assert_true(other->is_closed);
    assert_false(client->is_closed);
    settle_ms(at, client, 300);
    assert_true(client->is_closed);
    stop(at);
    fake_client_free(client);
    fake_client_free(other);
}

static void head_at_limit_is_taken_and_one_over_is_431(void **state)
{
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        static char text[16386];
        const char *begin = "GET /a HTTP/1.1\r\nHost: h\r\nX: ";
        size_t len = 16384 + over;
        memset(text, 'x', sizeof text);
        memcpy(text, begin, strlen(begin));
        memcpy(text + len - 4, "\r\n\r\n", 4);
        server_case *at = start(ECHOES);
        fake_client *client = ask(at, tg_slice_of(text, len));
        assert_true(answer_starts(client, over ? "HTTP/1.1 431 " : "HTTP/1.1 200 "));
        stop(at);
        fake_client_free(client);
    }
}

static void body_at_limit_is_taken_and_one_over_is_413(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool is_over;
    } requests[] = {
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345", false},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n123456", true},
        {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", false},
        {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n3\r\n456\r\n0\r\n\r\n", true},
    };
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        server_case *at = start(SMALL_LIMIT);
        fake_client *client = ask(at, tg_slice_str(requests[i].request));
        assert_true(answer_starts(client, requests[i].is_over ? "HTTP/1.1 413 " : "HTTP/1.1 200 "));
        assert_int_equal(at->num_cancels, requests[i].is_over);
        stop(at);
        fake_client_free(client);
    }
}

static void connections_over_limit_are_closed_and_room_is_told(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.num_connections = 2;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *one = connect_client(at);
    assert_false(tg_http_server_is_full(at->server));
    fake_client *two = connect_client(at);
    assert_true(tg_http_server_is_full(at->server));
    fake_client *three = fake_client_new();
    assert_code(tg_http_server_adopt(at->server, &three->stream), TG_ERR_LIMIT);
    assert_true(three->is_closed);
    assert_int_equal(tg_http_server_counts(at->server).num_full, 1);
    assert_int_equal(at->num_rooms, 0);
    leave(at, one);
    assert_int_equal(at->num_rooms, 1);
    leave(at, two);
    assert_int_equal(at->num_rooms, 1);
    stop(at);
    fake_client_free(three);
}

static void requests_at_limit_end_the_connection(void **state)
{
    (void)state;
    tg_http_limits limits = defaults();
    limits.requests_per_connection = 2;
    server_case *at = start_with(ECHOES, &limits, NULL);
    fake_client *client = ask(at, TG_LIT(GET GET GET));
    assert_int_equal(at->num_ends, 2);
    assert_true(answer_ends(client, "Connection: close\r\n\r\nGET /a "));
    assert_true(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void drain_idle_connections_are_closed_and_the_end_is_told(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT(GET));
    tg_http_server_drain(at->server, case_on_drained, at);
    assert_int_equal(at->num_drained, 0); /* never from inside the call */
    assert_true(tg_http_server_is_full(at->server));
    settle(at, client);
    assert_true(client->is_shut);
    assert_true(client->is_closed);
    assert_int_equal(at->num_drained, 1);
    fake_client *late = fake_client_new();
    assert_code(tg_http_server_adopt(at->server, &late->stream), TG_ERR_LIMIT);
    stop(at);
    fake_client_free(client);
    fake_client_free(late);
}

static void drain_without_connections_is_told(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    tg_http_server_drain(at->server, case_on_drained, at);
    case_turn(at->loop);
    case_turn(at->loop);
    assert_int_equal(at->num_drained, 1);
    stop(at);
}

static void drain_begun_requests_are_answered_whole(void **state)
{
    (void)state;
    server_case *at = start(LATER);
    fake_client *at_handler = ask(at, TG_LIT(GET GET));
    tg_http_request *kept = at->kept;
    at->mode = ECHOES;
    fake_client *in_head = ask(at, TG_LIT("GET /b HT"));
    fake_client *in_body = ask(at, TG_LIT("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"));
    fake_client *unread = connect_client(at);
    give(unread, TG_LIT(GET)); /* has arrived, and was not read when the drain began */
    at->mode = BIG;
    at->answer_len = 100000;
    fake_client *in_answer = connect_client(at);
    in_answer->window = 1000;
    give(in_answer, TG_LIT(GET));
    settle(at, in_answer);
    at->mode = ECHOES;
    tg_http_server_drain(at->server, case_on_drained, at);
    settle(at, at_handler);
    give(in_head, TG_LIT("TP/1.1\r\nHost: h\r\n\r\n"));
    settle(at, in_head);
    give(in_body, TG_LIT("y"));
    settle(at, in_body);
    settle(at, unread);
    in_answer->window = SIZE_MAX;
    settle(at, in_answer);
    assert_int_equal(at->num_drained, 0);
    tg_http_respond_text(kept, 200, NULL, 0, TG_LIT("1"));
    settle(at, at_handler);
    assert_slice(answers(at_handler), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1");
    assert_true(answer_ends(in_head, "Connection: close\r\n\r\nGET /b "));
    assert_true(answer_ends(in_body, "Connection: close\r\n\r\nPOST /c xy"));
    assert_true(answer_ends(unread, "Connection: close\r\n\r\nGET /a "));
    assert_true(tg_buf_len(&in_answer->out) > 100000);
    fake_client *const clients[] = {at_handler, in_head, in_body, unread, in_answer};
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        clients[i]->is_at_end = true;
        settle(at, clients[i]);
        assert_true(clients[i]->is_closed);
        fake_client_free(clients[i]);
    }
    assert_int_equal(at->num_drained, 1);
    assert_int_equal(at->num_aborted, 0);
    stop(at);
}

static void renew_connections_of_now_end_and_others_are_taken(void **state)
{
    (void)state;
    server_case *at = start(LATER);
    fake_client *at_handler = ask(at, TG_LIT(GET GET));
    at->mode = ECHOES;
    fake_client *idle = ask(at, TG_LIT(GET));
    fake_client *silent = connect_client(at);
    give(idle, TG_LIT(GET)); /* has arrived, and is not read any more */
    tg_http_server_renew(at->server);
    assert_false(idle->is_closed); /* never from inside the call */
    case_turn(at->loop);
    assert_true(idle->is_closed);
    assert_true(silent->is_closed);
    assert_int_equal(at->num_ends, 1);
    tg_http_respond_text(at->kept, 200, NULL, 0, TG_LIT("1"));
    settle(at, at_handler);
    assert_slice(answers(at_handler), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1");
    fake_client *later = ask(at, TG_LIT(GET GET));
    assert_false(later->is_shut);
    assert_int_equal(at->num_ends, 4);
    stop(at);
    fake_client *const clients[] = {at_handler, idle, silent, later};
    for (size_t i = 0; i < TG_COUNT(clients); i++) {
        fake_client_free(clients[i]);
    }
}

static void slow_head_of_a_few_bytes_holds_no_block(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    tg_slice request =
        TG_LIT("GET /a HTTP/1.1\r\nHost: h\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n");
    fake_client *client = connect_client(at);
    for (size_t i = 0; i < request.len; i++) {
        give(client, tg_slice_of(request.ptr + i, 1));
        settle(at, client);
    }
    assert_true(answer_ends(client, "GET /a "));
    give(client, TG_LIT("GET /b HTTP/1.1\r\nHost: h\r\nX: "));
    for (size_t i = 0; i < 1500; i++) { /* past what is put away */
        give(client, TG_LIT("zz"));
        settle(at, client);
    }
    give(client, TG_LIT("\r\n\r\n" GET));
    settle(at, client);
    assert_int_equal(at->num_ends, 3);
    stop(at);
    fake_client_free(client);
}

static void long_unfinished_head_behind_a_request_is_moved_down(void **state)
{
    (void)state;
    static uint8_t filling[3000];
    memset(filling, 'y', sizeof filling);
    server_case *at = start(ECHOES);
    fake_client *client = connect_client(at);
    give(client, TG_LIT(GET "GET /b HTTP/1.1\r\nHost: h\r\nX: "));
    give(client, tg_slice_of(filling, sizeof filling));
    settle(at, client);
    assert_int_equal(at->num_ends, 1);
    for (size_t i = 0; i < 4; i++) { /* up to 15,000 bytes, which only fit once they are moved */
        give(client, tg_slice_of(filling, sizeof filling));
        settle(at, client);
    }
    give(client, TG_LIT("\r\n\r\n" GET));
    settle(at, client);
    assert_int_equal(at->num_ends, 3);
    assert_true(answer_ends(client, "GET /a "));
    stop(at);
    fake_client_free(client);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(deadline_head_not_begun_closes_in_silence),
        cmocka_unit_test(deadline_head_not_finished_is_408),
        cmocka_unit_test(deadline_idle_closes_in_silence),
        cmocka_unit_test(deadline_handler_silent_is_503),
        cmocka_unit_test(deadline_lingering_client_is_closed),
        cmocka_unit_test(linger_bytes_over_limit_closes),
        cmocka_unit_test(discard_body_at_limit_keeps_the_connection_and_one_over_ends_it),
        cmocka_unit_test(discard_that_does_not_come_is_closed),
        cmocka_unit_test(head_at_limit_is_taken_and_one_over_is_431),
        cmocka_unit_test(body_at_limit_is_taken_and_one_over_is_413),
        cmocka_unit_test(connections_over_limit_are_closed_and_room_is_told),
        cmocka_unit_test(requests_at_limit_end_the_connection),
        cmocka_unit_test(drain_idle_connections_are_closed_and_the_end_is_told),
        cmocka_unit_test(drain_without_connections_is_told),
        cmocka_unit_test(drain_begun_requests_are_answered_whole),
        cmocka_unit_test(renew_connections_of_now_end_and_others_are_taken),
        cmocka_unit_test(slow_head_of_a_few_bytes_holds_no_block),
        cmocka_unit_test(long_unfinished_head_behind_a_request_is_moved_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
