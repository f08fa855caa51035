/* Numbers from text and checked arithmetic. Digits only: no sign, no blank, no base prefix, the whole slice. */
#ifndef TG_BASE_NUM_H
#define TG_BASE_NUM_H

#include "base/result.h"
#include "base/slice.h"

/* tg_num_parse_u64 reads 1*DIGIT up to `max`; leading zeros are taken.
 * err   TG_ERR_SYNTAX for anything but digits (and for none), TG_ERR_RANGE above max
 */
TG_FOREIGN TG_MUST_USE tg_result tg_num_parse_u64(tg_slice text, uint64_t max, uint64_t *out_value);

/* tg_num_parse_hex_u64 reads 1*HEXDIG up to `max`; errors as above. */
TG_FOREIGN TG_MUST_USE tg_result tg_num_parse_hex_u64(tg_slice text, uint64_t max, uint64_t *out_value);

static inline bool tg_size_add(size_t a, size_t b, size_t *out_sum)
{
    return !__builtin_add_overflow(a, b, out_sum);
}
static inline bool tg_size_mul(size_t a, size_t b, size_t *out_product)
{
    return !__builtin_mul_overflow(a, b, out_product);
}
static inline size_t tg_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t tg_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
