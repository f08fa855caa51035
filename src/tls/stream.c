#include "tls/stream.h"

#include "sys/clock.h"
#include "tls/engine.h"
#include "tls/facts.h"
#include "tls/handshakes.h"
#include "tls/hello_guard.h"
#include "tls/openssl.h"
#include "tls/transport.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* Readiness: what the owner watches is watched below, each direction by what OpenSSL last said that it waits for. What
 * can be told already, because bytes hide in OpenSSL or because the stream has ended or broken, is told by a tick. */
enum { READING, WRITING, NUM_DIRECTIONS };

typedef struct tls_stream {
    tg_stream face;
    tg_tick tick;
    tg_loop *loop;
    tg_tls_context *context;
    SSL *ssl;
    tg_tls_transport transport;
    tg_peer peer;
    tg_tls_facts facts;
    tg_result failure;   /* where is_broken */
    unsigned long error; /* OpenSSL's, for the fault */
    const char *fault;   /* ours: said behind OpenSSL's */
    uint8_t watched;
    uint8_t watched_below;
    uint8_t waits_for[NUM_DIRECTIONS]; /* readiness below that this direction needs */
    bool is_broken : 1;
    bool is_established : 1;   /* the handshake is done and the peer filled in */
    bool is_at_end : 1;        /* close_notify was read */
    bool is_write_broken : 1;  /* what is below takes no more; what it still gives can be read */
    bool is_notified : 1;      /* our close_notify went out */
    bool is_shut : 1;          /* and the end below */
    bool is_inside_record : 1; /* a write said AGAIN: the rest of its record goes first */
    bool is_reporting : 1;     /* the owner's callback runs */
    bool is_closed : 1;        /* by that callback: freed behind it */
} tls_stream;

enum { MAX_DRAIN_BYTES = 65536 };

/* OpenSSL reads on until it has content, and a peer can send records without any (key updates, refused renegotiations)
 * as fast as they are read: one call reads below twice, which is enough for a record, and the rest waits for its turn.
 * A peer that sends nothing else is broken off; session tickets, the longest of the honest, stay well below. */
enum { READS_IN_A_CALL = 2, MAX_BYTES_WITHOUT_CONTENT = 131072 };

static tls_stream *of_face(const tg_stream *stream)
{
    return TG_OBJECT_OF(stream, tls_stream, face);
}

/* Records that OpenSSL holds are worth a read, but for a piece of one that the last read found too short. */
static bool is_hidden_data(const tls_stream *tls)
{
    return !tls->transport.is_dry && tls->waits_for[READING] == TG_STREAM_READ && SSL_has_pending(tls->ssl) == 1;
}

static unsigned due_events(const tls_stream *tls)
{
    if (tls->is_broken) {
        return tls->watched;
    }
    unsigned due = tls->is_write_broken ? TG_STREAM_WRITE : 0;
    if (tls->is_at_end || is_hidden_data(tls)) {
        due |= TG_STREAM_READ;
    }
    return due & tls->watched;
}

static unsigned wanted_below(const tls_stream *tls)
{
    unsigned wanted = 0;
    unsigned due = due_events(tls);
    if ((tls->watched & ~due & TG_STREAM_READ) != 0) {
        wanted |= tls->waits_for[READING];
    }
    if ((tls->watched & ~due & TG_STREAM_WRITE) != 0) {
        wanted |= tls->waits_for[WRITING];
    }
    if (tls->transport.is_flush_due && !tls->is_broken) {
        wanted |= TG_STREAM_WRITE;
    }
    return wanted;
}

static void settle(tls_stream *tls)
{
    unsigned wanted = wanted_below(tls);
    if (wanted != tls->watched_below) {
        tls->watched_below = (uint8_t)wanted;
        tg_stream_watch(tls->transport.below, wanted);
    }
    if (!tls->is_reporting && due_events(tls) != 0) {
        tg_loop_tick(tls->loop, &tls->tick);
    }
}

static void destroy(tls_stream *tls)
{
    SSL_free(tls->ssl);
    tg_tls_transport_done(&tls->transport);
    tg_tls_facts_done(&tls->facts);
    tg_tls_context_unref(tls->context);
    free(tls);
}

static void report(tls_stream *tls, unsigned events)
{
    if (events == 0 || tls->face.ready == NULL) {
        return;
    }
    tls->is_reporting = true;
    tls->face.ready(&tls->face, events, tls->face.owner);
    tls->is_reporting = false;
    if (tls->is_closed) {
        destroy(tls);
    } else {
        settle(tls);
    }
}

static void run_tick(tg_tick *tick)
{
    tls_stream *tls = TG_OBJECT_OF(tick, tls_stream, tick);
    report(tls, due_events(tls));
}

