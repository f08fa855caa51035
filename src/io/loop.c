#include "io/loop.h"

#include "io/wheel.h"
#include "sys/fd.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_SIGNALS = 8, EVENTS_PER_WAIT = 256, MAX_WAIT_FOR_LOOKUPS_MS = 2000 };

typedef struct signal_watch {
    uv_signal_t uv;
    void (*run)(int signal_number, void *owner);
    void *owner;
} signal_watch;

/* Descriptors are watched by an epoll of our own, itself watched by libuv: a descriptor costs one epoll_ctl in its
 * life, while uv_poll_start takes two for each change of what is watched, and uv_poll_t is larger than a stream. */
struct tg_loop {
    uv_loop_t uv;
    uv_poll_t poll;
    uv_async_t async;
    uv_check_t check;
    uv_idle_t idle; /* active while ticks wait, so that libuv does not sleep */
    uv_timer_t timer;
    signal_watch signals[MAX_SIGNALS];
    size_t num_signals;
    int epoll_fd;
    uint64_t timer_at_ms; /* UINT64_MAX while the timer does not run */
    tg_wheel wheel;
    tg_link ticks;
    tg_link later;
    tg_link at_free;
    tg_deadline later_due;
    pthread_mutex_t lock; /* of what follows */
    tg_task *first_task;
    tg_task **last_task;
    bool is_stopping;
};

static void set_timer(tg_loop *loop);

static void run_ticks(uv_check_t *check)
{
    tg_loop *loop = check->data;
    tg_link due;
    tg_link_init_head(&due);
    tg_link_move_all(&loop->ticks, &due);
    while (!tg_link_is_empty(&due)) {
        tg_tick *tick = TG_OBJECT_OF(due.next, tg_tick, link);
        tg_link_remove(&tick->link);
        tick->run(tick);
    }
    if (tg_link_is_empty(&loop->ticks)) {
        uv_idle_stop(&loop->idle);
    }
}

static void run_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void run_events(uv_poll_t *poll, int status, int uv_events)
{
    tg_loop *loop = poll->data;
    struct epoll_event events[EVENTS_PER_WAIT];
    (void)status;
    (void)uv_events;
    int num_events = epoll_wait(loop->epoll_fd, events, EVENTS_PER_WAIT, 0);
    for (int i = 0; i < num_events; i++) {
        tg_source *source = events[i].data.ptr;
        source->run(source, events[i].events);
    }
}

static void run_timer(uv_timer_t *timer)
{
    tg_loop *loop = timer->data;
    loop->timer_at_ms = UINT64_MAX;
    tg_wheel_run(&loop->wheel, tg_loop_now_ms(loop));
    set_timer(loop);
}

static void set_timer(tg_loop *loop)
{
    uint64_t next_ms = tg_wheel_next_ms(&loop->wheel);
    if (next_ms < loop->timer_at_ms) {
        uint64_t now_ms = tg_loop_now_ms(loop);
        uv_timer_start(&loop->timer, run_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
        loop->timer_at_ms = next_ms;
    }
}

static void run_later(tg_deadline *deadline)
{
    tg_loop *loop = TG_OBJECT_OF(deadline, tg_loop, later_due);
    if (!tg_link_is_empty(&loop->later)) {
        tg_link_move_all(&loop->later, &loop->ticks);
        uv_idle_start(&loop->idle, run_idle);
    }
}

static void run_tasks(uv_async_t *async)
{
    tg_loop *loop = async->data;
    pthread_mutex_lock(&loop->lock);
    tg_task *due = TG_TAKE(loop->first_task); /* those posted from now on run in the next turn */
    loop->last_task = &loop->first_task;
    bool is_stopping = loop->is_stopping;
    loop->is_stopping = false;
    while (due != NULL) {
        tg_task *task = due;
        due = task->next;
        task->is_posted = false;
        pthread_mutex_unlock(&loop->lock);
        task->run(task);
        pthread_mutex_lock(&loop->lock);
    }
    pthread_mutex_unlock(&loop->lock);
    if (is_stopping) {
        uv_stop(&loop->uv);
    }
}

void tg_loop_post(tg_loop *loop, tg_task *task)
{
    pthread_mutex_lock(&loop->lock);
    if (!task->is_posted) {
        task->is_posted = true;
        task->next = NULL;
        *loop->last_task = task;
        loop->last_task = &task->next;
        uv_async_send(&loop->async);
    }
    pthread_mutex_unlock(&loop->lock);
}

void tg_loop_stop(tg_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->is_stopping = true;
    uv_async_send(&loop->async);
    pthread_mutex_unlock(&loop->lock);
}

/* Lookups share libuv's pool, of which it lets them use half. Four threads, its default, would let two names whose
 * servers never answer hold up all others; idle threads cost little. */
static void size_thread_pool(void)
{
    if (getenv("UV_THREADPOOL_SIZE") == NULL) {
        setenv("UV_THREADPOOL_SIZE", "32", 0);
    }
}

tg_result tg_loop_new(tg_loop **out_loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, size_thread_pool);
    tg_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    int error = uv_loop_init(&loop->uv);
    if (error != 0) {
        free(loop);
        return tg_fail_os(-error);
    }
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    error = loop->epoll_fd < 0 ? -errno : uv_async_init(&loop->uv, &loop->async, run_tasks);
    if (error != 0) {
        tg_fd_close(&loop->epoll_fd);
        uv_loop_close(&loop->uv);
        free(loop);
        return tg_fail_os(-error);
    }
    uv_poll_init(&loop->uv, &loop->poll, loop->epoll_fd); /* this and what follows fail only for bad arguments */
    uv_poll_start(&loop->poll, UV_READABLE, run_events);
    uv_check_init(&loop->uv, &loop->check);
    uv_check_start(&loop->check, run_ticks);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->poll.data = loop->async.data = loop->check.data = loop->timer.data = loop;
    loop->timer_at_ms = UINT64_MAX;
    loop->later_due.run = run_later;
    tg_wheel_init(&loop->wheel, tg_loop_now_ms(loop));
    tg_link_init_head(&loop->ticks);
    tg_link_init_head(&loop->later);
    tg_link_init_head(&loop->at_free);
    pthread_mutex_init(&loop->lock, NULL);
    loop->last_task = &loop->first_task;
    *out_loop = loop;
    return tg_ok();
}

