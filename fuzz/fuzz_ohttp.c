// room: envelope
/* Any bytes as an encapsulated request, a response and key configurations: refused or opened without a fault; and as a
 * request they come back, and its answer. */
#include "crypto/init.h"
#include "envelope/ohttp.h"

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
    static const uint8_t material[32] = {9};
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_X25519, tg_slice_of(material, sizeof material), &key)));
}

static void read_foreign(tg_slice input, tg_buf *out)
{
    tg_ohttp_request request;
    tg_ohttp_reply reply = {.aead = TG_HPKE_AES_128_GCM};
    tg_ohttp_config config;
    if (tg_is_ok(tg_ohttp_request_parse(input, &request)) &&
        !tg_is_ok(tg_ohttp_request_open(&request, key, out, &reply))) {
        need(tg_buf_len(out) == 0);
    }
    tg_buf_clear(out);
    if (!tg_is_ok(tg_ohttp_response_open(&reply, input, out))) {
        need(tg_buf_len(out) == 0);
    }
    tg_buf_clear(out);
    if (tg_is_ok(tg_ohttp_config_read(input, &config))) {
        need(config.aead == TG_HPKE_AES_128_GCM || config.aead == TG_HPKE_AES_256_GCM);
    }
}

static void exchange(tg_slice input, tg_hpke_aead aead, tg_buf *out)
{
    tg_ohttp_config config = {.key_id = 1, .aead = aead};
    tg_ohttp_request request;
    tg_ohttp_reply of_client, of_gateway;
    tg_buf sealed;
    memcpy(config.public_key, tg_ec_key_public(key).ptr, sizeof config.public_key);
    tg_buf_init(&sealed, input.len + 256);
    need(tg_is_ok(tg_ohttp_request_seal(&config, input, &sealed, &of_client)));
    need(tg_is_ok(tg_ohttp_request_parse(tg_buf_slice(&sealed), &request)));
    need(tg_is_ok(tg_ohttp_request_open(&request, key, out, &of_gateway)));
    need(tg_slice_equal(tg_buf_slice(out), input));
    tg_buf_clear(out);
    tg_buf_clear(&sealed);
    need(tg_is_ok(tg_ohttp_response_seal(&of_gateway, input, &sealed)));
    need(tg_is_ok(tg_ohttp_response_open(&of_client, tg_buf_slice(&sealed), out)));
    need(tg_slice_equal(tg_buf_slice(out), input));
    tg_buf_clear(out);
    tg_buf_done(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice input = tg_slice_of(data, size);
    tg_buf out;
    if (key == NULL) {
        set_up();
    }
    tg_buf_init_wiped(&out, size + 256);
    read_foreign(input, &out);
    exchange(input, size % 2 == 0 ? TG_HPKE_AES_128_GCM : TG_HPKE_AES_256_GCM, &out);
    tg_buf_done(&out);
    return 0;
}
