#include "io/dial.h"

#include "io/hvsock.h"
#include "io/peer.h"
#include "io/socket.h"
#include "sys/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>

/* One address being connected to. */
typedef struct attempt {
    tg_source source;
    tg_tick tick;
    tg_dial *dial;
    tg_sockaddr address;
    int fd; /* -1 while not tried, or given up */
    uint32_t events;
    bool is_connecting;
} attempt;

struct tg_dial {
    tg_loop *loop;
    tg_address address;
    tg_dial_options options;
    tg_dial_done_fn *done;
    void *owner;
    tg_lookup *lookup; /* while it runs */
    tg_tick begin;
    tg_deadline deadline;
    tg_deadline stagger;
    tg_dial_outcome outcome;
    size_t next; /* attempt to begin */
    size_t num_attempts;
    size_t num_running;
    attempt *winner; /* the hvsock handshake is spoken on it */
    attempt attempts[TG_MAX_DIAL_ADDRESSES];
};

static void launch(tg_dial *dial);

const char *tg_dial_stage_name(tg_dial_stage stage)
{
    static const char *const names[] = {
        [TG_DIAL_RESOLVE] = "resolve",     [TG_DIAL_FILTER] = "filter", [TG_DIAL_CONNECT] = "connect",
        [TG_DIAL_HANDSHAKE] = "handshake", [TG_DIAL_DONE] = "done",
    };
    return (unsigned)stage < TG_COUNT(names) ? names[stage] : "unknown";
}

static void drop(attempt *each)
{
    tg_tick_cancel(&each->tick);
    if (each->fd >= 0) {
        tg_loop_unwatch_fd(each->dial->loop, each->fd);
        tg_fd_close(&each->fd);
        each->dial->num_running--;
    }
}

void tg_dial_cancel(tg_dial *dial)
{
    if (dial == NULL) {
        return;
    }
    tg_lookup_cancel(dial->lookup);
    tg_tick_cancel(&dial->begin);
    tg_deadline_disarm(&dial->deadline);
    tg_deadline_disarm(&dial->stagger);
    for (size_t i = 0; i < dial->num_attempts; i++) {
        drop(&dial->attempts[i]);
    }
    free(dial);
}

static void end(tg_dial *dial, tg_stream *stream, tg_result result)
{
    tg_dial_done_fn *done = dial->done;
    void *owner = dial->owner;
    tg_dial_outcome outcome = dial->outcome;
    outcome.result = result;
    tg_dial_cancel(dial);
    done(stream, &outcome, owner);
}

static void on_deadline(tg_deadline *deadline)
{
    tg_dial *dial = TG_OBJECT_OF(deadline, tg_dial, deadline);
    end(dial, NULL, tg_fail(TG_ERR_TIMEOUT));
}

static void on_stagger(tg_deadline *deadline)
{
    launch(TG_OBJECT_OF(deadline, tg_dial, stagger));
}

static void note_failure(attempt *each, tg_result result)
{
    tg_dial *dial = each->dial;
    dial->outcome.num_failed++;
    dial->outcome.address = each->address;
    dial->outcome.result = result;
    drop(each);
}

static void win(attempt *each)
{
    tg_dial *dial = each->dial;
    tg_peer peer;
    tg_stream *stream = NULL;
    tg_result result = tg_peer_of_sockaddr(&each->address, &peer);
    if (tg_is_ok(result)) {
        if (peer.kind == TG_ADDRESS_UNIX) {
            peer.kind = dial->address.kind;
            peer.port = dial->address.port;
            peer.has_cid = dial->address.has_cid;
            peer.cid = dial->address.cid;
        }
        result = tg_socket_open_watched(dial->loop, each->fd, &peer, &stream);
    }
    dial->outcome.address = each->address;
    if (tg_is_ok(result)) {
        tg_fd_take(&each->fd); /* the stream's now */
        dial->num_running--;
        dial->outcome.stage = TG_DIAL_DONE;
    }
    end(dial, stream, result);
}

static void refuse_answer(tg_dial *dial, tg_result result)
{
    dial->outcome.reason = result.code == TG_ERR_CLOSED ? "closed before it said OK" : "it did not say OK";
    end(dial, NULL, result);
}

