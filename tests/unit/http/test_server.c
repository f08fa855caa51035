/* Requests and answers over a connection: order, splits, bodies, expectations, refusals. */
#include "server_case.h"

#define GET       "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_REPLY "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nGET /a "

static void server_one_request_is_answered_by_one_read_and_one_write(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT(GET));
    assert_slice(answers(client), GET_REPLY);
    assert_int_equal(client->num_reads, 1);
    assert_int_equal(client->num_writes, 1);
    assert_false(client->is_closed);
    assert_int_equal(client->watched, TG_STREAM_READ);
    assert_int_equal(at->num_ends, 1);
    assert_int_equal(at->last_status, 200);
    assert_int_equal(at->last_bytes_in, sizeof GET - 1);
    assert_int_equal(at->last_bytes_out, tg_buf_len(&client->out));
    stop(at);
    assert_true(client->is_closed);
    fake_client_free(client);
}

static void server_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT(GET "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
                                             "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                             "2\r\n12\r\n1\r\n3\r\n0\r\n\r\n" GET));
    assert_slice(answers(client), GET_REPLY
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nPOST /b xyz"
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nPOST /c 123" GET_REPLY);
    assert_int_equal(at->num_ends, 4);
    stop(at);
    fake_client_free(client);
}

static void server_long_pipeline_is_answered_in_turns(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = connect_client(at);
    for (unsigned i = 0; i < 500; i++) {
        give(client, TG_LIT(GET));
    }
    fake_client_turn(client);
    assert_int_equal(at->num_ends, 16);
    fake_client *other = connect_client(at);
    give(other, TG_LIT(GET));
    fake_client_turn(other);
    assert_int_equal(at->num_ends, 17);
    settle(at, client);
    assert_int_equal(at->num_ends, 501);
    stop(at);
    fake_client_free(client);
    fake_client_free(other);
}

static void server_next_request_waits_for_the_answer(void **state)
{
    (void)state;
    server_case *at = start(LATER);
    fake_client *client = ask(at, TG_LIT(GET GET));
    assert_int_equal(at->num_heads, 1);
    tg_http_respond_text(at->kept, 200, NULL, 0, TG_LIT("1"));
    assert_int_equal(tg_buf_len(&client->out), 0); /* nothing is written from inside the call */
    settle(at, client);
    assert_int_equal(at->num_heads, 2);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    tg_http_respond_text(at->kept, 204, NULL, 0, TG_LIT("dropped"));
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 204 No Content\r\n\r\n");
    stop(at);
    fake_client_free(client);
}

#define LONG_CHAIN                                                                                                     \
    GET "POST /b?q HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"                                                \
        "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\n12\r\n1\r\n3\r\n0\r\nT: x\r\n\r\n"    \
        "HEAD /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define LONG_CHAIN_REPLY                                                                                               \
    GET_REPLY "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nPOST /b xyz"                   \
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nPOST /c 123"                   \
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"

static void server_every_split_gives_the_same_answers(void **state)
{
    (void)state;
    tg_slice chain = TG_LIT(LONG_CHAIN);
    server_case *at = start(ECHOES);
    for (size_t split = 1; split < chain.len; split++) {
        fake_client *client = connect_client(at);
        give(client, tg_slice_first(chain, split));
        settle(at, client);
        give(client, tg_slice_from(chain, split));
        settle(at, client);
        assert_slice(answers(client), LONG_CHAIN_REPLY);
        assert_true(client->is_shut);
        assert_true(client->is_closed);
        fake_client_free(client);
    }
    stop(at);
}

static void server_every_step_gives_the_same_answers(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    for (size_t step = 1; step < 40; step++) {
        fake_client *client = connect_client(at);
        client->step = step;
        give(client, TG_LIT(LONG_CHAIN));
        settle(at, client);
        assert_slice(answers(client), LONG_CHAIN_REPLY);
        fake_client_free(client);
    }
    assert_int_equal(tg_http_server_counts(at->server).num_connections, 0);
    stop(at);
}

/* A body that does not fit into the block is collected elsewhere, whatever its coding and the steps it comes in. */
static void server_long_bodies_are_collected_whole(void **state)
{
    (void)state;
    enum { LEN = 300000 };
    static const size_t steps[] = {0, 1000, 16384, 70000};
    server_case *at = start(ECHOES);
    for (size_t i = 0; i < 2 * TG_COUNT(steps); i++) {
        bool is_chunked = i % 2 == 1;
        fake_client *client = connect_client(at);
        client->step = steps[i / 2];
        give(client, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\n"));
        give(client,
             is_chunked ? TG_LIT("Transfer-Encoding: chunked\r\n\r\n") : TG_LIT("Content-Length: 300000\r\n\r\n"));
        for (size_t sent = 0; sent < LEN; sent += 10000) {
            static uint8_t piece[10000];
            memset(piece, 'a' + (int)(sent / 10000) % 26, sizeof piece);
            give(client, is_chunked ? TG_LIT("2710\r\n") : TG_LIT(""));
            give(client, tg_slice_of(piece, sizeof piece));
            give(client, is_chunked ? TG_LIT("\r\n") : TG_LIT(""));
        }
        give(client, is_chunked ? TG_LIT("0\r\n\r\n" GET) : TG_LIT(GET));
        settle(at, client);
        tg_slice got = answers(client);
        tg_slice begin =
            TG_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 300008\r\n\r\nPOST /b ");
        assert_true(tg_slice_starts(got, begin));
        assert_true(tg_slice_ends(got, TG_LIT("dddd" GET_REPLY)));
        assert_int_equal(got.len, begin.len + LEN + sizeof GET_REPLY - 1);
        fake_client_turn(client);
        client->is_at_end = true;
        settle(at, client);
        assert_true(client->is_closed);
        fake_client_free(client);
    }
    stop(at);
}

static void server_streamed_body_is_given_in_pieces(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
        "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"};
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        for (size_t step = 0; step < 4; step++) {
            server_case *at = start(STREAMS_IN);
            fake_client *client = connect_client(at);
            client->step = step;
            give(client, tg_slice_str(requests[i]));
            settle(at, client);
            assert_slice(tg_buf_slice(&at->body), "0123456789");
            assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n10");
            stop(at);
            fake_client_free(client);
        }
    }
}

