/* The server: takes accepted streams, reads requests, hands them to handlers and writes their answers. One server a
 * loop; every call and callback is on that loop's thread. No callback is called from inside a call of this header,
 * but from the loop, so that a handler may call anything at any time. */
#ifndef TG_HTTP_SERVER_H
#define TG_HTTP_SERVER_H

#include "base/buf.h"
#include "base/result.h"
#include "http/budget.h"
#include "http/message.h"
#include "http/refusal.h"
#include "io/loop.h"
#include "io/stream.h"

typedef struct tg_http_server tg_http_server;

/* What a peer controls, and how far. tg_http_limits_default gives the values in brackets. Milliseconds of 0 and rates
 * of 0 mean no limit. */
typedef struct tg_http_limits {
    uint32_t head_bytes;              /* [16384] request line and headers: 431 */
    uint32_t num_headers;             /* [100] 431 */
    uint32_t target_bytes;            /* [8192] 414 */
    uint64_t body_bytes;              /* [10 MiB] 413; a handler may set another for its request */
    uint32_t head_ms;                 /* [10000] from a request's first byte (or the accept) to its whole head: 408 */
    uint32_t idle_ms;                 /* [60000] between requests, or that an answer waits untouched: closed */
    uint32_t rate_grace_ms;           /* [10000] before the two rates below are looked at */
    uint32_t body_bytes_per_second;   /* [1024] of a body, in each span of rate_grace_ms, of which one may pay for the
                                       * next: 408 */
    uint32_t answer_bytes_per_second; /* [1024] that a client must take of an answer that waits for it, in each span, in
                                       * the same way: closed */
    uint32_t handler_ms;              /* [120000] from the whole request to the beginning of its answer: 503 */
    uint32_t linger_ms;               /* [2000] that a closing connection is read from, so that its answer arrives */
    uint32_t linger_bytes;            /* [1 MiB] */
    uint32_t discard_bytes;           /* [65536] of a body not wanted that are read for the connection's sake */
    uint32_t num_connections;         /* [4096] of this server: tg_http_server_adopt refuses more */
    uint32_t requests_per_connection; /* [100000] then the connection is closed behind the answer */
    uint32_t answer_queue_bytes;      /* [65536] of a streamed answer that wait: then tg_http_answer_write says AGAIN */
} tg_http_limits;

void tg_http_limits_default(tg_http_limits *out_limits);

/* How a request ended; given to on_end once for each, for access logs and metrics. */
typedef struct tg_http_record {
    const tg_http_request *request; /* members that were not read are empty (refused heads) */
    unsigned status;                /* 0 where nothing was answered */
    tg_http_refusal refusal;        /* why the server itself refused it, or TG_HTTP_NOT_REFUSED */
    bool is_aborted;                /* the answer did not go out whole: the client is gone, or was too slow */
    uint64_t bytes_in;              /* head and body, as they were carried */
    uint64_t bytes_out;
    uint64_t duration_ns; /* from the first byte read to the last one written */
} tg_http_record;

/* The handler table. on_request must be there; NULL stands for "nothing to do" in the others.
 *
 *   on_head ──> (on_body ...) ──> on_request ──> answer      or, at any point before a whole answer: on_cancel
 *
 * on_head    the head is known, the body not read: the handler may answer at once, set the body's limit
 *            (tg_http_request_limit_body) or ask for it in pieces (tg_http_request_stream_body).
 * on_body    a piece of a streamed body. It is gone when the callback returns.
 * on_request the body is whole: collected in request->body, or streamed to its end. Answer now or later.
 * on_writable tg_http_answer_write has room again after it said TG_ERR_AGAIN.
 * on_cancel  the client is gone, too slow, or the time is over: the handler drops the request and does not touch it
 *            again. Called only after on_head, and never once the answer was given whole.
 * on_end     last of all, for every request whose first byte was read.
 * on_fault   the connection broke, not between two requests, and the stream says why (tg_stream_fault): a TLS handshake
 *            that failed, for one.
 */
typedef struct tg_http_handlers {
    void (*on_head)(tg_http_request *request, void *context);
    void (*on_body)(tg_http_request *request, tg_slice piece, void *context);
    void (*on_request)(tg_http_request *request, void *context);
    void (*on_writable)(tg_http_request *request, void *context);
    void (*on_cancel)(tg_http_request *request, void *context);
    void (*on_end)(const tg_http_record *record, void *context);
    void (*on_fault)(const tg_stream *stream, const char *fault, void *context);
    void (*on_room)(void *context); /* the server was full (num_connections) and no longer is */
    void *context;
} tg_http_handlers;

/* tg_http_server_new makes a server on a loop.
 * in    limits NULL: the defaults; budget of request bodies in flight, shared with other servers, or NULL
 * err   TG_ERR_MEMORY
 * keep  the loop and the budget outlive the server; tg_http_server_free on the loop's thread
 */
TG_MUST_USE tg_result tg_http_server_new(tg_loop *loop, const tg_http_limits *limits, const tg_http_handlers *handlers,
                                         tg_http_budget *budget, tg_http_server **out_server);

