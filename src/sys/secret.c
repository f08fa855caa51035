#include "sys/secret.h"

#include "base/buf.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* One mapping: guard page; pages with the header at their beginning and the bytes at their end (aligned to 16, so that
 * at most 15 bytes lie between a secret and what stops a read past it); guard page. */
struct tg_secret {
    size_t len;
    size_t map_len;
    uint8_t *bytes;
};

enum { ALIGN = 16 };

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

tg_result tg_secret_new(size_t len, tg_secret **out_secret)
{
    if (len == 0 || len > TG_MAX_SECRET_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    size_t page = page_bytes();
    size_t rounded = (len + ALIGN - 1) / ALIGN * ALIGN;
    size_t inner = (sizeof(tg_secret) + rounded + page - 1) / page * page;
    size_t map_len = inner + 2 * page;
    uint8_t *map = mmap(NULL, map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t *at = map + page;
    if (mprotect(at, inner, PROT_READ | PROT_WRITE) != 0 || mlock(at, inner) != 0 ||
        madvise(at, inner, MADV_DONTDUMP) != 0 || madvise(at, inner, MADV_WIPEONFORK) != 0) {
        int why = errno;
        munmap(map, map_len);
        return tg_fail_os(why);
    }
    tg_secret *secret = (tg_secret *)(void *)at;
    secret->len = len;
    secret->map_len = map_len;
    secret->bytes = at + inner - rounded;
    *out_secret = secret;
    return tg_ok();
}

tg_result tg_secret_copy(tg_slice bytes, tg_secret **out_secret)
{
    tg_secret *secret;
    TG_TRY(tg_secret_new(bytes.len, &secret));
    memcpy(secret->bytes, bytes.ptr, bytes.len);
    *out_secret = secret;
    return tg_ok();
}

tg_result tg_secret_random(size_t len, tg_secret **out_secret)
{
    tg_secret *secret;
    TG_TRY(tg_secret_new(len, &secret));
    for (size_t done = 0; done < len;) {
        ssize_t got = getrandom(secret->bytes + done, len - done, 0);
        if (got < 0 && errno != EINTR) {
            int why = errno;
            tg_secret_free(secret);
            return tg_fail_os(why);
        }
        done += got > 0 ? (size_t)got : 0;
    }
    *out_secret = secret;
    return tg_ok();
}

void tg_secret_free(tg_secret *secret)
{
    if (secret != NULL) {
        size_t map_len = secret->map_len;
        uint8_t *map = (uint8_t *)secret - page_bytes();
        tg_wipe(secret->bytes, secret->len);
        munmap(map, map_len);
    }
}

size_t tg_secret_len(const tg_secret *secret)
{
    return secret->len;
}

const uint8_t *tg_secret_bytes(const tg_secret *secret)
{
    return secret->bytes;
}

uint8_t *tg_secret_fill(tg_secret *secret)
{
    return secret->bytes;
}

bool tg_bytes_equal_constant_time(tg_slice a, tg_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (uint8_t)(difference | (a.ptr[i] ^ b.ptr[i]));
    }
    return difference == 0;
}

bool tg_secret_equal(const tg_secret *a, const tg_secret *b)
{
    return tg_bytes_equal_constant_time(tg_slice_of(a->bytes, a->len), tg_slice_of(b->bytes, b->len));
}
