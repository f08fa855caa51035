#include "base/base64_x86.h"

#if TG_CPU_X86

#include <immintrin.h>

enum { STEP_BYTES = 12, STEP_CHARS = 16, WIDE_BYTES = 48, WIDE_CHARS = 64 };

#define INLINE2   TG_TARGET_AVX2 TG_INLINE
#define INLINE512 TG_TARGET_AVX512 TG_INLINE

INLINE2 __m128i load_12(const uint8_t *from)
{
    uint64_t low;
    uint32_t high;
    memcpy(&low, from, 8);
    memcpy(&high, from + 8, 4);
    return _mm_set_epi64x((long long)(uint64_t)high, (long long)low);
}

INLINE2 void store_12(uint8_t *to, __m128i bytes)
{
    uint64_t low = (uint64_t)_mm_extract_epi64(bytes, 0);
    uint32_t high = (uint32_t)_mm_extract_epi32(bytes, 2);
    memcpy(to, &low, 8);
    memcpy(to + 8, &high, 4);
}

/* Each 3 bytes b0 b1 b2 stand as b1 b0 b2 b1, so that every 6 bits lie in one half; two multiplications shift them. */
INLINE2 __m128i sextets_of(__m128i bytes)
{
    bytes = _mm_shuffle_epi8(bytes, _mm_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1));
    __m128i outer = _mm_mulhi_epu16(_mm_and_si128(bytes, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
    __m128i inner = _mm_mullo_epi16(_mm_and_si128(bytes, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
    return _mm_or_si128(outer, inner);
}

INLINE2 __m128i add_where(__m128i sum, __m128i where, int value)
{
    return _mm_add_epi8(sum, _mm_and_si128(where, _mm_set1_epi8((char)value)));
}

TG_TARGET_AVX2 size_t tg_base64_encode_avx2(const uint8_t alphabet[64], tg_slice bytes, uint8_t *out)
{
    size_t at = 0;
    for (; at + STEP_BYTES <= bytes.len; at += STEP_BYTES, out += STEP_CHARS) {
        __m128i sextets = sextets_of(load_12(bytes.ptr + at));
        __m128i text = _mm_add_epi8(sextets, _mm_set1_epi8('A'));
        text = add_where(text, _mm_cmpgt_epi8(sextets, _mm_set1_epi8(25)), 'a' - 26 - 'A');
        text = add_where(text, _mm_cmpgt_epi8(sextets, _mm_set1_epi8(51)), '0' - 52 - ('a' - 26));
        text = add_where(text, _mm_cmpeq_epi8(sextets, _mm_set1_epi8(62)), alphabet[62] - ('0' - 52 + 62));
        text = add_where(text, _mm_cmpeq_epi8(sextets, _mm_set1_epi8(63)), alphabet[63] - ('0' - 52 + 63));
        _mm_storeu_si128((__m128i *)(void *)out, text);
    }
    return at;
}

/* Characters from `first` on, `count` of them. */
INLINE2 __m128i in_range(__m128i text, char first, int count)
{
    return _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmpgt_epi8(_mm_set1_epi8((char)(first + count)), text));
}

TG_TARGET_AVX2 size_t tg_base64_decode_avx2(const uint8_t alphabet[64], tg_slice text, uint8_t *out)
{
    const __m128i pack = _mm_set_epi8(-1, -1, -1, -1, 12, 13, 14, 8, 9, 10, 4, 5, 6, 0, 1, 2);
    size_t at = 0;
    for (; at + STEP_CHARS <= text.len; at += STEP_CHARS, out += STEP_BYTES) {
        __m128i chars = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + at));
        __m128i upper = in_range(chars, 'A', 26), lower = in_range(chars, 'a', 26), digit = in_range(chars, '0', 10);
        __m128i is_62 = _mm_cmpeq_epi8(chars, _mm_set1_epi8((char)alphabet[62]));
        __m128i is_63 = _mm_cmpeq_epi8(chars, _mm_set1_epi8((char)alphabet[63]));
        __m128i known = _mm_or_si128(_mm_or_si128(upper, lower), _mm_or_si128(digit, _mm_or_si128(is_62, is_63)));
        if (_mm_movemask_epi8(known) != 0xffff) {
            break;
        }
        __m128i sextets = add_where(chars, upper, -'A');
        sextets = add_where(sextets, lower, 26 - 'a');
        sextets = add_where(sextets, digit, 52 - '0');
        sextets = add_where(sextets, is_62, 62 - alphabet[62]);
        sextets = add_where(sextets, is_63, 63 - alphabet[63]);
        __m128i pairs = _mm_maddubs_epi16(sextets, _mm_set1_epi32(0x01400140));
        store_12(out, _mm_shuffle_epi8(_mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000)), pack));
    }
    return at;
}

