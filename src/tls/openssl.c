#include "tls/openssl.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                     NULL);
}

void tg_tls_start(void)
{
    pthread_once(&once, start);
}

void tg_tls_errors_clear(void)
{
    ERR_clear_error();
}

unsigned long tg_tls_errors_take(void)
{
    unsigned long first = ERR_peek_error();
    unsigned long error = first;
    while (error != 0 && ERR_GET_LIB(error) != ERR_LIB_SSL) { /* what TLS made of it says more than its cause */
        error = ERR_get_error();
    }
    ERR_clear_error();
    return error != 0 ? error : first;
}

const char *tg_tls_error_text(unsigned long error)
{
    const char *text = error != 0 ? ERR_reason_error_string(error) : NULL;
    return text != NULL ? text : "";
}

tg_result tg_tls_fail_library(tg_code otherwise, const char *what, tg_detail *detail)
{
    unsigned long error = tg_tls_errors_take();
    const char *text = tg_tls_error_text(error);
    tg_detail_set_reason(detail, text[0] != 0 ? "%s: %s" : "%s", what, text);
    return tg_fail(ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? TG_ERR_MEMORY : otherwise);
}

static bool is_end_of_pem(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static tg_result read_all(BIO *bio, size_t max, const char *what, STACK_OF(X509) * certificates, tg_detail *detail)
{
    for (;;) {
        tg_tls_errors_clear();
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        size_t number = (size_t)sk_X509_num(certificates) + 1;
        if (certificate == NULL && is_end_of_pem()) {
            break;
        }
        if (certificate == NULL) {
            tg_result result = tg_tls_fail_library(TG_ERR_SYNTAX, what, detail);
            tg_detail_set_remedy(detail, "certificate %zu of the file is damaged or no PEM: make the file anew",
                                 number);
            return result;
        }
        bool is_sound =
            X509_check_purpose(certificate, -1, 0) == 1; /* parses the extensions, before threads share it */
        if (!is_sound || number > max || sk_X509_push(certificates, certificate) == 0) {
            X509_free(certificate);
            if (!is_sound) {
                tg_detail_set_reason(detail, "%s: certificate %zu has extensions that contradict", what, number);
                return tg_fail(TG_ERR_SYNTAX);
            }
            tg_detail_set_reason(detail, "%s: more than %zu certificates", what, max);
            return tg_fail(number > max ? TG_ERR_LIMIT : TG_ERR_MEMORY);
        }
    }
    tg_tls_errors_clear();
    if (sk_X509_num(certificates) == 0) {
        tg_detail_set_reason(detail, "%s: no certificate", what);
        tg_detail_set_remedy(detail, "give PEM: lines from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----");
        return tg_fail(TG_ERR_SYNTAX);
    }
    return tg_ok();
}

tg_result tg_tls_certificates_read(tg_slice pem, size_t max, const char *what, STACK_OF(X509) * *out_certificates,
                                   tg_detail *detail)
{
    tg_tls_start();
    if (pem.len > INT_MAX) {
        return tg_fail(TG_ERR_LIMIT);
    }
    BIO *bio = BIO_new_mem_buf(pem.len > 0 ? pem.ptr : (const uint8_t *)"", (int)pem.len);
    STACK_OF(X509) *certificates = sk_X509_new_null();
    tg_result result = tg_fail(TG_ERR_MEMORY);
    if (bio != NULL && certificates != NULL) {
        result = read_all(bio, max, what, certificates, detail);
    }
    BIO_free(bio);
    if (tg_is_ok(result)) {
        *out_certificates = certificates;
    } else {
        sk_X509_pop_free(certificates, X509_free);
    }
    return result;
}

int64_t tg_tls_time_unix_s(const ASN1_TIME *time)
{
    struct tm parts;
    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : INT64_MIN;
}

const char *tg_tls_time_format(int64_t unix_s, char out[32])
{
    struct tm parts;
    time_t when = (time_t)unix_s;
    if (gmtime_r(&when, &parts) == NULL || parts.tm_year + 1900 > 9999 || parts.tm_year + 1900 < 0) {
        return memcpy(out, "?", 2);
    }
    (void)snprintf(out, 32, "%04u-%02u-%02u %02u:%02u:%02u UTC", (unsigned)parts.tm_year % 8100u + 1900u,
                   (unsigned)parts.tm_mon % 12u + 1u, (unsigned)parts.tm_mday % 32u, (unsigned)parts.tm_hour % 24u,
                   (unsigned)parts.tm_min % 60u, (unsigned)parts.tm_sec % 61u);
    return out;
}
