/* A TLS server on a thread of its own, by OpenSSL alone: what a test says to each connection. */
#ifndef TG_TESTS_UNIT_TOOL_TLS_SERVER_H
#define TG_TESTS_UNIT_TOOL_TLS_SERVER_H

#include "unit/tls/issuer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEST_MAX_HEARD_BYTES = 1 << 20 };

typedef struct test_tls_server test_tls_server;
struct test_tls_server {
    /* Runs on the server's thread; `number` counts connections from 0. What it leaves open is closed behind it. */
    void (*serve)(test_tls_server *server, SSL *ssl, unsigned number);
    void *owner;
    bool is_mute;         /* accepts, and speaks no TLS until it is stopped */
    bool changes_its_key; /* the second connection gets another one */
    int fd;
    unsigned port;
    char url[64];
    SSL_CTX *contexts[2];
    test_certificate certificates[2];
    pthread_t thread;
    /* What came last: the head with its NUL, and the body behind it. */
    char *heard;
    size_t heard_len;
    const char *body;
    char server_name[64];
    char client_name[64]; /* the subject of the last connection's client certificate; "": none */
};

/* Both sides pass here, the server behind a request and before an answer, the test before it asks and behind it: what
 * one has written the other then sees. The connection orders them as well, but a sanitizer does not know that. */
static inline int test_tls_meet(int value)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&turn);
    pthread_mutex_unlock(&turn);
    return value;
}

/* Reads one request by its Content-Length; false where the connection ended. */
static inline bool test_tls_hear(test_tls_server *server, SSL *ssl)
{
    size_t body_len = 0;
    server->heard_len = 0;
    server->body = NULL;
    for (;;) {
        char *end = server->body == NULL ? strstr(server->heard, "\r\n\r\n") : NULL;
        if (server->heard_len > 0 && end != NULL) {
            const char *length = strstr(server->heard, "Content-Length: ");
            body_len = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
            server->body = end + 4;
        }
        if (server->body != NULL && server->heard_len >= (size_t)(server->body - server->heard) + body_len) {
            test_tls_meet(0);
            return true;
        }
        int len = SSL_read(ssl, server->heard + server->heard_len, (int)(TEST_MAX_HEARD_BYTES - server->heard_len - 1));
        if (len <= 0) {
            return false;
        }
        server->heard_len += (size_t)len;
        server->heard[server->heard_len] = 0;
    }
}

static inline void test_tls_say(SSL *ssl, const void *bytes, size_t len)
{
    test_tls_meet(0);
    (void)!SSL_write(ssl, bytes, (int)len);
}

/* `HTTP/1.1 STATUS`, the type, and the body with its length. */
static inline void test_tls_answer(SSL *ssl, unsigned status, const char *type, const void *body, size_t len)
{
    char head[512];
    int head_len = snprintf(head, sizeof head, "HTTP/1.1 %u x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                            status, type, len);
    test_tls_say(ssl, head, (size_t)head_len);
    if (len > 0) {
        test_tls_say(ssl, body, len);
    }
}

static inline void test_tls_serve_one(test_tls_server *server, int fd, unsigned number)
{
    SSL *ssl = SSL_new(server->contexts[server->changes_its_key && number > 0]);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(server->server_name, sizeof server->server_name, "%s", name != NULL ? name : "");
        X509 *client = SSL_get0_peer_certificate(ssl);
        server->client_name[0] = 0;
        if (client != NULL) {
            X509_NAME_oneline(X509_get_subject_name(client), server->client_name, sizeof server->client_name);
        }
        server->serve(server, ssl, number);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static inline void *test_tls_run(void *argument)
{
    test_tls_server *server = argument;
    int held = -1;
    for (unsigned number = 0;; number++) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) {
            break;
        }
        if (server->is_mute) {
            held = fd;
            continue;
        }
        test_tls_serve_one(server, fd, number);
        close(fd);
    }
    if (held >= 0) {
        close(held);
    }
    return NULL;
}

static inline int test_tls_take_any(int is_verified, X509_STORE_CTX *chain)
{
    (void)is_verified;
    (void)chain;
    return 1;
}

static inline void test_tls_start(test_tls_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->heard = calloc(1, TEST_MAX_HEARD_BYTES);
    assert_non_null(server->heard);
    for (size_t i = 0; i < TG_COUNT(server->contexts); i++) {
        server->certificates[i] = test_issue(&(test_request){.subject = "tee.test", .san = "DNS:tee.test"});
        server->contexts[i] = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(server->contexts[i], server->certificates[i].certificate);
        SSL_CTX_use_PrivateKey(server->contexts[i], server->certificates[i].key);
        SSL_CTX_set_verify(server->contexts[i], SSL_VERIFY_PEER, test_tls_take_any); /* asks, and takes any */
    }
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "https://127.0.0.1:%u", server->port);
    assert_int_equal(pthread_create(&server->thread, NULL, test_tls_run, server), 0);
}

static inline void test_tls_stop(test_tls_server *server)
{
    shutdown(server->fd, SHUT_RDWR); /* accept returns */
    pthread_join(server->thread, NULL);
    close(server->fd);
    for (size_t i = 0; i < TG_COUNT(server->contexts); i++) {
        SSL_CTX_free(server->contexts[i]);
        test_certificate_done(&server->certificates[i]);
    }
    free(server->heard);
}

/* SHA-256 of the SubjectPublicKeyInfo that the server shows. */
static inline void test_tls_key(const test_tls_server *server, uint8_t out[32])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(server->certificates[0].certificate), &der);
    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
}

#endif
