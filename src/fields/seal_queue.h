/* Values of several documents that are sealed together: one alone costs twice what it does among eight. What stands
 * around the tokens is written at once, with room for each; the tokens follow when the queue is full or the caller says
 * so. */
#ifndef TG_FIELDS_SEAL_QUEUE_H
#define TG_FIELDS_SEAL_QUEUE_H

#include "fields/token.h"

enum { TG_SEAL_QUEUE_JOBS = 16 };

typedef struct tg_seal_queue {
    size_t num_jobs;
    tg_token_job jobs[TG_SEAL_QUEUE_JOBS]; /* `out` is set when they are sealed: until then it may move */
    size_t places[TG_SEAL_QUEUE_JOBS];     /* in the output, from its first byte on */
} tg_seal_queue;

static inline bool tg_seal_queue_is_full(const tg_seal_queue *queue)
{
    return queue->num_jobs == TG_SEAL_QUEUE_JOBS;
}

/* tg_seal_queue_add adds a value to a queue that is not full.
 * plaintext  stays in place until it is sealed
 * place      of its token in the output, which has tg_token_len(plaintext.len) bytes there
 */
static inline void tg_seal_queue_add(tg_seal_queue *queue, tg_token_kind kind, tg_slice plaintext, size_t place)
{
    queue->jobs[queue->num_jobs] = (tg_token_job){kind, plaintext, NULL};
    queue->places[queue->num_jobs++] = place;
}

/* tg_seal_queue_seal writes the tokens of all that is queued with the current key, and empties the queue.
 * out   the output; nothing was consumed from its front since they were queued
 * err   TG_ERR_LIBRARY: what was queued is of no use
 */
TG_MUST_USE tg_result tg_seal_queue_seal(tg_seal_queue *queue, tg_field_keys *keys, tg_buf *out);

/* tg_seal_queue_drop drops what was queued for `place` and behind it: the output was cut there. */
void tg_seal_queue_drop(tg_seal_queue *queue, size_t place);

#endif
