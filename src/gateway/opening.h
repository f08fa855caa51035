/* The way in: a request's envelope is opened, checked and admitted once. Nothing here knows of connections or loops.
 *
 * Errors before the envelope is open are the sender's to read in the clear. From there on
 * (tg_opened_request.seals_answer) they are sealed like answers (gateway/sealing.h): whoever carries the request learns
 * nothing of what was inside. */
#ifndef TG_GATEWAY_OPENING_H
#define TG_GATEWAY_OPENING_H

#include "base/arena.h"
#include "crypto/sha256.h"
#include "envelope/envelope_keys.h"
#include "envelope/jose.h"
#include "envelope/ohttp.h"
#include "envelope/replay.h"
#include "gateway/fault.h"
#include "gateway/routes.h"

/* What envelopes are opened and sealed with; all of it is the caller's. */
typedef struct tg_envelope_context {
    tg_envelope_keys *keys; /* NULL: there is no data key to derive them from */
    tg_replay *replay;
    uint64_t now_unix_s;
    /* For ohttp, whose requests say where they go. */
    tg_slice own_authority;      /* the Host of the request around it */
    tg_slice upstream_authority; /* host[:port] of the URL that the route leads to; empty where it is not known */
    tg_slice upstream_target;    /* its path, with the query where it has one */
} tg_envelope_context;

/* A request's inside. Slices live until tg_opened_request_done. */
typedef struct tg_opened_request {
    bool seals_answer; /* answers and errors are to be sealed from now on */
    tg_route_crypto kind;
    tg_slice body;
    tg_slice content_type;         /* what the client says the body is; never empty for jwe */
    tg_slice method, path;         /* of ohttp; empty for jwe: the outer request's hold */
    const tg_http_header *headers; /* of ohttp */
    size_t num_headers;
    uint8_t request_sha256[TG_SHA256_BYTES]; /* of a JWE's text: the answer names it */
    char kid[TG_MAX_KID_BYTES + 1];          /* of jwe: our key that it was sealed to */
    uint8_t reply[TG_P256_PUBLIC_BYTES];     /* of jwe: whom the answer is for */
    char reply_kid[TG_MAX_KID_BYTES + 1];    /* its own, or its thumbprint */
    tg_ohttp_reply ohttp_reply;
    tg_buf plaintext; /* wiped, as is the arena */
    tg_arena arena;
} tg_opened_request;

/* tg_opening_jwe opens an `application/jose`: ECDH-ES on P-256 with A256GCM, to a key of ours, with `iat`; `reply_jwk`
 * where the answer is to be sealed; `path`, where it is there, must be the route's. tg_opening_ohttp opens a
 * `message/ohttp-req` (RFC 9458) around a binary HTTP request (RFC 9292) with a Date, to the route's own path or to its
 * upstream. Bodies are at most route->max_request_bytes.
 * in    body: of the request, whole
 * out   *out_opened in any case; *out_fault where it fails
 * err   any but TG_ERR_AGAIN: for logs; what the client is to be told stands in *out_fault
 * keep  the caller ends *out_opened with tg_opened_request_done, after a failure too. content_type and body need not
 * live on
 */
TG_FOREIGN TG_MUST_USE tg_result tg_opening_jwe(const tg_envelope_context *context, const tg_gateway_route *route,
                                                tg_slice content_type, tg_slice body, tg_opened_request *out_opened,
                                                tg_gateway_fault *out_fault);
TG_FOREIGN TG_MUST_USE tg_result tg_opening_ohttp(const tg_envelope_context *context, const tg_gateway_route *route,
                                                  tg_slice content_type, tg_slice body, tg_opened_request *out_opened,
                                                  tg_gateway_fault *out_fault);
void tg_opened_request_done(tg_opened_request *opened);

/* tg_opened_request_forget wipes what was inside when nobody needs it any more: the slices are empty then, and answers
 * can still be sealed. */
void tg_opened_request_forget(tg_opened_request *opened);

/* tg_opening_max_body bounds the envelopes whose inside a route takes. */
uint64_t tg_opening_max_body(const tg_gateway_route *route);

#endif
