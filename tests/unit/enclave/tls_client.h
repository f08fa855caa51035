/* A TLS client that is OpenSSL alone, on a blocking socket: for tests of whole threads and services. */
#ifndef TG_TESTS_UNIT_ENCLAVE_TLS_CLIENT_H
#define TG_TESTS_UNIT_ENCLAVE_TLS_CLIENT_H

#include "base/slice.h"
#include "support/case.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEST_PATIENCE_S = 20 };

static inline int test_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = TEST_PATIENCE_S};
    assert_in_range(snprintf(address.sun_path, sizeof address.sun_path, "%s", path), 1, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

typedef struct test_tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
} test_tls_client;

static inline test_tls_client test_tls_connect(const char *path)
{
    test_tls_client client = {.context = SSL_CTX_new(TLS_client_method()), .fd = test_connect_unix(path)};
    client.ssl = SSL_new(client.context);
    assert_int_equal(SSL_set_fd(client.ssl, client.fd), 1);
    assert_int_equal(SSL_connect(client.ssl), 1);
    return client;
}

static inline void test_tls_close(test_tls_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

static inline void test_tls_send(test_tls_client *client, const char *text)
{
    assert_int_equal(SSL_write(client->ssl, text, (int)strlen(text)), (int)strlen(text));
}

/* What comes until the server ends in order (close_notify); holds until the next call. */
static inline const char *test_tls_receive(test_tls_client *client)
{
    static char text[65536];
    size_t len = 0, got = 0;
    while (len < sizeof text - 1 && SSL_read_ex(client->ssl, text + len, sizeof text - 1 - len, &got) == 1) {
        len += got;
    }
    assert_int_equal(SSL_get_error(client->ssl, 0), SSL_ERROR_ZERO_RETURN);
    text[len] = 0;
    return text;
}

/* One request on a connection of its own; it should say Connection: close. */
static inline const char *test_tls_ask(const char *path, const char *request)
{
    test_tls_client client = test_tls_connect(path);
    test_tls_send(&client, request);
    const char *answer = test_tls_receive(&client);
    test_tls_close(&client);
    return answer;
}

/* The same in plain text. */
static inline const char *test_plain_ask(const char *path, const char *request)
{
    static char text[1 << 20];
    size_t len = 0;
    int fd = test_connect_unix(path);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (ssize_t got = 1; got > 0 && len<sizeof text - 1; len += got> 0 ? (size_t)got : 0) {
        got = recv(fd, text + len, sizeof text - 1 - len, 0);
    }
    text[len] = 0;
    close(fd);
    return text;
}

#define TEST_GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static inline bool test_is_status(const char *answer, const char *status)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, 3) == 0;
}

#endif
