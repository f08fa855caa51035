/* Threads that take no signals: those are the main thread's, which waits for them in its loop. */
#ifndef TG_SYS_THREAD_H
#define TG_SYS_THREAD_H

#include "base/result.h"

#include <pthread.h>

/* tg_thread_start starts a thread that blocks every signal.
 * in    name: what tools show of it, cut at 15 bytes
 * err   TG_ERR_SYSTEM
 * keep  ended by pthread_join
 */
TG_MUST_USE tg_result tg_thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *argument),
                                      void *argument);

#endif
