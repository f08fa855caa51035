/* Certificate authorities: whom a TLS end believes. Immutable and shared by reference. */
#ifndef TG_TLS_AUTHORITIES_H
#define TG_TLS_AUTHORITIES_H

#include "base/detail.h"
#include "base/result.h"
#include "base/slice.h"

typedef struct tg_tls_authorities tg_tls_authorities;

enum {
    TG_MAX_AUTHORITIES_PEM_BYTES = 1 << 20,
    TG_MAX_AUTHORITIES = 512, /* a distribution's whole bundle has about 140 */
    TG_AUTHORITIES_SHA256_BYTES = 32
};

/* tg_tls_authorities_parse makes a set of PEM certificates. Each is believed as it is, also where it is not a root.
 * in    now_unix_s: at least one must be valid at this time
 * err   TG_ERR_LIMIT: past the limits above; TG_ERR_SYNTAX: no PEM, or damaged; TG_ERR_RANGE: all expired or not yet
 *       valid; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_authorities_parse(tg_slice pem, int64_t now_unix_s,
                                                          tg_tls_authorities **out_authorities, tg_detail *detail);

/* tg_tls_authorities_load reads a file. err: as above, with the file's name; TG_ERR_SYSTEM where it cannot be read */
TG_MUST_USE tg_result tg_tls_authorities_load(const char *path, int64_t now_unix_s,
                                              tg_tls_authorities **out_authorities, tg_detail *detail);

/* tg_tls_authorities_ref gives one reference more; any thread. The last tg_tls_authorities_unref (NULL is fine) frees.
 */
tg_tls_authorities *tg_tls_authorities_ref(tg_tls_authorities *authorities);
void tg_tls_authorities_unref(tg_tls_authorities *authorities);

size_t tg_tls_authorities_num(const tg_tls_authorities *authorities);

/* tg_tls_authorities_sha256 is the SHA-256 of the certificates' DER, in their order. It lives as long as the set. */
tg_slice tg_tls_authorities_sha256(const tg_tls_authorities *authorities);

#endif
