#include "io/relay_pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { DEFAULT_MAX_PIPES = 128, DEFAULT_MAX_HELD_BYTES = 64 << 20, MAX_KEPT_PIPES = 16, RETRY_MS = 1000 };

tg_result tg_relay_pool_new(tg_loop *loop, const tg_relay_pool_options *options, tg_relay_pool **out_pool)
{
    tg_relay_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    pool->loop = loop;
    pool->options = options != NULL ? *options
                                    : (tg_relay_pool_options){.max_pipes = DEFAULT_MAX_PIPES,
                                                              .max_held_bytes = DEFAULT_MAX_HELD_BYTES};
    *out_pool = pool;
    return tg_ok();
}

static void close_pipe(tg_relay_pool *pool, tg_relay_pipe *pipe)
{
    close(pipe->read_fd);
    close(pipe->write_fd);
    free(pipe);
    pool->num_pipes--;
}

void tg_relay_pool_free(tg_relay_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->kept != NULL) {
        tg_relay_pipe *pipe = pool->kept;
        pool->kept = pipe->next;
        close_pipe(pool, pipe);
    }
    free(pool);
}

/* A pipe of full size: a small one (past the user's share of pipe memory) would cost more than it saves. */
static tg_relay_pipe *open_pipe(void)
{
    int fds[2];
    tg_relay_pipe *pipe = malloc(sizeof *pipe);
    if (pipe == NULL || pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(pipe);
        return NULL;
    }
    *pipe = (tg_relay_pipe){.read_fd = fds[0], .write_fd = fds[1]};
    if (fcntl(fds[1], F_SETPIPE_SZ, TG_RELAY_PIPE_BYTES) < TG_RELAY_PIPE_BYTES) {
        close(fds[0]);
        close(fds[1]);
        free(pipe);
        return NULL;
    }
    return pipe;
}

tg_relay_pipe *tg_relay_pool_lend(tg_relay_pool *pool)
{
    tg_relay_pipe *pipe = pool->kept;
    if (pipe != NULL) {
        pool->kept = pipe->next;
        pool->num_kept--;
        return pipe;
    }
    if (pool->num_pipes >= pool->options.max_pipes || tg_loop_now_ms(pool->loop) < pool->retry_at_ms) {
        return NULL;
    }
    pipe = open_pipe();
    if (pipe == NULL) {
        pool->retry_at_ms = tg_loop_now_ms(pool->loop) + RETRY_MS;
        return NULL;
    }
    pool->num_pipes++;
    return pipe;
}

void tg_relay_pool_take_back(tg_relay_pool *pool, tg_relay_pipe *pipe)
{
    if (pipe->len > 0 || pool->num_kept >= MAX_KEPT_PIPES) {
        close_pipe(pool, pipe);
        return;
    }
    pipe->next = pool->kept;
    pool->kept = pipe;
    pool->num_kept++;
}
