#include "crypto/siv_x86.h"

#if TG_CPU_X86

#include "crypto/stack.h"

#include <gcrypt.h>

enum { ALIGNMENT = 64, CTR_BLOCKS = 8 };

#define INLINE TG_TARGET_AVX2 TG_INLINE

static tg_siv_x86 *of(tg_siv *siv)
{
    return (tg_siv_x86 *)(void *)siv;
}

/* AES's SubWord of one column by aesenclast, for ShiftRows moves nothing where the four columns are equal; then the sum
 * of the columns so far (FIPS 197 §5.2). */
INLINE __m128i expand_step(__m128i key, __m128i before, __m128i pick, __m128i constant)
{
    __m128i word = _mm_aesenclast_si128(_mm_shuffle_epi8(before, pick), constant);
    key ^= _mm_slli_si128(key, 4);
    key ^= _mm_slli_si128(key, 8);
    return key ^ word;
}

INLINE void expand_key(__m128i first, __m128i second, __m128i out[TG_AES256_KEYS])
{
    const __m128i rotated = _mm_set1_epi32(0x0c0f0e0d), last = _mm_set1_epi32(0x0f0e0d0c);
    out[0] = first;
    out[1] = second;
    TG_UNROLL
    for (int i = 0; i < 7; i++) {
        first = expand_step(first, second, rotated, _mm_set1_epi32(1 << i));
        out[2 + 2 * i] = first;
        if (i < 6) {
            second = expand_step(second, first, last, _mm_setzero_si128());
            out[3 + 2 * i] = second;
        }
    }
}

INLINE void encrypt_blocks(const __m128i keys[TG_AES256_KEYS], __m128i *blocks, size_t num_blocks)
{
    TG_UNROLL
    for (size_t i = 0; i < num_blocks; i++) {
        blocks[i] ^= keys[0];
    }
    TG_UNROLL
    for (size_t round = 1; round < TG_AES256_KEYS - 1; round++) {
        TG_UNROLL
        for (size_t i = 0; i < num_blocks; i++) {
            blocks[i] = _mm_aesenc_si128(blocks[i], keys[round]);
        }
    }
    TG_UNROLL
    for (size_t i = 0; i < num_blocks; i++) {
        blocks[i] = _mm_aesenclast_si128(blocks[i], keys[TG_AES256_KEYS - 1]);
    }
}

/* A product of 256 bits, its middle part not yet added: sums of products are reduced once. */
typedef struct product {
    __m128i low, middle, high;
} product;

INLINE product multiply(__m128i a, __m128i b)
{
    return (product){_mm_clmulepi64_si128(a, b, 0x00),
                     _mm_clmulepi64_si128(a, b, 0x10) ^ _mm_clmulepi64_si128(a, b, 0x01),
                     _mm_clmulepi64_si128(a, b, 0x11)};
}

INLINE product add(product a, product b)
{
    return (product){a.low ^ b.low, a.middle ^ b.middle, a.high ^ b.high};
}

/* Montgomery's reduction by x^128 + x^127 + x^126 + x^121 + 1, which takes x^-128 into the product (RFC 8452 §3). */
INLINE __m128i reduce(product p)
{
    const __m128i poly = _mm_set_epi64x((long long)0xc200000000000000, 1);
    __m128i low = p.low ^ _mm_slli_si128(p.middle, 8), high = p.high ^ _mm_srli_si128(p.middle, 8);
    low = _mm_shuffle_epi32(low, 0x4e) ^ _mm_clmulepi64_si128(low, poly, 0x10);
    low = _mm_shuffle_epi32(low, 0x4e) ^ _mm_clmulepi64_si128(low, poly, 0x10);
    return high ^ low;
}

INLINE __m128i dot(__m128i a, __m128i b)
{
    return reduce(multiply(a, b));
}

/* RFC 8452 §4: the first halves of six blocks. */
INLINE void derive(tg_siv_x86 *cipher, __m128i nonce)
{
    __m128i blocks[6];
    TG_UNROLL
    for (int i = 0; i < 6; i++) {
        blocks[i] = _mm_slli_si128(nonce, 4) ^ _mm_cvtsi32_si128(i);
    }
    encrypt_blocks(cipher->generating_keys, blocks, 6);
    cipher->powers[0] = _mm_unpacklo_epi64(blocks[0], blocks[1]);
    expand_key(_mm_unpacklo_epi64(blocks[2], blocks[3]), _mm_unpacklo_epi64(blocks[4], blocks[5]), cipher->keys);
}

INLINE __m128i load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

INLINE void store(uint8_t *to, __m128i block)
{
    _mm_storeu_si128((__m128i *)(void *)to, block);
}