static void on_below_ready(tg_stream *below, unsigned events, void *owner)
{
    (void)below;
    tls_stream *tls = owner;
    if (tls->transport.is_flush_due && (events & TG_STREAM_WRITE) != 0) {
        tg_tls_transport_flush(&tls->transport);
        settle(tls);
    }
    unsigned told = due_events(tls);
    if ((tls->watched & TG_STREAM_READ) != 0 && (events & tls->waits_for[READING]) != 0) {
        told |= TG_STREAM_READ;
    }
    if ((tls->watched & TG_STREAM_WRITE) != 0 && (events & tls->waits_for[WRITING]) != 0) {
        told |= TG_STREAM_WRITE;
    }
    report(tls, told);
}

static tg_result broken_by(tls_stream *tls, int os_error, tg_tls_failure kind, const char *fault)
{
    tls->is_broken = true;
    tls->failure = (tg_result){TG_ERR_CLOSED, os_error};
    tls->fault = fault;
    if (!tls->is_established && tls->transport.has_read) {
        tg_tls_count_failure(tls->context->is_server, kind);
    }
    /* The alert is on its way; the end behind it lets the peer read it. */
    tg_result ignored = tg_stream_shutdown(tls->transport.below);
    (void)ignored;
    return tls->failure;
}

/* The transport failed, not TLS. A connection that ends before its first byte is what a load balancer's check looks
 * like: no fault worth a line. */
static tg_result cut_off(tls_stream *tls)
{
    if (tls->transport.failure.code == TG_ERR_LIMIT) {
        return broken_by(tls, 0, TG_TLS_HELLO_TOO_LONG, "client hello too long");
    }
    const char *fault = "ended in the handshake";
    if (!tls->transport.has_read) {
        fault = "";
    } else if (tls->is_established) {
        fault = tls->transport.is_at_end ? "ended without close_notify" : "";
    }
    return broken_by(tls, tls->transport.failure.os_error, TG_TLS_CUT_OFF, fault);
}

static tg_result failed(tls_stream *tls)
{
    unsigned long error = tg_tls_errors_take();
    if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return cut_off(tls);
    }
    const char *fault = "";
    if (tls->facts.has_unfit_names) {
        fault = "too many names, or damaged ones";
    } else if (tls->facts.has_other_key) {
        fault = "it has another key than is asked for";
    } else if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        fault = X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
    }
    tls->error = error;
    return broken_by(tls, 0, tg_tls_failure_of(error), fault);
}

static tg_result note_handshake(tls_stream *tls)
{
    if (tls->is_established || SSL_is_init_finished(tls->ssl) == 0) {
        return tg_ok();
    }
    tg_result result = tg_tls_facts_fill(&tls->facts, tls->ssl);
    if (!tg_is_ok(result)) {
        return broken_by(tls, 0, TG_TLS_BAD_CERTIFICATE, "no memory for what the certificate says");
    }
    tls->is_established = true;
    tls->transport.has_guard = false;
    tls->transport.num_silent = 0;
    tls->peer.tls = &tls->facts.tls;
    tg_tls_count_handshake(tls->context->is_server, tls->facts.tls.version, tls->facts.tls.is_resumed);
    return tg_ok();
}

static void begin_call(tls_stream *tls)
{
    tg_tls_errors_clear();
    tls->transport.reads_left = READS_IN_A_CALL;
}

