#include "proxy/http_router.h"

#include "unit/proxy/served.h"

#include "hello/proxy_header.h"

#define HOST_A "Host: a.x\r\n"
#define HOST_B "Host: b.x\r\n"
#define LAST   "Connection: close\r\n"
#define OK_HI  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static int enclave_a, enclave_b;

static int set_up(void **state)
{
    if (tg_test_folder_set_up(state) != 0 || tg_test_log_set_up(state) != 0) {
        return -1;
    }
    enclave_a = served_listen("a");
    enclave_b = served_listen("b");
    served_start("{\"domains\": {\"a.x\": {\"cid\": 16, \"http\": \"unix:@/a\", \"https\": \"unix:@/a\"},"
                 "\"*.b.x\": {\"cid\": 17, \"http\": \"unix:@/b\", \"https\": \"unix:@/b\"},"
                 "\"b.x\": {\"cid\": 17, \"http\": \"unix:@/b\", \"https\": \"unix:@/b\"},"
                 "\"down.x\": {\"cid\": 18, \"http\": \"unix:@/nobody\", \"https\": \"unix:@/nobody\"}},"
                 "\"listen\": {\"http\": [\"unix:@/http\", {\"address\": \"unix:@/told\", \"accept_proxy\": true, "
                 "\"send_proxy\": true}], \"https\": [], \"kms\": [], \"internet\": []},"
                 "\"timeouts\": {\"hello_ms\": 3000, \"keep_ms\": 3000, \"idle_ms\": 3000}}");
    return 0;
}

static int tear_down(void **state)
{
    served_stop();
    close(enclave_a);
    close(enclave_b);
    tg_test_log_tear_down(state);
    return tg_test_folder_tear_down(state);
}

static int forget(void **state)
{
    (void)state;
    tg_test_log_forget();
    return 0;
}

/* A client that has asked, and the enclave's side of it, which has heard every byte. */
typedef struct pair {
    int client;
    int enclave;
} pair;

static pair asked(int enclave, const char *request)
{
    pair made = {.client = served_connect("http")};
    served_say(made.client, request);
    made.enclave = served_accept(enclave);
    assert_hears(made.enclave, request);
    return made;
}

static void asks_again(const pair *of, const char *request)
{
    served_say(of->client, request);
    assert_hears(of->enclave, request);
}

static void answers(const pair *of, const char *answer)
{
    served_say(of->enclave, answer);
    assert_hears(of->client, answer);
}

static void done(const pair *of)
{
    close(of->client);
    close(of->enclave);
}

static void assert_refused(const char *request, const char *status_line)
{
    int client = served_connect("http");
    served_say(client, request);
    const char *answer = served_rest(client);
    if (strncmp(answer, status_line, strlen(status_line)) != 0) {
        fail_msg("%s\nanswered: %s", request, answer);
    }
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    close(client);
}

