/* What this room shares of OpenSSL: its start, its error queue (read here and nowhere else) and PEM bundles. */
#ifndef TG_TLS_OPENSSL_H
#define TG_TLS_OPENSSL_H

#include "base/detail.h"
#include "base/result.h"
#include "base/slice.h"

#include <openssl/x509.h>

/* tg_tls_start readies OpenSSL once for the process, without the machine's openssl.cnf and OPENSSL_CONF: what a
 * context accepts stands in our code alone. Cheap when it has run; any thread.
 */
void tg_tls_start(void);

/* tg_tls_errors_clear empties this thread's error queue: before every call whose failure is to be explained. */
void tg_tls_errors_clear(void);

/* tg_tls_errors_take gives the code of the first error of the TLS layer in the call that just failed, or else of its
 * deepest one, 0 where OpenSSL gave none; and empties the queue. tg_tls_error_text is its reason in words: static
 * storage, "" for 0.
 */
unsigned long tg_tls_errors_take(void);
const char *tg_tls_error_text(unsigned long error);

/* tg_tls_fail_library sets the detail's reason to `what: OpenSSL's reason` and empties the queue.
 * err   TG_ERR_MEMORY where that was the reason, `otherwise` in all other cases
 */
TG_MUST_USE tg_result tg_tls_fail_library(tg_code otherwise, const char *what, tg_detail *detail);

/* tg_tls_certificates_read reads every CERTIFICATE of a PEM text, in order; other text and other objects between them
 * are passed over.
 * in    what: what the text is, for reasons ("certificate chain")
 * out   at least one certificate, their extensions parsed; freed with sk_X509_pop_free(out, X509_free)
 * err   TG_ERR_SYNTAX: none, or one that is damaged (detail says which); TG_ERR_LIMIT: more than `max`; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_certificates_read(tg_slice pem, size_t max, const char *what,
                                                          STACK_OF(X509) * *out_certificates, tg_detail *detail);

/* tg_tls_time_unix_s converts a certificate's time; INT64_MIN where it is not one. tg_tls_time_format writes a time as
 * `2026-11-21 03:31:07 UTC`: 24 bytes, "?" past year 9999. */
int64_t tg_tls_time_unix_s(const ASN1_TIME *time);
const char *tg_tls_time_format(int64_t unix_s, char out[32]);

#endif
