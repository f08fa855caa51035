// room: envelope
/* Any text as a JWE, a JWS and a protected header: refused or read, never opened unless it was sealed to this key; and
 * as a plaintext it comes back through JWS and JWE. */
#include "base/encode.h"
#include "crypto/hpke.h"
#include "crypto/init.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_ec_key *key;

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    static const uint8_t material[32] = {7};
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_P256, tg_slice_of(material, sizeof material), &key)));
}

static void read_foreign(tg_slice input, tg_buf *out)
{
    tg_detail detail = {0};
    tg_jwe jwe;
    tg_jws jws;
    json_t *header;
    if (tg_is_ok(tg_jwe_parse(input, &jwe, &detail))) {
        need(jwe.kid[0] != 0 && jwe.party_u_len <= TG_MAX_PARTY_BYTES);
        if (!tg_is_ok(tg_jwe_open(&jwe, key, out))) {
            need(tg_buf_len(out) == 0);
        }
        tg_buf_clear(out);
    }
    if (tg_is_ok(tg_jws_parse(input, &jws, &detail))) {
        if (!tg_is_ok(tg_jws_verify(&jws, key, out))) {
            need(tg_buf_len(out) == 0);
        }
        tg_buf_clear(out);
    }
    if (tg_is_ok(tg_jose_header_read(input, &header, &detail))) {
        json_decref(header);
    }
}

/* The input as what somebody else might write into a header: most of it never gets past base64 otherwise. */
static void read_as_header(tg_slice input, tg_buf *out)
{
    tg_buf text;
    tg_buf_init(&text, 65536);
    if (tg_is_ok(tg_base64_append(&text, TG_BASE64_URL, input)) &&
        tg_is_ok(tg_buf_append_str(&text, "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"))) {
        read_foreign(tg_buf_slice(&text), out);
    }
    tg_buf_done(&text);
}

static void seal_and_open(tg_slice input, tg_buf *out)
{
    const tg_jws_claims claims = {.kid = "k", .has_version = true, .version = input.len};
    const tg_jwe_recipient recipient = {.point = tg_ec_key_public(key), .kid = "k"};
    tg_detail detail = {0};
    tg_buf signed_text, sealed;
    tg_jwe jwe;
    tg_jws jws;
    tg_buf_init_wiped(&signed_text, 2 * input.len + 4096);
    tg_buf_init(&sealed, 4 * input.len + 8192);
    need(tg_is_ok(tg_jws_sign(key, &claims, input, &signed_text)));
    need(tg_is_ok(tg_jwe_seal(&recipient, tg_buf_slice(&signed_text), &sealed)));
    tg_buf_clear(&signed_text);
    need(tg_is_ok(tg_jwe_parse(tg_buf_slice(&sealed), &jwe, &detail)));
    need(tg_is_ok(tg_jwe_open(&jwe, key, &signed_text)));
    need(tg_is_ok(tg_jws_parse(tg_buf_slice(&signed_text), &jws, &detail)));
    need(tg_is_ok(tg_jws_verify(&jws, key, out)) && tg_slice_equal(tg_buf_slice(out), input));
    tg_buf_done(&signed_text);
    tg_buf_done(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice input = tg_slice_of(data, size);
    tg_buf out;
    if (key == NULL) {
        set_up();
    }
    tg_buf_init_wiped(&out, size + 65536);
    read_foreign(input, &out);
    read_as_header(tg_slice_first(input, TG_MAX_JOSE_HEADER_BYTES), &out);
    seal_and_open(input, &out);
    tg_buf_done(&out);
    return 0;
}
