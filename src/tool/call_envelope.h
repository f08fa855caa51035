/* The client's side of an envelope: a request sealed to an attested enclave, and its answer, which nobody else can have
 * written and which answers no other request. */
#ifndef TG_TOOL_CALL_ENVELOPE_H
#define TG_TOOL_CALL_ENVELOPE_H

#include "crypto/sha256.h"
#include "http/message.h"
#include "tool/call_keys.h"

enum {
    TG_MAX_CALL_BODY_BYTES = 32 << 20,   /* of a request or an answer, inside */
    TG_MAX_CALL_SEALED_BYTES = 64 << 20, /* outside: base64url twice over */
    TG_CALL_CLOCK_S = 300,               /* how far the enclave's clock may be from ours */
    TG_MAX_CALL_TYPE_BYTES = 256
};

/* What is sealed. Slices live while it is. */
typedef struct tg_call_request {
    tg_slice method, path;         /* of ohttp; of jwe the path is bound to the envelope, the method goes outside */
    tg_slice authority;            /* of ohttp */
    tg_slice content_type;         /* printable; empty: none is said */
    const tg_http_header *headers; /* of ohttp, where they go inside; without Content-Type and Date */
    size_t num_headers;
    tg_slice body;
} tg_call_request;

/* What travels, and what the answer is held against. */
typedef struct tg_call_sealed {
    tg_call_envelope envelope;
    tg_buf body;
    const char *content_type; /* of body; static */
    uint64_t made_unix_s;
    tg_ec_key *reply; /* of jwe: whom the answer is for */
    char reply_kid[TG_THUMBPRINT_BYTES + 1];
    uint8_t request_sha256[TG_SHA256_BYTES];
    tg_ohttp_reply ohttp_reply; /* of ohttp */
} tg_call_sealed;

/* An answer that is verified. */
typedef struct tg_call_answer {
    unsigned status; /* 200 to 599 */
    char content_type[TG_MAX_CALL_TYPE_BYTES];
    char signer_kid[TG_MAX_KID_BYTES + 1]; /* of jwe */
    uint64_t issued_unix_s;                /* when it was made; 0 where it does not say (ohttp) */
    tg_buf body;                           /* wiped */
} tg_call_answer;

/* tg_call_seal seals for one use, under keys of its own.
 * in    now_unix_s: the machine's clock
 * err   TG_ERR_SYNTAX: a method, path or header that is none; TG_ERR_LIMIT, TG_ERR_MEMORY, TG_ERR_LIBRARY; detail
 * keep  *out_sealed is ended with tg_call_sealed_done, in either case
 */
TG_MUST_USE tg_result tg_call_seal(const tg_call_keys *keys, const tg_call_request *request, uint64_t now_unix_s,
                                   tg_call_sealed *out_sealed, tg_detail *detail);
void tg_call_sealed_done(tg_call_sealed *sealed);

/* tg_call_open opens and verifies an answer.
 * in    content_type, body: as they came; now_unix_s: the machine's clock
 * err   TG_ERR_UNSUPPORTED: not sealed at all (another type): nobody vouches for it; TG_ERR_AUTH: not for us, not by
 *       the enclave, or changed; TG_ERR_MISMATCH: an answer to another request; TG_ERR_RANGE: not of now;
 * TG_ERR_SYNTAX: damaged; TG_ERR_LIMIT, TG_ERR_MEMORY; detail says which, without a byte of it keep  *out_answer, which
 * is written only with TG_OK, is ended with tg_call_answer_done
 */
TG_FOREIGN TG_MUST_USE tg_result tg_call_open(const tg_call_sealed *sealed, const tg_call_keys *keys,
                                              tg_slice content_type, tg_slice body, uint64_t now_unix_s,
                                              tg_call_answer *out_answer, tg_detail *detail);
void tg_call_answer_done(tg_call_answer *answer);

/* The two kinds; for call_envelope.c alone. Errors as above, buffers readied by it. */
TG_MUST_USE tg_result tg_call_jwe_seal(const tg_call_keys *keys, const tg_call_request *request, tg_call_sealed *sealed,
                                       tg_detail *detail);
TG_MUST_USE tg_result tg_call_jwe_open(const tg_call_sealed *sealed, const tg_call_keys *keys, tg_slice body,
                                       uint64_t now_unix_s, tg_call_answer *answer, tg_detail *detail);
TG_MUST_USE tg_result tg_call_ohttp_seal(const tg_call_keys *keys, const tg_call_request *request,
                                         tg_call_sealed *sealed, tg_detail *detail);
TG_MUST_USE tg_result tg_call_ohttp_open(const tg_call_sealed *sealed, tg_slice body, tg_call_answer *answer,
                                         tg_detail *detail);

#endif
