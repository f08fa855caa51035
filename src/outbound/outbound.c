#include "outbound/outbound.h"

#include "base/refs.h"
#include "io/dial.h"
#include "io/peer.h"
#include "sys/log.h"
#include "tls/stream.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_WAIT_MS = 10000, MAX_LINE_BYTES = TG_MAX_PREFACE_BYTES + TG_MAX_HOST_BYTES + 12, REASON_BYTES = 256 };

struct tg_outbound {
    tg_http_connector connector; /* first */
    tg_refs refs;
    tg_origin origin;
    tg_address carrier;
    tg_tls_context *tls; /* NULL: plain */
    bool is_egress;
    bool is_mutual;
    bool may_be_common_name;
    uint64_t dial_ms;
    uint64_t handshake_ms;
    size_t line_len;
    char line[MAX_LINE_BYTES];
};

/* One connection on its way: dialled, told where to go, secured. */
struct tg_http_attempt {
    tg_outbound *outbound;
    tg_loop *loop;
    tg_http_connected_fn *done;
    void *owner;
    tg_dial *dial;     /* while it runs */
    tg_stream *stream; /* then this */
    tg_deadline deadline;
    tg_http_stage stage;
    size_t line_at; /* sent of the egress line */
    char reason[REASON_BYTES];
};

static void destroy(tg_http_attempt *attempt)
{
    tg_dial_cancel(attempt->dial);
    tg_stream_close(attempt->stream);
    tg_deadline_disarm(&attempt->deadline);
    tg_outbound_unref(attempt->outbound);
    free(attempt);
}

static void end(tg_http_attempt *attempt, tg_result result)
{
    tg_http_connected connected = {.result = result, .stage = attempt->stage, .reason = attempt->reason};
    tg_stream *stream = tg_is_ok(result) ? TG_TAKE(attempt->stream) : NULL;
    attempt->done(stream, &connected, attempt->owner);
    destroy(attempt);
}

static void fail(tg_http_attempt *attempt, tg_result result, const char *reason)
{
    (void)snprintf(attempt->reason, sizeof attempt->reason, "%s", reason);
    end(attempt, result);
}

static void on_deadline(tg_deadline *deadline)
{
    tg_http_attempt *attempt = TG_OBJECT_OF(deadline, tg_http_attempt, deadline);
    (void)snprintf(attempt->reason, sizeof attempt->reason, "not done within %llu ms",
                   (unsigned long long)attempt->outbound->handshake_ms);
    end(attempt, tg_fail(TG_ERR_TIMEOUT));
}

/* An egress proxy that refuses a target, or cannot reach it, says nothing: it closes. Then no byte of TLS has come. */
static void fail_handshake(tg_http_attempt *attempt, tg_result result)
{
    const char *fault = tg_stream_fault(attempt->stream);
    if (fault[0] == 0 && attempt->outbound->is_egress) {
        attempt->stage = TG_HTTP_STAGE_EGRESS;
        fault = "the egress proxy closed the connection: its rules refuse this target, or it cannot be reached";
    } else if (fault[0] == 0) {
        fault = result.os_error != 0 ? tg_log_error_text(result) : "closed before the handshake began";
    }
    fail(attempt, result, fault);
}

