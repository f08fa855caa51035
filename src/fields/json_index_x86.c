#include "fields/json_index_x86.h"

#if TG_CPU_X86

#include <immintrin.h>

#define INLINE2   TG_TARGET_AVX2 TG_INLINE
#define INLINE512 TG_TARGET_AVX512 TG_INLINE

/* White space by its low four bits: each at its own place, elsewhere a byte that cannot be looked up there. */
#define SPACES_16 ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0

typedef struct block_bits {
    uint64_t special, dark, outside;
} block_bits;

INLINE512 block_bits classify_512(__m512i bytes)
{
    const __m512i spaces = _mm512_broadcast_i32x4(_mm_setr_epi8(SPACES_16));
    return (block_bits){_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
                            _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
                            _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20)),
                        _mm512_cmpneq_epi8_mask(bytes, _mm512_shuffle_epi8(spaces, bytes)), _mm512_movepi8_mask(bytes)};
}

TG_TARGET_AVX512 bool tg_json_classify_avx512(tg_slice window, uint64_t *special, uint64_t *dark, uint64_t *outside)
{
    uint64_t any = 0;
    for (size_t i = 0; i * TG_JSON_BLOCK_BYTES < window.len; i++) {
        size_t left = window.len - i * TG_JSON_BLOCK_BYTES;
        __mmask64 kept = left >= TG_JSON_BLOCK_BYTES ? UINT64_MAX : _bzhi_u64(UINT64_MAX, (unsigned)left);
        block_bits bits = classify_512(_mm512_maskz_loadu_epi8(kept, window.ptr + i * TG_JSON_BLOCK_BYTES));
        special[i] = bits.special & kept;
        dark[i] = bits.dark & kept;
        outside[i] = bits.outside;
        any |= bits.outside;
    }
    return any == 0;
}

INLINE2 uint64_t bits_of(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

INLINE2 __m256i special_256(__m256i bytes)
{
    __m256i control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, _mm256_set1_epi8(0x1f)), _mm256_set1_epi8(0x1f));
    return _mm256_or_si256(control, _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                                                    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'))));
}

INLINE2 __m256i space_256(__m256i bytes)
{
    const __m256i spaces = _mm256_setr_epi8(SPACES_16, SPACES_16);
    return _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(spaces, bytes));
}

INLINE2 block_bits classify_256(const uint8_t *bytes)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32));
    return (block_bits){bits_of(special_256(low), special_256(high)), ~bits_of(space_256(low), space_256(high)),
                        bits_of(low, high)};
}

TG_TARGET_AVX2 bool tg_json_classify_avx2(tg_slice window, uint64_t *special, uint64_t *dark, uint64_t *outside)
{
    uint64_t any = 0;
    for (size_t i = 0; i * TG_JSON_BLOCK_BYTES < window.len; i++) {
        const uint8_t *at = window.ptr + i * TG_JSON_BLOCK_BYTES;
        size_t left = window.len - i * TG_JSON_BLOCK_BYTES;
        uint8_t last[TG_JSON_BLOCK_BYTES] = {0};
        uint64_t kept = UINT64_MAX;
        if (left < TG_JSON_BLOCK_BYTES) {
            memcpy(last, at, left);
            at = last;
            kept = ((uint64_t)1 << left) - 1;
        }
        block_bits bits = classify_256(at);
        special[i] = bits.special & kept;
        dark[i] = bits.dark & kept;
        outside[i] = bits.outside;
        any |= bits.outside;
    }
    return any == 0;
}

/* Faults of two neighbouring bytes, a bit each; a pair is faulty by a bit that all three tables give: by the first
 * byte's upper and lower half and by the second's upper half. CONTINUED is none by itself: two continuation bytes are
 * right where a longer character began two or three bytes before, and only there. */