/* powers[i] is the key's power i + 1, each multiplied by x^-128 as often as a sum of TG_SIV_POWERS blocks needs it. */
INLINE void make_powers(__m128i powers[TG_SIV_POWERS])
{
    powers[1] = dot(powers[0], powers[0]);
    powers[2] = dot(powers[1], powers[0]);
    powers[3] = dot(powers[1], powers[1]);
    for (int i = 0; i < 4; i++) {
        powers[4 + i] = dot(powers[3], powers[i]);
    }
}

INLINE __m128i hash_whole_blocks(__m128i sum, const __m128i powers[TG_SIV_POWERS], const uint8_t *at, size_t num_blocks)
{
    for (; num_blocks >= TG_SIV_POWERS; num_blocks -= TG_SIV_POWERS, at += (size_t)16 * TG_SIV_POWERS) {
        product total = multiply(sum ^ load(at), powers[TG_SIV_POWERS - 1]);
        TG_UNROLL
        for (size_t i = 1; i < TG_SIV_POWERS; i++) {
            total = add(total, multiply(load(at + 16 * i), powers[TG_SIV_POWERS - 1 - i]));
        }
        sum = reduce(total);
    }
    for (; num_blocks > 0; num_blocks--, at += 16) {
        sum = dot(sum ^ load(at), powers[0]);
    }
    return sum;
}

INLINE __m128i hash_padded(__m128i sum, const __m128i powers[TG_SIV_POWERS], tg_slice bytes)
{
    size_t rest = bytes.len % 16;
    sum = hash_whole_blocks(sum, powers, bytes.ptr, bytes.len / 16);
    if (rest > 0) {
        sum = dot(sum ^ tg_block_load_part(bytes.ptr + (bytes.len - rest), rest), powers[0]);
    }
    return sum;
}

/* RFC 8452 §4: POLYVAL over AAD, plaintext and their lengths in bits; encrypted with the nonce it is the tag. */
INLINE __m128i make_tag(tg_siv_x86 *cipher, __m128i nonce, tg_slice aad, tg_slice plaintext)
{
    if (aad.len >= (size_t)16 * TG_SIV_POWERS || plaintext.len >= (size_t)16 * TG_SIV_POWERS) {
        make_powers(cipher->powers);
    }
    __m128i sum = hash_padded(_mm_setzero_si128(), cipher->powers, aad);
    sum = hash_padded(sum, cipher->powers, plaintext);
    __m128i lengths = tg_siv_lengths(aad, plaintext);
    sum = dot(sum ^ lengths, cipher->powers[0]) ^ nonce;
    sum = _mm_and_si128(sum, _mm_set_epi64x(INT64_MAX, -1));
    encrypt_blocks(cipher->keys, &sum, 1);
    return sum;
}

/* Fewer than 16 bytes; what they are taken from may be where they go. */
INLINE void mask_part(__m128i key, const uint8_t *in, uint8_t *out, size_t len)
{
    __m128i block = key ^ tg_block_load_part(in, len);
    uint64_t low = (uint64_t)_mm_extract_epi64(block, 0), high = (uint64_t)_mm_extract_epi64(block, 1);
    if (len >= 8) {
        memcpy(out, &low, 8);
        out += 8;
        len -= 8;
        low = high;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(low >> 8 * i);
    }
}

/* AES in counter mode from the tag on; the first 32 bits count, and wrap around (RFC 8452 §4). */
INLINE void apply_ctr(const __m128i keys[TG_AES256_KEYS], __m128i tag, const uint8_t *in, uint8_t *out, size_t len)
{
    const __m128i one = _mm_cvtsi32_si128(1);
    __m128i counter = _mm_or_si128(tag, _mm_set_epi64x(INT64_MIN, 0));
    for (; len >= (size_t)16 * CTR_BLOCKS; len -= (size_t)16 * CTR_BLOCKS) {
        __m128i blocks[CTR_BLOCKS];
        TG_UNROLL
        for (size_t i = 0; i < CTR_BLOCKS; i++) {
            blocks[i] = counter;
            counter = _mm_add_epi32(counter, one);
        }
        encrypt_blocks(keys, blocks, CTR_BLOCKS);
        TG_UNROLL
        for (size_t i = 0; i < CTR_BLOCKS; i++) {
            store(out + 16 * i, blocks[i] ^ load(in + 16 * i));
        }
        in += (size_t)16 * CTR_BLOCKS;
        out += (size_t)16 * CTR_BLOCKS;
    }
    for (; len > 0; counter = _mm_add_epi32(counter, one)) {
        __m128i block = counter;
        size_t take = len < 16 ? len : 16;
        encrypt_blocks(keys, &block, 1);
        if (take < 16) {
            mask_part(block, in, out, take);
        } else {
            store(out, block ^ load(in));
        }
        in += take;
        out += take;
        len -= take;
    }
}

