/* Bytes that somebody else owns: pointer and length, by value. Never NUL-terminated, may hold any byte. */
#ifndef TG_BASE_SLICE_H
#define TG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct tg_slice {
    const uint8_t *ptr; /* may be NULL where len is 0 */
    size_t len;
} tg_slice;

/* TG_LIT makes a slice of a string literal, without its NUL. */
#define TG_LIT(literal) ((tg_slice){(const uint8_t *)("" literal ""), sizeof(literal) - 1})

static inline tg_slice tg_slice_of(const void *ptr, size_t len)
{
    return (tg_slice){(const uint8_t *)ptr, len};
}

/* tg_slice_str makes a slice of a NUL-terminated string; NULL gives the empty slice. */
static inline tg_slice tg_slice_str(const char *text)
{
    return (tg_slice){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

static inline bool tg_slice_equal(tg_slice a, tg_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool tg_slice_starts(tg_slice slice, tg_slice prefix)
{
    return slice.len >= prefix.len && (prefix.len == 0 || memcmp(slice.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool tg_slice_ends(tg_slice slice, tg_slice suffix)
{
    return slice.len >= suffix.len &&
           (suffix.len == 0 || memcmp(slice.ptr + (slice.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

/* tg_slice_from drops the first `start` bytes; past the end it gives the empty slice at the end. */
static inline tg_slice tg_slice_from(tg_slice slice, size_t start)
{
    size_t skip = start < slice.len ? start : slice.len;
    return (tg_slice){skip > 0 ? slice.ptr + skip : slice.ptr, slice.len - skip};
}

/* tg_slice_first keeps at most the first `len` bytes. */
static inline tg_slice tg_slice_first(tg_slice slice, size_t len)
{
    return (tg_slice){slice.ptr, len < slice.len ? len : slice.len};
}

/* tg_slice_find returns the index of the first `byte`, or slice.len where there is none. */
size_t tg_slice_find(tg_slice slice, uint8_t byte);

/* tg_slice_compare orders by bytes, a prefix before what it begins: below, at or above 0. */
int tg_slice_compare(tg_slice a, tg_slice b);

/* tg_slice_trim drops leading and trailing bytes that stand in `set`. */
tg_slice tg_slice_trim(tg_slice slice, const char *set);

/* tg_slice_split takes the part before the first `byte` off *rest and returns it; without one, the whole rest.
 * rest  in: what remains; out: what stands behind the separator, or a slice with NULL ptr when nothing is left
 */
tg_slice tg_slice_split(tg_slice *rest, uint8_t byte);

#endif
