/* Several short messages at once: one in each lane of 128 bits, four lanes in a register, two registers side by side,
 * so that one's latency hides behind the other's work. Long messages go one at a time. */
#include "crypto/siv_x86.h"

#include "crypto/stack.h"

#if TG_CPU_X86

enum {
    LANES = 4,
    GROUPS = TG_SIV_LANE_GROUPS,
    MAX_MESSAGES = LANES * GROUPS,
    SHORT_BYTES = 256, /* of plaintext and of AAD: where lanes of different length cost more than they save */
};

#define INLINE TG_TARGET_AVX512 TG_INLINE

static const tg_siv_job nothing = {(const uint8_t[TG_SIV_NONCE_BYTES]){0}, {NULL, 0}, {NULL, 0}, NULL};

static tg_siv_x86 *of(tg_siv *siv)
{
    return (tg_siv_x86 *)(void *)siv;
}

INLINE __m512i of_lanes(const __m128i lanes[LANES])
{
    __m512i all = _mm512_castsi128_si512(lanes[0]);
    all = _mm512_inserti32x4(all, lanes[1], 1);
    all = _mm512_inserti32x4(all, lanes[2], 2);
    return _mm512_inserti32x4(all, lanes[3], 3);
}

INLINE __m512i everywhere(__m128i lane)
{
    return _mm512_broadcast_i32x4(lane);
}

/* The constants' halves, high and low, in each lane. */
INLINE __m512i pair(uint64_t high, uint64_t low)
{
    return everywhere(_mm_set_epi64x((long long)high, (long long)low));
}

INLINE __m512i expand_step(__m512i key, __m512i before, __m512i pick, __m512i constant)
{
    __m512i word = _mm512_aesenclast_epi128(_mm512_shuffle_epi8(before, pick), constant);
    key ^= _mm512_bslli_epi128(key, 4);
    key ^= _mm512_bslli_epi128(key, 8);
    return key ^ word;
}

/* Like expand_key of siv_x86.c, over all groups at once. */
INLINE void expand_keys(__m512i first[GROUPS], __m512i second[GROUPS], __m512i out[GROUPS][TG_AES256_KEYS],
                        size_t num_groups)
{
    const __m512i rotated = _mm512_set1_epi32(0x0c0f0e0d), last = _mm512_set1_epi32(0x0f0e0d0c);
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        out[g][0] = first[g];
        out[g][1] = second[g];
    }
    TG_UNROLL
    for (size_t i = 0; i < 7; i++) {
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            first[g] = expand_step(first[g], second[g], rotated, _mm512_set1_epi32(1 << i));
            out[g][2 + 2 * i] = first[g];
            if (i < 6) {
                second[g] = expand_step(second[g], first[g], last, _mm512_setzero_si512());
                out[g][3 + 2 * i] = second[g];
            }
        }
    }
}

/* One block of each message, under its own key. */
INLINE void encrypt_lanes(__m512i keys[GROUPS][TG_AES256_KEYS], __m512i blocks[GROUPS], size_t num_groups)
{
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        blocks[g] ^= keys[g][0];
    }
    TG_UNROLL
    for (size_t round = 1; round < TG_AES256_KEYS - 1; round++) {
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            blocks[g] = _mm512_aesenc_epi128(blocks[g], keys[g][round]);
        }
    }
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        blocks[g] = _mm512_aesenclast_epi128(blocks[g], keys[g][TG_AES256_KEYS - 1]);
    }
}

/* RFC 8452 §4: six blocks of each message under the one key-generating key, of each its first half. */
INLINE void derive(tg_siv_x86 *cipher, const __m512i nonces[GROUPS], __m512i out_hash_keys[GROUPS], size_t num_groups)
{
    __m512i blocks[GROUPS][6], first[GROUPS], second[GROUPS];
    __m512i key = everywhere(cipher->generating_keys[0]);
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        TG_UNROLL
        for (size_t i = 0; i < 6; i++) {
            blocks[g][i] = _mm512_bslli_epi128(nonces[g], 4) ^ pair(0, i) ^ key;
        }
    }
    TG_UNROLL
    for (size_t round = 1; round < TG_AES256_KEYS; round++) {
        key = everywhere(cipher->generating_keys[round]);
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            TG_UNROLL
            for (size_t i = 0; i < 6; i++) {
                blocks[g][i] = round < TG_AES256_KEYS - 1 ? _mm512_aesenc_epi128(blocks[g][i], key)
                                                          : _mm512_aesenclast_epi128(blocks[g][i], key);
            }
        }
    }
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        out_hash_keys[g] = _mm512_unpacklo_epi64(blocks[g][0], blocks[g][1]);
        first[g] = _mm512_unpacklo_epi64(blocks[g][2], blocks[g][3]);
        second[g] = _mm512_unpacklo_epi64(blocks[g][4], blocks[g][5]);
    }
    expand_keys(first, second, cipher->lane_keys, num_groups);
}

