// room: fields
/* What bench/counts.py counts: each piece of work is done several times, and callgrind writes what it saw under the
 * piece's name. Nothing here is left to chance: the key is fixed, and so is all that is worked on. The argument is the
 * record, bench/record.json. */
#include "measure.h"

#include "base/cpu.h"
#include "crypto/init.h"
#include "fields/rewrite.h"
#include "fields/token.h"
#include "sys/file.h"

#include <valgrind/callgrind.h>

#include "../tests/support/tiny_graph.c"

enum { TIMES = 100, NUM_JOBS = 16, MAX_TOKEN = 256 };

typedef struct count_work {
    tg_field_keys *keys;
    tg_slice body, sealed;
    tg_buf out;
    tg_token_job jobs[NUM_JOBS];
} count_work;

static void rewrite(count_work *work, tg_rewrite_mode mode, bool is_applied)
{
    tg_arena arena;
    tg_rewrite *rewrite;
    tg_rewrite_options options = {.root = tg_tiny_root("{customer:{name:!,ssn:!,email:!},account:{iban:!}}", true),
                                  .mode = mode,
                                  .max_fields = 10000};
    tg_arena_init(&arena, 1 << 24, true);
    tg_buf_clear(&work->out);
    CALLGRIND_TOGGLE_COLLECT;
    tg_bench_need(tg_rewrite_new(&arena, &options, mode == TG_REWRITE_ENCRYPT ? work->body : work->sealed, &rewrite));
    tg_bench_need(tg_rewrite_plan(rewrite, SIZE_MAX));
    tg_result result = tg_ok();
    while (is_applied && (result = tg_rewrite_apply(rewrite, work->keys, SIZE_MAX, &work->out)).code == TG_ERR_AGAIN) {
    }
    tg_arena_done(&arena);
    CALLGRIND_TOGGLE_COLLECT;
    tg_bench_need(result);
}

static void plan(count_work *work)
{
    rewrite(work, TG_REWRITE_ENCRYPT, false);
}

static void encrypt(count_work *work)
{
    rewrite(work, TG_REWRITE_ENCRYPT, true);
}

static void decrypt(count_work *work)
{
    rewrite(work, TG_REWRITE_DECRYPT, true);
}

static void seal_one(count_work *work)
{
    CALLGRIND_TOGGLE_COLLECT;
    tg_bench_need(tg_token_seal(work->keys, work->jobs, 1));
    CALLGRIND_TOGGLE_COLLECT;
}

static void seal_batch(count_work *work)
{
    CALLGRIND_TOGGLE_COLLECT;
    tg_bench_need(tg_token_seal(work->keys, work->jobs, NUM_JOBS));
    CALLGRIND_TOGGLE_COLLECT;
}

static void open_one(count_work *work)
{
    static uint8_t opened[MAX_TOKEN];
    tg_opened facts;
    tg_slice token = tg_slice_of(work->jobs[0].out, tg_token_len(work->jobs[0].plaintext.len));
    CALLGRIND_TOGGLE_COLLECT;
    tg_bench_need(tg_token_open(work->keys, token, opened, &facts));
    CALLGRIND_TOGGLE_COLLECT;
}

static void count(count_work *work, const char *name, void (*piece)(count_work *))
{
    piece(work); /* what is done once, and caches that fill */
    CALLGRIND_ZERO_STATS;
    for (size_t i = 0; i < TIMES; i++) {
        piece(work);
    }
    CALLGRIND_DUMP_STATS_AT(name);
}

int main(int argc, char **argv)
{
    static uint8_t outs[NUM_JOBS][MAX_TOKEN];
    count_work work = {.keys = NULL};
    tg_buf body, sealed;
    tg_secret *secret;
    tg_buf_init(&body, 1 << 20);
    tg_buf_init_wiped(&sealed, 1 << 20);
    tg_bench_need(argc == 2 ? tg_file_read(argv[1], &body) : tg_fail(TG_ERR_RANGE));
    tg_bench_need(tg_crypto_init(1));
    tg_bench_need(tg_secret_new(32, &secret));
    memset(tg_secret_fill(secret), 0xaa, 32);
    tg_field_key key = {TG_LIT("k"), secret, true};
    tg_bench_need(tg_field_keys_new(&key, 1, &work.keys));
    tg_buf_init_wiped(&work.out, 1 << 20);
    for (size_t i = 0; i < NUM_JOBS; i++) {
        work.jobs[i] = (tg_token_job){TG_TOKEN_STRING, TG_LIT("123-45-6789"), outs[i]};
    }
    work.body = tg_buf_slice(&body);
    encrypt(&work);
    tg_bench_need(tg_buf_append(&sealed, tg_buf_slice(&work.out)));
    work.sealed = tg_buf_slice(&sealed);
    count(&work, "plan a record", plan);
    count(&work, "encrypt a record", encrypt);
    count(&work, "decrypt a record", decrypt);
    count(&work, "seal a token of 11 bytes", seal_one);
    count(&work, "seal 16 tokens of 11 bytes", seal_batch);
    count(&work, "open a token of 11 bytes", open_one);
    printf("%s %d\n", tg_cpu_level_name(tg_cpu_get_level()), TIMES);
    tg_buf_done(&work.out);
    tg_buf_done(&sealed);
    tg_buf_done(&body);
    tg_field_keys_free(work.keys);
    tg_secret_free(secret);
    return 0;
}