/* The handshake happens in reads; a byte that comes with it comes too early. */
static void shake_hands(tg_http_attempt *attempt)
{
    uint8_t byte;
    size_t len;
    tg_result result = tg_stream_read(attempt->stream, &byte, 1, &len);
    if (tg_is_ok(result)) {
        fail(attempt, tg_fail(TG_ERR_SYNTAX), "the origin spoke before it was asked");
    } else if (result.code != TG_ERR_AGAIN) {
        fail_handshake(attempt, result);
    } else if (tg_stream_peer(attempt->stream)->tls == NULL) {
        tg_stream_watch(attempt->stream, TG_STREAM_READ);
    } else if (attempt->outbound->is_mutual && !tg_stream_peer(attempt->stream)->tls->was_asked) {
        fail(attempt, tg_fail(TG_ERR_DENIED), "the origin asks for no client certificate");
    } else {
        tg_stream_watch(attempt->stream, 0);
        attempt->stage = TG_HTTP_STAGE_SEND;
        end(attempt, tg_ok());
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner);

static void begin_tls(tg_http_attempt *attempt)
{
    tg_outbound *outbound = attempt->outbound;
    if (outbound->tls == NULL) {
        tg_stream_watch(attempt->stream, 0);
        attempt->stage = TG_HTTP_STAGE_SEND;
        end(attempt, tg_ok());
        return;
    }
    const tg_tls_target target = {.name = tg_slice_str(outbound->origin.target.name),
                                  .may_be_common_name = outbound->may_be_common_name};
    attempt->stage = TG_HTTP_STAGE_HANDSHAKE;
    tg_stream *below = TG_TAKE(attempt->stream);
    tg_result result = tg_tls_connect(outbound->tls, below, attempt->loop, &target, &attempt->stream);
    if (!tg_is_ok(result)) {
        attempt->stream = NULL;
        fail(attempt, result, "TLS cannot begin");
        return;
    }
    tg_stream_own(attempt->stream, on_ready, attempt);
    shake_hands(attempt);
}

static void send_line(tg_http_attempt *attempt)
{
    tg_outbound *outbound = attempt->outbound;
    while (attempt->line_at < outbound->line_len) {
        size_t len = 0;
        tg_slice rest = tg_slice_of(outbound->line + attempt->line_at, outbound->line_len - attempt->line_at);
        tg_result result = tg_stream_write(attempt->stream, rest, &len);
        if (result.code == TG_ERR_AGAIN) {
            tg_stream_watch(attempt->stream, TG_STREAM_WRITE);
            return;
        }
        if (!tg_is_ok(result)) {
            fail(attempt, result,
                 outbound->is_egress ? "the egress proxy closed the connection"
                                     : "what was dialled closed the connection");
            return;
        }
        attempt->line_at += len;
    }
    tg_stream_watch(attempt->stream, 0);
    begin_tls(attempt);
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)stream;
    (void)events;
    tg_http_attempt *attempt = owner;
    if (attempt->stage == TG_HTTP_STAGE_EGRESS) {
        send_line(attempt);
    } else {
        shake_hands(attempt);
    }
}

static void on_dialled(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    tg_http_attempt *attempt = owner;
    tg_outbound *outbound = attempt->outbound;
    attempt->dial = NULL;
    attempt->stream = stream;
    if (stream == NULL) {
        char text[TG_MAX_ADDRESS_BYTES];
        const char *why = outcome->reason[0] != 0 ? outcome->reason : tg_log_error_text(outcome->result);
        (void)snprintf(attempt->reason, sizeof attempt->reason, "%.160s: %s: %s",
                       tg_address_format(&outbound->carrier, text), tg_dial_stage_name(outcome->stage), why);
        end(attempt, outcome->result);
        return;
    }
    tg_deadline_arm_in(attempt->loop, &attempt->deadline, outbound->handshake_ms);
    tg_stream_own(stream, on_ready, attempt);
    if (outbound->line_len > 0) {
        attempt->stage = TG_HTTP_STAGE_EGRESS;
        send_line(attempt);
    } else {
        begin_tls(attempt);
    }
}

static tg_result begin(tg_http_connector *connector, tg_loop *loop, tg_http_connected_fn *done, void *owner,
                       tg_http_attempt **out_attempt)
{
    tg_outbound *outbound = (tg_outbound *)(void *)connector;
    const tg_dial_options options = {.timeout_ms = outbound->dial_ms};
    tg_http_attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    attempt->loop = loop;
    attempt->done = done;
    attempt->owner = owner;
    attempt->stage = TG_HTTP_STAGE_DIAL;
    attempt->deadline.run = on_deadline;
    tg_result result = tg_dial_start(loop, &outbound->carrier, &options, on_dialled, attempt, &attempt->dial);
    if (!tg_is_ok(result)) {
        free(attempt);
        return result;
    }
    attempt->outbound = tg_outbound_ref(outbound);
    *out_attempt = attempt;
    return tg_ok();
}

static void cancel(tg_http_connector *connector, tg_http_attempt *attempt)
{
    (void)connector;
    destroy(attempt);
}

