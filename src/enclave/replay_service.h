/* What the process remembers of sealed requests, so that each is taken once by whichever worker it reaches. */
#ifndef TG_ENCLAVE_REPLAY_SERVICE_H
#define TG_ENCLAVE_REPLAY_SERVICE_H

#include "enclave/enclave_settings.h"
#include "envelope/replay.h"

/* tg_replay_service_open makes the cache, where a route opens jwe or ohttp; else *out_replay is NULL. What was sealed
 * before now is refused: another process may have taken it.
 * err   TG_ERR_MEMORY, TG_ERR_LIBRARY
 * keep  one in a process; after the clock has its floor (sys/clock.h), before workers start; ended by
 *       tg_replay_service_close when they have ended. thread: main; the cache itself is for any
 */
TG_MUST_USE tg_result tg_replay_service_open(const tg_enclave_settings *settings, tg_replay **out_replay);
void tg_replay_service_close(tg_replay *replay);

#endif
