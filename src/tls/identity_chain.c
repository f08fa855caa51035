#include "tls/identity_chain.h"

#include "tls/engine.h"
#include "tls/openssl.h"

#include <openssl/x509_vfy.h>

tg_result tg_tls_identity_check_chain(const tg_tls_identity *identity, const tg_tls_authorities *authorities,
                                      int64_t now_unix_s, tg_detail *detail)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL ||
        X509_STORE_CTX_init(context, authorities->store, identity->certificate, identity->chain) != 1) {
        X509_STORE_CTX_free(context);
        return tg_tls_fail_library(TG_ERR_MEMORY, "certificate chain", detail);
    }
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
    X509_STORE_CTX_set_time(context, 0, (time_t)now_unix_s);
    bool is_good = X509_verify_cert(context) == 1;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    X509_STORE_CTX_free(context);
    tg_tls_errors_clear();
    if (is_good) {
        return tg_ok();
    }
    tg_detail_set_reason(detail, "certificate chain: does not lead to the certificate authority: %s", why);
    tg_detail_set_remedy(detail, "give the authority that issued the certificate, and what stands between them");
    return tg_fail(TG_ERR_AUTH);
}
