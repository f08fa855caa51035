// room: fields
/* Seals and opens with keys and values that valgrind is told are undefined: memcheck then reports each branch and each
 * address that depends on one. `secret_flow leak` does what it must report. Prints the implementation's name. */
#include "crypto/init.h"
#include "crypto/siv.h"

#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

enum { MAX_LEN = 400, NUM = 9 };

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static tg_secret *new_key(void)
{
    tg_secret *key;
    need(tg_is_ok(tg_secret_random(TG_SIV_KEY_BYTES, &key)));
    (void)VALGRIND_MAKE_MEM_UNDEFINED(tg_secret_bytes(key), TG_SIV_KEY_BYTES);
    return key;
}

/* Nonces are public, and so are ciphertexts: what comes out is said to be defined. */
static void seal_and_open(tg_siv *siv, size_t len)
{
    static uint8_t texts[NUM][MAX_LEN], sealed[NUM][MAX_LEN + TG_SIV_TAG_BYTES], opened[MAX_LEN];
    static const uint8_t nonce[TG_SIV_NONCE_BYTES] = {1, 2, 3};
    tg_siv_job jobs[NUM];
    (void)VALGRIND_MAKE_MEM_UNDEFINED(texts, sizeof texts);
    for (size_t i = 0; i < NUM; i++) {
        jobs[i] = (tg_siv_job){nonce, TG_LIT("json"), tg_slice_of(texts[i], len), sealed[i]};
    }
    for (size_t num = 1; num <= NUM; num += 4) {
        need(tg_is_ok(tg_siv_seal(siv, jobs, num)));
    }
    (void)VALGRIND_MAKE_MEM_DEFINED(sealed, sizeof sealed);
    tg_slice whole = tg_slice_of(sealed[0], len + TG_SIV_TAG_BYTES);
    tg_code good = tg_siv_open(siv, nonce, TG_LIT("json"), whole, opened).code;
    tg_code bad = tg_siv_open(siv, nonce, TG_LIT("other"), whole, opened).code;
    (void)VALGRIND_MAKE_MEM_DEFINED(&good, sizeof good);
    (void)VALGRIND_MAKE_MEM_DEFINED(&bad, sizeof bad);
    need(good == TG_OK && bad == TG_ERR_AUTH);
}

static void run_siv(void)
{
    static const size_t lens[] = {0, 1, 3, 4, 7, 8, 11, 15, 16, 17, 33, 127, 128, 129, 256, 257, 400};
    tg_secret *key = new_key();
    tg_siv *siv;
    need(tg_is_ok(tg_siv_new(key, &siv)));
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        seal_and_open(siv, lens[i]);
    }
    tg_siv_free(siv);
    tg_secret_free(key);
    printf("%s\n", tg_siv_chosen()->name);
}

static void leak(void)
{
    static const char table[256] = {0};
    tg_secret *key = new_key();
    const volatile uint8_t *bytes = tg_secret_bytes(key);
    if (bytes[1] > 128) { /* a branch */
        printf("a branch\n");
    }
    volatile char taken = table[bytes[0]]; /* an address */
    (void)taken;
    tg_secret_free(key);
}

int main(int argc, char **argv)
{
    need(tg_is_ok(tg_crypto_init(1)));
    if (argc > 1 && strcmp(argv[1], "leak") == 0) {
        leak();
    } else {
        run_siv();
    }
    return 0;
}
