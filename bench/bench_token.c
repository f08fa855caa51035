// room: fields
/* Tokens: HMAC nonce, AES-256-GCM-SIV and base64url together, one at a time and sixteen in a call; nonce and cipher
 * apart. */
#include "measure.h"

#include "base/buf.h"
#include "crypto/init.h"
#include "fields/token.h"

enum { BATCH = 16, MAX_TOKEN = 8192 };

typedef struct bench_work {
    tg_field_keys *keys;
    tg_token_job jobs[BATCH];
    size_t num_jobs;
    tg_slice token;
    uint8_t *opened;
    tg_hmac *hmac;
    tg_siv *siv;
} bench_work;

static void seal(void *owner)
{
    bench_work *work = owner;
    tg_bench_need(tg_token_seal(work->keys, work->jobs, work->num_jobs));
}

static void open(void *owner)
{
    bench_work *work = owner;
    tg_opened opened;
    tg_bench_need(tg_token_open(work->keys, work->token, work->opened, &opened));
}

static void mac(void *owner)
{
    bench_work *work = owner;
    uint8_t out[TG_HMAC_BYTES];
    tg_hmac_compute(work->hmac, &work->jobs[0].plaintext, 1, out);
}

static void cipher(void *owner)
{
    bench_work *work = owner;
    static const uint8_t nonce[TG_SIV_NONCE_BYTES];
    tg_siv_job job = {nonce, {NULL, 0}, work->jobs[0].plaintext, work->jobs[0].out};
    tg_bench_need(tg_siv_seal(work->siv, &job, 1));
}

static void print(const char *what, size_t bytes, double ns)
{
    printf("| token of %zu bytes: %s | %.0f | ns |\n", bytes, what, ns);
}

int main(void)
{
    static uint8_t plaintext[4096], outs[BATCH][MAX_TOKEN], opened[MAX_TOKEN];
    static const size_t lens[] = {11, 64, 1024, 4096};
    bench_work work = {.opened = opened};
    tg_secret *secret;
    tg_bench_need(tg_crypto_init(1));
    tg_bench_need(tg_secret_random(32, &secret));
    tg_field_key key = {TG_LIT("k"), secret, true};
    tg_bench_need(tg_field_keys_new(&key, 1, &work.keys));
    work.hmac = tg_field_keys_hmac(work.keys);
    work.siv = tg_field_keys_siv(work.keys, 0);
    memset(plaintext, '7', sizeof plaintext);
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        for (size_t j = 0; j < BATCH; j++) {
            work.jobs[j] = (tg_token_job){TG_TOKEN_STRING, tg_slice_of(plaintext, lens[i]), outs[j]};
        }
        work.num_jobs = 1;
        print("seal one", lens[i], tg_bench_ns(seal, &work));
        work.num_jobs = BATCH;
        print("seal each of 16", lens[i], tg_bench_ns(seal, &work) / BATCH);
        work.token = tg_slice_of(outs[0], tg_token_len(lens[i]));
        print("open one", lens[i], tg_bench_ns(open, &work));
        print("nonce alone", lens[i], tg_bench_ns(mac, &work));
        print("cipher alone", lens[i], tg_bench_ns(cipher, &work));
    }
    tg_field_keys_free(work.keys);
    tg_secret_free(secret);
    return 0;
}
