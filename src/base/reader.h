/* A bounded reader over foreign bytes. It remembers its first failure: after one, every get gives zeros and empty
 * slices, so that a parser reads as a list of gets followed by one check of tg_reader_finish or tg_reader_result. */
#ifndef TG_BASE_READER_H
#define TG_BASE_READER_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_reader {
    tg_slice rest; /* what has not been read */
    tg_code code;  /* the first failure, TG_OK before any */
} tg_reader;

static inline tg_reader tg_reader_of(tg_slice bytes)
{
    return (tg_reader){bytes, TG_OK};
}

/* tg_reader_fail records `code` unless an earlier failure stands, and drops the rest. */
void tg_reader_fail(tg_reader *reader, tg_code code);

/* The gets read big-endian numbers of 1, 2, 3, 4 and 8 bytes; TG_ERR_TRUNCATED where fewer remain. */
uint8_t tg_reader_u8(tg_reader *reader);
uint16_t tg_reader_u16(tg_reader *reader);
uint32_t tg_reader_u24(tg_reader *reader);
uint32_t tg_reader_u32(tg_reader *reader);
uint64_t tg_reader_u64(tg_reader *reader);

/* tg_reader_bytes takes exactly `len` bytes; the slice lives as long as the input. */
tg_slice tg_reader_bytes(tg_reader *reader, size_t len);

/* The vectors take a length of 1, 2 or 3 bytes and that many bytes (TLS presentation language, RFC 8446 §3.4). */
tg_slice tg_reader_vector8(tg_reader *reader);
tg_slice tg_reader_vector16(tg_reader *reader);
tg_slice tg_reader_vector24(tg_reader *reader);

/* tg_reader_result is the first failure. tg_reader_finish also fails with TG_ERR_SYNTAX where bytes are left. */
TG_MUST_USE tg_result tg_reader_result(const tg_reader *reader);
TG_MUST_USE tg_result tg_reader_finish(const tg_reader *reader);

#endif
