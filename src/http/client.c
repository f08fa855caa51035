#include "http/client_engine.h"

#include "base/num.h"

#include <stdlib.h>

enum { MIN_BLOCK_BYTES = 16384 };

void tg_http_client_limits_default(tg_http_client_limits *limits)
{
    *limits = (tg_http_client_limits){
        .num_connections = 16,
        .num_kept = 8,
        .num_waiting = 1024,
        .keep_ms = 15000,
        .max_age_ms = 600000,
        .head_bytes = 16384,
        .num_fields = 64,
        .num_interim = 8,
        .body_bytes = 1 << 20,
        .ask_body_bytes = 1 << 20,
        .queue_bytes = 65536,
        .deadlines = {.send_ms = 10000, .head_ms = 30000, .body_ms = 10000, .whole_ms = 60000},
    };
}

const char *tg_http_stage_name(tg_http_stage stage)
{
    static const char *const names[TG_HTTP_NUM_STAGES] = {
        [TG_HTTP_STAGE_QUEUE] = "queue",         [TG_HTTP_STAGE_DIAL] = "dial", [TG_HTTP_STAGE_EGRESS] = "egress",
        [TG_HTTP_STAGE_HANDSHAKE] = "handshake", [TG_HTTP_STAGE_SEND] = "send", [TG_HTTP_STAGE_HEAD] = "head",
        [TG_HTTP_STAGE_BODY] = "body",           [TG_HTTP_STAGE_DONE] = "done",
    };
    return (unsigned)stage < TG_COUNT(names) ? names[stage] : "unknown";
}

/* Lines */

/* Nothing may come on a kept connection: neither its end nor what nobody asked for. */
static bool is_quiet(tg_http_line *line)
{
    uint8_t byte;
    size_t len;
    tg_result result = tg_stream_read(line->stream, &byte, 1, &len);
    line->is_broken = result.code == TG_ERR_CLOSED;
    return result.code == TG_ERR_AGAIN;
}

static bool find_room(tg_http_line *line)
{
    if (line->block == NULL) {
        line->block = tg_http_block_take(&line->client->blocks);
        line->at = 0;
    } else if (line->at > 0 && tg_http_block_room(line->block) == 0) {
        tg_http_block_move_down(line->block, line->at);
        line->at = 0;
    }
    line->is_broken = line->is_broken || line->block == NULL;
    return line->block != NULL && tg_http_block_room(line->block) > 0;
}

static void read_once(tg_http_line *line)
{
    size_t len = 0;
    if (!find_room(line)) {
        return;
    }
    tg_http_block *block = line->block;
    tg_result result = tg_stream_read(line->stream, block->bytes + block->end, tg_http_block_room(block), &len);
    if (tg_is_ok(result)) {
        tg_http_block_commit(block, len);
        line->call->outcome.bytes_in += len;
    } else if (result.code == TG_ERR_EOF) {
        line->is_at_end = true;
    } else if (result.code != TG_ERR_AGAIN) {
        line->is_broken = true;
    }
    if (block->end == line->at) {
        tg_http_block_put(&line->client->blocks, TG_TAKE(line->block));
        line->at = 0;
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)stream;
    tg_http_line *line = owner;
    if (line->call == NULL) {
        if (!is_quiet(line)) {
            line->client->counts.num_stale++;
            tg_http_line_drop(line);
        }
        return;
    }
    if ((events & TG_STREAM_READ) != 0 && !line->is_at_end && !line->is_broken) {
        read_once(line);
    }
    tg_http_call_run(line->call);
}

tg_result tg_http_line_new(tg_http_client *client, tg_stream *stream, tg_http_line **out_line)
{
    tg_http_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        tg_stream_close(stream);
        return tg_fail(TG_ERR_MEMORY);
    }
    line->client = client;
    line->stream = stream;
    line->made_ms = tg_loop_now_ms(client->loop);
    line->epoch = client->epoch;
    tg_stream_own(stream, on_ready, line);
    *out_line = line;
    return tg_ok();
}

void tg_http_line_drop(tg_http_line *line)
{
    tg_http_client *client = line->client;
    if (tg_link_is_linked(&line->link)) {
        tg_link_remove(&line->link);
        client->counts.num_kept--;
    }
    tg_http_block_put(&client->blocks, line->block);
    if (!line->is_broken && !line->is_write_broken) { /* over TLS the origin is told that this is the end */
        tg_result ignored = tg_stream_shutdown(line->stream);
        (void)ignored;
    }
    tg_stream_close(line->stream);
    client->counts.num_connections--;
    tg_http_client_wake(client);
    free(line);
}

