/* The vector code of json_index.c, for that file alone. */
#ifndef TG_FIELDS_JSON_INDEX_X86_H
#define TG_FIELDS_JSON_INDEX_X86_H

#include "fields/json_index.h"

#if TG_CPU_X86

enum { TG_JSON_UTF8_STEP = 32, TG_JSON_UTF8_BEFORE = 32 };

/* tg_json_classify_avx512 and _avx2 set the bits of a window's blocks, as far as it goes: quotes, backslashes and
 * control characters; what is no white space; what is not ASCII. True where all is ASCII. */
bool tg_json_classify_avx512(tg_slice window, uint64_t *special, uint64_t *dark, uint64_t *outside);
bool tg_json_classify_avx2(tg_slice window, uint64_t *special, uint64_t *dark, uint64_t *outside);

/* tg_json_utf8_is_valid_avx2 says whether the bytes are well-formed UTF-8 (RFC 3629), but for the end of a last
 * character that is cut off. What began before counts: TG_JSON_UTF8_BEFORE bytes stand before `bytes`, and whole steps
 * are read, zeroes behind them. */
bool tg_json_utf8_is_valid_avx2(const uint8_t *bytes, size_t len);

#endif
#endif
