/* AES-256-GCM-SIV by AES-NI and PCLMULQDQ: what the two implementations of siv_x86.c and siv_vaes.c share.
 *
 * Nothing here depends on a secret but data: no table, no branch and no address. Lengths are public. Keys, also those
 * that are derived for one message, stand in libgcrypt's locked memory, wiped when the cipher is freed; what the
 * compiler spills to the stack is wiped before a call of tg_siv_ops returns. */
#ifndef TG_CRYPTO_SIV_X86_H
#define TG_CRYPTO_SIV_X86_H

#include "crypto/siv.h"
#include "crypto/x86_block.h"

#if TG_CPU_X86

enum { TG_AES256_KEYS = 15, TG_SIV_POWERS = 8, TG_SIV_LANE_GROUPS = 2 };

typedef struct tg_siv_x86 {
    tg_siv siv;
    void *block;                             /* libgcrypt's, in which this stands aligned */
    __m128i generating_keys[TG_AES256_KEYS]; /* RFC 8452 §4: the key-generating key, expanded */
    /* Of the message at hand: its record-encryption key, expanded, and powers of its record-authentication key. */
    __m128i keys[TG_AES256_KEYS];
    __m128i powers[TG_SIV_POWERS];
    /* The same of several messages, one in each lane of 128 bits. */
    __m512i lane_keys[TG_SIV_LANE_GROUPS][TG_AES256_KEYS];
} tg_siv_x86;

/* tg_siv_x86_create makes a cipher of these functions; as tg_siv_new. */
TG_MUST_USE tg_result tg_siv_x86_create(const tg_siv_ops *ops, const tg_secret *key, tg_siv **out_siv);
void tg_siv_x86_destroy(tg_siv *siv);
/* tg_siv_x86_seal_one and tg_siv_x86_open handle one message; level avx2. The former leaves the stack to its caller
 * (tg_stack_wipe). */
void tg_siv_x86_seal_one(tg_siv_x86 *cipher, const tg_siv_job *job);
TG_MUST_USE tg_result tg_siv_x86_open(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out, size_t *out_which);

TG_TARGET_AVX2 TG_INLINE __m128i tg_siv_load_nonce(const uint8_t *nonce)
{
    uint64_t low;
    uint32_t high;
    memcpy(&low, nonce, 8);
    memcpy(&high, nonce + 8, 4);
    return _mm_set_epi64x((long long)(uint64_t)high, (long long)low);
}

/* The last block of what is hashed: both lengths in bits (RFC 8452 §4). */
TG_TARGET_AVX2 TG_INLINE __m128i tg_siv_lengths(tg_slice aad, tg_slice plaintext)
{
    uint64_t aad_bits = (uint64_t)aad.len * 8, plaintext_bits = (uint64_t)plaintext.len * 8;
    return _mm_set_epi64x((long long)plaintext_bits, (long long)aad_bits);
}

#endif
#endif
