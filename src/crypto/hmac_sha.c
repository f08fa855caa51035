/* HMAC-SHA256 by the processor's SHA instructions. The states behind the key's two blocks are kept, so that a message
 * of up to 55 bytes costs two blocks; of two such messages the rounds are done side by side, for one alone waits for
 * its own results half of the time. Nothing depends on the bytes but data, and none of it is left on the stack. */
#include "crypto/hmac.h"

#include "crypto/x86_block.h"

#if TG_CPU_X86

#include "base/buf.h"
#include "crypto/stack.h"

#include <gcrypt.h>

#define SHA    __attribute__((target("avx2,bmi,bmi2,popcnt,aes,pclmul,sha")))
#define INLINE SHA TG_INLINE

enum { BLOCK_BYTES = 64, SHORT_BYTES = BLOCK_BYTES - 9, ALIGNMENT = 16 };

/* As the instructions take it: words A, B, E, F and C, D, G, H from the highest down. */
typedef struct sha_state {
    __m128i abef, cdgh;
} sha_state;

/* The 16 words of one block. */
typedef struct sha_block {
    __m128i words[4];
} sha_block;

typedef struct sha_hmac {
    tg_hmac hmac;
    void *block; /* libgcrypt's, in which this stands aligned */
    sha_state inner, outer;
    uint8_t pending[BLOCK_BYTES]; /* a message's bytes that fill no block yet */
} sha_hmac;

/* FIPS 180-4 §4.2.2. */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static sha_hmac *of(tg_hmac *hmac)
{
    return (sha_hmac *)(void *)hmac;
}

INLINE __m128i swap_words(__m128i words)
{
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

INLINE __m128i load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

INLINE sha_block load_block(const uint8_t *from)
{
    sha_block block;
    TG_UNROLL
    for (size_t i = 0; i < 4; i++) {
        block.words[i] = swap_words(load(from + 16 * i));
    }
    return block;
}

INLINE sha_state first_state(void) /* FIPS 180-4 §5.3.3 */
{
    return (sha_state){_mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
                       _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19)};
}

/* The compression function over one block of each of `num` messages (FIPS 180-4 §6.2.2), four rounds at a time. */
INLINE void compress(sha_state *states, sha_block *blocks, size_t num)
{
    sha_state now[2];
    TG_UNROLL
    for (size_t n = 0; n < num; n++) {
        now[n] = states[n];
    }
    TG_UNROLL
    for (size_t i = 0; i < 16; i++) {
        const __m128i constant = _mm_load_si128((const __m128i *)(const void *)(constants + 4 * i));
        TG_UNROLL
        for (size_t n = 0; n < num; n++) {
            __m128i *words = blocks[n].words;
            if (i >= 4) {
                __m128i last = words[(i + 3) % 4];
                __m128i sum = _mm_sha256msg1_epu32(words[i % 4], words[(i + 1) % 4]);
                sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, words[(i + 2) % 4], 4));
                words[i % 4] = _mm_sha256msg2_epu32(sum, last);
            }
            __m128i input = _mm_add_epi32(words[i % 4], constant);
            now[n].cdgh = _mm_sha256rnds2_epu32(now[n].cdgh, now[n].abef, input);
            now[n].abef = _mm_sha256rnds2_epu32(now[n].abef, now[n].cdgh, _mm_shuffle_epi32(input, 0x0e));
        }
    }
    TG_UNROLL
    for (size_t n = 0; n < num; n++) {
        states[n].abef = _mm_add_epi32(states[n].abef, now[n].abef);
        states[n].cdgh = _mm_add_epi32(states[n].cdgh, now[n].cdgh);
    }
}

/* The digest's words, and behind them its padding as the one block of the outer hash. */
INLINE sha_block digest_block(sha_state state)
{
    __m128i abef = _mm_shuffle_epi32(state.abef, 0x1b), cdgh = _mm_shuffle_epi32(state.cdgh, 0x1b);
    return (sha_block){{_mm_unpacklo_epi64(abef, cdgh), _mm_unpackhi_epi64(abef, cdgh),
                        _mm_set_epi32(0, 0, 0, INT32_MIN), _mm_set_epi32((BLOCK_BYTES + TG_HMAC_BYTES) * 8, 0, 0, 0)}};
}

