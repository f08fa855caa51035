#include "io/listener.h"

#include "io/socket.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    REFUSALS_PER_TURN = 32,
    ACCEPTS_AT_FINISH = 4096, /* so that those who keep coming cannot keep it from ending */
    SHORTAGE_WAIT_MS = 100,
    SHORTAGE_PATIENCE_MS = 1000, /* then what waits is refused */
    FAULT_INTERVAL_MS = 1000
};

struct tg_listener {
    tg_source source; /* level-triggered: what one loop leaves, another must find */
    tg_tick tick;
    tg_loop *loop;
    const tg_listener_calls *calls;
    void *owner;
    tg_address address;
    tg_tick finish;
    tg_deadline retry;
    int fd;
    int reserve; /* a descriptor to give up, so that a connection can be accepted in order to refuse it */
    bool is_paused;
    bool is_watched;
    bool is_accepting;       /* the owner's callback may run */
    bool is_closed;          /* by that callback: freed behind it */
    uint64_t short_since_ms; /* 0: no shortage */
    uint64_t last_fault_ms;
    uint64_t num_refused;
};

static void update_watch(tg_listener *listener)
{
    bool is_wanted = !listener->is_paused && !tg_deadline_is_armed(&listener->retry);
    if (listener->is_closed || is_wanted == listener->is_watched) {
        return;
    }
    listener->is_watched = is_wanted;
    if (!is_wanted) {
        tg_tick_cancel(&listener->tick);
        tg_loop_unwatch_fd(listener->loop, listener->fd);
    } else if (!tg_is_ok(tg_loop_watch_level(listener->loop, listener->fd, EPOLLIN, &listener->source))) {
        listener->is_watched = false; /* the kernel lacks memory: tried again */
        tg_deadline_arm_in(listener->loop, &listener->retry, SHORTAGE_WAIT_MS);
    }
}

/* Takes every waiting connection and closes it, in place of the reserve. */
static void refuse_waiting(tg_listener *listener)
{
    for (int i = 0; i < REFUSALS_PER_TURN; i++) {
        tg_fd_close(&listener->reserve);
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool is_accepted = fd >= 0;
        tg_fd_close(&fd);
        listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (!is_accepted) {
            return;
        }
        listener->num_refused++;
    }
}

static void wait_for_resources(tg_listener *listener, int error)
{
    uint64_t now_ms = tg_loop_now_ms(listener->loop);
    if (listener->short_since_ms == 0) {
        listener->short_since_ms = now_ms;
    }
    if (now_ms - listener->short_since_ms >= SHORTAGE_PATIENCE_MS) {
        refuse_waiting(listener);
    }
    tg_deadline_arm(listener->loop, &listener->retry, now_ms + SHORTAGE_WAIT_MS);
    update_watch(listener);
    if (listener->last_fault_ms == 0 || now_ms - listener->last_fault_ms >= FAULT_INTERVAL_MS) {
        uint64_t num_refused = listener->num_refused;
        listener->last_fault_ms = now_ms;
        listener->num_refused = 0;
        if (listener->calls->fault != NULL) {
            listener->calls->fault(listener, tg_fail_os(error), num_refused, listener->owner);
        }
    }
}

static tg_result make_stream(tg_listener *listener, int fd, const tg_sockaddr *from, tg_stream **out_stream)
{
    tg_peer peer;
    TG_TRY(tg_peer_of_sockaddr(from, &peer));
    if (peer.kind == TG_ADDRESS_UNIX) {
        peer.kind = listener->address.kind;
        peer.port = listener->address.port;
        peer.has_cid = listener->address.has_cid;
        peer.cid = listener->address.cid;
    }
    return tg_socket_open(listener->loop, fd, &peer, out_stream);
}

/* accept(2) also reports errors of the connection that waits, which say nothing of the next. All others, unknown ones
 * too, are taken for a state that lasts: to go on at once would spin. */
