/* Base64's long stretches by vector instructions, for encode.c alone. Which characters stand for 62 and 63 tells the
 * two alphabets apart. Nothing depends on the bytes but data: no table, no branch; only where text is refused does the
 * place of a wrong character show. */
#ifndef TG_BASE_BASE64_X86_H
#define TG_BASE_BASE64_X86_H

#include "base/cpu.h"

#if TG_CPU_X86

/* The AVX-512 ways do all of it: encode writes the last, shorter group too, decode says whether the text is right.
 * in    decode: text without padding, its length not 1 more than a multiple of 4; `out` does not overlap it
 *       encode: `out` may end where the bytes end: what is read is read before it is written over
 */
void tg_base64_encode_avx512(const uint8_t alphabet[64], tg_slice bytes, uint8_t *out);
bool tg_base64_decode_avx512(const uint8_t alphabet[64], tg_slice text, uint8_t *out);

/* The AVX2 ways do whole steps of 12 bytes and 16 characters, and give how much of the input they have done; decode
 * ends before a step that holds a wrong character. */
size_t tg_base64_encode_avx2(const uint8_t alphabet[64], tg_slice bytes, uint8_t *out);
size_t tg_base64_decode_avx2(const uint8_t alphabet[64], tg_slice text, uint8_t *out);

#endif
#endif
