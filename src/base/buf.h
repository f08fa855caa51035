/* A growing byte buffer that is born with a maximum. Bytes are appended at the end and consumed from the front. */
#ifndef TG_BASE_BUF_H
#define TG_BASE_BUF_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_buf {
    uint8_t *ptr; /* NULL while nothing is allocated */
    size_t start; /* the first byte that has not been consumed */
    size_t end;   /* behind the last byte */
    size_t dirty; /* behind the last byte that was ever reserved since the last wipe */
    size_t cap;
    size_t max;    /* what tg_buf_len may reach */
    bool is_wiped; /* memory is zeroed when its bytes are dropped, moved or released: set for plaintext */
} tg_buf;

/* tg_buf_init makes an empty buffer that allocates nothing yet and never holds more than `max` bytes.
 * keep  the caller ends it with tg_buf_done
 */
void tg_buf_init(tg_buf *buf, size_t max);
void tg_buf_init_wiped(tg_buf *buf, size_t max);
void tg_buf_done(tg_buf *buf);

/* tg_buf_clear empties the buffer and keeps its memory (zeroed where is_wiped). tg_buf_release also frees it. */
void tg_buf_clear(tg_buf *buf);
void tg_buf_release(tg_buf *buf);

static inline size_t tg_buf_len(const tg_buf *buf)
{
    return buf->end - buf->start;
}
static inline tg_slice tg_buf_slice(const tg_buf *buf)
{
    return buf->ptr != NULL ? (tg_slice){buf->ptr + buf->start, buf->end - buf->start} : (tg_slice){NULL, 0};
}
/* tg_buf_space is how many more bytes the maximum allows. */
static inline size_t tg_buf_space(const tg_buf *buf)
{
    return buf->max - tg_buf_len(buf);
}

/* tg_buf_reserve makes room for `len` more bytes behind the last.
 * out   *out_ptr: where to write them; valid until the next call on buf; follow with tg_buf_commit
 * err   TG_ERR_LIMIT past the maximum, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_buf_reserve(tg_buf *buf, size_t len, uint8_t **out_ptr);
/* tg_buf_widen has the buffer's memory hold `cap` bytes in all, so that it does not move until then; nothing is
 * reserved, and what is not reserved is not wiped. cap may pass the maximum. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_buf_widen(tg_buf *buf, size_t cap);
/* tg_buf_commit counts `len` of the reserved bytes as written. */
void tg_buf_commit(tg_buf *buf, size_t len);

/* The appends fail as tg_buf_reserve does and then change nothing. */
TG_MUST_USE tg_result tg_buf_append(tg_buf *buf, tg_slice bytes);
TG_MUST_USE tg_result tg_buf_append_byte(tg_buf *buf, uint8_t byte);
TG_MUST_USE tg_result tg_buf_append_str(tg_buf *buf, const char *text);
TG_MUST_USE tg_result tg_buf_append_u64(tg_buf *buf, uint64_t value);
TG_MUST_USE tg_result tg_buf_printf(tg_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* tg_buf_consume drops the first `len` bytes (at most what is there). */
void tg_buf_consume(tg_buf *buf, size_t len);

/* tg_buf_truncate keeps the first `len` bytes and drops what stands behind them (nothing, where there are fewer). */
void tg_buf_truncate(tg_buf *buf, size_t len);

/* tg_wipe zeroes memory in a way that the compiler does not remove. */
void tg_wipe(void *ptr, size_t len);

#endif
