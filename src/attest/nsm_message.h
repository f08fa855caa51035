/* The messages of the Nitro Secure Module: requests and answers in CBOR, as AWS's own library writes them. A request
 * without members is a text, one with members a map of its name to a map; answers likewise, or `{"Error": NAME}`. */
#ifndef TG_ATTEST_NSM_MESSAGE_H
#define TG_ATTEST_NSM_MESSAGE_H

#include "attest/device.h"

enum { TG_MAX_NSM_REQUEST_BYTES = 0x1000, TG_MAX_NSM_ANSWER_BYTES = 0x3000 };

/* The requests, each appended to *out: TG_ERR_LIMIT past the buffer's maximum, TG_ERR_MEMORY. */
TG_MUST_USE tg_result tg_nsm_put_attestation(tg_buf *out, const tg_attest_request *request);
TG_MUST_USE tg_result tg_nsm_put_get_random(tg_buf *out);
/* tg_nsm_put_pcr writes one that names a register alone: `DescribePCR`, `LockPCR`. */
TG_MUST_USE tg_result tg_nsm_put_pcr(tg_buf *out, const char *name, unsigned index);
TG_MUST_USE tg_result tg_nsm_put_extend_pcr(tg_buf *out, unsigned index, tg_slice bytes);

/* What an answer may hold; slices point into its bytes. */
typedef struct tg_nsm_answer {
    tg_slice document; /* Attestation */
    tg_slice random;   /* GetRandom */
    tg_slice data;     /* DescribePCR, ExtendPCR: the register's value */
    bool is_locked;    /* DescribePCR */
} tg_nsm_answer;

/* tg_nsm_answer_parse reads the answer to the request `name`, which must have exactly the members of that answer.
 * in    bytes: at most TG_MAX_NSM_ANSWER_BYTES
 * err   the module's own refusal: TG_ERR_RANGE (InvalidIndex), TG_ERR_DENIED (ReadOnlyIndex, InvalidOperation),
 *       TG_ERR_LIMIT (InputTooLarge, BufferTooSmall), TG_ERR_LIBRARY (any other), with detail naming it; a damaged
 *       answer: TG_ERR_TRUNCATED, TG_ERR_SYNTAX, TG_ERR_MISMATCH (another type or answer), TG_ERR_NOT_FOUND,
 *       TG_ERR_EXISTS, TG_ERR_UNSUPPORTED (members)
 */
TG_FOREIGN TG_MUST_USE tg_result tg_nsm_answer_parse(tg_slice bytes, const char *name, tg_nsm_answer *out_answer,
                                                     tg_detail *detail);

#endif
