#include "base/slice.h"

size_t tg_slice_find(tg_slice slice, uint8_t byte)
{
    const uint8_t *at = slice.len > 0 ? memchr(slice.ptr, byte, slice.len) : NULL;
    return at != NULL ? (size_t)(at - slice.ptr) : slice.len;
}

int tg_slice_compare(tg_slice a, tg_slice b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_in_set(uint8_t byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

tg_slice tg_slice_trim(tg_slice slice, const char *set)
{
    while (slice.len > 0 && is_in_set(slice.ptr[0], set)) {
        slice = tg_slice_from(slice, 1);
    }
    while (slice.len > 0 && is_in_set(slice.ptr[slice.len - 1], set)) {
        slice.len--;
    }
    return slice;
}

tg_slice tg_slice_split(tg_slice *rest, uint8_t byte)
{
    size_t at = tg_slice_find(*rest, byte);
    tg_slice part = tg_slice_first(*rest, at);
    *rest = at < rest->len ? tg_slice_from(*rest, at + 1) : (tg_slice){NULL, 0};
    return part;
}
