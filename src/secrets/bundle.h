/* A delivery's JSON: what may stand in it, read and checked whole before anything changes. */
#ifndef TG_SECRETS_BUNDLE_H
#define TG_SECRETS_BUNDLE_H

#include "base/buf.h"
#include "base/detail.h"
#include "sys/secret.h"
#include "tls/authorities.h"
#include "tls/identity.h"

enum {
    TG_MAX_DELIVERY_BYTES = 1 << 20,
    TG_MAX_SECRET_VALUES = 16,
    TG_MAX_SECRET_NAME_BYTES = 64,
    TG_MAX_SECRET_VALUE_BYTES = 4096
};

/* Names of values that mean something to this program itself. */
#define TG_SECRET_AWS_KEY_ID "AWS_ACCESS_KEY_ID"
#define TG_SECRET_AWS_KEY    "AWS_SECRET_ACCESS_KEY"
#define TG_SECRET_AWS_TOKEN  "AWS_SESSION_TOKEN"

/* What is wrong with a delivery: a code for programs, words for people. Never a byte of its content but for names of
 * members, escaped and cut. */
typedef struct tg_delivery_fault {
    const char *code; /* static: `not_json`, `unknown_member`, ... */
    tg_detail detail;
} tg_delivery_fault;

/* A named value. */
typedef struct tg_secret_value {
    char name[TG_MAX_SECRET_NAME_BYTES + 1];
    tg_secret *text;
} tg_secret_value;

typedef struct tg_bundle_rules {
    bool is_sealed;           /* what open deliveries may not hold is taken too */
    const char *const *names; /* further values that may be delivered: what routes refer to */
    size_t num_names;
    int64_t now_unix_s;
} tg_bundle_rules;

/* What one delivery holds; parts that it does not hold are NULL. Ended with tg_bundle_done, which wipes it. */
typedef struct tg_bundle {
    tg_tls_identity *client;                              /* MTLS_CLIENT_CERT_JSON: whom calls to backends show; */
    tg_tls_authorities *ca;                               /* and whom they believe */
    tg_secret *client_cert_pem, *client_key_pem, *ca_pem; /* as they came */
    tg_tls_identity *server;                              /* TLS_CERT_JSON, sealed only: whom the enclave shows */
    tg_secret_value values[TG_MAX_SECRET_VALUES];
    size_t num_values;
} tg_bundle;

/* tg_bundle_parse reads `text`: an object of the members below. Nothing at all, `test` and `{}` give an empty bundle.
 *
 * MTLS_CLIENT_CERT_JSON: an object, or a JSON string of one, of three PEM texts, all of them: client_cert (or cert,
 * certificate), client_key (key, private_key), ca_cert (ca, ca_certificate). The key is the certificate's, the chain in
 * order and issued under ca_cert, nothing expired.
 *
 * ECS_WATERMARK_ENDPOINT: an http or https URL, as every name that ends with _ENDPOINT or _URL. rules.names: text.
 *
 * Sealed only: TLS_CERT_JSON (cert, key); AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with them AWS_SESSION_TOKEN.
 *
 * err   TG_ERR_SYNTAX and others, with *out_fault set; TG_ERR_MEMORY
 * keep  out_bundle is empty on failure
 */
TG_FOREIGN TG_MUST_USE tg_result tg_bundle_parse(tg_slice text, const tg_bundle_rules *rules, tg_bundle *out_bundle,
                                                 tg_delivery_fault *out_fault);
void tg_bundle_done(tg_bundle *bundle);

/* tg_secret_name_is_valid tells whether a named value can be called so: 1 to TG_MAX_SECRET_NAME_BYTES letters, digits
 * and underscores. tg_secret_name_is_url: its value has to be a URL (it ends with _ENDPOINT or _URL). */
bool tg_secret_name_is_valid(tg_slice name);
bool tg_secret_name_is_url(tg_slice name);

/* tg_bundle_is_empty tells whether there is nothing to apply. */
bool tg_bundle_is_empty(const tg_bundle *bundle);

#endif
