/* One request and its answer, as the server keeps them: what handlers see (the request) and what they do not. Exists
 * from a request's first byte to its answer's last, then goes back to the loop's store with the memory that it has
 * grown, so that the next request allocates nothing. */
#ifndef TG_HTTP_EXCHANGE_H
#define TG_HTTP_EXCHANGE_H

#include "base/buf.h"
#include "http/budget.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/message.h"

typedef struct tg_http_connection tg_http_connection;

typedef enum tg_http_answer_state {
    TG_HTTP_NO_ANSWER,
    TG_HTTP_ANSWER_BEGUN, /* streamed, more is to come */
    TG_HTTP_ANSWER_GIVEN, /* whole: the handler is done with the request */
    TG_HTTP_ANSWER_BROKEN /* it must not end as if it were whole */
} tg_http_answer_state;

typedef struct tg_http_exchange {
    tg_http_request request;        /* first: a handler's request is its exchange */
    tg_http_connection *connection; /* NULL in the store */
    struct tg_http_exchange *next;  /* in the store */
    tg_http_head_parser parser;
    tg_http_framing framing;
    tg_arena arena;
    uint64_t started_ns;
    uint64_t bytes_in;
    uint64_t bytes_out;
    tg_http_refusal refusal;
    bool is_handlers; /* on_head was called: on_cancel is owed unless it answers whole */

    /* the body */
    tg_http_chunked chunked;
    uint64_t body_max;
    uint64_t body_got; /* content that has come */
    bool is_streamed;
    bool answers_early; /* the answer may be written while the body comes */
    bool is_paused;
    bool is_body_whole;
    bool owes_continue; /* the client waits for 100 */
    tg_buf body;        /* collected, where it does not stand in the connection's block */
    tg_http_budget *budget;
    size_t budgeted; /* taken from the budget */

    /* the answer */
    tg_http_answer_state answer;
    unsigned status;
    bool keeps_alive;   /* decided with the answer's head */
    bool drops_content; /* HEAD, 204, 304 */
    bool is_chunked_out;
    bool wants_room;      /* on_writable is owed */
    uint64_t answer_left; /* of an announced length */
    tg_buf out;           /* to be written first: heads, chunks, short bodies */
    tg_buf content;       /* then this: a long body, taken from the handler */
    tg_buf handlers_buf;  /* tg_http_answer_buf */
} tg_http_exchange;

static inline tg_http_exchange *tg_http_exchange_of(tg_http_request *request)
{
    return (tg_http_exchange *)(void *)request;
}

/* A store keeps exchanges that are not in use; one a loop. */
typedef struct tg_http_exchange_store {
    tg_http_exchange *first;
    size_t num_kept;
} tg_http_exchange_store;

/* tg_http_exchange_take gives a clean exchange, NULL without memory. tg_http_exchange_put wipes it and takes it back.
 */
tg_http_exchange *tg_http_exchange_take(tg_http_exchange_store *store);
void tg_http_exchange_put(tg_http_exchange_store *store, tg_http_exchange *exchange);
void tg_http_exchange_store_done(tg_http_exchange_store *store);

/* tg_http_exchange_body_room makes room for more of a collected body.
 * in    expected: how long the body will be, UINT64_MAX where nobody knows; it grows in steps, as it really comes
 * out   *out_at: where to write, *out_room: how much (at least 1); follow with tg_buf_commit on exchange->body
 * err   TG_ERR_LIMIT: the budget is used up; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_http_exchange_body_room(tg_http_exchange *exchange, uint64_t expected, uint8_t **out_at,
                                                 size_t *out_room);

/* tg_http_exchange_drop_body frees a collected body (or keeps its memory for the next, where that is short), and gives
 * back what was taken of the budget for it. One that stands in the connection's block stays, and stays counted. */
void tg_http_exchange_drop_body(tg_http_exchange *exchange);

/* tg_http_exchange_budget_take counts a body that stands in the connection's block. err: TG_ERR_LIMIT */
TG_MUST_USE tg_result tg_http_exchange_budget_take(tg_http_exchange *exchange, size_t len);

#endif
