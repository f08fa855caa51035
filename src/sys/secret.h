/* Key material: in memory of its own that is locked, left out of core dumps and of forked children, between two
 * guard pages, wiped when freed. No log field, buffer or formatter takes a tg_secret: its bytes are reached by
 * tg_secret_bytes alone, so that every use can be found. */
#ifndef TG_SYS_SECRET_H
#define TG_SYS_SECRET_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_secret tg_secret;

enum { TG_MAX_SECRET_BYTES = 65536 };

/* tg_secret_new makes a zeroed secret of `len` bytes (1 to TG_MAX_SECRET_BYTES).
 * err   TG_ERR_RANGE, TG_ERR_MEMORY, TG_ERR_SYSTEM where memory cannot be locked (RLIMIT_MEMLOCK) or kept from dumps
 * keep  freed by tg_secret_free, which wipes it; it may be read by any thread while it lives
 */
TG_MUST_USE tg_result tg_secret_new(size_t len, tg_secret **out_secret);
/* tg_secret_copy makes one of bytes, which the caller should wipe. tg_secret_random fills one by getrandom(2). */
TG_MUST_USE tg_result tg_secret_copy(tg_slice bytes, tg_secret **out_secret);
TG_MUST_USE tg_result tg_secret_random(size_t len, tg_secret **out_secret);
void tg_secret_free(tg_secret *secret);

size_t tg_secret_len(const tg_secret *secret);
const uint8_t *tg_secret_bytes(const tg_secret *secret);
/* tg_secret_fill is for whoever makes the key: the bytes to write to. */
uint8_t *tg_secret_fill(tg_secret *secret);

/* Constant in time over the length; two secrets of different length are unequal. */
bool tg_secret_equal(const tg_secret *a, const tg_secret *b);
bool tg_bytes_equal_constant_time(tg_slice a, tg_slice b);

#endif
