/* SHA-256 and HMAC-SHA256 by OpenSSL, for signatures alone: teegate-proxy signs too, and links no libgcrypt. */
#ifndef TG_AWS_DIGEST_H
#define TG_AWS_DIGEST_H

#include "base/buf.h"

enum { TG_AWS_DIGEST_BYTES = 32 };

/* tg_aws_sha256 writes the digest of `bytes`; tg_aws_sha256_append appends it as lower-case hexadecimal.
 * err   TG_ERR_LIBRARY; tg_buf's
 */
TG_MUST_USE tg_result tg_aws_sha256(tg_slice bytes, uint8_t out_digest[TG_AWS_DIGEST_BYTES]);
TG_MUST_USE tg_result tg_aws_sha256_append(tg_slice bytes, tg_buf *buf);

/* tg_aws_hmac writes HMAC-SHA256 (RFC 2104); `out` may be where the key is. err: TG_ERR_LIBRARY, TG_ERR_RANGE (a key
 * past 64 KiB) */
TG_MUST_USE tg_result tg_aws_hmac(tg_slice key, tg_slice bytes, uint8_t out_mac[TG_AWS_DIGEST_BYTES]);

#endif
