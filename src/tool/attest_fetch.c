#include "tool/attest_fetch.h"

#include "base/encode.h"
#include "base/num.h"
#include "http/head.h"
#include "sys/clock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { MAX_HOST_BYTES = 256, MAX_PATH_BYTES = 512, TIMEOUT_S = 10, MAX_RESPONSE_BYTES = TG_MAX_ATTEST_ANSWER_BYTES };

typedef struct endpoint {
    char host[MAX_HOST_BYTES]; /* an IPv6 address without its brackets */
    char port[8];
    char path[MAX_PATH_BYTES];
} endpoint;

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason, const char *remedy)
{
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

static tg_result copy(tg_slice text, char *out, size_t size)
{
    if (text.len == 0 || text.len >= size || tg_slice_find(text, 0) < text.len) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
    return tg_ok();
}

/* "https://" host [ ":" port ] [ path ] */
static tg_result read_url(const char *url, endpoint *to)
{
    tg_slice rest = tg_slice_str(url);
    uint64_t port = 443;
    if (!tg_slice_starts(rest, TG_LIT("https://"))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    rest = tg_slice_from(rest, 8);
    size_t authority_len = tg_slice_find(rest, '/');
    tg_slice authority = tg_slice_first(rest, authority_len), path = tg_slice_from(rest, authority_len);
    bool is_bracketed = authority.len > 0 && authority.ptr[0] == '[';
    size_t host_len = tg_slice_find(authority, is_bracketed ? ']' : ':');
    tg_slice host = tg_slice_first(authority, host_len);
    if (is_bracketed && host_len == authority.len) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice behind = tg_slice_from(authority, host_len + (is_bracketed ? 1 : 0));
    if (behind.len > 0) {
        TG_TRY(behind.ptr[0] == ':' ? tg_num_parse_u64(tg_slice_from(behind, 1), 65535, &port)
                                    : tg_fail(TG_ERR_SYNTAX));
    }
    TG_TRY(copy(is_bracketed ? tg_slice_from(host, 1) : host, to->host, sizeof to->host));
    TG_TRY(path.len <= 1 ? copy(TG_LIT("/attestation"), to->path, sizeof to->path)
                         : copy(path, to->path, sizeof to->path));
    for (const char *c = to->path; *c != 0; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '?' || *c == '#') {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    snprintf(to->port, sizeof to->port, "%u", (unsigned)port);
    return port > 0 ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

/* BIO_do_connect_retry would go on where the port is closed. */
static bool do_connect(BIO *transport)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + (uint64_t)TIMEOUT_S * 1000;
    BIO_set_nbio(transport, 1);
    while (BIO_do_connect(transport) != 1) {
        struct pollfd waited = {.fd = -1, .events = POLLOUT};
        uint64_t now_ms = tg_clock_monotonic_ms();
        if (!BIO_should_retry(transport) || BIO_get_fd(transport, &waited.fd) < 0 || now_ms >= until_ms ||
            poll(&waited, 1, (int)(until_ms - now_ms)) != 1) {
            return false;
        }
    }
    return true;
}

/* NULL where there is no connection. Certificates are not verified: see the header. */
static BIO *connect_to(SSL_CTX *context, endpoint *to)
{
    char address[MAX_HOST_BYTES + 16];
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    SSL *ssl = NULL;
    int fd = -1;
    snprintf(address, sizeof address, strchr(to->host, ':') != NULL ? "[%s]:%s" : "%s:%s", to->host, to->port);
    BIO *transport = BIO_new_connect(address);
    BIO *tls = BIO_new_ssl(context, 1);
    if (transport == NULL || tls == NULL || !do_connect(transport)) {
        BIO_free_all(transport);
        BIO_free_all(tls);
        return NULL;
    }
    BIO_get_fd(transport, &fd);
    /* Connecting under a deadline has left the socket non-blocking. */
    bool is_bounded = BIO_socket_nbio(fd, 0) == 1 &&
                      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
                      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
    BIO *chain = BIO_push(tls, transport);
    BIO_get_ssl(chain, &ssl);
    if (!is_bounded || SSL_set_tlsext_host_name(ssl, to->host) != 1 || BIO_do_handshake(chain) != 1) {
        BIO_free_all(chain);
        return NULL;
    }
    return chain;
}

static bool read_key(BIO *chain, uint8_t out_spki_sha256[TG_ATTEST_SPKI_BYTES])
{
    SSL *ssl = NULL;
    unsigned char *der = NULL;
    BIO_get_ssl(chain, &ssl);
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    int len = certificate != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : -1;
    bool is_read = len > 0 && EVP_Digest(der, (size_t)len, out_spki_sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    X509_free(certificate);
    return is_read;
}

static tg_result ask(BIO *chain, const endpoint *to, tg_slice nonce, tg_buf *response, tg_detail *detail)
{
    tg_buf request;
    tg_buf_init(&request, 2048);
    bool is_numeric = strchr(to->host, ':') != NULL;
    tg_result put = tg_buf_printf(&request, "GET %s?nonce=", to->path);
    put = tg_is_ok(put) ? tg_hex_append(&request, nonce) : put;
    put = tg_is_ok(put) ? tg_buf_printf(&request, " HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n\r\n",
                                        is_numeric ? "[" : "", to->host, is_numeric ? "]" : "", to->port)
                        : put;
    bool is_sent = tg_is_ok(put) &&
                   BIO_write(chain, tg_buf_slice(&request).ptr, (int)tg_buf_len(&request)) == (int)tg_buf_len(&request);
    tg_buf_done(&request);
    TG_TRY(put);
    for (int got = is_sent ? 1 : 0; got > 0;) {
        uint8_t *room = NULL;
        if (!tg_is_ok(tg_buf_reserve(response, 4096, &room))) {
            return refuse(detail, TG_ERR_LIMIT, "its answer is too long", "is this an enclave's endpoint?");
        }
        got = BIO_read(chain, room, 4096);
        tg_buf_commit(response, got > 0 ? (size_t)got : 0);
    }
    return tg_ok();
}

static tg_result take_body(tg_slice response, tg_slice *out_body, tg_detail *detail)
{
    const tg_http_head_limits limits = {.head_bytes = 16384, .num_fields = 100};
    tg_http_head_parser parser;
    tg_http_head head;
    tg_slice length;
    uint64_t len = 0;
    tg_http_head_start(&parser, TG_HTTP_RESPONSE_HEAD, &limits);
    if (!tg_is_ok(tg_http_head_parse(&parser, response, &head))) {
        return refuse(detail, TG_ERR_CLOSED, "it gave no HTTP answer, or one that is cut off",
                      "is this an enclave's endpoint?");
    }
    if (head.status != 200) {
        tg_detail_set_reason(detail, "it answered %u%s", head.status,
                             head.status == 404   ? ": nothing attests there"
                             : head.status == 429 ? ": too many ask just now"
                             : head.status == 421 ? ": it does not answer to that name"
                                                  : "");
        return tg_fail(TG_ERR_DENIED);
    }
    tg_slice body = tg_slice_from(response, head.len);
    if (!tg_is_ok(tg_http_headers_find_only(head.headers, head.num_headers, TG_LIT("Content-Length"), &length)) ||
        !tg_is_ok(tg_num_parse_u64(length, MAX_RESPONSE_BYTES, &len)) || len != body.len) {
        return refuse(detail, TG_ERR_CLOSED, "its answer is cut off, or without a Content-Length", "try again");
    }
    *out_body = body;
    return tg_ok();
}

static tg_result talk(BIO *chain, const endpoint *to, tg_attest_answer *answer, tg_detail *detail)
{
    tg_slice nonce = tg_slice_of(answer->nonce, sizeof answer->nonce), body;
    if (!read_key(chain, answer->spki_sha256)) {
        return refuse(detail, TG_ERR_CLOSED, "its certificate cannot be read", "");
    }
    if (getrandom(answer->nonce, sizeof answer->nonce, 0) != (ssize_t)sizeof answer->nonce) {
        return tg_fail(TG_ERR_LIBRARY);
    }
    tg_buf response;
    tg_buf_init(&response, MAX_RESPONSE_BYTES);
    tg_result done = ask(chain, to, nonce, &response, detail);
    if (tg_is_ok(done)) {
        done = take_body(tg_buf_slice(&response), &body, detail);
    }
    if (tg_is_ok(done)) {
        done = tg_attest_answer_parse(body, answer, detail);
    }
    tg_buf_done(&response);
    return done;
}

tg_result tg_attest_fetch(const char *url, tg_attest_answer *answer, tg_detail *detail)
{
    endpoint to;
    tg_detail_set_place(detail, tg_slice_str(url), 0, (tg_slice){NULL, 0});
    if (!tg_is_ok(read_url(url, &to))) {
        return refuse(detail, TG_ERR_SYNTAX, "no URL of an endpoint", "write https://HOST[:PORT]");
    }
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return tg_fail(TG_ERR_MEMORY);
    }
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    BIO *chain = connect_to(context, &to);
    tg_result fetched = chain != NULL ? talk(chain, &to, answer, detail)
                                      : refuse(detail, TG_ERR_CLOSED, "no TLS connection can be made",
                                               "is it up, and does it speak TLS?");
    answer->is_live = tg_is_ok(fetched);
    BIO_free_all(chain);
    SSL_CTX_free(context);
    ERR_clear_error();
    return fetched;
}
