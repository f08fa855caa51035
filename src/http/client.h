/* The HTTP/1.1 client (RFC 9110, RFC 9112): calls to one origin over kept connections, on one loop. It shares the
 * parser and the rules of framing with the server: what two programs could read differently is refused. It follows no
 * redirect, keeps no cookie, asks for no compression, and knows nothing of names, addresses and TLS: a connector gives
 * it streams.
 *
 *   static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner) {...}
 *   const tg_http_ask ask = {.method = TG_LIT("GET"), .target = TG_LIT("/")};
 *   TG_TRY(tg_http_call_start(client, &ask, &(tg_http_call_handlers){.on_done = on_done}, owner, &call));
 *
 * A client and its calls live on one loop (thread). Handlers run in the loop's turns, never inside a call of the
 * owner's; they may do anything with any call, but not free the client. */
#ifndef TG_HTTP_CLIENT_H
#define TG_HTTP_CLIENT_H

#include "base/buf.h"
#include "http/connector.h"
#include "http/head.h"
#include "http/message.h"
#include "io/loop.h"

typedef struct tg_http_client tg_http_client;
typedef struct tg_http_call tg_http_call;

/* Longest waits. Each begins anew with its phase; 0 is none. */
typedef struct tg_http_deadlines {
    uint64_t send_ms;  /* without a byte of the request being taken, while there is one to send */
    uint64_t head_ms;  /* from the request's last byte to the end of the answer's head, 1xx answers included */
    uint64_t body_ms;  /* without a byte of the answer's body, while it is not paused */
    uint64_t whole_ms; /* from tg_http_call_start to the end, whatever happens (dialling and handshake are inside) */
} tg_http_deadlines;

typedef struct tg_http_client_limits {
    size_t num_connections;  /* open to the origin, used or kept */
    size_t num_kept;         /* of them while unused */
    size_t num_waiting;      /* calls that wait for a connection */
    uint64_t keep_ms;        /* a connection is kept unused for so long */
    uint64_t max_age_ms;     /* and is used no more when it is older than this: names and certificates change */
    uint32_t head_bytes;     /* of an answer's head; at most TG_HTTP_MAX_HEAD_BYTES */
    uint32_t num_fields;     /* at most TG_HTTP_MAX_FIELDS */
    uint32_t num_interim;    /* 1xx answers before the one that counts */
    uint64_t body_bytes;     /* of an answer's content */
    uint64_t ask_body_bytes; /* of a request's body that is given whole */
    size_t queue_bytes;      /* of a streamed request body that waits to be sent */
    tg_http_deadlines deadlines;
} tg_http_client_limits;

/* tg_http_client_limits_default: 16 connections, 8 kept for 15 s, 1024 waiting, 16 KiB and 64 lines of head, 8 interim
 * answers, 1 MiB of body either way, 64 KiB queued; 10 s, 30 s, 10 s, and 60 s for the whole. */
void tg_http_client_limits_default(tg_http_client_limits *limits);

/* tg_http_client_new makes a client for one origin; no connection is made yet.
 * in    authority: host[:port], the value of Host; limits NULL: the default ones
 * err   TG_ERR_SYNTAX: the authority; TG_ERR_MEMORY
 * keep  authority and limits are copied; the connector and the loop outlive the client
 */
TG_MUST_USE tg_result tg_http_client_new(tg_loop *loop, tg_http_connector *connector, tg_slice authority,
                                         const tg_http_client_limits *limits, tg_http_client **out_client);

/* tg_http_client_free ends every call (on_done with TG_ERR_CANCELLED) and closes every connection. Not from a handler,
 * and no new call from the on_done that it causes. NULL is fine. */
void tg_http_client_free(tg_http_client *client);

/* tg_http_client_close_kept closes the connections that are not in use, and has those in use closed after their call:
 * for when identity or authorities have changed. */
void tg_http_client_close_kept(tg_http_client *client);

typedef struct tg_http_client_counts {
    size_t num_connections; /* now: used, kept and being made */
    size_t num_kept;        /* now */
    size_t num_waiting;     /* now */
    uint64_t num_calls;     /* ever, as those below */
    uint64_t num_connected;
    uint64_t num_reused;  /* calls that went over a kept connection */
    uint64_t num_stale;   /* kept connections that had ended, or said something, before they were used */
    uint64_t num_retried; /* calls sent anew because nothing of them had been sent */
} tg_http_client_counts;
tg_http_client_counts tg_http_client_counts_of(const tg_http_client *client);