INLINE void store_digest(sha_state state, uint8_t out[TG_HMAC_BYTES])
{
    sha_block block = digest_block(state);
    TG_UNROLL
    for (size_t i = 0; i < 2; i++) {
        _mm_storeu_si128((__m128i *)(void *)(out + 16 * i), swap_words(block.words[i]));
    }
}

/* Hashes what is left of a message, in parts, and its padding. `before` bytes stand in `state` already. */
SHA static sha_state finish(sha_hmac *hmac, sha_state state, size_t before, const tg_slice *parts, size_t num_parts)
{
    uint64_t total = before;
    size_t held = 0;
    for (size_t i = 0; i < num_parts; i++) {
        tg_slice rest = parts[i];
        total += rest.len;
        while (rest.len > 0) {
            sha_block block;
            if (held == 0 && rest.len >= BLOCK_BYTES) {
                block = load_block(rest.ptr);
                rest = tg_slice_from(rest, BLOCK_BYTES);
            } else {
                size_t take = rest.len < BLOCK_BYTES - held ? rest.len : BLOCK_BYTES - held;
                memcpy(hmac->pending + held, rest.ptr, take);
                rest = tg_slice_from(rest, take);
                held += take;
                if (held < BLOCK_BYTES) {
                    break;
                }
                block = load_block(hmac->pending);
                held = 0;
            }
            compress(&state, &block, 1);
        }
    }
    memset(hmac->pending + held, 0, BLOCK_BYTES - held);
    hmac->pending[held] = 0x80;
    sha_block last = load_block(hmac->pending);
    if (held > SHORT_BYTES) {
        compress(&state, &last, 1);
        memset(&last, 0, sizeof last);
    }
    last.words[3] = _mm_or_si128(last.words[3], _mm_set_epi32((int)(uint32_t)(total * 8), (int)(total >> 29), 0, 0));
    compress(&state, &last, 1);
    return state;
}

SHA static __attribute__((noinline)) void compute_long(sha_hmac *hmac, const tg_slice *parts, size_t num_parts,
                                                       uint8_t out_mac[TG_HMAC_BYTES])
{
    sha_block block = digest_block(finish(hmac, hmac->inner, BLOCK_BYTES, parts, num_parts));
    sha_state state = hmac->outer;
    compress(&state, &block, 1);
    store_digest(state, out_mac);
}

static void compute(tg_hmac *hmac, const tg_slice *parts, size_t num_parts, uint8_t out_mac[TG_HMAC_BYTES])
{
    compute_long(of(hmac), parts, num_parts, out_mac);
    tg_stack_wipe();
}

static bool is_short(const tg_hmac_job *job)
{
    return job->prefix.len <= SHORT_BYTES && job->text.len <= SHORT_BYTES - job->prefix.len;
}

/* The one block of a short message: its bytes, the padding's bit and the length. */
INLINE sha_block short_block(sha_hmac *hmac, const tg_hmac_job *job)
{
    static const uint8_t marks[32] = {[16] = 0x80};
    size_t len = job->text.len;
    const uint8_t *bytes = job->text.ptr;
    if (job->prefix.len > 0) {
        memcpy(hmac->pending, job->prefix.ptr, job->prefix.len);
        memcpy(hmac->pending + job->prefix.len, bytes, len);
        bytes = hmac->pending;
        len += job->prefix.len;
    }
    sha_block block;
    TG_UNROLL
    for (size_t i = 0; i < 4; i++) {
        size_t at = 16 * i;
        __m128i words = _mm_setzero_si128();
        if (len >= at + 16) {
            words = load(bytes + at);
        } else if (len >= at) {
            words = _mm_or_si128(tg_block_load_part(bytes + at, len - at), load(marks + 16 - (len - at)));
        }
        block.words[i] = swap_words(words);
    }
    block.words[3] = _mm_or_si128(block.words[3], _mm_set_epi32((int)(BLOCK_BYTES + len) * 8, 0, 0, 0));
    return block;
}

