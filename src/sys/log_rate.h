/* Lines of log that peers can cause are written up to a number in each second; past it they are counted, and the next
 * line that is written says how many. */
#ifndef TG_SYS_LOG_RATE_H
#define TG_SYS_LOG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* {0} before the first line; for one thread. */
typedef struct tg_log_rate {
    uint64_t second; /* in which num_logged lines were written */
    uint64_t num_logged;
    uint64_t num_unlogged;
} tg_log_rate;

/* tg_log_rate_take says whether one more line may be written in this second; otherwise it is counted.
 * in    now_ms: of a clock that does not go back
 * out   *out_num_unlogged, where it may: the lines that could not since the last that could
 */
bool tg_log_rate_take(tg_log_rate *rate, uint64_t max_per_s, uint64_t now_ms, uint64_t *out_num_unlogged);

#endif
