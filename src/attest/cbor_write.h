/* Writing CBOR (RFC 8949) in its deterministic form (§4.2.1): shortest heads, definite lengths. What a container holds
 * is written behind its head, as many items or pairs as that says. Each fails as tg_buf_append does. */
#ifndef TG_ATTEST_CBOR_WRITE_H
#define TG_ATTEST_CBOR_WRITE_H

#include "attest/cbor.h"
#include "base/buf.h"

/* tg_cbor_put_head writes a head: a number, a length, a count, a tag or a simple value (one byte). */
TG_MUST_USE tg_result tg_cbor_put_head(tg_buf *buf, tg_cbor_type type, uint64_t value);

/* tg_cbor_put_bytes writes a byte string; tg_cbor_put_text a NUL-terminated text, which must be UTF-8. */
TG_MUST_USE tg_result tg_cbor_put_bytes(tg_buf *buf, tg_slice bytes);

TG_MUST_USE tg_result tg_cbor_put_text(tg_buf *buf, const char *text);
/* tg_cbor_put_bytes_or_null writes null for a slice whose ptr is NULL. */
TG_MUST_USE tg_result tg_cbor_put_bytes_or_null(tg_buf *buf, tg_slice bytes);

#endif
