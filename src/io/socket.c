#include "io/socket.h"

#include "sys/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Epoll reports edges; this turns them into the levels that the stream's contract promises. `may` holds what has not
 * been seen to block: watched and not blocked means that a tick is due. Two things may break the rule "blocked until
 * the next edge": a write refused for want of memory gives no edge (it is tried again later), and an owner that works
 * on the raw descriptor (splice) sees it block where we do not. So what was reported and not used through this face is
 * checked by poll(2) before it is reported again. */
typedef struct socket_stream {
    tg_stream face;
    tg_source source;
    tg_tick tick;
    tg_loop *loop;
    int fd;
    uint8_t watched;
    uint8_t may;
    uint8_t reported;      /* and not used since */
    bool is_ended : 1;     /* the peer's end or an error is known: short reads say nothing any more */
    bool is_broken : 1;    /* an error was seen, which the kernel reports once: no later read is an orderly end */
    bool is_shut : 1;      /* our own end went out */
    bool is_starved : 1;   /* a write was refused for want of memory */
    bool is_out_on : 1;    /* EPOLLOUT is asked for: from the first write that blocks on */
    bool is_short_end : 1; /* a read shorter than asked for has emptied the socket (TCP) */
    bool is_reporting : 1; /* the owner's callback runs */
    bool is_closed : 1;    /* by that callback: freed behind it */
    tg_peer peer;
} socket_stream;

enum { READ_EVENTS = EPOLLIN | EPOLLRDHUP };

static socket_stream *of_face(const tg_stream *stream)
{
    return TG_OBJECT_OF(stream, socket_stream, face);
}

static void settle(socket_stream *socket)
{
    if (socket->is_reporting) { /* run_tick settles */
        return;
    }
    if ((socket->watched & socket->may) != 0) {
        tg_loop_tick(socket->loop, &socket->tick);
    } else if (socket->is_starved && (socket->watched & TG_STREAM_WRITE) != 0) {
        tg_loop_tick_later(socket->loop, &socket->tick);
    }
}

static void run_events(tg_source *source, uint32_t epoll_events)
{
    socket_stream *socket = TG_OBJECT_OF(source, socket_stream, source);
    if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        socket->is_ended = true;
        socket->may |= TG_STREAM_READ;
    }
    if ((epoll_events & (EPOLLHUP | EPOLLERR)) != 0) {
        socket->may |= TG_STREAM_WRITE;
    }
    if ((epoll_events & EPOLLIN) != 0) {
        socket->may |= TG_STREAM_READ;
    }
    if ((epoll_events & EPOLLOUT) != 0) {
        socket->may |= TG_STREAM_WRITE;
    }
    settle(socket);
}

static void ask_for_out(socket_stream *socket)
{
    if (!socket->is_out_on) {
        socket->is_out_on = true;
        if (!tg_is_ok(tg_loop_rewatch_fd(socket->loop, socket->fd, READ_EVENTS | EPOLLOUT, &socket->source))) {
            socket->is_out_on = false;
            socket->is_starved = true; /* epoll lacks memory: looked at again later */
        }
    }
}

static void check_unused(socket_stream *socket)
{
    struct pollfd poll_fd = {.fd = socket->fd};
    if ((socket->reported & TG_STREAM_READ) != 0) {
        poll_fd.events |= POLLIN | POLLRDHUP;
    }
    if ((socket->reported & TG_STREAM_WRITE) != 0) {
        poll_fd.events |= POLLOUT;
    }
    if (poll(&poll_fd, 1, 0) < 0) {
        return;
    }
    if ((poll_fd.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) == 0) {
        socket->may &= (uint8_t) ~(socket->reported & TG_STREAM_READ);
    }
    if ((poll_fd.revents & (POLLOUT | POLLHUP | POLLERR)) == 0 && (socket->reported & TG_STREAM_WRITE) != 0) {
        socket->may &= (uint8_t)~TG_STREAM_WRITE;
        ask_for_out(socket);
    }
}

static void run_tick(tg_tick *tick)
{
    socket_stream *socket = TG_OBJECT_OF(tick, socket_stream, tick);
    if (socket->is_starved) {
        socket->is_starved = false;
        socket->may |= TG_STREAM_WRITE;
    }
    if ((socket->reported & socket->watched & socket->may) != 0) {
        check_unused(socket);
    }
    unsigned events = socket->watched & socket->may;
    if (events == 0 || socket->face.ready == NULL) {
        return;
    }
    socket->reported = (uint8_t)events;
    socket->is_reporting = true;
    socket->face.ready(&socket->face, events, socket->face.owner);
    socket->is_reporting = false;
    if (socket->is_closed) {
        free(socket);
    } else {
        settle(socket);
    }
}

static tg_result broken_by(socket_stream *socket, int error)
{
    socket->is_broken = true;
    return (tg_result){TG_ERR_CLOSED, error};
}

