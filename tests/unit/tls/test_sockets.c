/* TLS streams on real sockets and a real loop; at the other end OpenSSL in a thread, blocking. */
#include "io/socket.h"
#include "unit/io/sockets.h"
#include "unit/tls/conversation.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

enum { NUM_BYTES = 3 << 20 };

static test_certificate issuer;
static test_certificate server;
static tg_tls_context *context;

/* The far end: writes NUM_BYTES (or a request), ends its side, reads to the end. */
typedef struct far_end {
    pthread_t thread;
    int fd;
    size_t to_write;
    size_t num_read;
    bool shows_certificate; /* one that nobody vouches for */
    bool reads_late;        /* not before it has ended its own side */
    bool is_orderly;        /* it read a close_notify */
    atomic_bool has_written;
    unsigned long reason;
} far_end;

static far_end far;
static sem_t is_waiting; /* posted when the server has answered the ClientHello and reads no more */

static struct {
    tg_loop *loop;
    tg_stream *stream;
    size_t num_echoed;
    uint8_t bytes[16384]; /* on their way back */
    size_t start;
    size_t end;
    size_t times; /* that each byte goes back */
    bool waits;   /* after the ClientHello, until the far end has written */
    bool is_at_end;
    bool is_done;
    tg_code failure;
} echo;

static int set_up_all(void **state)
{
    (void)state;
    sem_init(&is_waiting, 0, 0);
    signal(SIGPIPE, SIG_IGN); /* the far end's: it writes by write(2) */
    issuer = test_issue_authority("root");
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    tg_tls_identity *identity = conversation_identity(&server, NULL);
    tg_tls_authorities *issuers = conversation_authorities(&issuer);
    const tg_tls_server_settings settings = {.identity = identity, .client_issuers = issuers};
    assert_ok(tg_tls_context_new_server(&settings, &context, NULL));
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_context_unref(context);
    test_certificate_done(&server);
    test_certificate_done(&issuer);
    sem_destroy(&is_waiting);
    return 0;
}

/* Called when the server's flight is there, before the client's goes out. */
static int on_certificate(SSL *ssl, void *owner)
{
    (void)ssl;
    (void)owner;
    sem_wait(&is_waiting);
    return 1;
}

static void *run_far(void *owner)
{
    far_end *end = owner;
    static uint8_t bytes[65536];
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    if (end->shows_certificate) {
        test_certificate made = test_issue(&(test_request){.subject = "nobody"});
        SSL_CTX_use_certificate(client, made.certificate);
        SSL_CTX_use_PrivateKey(client, made.key);
        SSL_CTX_set_cert_cb(client, on_certificate, NULL);
        test_certificate_done(&made);
    }
    SSL *ssl = SSL_new(client);
    SSL_set_fd(ssl, end->fd);
    ERR_clear_error();
    if (SSL_connect(ssl) == 1) {
        const size_t chunk = end->to_write < sizeof bytes ? end->to_write : sizeof bytes;
        for (size_t written = 0; written < end->to_write; written += chunk) {
            if (SSL_write(ssl, bytes, (int)chunk) <= 0) {
                break;
            }
            for (int got = 1, want = end->reads_late ? 0 : (int)chunk; want > 0 && got > 0; want -= got) {
                got = SSL_read(ssl, bytes, want);
                end->num_read += got > 0 ? (size_t)got : 0;
            }
        }
        atomic_store(&end->has_written, true);
        (void)SSL_shutdown(ssl);
        ERR_clear_error();
        int got;
        while ((got = SSL_read(ssl, bytes, sizeof bytes)) > 0) {
            end->num_read += (size_t)got;
        }
        end->is_orderly = SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN;
        end->reason = ERR_peek_error();
    }
    SSL_free(ssl);
    SSL_CTX_free(client);
    return NULL;
}

static bool is_done(void)
{
    if (echo.waits && atomic_load(&far.has_written)) {
        echo.waits = false;
        tg_stream_watch(echo.stream, TG_STREAM_READ);
    }
    return echo.is_done;
}

static void end_with(tg_code code)
{
    echo.failure = code;
    echo.is_done = true;
    tg_stream_close(TG_TAKE(echo.stream));
}

