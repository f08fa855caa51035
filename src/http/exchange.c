#include "http/exchange.h"

#include "base/num.h"

#include <stdlib.h>

enum {
    MAX_KEPT = 64,            /* exchanges in a store */
    MAX_KEPT_BYTES = 65536,   /* of one buffer of a kept exchange */
    FIRST_BODY_BYTES = 16384, /* a collected body's first step */
    EARNEST_BYTES = 262144,   /* a client that has sent so many is given room for all that it announced */
    MAX_ARENA_BYTES = 4194304 /* of one request's arena */
};

static const size_t unbounded = SIZE_MAX / 2;

static tg_http_exchange *make(void)
{
    tg_http_exchange *exchange = malloc(sizeof *exchange);
    if (exchange != NULL) {
        tg_arena_init(&exchange->arena, MAX_ARENA_BYTES, true);
        tg_buf_init_wiped(&exchange->body, 0);
        tg_buf_init_wiped(&exchange->out, unbounded);
        tg_buf_init_wiped(&exchange->content, unbounded);
        tg_buf_init_wiped(&exchange->handlers_buf, unbounded);
    }
    return exchange;
}

static void destroy(tg_http_exchange *exchange)
{
    tg_arena_done(&exchange->arena);
    tg_buf_done(&exchange->body);
    tg_buf_done(&exchange->out);
    tg_buf_done(&exchange->content);
    tg_buf_done(&exchange->handlers_buf);
    free(exchange);
}

tg_http_exchange *tg_http_exchange_take(tg_http_exchange_store *store)
{
    tg_http_exchange *exchange = store->first;
    if (exchange != NULL) {
        store->first = exchange->next;
        store->num_kept--;
    } else {
        exchange = make();
        if (exchange == NULL) {
            return NULL;
        }
    }
    exchange->request = (tg_http_request){.arena = &exchange->arena};
    exchange->connection = NULL;
    exchange->next = NULL;
    exchange->framing = (tg_http_framing){.body = TG_HTTP_BODY_NONE};
    exchange->started_ns = 0;
    exchange->bytes_in = 0;
    exchange->bytes_out = 0;
    exchange->refusal = TG_HTTP_NOT_REFUSED;
    exchange->is_handlers = false;
    exchange->body_max = 0;
    exchange->body_got = 0;
    exchange->is_streamed = false;
    exchange->answers_early = false;
    exchange->is_paused = false;
    exchange->is_body_whole = false;
    exchange->owes_continue = false;
    exchange->budget = NULL;
    exchange->budgeted = 0;
    exchange->answer = TG_HTTP_NO_ANSWER;
    exchange->status = 0;
    exchange->keeps_alive = false;
    exchange->drops_content = false;
    exchange->is_chunked_out = false;
    exchange->wants_room = false;
    exchange->answer_left = 0;
    return exchange;
}

static void empty(tg_buf *buf)
{
    if (buf->cap > MAX_KEPT_BYTES) {
        tg_buf_release(buf);
    } else {
        tg_buf_clear(buf);
    }
}

static void give_budget(tg_http_exchange *exchange)
{
    if (exchange->budgeted > 0) {
        tg_http_budget_give(exchange->budget, exchange->budgeted);
        exchange->budgeted = 0;
    }
}

void tg_http_exchange_drop_body(tg_http_exchange *exchange)
{
    if (tg_buf_len(&exchange->body) > 0) {
        exchange->request.body = (tg_slice){NULL, 0};
        empty(&exchange->body);
        give_budget(exchange);
    }
}

void tg_http_exchange_put(tg_http_exchange_store *store, tg_http_exchange *exchange)
{
    give_budget(exchange);
    exchange->connection = NULL;
    if (store->num_kept == MAX_KEPT) {
        destroy(exchange);
        return;
    }
    tg_arena_clear(&exchange->arena);
    empty(&exchange->body);
    empty(&exchange->out);
    tg_buf_release(&exchange->content); /* a handler's memory, of any size: not kept */
    empty(&exchange->handlers_buf);
    exchange->next = store->first;
    store->first = exchange;
    store->num_kept++;
}

void tg_http_exchange_store_done(tg_http_exchange_store *store)
{
    while (store->first != NULL) {
        tg_http_exchange *exchange = store->first;
        store->first = exchange->next;
        destroy(exchange);
    }
    store->num_kept = 0;
}

tg_result tg_http_exchange_budget_take(tg_http_exchange *exchange, size_t len)
{
    if (!tg_http_budget_take(exchange->budget, len, exchange->budgeted)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    exchange->budgeted += len;
    return tg_ok();
}

tg_result tg_http_exchange_body_room(tg_http_exchange *exchange, uint64_t expected, uint8_t **out_at, size_t *out_room)
{
    tg_buf *body = &exchange->body;
    size_t len = tg_buf_len(body);
    if (exchange->budgeted == len) { /* what was counted is full */
        size_t step = tg_size_max(len, FIRST_BODY_BYTES);
        if (expected - len < step) {
            step = (size_t)(expected - len);
        }
        TG_TRY(tg_http_exchange_budget_take(exchange, step));
    }
    /* The maximum follows the budget, so that the buffer does not grow past it of its own accord. */
    body->max = exchange->budgeted;
    size_t room = exchange->budgeted - len;
    if (len >= EARNEST_BYTES && expected < UINT64_MAX) { /* the kernel gives memory as it is written to */
        TG_TRY(tg_buf_widen(body, (size_t)expected));
    }
    TG_TRY(tg_buf_reserve(body, room, out_at));
    *out_room = room;
    return tg_ok();
}