static void server_paused_body_is_not_read(void **state)
{
    (void)state;
    server_case *at = start(PAUSES);
    fake_client *client = connect_client(at);
    client->step = 60;
    give(client, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"));
    for (size_t i = 0; i < 100; i++) {
        give(client, TG_LIT("0123456789"));
    }
    unsigned num_pauses = 0;
    settle(at, client);
    while (at->kept != NULL && num_pauses < 100) {
        assert_int_equal(client->watched, 0);
        size_t before = tg_buf_len(&client->in);
        settle(at, client);
        assert_int_equal(tg_buf_len(&client->in), before);
        tg_http_request *request = TG_TAKE(at->kept);
        tg_http_request_resume(request);
        settle(at, client);
        num_pauses++;
    }
    assert_true(num_pauses >= 16);
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1000");
    stop(at);
    fake_client_free(client);
}

static void server_expectation_is_met_when_the_body_is_wanted(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client =
        ask(at, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    assert_slice(answers(client), "HTTP/1.1 100 Continue\r\n\r\n");
    give(client, TG_LIT("xyz"));
    settle(at, client);
    assert_slice(answers(client), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                  "Content-Length: 11\r\n\r\nPOST /b xyz");
    assert_false(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void server_expectation_is_not_met_when_it_is_needless(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client =
        ask(at, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nxyz"));
    assert_true(answer_starts(client, "HTTP/1.1 200 OK\r\n"));
    leave(at, client);
    at->mode = AT_HEAD; /* refused by its head: the connection ends, since the body may come or not */
    client = ask(at, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    assert_slice(answers(client), "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 36\r\n"
                                  "Connection: close\r\n\r\n{\"code\":\"forbidden\",\"message\":\"No.\"}");
    assert_true(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void server_early_answer_drops_a_short_body_and_goes_on(void **state)
{
    (void)state;
    server_case *at = start(AT_HEAD);
    fake_client *client = ask(at, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
    assert_true(answer_starts(client, "HTTP/1.1 403 Forbidden\r\n"));
    assert_int_equal(at->num_ends, 1);
    give(client, TG_LIT("cde" GET));
    settle(at, client);
    assert_int_equal(at->num_ends, 2);
    assert_false(client->is_shut);
    assert_int_equal(at->num_cancels, 0);
    stop(at);
    fake_client_free(client);
}

static void server_early_answer_to_a_long_body_ends_and_lingers(void **state)
{
    (void)state;
    static const char *const heads[] = {"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
                                        "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"};
    for (size_t i = 0; i < TG_COUNT(heads); i++) {
        server_case *at = start(AT_HEAD);
        fake_client *client = ask(at, tg_slice_str(heads[i]));
        assert_true(answer_starts(client, "HTTP/1.1 403 Forbidden\r\n"));
        assert_true(strstr((const char *)answers(client).ptr, "Connection: close\r\n") != NULL);
        assert_true(client->is_shut);
        assert_false(client->is_closed); /* its bytes are still taken, so that no reset overtakes the answer */
        for (size_t sent = 0; sent < 1000000; sent += 10) {
            give(client, TG_LIT("0123456789"));
        }
        settle(at, client);
        assert_int_equal(tg_buf_len(&client->in), 0);
        assert_false(client->is_closed);
        client->is_at_end = true;
        settle(at, client);
        assert_true(client->is_closed);
        stop(at);
        fake_client_free(client);
    }
}

static void server_answer_within_the_body_ends_its_pieces(void **state)
{
    (void)state;
    server_case *at = start(IN_BODY);
    fake_client *client = connect_client(at);
    client->step = 58;
    give(client, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n"
                        "01234567890123456789012345678901234567890123456789" GET));
    settle(at, client);
    assert_true(tg_buf_len(&at->body) < 50);
    assert_int_equal(at->num_ends, 2);
    assert_int_equal(at->num_requests, 1); /* the second has no body, and is echoed */
    assert_true(answer_ends(client, "\r\n\r\nGET /a "));
    stop(at);
    fake_client_free(client);
}

static void server_old_clients_are_closed_unless_they_ask(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT("GET /a HTTP/1.0\r\n\r\n"));
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n"
                                  "Connection: close\r\n\r\nGET /a ");
    assert_true(client->is_closed);
    fake_client_free(client);
    client = ask(at, TG_LIT("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_slice(answers(client), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n"
                                  "Connection: keep-alive\r\n\r\nGET /a ");
    assert_false(client->is_shut);
    stop(at);
    fake_client_free(client);
}

static void server_half_closed_client_gets_its_answers(void **state)
{
    (void)state;
    server_case *at = start(LATER);
    fake_client *client = connect_client(at);
    client->is_at_end = true;
    give(client, TG_LIT(GET GET));
    settle(at, client);
    assert_int_equal(at->num_cancels, 0);
    tg_http_respond_text(at->kept, 200, NULL, 0, TG_LIT("1"));
    settle(at, client);
    tg_http_respond_text(at->kept, 200, NULL, 0, TG_LIT("2"));
    settle(at, client);
    assert_slice(answers(client),
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    assert_true(client->is_closed);
    stop(at);
    fake_client_free(client);
}

/* Each is refused with this status, told so, and the connection ends. */
static const struct {
    const char *request;
    unsigned status;
    tg_http_refusal refusal;
    const char *code;
} refused[] = {
    {"GET / HTTP/1.1\r\n\r\n", 400, TG_HTTP_HOST_MISSING, "bad_request"},
    {"GET / HTTP/1.1\nHost: h\n\n", 400, TG_HTTP_BARE_LF, "bad_request"},
    {"GET / HTTP/2.0\r\n\r\n", 505, TG_HTTP_VERSION_UNSUPPORTED, "version_not_supported"},
    {"\x16\x03\x01", 400, TG_HTTP_BAD_BYTE, "bad_request"},
    {"GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400, TG_HTTP_BAD_TARGET, "bad_request"},
    {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, TG_HTTP_BAD_HOST, "bad_request"},
    {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, TG_HTTP_METHOD_UNSUPPORTED, "not_implemented"},
    {"POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", 417, TG_HTTP_BAD_EXPECTATION,
     "expectation_failed"},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     TG_HTTP_LENGTH_WITH_CODING, "bad_request"},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10485761\r\n\r\n", 413, TG_HTTP_BODY_TOO_LARGE,
     "payload_too_large"},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\na00001\r\n", 413, TG_HTTP_BODY_TOO_LARGE,
     "payload_too_large"},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", 400, TG_HTTP_BAD_CHUNK, "bad_request"},
};

static void server_broken_requests_are_refused_and_the_connection_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        char begin[32];
        char code[64];
        server_case *at = start(ECHOES);
        fake_client *client = ask(at, tg_slice_str(refused[i].request));
        snprintf(begin, sizeof begin, "HTTP/1.1 %u ", refused[i].status);
        snprintf(code, sizeof code, "{\"code\":\"%s\",", refused[i].code);
        assert_true(answer_starts(client, begin));
        assert_ok(tg_buf_append_byte(&client->out, 0));
        assert_non_null(strstr((const char *)client->out.ptr, code));
        assert_non_null(strstr((const char *)client->out.ptr, "Connection: close\r\n"));
        assert_string_equal(tg_http_refusal_name(at->last_refusal), tg_http_refusal_name(refused[i].refusal));
        assert_int_equal(at->last_status, refused[i].status);
        assert_int_equal(at->num_requests, 0);
        assert_int_equal(at->num_cancels, at->num_heads);
        assert_true(client->is_shut);
        assert_int_equal(tg_http_server_counts(at->server).num_refused, 1);
        stop(at);
        fake_client_free(client);
    }
}

static void server_request_that_ends_early_is_refused(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxy",
                                           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\nxy",
                                           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxy"};
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        server_case *at = start(ECHOES);
        fake_client *client = connect_client(at);
        client->is_at_end = true;
        give(client, tg_slice_str(requests[i]));
        settle(at, client);
        assert_true(answer_starts(client, "HTTP/1.1 400 Bad Request\r\n"));
        assert_int_equal(at->num_requests, 0);
        assert_true(client->is_closed);
        stop(at);
        fake_client_free(client);
    }
}

static void server_absolute_target_and_server_target_are_taken(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *client = ask(at, TG_LIT("GET http://H:80/x HTTP/1.1\r\nHost: h:80\r\n\r\n"));
    assert_true(answer_ends(client, "GET /x "));
    leave(at, client);
    client = ask(at, TG_LIT("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_true(answer_ends(client, "OPTIONS * "));
    stop(at);
    fake_client_free(client);
}

static void server_two_clients_do_not_mix(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    fake_client *one = connect_client(at);
    fake_client *two = connect_client(at);
    tg_slice first = TG_LIT("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n1111");
    tg_slice second = TG_LIT("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n2222");
    for (size_t i = 0; i < first.len; i++) {
        give(one, tg_slice_of(first.ptr + i, 1));
        settle(at, one);
        give(two, tg_slice_of(second.ptr + i, 1));
        settle(at, two);
    }
    assert_true(answer_ends(one, "POST /1 1111"));
    assert_true(answer_ends(two, "POST /2 2222"));
    stop(at);
    fake_client_free(one);
    fake_client_free(two);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(server_one_request_is_answered_by_one_read_and_one_write),
        cmocka_unit_test(server_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(server_long_pipeline_is_answered_in_turns),
        cmocka_unit_test(server_next_request_waits_for_the_answer),
        cmocka_unit_test(server_every_split_gives_the_same_answers),
        cmocka_unit_test(server_every_step_gives_the_same_answers),
        cmocka_unit_test(server_long_bodies_are_collected_whole),
        cmocka_unit_test(server_streamed_body_is_given_in_pieces),
        cmocka_unit_test(server_paused_body_is_not_read),
        cmocka_unit_test(server_expectation_is_met_when_the_body_is_wanted),
        cmocka_unit_test(server_expectation_is_not_met_when_it_is_needless),
        cmocka_unit_test(server_early_answer_drops_a_short_body_and_goes_on),
        cmocka_unit_test(server_early_answer_to_a_long_body_ends_and_lingers),
        cmocka_unit_test(server_answer_within_the_body_ends_its_pieces),
        cmocka_unit_test(server_old_clients_are_closed_unless_they_ask),
        cmocka_unit_test(server_half_closed_client_gets_its_answers),
        cmocka_unit_test(server_broken_requests_are_refused_and_the_connection_ends),
        cmocka_unit_test(server_request_that_ends_early_is_refused),
        cmocka_unit_test(server_absolute_target_and_server_target_are_taken),
        cmocka_unit_test(server_two_clients_do_not_mix),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