/* Reads when nothing waits to go back, and writes that; ends when the other side did. */
static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)events;
    (void)owner;
    size_t len = 0;
    if (echo.start == echo.end && !echo.is_at_end) {
        tg_result result = tg_stream_read(stream, echo.bytes, sizeof echo.bytes, &len);
        if (tg_is_ok(result)) {
            echo.start = 0;
            echo.end = len;
        } else if (result.code == TG_ERR_EOF) {
            echo.is_at_end = true;
        } else if (result.code != TG_ERR_AGAIN) {
            end_with(result.code);
            return;
        }
    }
    if (echo.start < echo.end) {
        tg_result result = tg_stream_write(stream, tg_slice_of(echo.bytes + echo.start, echo.end - echo.start), &len);
        if (tg_is_ok(result)) {
            echo.start += len;
            echo.num_echoed += len;
            if (echo.start == echo.end && echo.times > 1) {
                echo.times--;
                echo.start = 0;
            }
        } else if (result.code != TG_ERR_AGAIN) {
            end_with(result.code);
            return;
        }
    }
    if (echo.is_at_end && echo.start == echo.end) {
        tg_result result = tg_stream_shutdown(stream);
        if (result.code != TG_ERR_AGAIN) {
            end_with(result.code);
            return;
        }
    }
    if (echo.waits) {
        tg_stream_watch(stream, 0);
        sem_post(&is_waiting);
    } else {
        tg_stream_watch(stream, echo.is_at_end || echo.start < echo.end ? TG_STREAM_WRITE : TG_STREAM_READ);
    }
}

static void run_echo(test_transport transport, const far_end *how, size_t times)
{
    int fds[2];
    const tg_peer peer = {.kind = transport == TEST_TCP ? TG_ADDRESS_TCP : TG_ADDRESS_UNIX};
    tg_stream *socket;
    memset(&echo, 0, sizeof echo);
    echo.times = times;
    far.to_write = how->to_write;
    far.num_read = 0;
    far.shows_certificate = echo.waits = how->shows_certificate;
    far.reads_late = how->reads_late;
    far.is_orderly = false;
    atomic_store(&far.has_written, false);
    test_pair(transport, fds);
    tg_socket_prepare_tcp(fds[0]);
    tg_socket_prepare_tcp(fds[1]);
    far.fd = fds[1];
    assert_ok(tg_loop_new(&echo.loop));
    assert_ok(tg_socket_open(echo.loop, fds[0], &peer, &socket));
    assert_ok(tg_tls_accept(context, socket, echo.loop, &echo.stream));
    tg_stream_own(echo.stream, on_ready, NULL);
    tg_stream_watch(echo.stream, TG_STREAM_READ);
    assert_int_equal(pthread_create(&far.thread, NULL, run_far, &far), 0);
    assert_true(test_run(echo.loop, is_done, 20000));
    pthread_join(far.thread, NULL);
    close(fds[1]);
    tg_loop_free(echo.loop);
}

static void stream_on_tcp_echoes_to_the_end(void **state)
{
    (void)state;
    run_echo(TEST_TCP, &(far_end){.to_write = NUM_BYTES}, 1);
    assert_int_equal(echo.failure, TG_OK);
    assert_int_equal(echo.num_echoed, NUM_BYTES);
    assert_int_equal(far.num_read, NUM_BYTES);
    assert_true(far.is_orderly);
}

/* What goes back is more than the socket takes, while the client does not read. */
static void stream_on_unix_waits_for_a_slow_reader(void **state)
{
    (void)state;
    run_echo(TEST_UNIX, &(far_end){.to_write = sizeof echo.bytes * 4, .reads_late = true}, 200);
    assert_int_equal(echo.failure, TG_OK);
    assert_int_equal(far.num_read, echo.num_echoed);
    assert_in_range(far.num_read, sizeof echo.bytes * 200, sizeof echo.bytes * 204);
    assert_true(far.is_orderly);
}

/* The client's request is there, unread, when the server refuses its certificate: the alert must reach the client, and
 * not a reset. */
static void stream_that_refuses_is_understood(void **state)
{
    (void)state;
    run_echo(TEST_TCP, &(far_end){.to_write = 40000, .shows_certificate = true, .reads_late = true}, 1);
    assert_int_equal(echo.failure, TG_ERR_CLOSED);
    assert_int_equal(ERR_GET_REASON(far.reason), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_on_tcp_echoes_to_the_end),
        cmocka_unit_test(stream_on_unix_waits_for_a_slow_reader),
        cmocka_unit_test(stream_that_refuses_is_understood),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
