#include "io/relay.h"

#include "base/num.h"
#include "io/peer.h"
#include "io/relay_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How far a way has come. It only moves on: OPEN > ENDING > SHUTTING > DONE; any of them > DEAD. */
enum way_state {
    OPEN,     /* read and passed on */
    ENDING,   /* the source has ended: what is held still goes out */
    BREAKING, /* the source broke: what is held still goes out, then the relay ends */
    SHUTTING, /* the target's sending side is being ended */
    DONE,
    DEAD /* the target broke */
};

enum {
    SMALL_READ_BYTES = 2048,  /* while others hold too much */
    FIRST_READ_BYTES = 16384, /* before it is known that the target takes it */
    BULK_BYTES = 65536,       /* a flow of this much goes through a pipe */
    MAX_FLOW_BYTES = 8 * BULK_BYTES,
    TURN_BYTES = 524288 /* then the next connection has its turn */
};

typedef enum step { GO_ON, WAIT } step;

static tg_stream *source_of(const tg_relay *relay, int way)
{
    return relay->streams[way];
}

static tg_stream *target_of(const tg_relay *relay, int way)
{
    return relay->streams[1 - way];
}

static void drop_held(tg_relay *relay, tg_relay_way *way)
{
    if (way->held != NULL) {
        relay->pool->num_held_bytes -= way->held_len;
        free(way->held);
        way->held = NULL;
        way->held_at = way->held_len = 0;
    }
    if (way->pipe != NULL) {
        tg_relay_pool_take_back(relay->pool, TG_TAKE(way->pipe));
    }
}

static bool hold(tg_relay *relay, tg_relay_way *way, tg_slice bytes)
{
    way->held = malloc(bytes.len);
    if (way->held == NULL) {
        return false;
    }
    memcpy(way->held, bytes.ptr, bytes.len);
    way->held_at = 0;
    way->held_len = (uint32_t)bytes.len;
    relay->pool->num_held_bytes += bytes.len;
    return true;
}

static void finish(tg_relay *relay, tg_relay_end end)
{
    relay->end = (uint8_t)end;
    tg_stream_watch(relay->streams[0], 0);
    tg_stream_watch(relay->streams[1], 0);
    tg_loop_tick(relay->pool->loop, &relay->tick);
}

static bool is_finishing(const tg_relay *relay)
{
    return relay->end != TG_NUM_RELAY_ENDS;
}

static void moved(tg_relay *relay, tg_relay_way *way, size_t len)
{
    way->num_bytes += len;
    if (way->metric != NULL) {
        tg_metric_add(way->metric, len);
    }
    if (relay->idle_ms > 0) {
        uint64_t at_ms = tg_loop_now_ms(relay->pool->loop) + relay->idle_ms;
        bool is_total_first = relay->total_at_ms > 0 && relay->total_at_ms < at_ms;
        tg_deadline_arm(relay->pool->loop, &relay->deadline, is_total_first ? relay->total_at_ms : at_ms);
    }
}

/* The target is gone: nothing more is read for it, but what it said before is still passed on. */
static step target_broke(tg_relay *relay, int index)
{
    tg_relay_way *way = &relay->ways[index];
    drop_held(relay, way);
    way->state = DEAD;
    uint8_t other = relay->ways[1 - index].state;
    if (other == DONE || other == DEAD) {
        finish(relay, index == TG_RELAY_LEFT ? TG_RELAY_RIGHT_BROKE : TG_RELAY_LEFT_BROKE);
    }
    return WAIT;
}

static void source_broke(tg_relay *relay, int index)
{
    relay->ways[index].state = BREAKING;
    drop_held(relay, &relay->ways[1 - index]);
    relay->ways[1 - index].state = DEAD;
}

/* Writes some of `bytes`; what is taken is counted. */
static tg_result pass_on(tg_relay *relay, int index, tg_slice bytes, size_t *out_len)
{
    size_t len = 0;
    tg_result result = tg_ok();
    while (len < bytes.len) {
        size_t taken;
        result = tg_stream_write(target_of(relay, index), tg_slice_from(bytes, len), &taken);
        if (!tg_is_ok(result)) {
            break;
        }
        len += taken;
    }
    if (len > 0) {
        moved(relay, &relay->ways[index], len);
    }
    *out_len = len;
    return result;
}

