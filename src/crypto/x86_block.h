/* The last bytes of a message as a vector of 16. */
#ifndef TG_CRYPTO_X86_BLOCK_H
#define TG_CRYPTO_X86_BLOCK_H

#include "base/cpu.h"

#if TG_CPU_X86
#include <immintrin.h>

/* tg_block_load_part loads fewer than 16 bytes, with zeroes behind them. They are never read past their end. */
TG_TARGET_AVX2 TG_INLINE __m128i tg_block_load_part(const uint8_t *from, size_t len)
{
    uint64_t low = 0, high = 0;
    if (len >= 8) {
        memcpy(&low, from, 8);
        if (len > 8) {
            memcpy(&high, from + len - 8, 8);
            high >>= 8 * (16 - len);
        }
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        low = first | (uint64_t)last << 8 * (len - 4);
    } else if (len > 0) { /* the middle byte is the first or the last again where there are fewer than 3 */
        low = from[0] | (uint64_t)from[len / 2] << 8 * (len / 2) | (uint64_t)from[len - 1] << 8 * (len - 1);
    }
    return _mm_set_epi64x((long long)high, (long long)low);
}

#endif
#endif
