/* One connection: a state, one setter that checks the edge against a table, and one step function per state. Inside
 * the room only; the public face is http/server.h. */
#ifndef TG_HTTP_CONNECTION_H
#define TG_HTTP_CONNECTION_H

#include "http/block.h"
#include "http/exchange.h"
#include "http/server.h"

/*
 *   IDLE -> HEAD -> BODY -> HANDLER -> ANSWER -> IDLE        (and on with the next request)
 *                                             -> DISCARD     (an unwanted body's rest is read, then IDLE)
 *                                             -> LINGER      (our side is ended; the client may still be sending)
 *   any -> CLOSED
 */
typedef enum tg_http_connection_state {
    TG_HTTP_IDLE, /* between requests: no memory but this struct */
    TG_HTTP_READS_HEAD,
    TG_HTTP_READS_BODY,
    TG_HTTP_AT_HANDLER, /* the request is whole, its answer is waited for */
    TG_HTTP_ANSWERS,
    TG_HTTP_DISCARDS,
    TG_HTTP_LINGERS,
    TG_HTTP_CLOSED,
    TG_HTTP_NUM_STATES
} tg_http_connection_state;

struct tg_http_connection {
    tg_http_server *server;
    tg_stream *stream;
    tg_http_connection *previous; /* of the server's connections */
    tg_http_connection *next;
    tg_http_connection *next_due; /* of those that want a step at the end of the loop's turn */
    bool is_due;
    bool wants_turn;      /* a run at the end of this turn, whatever is_running says */
    unsigned num_in_turn; /* requests begun in this run */
    bool is_running;      /* a step is at work: calls from handlers need no further one */
    tg_http_connection_state state;
    uint64_t since_ms; /* when the state was entered */
    uint64_t id;
    uint32_t num_requests;

    /* input: block->bytes[start .. pinned) belongs to the request, [at .. block->end) is unread */
    tg_http_block *block; /* NULL where nothing is held */
    size_t start;
    size_t pinned;
    size_t at;
    tg_buf tail;      /* a short unfinished head, while no block is held */
    bool is_at_end;   /* the client ended its side */
    bool is_broken;   /* reset, or ended without the protocol's own ending */
    bool is_in_block; /* the body is collected where it is read to */
    uint64_t discard_left;
    uint64_t num_dropped; /* bytes read for nothing since the answer */

    tg_http_exchange *exchange; /* the request in work; NULL in IDLE, DISCARDS, LINGERS */

    bool is_blocked;        /* the client does not take the answer */
    bool is_shut;           /* our side is ended */
    bool is_last_request;   /* no other follows: tg_http_server_renew */
    bool may_close_at_once; /* the client asked for the end: nothing more can come */
    uint64_t rate_since_ms; /* what a body's or an answer's rate is measured from */
    uint64_t rate_bytes;
    uint64_t taken_ms; /* when the client last took bytes of an answer, or the answer first waited for it */
};

/* tg_http_connection_new puts an adopted stream under a connection in IDLE. err: TG_ERR_MEMORY (the stream is the
 * caller's then). tg_http_connection_free ends it whatever its state: on_cancel and on_end are called.
 */
TG_MUST_USE tg_result tg_http_connection_new(tg_http_server *server, tg_stream *stream, uint64_t id,
                                             tg_http_connection **out_connection);
void tg_http_connection_free(tg_http_connection *connection);

/* tg_http_connection_go sets the state. An edge that the table does not have closes the connection. */
void tg_http_connection_go(tg_http_connection *connection, tg_http_connection_state next);

/* tg_http_connection_run steps until nothing more can be done, then watches what the state waits for; frees the
 * connection where it is CLOSED. Never called from a handler's call.
 */
void tg_http_connection_run(tg_http_connection *connection);

/* tg_http_connection_read reads once. */
void tg_http_connection_read(tg_http_connection *connection);

/* tg_http_connection_check closes or refuses what took too long; run afterwards. */
void tg_http_connection_check(tg_http_connection *connection, uint64_t now_ms);

/* tg_http_connection_due asks for a run at the end of the loop's turn, unless one is at work. */
void tg_http_connection_due(tg_http_connection *connection);

/* tg_http_connection_unread is what was read and not used yet; tg_http_connection_skip uses its first bytes. */
static inline tg_slice tg_http_connection_unread(const tg_http_connection *connection)
{
    const tg_http_block *block = connection->block;
    return block != NULL ? tg_slice_of(block->bytes + connection->at, block->end - connection->at)
                         : (tg_slice){NULL, 0};
}
void tg_http_connection_skip(tg_http_connection *connection, size_t len);

/* tg_http_connection_leave ends a connection between requests. A client that is still there is told (over TLS by
 * close_notify), so that it does not take the end for a truncation. */
void tg_http_connection_leave(tg_http_connection *connection);

/* tg_http_connection_break ends a connection that cannot go on: the handler is told, the request recorded. */
void tg_http_connection_break(tg_http_connection *connection);
/* tg_http_connection_refuse answers for the server itself and lets the connection end behind it. */
void tg_http_connection_refuse(tg_http_connection *connection, tg_http_refusal refusal);
/* tg_http_connection_end_request records the request and gives its exchange back. */
void tg_http_connection_end_request(tg_http_connection *connection, bool is_aborted);

/* The steps: true where another may follow at once. */
bool tg_http_step_idle(tg_http_connection *connection);    /* intake.c */
bool tg_http_step_head(tg_http_connection *connection);    /* intake.c */
bool tg_http_step_body(tg_http_connection *connection);    /* intake.c */
bool tg_http_step_handler(tg_http_connection *connection); /* intake.c */
bool tg_http_step_answer(tg_http_connection *connection);  /* outflow.c */
bool tg_http_step_discard(tg_http_connection *connection); /* outflow.c */
bool tg_http_step_linger(tg_http_connection *connection);  /* outflow.c */

/* tg_http_connection_flush writes what the exchange has to write. err: TG_ERR_AGAIN, or broken */
TG_MUST_USE tg_result tg_http_connection_flush(tg_http_connection *connection);

/* tg_http_answer_refusal stages the JSON error of a refusal. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_http_answer_refusal(tg_http_exchange *exchange);

#endif
