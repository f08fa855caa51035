/* All workers as one, seen from the main thread: made, given a configuration, told, asked, ended. */
#ifndef TG_PROXY_CREW_H
#define TG_PROXY_CREW_H

#include "proxy/worker.h"

typedef struct tg_crew tg_crew;

/* tg_crew_new makes workers whose threads do not run yet and which listen nowhere.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  `shared` outlives it; freed by tg_crew_free, after tg_crew_stop where tg_crew_start was called
 */
TG_MUST_USE tg_result tg_crew_new(tg_proxy_shared *shared, size_t num_workers, tg_crew **out_crew);
void tg_crew_free(tg_crew *crew);

/* tg_crew_start starts the threads, which get no signals. err: TG_ERR_SYSTEM, some may run
 * tg_crew_stop ends and joins those that run.
 */
TG_MUST_USE tg_result tg_crew_start(tg_crew *crew);
void tg_crew_stop(tg_crew *crew);

/* tg_crew_prepare, then tg_crew_commit or tg_crew_cancel: tg_proxy_worker_prepare and so on with every worker; each
 * waits until all have done it.
 * err   of the first worker that could not; then none has anything prepared
 */
TG_MUST_USE tg_result tg_crew_prepare(tg_crew *crew, const tg_proxy_gates *gates);
void tg_crew_commit(tg_crew *crew, tg_proxy_config *config);
void tg_crew_cancel(tg_crew *crew);

/* tg_crew_drain closes the doors, tg_crew_end_all ends every visit; neither waits. */
void tg_crew_drain(tg_crew *crew);
void tg_crew_end_all(tg_crew *crew);
size_t tg_crew_num_running(const tg_crew *crew);

/* tg_crew_is_alive says whether every worker has answered since the last call, and asks again; true the first time. */
bool tg_crew_is_alive(tg_crew *crew);

#endif
