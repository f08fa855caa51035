/* What the server of one loop keeps. Inside the room only. */
#ifndef TG_HTTP_ENGINE_H
#define TG_HTTP_ENGINE_H

#include "http/connection.h"
#include "http/date.h"
#include "http/response.h"
#include "io/loop.h"

#include <stdatomic.h>

/* Written by the loop's thread alone and read by any. */
typedef struct tg_http_counters {
    _Atomic uint64_t num_connections;
    _Atomic uint64_t num_requests;
    _Atomic uint64_t num_adopted;
    _Atomic uint64_t num_full;
    _Atomic uint64_t num_handled;
    _Atomic uint64_t num_refused;
    _Atomic uint64_t num_aborted;
    _Atomic uint64_t num_idle_closed;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
} tg_http_counters;

static inline void tg_http_count(_Atomic uint64_t *counter, uint64_t change)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + change, memory_order_relaxed);
}
static inline uint64_t tg_http_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct tg_http_server {
    tg_loop *loop;
    tg_http_limits limits;
    tg_http_handlers handlers;
    tg_http_budget *budget;
    tg_http_exchange_store exchanges;
    tg_http_block_store blocks;
    tg_http_connection *first;
    tg_http_connection *first_due;
    tg_http_counters counters;
    bool is_draining;
    bool was_full; /* on_room is owed */
    void (*on_drained)(void *context);
    void *drained_context;
    uint64_t date_unix_s;
    char date[TG_HTTP_DATE_LEN];
    tg_tick due;       /* runs what is in first_due */
    tg_deadline check; /* armed while there are connections */
    uint32_t check_ms; /* how often */
};

/* tg_http_server_date is the Date of now. */
tg_slice tg_http_server_date(tg_http_server *server);
/* tg_http_server_left is called by a connection that is gone, and frees it. */
void tg_http_server_left(tg_http_server *server, tg_http_connection *connection);

/* tg_http_server_now_ms is the loop's clock. tg_http_server_wake has what is due run at the end of the loop's turn. */
uint64_t tg_http_server_now_ms(const tg_http_server *server);
void tg_http_server_wake(tg_http_server *server);

#endif