/* POLYVAL's product (RFC 8452 §3), as reduce(multiply(a, b)) of siv_x86.c. */
INLINE __m512i dot(__m512i a, __m512i b)
{
    const __m512i poly = pair(0xc200000000000000, 1);
    __m512i low = _mm512_clmulepi64_epi128(a, b, 0x00), high = _mm512_clmulepi64_epi128(a, b, 0x11);
    __m512i middle = _mm512_clmulepi64_epi128(a, b, 0x10) ^ _mm512_clmulepi64_epi128(a, b, 0x01);
    low ^= _mm512_bslli_epi128(middle, 8);
    high ^= _mm512_bsrli_epi128(middle, 8);
    low = _mm512_shuffle_epi32(low, (_MM_PERM_ENUM)0x4e) ^ _mm512_clmulepi64_epi128(low, poly, 0x10);
    low = _mm512_shuffle_epi32(low, (_MM_PERM_ENUM)0x4e) ^ _mm512_clmulepi64_epi128(low, poly, 0x10);
    return high ^ low;
}

INLINE size_t blocks_of(size_t len)
{
    return (len + 15) / 16;
}

INLINE __mmask16 mask_of(size_t len)
{
    return (__mmask16)_bzhi_u32(0xffff, (unsigned)len);
}

INLINE __m128i padded_block(tg_slice bytes, size_t index)
{
    size_t left = bytes.len - 16 * index;
    return _mm_maskz_loadu_epi8(mask_of(left < 16 ? left : 16), bytes.ptr + 16 * index);
}

/* Block `step` of what is hashed: AAD, plaintext, lengths. Messages end together: shorter ones begin with blocks of
 * zeroes, which change nothing while the sum is zero. */
INLINE __m128i hashed_block(const tg_siv_job *job, size_t num_steps, size_t step)
{
    size_t num_aad = blocks_of(job->aad.len), num_text = blocks_of(job->plaintext.len);
    size_t num_blanks = num_steps - (num_aad + num_text + 1);
    if (step + 1 == num_steps) {
        return tg_siv_lengths(job->aad, job->plaintext);
    }
    if (step < num_blanks) {
        return _mm_setzero_si128();
    }
    size_t index = step - num_blanks;
    return index < num_aad ? padded_block(job->aad, index) : padded_block(job->plaintext, index - num_aad);
}

INLINE void make_tags(tg_siv_x86 *cipher, const tg_siv_job *const jobs[MAX_MESSAGES], const __m512i nonces[GROUPS],
                      const __m512i hash_keys[GROUPS], __m512i tags[GROUPS], size_t num_groups)
{
    size_t num_steps = 1;
    for (size_t i = 0; i < num_groups * LANES; i++) {
        size_t steps = blocks_of(jobs[i]->aad.len) + blocks_of(jobs[i]->plaintext.len) + 1;
        num_steps = steps > num_steps ? steps : num_steps;
    }
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        tags[g] = _mm512_setzero_si512();
    }
    for (size_t step = 0; step < num_steps; step++) {
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            __m128i blocks[LANES];
            TG_UNROLL
            for (size_t i = 0; i < LANES; i++) {
                blocks[i] = hashed_block(jobs[g * LANES + i], num_steps, step);
            }
            tags[g] = dot(tags[g] ^ of_lanes(blocks), hash_keys[g]);
        }
    }
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        tags[g] = _mm512_and_si512(tags[g] ^ nonces[g], pair(INT64_MAX, UINT64_MAX));
    }
    encrypt_lanes(cipher->lane_keys, tags, num_groups);
}

/* Block `index` of a message, as far as it has one; what it is taken from may be where it goes. */
INLINE void mask_block(const tg_siv_job *job, size_t index, __m128i key)
{
    size_t at = 16 * index;
    if (at < job->plaintext.len) {
        size_t left = job->plaintext.len - at;
        __mmask16 mask = mask_of(left < 16 ? left : 16);
        _mm_mask_storeu_epi8(job->out + at, mask, key ^ _mm_maskz_loadu_epi8(mask, job->plaintext.ptr + at));
    }
}

