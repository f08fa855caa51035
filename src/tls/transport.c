#include "tls/transport.h"

#include "tls/context.h"

#include <openssl/bio.h>
#include <pthread.h>

static BIO_METHOD *method; /* lives as long as the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int transport_read(BIO *bio, char *out, size_t cap, size_t *out_len)
{
    tg_tls_transport *transport = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (cap == 0 || transport->failure.code != TG_OK || transport->is_at_end) {
        return 0;
    }
    size_t len = 0;
    tg_result result = tg_fail(TG_ERR_AGAIN);
    if (transport->reads_left > 0) {
        transport->reads_left--;
        result = tg_stream_read(transport->below, (uint8_t *)out, cap, &len);
    }
    if (tg_is_ok(result)) {
        transport->num_silent += len;
        transport->has_read = true;
        transport->is_dry = false;
        /* What follows a hello of TLS 1.2 is encrypted or something else, and may look like a hello. */
        transport->has_guard = transport->has_guard && SSL_version(transport->ssl) != TLS1_2_VERSION;
        if (transport->has_guard) {
            result = tg_tls_hello_guard_take(&transport->guard, tg_slice_of(out, len), TG_MAX_HELLO_BYTES);
        }
    }
    if (tg_is_ok(result)) {
        *out_len = len;
        return 1;
    }
    if (result.code == TG_ERR_AGAIN) {
        BIO_set_retry_read(bio);
    } else if (result.code == TG_ERR_EOF) {
        transport->is_at_end = true;
    } else {
        transport->failure = result;
    }
    return 0;
}

/* Keeps a ticket's record for later; false where it is none, or there is no room. */
static bool is_held(tg_tls_transport *transport, tg_slice record)
{
    return SSL_get_state(transport->ssl) == TLS_ST_SW_SESSION_TICKET && SSL_version(transport->ssl) == TLS1_3_VERSION &&
           tg_is_ok(tg_buf_append(&transport->held, record));
}

/* Writes what is held and the bytes behind it as one. out: how many of the bytes went out, at least 1. */
static tg_result write_behind_held(tg_tls_transport *transport, tg_slice bytes, size_t *out_len)
{
    tg_buf *held = &transport->held;
    for (;;) {
        size_t held_len = tg_buf_len(held), len;
        tg_slice more = tg_slice_first(bytes, held->max - held_len);
        TG_TRY(tg_buf_append(held, more));
        tg_result result = tg_stream_write(transport->below, tg_buf_slice(held), &len);
        tg_buf_truncate(held, held_len);
        TG_TRY(result);
        tg_buf_consume(held, len);
        if (tg_buf_len(held) == 0) {
            transport->is_flush_due = false;
            tg_buf_release(held);
            if (len > held_len) {
                *out_len = len - held_len;
                return tg_ok();
            }
            return tg_stream_write(transport->below, bytes, out_len);
        }
    }
}

static int transport_write(BIO *bio, const char *bytes, size_t len, size_t *out_len)
{
    tg_tls_transport *transport = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len == 0 || transport->has_write_failed) {
        return 0;
    }
    tg_slice record = tg_slice_of(bytes, len);
    if (is_held(transport, record)) {
        *out_len = len;
        return 1;
    }
    tg_result result = tg_buf_len(&transport->held) > 0 ? write_behind_held(transport, record, out_len)
                                                        : tg_stream_write(transport->below, record, out_len);
    if (tg_is_ok(result)) {
        return 1;
    }
    if (result.code == TG_ERR_AGAIN) {
        BIO_set_retry_write(bio);
    } else {
        transport->failure = result;
        transport->has_write_failed = true;
    }
    return 0;
}

static long transport_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    const tg_tls_transport *transport = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH: /* nothing waits here but on purpose */
        return 1;
    case BIO_CTRL_EOF:
        return transport->is_at_end;
    default:
        return 0;
    }
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tg_stream");
    if (method != NULL &&
        (BIO_meth_set_read_ex(method, transport_read) != 1 || BIO_meth_set_write_ex(method, transport_write) != 1 ||
         BIO_meth_set_ctrl(method, transport_ctrl) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
}

tg_result tg_tls_transport_attach(tg_tls_transport *transport, SSL *ssl)
{
    pthread_once(&once, make_method);
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    transport->ssl = ssl;
    tg_buf_init(&transport->held, TG_MAX_HELD_BYTES);
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return tg_ok();
}

void tg_tls_transport_flush(tg_tls_transport *transport)
{
    tg_buf *held = &transport->held;
    tg_result result = tg_ok();
    for (size_t len; tg_buf_len(held) > 0 && tg_is_ok(result); tg_buf_consume(held, len)) {
        len = 0;
        result = tg_stream_write(transport->below, tg_buf_slice(held), &len);
    }
    transport->is_flush_due = result.code == TG_ERR_AGAIN; /* what else there is, the next write says */
    if (tg_buf_len(held) == 0) {
        tg_buf_release(held);
    }
}

void tg_tls_transport_done(tg_tls_transport *transport)
{
    tg_buf_done(&transport->held);
}
