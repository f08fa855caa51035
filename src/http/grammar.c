#include "http/grammar.h"

/* clang-format off */
/* One row for sixteen bytes; each number is the sum of the classes of grammar.h. */
const uint8_t tg_http_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 63, 6, 7, 63, 31, 63, 63, 62, 62, 63, 63, 62, 63, 127, 30,
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 94, 62, 6, 62, 6, 22,
    30, 127, 127, 127, 127, 127, 127, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 6, 6, 6, 7, 63,
    7, 127, 127, 127, 127, 127, 127, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 6, 7, 6, 63, 0,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

bool tg_http_all_are(tg_slice text, unsigned class)
{
    unsigned all = class;
    for (size_t i = 0; i < text.len; i++) {
        all &= tg_http_class[text.ptr[i]];
    }
    return all == class;
}

bool tg_http_is_token(tg_slice text)
{
    return text.len > 0 && tg_http_all_are(text, TG_HTTP_TCHAR);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool tg_http_is_value(tg_slice text)
{
    return text.len == 0 ||
           (!is_blank(text.ptr[0]) && !is_blank(text.ptr[text.len - 1]) && tg_http_is_value_bytes(text));
}

/* Eight bytes at a time: a byte below 0x20, or 0x7f, sets the high bit of its lane; HTAB, which is rare, is then
 * looked at alone. Bytes from 0x80 (obs-text) are masked out first. */
static bool lanes_may_hold_control(uint64_t lanes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t below_space = (lanes - ones * 0x20) & ~lanes & highs;
    uint64_t is_delete = lanes ^ (ones * 0x7f);
    is_delete = (is_delete - ones) & ~is_delete & highs;
    return (below_space | is_delete) != 0;
}

bool tg_http_is_value_bytes(tg_slice text)
{
    size_t i = 0;
    for (; text.len - i >= 8; i += 8) {
        uint64_t lanes;
        memcpy(&lanes, text.ptr + i, sizeof lanes);
        if (lanes_may_hold_control(lanes) && !tg_http_all_are(tg_slice_of(text.ptr + i, 8), TG_HTTP_VALUE)) {
            return false;
        }
    }
    return tg_http_all_are(tg_slice_from(text, i), TG_HTTP_VALUE);
}

bool tg_http_list_next(tg_slice *rest, tg_slice *out_element)
{
    while (rest->ptr != NULL) {
        tg_slice element = tg_slice_trim(tg_slice_split(rest, ','), " \t");
        if (element.len > 0) {
            *out_element = element;
            return true;
        }
    }
    return false;
}
