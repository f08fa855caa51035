/* Certificates of a first deployment: authorities, and what they issue. */
#ifndef TG_TOOL_PKI_H
#define TG_TOOL_PKI_H

#include "base/buf.h"
#include "base/detail.h"

typedef struct tg_pki_issued tg_pki_issued; /* a certificate and its key */

typedef enum tg_pki_role { TG_PKI_AUTHORITY, TG_PKI_SERVER, TG_PKI_CLIENT } tg_pki_role;

enum { TG_MAX_PKI_NAMES = 16, TG_MAX_PKI_DAYS = 3650 };

typedef struct tg_pki_request {
    tg_pki_role role;
    const char *common_name;  /* letters, digits, blanks, dots, hyphens */
    const char *const *names; /* of the SAN: host names, `*.` wildcards, IP addresses; an authority has none */
    size_t num_names;
    const tg_pki_issued *by; /* NULL: self-signed */
    bool is_rsa;             /* RSA of 3072 bits instead of P-256 */
    unsigned days;           /* from an hour before now on */
    int64_t now_unix_s;
} tg_pki_request;

/* tg_pki_issue makes a key and a certificate (RFC 5280) for it.
 * err   TG_ERR_SYNTAX: a name that is none, or a certificate of a server or client without any; TG_ERR_LIBRARY,
 *       TG_ERR_MEMORY. The detail says which
 */
TG_MUST_USE tg_result tg_pki_issue(const tg_pki_request *request, tg_pki_issued **out_issued, tg_detail *detail);
void tg_pki_issued_free(tg_pki_issued *issued);

/* The appends write PEM. key: to a wiped buffer. err: those of tg_buf_append; TG_ERR_LIBRARY */
TG_MUST_USE tg_result tg_pki_append_certificate(const tg_pki_issued *issued, tg_buf *pem);
TG_MUST_USE tg_result tg_pki_append_key(const tg_pki_issued *issued, tg_buf *pem);

#endif