static bool may_be_kept(const tg_http_line *line, uint64_t now_ms)
{
    const tg_http_client *client = line->client;
    return line->epoch == client->epoch && !client->is_ending && now_ms - line->made_ms < client->limits.max_age_ms;
}

void tg_http_line_put(tg_http_line *line)
{
    tg_http_client *client = line->client;
    uint64_t now_ms = tg_loop_now_ms(client->loop);
    line->call = NULL;
    if (!may_be_kept(line, now_ms)) {
        tg_http_line_drop(line);
        return;
    }
    tg_http_block_put(&client->blocks, TG_TAKE(line->block));
    line->kept_ms = now_ms;
    tg_link_append(&client->kept, &line->link);
    client->counts.num_kept++;
    tg_stream_watch(line->stream, TG_STREAM_READ);
    tg_http_client_wake(client);
}

/* The newest kept line that is still alive: nothing must have come on it since. */
static tg_http_line *take_kept(tg_http_client *client)
{
    while (!tg_link_is_empty(&client->kept)) {
        tg_http_line *line = TG_OBJECT_OF(client->kept.prev, tg_http_line, link);
        bool is_alive = is_quiet(line);
        if (is_alive && may_be_kept(line, tg_loop_now_ms(client->loop))) {
            tg_link_remove(&line->link);
            client->counts.num_kept--;
            return line;
        }
        client->counts.num_stale += !is_alive;
        tg_http_line_drop(line);
    }
    return NULL;
}

/* The pool */

void tg_http_client_let_wait(tg_http_client *client, tg_http_call *call, bool is_first)
{
    tg_http_client_let_go(client, call);
    tg_link_append(is_first ? client->waiting.next : &client->waiting, &call->link);
    call->is_waiting = true;
    client->counts.num_waiting++;
    tg_http_client_wake(client);
}

void tg_http_client_let_go(tg_http_client *client, tg_http_call *call)
{
    tg_link_remove(&call->link);
    client->counts.num_waiting -= call->is_waiting;
    call->is_waiting = false;
}

static void on_connected(tg_stream *stream, const tg_http_connected *connected, void *owner)
{
    tg_http_call *call = owner;
    tg_http_client *client = call->client;
    tg_http_line *line = NULL;
    call->attempt = NULL;
    tg_result result = connected->result;
    if (tg_is_ok(result)) {
        result = tg_http_line_new(client, stream, &line);
    }
    if (!tg_is_ok(result)) {
        client->counts.num_connections--;
        tg_http_client_wake(client);
        const char *why =
            connected->reason != NULL && connected->reason[0] != 0 ? connected->reason : tg_code_name(result.code);
        tg_http_call_fail(call, result, "%s", why);
        call->outcome.stage = tg_is_ok(connected->result) ? TG_HTTP_STAGE_SEND : connected->stage;
        tg_http_call_over(call);
        return;
    }
    client->counts.num_connected++;
    tg_http_call_begin(call, line);
}

static void connect_for(tg_http_client *client, tg_http_call *call)
{
    tg_http_client_let_go(client, call);
    tg_link_append(&client->active, &call->link);
    tg_http_call_go(call, TG_HTTP_CALL_CONNECTS);
    client->counts.num_connections++;
    tg_result result = client->connector->connect(client->connector, client->loop, on_connected, call, &call->attempt);
    if (!tg_is_ok(result)) {
        client->counts.num_connections--;
        call->attempt = NULL;
        tg_http_call_fail(call, result, "cannot connect: %s", tg_code_name(result.code));
        tg_http_call_over(call);
    }
}

static void trim_kept(tg_http_client *client)
{
    while (client->counts.num_kept > client->limits.num_kept) {
        tg_http_line_drop(TG_OBJECT_OF(client->kept.next, tg_http_line, link));
    }
    if (tg_link_is_empty(&client->kept)) {
        tg_deadline_disarm(&client->sweep);
    } else {
        const tg_http_line *oldest = TG_OBJECT_OF(client->kept.next, tg_http_line, link);
        tg_deadline_arm(client->loop, &client->sweep, oldest->kept_ms + client->limits.keep_ms + 1);
    }
}