INLINE512 __mmask64 first_mask(size_t num)
{
    return num >= 64 ? UINT64_MAX : _bzhi_u64(UINT64_MAX, (unsigned)num);
}

TG_TARGET_AVX512 void tg_base64_encode_avx512(const uint8_t alphabet[64], tg_slice bytes, uint8_t *out)
{
    const __m512i letters = _mm512_loadu_si512(alphabet);
    const __m512i groups = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i spread =
        _mm512_add_epi32(_mm512_set1_epi32(0x01020001), _mm512_mullo_epi32(groups, _mm512_set1_epi32(0x03030303)));
    const __m512i shifts = _mm512_set1_epi64(0x3036242a1016040a);
    for (size_t at = 0; at < bytes.len; at += WIDE_BYTES, out += WIDE_CHARS) {
        size_t len = bytes.len - at < WIDE_BYTES ? bytes.len - at : WIDE_BYTES;
        __m512i taken = _mm512_maskz_loadu_epi8(first_mask(len), bytes.ptr + at);
        __m512i sextets = _mm512_multishift_epi64_epi8(shifts, _mm512_permutexvar_epi8(spread, taken));
        size_t num_chars = (len * 4 + 2) / 3;
        _mm512_mask_storeu_epi8(out, first_mask(num_chars), _mm512_permutexvar_epi8(sextets, letters));
    }
}

/* Characters from `first` on, `count` of them, as numbers from `value` on; *known gains where they stand. */
INLINE512 __m512i map_range(__m512i chars, __m512i sextets, int first, int count, int value, __mmask64 *known)
{
    __m512i from_first = _mm512_sub_epi8(chars, _mm512_set1_epi8((char)first));
    __mmask64 here = _mm512_cmplt_epu8_mask(from_first, _mm512_set1_epi8((char)count));
    *known |= here;
    return _mm512_mask_add_epi8(sextets, here, from_first, _mm512_set1_epi8((char)value));
}

/* Where characters of the last group are missing they count as zeroes, and so must what they would have made. */
TG_TARGET_AVX512 bool tg_base64_decode_avx512(const uint8_t alphabet[64], tg_slice text, uint8_t *out)
{
    const __m512i pack =
        _mm512_set_epi32(0, 0, 0, 0, 0x3c3d3e38, 0x393a3435, 0x36303132, 0x2c2d2e28, 0x292a2425, 0x26202122, 0x1c1d1e18,
                         0x191a1415, 0x16101112, 0x0c0d0e08, 0x090a0405, 0x06000102);
    const __mmask64 all = first_mask(WIDE_BYTES);
    __mmask64 wrong = 0;
    for (size_t at = 0; at < text.len; at += WIDE_CHARS, out += WIDE_BYTES) {
        size_t num_chars = text.len - at < WIDE_CHARS ? text.len - at : WIDE_CHARS;
        __m512i chars = _mm512_mask_loadu_epi8(_mm512_set1_epi8('A'), first_mask(num_chars), text.ptr + at);
        __m512i sextets = _mm512_setzero_si512();
        __mmask64 known = 0;
        sextets = map_range(chars, sextets, 'A', 26, 0, &known);
        sextets = map_range(chars, sextets, 'a', 26, 26, &known);
        sextets = map_range(chars, sextets, '0', 10, 52, &known);
        sextets = map_range(chars, sextets, alphabet[62], 1, 62, &known);
        sextets = map_range(chars, sextets, alphabet[63], 1, 63, &known);
        __m512i pairs = _mm512_maddubs_epi16(sextets, _mm512_set1_epi32(0x01400140));
        __m512i bytes = _mm512_permutexvar_epi8(pack, _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000)));
        __mmask64 kept = first_mask(num_chars * 3 / 4);
        wrong |= ~known | (_mm512_test_epi8_mask(bytes, bytes) & all & ~kept);
        _mm512_mask_storeu_epi8(out, kept, bytes);
    }
    return wrong == 0;
}

#endif
