/* A strict reader of CBOR (RFC 8949), over foreign bytes: no allocation, spans into the input. What has two spellings
 * is taken in one only: definite lengths, numbers and lengths in their shortest form, no key twice, no floats, and
 * nothing behind the last item. Items are read in order, as a list of gets with one check at the end (base/reader.h).
 */
#ifndef TG_ATTEST_CBOR_H
#define TG_ATTEST_CBOR_H

#include "base/reader.h"

enum { TG_MAX_CBOR_DEPTH = 8 };

typedef enum tg_cbor_type { /* the major types (RFC 8949 §3.1) that are read */
                            TG_CBOR_UNSIGNED = 0,
                            TG_CBOR_NEGATIVE = 1,
                            TG_CBOR_BYTES = 2,
                            TG_CBOR_TEXT = 3,
                            TG_CBOR_ARRAY = 4,
                            TG_CBOR_MAP = 5,
                            TG_CBOR_TAG = 6,
                            TG_CBOR_SIMPLE = 7 /* false, true, null, undefined */
} tg_cbor_type;

enum { TG_CBOR_FALSE = 20, TG_CBOR_TRUE = 21, TG_CBOR_NULL = 22, TG_CBOR_UNDEFINED = 23 };

typedef struct tg_cbor {
    tg_reader reader; /* remembers the first failure */
} tg_cbor;

typedef struct tg_cbor_head {
    tg_cbor_type type;
    uint64_t value; /* the number; -1 - value where negative; the length, count, tag or simple value */
} tg_cbor_head;

/* tg_cbor_of begins to read `bytes`, which must outlive what is read. */
tg_cbor tg_cbor_of(tg_slice bytes);

/* tg_cbor_fail records a failure of the caller's own, unless an earlier one stands. */
void tg_cbor_fail(tg_cbor *cbor, tg_code code);

/* tg_cbor_head reads the head of the next item; for bytes and text the content is next. After a failure, zeros.
 * fails  TG_ERR_TRUNCATED; TG_ERR_SYNTAX: an indefinite length, a number not in its shortest form, a reserved head;
 *        TG_ERR_UNSUPPORTED: a float, or a simple value other than the four
 */
TG_FOREIGN tg_cbor_head tg_cbor_read_head(tg_cbor *cbor);

/* Each get reads one item of its type: TG_ERR_MISMATCH for another type. Text must be UTF-8 (TG_ERR_SYNTAX). The
 * containers give their number of items or pairs, which stays within the bytes that are left (TG_ERR_TRUNCATED).
 */
uint64_t tg_cbor_unsigned(tg_cbor *cbor);
tg_slice tg_cbor_bytes(tg_cbor *cbor);
tg_slice tg_cbor_text(tg_cbor *cbor);
size_t tg_cbor_array(tg_cbor *cbor);
size_t tg_cbor_map(tg_cbor *cbor);

/* tg_cbor_bytes_or_null gives the slice with ptr NULL for null. */
tg_slice tg_cbor_bytes_or_null(tg_cbor *cbor);

/* tg_cbor_is_tag takes the tag `tag` where one is next, and says whether it did. */
bool tg_cbor_take_tag(tg_cbor *cbor, uint64_t tag);

/* tg_cbor_skip passes over one item with all that it holds, checked as strictly, keys in maps too.
 * fails  as tg_cbor_read_head; TG_ERR_LIMIT past TG_MAX_CBOR_DEPTH; TG_ERR_EXISTS: a key twice
 */
TG_FOREIGN void tg_cbor_skip(tg_cbor *cbor);

/* tg_cbor_finish is the first failure, or TG_ERR_SYNTAX where bytes are left. */
TG_MUST_USE tg_result tg_cbor_finish(const tg_cbor *cbor);
static inline bool tg_cbor_has_failed(const tg_cbor *cbor)
{
    return cbor->reader.code != TG_OK;
}

#endif
