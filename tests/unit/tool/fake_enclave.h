/* An endpoint that attests itself by the simulator, over TLS: honest unless a test says otherwise. */
#ifndef TG_TESTS_UNIT_TOOL_FAKE_ENCLAVE_H
#define TG_TESTS_UNIT_TOOL_FAKE_ENCLAVE_H

#include "attest/manifest.h"
#include "attest/simulator_dev.h"
#include "base/encode.h"
#include "crypto/sha256.h"
#include "unit/tool/tls_server.h"

#include <signal.h>

enum { FAKE_MAX_BYTES = 65536 };

typedef struct fake_enclave fake_enclave;
struct fake_enclave {
    test_tls_server server;
    /* What it says of itself. */
    uint8_t spki[32];
    tg_manifest manifest;
    tg_slice public_key;
    /* What it does beside the truth. */
    unsigned status;      /* of /attestation; 0: 200 */
    const char *answer;   /* instead of an attestation */
    bool is_other_nonce;  /* an old document */
    bool is_other_key;    /* another key in its manifest than its own */
    bool is_cut_off_then; /* ends each connection behind one answer */
    /* Every other request; NULL: 404. */
    void (*other)(fake_enclave *fake, SSL *ssl);
    unsigned num_others;
};

static inline void fake_attest(fake_enclave *fake, SSL *ssl)
{
    static const char marker[] = "?nonce=";
    uint8_t nonce[64], digest[32];
    tg_attest_device *device = NULL;
    tg_buf manifest, document, text;
    const char *hex = strstr(fake->server.heard, marker);
    size_t len = hex != NULL ? strcspn(hex + strlen(marker), " ") / 2 : 0;
    assert_in_range(len, 16, sizeof nonce);
    assert_ok(tg_hex_decode(tg_slice_of(hex + strlen(marker), 2 * len), nonce));
    nonce[0] ^= fake->is_other_nonce;
    tg_buf_init(&manifest, FAKE_MAX_BYTES);
    tg_buf_init(&document, FAKE_MAX_BYTES);
    tg_buf_init(&text, FAKE_MAX_BYTES);
    assert_ok(tg_simulator_open_dev(&(tg_simulator_options){0}, &device));
    assert_ok(tg_manifest_append(&fake->manifest, &manifest));
    assert_int_equal(EVP_Digest(tg_buf_slice(&manifest).ptr, tg_buf_len(&manifest), digest, NULL, EVP_sha256(), NULL),
                     1);
    const tg_attest_request request = {.nonce = tg_slice_of(nonce, len),
                                       .user_data = tg_slice_of(digest, sizeof digest),
                                       .public_key = fake->public_key};
    assert_ok(tg_attest(device, &request, &document, NULL));
    assert_ok(tg_buf_append_str(&text, "{\"document\":\""));
    assert_ok(tg_base64_append(&text, TG_BASE64_PADDED, tg_buf_slice(&document)));
    assert_ok(tg_buf_append_str(&text, "\",\"manifest\":"));
    assert_ok(tg_buf_append(&text, tg_buf_slice(&manifest)));
    assert_ok(tg_buf_append_str(&text, "}\n"));
    test_tls_answer(ssl, 200, "application/json", tg_buf_slice(&text).ptr, tg_buf_len(&text));
    tg_buf_done(&manifest);
    tg_buf_done(&document);
    tg_buf_done(&text);
    tg_attest_device_close(device);
}

static inline void fake_serve(test_tls_server *server, SSL *ssl, unsigned number)
{
    (void)number;
    fake_enclave *fake = server->owner;
    while (test_tls_hear(server, ssl)) {
        if (strncmp(server->heard, "GET /attestation", 16) != 0) {
            fake->num_others++;
            if (fake->other != NULL) {
                fake->other(fake, ssl);
            } else {
                test_tls_answer(ssl, 404, "application/json", "{}", 2);
            }
        } else if (fake->status != 0 || fake->answer != NULL) {
            const char *answer = fake->answer != NULL ? fake->answer : "";
            test_tls_answer(ssl, fake->status != 0 ? fake->status : 200, "application/json", answer, strlen(answer));
        } else {
            fake_attest(fake, ssl);
        }
        if (fake->is_cut_off_then) {
            return;
        }
    }
}

/* Begins to serve; what the fake does may be changed while no request is under way. */
static inline void fake_start(fake_enclave *fake)
{
    static const tg_manifest_dek deks[] = {{{(const uint8_t *)"0123456789abcdef", 16}, "current"}};
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's writes: ours need no such thing */
    fake->server.serve = fake_serve;
    fake->server.owner = fake;
    test_tls_start(&fake->server);
    test_tls_key(&fake->server, fake->spki);
    fake->spki[0] ^= fake->is_other_key;
    fake->manifest.tls_spki = tg_slice_of(fake->spki, sizeof fake->spki);
    fake->manifest.tls_key_origin = "generated";
    fake->manifest.secrets_mode = "none";
    fake->manifest.settings = TG_LIT("{\"build\":\"production\",\"decrypt\":\"listed\",\"encrypt\":\"listed\","
                                     "\"local_mode\":false,\"schema_allow_removal\":false,\"sha256\":\"ab\"}");
    fake->manifest.deks = deks;
    fake->manifest.num_deks = 1;
}

static inline void fake_stop(fake_enclave *fake)
{
    test_tls_stop(&fake->server);
}

#endif