static step flush_held(tg_relay *relay, int index)
{
    tg_relay_way *way = &relay->ways[index];
    size_t len;
    tg_slice left = tg_slice_of(way->held + way->held_at, way->held_len - way->held_at);
    tg_result result = pass_on(relay, index, left, &len);
    way->held_at += (uint32_t)len;
    if (result.code == TG_ERR_AGAIN) {
        return WAIT;
    }
    if (!tg_is_ok(result)) {
        return target_broke(relay, index);
    }
    relay->pool->num_held_bytes -= way->held_len;
    free(way->held);
    way->held = NULL;
    way->held_at = way->held_len = 0;
    return GO_ON;
}

static step flush_pipe(tg_relay *relay, int index)
{
    tg_relay_way *way = &relay->ways[index];
    int fd = tg_stream_raw_fd(target_of(relay, index));
    while (way->pipe->len > 0) {
        ssize_t len = splice(way->pipe->read_fd, NULL, fd, NULL, way->pipe->len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (len > 0) {
            way->pipe->len -= (size_t)len;
            moved(relay, way, (size_t)len);
            tg_stream_note(target_of(relay, index), TG_STREAM_WRITE, 0);
        } else if (len < 0 && errno == EAGAIN) {
            tg_stream_note(target_of(relay, index), TG_STREAM_WRITE, TG_STREAM_WRITE);
            return WAIT;
        } else if (len < 0 && (errno == ENOBUFS || errno == ENOMEM)) {
            return WAIT;
        } else if (len == 0 || errno != EINTR) {
            return target_broke(relay, index);
        }
    }
    return GO_ON;
}

static step source_ended(tg_relay *relay, int index, tg_result result)
{
    if (result.code == TG_ERR_EOF) {
        relay->ways[index].state = ENDING;
    } else {
        source_broke(relay, index);
    }
    return GO_ON;
}

/* What the source gives between two dry moments, on average, as each of them halves it. */
static void note_flow(tg_relay_way *way, size_t len)
{
    size_t flow = way->flow + len;
    way->flow = (uint32_t)tg_size_min(flow, MAX_FLOW_BYTES);
}

static step fill_by_buffer(tg_relay *relay, int index, size_t *budget)
{
    tg_relay_way *way = &relay->ways[index];
    tg_relay_pool *pool = relay->pool;
    size_t cap = way->flow >= FIRST_READ_BYTES ? TG_RELAY_BUFFER_BYTES : FIRST_READ_BYTES;
    size_t got, len;
    if (pool->num_held_bytes > pool->options.max_held_bytes) {
        cap = SMALL_READ_BYTES;
    }
    tg_result result = tg_stream_read(source_of(relay, index), pool->buffer, cap, &got);
    if (result.code == TG_ERR_AGAIN) {
        way->flow /= 2;
        return WAIT;
    }
    if (!tg_is_ok(result)) {
        return source_ended(relay, index, result);
    }
    note_flow(way, got);
    *budget -= tg_size_min(got, *budget);
    result = pass_on(relay, index, tg_slice_of(pool->buffer, got), &len);
    if (result.code == TG_ERR_AGAIN) {
        if (!hold(relay, way, tg_slice_of(pool->buffer + len, got - len))) {
            finish(relay, TG_RELAY_NO_MEMORY);
        }
        return WAIT;
    }
    return tg_is_ok(result) ? GO_ON : target_broke(relay, index);
}

static bool wants_pipe(const tg_relay *relay, int index)
{
    return relay->ways[index].flow >= BULK_BYTES && relay->pool->options.max_pipes > 0 &&
           tg_stream_raw_fd(relay->streams[0]) >= 0 && tg_stream_raw_fd(relay->streams[1]) >= 0;
}

static step fill(tg_relay *relay, int index, size_t *budget)
{
    tg_relay_way *way = &relay->ways[index];
    if (way->pipe == NULL && wants_pipe(relay, index)) {
        way->pipe = tg_relay_pool_lend(relay->pool);
    }
    if (way->pipe == NULL) {
        return fill_by_buffer(relay, index, budget);
    }
    int fd = tg_stream_raw_fd(source_of(relay, index));
    ssize_t len = splice(fd, NULL, way->pipe->write_fd, NULL, TG_RELAY_PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (len <= 0) {
        bool is_dry = len < 0 && errno == EAGAIN; /* the pipe has room: it is empty */
        tg_relay_pool_take_back(relay->pool, TG_TAKE(way->pipe));
        if (!is_dry) { /* ended, broken or not to be spliced: the stream itself says which */
            return fill_by_buffer(relay, index, budget);
        }
        way->flow /= 2;
        tg_stream_note(source_of(relay, index), TG_STREAM_READ, TG_STREAM_READ);
        return WAIT;
    }
    tg_stream_note(source_of(relay, index), TG_STREAM_READ, 0);
    note_flow(way, (size_t)len);
    way->pipe->len += (size_t)len;
    *budget -= tg_size_min((size_t)len, *budget);
    return GO_ON;
}

static step end_target(tg_relay *relay, int index)
{
    tg_relay_way *way = &relay->ways[index];
    drop_held(relay, way); /* an empty pipe at most */
    if (way->state == BREAKING) {
        finish(relay, index == TG_RELAY_LEFT ? TG_RELAY_LEFT_BROKE : TG_RELAY_RIGHT_BROKE);
        return WAIT;
    }
    uint8_t other = relay->ways[1 - index].state;
    if (other == DONE && tg_stream_raw_fd(target_of(relay, index)) >= 0) {
        way->state = DONE; /* a socket's close says the same */
        finish(relay, TG_RELAY_ENDED);
        return WAIT;
    }
    way->state = SHUTTING;
    tg_result result = tg_stream_shutdown(target_of(relay, index));
    if (result.code == TG_ERR_AGAIN) {
        return WAIT;
    }
    if (!tg_is_ok(result)) {
        return target_broke(relay, index);
    }
    way->state = DONE;
    if (other == DONE) {
        finish(relay, TG_RELAY_ENDED);
    } else if (other == DEAD) { /* this way's source was the other's broken target */
        finish(relay, index == TG_RELAY_LEFT ? TG_RELAY_LEFT_BROKE : TG_RELAY_RIGHT_BROKE);
    }
    return WAIT;
}

/* Moves what can be moved one way; at most about `budget` bytes are taken from the source. */
static void pump(tg_relay *relay, int index, size_t budget)
{
    tg_relay_way *way = &relay->ways[index];
    while (way->state != DONE && way->state != DEAD) {
        if (way->held != NULL && flush_held(relay, index) == WAIT) {
            return;
        }
        if (way->pipe != NULL && flush_pipe(relay, index) == WAIT) {
            return;
        }
        if (way->state != OPEN) {
            if (end_target(relay, index) == WAIT) {
                return;
            }
        } else if (budget == 0 || fill(relay, index, &budget) == WAIT) {
            return;
        }
    }
}

static bool is_blocked(const tg_relay_way *way)
{
    return way->held != NULL || (way->pipe != NULL && way->pipe->len > 0) || way->state == SHUTTING;
}

static void watch(const tg_relay *relay)
{
    for (int side = 0; side < 2; side++) {
        const tg_relay_way *from = &relay->ways[side], *to = &relay->ways[1 - side];
        unsigned events = from->state == OPEN && !is_blocked(from) ? TG_STREAM_READ : 0;
        events |= to->state != DONE && to->state != DEAD && is_blocked(to) ? TG_STREAM_WRITE : 0;
        tg_stream_watch(relay->streams[side], events);
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    tg_relay *relay = owner;
    int side = stream == relay->streams[TG_RELAY_LEFT] ? TG_RELAY_LEFT : TG_RELAY_RIGHT;
    if ((events & TG_STREAM_WRITE) != 0) {
        pump(relay, 1 - side, TURN_BYTES);
    }
    if ((events & TG_STREAM_READ) != 0 && !is_finishing(relay)) {
        pump(relay, side, TURN_BYTES);
    }
    if (!is_finishing(relay)) {
        watch(relay);
    }
}

static void on_deadline(tg_deadline *deadline)
{
    tg_relay *relay = TG_OBJECT_OF(deadline, tg_relay, deadline);
    if (!is_finishing(relay)) {
        bool is_total = relay->total_at_ms > 0 && tg_loop_now_ms(relay->pool->loop) >= relay->total_at_ms;
        finish(relay, is_total ? TG_RELAY_TOO_LONG : TG_RELAY_IDLE);
    }
}

static void release(tg_relay *relay)
{
    tg_tick_cancel(&relay->tick);
    tg_deadline_disarm(&relay->deadline);
    drop_held(relay, &relay->ways[0]);
    drop_held(relay, &relay->ways[1]);
}

static void on_tick(tg_tick *tick)
{
    tg_relay *relay = TG_OBJECT_OF(tick, tg_relay, tick);
    if (!is_finishing(relay)) { /* the first turn: the prefix goes out, more is read when there is more */
        pump(relay, TG_RELAY_LEFT, 0);
        if (!is_finishing(relay)) {
            watch(relay);
        }
        return;
    }
    release(relay);
    for (int side = 0; side < 2; side++) {
        tg_stream *stream = TG_TAKE(relay->streams[side]);
        if (relay->ways[1 - side].state == DONE) { /* it was told the end, and nothing is missing */
            tg_stream_close(stream);
        } else {
            tg_stream_abort(stream);
        }
    }
    relay->ended(relay, (tg_relay_end)relay->end);
}

tg_result tg_relay_start(tg_relay *relay, tg_relay_pool *pool, tg_stream *left, tg_stream *right, tg_slice prefix,
                         const tg_relay_options *options, tg_relay_ended_fn *ended)
{
    *relay = (tg_relay){.pool = pool, .streams = {left, right}, .ended = ended, .end = TG_NUM_RELAY_ENDS};
    if (prefix.len > UINT32_MAX || (prefix.len > 0 && !hold(relay, &relay->ways[TG_RELAY_LEFT], prefix))) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint64_t now_ms = tg_loop_now_ms(pool->loop);
    relay->ways[0].metric = options->byte_counters[0];
    relay->ways[1].metric = options->byte_counters[1];
    relay->idle_ms = (uint32_t)tg_size_min(options->idle_ms, UINT32_MAX);
    relay->total_at_ms = options->total_ms > 0 ? now_ms + options->total_ms : 0;
    relay->deadline.run = on_deadline;
    relay->tick.run = on_tick;
    uint64_t at_ms = relay->idle_ms > 0 ? now_ms + relay->idle_ms : relay->total_at_ms;
    if (at_ms > 0) {
        bool is_total_first = relay->total_at_ms > 0 && relay->total_at_ms < at_ms;
        tg_deadline_arm(pool->loop, &relay->deadline, is_total_first ? relay->total_at_ms : at_ms);
    }
    tg_stream_own(left, on_ready, relay);
    tg_stream_own(right, on_ready, relay);
    tg_loop_tick(pool->loop, &relay->tick);
    return tg_ok();
}

void tg_relay_stop(tg_relay *relay)
{
    release(relay);
    tg_stream_close(TG_TAKE(relay->streams[0]));
    tg_stream_close(TG_TAKE(relay->streams[1]));
}

const char *tg_relay_end_name(tg_relay_end end)
{
    static const char *const names[TG_NUM_RELAY_ENDS] = {
        [TG_RELAY_ENDED] = "ended", [TG_RELAY_LEFT_BROKE] = "left_broke", [TG_RELAY_RIGHT_BROKE] = "right_broke",
        [TG_RELAY_IDLE] = "idle",   [TG_RELAY_TOO_LONG] = "too_long",     [TG_RELAY_NO_MEMORY] = "no_memory",
    };
    return (unsigned)end < TG_NUM_RELAY_ENDS ? names[end] : "unknown";
}

void tg_stream_abort(tg_stream *stream)
{
    int fd = stream != NULL ? tg_stream_raw_fd(stream) : -1;
    int num_unsent = 1;
    if (fd >= 0 && tg_stream_peer(stream)->kind == TG_ADDRESS_TCP && ioctl(fd, SIOCOUTQ, &num_unsent) == 0 &&
        num_unsent == 0) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* without it, an orderly end is seen */
    }
    tg_stream_close(stream);
}
