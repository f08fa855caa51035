/* The inside of a relay pool, for io/relay.c alone: the loop's buffer and its pipes. */
#ifndef TG_IO_RELAY_POOL_H
#define TG_IO_RELAY_POOL_H

#include "io/relay.h"

enum { TG_RELAY_BUFFER_BYTES = 65536, TG_RELAY_PIPE_BYTES = 524288 };

struct tg_relay_pipe {
    int read_fd;
    int write_fd;
    size_t len; /* bytes inside */
    tg_relay_pipe *next;
};

struct tg_relay_pool {
    tg_loop *loop;
    tg_relay_pool_options options;
    size_t num_held_bytes;
    size_t num_pipes;    /* lent and kept */
    tg_relay_pipe *kept; /* empty ones, for the next who asks */
    size_t num_kept;
    uint64_t retry_at_ms; /* the kernel gave none: not asked again before this */
    uint8_t buffer[TG_RELAY_BUFFER_BYTES];
};

/* tg_relay_pool_lend gives an empty pipe, or NULL where there is none to be had now. */
tg_relay_pipe *tg_relay_pool_lend(tg_relay_pool *pool);
/* tg_relay_pool_take_back takes a pipe back; one that is not empty is closed. */
void tg_relay_pool_take_back(tg_relay_pool *pool, tg_relay_pipe *pipe);

#endif
