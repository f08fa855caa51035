/* What JWE and JWS share (RFC 7515, RFC 7516): the gate that a protected header passes, P-256 keys as JWK, and the
 * writing of both. Strict: one spelling of base64url, no member twice, nothing that asks for an extension. */
#ifndef TG_ENVELOPE_JOSE_H
#define TG_ENVELOPE_JOSE_H

#include "base/buf.h"
#include "base/detail.h"
#include "crypto/ec_key.h"

#include <jansson.h>

enum {
    TG_MAX_JOSE_HEADER_BYTES = 4096, /* decoded */
    TG_MAX_KID_BYTES = 128,
    TG_MAX_CTY_BYTES = 128,
    TG_THUMBPRINT_BYTES = 43, /* SHA-256 in base64url */
    TG_MAX_JWK_BYTES = 1024   /* written by tg_jwk_append */
};

#define TG_MAX_JOSE_NUMBER ((json_int_t)1 << 53) /* what every JSON reader can hold */

/* tg_jose_header_read decodes a protected header and refuses what no reader here honours: `crit`, `zip`, `b64`.
 * text  base64url. out: an object; json_decref ends it
 * err   TG_ERR_LIMIT: more than TG_MAX_JOSE_HEADER_BYTES; TG_ERR_SYNTAX: no base64url, no JSON object, a member twice;
 *       TG_ERR_DENIED: such a member. detail.field is its name, here and below
 */
TG_FOREIGN TG_MUST_USE tg_result tg_jose_header_read(tg_slice text, json_t **out_header, tg_detail *detail);

/* tg_jose_expect checks that member `name` is the string `value`.
 * err   TG_ERR_SYNTAX: absent or no string; TG_ERR_UNSUPPORTED: another value
 */
TG_MUST_USE tg_result tg_jose_expect(const json_t *header, const char *name, const char *value, tg_detail *detail);

/* tg_jose_read_kid copies `kid`: 1 to TG_MAX_KID_BYTES printable ASCII characters. err: TG_ERR_SYNTAX */
TG_MUST_USE tg_result tg_jose_read_kid(const json_t *header, char out_kid[TG_MAX_KID_BYTES + 1], tg_detail *detail);

/* tg_jose_read_text copies the string `name` of 1 to `cap` - 1 printable ASCII characters, blanks among them; absent
 * gives "". err: TG_ERR_SYNTAX
 */
TG_MUST_USE tg_result tg_jose_read_text(const json_t *header, const char *name, char *out, size_t cap,
                                        tg_detail *detail);

/* tg_jose_read_bytes decodes the base64url string `name` of at most `cap` bytes; absent gives none.
 * err   TG_ERR_SYNTAX, TG_ERR_LIMIT
 */
TG_MUST_USE tg_result tg_jose_read_bytes(const json_t *header, const char *name, uint8_t *out, size_t cap,
                                         size_t *out_len, tg_detail *detail);

/* tg_jose_read_number reads a whole number from 0 to TG_MAX_JOSE_NUMBER; absent leaves *out_has false.
 * err   TG_ERR_SYNTAX
 */
TG_MUST_USE tg_result tg_jose_read_number(const json_t *header, const char *name, bool *out_has, uint64_t *out_value,
                                          tg_detail *detail);

/* tg_jwk_read_point reads the public half of a P-256 JWK as an uncompressed point; whether it lies on the curve is for
 * tg_ec_key_from_public to say.
 * name  the member's, for reasons
 * err   TG_ERR_SYNTAX: not such a JWK, or one that holds a private key; TG_ERR_UNSUPPORTED: another kind of key
 */
TG_MUST_USE tg_result tg_jwk_read_point(const json_t *jwk, const char *name, uint8_t out_point[TG_P256_PUBLIC_BYTES],
                                        tg_detail *detail);

/* tg_jwk_append_point writes the members `"kty":"EC","crv":"P-256","x":...,"y":...` without braces. */
TG_MUST_USE tg_result tg_jwk_append_point(tg_buf *buf, tg_slice point);

/* tg_jose_append_text writes `,"name":"text"`; nothing for NULL and "". err: those of tg_buf_append */
TG_MUST_USE tg_result tg_jose_append_text(tg_buf *json, const char *name, const char *text);

/* tg_jwk_append writes a public P-256 key as JWK with the members given (literals); tg_jwk_thumbprint its name: the
 * SHA-256 of RFC 7638 in base64url, and a NUL.
 * err   those of tg_buf_append; TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_jwk_append(tg_buf *buf, tg_slice point, const char *use, const char *algorithm,
                                    const char *kid);
TG_MUST_USE tg_result tg_jwk_thumbprint(tg_slice point, char out_kid[TG_THUMBPRINT_BYTES + 1]);

/* tg_jose_split takes the parts of a compact serialization: exactly `num_parts`, separated by dots.
 * err   TG_ERR_SYNTAX
 */
TG_MUST_USE tg_result tg_jose_split(tg_slice compact, tg_slice *out_parts, size_t num_parts, tg_detail *detail);

#endif
