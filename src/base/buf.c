#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAP = 256 };

void tg_wipe(void *ptr, size_t len)
{
    if (len > 0) {
        explicit_bzero(ptr, len);
    }
}

void tg_buf_init(tg_buf *buf, size_t max)
{
    *buf = (tg_buf){.max = max};
}

void tg_buf_init_wiped(tg_buf *buf, size_t max)
{
    *buf = (tg_buf){.max = max, .is_wiped = true};
}

/* What was reserved may have been written to and not committed: it counts as plaintext too. */
static void wipe_from(tg_buf *buf, size_t start)
{
    if (buf->is_wiped && buf->dirty > start) {
        tg_wipe(buf->ptr + start, buf->dirty - start);
    }
    buf->dirty = start;
}

void tg_buf_clear(tg_buf *buf)
{
    wipe_from(buf, 0);
    buf->start = 0;
    buf->end = 0;
}

void tg_buf_release(tg_buf *buf)
{
    tg_buf_clear(buf);
    free(buf->ptr);
    buf->ptr = NULL;
    buf->cap = 0;
}

void tg_buf_done(tg_buf *buf)
{
    tg_buf_release(buf);
}

/* Moves the bytes into a block of `cap` bytes, at its beginning. */
static tg_result move_to(tg_buf *buf, size_t cap)
{
    uint8_t *bigger;
    size_t len = tg_buf_len(buf);
    if (!buf->is_wiped && buf->start == 0) {
        bigger = realloc(buf->ptr, cap);
        if (bigger == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
    } else {
        bigger = malloc(cap);
        if (bigger == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        if (len > 0) {
            memcpy(bigger, buf->ptr + buf->start, len);
        }
        wipe_from(buf, 0);
        free(buf->ptr);
    }
    buf->ptr = bigger;
    buf->dirty = len;
    buf->start = 0;
    buf->end = len;
    buf->cap = cap;
    return tg_ok();
}

tg_result tg_buf_widen(tg_buf *buf, size_t cap)
{
    return cap > buf->cap - buf->start ? move_to(buf, cap) : tg_ok();
}

tg_result tg_buf_reserve(tg_buf *buf, size_t len, uint8_t **out_ptr)
{
    size_t have = tg_buf_len(buf);
    if (len > buf->max - have) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (buf->cap - buf->end < len) {
        size_t need = have + len;
        if (buf->cap >= need && buf->start >= buf->cap / 2) {
            memmove(buf->ptr, buf->ptr + buf->start, have);
            wipe_from(buf, have);
            buf->start = 0;
            buf->end = have;
        } else {
            size_t cap = buf->cap > FIRST_CAP ? buf->cap : FIRST_CAP;
            while (cap < need) {
                cap = cap > SIZE_MAX / 2 ? need : cap * 2;
            }
            cap = cap > buf->max ? buf->max : cap;
            TG_TRY(move_to(buf, cap > need ? cap : need));
        }
    }
    buf->dirty = buf->dirty > buf->end + len ? buf->dirty : buf->end + len;
    *out_ptr = buf->ptr != NULL ? buf->ptr + buf->end : NULL;
    return tg_ok();
}

void tg_buf_commit(tg_buf *buf, size_t len)
{
    buf->end += len <= buf->cap - buf->end ? len : buf->cap - buf->end;
}

tg_result tg_buf_append(tg_buf *buf, tg_slice bytes)
{
    uint8_t *at;
    TG_TRY(tg_buf_reserve(buf, bytes.len, &at));
    if (at != NULL && bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
        tg_buf_commit(buf, bytes.len);
    }
    return tg_ok();
}

tg_result tg_buf_append_byte(tg_buf *buf, uint8_t byte)
{
    return tg_buf_append(buf, tg_slice_of(&byte, 1));
}

tg_result tg_buf_append_str(tg_buf *buf, const char *text)
{
    return tg_buf_append(buf, tg_slice_str(text));
}

tg_result tg_buf_append_u64(tg_buf *buf, uint64_t value)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return tg_buf_append(buf, tg_slice_of(digits + at, sizeof digits - at));
}

tg_result tg_buf_printf(tg_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    uint8_t *at;
    if ((size_t)len == tg_buf_space(buf)) { /* vsnprintf also writes a NUL, which the maximum does not count */
        char *text = malloc((size_t)len + 1);
        if (text == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
        tg_result appended = tg_buf_append(buf, tg_slice_of(text, (size_t)len));
        tg_wipe(text, (size_t)len);
        free(text);
        return appended;
    }
    TG_TRY(tg_buf_reserve(buf, (size_t)len + 1, &at));
    va_start(args, format);
    vsnprintf((char *)at, (size_t)len + 1, format, args);
    va_end(args);
    tg_buf_commit(buf, (size_t)len);
    return tg_ok();
}

void tg_buf_consume(tg_buf *buf, size_t len)
{
    size_t have = tg_buf_len(buf);
    size_t drop = len < have ? len : have;
    if (buf->is_wiped && drop > 0) {
        tg_wipe(buf->ptr + buf->start, drop);
    }
    buf->start += drop;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}

void tg_buf_truncate(tg_buf *buf, size_t len)
{
    if (len < tg_buf_len(buf)) {
        buf->end = buf->start + len;
        wipe_from(buf, buf->end);
    }
}