static void route_known_host_is_passed_on_byte_for_byte(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET /x?y=%20 HTTP/1.1\r\n" HOST_A "X-Odd:  blanks \r\n\r\n");
    answers(&of, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX: y\r\n\r\nhi");
    close(of.client);
    assert_ends(of.enclave);
    close(of.enclave);
    assert_true(tg_test_log_says("\"name\":\"a.x\""));
}

static void route_every_request_of_a_connection_is_decided_anew(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET /1 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    asks_again(&of, "GET /2 HTTP/1.1\r\nHost: A.X:8080\r\n\r\n"); /* the same one is kept */
    answers(&of, OK_HI);
    served_say(of.client, "GET /3 HTTP/1.1\r\nHost: deep.B.x\r\n\r\n");
    assert_ends(of.enclave);
    pair other = {of.client, served_accept(enclave_b)};
    assert_hears(other.enclave, "GET /3 HTTP/1.1\r\nHost: deep.B.x\r\n\r\n");
    answers(&other, OK_HI);
    done(&other);
    close(of.enclave);
}

static void route_unknown_host_gets_404_and_the_connection_goes_on(void **state)
{
    (void)state;
    pair of = {.client = served_connect("http")};
    served_say(of.client, "GET / HTTP/1.1\r\nHost: other.x\r\n\r\n");
    assert_hears(of.client, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 17\r\n\r\nDomain not found\n");
    served_say(of.client, "HEAD / HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    assert_hears(of.client, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 17\r\n\r\n");
    served_say(of.client, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    of.enclave = served_accept(enclave_a);
    assert_hears(of.enclave, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    done(&of);
    assert_true(tg_test_log_says("\"event\":\"domain not found\""));
}

static void route_unknown_host_with_a_body_ends_the_connection(void **state)
{
    (void)state;
    assert_refused("POST / HTTP/1.1\r\nHost: other.x\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 404 ");
}

static void route_dead_enclave_gets_502_and_the_connection_goes_on(void **state)
{
    (void)state;
    int client = served_connect("http");
    for (int i = 0; i < 2; i++) {
        served_say(client, "GET / HTTP/1.1\r\nHost: down.x\r\n\r\n");
        assert_hears(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
                             "Content-Length: 20\r\n\r\nService unavailable\n");
    }
    close(client);
    assert_true(tg_test_log_says("\"event\":\"dial failed\""));
}

static void route_malformed_heads_are_refused(void **state)
{
    (void)state;
    assert_refused("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    assert_refused("GET / HTTP/1.1\r\n" HOST_A HOST_B "\r\n", "HTTP/1.1 400 ");
    assert_refused("GET http://b.x/ HTTP/1.1\r\n" HOST_A "\r\n", "HTTP/1.1 400 ");
    assert_refused("GET / HTTP/1.1\n" HOST_A "\r\n", "HTTP/1.1 400 ");
    assert_refused("CONNECT a.x:443 HTTP/1.1\r\n" HOST_A "\r\n", "HTTP/1.1 501 ");
    assert_refused("GET / HTTP/3.0\r\n" HOST_A "\r\n", "HTTP/1.1 505 ");
    assert_refused("POST / HTTP/1.1\r\n" HOST_A "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "HTTP/1.1 400 ");
}

static void exchange_chunked_bodies_pass_both_ways(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "POST / HTTP/1.1\r\n" HOST_A "Transfer-Encoding: chunked\r\n\r\n3;ext\r\nabc\r\n");
    asks_again(&of, "0\r\nTrailer: t\r\n\r\n");
    answers(&of, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    answers(&of, "0\r\n\r\n");
    asks_again(&of, "GET /after HTTP/1.1\r\n" HOST_A LAST "\r\n");
    answers(&of, OK_HI);
    assert_ends(of.client);
    done(&of);
}

static void exchange_bad_chunk_is_refused_or_broken_off(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "POST / HTTP/1.1\r\n" HOST_A "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    served_say(of.client, "zz\r\n");
    assert_hears(of.client, "HTTP/1.1 400 ");
    done(&of);
    of = asked(enclave_a, "POST / HTTP/1.1\r\n" HOST_A "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    answers(&of, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    served_say(of.client, "zz\r\n");
    assert_ends(of.client);
    done(&of);
    assert_true(tg_test_log_says("\"end\":\"bad_chunk\""));
}

static void exchange_answers_before_the_final_one_are_passed_on(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "POST / HTTP/1.1\r\n" HOST_A "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    answers(&of, "HTTP/1.1 100 Continue\r\n\r\n");
    asks_again(&of, "abc");
    answers(&of, "HTTP/1.1 204 No Content\r\n\r\n");
    asks_again(&of, "HEAD / HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    asks_again(&of, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    served_say(of.enclave, "HTTP/1.1 200 OK\r\n\r\nup to the end");
    shutdown(of.enclave, SHUT_WR);
    assert_hears(of.client, "HTTP/1.1 200 OK\r\n\r\nup to the end");
    assert_ends(of.client);
    done(&of);
}

static void exchange_101_becomes_a_raw_connection(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A "Upgrade: x\r\nConnection: Upgrade\r\n\r\n");
    answers(&of, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst");
    asks_again(&of, "raw bytes");
    answers(&of, "both ways");
    shutdown(of.client, SHUT_WR);
    assert_ends(of.enclave);
    answers(&of, "half-closed");
    done(&of);
    assert_true(tg_test_log_says("\"status\":101"));
}

static void exchange_101_that_nobody_asked_for_is_502_and_ends_the_enclave(void **state)
{
    (void)state;
    static const char *const fields[] = {"", "Upgrade: x\r\n", "Connection: keep-alive, upgrade\r\n",
                                         "Upgrade: x\r\nConnection: x-upgrade\r\n"};
    for (size_t i = 0; i < TG_COUNT(fields); i++) {
        char request[200];
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" HOST_A "%s\r\n", fields[i]);
        pair of = asked(enclave_a, request);
        served_say(of.enclave, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
        assert_hears(of.client, "HTTP/1.1 502 ");
        assert_ends(of.enclave);
        close(of.client);
        close(of.enclave);
    }
}

static void exchange_enclave_that_leaves_without_an_answer_is_502(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    close(of.enclave);
    assert_hears(of.client, "HTTP/1.1 502 ");
    close(of.client);
    assert_true(tg_test_log_says("\"rule\":\"target_left\""));
}

static void exchange_answer_that_is_cut_or_none_is_broken_off(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    served_say(of.enclave, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    close(of.enclave);
    assert_null(strstr(served_rest(of.client), "HTTP/1.1 502"));
    close(of.client);
    of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    served_say(of.enclave, "SSH-2.0-OpenSSH\r\n\r\n");
    assert_hears(of.client, "HTTP/1.1 502 ");
    done(&of);
    assert_true(tg_test_log_says("\"end\":\"target_left\""));
}

static void exchange_client_that_leaves_within_its_body_is_told_to_the_enclave(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "POST / HTTP/1.1\r\n" HOST_A "Content-Length: 10\r\n\r\nabc");
    shutdown(of.client, SHUT_WR);
    assert_ends(of.enclave);
    done(&of);
    assert_true(tg_test_log_says("\"end\":\"client_left\""));
}

static void exchange_answer_of_many_buffers_passes(void **state)
{
    (void)state;
    enum { PIECE = 50000, PIECES = 40 };
    static char piece[PIECE];
    pair of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A LAST "\r\n");
    answers(&of, "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
    size_t sent = 0, got = 0;
    while (got < (size_t)PIECE * PIECES) {
        if (sent < (size_t)PIECE * PIECES) {
            ssize_t one = send(of.enclave, piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += one > 0 ? (size_t)one : 0;
        }
        ssize_t one = recv(of.client, piece, sizeof piece, 0);
        assert_true(one > 0);
        got += (size_t)one;
    }
    assert_ends(of.client);
    done(&of);
}

static void repeat_idempotent_request_goes_to_a_new_connection(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET /1 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    asks_again(&of, "DELETE /2 HTTP/1.1\r\n" HOST_A "\r\n");
    served_say(of.client, "GET /3 HTTP/1.1\r\n" HOST_A "\r\n"); /* behind it, already */
    close(of.enclave);
    of.enclave = served_accept(enclave_a);
    assert_hears(of.enclave, "DELETE /2 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    assert_hears(of.enclave, "GET /3 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    done(&of);
    assert_true(tg_test_log_says("\"event\":\"request repeated\""));
}

static void repeat_of_others_or_once_heard_does_not_happen(void **state)
{
    (void)state;
    static const char *const requests[] = {"POST / HTTP/1.1\r\n" HOST_A "\r\n",
                                           "PUT / HTTP/1.1\r\n" HOST_A "Content-Length: 1\r\n\r\na"};
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        pair of = asked(enclave_a, "GET /1 HTTP/1.1\r\n" HOST_A "\r\n");
        answers(&of, OK_HI);
        asks_again(&of, requests[i]);
        close(of.enclave);
        assert_hears(of.client, "HTTP/1.1 502 ");
        close(of.client);
    }
    pair of = asked(enclave_a, "GET /1 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    asks_again(&of, "GET /2 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, "HTTP/1.1 103 Early Hints\r\n\r\n");
    close(of.enclave);
    assert_null(strstr(served_rest(of.client), "200"));
    close(of.client);
    assert_null(strstr(tg_test_log(), "request repeated"));
}

static void keep_enclave_that_says_what_nobody_asked_for_is_left(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET /1 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    served_say(of.enclave, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); /* for a request that will be another's */
    assert_ends(of.enclave);
    close(of.enclave);
    served_say(of.client, "GET /2 HTTP/1.1\r\n" HOST_A "\r\n");
    of.enclave = served_accept(enclave_a);
    assert_hears(of.enclave, "GET /2 HTTP/1.1\r\n" HOST_A "\r\n");
    answers(&of, OK_HI);
    done(&of);
}

static void deadline_slow_head_gets_408_and_idle_client_is_let_go(void **state)
{
    (void)state;
    int slow = served_connect("http"), idle = served_connect("http");
    served_say(slow, "GET / HTTP/1.1\r\nHo");
    assert_hears(slow, "HTTP/1.1 408 ");
    assert_ends(idle);
    close(slow);
    close(idle);
}

static void deadline_exchange_without_progress_is_broken_off(void **state)
{
    (void)state;
    pair of = asked(enclave_a, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    assert_ends(of.client);
    done(&of);
    assert_true(tg_test_log_says("\"end\":\"idle\""));
}

static void client_that_leaves_in_the_head_is_forgotten(void **state)
{
    (void)state;
    int client = served_connect("http");
    served_say(client, "GET / HTT");
    shutdown(client, SHUT_WR);
    assert_string_equal(served_rest(client), "");
    close(client);
}

static void header_names_the_client_and_is_passed_on(void **state)
{
    (void)state;
    tg_buf buf;
    const uint8_t addresses[] = {192, 0, 2, 7, 192, 0, 2, 8};
    const tg_proxy_header header = {.family = TG_PROXY_INET,
                                    .source = tg_slice_of(addresses, 4),
                                    .destination = tg_slice_of(addresses + 4, 4),
                                    .source_port = 4711,
                                    .destination_port = 80};
    tg_buf_init(&buf, 1000);
    assert_ok(tg_proxy_header_append(&buf, &header, false));
    assert_ok(tg_buf_append_str(&buf, "GET / HTTP/1.1\r\n" HOST_A "\r\n"));
    pair of = {.client = served_connect("told")};
    served_send(of.client, tg_slice_first(tg_buf_slice(&buf), 9)); /* in two pieces */
    usleep(20000);
    served_send(of.client, tg_slice_from(tg_buf_slice(&buf), 9));
    of.enclave = served_accept(enclave_a);
    uint8_t got[256];
    assert_int_equal(recv(of.enclave, got, tg_buf_len(&buf), MSG_WAITALL), tg_buf_len(&buf));
    assert_memory_equal(got, tg_buf_slice(&buf).ptr, tg_buf_len(&buf));
    answers(&of, OK_HI);
    done(&of);
    tg_buf_done(&buf);
    assert_true(tg_test_log_says("\"peer\":\"tcp:192.0.2.7:4711\""));
}

static void header_that_is_missing_or_bad_ends_the_connection(void **state)
{
    (void)state;
    int client = served_connect("told");
    served_say(client, "GET / HTTP/1.1\r\n" HOST_A "\r\n");
    assert_ends(client);
    close(client);
    client = served_connect("told");
    served_say(client, "\r\n\r\n");
    shutdown(client, SHUT_WR);
    assert_ends(client);
    close(client);
    assert_true(tg_test_log_says("\"event\":\"bad PROXY header\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(route_known_host_is_passed_on_byte_for_byte, forget),
        cmocka_unit_test_setup(route_every_request_of_a_connection_is_decided_anew, forget),
        cmocka_unit_test_setup(route_unknown_host_gets_404_and_the_connection_goes_on, forget),
        cmocka_unit_test_setup(route_unknown_host_with_a_body_ends_the_connection, forget),
        cmocka_unit_test_setup(route_dead_enclave_gets_502_and_the_connection_goes_on, forget),
        cmocka_unit_test_setup(route_malformed_heads_are_refused, forget),
        cmocka_unit_test_setup(exchange_chunked_bodies_pass_both_ways, forget),
        cmocka_unit_test_setup(exchange_bad_chunk_is_refused_or_broken_off, forget),
        cmocka_unit_test_setup(exchange_answers_before_the_final_one_are_passed_on, forget),
        cmocka_unit_test_setup(exchange_101_becomes_a_raw_connection, forget),
        cmocka_unit_test_setup(exchange_101_that_nobody_asked_for_is_502_and_ends_the_enclave, forget),
        cmocka_unit_test_setup(exchange_enclave_that_leaves_without_an_answer_is_502, forget),
        cmocka_unit_test_setup(exchange_answer_that_is_cut_or_none_is_broken_off, forget),
        cmocka_unit_test_setup(exchange_client_that_leaves_within_its_body_is_told_to_the_enclave, forget),
        cmocka_unit_test_setup(exchange_answer_of_many_buffers_passes, forget),
        cmocka_unit_test_setup(repeat_idempotent_request_goes_to_a_new_connection, forget),
        cmocka_unit_test_setup(repeat_of_others_or_once_heard_does_not_happen, forget),
        cmocka_unit_test_setup(keep_enclave_that_says_what_nobody_asked_for_is_left, forget),
        cmocka_unit_test_setup(deadline_slow_head_gets_408_and_idle_client_is_let_go, forget),
        cmocka_unit_test_setup(deadline_exchange_without_progress_is_broken_off, forget),
        cmocka_unit_test_setup(client_that_leaves_in_the_head_is_forgotten, forget),
        cmocka_unit_test_setup(header_names_the_client_and_is_passed_on, forget),
        cmocka_unit_test_setup(header_that_is_missing_or_bad_ends_the_connection, forget),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