/* Looks at what has come and takes the answer's line alone: the bytes behind it are the guest's. */
static void read_answer(tg_dial *dial)
{
    uint8_t bytes[TG_MAX_HVSOCK_ANSWER_BYTES];
    size_t answer_len = 0;
    ssize_t got = recv(dial->winner->fd, bytes, sizeof bytes, MSG_PEEK);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        refuse_answer(dial, (tg_result){TG_ERR_CLOSED, got < 0 ? errno : 0});
        return;
    }
    tg_result result = tg_hvsock_parse_answer(tg_slice_of(bytes, (size_t)got), &answer_len);
    if (result.code == TG_ERR_AGAIN) {
        return;
    }
    if (!tg_is_ok(result)) {
        refuse_answer(dial, result);
    } else if (recv(dial->winner->fd, bytes, answer_len, 0) != (ssize_t)answer_len) {
        refuse_answer(dial, tg_fail(TG_ERR_CLOSED));
    } else {
        win(dial->winner);
    }
}

static void begin_handshake(attempt *each)
{
    tg_dial *dial = each->dial;
    char request[TG_HVSOCK_REQUEST_BYTES];
    size_t len = tg_hvsock_format_request(dial->address.port, request);
    dial->winner = each;
    dial->outcome.stage = TG_DIAL_HANDSHAKE;
    dial->outcome.address = each->address;
    if (send(each->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) { /* an empty socket has room for it */
        refuse_answer(dial, (tg_result){TG_ERR_CLOSED, errno});
        return;
    }
    tg_result result = tg_loop_watch_fd(dial->loop, each->fd, EPOLLIN | EPOLLRDHUP, &each->source);
    if (!tg_is_ok(result)) {
        end(dial, NULL, result);
    }
}

static void on_connected(attempt *each)
{
    if (each->dial->address.kind == TG_ADDRESS_HVSOCK) {
        begin_handshake(each);
    } else {
        win(each);
    }
}

static void on_events(tg_source *source, uint32_t epoll_events)
{
    attempt *each = TG_OBJECT_OF(source, attempt, source);
    each->events = epoll_events;
    tg_loop_tick(each->dial->loop, &each->tick);
}

/* Begins to connect; TG_ERR_AGAIN where it goes on in the background. */
static tg_result try_connect(attempt *each)
{
    tg_dial *dial = each->dial;
    if (connect(each->fd, &each->address.any, each->address.len) == 0) {
        return tg_ok();
    }
    if (errno == EAGAIN && each->address.any.sa_family == AF_UNIX) { /* its queue is full, and nothing tells of room */
        tg_loop_tick_later(dial->loop, &each->tick);
        return tg_fail(TG_ERR_AGAIN);
    }
    if (errno != EINPROGRESS) {
        return tg_fail_os(errno);
    }
    each->is_connecting = true;
    TG_TRY(tg_loop_watch_fd(dial->loop, each->fd, EPOLLOUT, &each->source));
    return tg_fail(TG_ERR_AGAIN);
}

static tg_result open_attempt(attempt *each)
{
    int family = each->address.any.sa_family;
    each->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (each->fd < 0) {
        return tg_fail_os(errno);
    }
    each->dial->num_running++;
    if (family == AF_VSOCK) { /* the kernel's own limit is 2 s */
        uint64_t timeout_ms = each->dial->options.timeout_ms;
        struct timeval timeout = {.tv_sec = (time_t)(timeout_ms / 1000 + 1)};
        if (setsockopt(each->fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout, sizeof timeout) != 0) {
            return tg_fail_os(errno);
        }
    } else if (family != AF_UNIX) {
        tg_socket_prepare_tcp(each->fd);
    }
    return try_connect(each);
}

/* What became of a connection begun in the background. Readiness without a peer or an error is not yet an answer. */
static tg_result check_connected(const attempt *each)
{
    int family = each->address.any.sa_family;
    if ((family == AF_INET || family == AF_INET6) && each->events == EPOLLOUT) {
        return tg_ok(); /* TCP says so once it is connected, and not before */
    }
    int error = 0;
    socklen_t error_len = sizeof error;
    tg_sockaddr peer = {.len = sizeof(struct sockaddr_un)};
    if (getsockopt(each->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0) {
        error = errno;
    }
    if (error != 0) {
        return tg_fail_os(error);
    }
    if (getpeername(each->fd, &peer.any, &peer.len) != 0) {
        return errno == ENOTCONN ? tg_fail(TG_ERR_AGAIN) : tg_fail_os(errno);
    }
    return tg_ok();
}

/* One attempt goes on: it is connected, has failed, or may be tried again. */
static void on_attempt(tg_tick *tick)
{
    attempt *each = TG_OBJECT_OF(tick, attempt, tick);
    tg_dial *dial = each->dial;
    if (each == dial->winner) {
        read_answer(dial);
        return;
    }
    tg_result result = each->is_connecting ? check_connected(each) : try_connect(each);
    if (tg_is_ok(result)) {
        on_connected(each);
    } else if (result.code != TG_ERR_AGAIN) {
        note_failure(each, result);
        launch(dial);
    }
}

/* Begins the next attempt; those that fail at once make room for the one behind. */
static void launch(tg_dial *dial)
{
    if (dial->winner != NULL) {
        return;
    }
    tg_deadline_disarm(&dial->stagger);
    while (dial->next < dial->num_attempts) {
        attempt *each = &dial->attempts[dial->next++];
        dial->outcome.address = each->address;
        tg_result result = open_attempt(each);
        if (tg_is_ok(result)) {
            on_connected(each);
            return;
        }
        if (result.code == TG_ERR_AGAIN) {
            if (dial->next < dial->num_attempts) {
                tg_deadline_arm_in(dial->loop, &dial->stagger, TG_DIAL_STAGGER_MS);
            }
            return;
        }
        note_failure(each, result);
    }
    if (dial->num_running == 0) {
        end(dial, NULL, dial->outcome.result);
    }
}

static void connect_to(tg_dial *dial, const tg_sockaddr *addresses, size_t num_addresses)
{
    dial->outcome.num_found = (unsigned)num_addresses;
    for (size_t i = 0; i < num_addresses; i++) {
        dial->outcome.address = addresses[i];
        if (dial->options.filter != NULL && !dial->options.filter(&addresses[i], dial->owner)) {
            dial->outcome.num_denied++;
            continue;
        }
        attempt *each = &dial->attempts[dial->num_attempts++];
        each->dial = dial;
        each->fd = -1;
        each->address = addresses[i];
        each->source.run = on_events;
        each->tick.run = on_attempt;
    }
    if (dial->num_attempts == 0) {
        dial->outcome.stage = TG_DIAL_FILTER;
        end(dial, NULL, tg_fail(TG_ERR_DENIED));
        return;
    }
    dial->outcome.stage = TG_DIAL_CONNECT;
    launch(dial);
}

static void on_lookup(tg_result result, const tg_sockaddr *addresses, size_t num_addresses, const char *reason,
                      void *owner)
{
    tg_dial *dial = owner;
    dial->lookup = NULL;
    dial->outcome.reason = reason;
    if (tg_is_ok(result)) {
        connect_to(dial, addresses, num_addresses);
    } else {
        end(dial, NULL, result);
    }
}

static void on_begin(tg_tick *tick)
{
    tg_dial *dial = TG_OBJECT_OF(tick, tg_dial, begin);
    tg_sockaddr address;
    tg_result result = tg_address_to_sockaddr(&dial->address, false, &address);
    if (tg_is_ok(result)) {
        connect_to(dial, &address, 1);
    } else {
        end(dial, NULL, result);
    }
}

static bool can_be_dialled(const tg_address *address)
{
    switch (address->kind) {
    case TG_ADDRESS_TCP:
        return address->port > 0;
    case TG_ADDRESS_VSOCK:
        return address->port != TG_VSOCK_PORT_ANY && address->cid != VMADDR_CID_ANY;
    case TG_ADDRESS_HVSOCK:
        return address->port != TG_VSOCK_PORT_ANY;
    case TG_ADDRESS_UNIX:
        return true;
    }
    return false;
}

tg_result tg_dial_start(tg_loop *loop, const tg_address *address, const tg_dial_options *options, tg_dial_done_fn *done,
                        void *owner, tg_dial **out_dial)
{
    if (!can_be_dialled(address)) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    dial->loop = loop;
    dial->address = *address;
    dial->options = *options;
    dial->done = done;
    dial->owner = owner;
    dial->begin.run = on_begin;
    dial->deadline.run = on_deadline;
    dial->stagger.run = on_stagger;
    dial->outcome.reason = "";
    dial->outcome.stage = TG_DIAL_RESOLVE;
    if (address->kind == TG_ADDRESS_TCP && !address->is_numeric) {
        tg_result result =
            tg_lookup_start(loop, address, TG_MAX_DIAL_ADDRESSES, dial->options.lane, on_lookup, dial, &dial->lookup);
        if (!tg_is_ok(result)) {
            free(dial);
            return result;
        }
    } else {
        tg_loop_tick(loop, &dial->begin);
    }
    tg_deadline_arm_in(loop, &dial->deadline, options->timeout_ms);
    *out_dial = dial;
    return tg_ok();
}