static bool is_of_connection(int error)
{
    switch (error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINTR:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EPROTO:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* Accepts one; returns the errno that ended it, 0 where another may follow. */
static int accept_one(tg_listener *listener)
{
    tg_sockaddr from = {.len = sizeof(struct sockaddr_un)};
    tg_stream *stream = NULL;
    TG_CLEANUP(tg_fd_close) int fd = accept4(listener->fd, &from.any, &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return is_of_connection(errno) ? 0 : errno;
    }
    listener->short_since_ms = 0;
    tg_result result = make_stream(listener, fd, &from, &stream);
    if (!tg_is_ok(result)) {
        listener->num_refused++;
        return result.code == TG_ERR_MEMORY ? ENOMEM : result.os_error;
    }
    tg_fd_take(&fd);
    listener->calls->accepted(listener, stream, listener->owner);
    return 0;
}

/* Takes the first that waits. Whether another does, the next turn says without a call that would be in vain most of the
 * time; where many come at once, the connections that are there are served between. */
static void accept_next(tg_listener *listener)
{
    int error = listener->is_paused || listener->is_closed ? 0 : accept_one(listener);
    if (error != 0 && error != EAGAIN) {
        wait_for_resources(listener, error);
    }
}

/* Closes everything but the listener itself, which a callback may have been called from. */
static void release(tg_listener *listener)
{
    listener->is_closed = true;
    tg_tick_cancel(&listener->tick);
    tg_tick_cancel(&listener->finish);
    tg_deadline_disarm(&listener->retry);
    tg_loop_unwatch_fd(listener->loop, listener->fd);
    tg_fd_close(&listener->fd);
    tg_fd_close(&listener->reserve);
}

static void on_readable(tg_tick *tick)
{
    tg_listener *listener = TG_OBJECT_OF(tick, tg_listener, tick);
    listener->is_accepting = true;
    accept_next(listener);
    listener->is_accepting = false;
    if (listener->is_closed) {
        free(listener);
    }
}

static void on_events(tg_source *source, uint32_t epoll_events)
{
    tg_listener *listener = TG_OBJECT_OF(source, tg_listener, source);
    (void)epoll_events;
    tg_loop_tick(listener->loop, &listener->tick);
}

static void on_retry(tg_deadline *deadline)
{
    update_watch(TG_OBJECT_OF(deadline, tg_listener, retry));
}

static void on_finish(tg_tick *tick)
{
    tg_listener *listener = TG_OBJECT_OF(tick, tg_listener, finish);
    listener->is_accepting = true;
    for (int i = 0; i < ACCEPTS_AT_FINISH && accept_one(listener) == 0; i++) {
    }
    if (!listener->is_closed && listener->calls->finished != NULL) {
        listener->calls->finished(listener, listener->owner);
    }
    if (!listener->is_closed) {
        release(listener);
    }
    free(listener);
}

tg_result tg_listener_open(tg_loop *loop, const tg_bound *bound, const tg_listener_calls *calls, void *owner,
                           tg_listener **out_listener)
{
    tg_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = tg_bound_listen(bound, &listener->fd);
    if (!tg_is_ok(result)) {
        free(listener);
        return result;
    }
    listener->loop = loop;
    listener->calls = calls;
    listener->owner = owner;
    listener->address = *tg_bound_address(bound);
    listener->source.run = on_events;
    listener->tick.run = on_readable;
    listener->finish.run = on_finish;
    listener->retry.run = on_retry;
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    update_watch(listener);
    *out_listener = listener;
    return tg_ok();
}

void tg_listener_pause(tg_listener *listener)
{
    listener->is_paused = true;
    update_watch(listener);
}

void tg_listener_resume(tg_listener *listener)
{
    listener->is_paused = false;
    update_watch(listener);
}

void tg_listener_close(tg_listener *listener)
{
    if (listener == NULL || listener->is_closed) {
        return;
    }
    release(listener);
    if (!listener->is_accepting) {
        free(listener);
    }
}

void tg_listener_finish(tg_listener *listener)
{
    listener->is_paused = true;
    update_watch(listener);
    tg_loop_tick(listener->loop, &listener->finish);
}

const tg_address *tg_listener_address(const tg_listener *listener)
{
    return &listener->address;
}