/* One request. The slices need to live until tg_http_call_start returns. */
typedef struct tg_http_ask {
    tg_slice method; /* a token; CONNECT is refused */
    tg_slice target; /* origin-form: /path?query, percent-encoded */
    /* Without Host, Connection, Content-Length, Transfer-Encoding, Expect, Upgrade, TE and Trailer: the client's own.
     */
    const tg_http_header *headers;
    size_t num_headers;
    tg_slice body;                      /* copied, wiped afterwards */
    bool is_streamed;                   /* the body comes by tg_http_call_write instead */
    uint64_t body_length;               /* of a streamed one, or TG_HTTP_LENGTH_UNKNOWN: chunked */
    uint64_t max_answer_bytes;          /* of the answer's content; 0: the client's limit */
    const tg_http_deadlines *deadlines; /* NULL: the client's */
} tg_http_ask;
#define TG_HTTP_LENGTH_UNKNOWN UINT64_MAX

/* The answer, as far as it has come. Slices live until on_done returns. */
typedef struct tg_http_answer {
    unsigned status; /* 200 to 599 */
    const tg_http_header *headers;
    size_t num_headers;
    tg_slice body; /* in on_done: all of it, where there is no on_body */
} tg_http_answer;

/* How a call ended. */
typedef struct tg_http_outcome {
    tg_result result;             /* TG_OK: the answer is whole, whatever its status */
    tg_http_stage stage;          /* where it ended; TG_HTTP_STAGE_DONE with TG_OK */
    tg_http_refusal refusal;      /* why the answer was refused, else TG_HTTP_NOT_REFUSED */
    const char *reason;           /* in words, without a secret; "" with TG_OK. Lives until on_done returns */
    const tg_http_answer *answer; /* NULL unless its head came: with a failure too, where the body broke off */
    bool may_be_processed;        /* the whole head was sent: the origin may have acted upon it. False: asking again is
                                   * safe for any method */
    bool is_reused;               /* it went over a kept connection */
    uint64_t bytes_out;           /* of the request, as sent */
    uint64_t bytes_in;            /* of the answer, as it came */
} tg_http_outcome;

enum { TG_HTTP_OUTCOME_TEXT_BYTES = 320 };
/* tg_http_outcome_format writes `handshake: tls: certificate verify failed: ...` with a NUL, or `done`; returns out. */
const char *tg_http_outcome_format(const tg_http_outcome *outcome, char out[TG_HTTP_OUTCOME_TEXT_BYTES]);

typedef struct tg_http_call_handlers {
    /* The answer's head, interim ones left out. May be NULL. */
    void (*on_head)(tg_http_call *call, const tg_http_answer *answer, void *owner);
    /* The next piece of the answer's content; it lives until the handler returns. NULL: it is collected. */
    void (*on_body)(tg_http_call *call, tg_slice piece, void *owner);
    /* The queue of a streamed request body is empty again, after tg_http_call_write said TG_ERR_AGAIN. May be NULL. */
    void (*on_writable)(tg_http_call *call, void *owner);
    /* Once, unless the call is cancelled before; the call is gone when it returns. Must be there. */
    void (*on_done)(tg_http_call *call, const tg_http_outcome *outcome, void *owner);
} tg_http_call_handlers;

/* tg_http_call_start asks. A kept connection that turns out to have ended before anything was sent is replaced once by
 * a fresh one; nothing else is sent twice.
 * err   TG_ERR_SYNTAX: method, target or a header; TG_ERR_UNSUPPORTED: CONNECT; TG_ERR_LIMIT: too many calls wait, or
 *       the body is over ask_body_bytes; TG_ERR_MEMORY. No handler is called then.
 * keep  handlers are copied; *out_call (which may be NULL) is valid until on_done returns or tg_http_call_cancel
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_call_start(tg_http_client *client, const tg_http_ask *ask,
                                                    const tg_http_call_handlers *handlers, void *owner,
                                                    tg_http_call **out_call);

/* tg_http_call_cancel gives up: no handler follows. From handlers too; inside on_done it does nothing. NULL is fine. */
void tg_http_call_cancel(tg_http_call *call);

/* tg_http_call_pause stops the answer's body: no on_body until tg_http_call_resume, and the origin has to wait. */
void tg_http_call_pause(tg_http_call *call);
void tg_http_call_resume(tg_http_call *call);

/* tg_http_call_write sends a piece of a streamed body (copied), from the start on, before a connection stands too.
 * err   TG_ERR_AGAIN: the queue is full, nothing was taken, on_writable follows (a piece larger than the queue is taken
 *       when the queue is empty); TG_ERR_RANGE: more than body_length, or the body was ended; TG_ERR_MEMORY
 * tg_http_call_end says that the body is whole. err: TG_ERR_RANGE: it is shorter than body_length (cancel the call)
 */
TG_MUST_USE tg_result tg_http_call_write(tg_http_call *call, tg_slice piece);
TG_MUST_USE tg_result tg_http_call_end(tg_http_call *call);

/* tg_http_call_take_body gives the collected body away, in on_done: *out_body (not initialised before) is a wiped
 * buffer of the caller's. */
void tg_http_call_take_body(tg_http_call *call, tg_buf *out_body);

#endif
