/* What the client's files share: the pool of connections to one origin, a connection, a call. Inside the room only. */
#ifndef TG_HTTP_CLIENT_ENGINE_H
#define TG_HTTP_CLIENT_ENGINE_H

#include "http/block.h"
#include "http/chunked.h"
#include "http/client.h"
#include "http/framing.h"
#include "http/target.h"

/*
 *   WAITS -> CONNECTS -> READS_HEAD -> READS_BODY -> ENDED     (sending goes on beside reading)
 *   WAITS -> READS_HEAD                                        (a kept connection)
 *   READS_HEAD -> WAITS                                        (it had ended before anything was sent: once more)
 *   any -> ENDED
 */
typedef enum tg_http_call_state {
    TG_HTTP_CALL_WAITS,
    TG_HTTP_CALL_CONNECTS,
    TG_HTTP_CALL_READS_HEAD,
    TG_HTTP_CALL_READS_BODY,
    TG_HTTP_CALL_ENDED,
    TG_HTTP_NUM_CALL_STATES
} tg_http_call_state;

enum { TG_HTTP_REASON_BYTES = 256 };

/* A connection of the client's: with a call, or kept. */
typedef struct tg_http_line {
    tg_link link; /* in client->kept, while it has no call */
    tg_http_client *client;
    tg_http_call *call;
    tg_stream *stream;
    uint64_t made_ms;
    uint64_t kept_ms; /* since when */
    uint64_t epoch;   /* the client's when it was made */
    uint64_t num_calls;
    tg_http_block *block; /* what was read and is not used yet begins at `at`; NULL while nothing is held */
    size_t at;
    bool is_at_end;
    bool is_broken;
    bool is_write_broken;
} tg_http_line;

struct tg_http_client {
    tg_loop *loop;
    tg_http_connector *connector;
    tg_http_client_limits limits;
    tg_http_block_store blocks;
    tg_link kept;    /* lines, the last used last */
    tg_link waiting; /* calls */
    tg_link active;
    tg_tick turn;      /* gives waiting calls their connections */
    tg_deadline sweep; /* of the oldest kept line */
    uint64_t epoch;
    bool is_ending;
    tg_http_client_counts counts;
    size_t authority_len;
    uint8_t authority[TG_HTTP_MAX_HOST_BYTES + 8]; /* and brackets, colon, port */
};

struct tg_http_call {
    tg_http_client *client;
    tg_link link; /* in client->waiting or client->active */
    tg_http_call_handlers handlers;
    void *owner;
    tg_http_call_state state;
    tg_tick tick;    /* a run at the end of the turn, asked for by the owner's calls */
    bool is_waiting; /* stands in client->waiting */
    bool is_running;
    bool is_cancelled;
    bool wants_fresh;         /* its kept connection had ended: no other such one */
    tg_http_attempt *attempt; /* in CONNECTS */
    tg_http_line *line;       /* in READS_HEAD and READS_BODY */

    tg_deadline deadline;
    tg_http_deadlines deadlines;
    uint64_t whole_at_ms; /* 0: never */
    uint64_t phase_at_ms;
    tg_http_stage timed; /* what phase_at_ms is the end of */
    bool has_progressed; /* so that the phase's time begins anew */

    /* the request */
    tg_buf out;      /* not consumed before the head is sent, so that it can be sent anew */
    size_t out_at;   /* sent of it */
    size_t head_len; /* of the head in front */
    bool is_head_sent;
    bool is_chunked;
    bool is_streamed;
    bool is_ask_whole; /* no more comes to `out` */
    bool wants_room;   /* on_writable is owed */
    bool is_head_method;
    uint64_t ask_left; /* of an announced length */

    /* the answer */
    tg_http_head_parser parser;
    unsigned num_interim;
    tg_http_framing framing;
    tg_http_chunked chunked;
    uint64_t body_max;
    uint64_t body_left; /* of TG_HTTP_BODY_LENGTH; of TG_HTTP_BODY_TO_END, what the limit leaves */
    bool is_paused;
    bool has_answer;
    tg_http_answer answer;
    tg_arena arena; /* its headers */
    tg_buf body;    /* collected */

    tg_http_outcome outcome;
    char reason[TG_HTTP_REASON_BYTES];
};

static inline tg_slice tg_http_line_unread(const tg_http_line *line)
{
    return line->block != NULL ? tg_slice_of(line->block->bytes + line->at, line->block->end - line->at)
                               : (tg_slice){NULL, 0};
}

/* tg_http_line_new puts a connected stream under a line. err: TG_ERR_MEMORY (the stream is closed then)
 * tg_http_line_drop closes it and tells the client. tg_http_line_put gives a line back after a call, to be kept. */
TG_MUST_USE tg_result tg_http_line_new(tg_http_client *client, tg_stream *stream, tg_http_line **out_line);
void tg_http_line_drop(tg_http_line *line);
void tg_http_line_put(tg_http_line *line);

/* tg_http_client_wake has waiting calls looked at at the end of the loop's turn. */
void tg_http_client_wake(tg_http_client *client);

/* tg_http_client_let_wait puts a call in line, in front of the others or behind; tg_http_client_let_go takes it out of
 * whatever list it stands in. */
void tg_http_client_let_wait(tg_http_client *client, tg_http_call *call, bool is_first);
void tg_http_client_let_go(tg_http_client *client, tg_http_call *call);

/* tg_http_call_go sets the state; an edge that the table does not have ends the call. */
void tg_http_call_go(tg_http_call *call, tg_http_call_state next);

/* tg_http_call_begin gives a call its line and runs it. */
void tg_http_call_begin(tg_http_call *call, tg_http_line *line);

/* tg_http_call_run sends, reads what was read on the line, tells the owner; ends the call where it is over. */
void tg_http_call_run(tg_http_call *call);

/* tg_http_call_fail notes how the call ended, once; who runs it (or tg_http_call_over) tells the owner. */
void tg_http_call_fail(tg_http_call *call, tg_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* tg_http_call_over gives the line back, calls on_done and frees the call, which is in ENDED. */
void tg_http_call_over(tg_http_call *call);

/* tg_http_call_time arms the deadline for what the call waits for now. */
void tg_http_call_time(tg_http_call *call);

/* tg_http_call_stage is how far it is. */
tg_http_stage tg_http_call_stage(const tg_http_call *call);

/* The steps of reading an answer: true where another may follow at once. */
bool tg_http_call_read_head(tg_http_call *call); /* client_answer.c */
bool tg_http_call_read_body(tg_http_call *call);

#endif
