/* The server on TCP sockets of this machine, with a client in a thread that reads and writes as clients do. */
#include "server_case.h"

#include "io/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

/* What the client does, what it got, and how it tells that it is done. */
typedef struct socket_client {
    int fd;
    void (*talk)(struct socket_client *client);
    char got[4096];
    size_t got_len;
    bool is_reset;
    tg_loop *loop;
    tg_task done;
} socket_client;

static void on_done(tg_task *task)
{
    socket_client *client = TG_OBJECT_OF(task, socket_client, done);
    tg_loop_stop(client->loop);
}

static void *run_client(void *argument)
{
    socket_client *client = argument;
    client->talk(client);
    close(client->fd);
    tg_loop_post(client->loop, &client->done);
    return NULL;
}

static void send_all(socket_client *client, tg_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t len = send(client->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (len < 0) {
            client->is_reset = true;
            return;
        }
        bytes = tg_slice_from(bytes, (size_t)len);
    }
}

static void receive_to_end(socket_client *client)
{
    for (;;) {
        ssize_t len = recv(client->fd, client->got + client->got_len, sizeof client->got - 1 - client->got_len, 0);
        if (len <= 0) {
            client->is_reset = len < 0;
            return;
        }
        client->got_len += (size_t)len;
    }
}

static int accept_one(int *out_client_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    *out_client_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*out_client_fd, (struct sockaddr *)&address, sizeof address), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(listener);
    return fd;
}

static void talk_to_server(server_case *at, socket_client *client)
{
    pthread_t thread;
    tg_stream *stream;
    const tg_peer peer = {.kind = TG_ADDRESS_TCP};
    int fd = accept_one(&client->fd);
    client->loop = at->loop;
    client->done.run = on_done;
    assert_ok(tg_socket_open(at->loop, fd, &peer, &stream));
    assert_ok(tg_http_server_adopt(at->server, stream));
    assert_int_equal(pthread_create(&thread, NULL, run_client, client), 0);
    tg_loop_run(at->loop);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 100 && tg_http_server_counts(at->server).num_connections > 0; i++) {
        case_turn(at->loop);
        usleep(1000);
    }
    assert_int_equal(tg_http_server_counts(at->server).num_connections, 0);
}

static bool has(const socket_client *client, const char *text)
{
    return strstr(client->got, text) != NULL;
}

static void pipeline_and_half_close(socket_client *client)
{
    send_all(client, TG_LIT(GET "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz" GET));
    shutdown(client->fd, SHUT_WR);
    receive_to_end(client);
}

static void sockets_pipeline_then_half_close_gets_all_answers(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    socket_client client = {.talk = pipeline_and_half_close};
    talk_to_server(at, &client);
    assert_false(client.is_reset);
    assert_int_equal(at->num_ends, 3);
    assert_int_equal(at->num_aborted, 0);
    assert_true(has(&client, "POST /b xyz"));
    assert_true(tg_slice_ends(tg_slice_of(client.got, client.got_len), TG_LIT("GET /a ")));
    stop(at);
}

static void upload_all_then_read(socket_client *client)
{
    static uint8_t piece[65536];
    send_all(client, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"));
    for (size_t i = 0; i < 13; i++) {
        send_all(client, tg_slice_of(piece, sizeof piece));
        usleep(2000);
    }
    receive_to_end(client);
}

/* Without lingering the kernel would reset the connection and the answer would be lost. */
static void sockets_early_answer_reaches_a_client_that_sends_on(void **state)
{
    (void)state;
    server_case *at = start(AT_HEAD);
    socket_client client = {.talk = upload_all_then_read};
    talk_to_server(at, &client);
    assert_false(client.is_reset);
    assert_true(has(&client, "HTTP/1.1 403 Forbidden"));
    assert_true(has(&client, "{\"code\":\"forbidden\",\"message\":\"No.\"}"));
    stop(at);
}

static void slow_reader(socket_client *client)
{
    send_all(client, TG_LIT(GET));
    usleep(20000);
    size_t total = 0;
    static char piece[50000];
    for (ssize_t len = 1; len > 0 && total < 3000000;) {
        len = recv(client->fd, piece, sizeof piece, 0);
        total += len > 0 ? (size_t)len : 0;
    }
    client->got_len = total;
}

static void sockets_big_answer_reaches_a_slow_reader(void **state)
{
    (void)state;
    static const handler_mode modes[] = {BIG, STREAMS_OUT};
    for (size_t i = 0; i < TG_COUNT(modes); i++) {
        server_case *at = start(modes[i]);
        at->answer_len = 3000000;
        at->answer_length = 3000000;
        socket_client client = {.talk = slow_reader};
        talk_to_server(at, &client);
        assert_true(client.got_len >= 3000000);
        assert_int_equal(at->num_ends, 1);
        stop(at);
    }
}

static void ask_and_reset(socket_client *client)
{
    struct linger at_once = {1, 0};
    send_all(client, TG_LIT(GET));
    usleep(20000);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void sockets_reset_while_the_handler_works_cancels(void **state)
{
    (void)state;
    server_case *at = start(LATER);
    socket_client client = {.talk = ask_and_reset};
    talk_to_server(at, &client);
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
}

static void wait_for_continue(socket_client *client)
{
    send_all(client, TG_LIT("POST /b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                            "Connection: close\r\n\r\n"));
    ssize_t len = recv(client->fd, client->got, 25, MSG_WAITALL);
    client->got_len = len > 0 ? (size_t)len : 0;
    send_all(client, TG_LIT("xyz"));
    receive_to_end(client);
}

static void sockets_client_that_waits_for_100_gets_it(void **state)
{
    (void)state;
    server_case *at = start(ECHOES);
    socket_client client = {.talk = wait_for_continue};
    talk_to_server(at, &client);
    assert_true(tg_slice_starts(tg_slice_of(client.got, client.got_len), TG_LIT("HTTP/1.1 100 Continue\r\n\r\nHTTP/")));
    assert_true(has(&client, "POST /b xyz"));
    stop(at);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(sockets_pipeline_then_half_close_gets_all_answers),
        cmocka_unit_test(sockets_early_answer_reaches_a_client_that_sends_on),
        cmocka_unit_test(sockets_big_answer_reaches_a_slow_reader),
        cmocka_unit_test(sockets_reset_while_the_handler_works_cancels),
        cmocka_unit_test(sockets_client_that_waits_for_100_gets_it),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