INLINE void compute_short(sha_hmac *hmac, const tg_hmac_job *jobs, size_t num_jobs)
{
    sha_state states[2];
    sha_block blocks[2];
    TG_UNROLL
    for (size_t i = 0; i < num_jobs; i++) {
        states[i] = hmac->inner;
        blocks[i] = short_block(hmac, &jobs[i]);
    }
    compress(states, blocks, num_jobs);
    TG_UNROLL
    for (size_t i = 0; i < num_jobs; i++) {
        blocks[i] = digest_block(states[i]);
        states[i] = hmac->outer;
    }
    compress(states, blocks, num_jobs);
    TG_UNROLL
    for (size_t i = 0; i < num_jobs; i++) {
        store_digest(states[i], jobs[i].out_mac);
    }
}

SHA static __attribute__((noinline)) void compute_one(sha_hmac *hmac, const tg_hmac_job *job)
{
    compute_short(hmac, job, 1);
}

SHA static __attribute__((noinline)) void compute_two(sha_hmac *hmac, const tg_hmac_job *jobs)
{
    compute_short(hmac, jobs, 2);
}

static void compute_many(tg_hmac *base, const tg_hmac_job *jobs, size_t num_jobs)
{
    sha_hmac *hmac = of(base);
    for (size_t i = 0; i < num_jobs; i++) {
        if (!is_short(&jobs[i])) {
            tg_slice parts[] = {jobs[i].prefix, jobs[i].text};
            compute_long(hmac, parts, TG_COUNT(parts), jobs[i].out_mac);
        } else if (i + 1 < num_jobs && is_short(&jobs[i + 1])) {
            compute_two(hmac, &jobs[i++]);
        } else {
            compute_one(hmac, &jobs[i]);
        }
    }
    tg_stack_wipe();
}

/* The states behind the key's block, with RFC 2104's two paddings. A key of more than a block counts by its digest. */
SHA static __attribute__((noinline)) void set_key(sha_hmac *hmac, tg_slice key)
{
    const __m128i inner_pad = _mm_set1_epi8(0x36), outer_pad = _mm_set1_epi8(0x5c);
    uint8_t digest[TG_HMAC_BYTES];
    if (key.len > BLOCK_BYTES) {
        store_digest(finish(hmac, first_state(), 0, &key, 1), digest);
        key = tg_slice_of(digest, sizeof digest);
    }
    memset(hmac->pending, 0, BLOCK_BYTES);
    memcpy(hmac->pending, key.ptr != NULL ? key.ptr : digest, key.len);
    sha_block inner = load_block(hmac->pending), outer = inner;
    for (size_t i = 0; i < 4; i++) {
        inner.words[i] ^= inner_pad;
        outer.words[i] ^= outer_pad;
    }
    hmac->inner = hmac->outer = first_state();
    compress(&hmac->inner, &inner, 1);
    compress(&hmac->outer, &outer, 1);
}

static tg_result create(tg_slice key, tg_hmac **out_hmac)
{
    uint8_t *block = gcry_calloc_secure(1, sizeof(sha_hmac) + ALIGNMENT);
    if (block == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t gap = (ALIGNMENT - (uintptr_t)block % ALIGNMENT) % ALIGNMENT;
    sha_hmac *made = (sha_hmac *)(void *)(block + gap);
    made->hmac.ops = &tg_hmac_sha;
    made->block = block;
    set_key(made, key);
    tg_stack_wipe();
    *out_hmac = &made->hmac;
    return tg_ok();
}

static void destroy(tg_hmac *hmac)
{
    gcry_free(of(hmac)->block); /* libgcrypt wipes what is locked */
}

const tg_hmac_ops tg_hmac_sha = {
    .name = "SHA", .create = create, .compute = compute, .compute_many = compute_many, .destroy = destroy};

#endif
