#include "io/loop.h"

#include "io/wheel.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_SIGNALS = 8, EVENTS_PER_WAIT = 256, MAX_WAIT_FOR_LOOKUPS_MS = 2000 };

typedef struct signal_watch {
    uv_signal_t uv;
    void (*run)(int signal_number, void *owner);
    void *owner;
} signal_watch;

/* The loop is an epoll of our own, so that a descriptor costs one epoll_ctl in its life, a turn one epoll_wait, and a
 * watch no more memory than its source. libuv, which does signals and name lookups, is one more descriptor in it and is
 * run only when it has something to do. */
struct tg_loop {
    uv_loop_t uv;
    tg_source uv_source;
    bool is_woken;
    bool is_uv_due; /* its descriptor is ready, or something was begun that it has not seen */
    int epoll_fd;
    int wake_fd; /* an eventfd: tasks were posted, or the loop is to stop */
    tg_source wake_source;
    signal_watch signals[MAX_SIGNALS];
    size_t num_signals;
    uint64_t now_ms;
    uint64_t next_ms; /* not later than the wheel's next deadline, UINT64_MAX for none */
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

static void run_ticks(tg_loop *loop)
{
    tg_link due;
    tg_link_init_head(&due);
    tg_link_move_all(&loop->ticks, &due);
    while (!tg_link_is_empty(&due)) {
        tg_tick *tick = TG_OBJECT_OF(due.next, tg_tick, link);
        tg_link_remove(&tick->link);
        tick->run(tick);
    }
}

static void run_events(tg_loop *loop, int wait_ms)
{
    TG_UNINITIALIZED struct epoll_event events[EVENTS_PER_WAIT];
    int num_events = epoll_wait(loop->epoll_fd, events, EVENTS_PER_WAIT, wait_ms);
    loop->now_ms = tg_clock_monotonic_ms();
    for (int i = 0; i < num_events; i++) {
        tg_source *source = events[i].data.ptr;
        source->run(source, events[i].events);
    }
}

static void run_deadlines(tg_loop *loop)
{
    if (loop->now_ms >= loop->next_ms) {
        tg_wheel_run(&loop->wheel, loop->now_ms);
        loop->next_ms = tg_wheel_next_ms(&loop->wheel);
    }
}

static void run_uv(tg_loop *loop)
{
    if (loop->is_uv_due) {
        loop->is_uv_due = false;
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
}

static void on_uv(tg_source *source, uint32_t epoll_events)
{
    (void)epoll_events;
    TG_OBJECT_OF(source, tg_loop, uv_source)->is_uv_due = true;
}

static void on_wake(tg_source *source, uint32_t epoll_events)
{
    tg_loop *loop = TG_OBJECT_OF(source, tg_loop, wake_source);
    uint64_t count;
    (void)epoll_events;
    (void)!read(loop->wake_fd, &count, sizeof count);
    loop->is_woken = true;
}

static void wake(const tg_loop *loop)
{
    const uint64_t one = 1;
    (void)!write(loop->wake_fd, &one, sizeof one); /* fails only where the loop is to be woken 2^64 times already */
}

static void run_later(tg_deadline *deadline)
{
    tg_loop *loop = TG_OBJECT_OF(deadline, tg_loop, later_due);
    if (!tg_link_is_empty(&loop->later)) {
        tg_link_move_all(&loop->later, &loop->ticks);
    }
}

/* True where the loop is to stop at the end of this turn. */
static bool run_tasks(tg_loop *loop)
{
    loop->is_woken = false;
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
    return is_stopping;
}

void tg_loop_post(tg_loop *loop, tg_task *task)
{
    pthread_mutex_lock(&loop->lock);
    if (!task->is_posted) {
        task->is_posted = true;
        task->next = NULL;
        *loop->last_task = task;
        loop->last_task = &task->next;
        wake(loop);
    }
    pthread_mutex_unlock(&loop->lock);
}

void tg_loop_stop(tg_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->is_stopping = true;
    wake(loop);
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

static tg_result watch_own(tg_loop *loop)
{
    loop->uv_source.run = on_uv;
    loop->wake_source.run = on_wake;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        return tg_fail_os(errno);
    }
    TG_TRY(tg_loop_watch_level(loop, loop->wake_fd, EPOLLIN, &loop->wake_source));
    return tg_loop_watch_level(loop, uv_backend_fd(&loop->uv), EPOLLIN, &loop->uv_source);
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
    loop->wake_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tg_result result = loop->epoll_fd >= 0 ? watch_own(loop) : tg_fail_os(errno);
    if (!tg_is_ok(result)) {
        tg_fd_close(&loop->epoll_fd);
        tg_fd_close(&loop->wake_fd);
        uv_loop_close(&loop->uv);
        free(loop);
        return result;
    }
    loop->now_ms = tg_clock_monotonic_ms();
    loop->next_ms = UINT64_MAX;
    loop->later_due.run = run_later;
    tg_wheel_init(&loop->wheel, loop->now_ms);
    tg_link_init_head(&loop->ticks);
    tg_link_init_head(&loop->later);
    tg_link_init_head(&loop->at_free);
    pthread_mutex_init(&loop->lock, NULL);
    loop->last_task = &loop->first_task;
    *out_loop = loop;
    return tg_ok();
}

static void set_blocked(int signal_number, bool is_blocked)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
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
    for (size_t i = 0; i < loop->num_signals; i++) {
        set_blocked(loop->signals[i].uv.signum, true); /* or it would end the process on its last steps */
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
    tg_fd_close(&loop->wake_fd);
    if (is_closed) { /* else a thread of the pool will still write to it */
        pthread_mutex_destroy(&loop->lock);
        free(loop);
    }
}

static int wait_ms(const tg_loop *loop)
{
    if (!tg_link_is_empty(&loop->ticks) || loop->is_uv_due) {
        return 0;
    }
    if (loop->next_ms == UINT64_MAX) {
        return -1;
    }
    uint64_t in_ms = loop->next_ms > loop->now_ms ? loop->next_ms - loop->now_ms : 0;
    return in_ms < INT_MAX ? (int)in_ms : INT_MAX;
}

/* True where the loop is to stop. Deadlines come last: of what had arrived before its time was over, nothing is late
 * because the process, or the machine, stood still. */
static bool turn(tg_loop *loop, int for_ms)
{
    run_events(loop, for_ms);
    bool is_over = loop->is_woken && run_tasks(loop);
    run_uv(loop);
    run_ticks(loop);
    run_deadlines(loop);
    return is_over;
}

void tg_loop_run(tg_loop *loop)
{
    loop->now_ms = tg_clock_monotonic_ms();
    while (!turn(loop, wait_ms(loop))) {
        run_ticks(loop); /* many a tick only hands over to the next: once more before the descriptors are asked */
    }
}

void tg_loop_turn(tg_loop *loop)
{
    (void)turn(loop, 0);
}

uint64_t tg_loop_now_ms(const tg_loop *loop)
{
    return loop->now_ms;
}

struct uv_loop_s *tg_loop_uv_begin(tg_loop *loop)
{
    loop->is_uv_due = true;
    return &loop->uv;
}

void tg_loop_tick(tg_loop *loop, tg_tick *tick)
{
    if (tg_link_is_linked(&tick->link)) {
        tg_link_remove(&tick->link); /* it may stand among those for later */
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
    if (deadline->at_ms < loop->next_ms) {
        loop->next_ms = tg_wheel_next_ms(&loop->wheel);
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
    loop->is_uv_due = true;
    int error = uv_signal_start(&watch->uv, run_signal, signal_number);
    if (error != 0) {
        return tg_fail_os(-error);
    }
    set_blocked(signal_number, false);
    return tg_ok();
}

/* Which of the two operations is right, the first one's error says; the caller knows which is likely. */
static tg_result control(const tg_loop *loop, int likely, int other, int fd, uint32_t epoll_events, tg_source *source)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, likely, fd, &event) == 0 ||
        ((errno == EEXIST || errno == ENOENT) && epoll_ctl(loop->epoll_fd, other, fd, &event) == 0)) {
        return tg_ok();
    }
    return tg_fail_os(errno);
}

tg_result tg_loop_watch_fd(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source)
{
    return control(loop, EPOLL_CTL_ADD, EPOLL_CTL_MOD, fd, epoll_events | EPOLLET, source);
}

tg_result tg_loop_rewatch_fd(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source)
{
    return control(loop, EPOLL_CTL_MOD, EPOLL_CTL_ADD, fd, epoll_events | EPOLLET, source);
}

tg_result tg_loop_watch_level(tg_loop *loop, int fd, uint32_t epoll_events, tg_source *source)
{
    return control(loop, EPOLL_CTL_ADD, EPOLL_CTL_MOD, fd, epoll_events, source);
}

void tg_loop_unwatch_fd(tg_loop *loop, int fd)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
