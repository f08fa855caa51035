/* COSE_Sign1 (RFC 9052 §4.2) with ES384: what is signed. */
#ifndef TG_ATTEST_COSE_H
#define TG_ATTEST_COSE_H

#include "base/buf.h"

/* tg_cose_put_signed appends the Sig_structure of a payload (RFC 9052 §4.4), without external data: what is signed.
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_cose_put_signed(tg_buf *buf, tg_slice protected_header, tg_slice payload);

#endif