enum {
    SHORT = 1,       /* a lead byte, and no continuation behind it */
    LONG = 2,        /* ASCII, and a continuation behind it */
    OVERLONG_3 = 4,  /* e0 80..9f */
    TOO_LARGE = 8,   /* f4 90..bf, f5..ff */
    SURROGATE = 16,  /* ed a0..bf */
    OVERLONG_2 = 32, /* c0, c1 */
    OVERLONG_4 = 64, /* f0 80..8f; and f5..ff 80..8f */
    CONTINUED = 128, /* two continuations */
    ANY = SHORT | LONG | CONTINUED
};

#define FIRST_UPPER                                                                                                    \
    LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, (char)CONTINUED, (char)CONTINUED, (char)CONTINUED,                 \
        (char)CONTINUED, SHORT | OVERLONG_2, SHORT, SHORT | OVERLONG_3 | SURROGATE, SHORT | TOO_LARGE | OVERLONG_4
#define LARGE_LOWER (char)(ANY | TOO_LARGE | OVERLONG_4)
#define FIRST_LOWER                                                                                                    \
    (char)(ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(ANY | OVERLONG_2), (char)ANY, (char)ANY,                \
        (char)(ANY | TOO_LARGE), LARGE_LOWER, LARGE_LOWER, LARGE_LOWER, LARGE_LOWER, LARGE_LOWER, LARGE_LOWER,         \
        LARGE_LOWER, LARGE_LOWER, (char)(ANY | TOO_LARGE | OVERLONG_4 | SURROGATE), LARGE_LOWER, LARGE_LOWER
#define CONTINUATION (LONG | OVERLONG_2 | CONTINUED)
#define SECOND_UPPER                                                                                                   \
    SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, (char)(CONTINUATION | OVERLONG_3 | OVERLONG_4),            \
        (char)(CONTINUATION | OVERLONG_3 | TOO_LARGE), (char)(CONTINUATION | SURROGATE | TOO_LARGE),                   \
        (char)(CONTINUATION | SURROGATE | TOO_LARGE), SHORT, SHORT, SHORT, SHORT

INLINE2 __m256i load_32(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

INLINE2 __m256i upper_half(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}

INLINE2 __m256i utf8_faults(const uint8_t *at)
{
    const __m256i first_upper = _mm256_setr_epi8(FIRST_UPPER, FIRST_UPPER);
    const __m256i first_lower = _mm256_setr_epi8(FIRST_LOWER, FIRST_LOWER);
    const __m256i second_upper = _mm256_setr_epi8(SECOND_UPPER, SECOND_UPPER);
    __m256i second = load_32(at), first = load_32(at - 1);
    __m256i lower = _mm256_and_si256(first, _mm256_set1_epi8(0x0f));
    __m256i faults = _mm256_and_si256(_mm256_shuffle_epi8(first_upper, upper_half(first)),
                                      _mm256_and_si256(_mm256_shuffle_epi8(first_lower, lower),
                                                       _mm256_shuffle_epi8(second_upper, upper_half(second))));
    /* The high bit where two bytes before e0..ff stands, or three before f0..ff: there, and only there, CONTINUED is
     * due. */
    __m256i third = _mm256_subs_epu8(load_32(at - 2), _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(load_32(at - 3), _mm256_set1_epi8((char)(0xf0 - 0x80)));
    __m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)CONTINUED));
    return _mm256_xor_si256(due, faults);
}

TG_TARGET_AVX2 bool tg_json_utf8_is_valid_avx2(const uint8_t *bytes, size_t len)
{
    __m256i faults = _mm256_setzero_si256();
    size_t at = 0;
    for (; at + TG_JSON_UTF8_STEP <= len; at += TG_JSON_UTF8_STEP) {
        faults = _mm256_or_si256(faults, utf8_faults(bytes + at));
    }
    uint32_t wrong = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(faults, _mm256_setzero_si256()));
    if (at < len) { /* what the zeroes behind the end make short is not looked at */
        __m256i last = _mm256_cmpeq_epi8(utf8_faults(bytes + at), _mm256_setzero_si256());
        wrong |= ~(uint32_t)_mm256_movemask_epi8(last) & (((uint32_t)1 << (len - at)) - 1);
    }
    return wrong == 0;
}

#endif
