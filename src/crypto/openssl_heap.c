#include "crypto/openssl_heap.h"

#include "base/buf.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return len > 0 ? malloc(len) : NULL; /* NULL for nothing, as OpenSSL's own does */
}

/* A handshake frees some 600 blocks, most of them of a few words: shorter than the way to explicit_bzero(3). */
static void wipe_block(void *block, size_t cap)
{
    enum { FEW_BYTES = 256, STEP = 16 };
    uint8_t *at = block;
    if (cap > FEW_BYTES) {
        tg_wipe(block, cap);
        return;
    }
    for (; cap >= STEP; cap -= STEP, at += STEP) {
        memset(at, 0, STEP);
    }
    memset(at, 0, cap);
    __asm__ volatile("" ::"r"(block) : "memory"); /* so that it is done, although it is freed next */
}

static void release(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t cap = block != NULL ? malloc_usable_size(block) : 0;
    if (cap > 0 && cap <= TG_OPENSSL_WIPED_BYTES) {
        wipe_block(block, cap);
    }
    free(block);
}

/* realloc(3) would leave what it moves from as it is. */
static void *reallocate(void *block, size_t len, const char *file, int line)
{
    size_t cap = block != NULL ? malloc_usable_size(block) : 0;
    if (len > 0 && len <= cap && len >= cap / 2) {
        return block;
    }
    void *moved = allocate(len, file, line);
    if (moved != NULL && cap > 0) {
        memcpy(moved, block, cap < len ? cap : len);
    }
    if (moved != NULL || len == 0) {
        release(block, file, line);
    }
    return moved;
}

/* In place of libcrypto's own, for it and for libssl (a program's symbols go before a library's): that one stores 8
 * bytes at a time, and libssl wipes its whole buffer of 16 KiB behind each record that it has read. */
__attribute__((visibility("default"))) void OPENSSL_cleanse(void *bytes, size_t len)
{
    tg_wipe(bytes, len);
}

bool tg_openssl_heap_wipe(void)
{
    return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

tg_result tg_openssl_heap_lock(size_t num_connections)
{
    /* What identities, their replacements, numbers in the middle of a signature and 256 threads' generators of random
     * numbers (1 KiB each) take; the least block there is. */
    enum { OWN_BYTES = 393216, CONNECTION_BYTES = 64, MIN_BLOCK_BYTES = 32, MAX_CONNECTIONS = 1 << 24 };
    if (CRYPTO_secure_malloc_initialized() == 1) {
        return tg_ok();
    }
    if (num_connections > MAX_CONNECTIONS) {
        return tg_fail(TG_ERR_RANGE);
    }
    size_t need = OWN_BYTES + num_connections * CONNECTION_BYTES;
    size_t len = MIN_BLOCK_BYTES;
    while (len < need) { /* OpenSSL wants a power of two */
        len *= 2;
    }
    errno = 0;
    switch (CRYPTO_secure_malloc_init(len, MIN_BLOCK_BYTES)) {
    case 1:
        return tg_ok();
    case 2:
        return tg_fail_os(errno != 0 ? errno : ENOMEM);
    default:
        return tg_fail(TG_ERR_MEMORY);
    }
}
