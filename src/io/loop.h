/* One event loop a thread: descriptors watched by epoll, callbacks at the end of the turn, coarse deadlines, tasks from
 * other threads, and libuv's loop inside it for signals and name lookups. What is scheduled stands inside its owner
 * (intrusive): nothing here allocates, and nothing but tg_loop_new fails. Only tg_loop_post and tg_loop_stop may be
 * called from other threads. */
#ifndef TG_IO_LOOP_H
#define TG_IO_LOOP_H

#include "base/result.h"
#include "io/link.h"

typedef struct tg_loop tg_loop;
struct uv_loop_s;

/* tg_loop_new makes a loop; any thread may run it, one at a time.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_loop_new(tg_loop **out_loop);

/* tg_loop_free frees a loop that does not run and on which nothing is open: streams, listeners, dials, watches of
 * signals are closed before (or by tg_loop_at_free). It waits up to 2 s for name lookups that were given up; past that,
 * their memory is left.
 */
void tg_loop_free(tg_loop *loop);

/* tg_loop_run runs callbacks until tg_loop_stop. It may be run again after that. */
void tg_loop_run(tg_loop *loop);

/* tg_loop_stop ends the run at the end of this turn (or the next run after its first turn). Any thread. */
void tg_loop_stop(tg_loop *loop);

/* tg_loop_now_ms is the monotonic clock (tg_clock_monotonic_ms), read once a turn. */
uint64_t tg_loop_now_ms(const tg_loop *loop);

/* tg_loop_turn makes one turn without waiting: for who takes them singly, as tests do. */
void tg_loop_turn(tg_loop *loop);

/* tg_loop_uv_begin gives libuv's loop to who begins a request on its thread pool now: it is looked at in the next turn,
 * and whenever libuv has something to say. */
struct uv_loop_s *tg_loop_uv_begin(tg_loop *loop);

/* A callback at the end of this turn of the loop, after whatever runs now has returned: how an object calls its owner
 * without doing it from inside the owner's call. Those scheduled by a tick itself run in the next turn,
 * which may skip the descriptors. */
typedef struct tg_tick tg_tick;
typedef void tg_tick_fn(tg_tick *tick);
struct tg_tick {
    tg_link link;
    tg_tick_fn *run; /* set by the owner */
};

/* tg_loop_tick schedules it (once, however often it is called); tg_loop_tick_later does so in 32 to 64 ms, for what
 * gives no sign when it can be tried again. tg_tick_cancel takes it back. */
void tg_loop_tick(tg_loop *loop, tg_tick *tick);
void tg_loop_tick_later(tg_loop *loop, tg_tick *tick);
static inline void tg_tick_cancel(tg_tick *tick)
{
    tg_link_remove(&tick->link);
}

/* tg_loop_at_free schedules a tick for tg_loop_free, for what no owner ends: first of all, last come first. */
void tg_loop_at_free(tg_loop *loop, tg_tick *tick);

/* A deadline: fires once, not before its time and up to TG_DEADLINE_GRAIN_MS after it. Moving one to a later time,
 * as connections do with every byte, is one store. */
enum { TG_DEADLINE_GRAIN_MS = 32 };
typedef struct tg_deadline tg_deadline;
typedef void tg_deadline_fn(tg_deadline *deadline);
struct tg_deadline {
    tg_link link;
    uint64_t at_ms;      /* 0 while disarmed */
    tg_deadline_fn *run; /* set by the owner; the deadline is disarmed when it is called */
};

/* tg_deadline_arm sets it to `at_ms` of tg_loop_now_ms's clock (at least 1), whatever it was before. */
void tg_deadline_arm(tg_loop *loop, tg_deadline *deadline, uint64_t at_ms);
static inline void tg_deadline_arm_in(tg_loop *loop, tg_deadline *deadline, uint64_t in_ms)
{
    tg_deadline_arm(loop, deadline, tg_loop_now_ms(loop) + in_ms);
}
static inline void tg_deadline_disarm(tg_deadline *deadline)
{
    tg_link_remove(&deadline->link);
    deadline->at_ms = 0;
}
static inline bool tg_deadline_is_armed(const tg_deadline *deadline)
{
    return deadline->at_ms != 0;
}

/* Work handed over by another thread. */
typedef struct tg_task tg_task;
typedef void tg_task_fn(tg_task *task);
struct tg_task {
    tg_task *next;
    tg_task_fn *run; /* set by the owner before the first post; runs on the loop's thread */
    bool is_posted;  /* guarded by the loop */
};

/* tg_loop_post runs the task on the loop's thread, in the order of posts. Any thread. Posting it again before it runs
 * does nothing; it may be posted again from its own run on.
 * keep  the task stays where it is until it has run
 */
void tg_loop_post(tg_loop *loop, tg_task *task);

/* tg_loop_on_signal calls `run` on the loop's thread for each delivery of `signal_number`, until the loop is freed; a
 * second call for the same signal replaces the first. What was held back before is delivered now, and what comes after
 * the loop waits for the end of the process. For the main thread's loop.
 * err   TG_ERR_LIMIT past 8 signals, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_loop_on_signal(tg_loop *loop, int signal_number, void (*run)(int signal_number, void *owner),
                                        void *owner);

/* A descriptor on the loop, for what implements streams. `run` gets epoll's events; it is called between ticks and
 * must not call owners nor close anything: it notes what is ready and schedules a tick. */
typedef struct tg_source tg_source;
struct tg_source {
    void (*run)(tg_source *source, uint32_t epoll_events);
};

/* tg_loop_watch_fd adds a descriptor, or changes what is watched: `epoll_events` with EPOLLET added. An event that
 * holds already is reported again. Closing the descriptor ends the watch, as long as it was never duplicated.
 * err   TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_loop_watch_fd(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source);
/* tg_loop_rewatch_fd does the same where the descriptor is watched already, by whatever source: one call less. */
TG_MUST_USE tg_result tg_loop_rewatch_fd(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source);
/* tg_loop_watch_level watches level-triggered: what is not dealt with is reported in every turn, on every loop that
 * watches the same socket. */
TG_MUST_USE tg_result tg_loop_watch_level(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source);
void tg_loop_unwatch_fd(tg_loop *loop, int fd);

#endif