void tg_loop_free(tg_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (!tg_link_is_empty(&loop->at_free)) {
        tg_tick *tick = TG_OBJECT_OF(loop->at_free.prev, tg_tick, link);
        tg_link_remove(&tick->link);
        tick->run(tick);
    }
    uv_close((uv_handle_t *)&loop->poll, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    for (size_t i = 0; i < loop->num_signals; i++) {
        uv_close((uv_handle_t *)&loop->signals[i].uv, NULL);
    }
    bool is_closed = false;
    for (unsigned waited_ms = 0; !is_closed && waited_ms <= MAX_WAIT_FOR_LOOKUPS_MS; waited_ms++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        is_closed = uv_loop_close(&loop->uv) == 0;
        if (!is_closed) {
            usleep(1000);
        }
    }
    tg_fd_close(&loop->epoll_fd);
    if (is_closed) { /* else a thread of the pool will still write to it */
        pthread_mutex_destroy(&loop->lock);
        free(loop);
    }
}

void tg_loop_run(tg_loop *loop)
{
    uv_update_time(&loop->uv);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

uint64_t tg_loop_now_ms(const tg_loop *loop)
{
    return uv_now(&loop->uv);
}

struct uv_loop_s *tg_loop_uv(tg_loop *loop)
{
    return &loop->uv;
}

void tg_loop_tick(tg_loop *loop, tg_tick *tick)
{
    if (tg_link_is_linked(&tick->link)) {
        tg_link_remove(&tick->link); /* it may stand among those for later */
    }
    if (tg_link_is_empty(&loop->ticks)) {
        uv_idle_start(&loop->idle, run_idle);
    }
    tg_link_append(&loop->ticks, &tick->link);
}

void tg_loop_tick_later(tg_loop *loop, tg_tick *tick)
{
    if (!tg_link_is_linked(&tick->link)) {
        tg_link_append(&loop->later, &tick->link);
        if (!tg_deadline_is_armed(&loop->later_due)) {
            tg_deadline_arm_in(loop, &loop->later_due, TG_DEADLINE_GRAIN_MS);
        }
    }
}

void tg_loop_at_free(tg_loop *loop, tg_tick *tick)
{
    tg_link_remove(&tick->link);
    tg_link_append(&loop->at_free, &tick->link);
}

void tg_deadline_arm(tg_loop *loop, tg_deadline *deadline, uint64_t at_ms)
{
    tg_wheel_arm(&loop->wheel, deadline, at_ms);
    if (deadline->at_ms < loop->timer_at_ms) {
        set_timer(loop);
    }
}

static void run_signal(uv_signal_t *signal, int signal_number)
{
    signal_watch *watch = signal->data;
    watch->run(signal_number, watch->owner);
}

tg_result tg_loop_on_signal(tg_loop *loop, int signal_number, void (*run)(int signal_number, void *owner), void *owner)
{
    signal_watch *watch = NULL;
    for (size_t i = 0; i < loop->num_signals; i++) {
        if (loop->signals[i].uv.signum == signal_number) {
            watch = &loop->signals[i];
        }
    }
    if (watch == NULL) {
        if (loop->num_signals == MAX_SIGNALS) {
            return tg_fail(TG_ERR_LIMIT);
        }
        watch = &loop->signals[loop->num_signals];
        int error = uv_signal_init(&loop->uv, &watch->uv);
        if (error != 0) {
            return tg_fail_os(-error);
        }
        loop->num_signals++; /* it has to be closed from now on */
        watch->uv.data = watch;
    }
    watch->run = run;
    watch->owner = owner;
    int error = uv_signal_start(&watch->uv, run_signal, signal_number);
    return error == 0 ? tg_ok() : tg_fail_os(-error);
}

tg_result tg_loop_watch_fd(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source)
{
    struct epoll_event event = {.events = epoll_events | EPOLLET, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
        (errno == EEXIST && epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)) {
        return tg_ok();
    }
    return tg_fail_os(errno);
}

void tg_loop_unwatch_fd(tg_loop *loop, int fd)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