/* What OpenSSL's answer to a call in one direction means: AGAIN, or the end. */
static tg_result outcome(tls_stream *tls, int direction, int answer)
{
    switch (SSL_get_error(tls->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        tls->waits_for[direction] = TG_STREAM_READ;
        tls->transport.is_dry = true;
        return tg_fail(TG_ERR_AGAIN);
    case SSL_ERROR_WANT_WRITE:
        tls->waits_for[direction] = TG_STREAM_WRITE;
        return tg_fail(TG_ERR_AGAIN);
    case SSL_ERROR_ZERO_RETURN:
        if (SSL_is_init_finished(tls->ssl) == 0) { /* nobody has proved that it comes from the peer */
            return broken_by(tls, 0, TG_TLS_CUT_OFF, "ended in the handshake");
        }
        tls->is_at_end = true;
        return tg_fail(TG_ERR_EOF);
    default:
        return failed(tls);
    }
}

static tg_result read_some(tls_stream *tls, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t len = 0;
    begin_call(tls);
    int answer = SSL_read_ex(tls->ssl, out, cap, &len);
    TG_TRY(answer == 1 ? tg_ok() : outcome(tls, READING, answer));
    tls->waits_for[READING] = TG_STREAM_READ;
    tls->transport.num_silent = 0;
    *out_len = len;
    return tg_ok();
}

static tg_result tls_read(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len)
{
    tls_stream *tls = of_face(stream);
    if (tls->is_broken) {
        return tls->failure;
    }
    if (tls->is_at_end) {
        return tg_fail(TG_ERR_EOF);
    }
    size_t len = 0;
    tg_result result = read_some(tls, out, cap, &len);
    if (result.code == TG_ERR_AGAIN) {
        tg_tls_transport_flush(&tls->transport);
    }
    if (!tls->is_broken) {
        tg_result noted = note_handshake(tls);
        result = tg_is_ok(noted) ? result : noted;
    }
    if (!tls->is_broken && tls->is_established && tls->transport.num_silent > MAX_BYTES_WITHOUT_CONTENT) {
        result = broken_by(tls, 0, TG_TLS_OTHER_FAILURE, "too many bytes without content");
    }
    settle(tls);
    if (tg_is_ok(result)) {
        *out_len = len;
    }
    return result;
}

static tg_result tls_write(tg_stream *stream, tg_slice bytes, size_t *out_len)
{
    tls_stream *tls = of_face(stream);
    if (tls->is_broken) {
        return tls->failure;
    }
    if (tls->is_write_broken || tls->is_notified) {
        return tg_fail(TG_ERR_CLOSED);
    }
    size_t len = 0;
    begin_call(tls);
    int answer = SSL_write_ex(tls->ssl, bytes.ptr, bytes.len, &len);
    tg_result result;
    if (answer == 1) {
        tls->waits_for[WRITING] = TG_STREAM_WRITE;
        tls->is_inside_record = false;
        result = tg_ok();
    } else if (tls->is_established && tls->transport.has_write_failed) {
        tg_tls_errors_clear();
        tls->is_write_broken = true;
        result = (tg_result){TG_ERR_CLOSED, tls->transport.failure.os_error};
        tls->transport.failure = tg_ok();
    } else {
        result = outcome(tls, WRITING, answer);
        tls->is_inside_record = result.code == TG_ERR_AGAIN && SSL_is_init_finished(tls->ssl) == 1;
    }
    if (!tls->is_broken) {
        tg_result noted = note_handshake(tls);
        result = tg_is_ok(noted) ? result : noted;
    }
    settle(tls);
    if (tg_is_ok(result)) {
        *out_len = len;
    }
    return result;
}

static tg_result notify(tls_stream *tls)
{
    begin_call(tls);
    if (!tls->is_established) {
        int answer = SSL_do_handshake(tls->ssl);
        if (answer != 1) {
            return outcome(tls, WRITING, answer);
        }
        TG_TRY(note_handshake(tls));
    }
    if (tls->is_write_broken || tls->is_inside_record) { /* the owner gave up in the middle: no orderly end */
        return tg_fail(TG_ERR_CLOSED);
    }
    int answer = SSL_shutdown(tls->ssl); /* 0: sent, the peer's is still to come */
    if (answer < 0) {
        return outcome(tls, WRITING, answer);
    }
    tls->is_notified = true;
    return tg_ok();
}

static tg_result tls_shutdown(tg_stream *stream)
{
    tls_stream *tls = of_face(stream);
    if (tls->is_broken) {
        return tls->failure;
    }
    tg_result result = tls->is_notified ? tg_ok() : notify(tls);
    if (tg_is_ok(result) && !tls->is_shut) {
        result = tg_stream_shutdown(tls->transport.below);
        tls->waits_for[WRITING] = TG_STREAM_WRITE;
        tls->is_shut = tg_is_ok(result);
    }
    settle(tls);
    return result;
}

static void tls_watch(tg_stream *stream, unsigned events)
{
    tls_stream *tls = of_face(stream);
    tls->watched = (uint8_t)events;
    settle(tls);
}

/* Bytes that were never read make the kernel answer with a reset, which overtakes the alert: those that are there
 * already are taken out of the way. */
static void drain(tg_stream *below)
{
    uint8_t bytes[4096];
    size_t len = 0;
    for (size_t num_bytes = 0; num_bytes < MAX_DRAIN_BYTES; num_bytes += len) {
        if (!tg_is_ok(tg_stream_read(below, bytes, sizeof bytes, &len))) {
            break;
        }
    }
}

static void tls_close(tg_stream *stream)
{
    tls_stream *tls = of_face(stream);
    tg_tick_cancel(&tls->tick);
    if (tls->is_broken && tg_is_ok(tls->transport.failure) && !tls->transport.is_at_end) {
        drain(tls->transport.below);
    } else if (!tls->is_broken && !tls->is_established && tls->transport.has_read) {
        tg_tls_count_failure(tls->context->is_server, TG_TLS_GIVEN_UP);
    }
    tg_stream_close(TG_TAKE(tls->transport.below));
    if (tls->is_reporting) {
        tls->is_closed = true;
    } else {
        destroy(tls);
    }
}

static int tls_raw_fd(const tg_stream *stream)
{
    (void)stream;
    return -1;
}

static const tg_peer *tls_peer(const tg_stream *stream)
{
    return &of_face(stream)->peer;
}

static const char *tls_fault(const tg_stream *stream)
{
    static _Thread_local char text[160];
    const tls_stream *tls = of_face(stream);
    const char *reason = tg_tls_error_text(tls->error);
    if (!tls->is_broken || (tls->fault[0] == 0 && reason[0] == 0)) {
        return "";
    }
    (void)snprintf(text, sizeof text, "tls: %s%s%s", reason, reason[0] != 0 && tls->fault[0] != 0 ? ": " : "",
                   tls->fault);
    return text;
}

static const tg_stream_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .shutdown = tls_shutdown,
    .watch = tls_watch,
    .close = tls_close,
    .raw_fd = tls_raw_fd,
    .peer = tls_peer,
    .fault = tls_fault,
};

