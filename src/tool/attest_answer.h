/* What `teegate attest` looks at: a document and the manifest that it vouches for, from a live endpoint or a file. */
#ifndef TG_TOOL_ATTEST_ANSWER_H
#define TG_TOOL_ATTEST_ANSWER_H

#include "base/buf.h"
#include "base/detail.h"

enum { TG_MAX_ATTEST_ANSWER_BYTES = 131072, TG_ATTEST_NONCE_BYTES = 32, TG_ATTEST_SPKI_BYTES = 32 };

typedef struct tg_attest_answer {
    tg_buf document; /* COSE_Sign1, as it was signed */
    tg_buf manifest; /* canonical JSON; empty where there is none */
    bool is_live;    /* over a connection of our own, whose key and nonce these are: */
    uint8_t spki_sha256[TG_ATTEST_SPKI_BYTES];
    uint8_t nonce[TG_ATTEST_NONCE_BYTES];
} tg_attest_answer;

/* The buffers are empty after init, and ended by done. */
void tg_attest_answer_init(tg_attest_answer *answer);
void tg_attest_answer_done(tg_attest_answer *answer);

/* tg_attest_answer_parse reads an answer of /attestation (JSON), or a document alone: CBOR, or its base64.
 * in    bytes: at most TG_MAX_ATTEST_ANSWER_BYTES
 * err   TG_ERR_SYNTAX with detail, TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_attest_answer_parse(tg_slice bytes, tg_attest_answer *answer, tg_detail *detail);

#endif
