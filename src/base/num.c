#include "base/num.h"

#include "base/text.h"

static tg_result parse(tg_slice text, uint64_t base, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;
    bool is_over = false;
    if (text.len == 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = tg_ascii_hex_value(text.ptr[i]);
        if (digit < 0 || (uint64_t)digit >= base) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        if (is_over || value > (UINT64_MAX - (uint64_t)digit) / base) {
            is_over = true;
            continue;
        }
        value = value * base + (uint64_t)digit;
    }
    if (is_over || value > max) {
        return tg_fail(TG_ERR_RANGE);
    }
    *out_value = value;
    return tg_ok();
}

tg_result tg_num_parse_u64(tg_slice text, uint64_t max, uint64_t *out_value)
{
    return parse(text, 10, max, out_value);
}

tg_result tg_num_parse_hex_u64(tg_slice text, uint64_t max, uint64_t *out_value)
{
    return parse(text, 16, max, out_value);
}
