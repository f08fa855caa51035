// room: tls
// PEM as operators, images and deliveries give it: a chain, a key behind a line `=`, and both as authorities. What is
// taken must come back from its own PEM as the same; nothing is taken past its limit.
#include "tls/authorities.h"
#include "tls/identity.h"
#include "tls/openssl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_UNIX_S = 1800000000 }; /* the corpus is valid then */

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void check_identity(tg_slice chain_pem, tg_slice key_pem)
{
    tg_detail detail = {0};
    tg_tls_identity *identity = NULL;
    tg_tls_identity *again = NULL;
    tg_buf pem;
    if (!tg_is_ok(tg_tls_identity_parse(chain_pem, key_pem, NOW_UNIX_S, &identity, &detail))) {
        expect(identity == NULL);
        return;
    }
    tg_buf_init(&pem, (size_t)4 * TG_MAX_CHAIN_PEM_BYTES);
    expect(tg_is_ok(tg_tls_identity_append_pem(identity, &pem)));
    expect(tg_is_ok(tg_tls_identity_parse(tg_buf_slice(&pem), key_pem, NOW_UNIX_S, &again, &detail)));
    expect(tg_slice_equal(tg_tls_identity_spki_sha256(identity), tg_tls_identity_spki_sha256(again)));
    expect(tg_tls_identity_not_after_unix_s(identity) == tg_tls_identity_not_after_unix_s(again));
    tg_tls_identity_unref(again);
    tg_tls_identity_unref(identity);
    tg_buf_done(&pem);
}

static void check_authorities(tg_slice pem)
{
    tg_detail detail = {0};
    tg_tls_authorities *authorities = NULL;
    STACK_OF(X509) *certificates = NULL;
    tg_result parsed = tg_tls_authorities_parse(pem, NOW_UNIX_S, &authorities, &detail);
    tg_result read = tg_tls_certificates_read(pem, TG_MAX_AUTHORITIES, "text", &certificates, &detail);
    expect(tg_is_ok(read) || !tg_is_ok(parsed));
    expect(!tg_is_ok(parsed) || tg_tls_authorities_num(authorities) == (size_t)sk_X509_num(certificates));
    sk_X509_pop_free(certificates, X509_free);
    tg_tls_authorities_unref(authorities);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice chain = tg_slice_of(data, size);
    tg_slice key = chain; /* one text for both, where it has no such line */
    const uint8_t *line = size > 0 ? memmem(data, size, "\n=\n", 3) : NULL;
    if (line != NULL) {
        chain = tg_slice_of(data, (size_t)(line - data) + 1);
        key = tg_slice_from(tg_slice_of(data, size), chain.len + 2);
    }
    check_identity(chain, key);
    check_authorities(chain);
    return 0;
}