INLINE void apply_ctr(tg_siv_x86 *cipher, const tg_siv_job *const jobs[MAX_MESSAGES], const __m512i tags[GROUPS],
                      size_t num_groups)
{
    size_t num_blocks = 0;
    for (size_t i = 0; i < num_groups * LANES; i++) {
        size_t blocks = blocks_of(jobs[i]->plaintext.len);
        num_blocks = blocks > num_blocks ? blocks : num_blocks;
    }
    for (size_t index = 0; index < num_blocks; index++) {
        __m512i blocks[GROUPS];
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            blocks[g] = _mm512_or_si512(tags[g], pair((uint64_t)1 << 63, 0));
            blocks[g] = _mm512_add_epi32(blocks[g], pair(0, index));
        }
        encrypt_lanes(cipher->lane_keys, blocks, num_groups);
        TG_UNROLL
        for (size_t g = 0; g < num_groups; g++) {
            mask_block(jobs[g * LANES], index, _mm512_extracti32x4_epi32(blocks[g], 0));
            mask_block(jobs[g * LANES + 1], index, _mm512_extracti32x4_epi32(blocks[g], 1));
            mask_block(jobs[g * LANES + 2], index, _mm512_extracti32x4_epi32(blocks[g], 2));
            mask_block(jobs[g * LANES + 3], index, _mm512_extracti32x4_epi32(blocks[g], 3));
        }
    }
}

INLINE void seal_lanes(tg_siv_x86 *cipher, const tg_siv_job *const jobs[MAX_MESSAGES], size_t num_groups)
{
    __m512i nonces[GROUPS], hash_keys[GROUPS], tags[GROUPS];
    TG_UNROLL
    for (size_t g = 0; g < num_groups; g++) {
        __m128i lanes[LANES];
        TG_UNROLL
        for (size_t i = 0; i < LANES; i++) {
            lanes[i] = tg_siv_load_nonce(jobs[g * LANES + i]->nonce);
        }
        nonces[g] = of_lanes(lanes);
    }
    derive(cipher, nonces, hash_keys, num_groups);
    make_tags(cipher, jobs, nonces, hash_keys, tags, num_groups);
    apply_ctr(cipher, jobs, tags, num_groups);
    for (size_t i = 0; i < num_groups * LANES; i++) {
        uint8_t tag_lanes[GROUPS][LANES][TG_SIV_TAG_BYTES];
        memcpy(tag_lanes, tags, num_groups * sizeof tags[0]);
        if (jobs[i]->out != NULL) {
            memcpy(jobs[i]->out + jobs[i]->plaintext.len, tag_lanes[i / LANES][i % LANES], TG_SIV_TAG_BYTES);
        }
    }
}

TG_TARGET_AVX512 static __attribute__((noinline)) void seal_few(tg_siv_x86 *cipher,
                                                                const tg_siv_job *const jobs[MAX_MESSAGES])
{
    seal_lanes(cipher, jobs, 1);
}

TG_TARGET_AVX512 static __attribute__((noinline)) void seal_many(tg_siv_x86 *cipher,
                                                                 const tg_siv_job *const jobs[MAX_MESSAGES])
{
    seal_lanes(cipher, jobs, GROUPS);
}

static void seal_some(tg_siv_x86 *cipher, const tg_siv_job *jobs[MAX_MESSAGES], size_t num_jobs)
{
    if (num_jobs == 1) {
        tg_siv_x86_seal_one(cipher, jobs[0]);
        return;
    }
    for (size_t i = num_jobs; i < MAX_MESSAGES; i++) {
        jobs[i] = &nothing;
    }
    if (num_jobs > LANES) {
        seal_many(cipher, jobs);
    } else if (num_jobs > 0) {
        seal_few(cipher, jobs);
    }
}

static tg_result seal(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs)
{
    const tg_siv_job *taken[MAX_MESSAGES];
    size_t num_taken = 0;
    for (size_t i = 0; i < num_jobs; i++) {
        if (jobs[i].plaintext.len > SHORT_BYTES || jobs[i].aad.len > SHORT_BYTES) {
            tg_siv_x86_seal_one(of(siv), &jobs[i]);
            continue;
        }
        taken[num_taken++] = &jobs[i];
        if (num_taken == MAX_MESSAGES) {
            seal_some(of(siv), taken, num_taken);
            num_taken = 0;
        }
    }
    seal_some(of(siv), taken, num_taken);
    tg_stack_wipe();
    return tg_ok();
}

static tg_result create(const tg_secret *key, tg_siv **out_siv)
{
    return tg_siv_x86_create(&tg_siv_vaes, key, out_siv);
}

const tg_siv_ops tg_siv_vaes = {
    .name = "VAES", .create = create, .seal = seal, .open = tg_siv_x86_open, .destroy = tg_siv_x86_destroy};

#endif