static bool may_be_plain(const tg_origin *origin, tg_outbound_plain plain)
{
    switch (plain) {
    case TG_OUTBOUND_PLAIN_LOOPBACK:
        return origin->is_loopback;
    case TG_OUTBOUND_PLAIN_LOCAL:
        return origin->is_loopback || origin->is_on_link;
    case TG_OUTBOUND_TLS_ONLY:
    default:
        return false;
    }
}

static tg_result check(const tg_outbound_settings *settings, const tg_origin *origin, tg_detail *detail)
{
    if (!origin->is_tls && !may_be_plain(origin, settings->plain)) {
        tg_detail_set_place(detail, tg_slice_str(""), 0, settings->url);
        tg_detail_set_reason(detail, "%s",
                             settings->plain == TG_OUTBOUND_TLS_ONLY
                                 ? "http:// is not taken here"
                                 : "http:// is taken for addresses of this machine alone");
        tg_detail_set_remedy(detail, "write https://");
        return tg_fail(TG_ERR_DENIED);
    }
    if (origin->is_tls && settings->tls == NULL) {
        tg_detail_set_place(detail, tg_slice_str(""), 0, settings->url);
        tg_detail_set_reason(detail, "https:// needs certificate authorities");
        return tg_fail(TG_ERR_DENIED);
    }
    return tg_ok();
}

/* What goes first: the caller's own, then the egress proxy's line. */
static tg_result write_line(tg_outbound *outbound, tg_slice preface)
{
    tg_buf buf;
    if (preface.len > TG_MAX_PREFACE_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_buf_init_wiped(&buf, MAX_LINE_BYTES);
    tg_result result = tg_buf_append(&buf, preface);
    if (tg_is_ok(result) && outbound->is_egress) {
        result = tg_origin_append_host_port(&outbound->origin, &buf);
    }
    if (tg_is_ok(result) && outbound->is_egress) {
        result = tg_buf_append_byte(&buf, '\n');
    }
    tg_slice line = tg_buf_slice(&buf);
    if (tg_is_ok(result) && line.ptr != NULL) {
        outbound->line_len = line.len;
        memcpy(outbound->line, line.ptr, line.len);
    }
    tg_buf_done(&buf);
    return result;
}

tg_result tg_outbound_new(const tg_outbound_settings *settings, tg_outbound **out_outbound, tg_detail *detail)
{
    tg_origin origin;
    TG_TRY(tg_origin_parse(settings->url, &origin, detail));
    TG_TRY(check(settings, &origin, detail));
    tg_outbound *outbound = calloc(1, sizeof *outbound);
    if (outbound == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&outbound->refs);
    outbound->connector = (tg_http_connector){.connect = begin, .cancel = cancel};
    outbound->origin = origin;
    outbound->origin.path = (tg_slice){NULL, 0}; /* the text is the caller's */
    outbound->carrier = settings->carrier != NULL ? *settings->carrier : origin.target;
    outbound->is_egress = settings->is_egress;
    outbound->is_mutual = settings->is_mutual;
    outbound->may_be_common_name = settings->may_be_common_name;
    outbound->dial_ms = settings->dial_ms != 0 ? settings->dial_ms : DEFAULT_WAIT_MS;
    outbound->handshake_ms = settings->handshake_ms != 0 ? settings->handshake_ms : DEFAULT_WAIT_MS;
    if (origin.is_tls) {
        outbound->tls = tg_tls_context_ref(settings->tls);
    }
    tg_result result = write_line(outbound, settings->preface);
    if (!tg_is_ok(result)) {
        tg_outbound_unref(outbound);
        return result;
    }
    *out_outbound = outbound;
    return tg_ok();
}

tg_outbound *tg_outbound_ref(tg_outbound *outbound)
{
    tg_refs_take(&outbound->refs);
    return outbound;
}

void tg_outbound_unref(tg_outbound *outbound)
{
    if (outbound == NULL || !tg_refs_drop(&outbound->refs)) {
        return;
    }
    tg_tls_context_unref(outbound->tls);
    tg_wipe(outbound->line, sizeof outbound->line);
    free(outbound);
}

tg_http_connector *tg_outbound_connector(tg_outbound *outbound)
{
    return &outbound->connector;
}

const tg_origin *tg_outbound_origin(const tg_outbound *outbound)
{
    return &outbound->origin;
}
