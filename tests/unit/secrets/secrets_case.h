/* What the tests of secrets share: an identity under an authority, as the parts of a delivery. */
#ifndef TG_TESTS_UNIT_SECRETS_SECRETS_CASE_H
#define TG_TESTS_UNIT_SECRETS_SECRETS_CASE_H

#include "support/case.h"
#include "unit/tls/issuer.h"

#include <jansson.h>
#include <stdlib.h>

typedef struct test_parts {
    test_certificate authority, leaf;
    char *cert, *key, *ca; /* PEM */
} test_parts;

static inline char *test_pem(void (*append)(const test_certificate *, tg_buf *), const test_certificate *made)
{
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    append(made, &pem);
    assert_ok(tg_buf_append_byte(&pem, 0));
    const char *made_text = (const char *)tg_buf_slice(&pem).ptr;
    char *text = made_text != NULL ? strdup(made_text) : NULL;
    assert_non_null(text);
    tg_buf_done(&pem);
    return text;
}

static inline test_parts test_make_parts(const char *subject)
{
    test_parts parts = {.authority = test_issue_authority("an authority")};
    parts.leaf = test_issue(&(test_request){.subject = subject, .san = "DNS:gateway.example", .by = &parts.authority});
    parts.cert = test_pem(test_append_certificate, &parts.leaf);
    parts.key = test_pem(test_append_key, &parts.leaf);
    parts.ca = test_pem(test_append_certificate, &parts.authority);
    return parts;
}

static inline void test_parts_done(test_parts *parts)
{
    test_certificate_done(&parts->authority);
    test_certificate_done(&parts->leaf);
    free(parts->cert);
    free(parts->key);
    free(parts->ca);
}

static inline json_t *test_mtls(const char *cert, const char *key, const char *ca)
{
    json_t *object = json_pack("{s:s,s:s,s:s}", "client_cert", cert, "client_key", key, "ca_cert", ca);
    assert_non_null(object);
    return object;
}

/* The text of a delivery that holds `value` as MTLS_CLIENT_CERT_JSON; takes the value. */
static inline char *test_delivery_of(json_t *value)
{
    json_t *object = json_pack("{s:o,s:s}", "MTLS_CLIENT_CERT_JSON", value, "ECS_WATERMARK_ENDPOINT",
                               "https://watermark.example/v1");
    char *text = json_dumps(object, JSON_COMPACT);
    assert_non_null(text);
    json_decref(object);
    return text;
}

static inline char *test_good_delivery(const test_parts *parts)
{
    return test_delivery_of(test_mtls(parts->cert, parts->key, parts->ca));
}

#endif