/* tg_http_server_free closes every connection at once (on_cancel and on_end are called) and frees the server. It must
 * not be called from inside one of its callbacks.
 */
void tg_http_server_free(tg_http_server *server);

/* tg_http_server_adopt takes an accepted stream, plain or TLS.
 * err   TG_ERR_LIMIT: the server is full, or drains; TG_ERR_MEMORY
 * keep  the server owns the stream from now on, and has closed it where it fails
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_server_adopt(tg_http_server *server, tg_stream *stream);

/* tg_http_server_is_full is true while adopt would refuse: stop accepting until on_room. */
bool tg_http_server_is_full(const tg_http_server *server);

/* tg_http_server_drain ends the service in order: idle connections are closed, every request whose head was begun is
 * answered whole, with `Connection: close`. `on_drained` is called once no connection is left.
 */
void tg_http_server_drain(tg_http_server *server, void (*on_drained)(void *context), void *context);

/* tg_http_server_renew ends the connections of now in the same way, and goes on taking others: for when what they were
 * accepted under no longer holds. An idle one is not read from again.
 */
void tg_http_server_renew(tg_http_server *server);

typedef struct tg_http_counts {
    uint64_t num_connections; /* now */
    uint64_t num_requests;    /* requests in work now, their answers not yet written */
    uint64_t num_adopted;     /* ever */
    uint64_t num_full;        /* streams refused because the server was full */
    uint64_t num_handled;     /* requests ended, ever */
    uint64_t num_refused;     /* of these, refused by the server itself */
    uint64_t num_aborted;     /* of these, whose answer did not go out whole */
    uint64_t num_idle_closed; /* connections closed for idling */
    uint64_t bytes_in;
    uint64_t bytes_out;
} tg_http_counts;

/* tg_http_server_counts may be called by any thread. */
tg_http_counts tg_http_server_counts(const tg_http_server *server);

/* The three below are for on_head. A limit set here holds for this request; a body announced above it is 413 when
 * on_head returns. tg_http_request_stream_body asks for on_body instead of a collected body; the budget does not count
 * it. */
void tg_http_request_limit_body(tg_http_request *request, uint64_t max_bytes);
void tg_http_request_stream_body(tg_http_request *request);

/* tg_http_request_answer_early, beside stream_body, lets the answer begin (tg_http_answer_begin) while the body comes:
 * on_body goes on, and what is written goes out between the pieces. Whoever cannot read to the end aborts. A body that
 * breaks off, or is not what its framing says, breaks the answer. */
void tg_http_request_answer_early(tg_http_request *request);

/* tg_http_request_pause stops on_body until tg_http_request_resume: nothing is read from the client meanwhile. */
void tg_http_request_pause(tg_http_request *request);
void tg_http_request_resume(tg_http_request *request);

/* tg_http_answer_buf gives an empty buffer for the answer's body whose memory is kept from request to request; wiped.
 * Each call on one request gives the same.
 */
tg_buf *tg_http_answer_buf(tg_http_request *request);

/* tg_http_respond answers whole. Date, Content-Length and Connection are written by the server; Content-Length is
 * left out for 204 and 304, the body for HEAD.
 * in    status 200 to 599; headers: valid names and values (others make it a 500: nothing can be injected)
 *       body: NULL for none; else its bytes are taken and it is left empty (also tg_http_answer_buf's)
 * keep  the request is the server's again: the handler does not touch it after this call
 */
void tg_http_respond(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                     tg_buf *body);
/* tg_http_respond_text is the same with a copy of `body`: for short ones. */
void tg_http_respond_text(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                          tg_slice body);
/* tg_http_respond_error answers {"code","message"[,"pointer"]} as application/json; a 503 and a 429 also say
 * Retry-After: 1. in    code, message: literals, never a value of the request's; code NULL for the one that belongs to
 * the status (http/refusal.h). pointer: a JSON pointer ("" is the whole document); its ptr NULL: none
 */
void tg_http_respond_error(tg_http_request *request, unsigned status, const char *code, const char *message,
                           tg_slice pointer);
/* tg_http_respond_not_allowed is the 405 with its Allow header ("GET, HEAD"). */
void tg_http_respond_not_allowed(tg_http_request *request, const char *allow);

/* tg_http_answer_begin starts a streamed answer; then any number of tg_http_answer_write, then tg_http_answer_end.
 * in    length: of the body, or TG_HTTP_UNKNOWN_LENGTH (chunked, or to the connection's end for HTTP/1.0)
 * tg_http_answer_write copies the piece to the queue.
 * err   TG_ERR_AGAIN: the queue is full, nothing was taken, on_writable will be called (a piece larger than the queue
 *       is taken when the queue is empty); TG_ERR_MEMORY; TG_ERR_RANGE: more than `length`
 * tg_http_answer_end gives the request back. tg_http_answer_abort too, and the client sees that the answer is broken.
 */
#define TG_HTTP_UNKNOWN_LENGTH UINT64_MAX
void tg_http_answer_begin(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                          uint64_t length);
TG_MUST_USE tg_result tg_http_answer_write(tg_http_request *request, tg_slice piece);
void tg_http_answer_end(tg_http_request *request);
void tg_http_answer_abort(tg_http_request *request);

#endif