/* Those that wait now; what handlers add meanwhile has the next turn. */
static void on_turn(tg_tick *tick)
{
    tg_http_client *client = TG_OBJECT_OF(tick, tg_http_client, turn);
    for (size_t left = client->counts.num_waiting; left > 0 && !tg_link_is_empty(&client->waiting); left--) {
        tg_http_call *call = TG_OBJECT_OF(client->waiting.next, tg_http_call, link);
        tg_http_line *line = call->wants_fresh ? NULL : take_kept(client);
        if (line != NULL) {
            tg_http_client_let_go(client, call);
            tg_link_append(&client->active, &call->link);
            client->counts.num_reused++;
            tg_http_call_begin(call, line);
            continue;
        }
        if (client->counts.num_connections >= client->limits.num_connections) {
            if (tg_link_is_empty(&client->kept)) {
                break;
            }
            tg_http_line_drop(TG_OBJECT_OF(client->kept.next, tg_http_line, link));
        }
        connect_for(client, call);
    }
    trim_kept(client);
}

static void on_sweep(tg_deadline *deadline)
{
    tg_http_client *client = TG_OBJECT_OF(deadline, tg_http_client, sweep);
    uint64_t now_ms = tg_loop_now_ms(client->loop);
    while (!tg_link_is_empty(&client->kept)) {
        tg_http_line *oldest = TG_OBJECT_OF(client->kept.next, tg_http_line, link);
        if (now_ms - oldest->kept_ms < client->limits.keep_ms) {
            break;
        }
        tg_http_line_drop(oldest);
    }
    trim_kept(client);
}

void tg_http_client_wake(tg_http_client *client)
{
    if (!client->is_ending) {
        tg_loop_tick(client->loop, &client->turn);
    }
}

tg_result tg_http_client_new(tg_loop *loop, tg_http_connector *connector, tg_slice authority,
                             const tg_http_client_limits *limits, tg_http_client **out_client)
{
    tg_http_authority parsed;
    if (!tg_is_ok(tg_http_authority_parse(authority, &parsed))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_http_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (authority.len > sizeof client->authority) { /* no port has so many zeros in front */
        free(client);
        return tg_fail(TG_ERR_SYNTAX);
    }
    client->loop = loop;
    client->connector = connector;
    if (limits != NULL) {
        client->limits = *limits;
    } else {
        tg_http_client_limits_default(&client->limits);
    }
    client->limits.num_connections = tg_size_max(client->limits.num_connections, 1);
    client->limits.head_bytes = (uint32_t)tg_size_min(client->limits.head_bytes, TG_HTTP_MAX_HEAD_BYTES);
    tg_http_block_store_init(&client->blocks, tg_size_max(client->limits.head_bytes, MIN_BLOCK_BYTES));
    tg_link_init_head(&client->kept);
    tg_link_init_head(&client->waiting);
    tg_link_init_head(&client->active);
    client->turn.run = on_turn;
    client->sweep.run = on_sweep;
    memcpy(client->authority, authority.ptr, authority.len);
    client->authority_len = authority.len;
    *out_client = client;
    return tg_ok();
}

static void end_calls(tg_link *calls)
{
    while (!tg_link_is_empty(calls)) {
        tg_http_call *call = TG_OBJECT_OF(calls->next, tg_http_call, link);
        tg_http_call_fail(call, tg_fail(TG_ERR_CANCELLED), "the client is closed");
        tg_http_call_over(call);
    }
}

static void close_kept(tg_http_client *client)
{
    while (!tg_link_is_empty(&client->kept)) {
        tg_http_line_drop(TG_OBJECT_OF(client->kept.next, tg_http_line, link));
    }
}

void tg_http_client_free(tg_http_client *client)
{
    if (client == NULL) {
        return;
    }
    client->is_ending = true;
    end_calls(&client->waiting);
    end_calls(&client->active);
    close_kept(client);
    tg_tick_cancel(&client->turn);
    tg_deadline_disarm(&client->sweep);
    tg_http_block_store_done(&client->blocks);
    free(client);
}

void tg_http_client_close_kept(tg_http_client *client)
{
    client->epoch++;
    close_kept(client);
    tg_deadline_disarm(&client->sweep);
}

tg_http_client_counts tg_http_client_counts_of(const tg_http_client *client)
{
    return client->counts;
}