/* Takes below: it is closed with the stream, or here. */
static tg_result make(tg_tls_context *context, tg_stream *below, tg_loop *loop, tls_stream **out_tls)
{
    tls_stream *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        tg_stream_close(below);
        return tg_fail(TG_ERR_MEMORY);
    }
    tls->context = tg_tls_context_ref(context);
    tls->transport.below = below;
    tls->transport.has_guard = context->is_server;
    tls->transport.is_dry = true;
    tg_tls_errors_clear();
    tls->ssl = SSL_new(context->ssl_ctx);
    if (tls->ssl == NULL || !tg_is_ok(tg_tls_transport_attach(&tls->transport, tls->ssl))) {
        tg_tls_errors_clear();
        tg_stream_close(below);
        destroy(tls);
        return tg_fail(TG_ERR_MEMORY);
    }
    SSL_set_app_data(tls->ssl, &tls->facts);
    /* Our own clock judges the peer's certificates: OpenSSL would take what the host says. */
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t)(tg_clock_unix_ms() / 1000));
    const tg_peer *peer = tg_stream_peer(below);
    if (peer != NULL) {
        tls->peer = *peer;
    }
    tls->face.ops = &tls_ops;
    tls->tick.run = run_tick;
    tls->loop = loop;
    tls->fault = "";
    tls->waits_for[READING] = TG_STREAM_READ;
    tls->waits_for[WRITING] = TG_STREAM_WRITE;
    tg_stream_own(below, on_below_ready, tls);
    *out_tls = tls;
    return tg_ok();
}

tg_result tg_tls_accept(tg_tls_context *context, tg_stream *below, tg_loop *loop, tg_stream **out_stream)
{
    tls_stream *tls;
    TG_TRY(make(context, below, loop, &tls));
    SSL_set_accept_state(tls->ssl);
    *out_stream = &tls->face;
    return tg_ok();
}

/* RFC 6125 §6.4.4 and RFC 9525: names stand in the SAN; a wildcard is a whole first label. An IP address is never sent
 * as SNI (RFC 6066 §3). */
static tg_result set_target(tls_stream *tls, const tg_tls_target *target)
{
    char name[TG_MAX_HOST_BYTES + 1];
    if (target->name.len == 0 || target->name.len >= sizeof name || tg_slice_find(target->name, 0) < target->name.len) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(name, target->name.ptr, target->name.len);
    name[target->name.len] = 0;
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                    (target->may_be_common_name ? 0u : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT));
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return tg_ok();
    }
    tg_tls_errors_clear();
    if (SSL_set1_host(tls->ssl, name) != 1 || SSL_set_tlsext_host_name(tls->ssl, name) != 1) {
        tg_tls_errors_clear();
        return tg_fail(TG_ERR_MEMORY);
    }
    return tg_tls_facts_set_server_name(&tls->facts, target->name);
}

tg_result tg_tls_connect(tg_tls_context *context, tg_stream *below, tg_loop *loop, const tg_tls_target *target,
                         tg_stream **out_stream)
{
    tls_stream *tls;
    TG_TRY(make(context, below, loop, &tls));
    tg_result result = set_target(tls, target);
    if (!tg_is_ok(result)) {
        tls_close(&tls->face);
        return result;
    }
    SSL_set_connect_state(tls->ssl);
    *out_stream = &tls->face;
    return tg_ok();
}