static tg_result socket_read(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len)
{
    socket_stream *socket = of_face(stream);
    ssize_t got = 0;
    do {
        got = recv(socket->fd, out, cap, 0);
    } while (got < 0 && errno == EINTR);
    socket->reported &= (uint8_t)~TG_STREAM_READ;
    if (got > 0) {
        if ((size_t)got < cap && socket->is_short_end && !socket->is_ended) {
            socket->may &= (uint8_t)~TG_STREAM_READ;
        }
        *out_len = (size_t)got;
        return tg_ok();
    }
    if (got == 0) {
        return tg_fail(socket->is_broken ? TG_ERR_CLOSED : TG_ERR_EOF);
    }
    if (errno == EAGAIN) {
        socket->may &= (uint8_t)~TG_STREAM_READ;
        return tg_fail(TG_ERR_AGAIN);
    }
    return broken_by(socket, errno);
}

static tg_result socket_write(tg_stream *stream, tg_slice bytes, size_t *out_len)
{
    socket_stream *socket = of_face(stream);
    ssize_t sent = 0;
    do {
        sent = send(socket->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    socket->reported &= (uint8_t)~TG_STREAM_WRITE;
    if (sent >= 0) { /* a short write may have been for want of memory, so that only AGAIN counts as blocked */
        *out_len = (size_t)sent;
        return tg_ok();
    }
    if (errno == EAGAIN) {
        socket->may &= (uint8_t)~TG_STREAM_WRITE;
        ask_for_out(socket);
    } else if (errno == ENOBUFS || errno == ENOMEM) {
        socket->may &= (uint8_t)~TG_STREAM_WRITE;
        socket->is_starved = true;
    } else {
        return broken_by(socket, errno);
    }
    settle(socket);
    return tg_fail(TG_ERR_AGAIN);
}

static tg_result socket_shutdown(tg_stream *stream)
{
    socket_stream *socket = of_face(stream);
    if (!socket->is_shut && shutdown(socket->fd, SHUT_WR) != 0) {
        return broken_by(socket, errno);
    }
    socket->is_shut = true;
    return tg_ok();
}

static void socket_watch(tg_stream *stream, unsigned events)
{
    socket_stream *socket = of_face(stream);
    socket->watched = (uint8_t)events;
    settle(socket);
}

static void socket_close(tg_stream *stream)
{
    socket_stream *socket = of_face(stream);
    tg_tick_cancel(&socket->tick);
    tg_loop_unwatch_fd(socket->loop, socket->fd);
    tg_fd_close(&socket->fd);
    if (socket->is_reporting) {
        socket->is_closed = true;
    } else {
        free(socket);
    }
}

static int socket_raw_fd(const tg_stream *stream)
{
    return of_face(stream)->fd;
}

static void socket_note(tg_stream *stream, unsigned used, unsigned blocked)
{
    socket_stream *socket = of_face(stream);
    socket->reported &= (uint8_t)~used;
    socket->may &= (uint8_t)~blocked;
    if ((blocked & TG_STREAM_WRITE) != 0) {
        ask_for_out(socket);
        settle(socket);
    }
}

static const tg_peer *socket_peer(const tg_stream *stream)
{
    return &of_face(stream)->peer;
}

static const tg_stream_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .shutdown = socket_shutdown,
    .watch = socket_watch,
    .close = socket_close,
    .raw_fd = socket_raw_fd,
    .peer = socket_peer,
    .note = socket_note,
};

static socket_stream *make(tg_loop *loop, int fd, const tg_peer *peer)
{
    socket_stream *socket = calloc(1, sizeof *socket);
    if (socket == NULL) {
        return NULL;
    }
    socket->face.ops = &socket_ops;
    socket->source.run = run_events;
    socket->tick.run = run_tick;
    socket->loop = loop;
    socket->fd = fd;
    socket->peer = *peer;
    socket->may = TG_STREAM_WRITE; /* whether it can be read, the first wait says */
    socket->is_short_end = peer->kind == TG_ADDRESS_TCP;
    return socket;
}

static tg_result give(socket_stream *socket, tg_result result, tg_stream **out_stream)
{
    if (!tg_is_ok(result)) {
        free(socket);
        return result;
    }
    *out_stream = &socket->face;
    return tg_ok();
}

void tg_socket_set_return(tg_stream *stream, uint32_t port, const uint8_t token[TG_PEER_RETURN_TOKEN_BYTES])
{
    socket_stream *socket = of_face(stream);
    socket->peer.return_port = port;
    memcpy(socket->peer.return_token, token, TG_PEER_RETURN_TOKEN_BYTES);
}

tg_result tg_socket_open(tg_loop *loop, int fd, const tg_peer *peer, tg_stream **out_stream)
{
    socket_stream *socket = make(loop, fd, peer);
    if (socket == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    return give(socket, tg_loop_watch_fd(loop, fd, READ_EVENTS, &socket->source), out_stream);
}

tg_result tg_socket_open_watched(tg_loop *loop, int fd, const tg_peer *peer, tg_stream **out_stream)
{
    socket_stream *socket = make(loop, fd, peer);
    if (socket == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    return give(socket, tg_loop_rewatch_fd(loop, fd, READ_EVENTS, &socket->source), out_stream);
}

void tg_socket_prepare_tcp(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 15}, {IPPROTO_TCP, TCP_KEEPCNT, 4},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value) != 0) {
            return; /* not TCP, or already broken: the next call on it says so */
        }
    }
}