TG_TARGET_AVX2 __attribute__((noinline)) void tg_siv_x86_seal_one(tg_siv_x86 *cipher, const tg_siv_job *job)
{
    __m128i nonce = tg_siv_load_nonce(job->nonce);
    derive(cipher, nonce);
    __m128i tag = make_tag(cipher, nonce, job->aad, job->plaintext);
    apply_ctr(cipher->keys, tag, job->plaintext.ptr, job->out, job->plaintext.len);
    store(job->out + job->plaintext.len, tag);
}

static tg_result seal(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        tg_siv_x86_seal_one(of(siv), &jobs[i]);
    }
    tg_stack_wipe();
    return tg_ok();
}

/* Decrypts to `out`. This and the next are apart from what decides by a tag, so that a check can see that nothing in
 * here does. */
TG_TARGET_AVX2 static __attribute__((noinline)) void decrypt(tg_siv_x86 *cipher, const tg_siv_sealed *sealed,
                                                             uint8_t *out)
{
    size_t len = sealed->bytes.len - TG_SIV_TAG_BYTES;
    derive(cipher, tg_siv_load_nonce(sealed->nonce));
    apply_ctr(cipher->keys, load(sealed->bytes.ptr + len), sealed->bytes.ptr, out, len);
}

TG_TARGET_AVX2 static __attribute__((noinline)) __m128i compute_tag(tg_siv_x86 *cipher, const tg_siv_sealed *sealed,
                                                                    tg_slice aad, const uint8_t *plaintext)
{
    tg_slice text = tg_slice_of(plaintext, sealed->bytes.len - TG_SIV_TAG_BYTES);
    return make_tag(cipher, tg_siv_load_nonce(sealed->nonce), aad, text);
}

/* The number of the AAD whose tag verifies; num_aads where none does. */
TG_TARGET_AVX2 static __attribute__((noinline)) size_t find_aad(tg_siv_x86 *cipher, const tg_siv_sealed *sealed,
                                                                const uint8_t *plaintext)
{
    size_t i = 0;
    for (; i < sealed->num_aads; i++) {
        __m128i tag = load(sealed->bytes.ptr + (sealed->bytes.len - TG_SIV_TAG_BYTES));
        __m128i differing = tag ^ compute_tag(cipher, sealed, sealed->aads[i], plaintext);
        if (_mm_testz_si128(differing, differing) != 0) {
            break;
        }
    }
    return i;
}

tg_result tg_siv_x86_open(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out, size_t *out_which)
{
    size_t len = sealed->bytes.len - TG_SIV_TAG_BYTES;
    decrypt(of(siv), sealed, out);
    size_t which = find_aad(of(siv), sealed, out);
    tg_stack_wipe();
    if (which < sealed->num_aads) {
        *out_which = which;
        return tg_ok();
    }
    if (len > 0) {
        memset(out, 0, len);
    }
    return tg_fail(TG_ERR_AUTH);
}

TG_TARGET_AVX2 static __attribute__((noinline)) void expand_generating_key(tg_siv_x86 *cipher, const uint8_t *key)
{
    expand_key(load(key), load(key + 16), cipher->generating_keys);
}

tg_result tg_siv_x86_create(const tg_siv_ops *ops, const tg_secret *key, tg_siv **out_siv)
{
    uint8_t *block = gcry_calloc_secure(1, sizeof(tg_siv_x86) + ALIGNMENT);
    if (block == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t gap = (ALIGNMENT - (uintptr_t)block % ALIGNMENT) % ALIGNMENT;
    tg_siv_x86 *made = (tg_siv_x86 *)(void *)(block + gap);
    made->siv.ops = ops;
    made->block = block;
    expand_generating_key(made, tg_secret_bytes(key));
    tg_stack_wipe();
    *out_siv = &made->siv;
    return tg_ok();
}

void tg_siv_x86_destroy(tg_siv *siv)
{
    gcry_free(of(siv)->block); /* libgcrypt wipes what is locked */
}

static tg_result create(const tg_secret *key, tg_siv **out_siv)
{
    return tg_siv_x86_create(&tg_siv_aesni, key, out_siv);
}

const tg_siv_ops tg_siv_aesni = {
    .name = "AES-NI", .create = create, .seal = seal, .open = tg_siv_x86_open, .destroy = tg_siv_x86_destroy};

#endif
