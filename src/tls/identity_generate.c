/* The self-signed certificate that a server starts with where it is given none. */
#include "base/text.h"
#include "tls/engine.h"
#include "tls/openssl.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { SERIAL_BYTES = 16, SKEW_S = 3600, DAY_S = 86400, MAX_NAME_BYTES = 253, MAX_LABEL_BYTES = 63 };

/* label = alnum / "_", with "-" inside; name = label *("." label); a first label `*` stands for any (RFC 6125 §6.4.3).
 */
static bool is_host_name(tg_slice name)
{
    tg_slice rest = tg_slice_starts(name, TG_LIT("*.")) ? tg_slice_from(name, 2) : name;
    if (rest.len == 0 || name.len > MAX_NAME_BYTES) {
        return false;
    }
    size_t label_len = 0;
    for (size_t i = 0; i < rest.len; i++) {
        uint8_t c = rest.ptr[i];
        bool is_edge = label_len == 0 || i + 1 == rest.len || rest.ptr[i + 1] == '.';
        if (c == '.' ? label_len == 0
                     : !(tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == '_' || (c == '-' && !is_edge))) {
            return false;
        }
        label_len = c == '.' ? 0 : label_len + 1;
        if (label_len > MAX_LABEL_BYTES) {
            return false;
        }
    }
    return label_len > 0;
}

static bool push_name(GENERAL_NAMES *names, int kind, const void *bytes, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, (int)len) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, kind, value);
    if (sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static tg_result add_name(GENERAL_NAMES *names, tg_slice text, tg_detail *detail)
{
    char copy[INET6_ADDRSTRLEN] = "";
    uint8_t ip[16];
    bool is_pushed;
    if (text.len > 0 && text.len < sizeof copy && memchr(text.ptr, 0, text.len) == NULL) {
        memcpy(copy, text.ptr, text.len);
    }
    if (copy[0] != 0 && inet_pton(AF_INET, copy, ip) == 1) {
        is_pushed = push_name(names, GEN_IPADD, ip, 4);
    } else if (copy[0] != 0 && inet_pton(AF_INET6, copy, ip) == 1) {
        is_pushed = push_name(names, GEN_IPADD, ip, 16);
    } else if (is_host_name(text)) {
        is_pushed = push_name(names, GEN_DNS, text.ptr, text.len);
    } else {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, text);
        tg_detail_set_reason(detail, "neither a host name nor an IP address");
        return tg_fail(TG_ERR_SYNTAX);
    }
    return is_pushed ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

static tg_result add_names(GENERAL_NAMES *alternative, const tg_slice *names, size_t num_names, tg_detail *detail)
{
    if (num_names > TG_MAX_GENERATED_NAMES) {
        tg_detail_set_reason(detail, "more than %d names for one certificate", TG_MAX_GENERATED_NAMES);
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(add_name(alternative, TG_LIT("localhost"), detail));
    TG_TRY(add_name(alternative, TG_LIT("127.0.0.1"), detail));
    TG_TRY(add_name(alternative, TG_LIT("::1"), detail));
    for (size_t i = 0; i < num_names; i++) {
        TG_TRY(add_name(alternative, names[i], detail));
    }
    return tg_ok();
}

/* RFC 5280 §4.1.2.2: positive, at most 20 bytes, not to be guessed. */
static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool fill_in(X509 *certificate, EVP_PKEY *key, GENERAL_NAMES *names, int64_t now_unix_s)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now_unix_s - SKEW_S)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(now_unix_s + (int64_t)TG_GENERATED_DAYS * DAY_S)) !=
               NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"teegate", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0 && X509_check_purpose(certificate, -1, 0) == 1;
}

static tg_result make(GENERAL_NAMES *names, int64_t now_unix_s, tg_tls_identity **out_identity, tg_detail *detail)
{
    X509 *certificate = X509_new();
    STACK_OF(X509) *certificates = sk_X509_new_null();
    tg_tls_errors_clear();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    tg_result result;
    if (certificate == NULL || certificates == NULL || key == NULL || !fill_in(certificate, key, names, now_unix_s)) {
        result = tg_tls_fail_library(TG_ERR_LIBRARY, "self-signed certificate", detail);
    } else if (sk_X509_push(certificates, certificate) == 0) {
        result = tg_fail(TG_ERR_MEMORY);
    } else {
        certificate = NULL;
        result = tg_tls_identity_new_of(certificates, TG_TAKE(key), true, out_identity, detail);
    }
    if (!tg_is_ok(result)) {
        X509_free(certificate);
        EVP_PKEY_free(key);
        sk_X509_pop_free(certificates, X509_free);
    }
    return result;
}

tg_result tg_tls_identity_generate(const tg_slice *names, size_t num_names, int64_t now_unix_s,
                                   tg_tls_identity **out_identity, tg_detail *detail)
{
    tg_tls_start();
    GENERAL_NAMES *alternative = sk_GENERAL_NAME_new_null();
    if (alternative == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = add_names(alternative, names, num_names, detail);
    if (tg_is_ok(result)) {
        result = make(alternative, now_unix_s, out_identity, detail);
    }
    sk_GENERAL_NAME_pop_free(alternative, GENERAL_NAME_free);
    return result;
}
