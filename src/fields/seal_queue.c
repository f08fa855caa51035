#include "fields/seal_queue.h"

tg_result tg_seal_queue_seal(tg_seal_queue *queue, tg_field_keys *keys, tg_buf *out)
{
    if (queue->num_jobs == 0) {
        return tg_ok();
    }
    for (size_t i = 0; i < queue->num_jobs; i++) {
        queue->jobs[i].out = out->ptr + out->start + queue->places[i];
    }
    size_t num_jobs = queue->num_jobs;
    queue->num_jobs = 0;
    return tg_token_seal(keys, queue->jobs, num_jobs);
}

void tg_seal_queue_drop(tg_seal_queue *queue, size_t place)
{
    while (queue->num_jobs > 0 && queue->places[queue->num_jobs - 1] >= place) {
        queue->num_jobs--;
    }
}
