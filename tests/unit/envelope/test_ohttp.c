#include "support/case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/ohttp.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 256 };

typedef struct bytes {
    uint8_t ptr[MAX_BYTES];
    size_t len;
} bytes;

static bytes hex(const char *text)
{
    bytes decoded = {.len = strlen(text) / 2};
    assert_true(decoded.len <= MAX_BYTES);
    assert_ok(tg_hex_decode(tg_slice_str(text), decoded.ptr));
    return decoded;
}

static tg_slice slice(const bytes *from)
{
    return tg_slice_of(from->ptr, from->len);
}

static tg_ec_key *key_of(const char *text)
{
    bytes private_key = hex(text);
    tg_ec_key *key;
    assert_ok(tg_ec_key_from_private(TG_CURVE_X25519, slice(&private_key), &key));
    return key;
}

/* RFC 9458 appendix A. */
#define GATEWAY_PRIVATE "3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a"
#define EPHEMERAL       "bc51d5e930bda26589890ac7032f70ad12e4ecb37abb1b65b1256c9c48999c73"
#define KEY_CONFIG      "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
#define REQUEST         "00034745540568747470730b6578616d706c652e636f6d012f"
#define SEALED_REQUEST                                                                                                 \
    "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268c594d2a10c69" \
    "5d858c40a026e7965e7d86b83dd440b2c0185204b4d63525"
#define SEALED_RESPONSE "c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd"

static tg_ohttp_config rfc_config(void)
{
    bytes config = hex("002d" KEY_CONFIG);
    tg_ohttp_config read;
    assert_ok(tg_ohttp_config_read(slice(&config), &read));
    return read;
}

static void tg_ohttp_rfc_9458_example_gives_every_message(void **state)
{
    const tg_ohttp_config config = rfc_config();
    tg_ec_key *gateway = key_of(GATEWAY_PRIVATE), *ephemeral = key_of(EPHEMERAL);
    bytes request = hex(REQUEST), sealed_request = hex(SEALED_REQUEST), sealed_response = hex(SEALED_RESPONSE);
    bytes response = hex("0140c8"), secret = hex("62d87a6ba569ee81014c2641f52bea36");
    tg_ohttp_reply of_client, of_gateway;
    tg_ohttp_request parsed;
    tg_buf out;
    (void)state;
    tg_buf_init_wiped(&out, 4096);
    assert_int_equal(config.key_id, 1);
    assert_int_equal(config.aead, TG_HPKE_AES_128_GCM);
    assert_ok(tg_ohttp_request_seal_with(&config, ephemeral, slice(&request), &out, &of_client));
    assert_int_equal(tg_buf_len(&out), sealed_request.len);
    assert_memory_equal(tg_buf_slice(&out).ptr, sealed_request.ptr, sealed_request.len);
    tg_buf_clear(&out);
    assert_ok(tg_ohttp_request_parse(slice(&sealed_request), &parsed));
    assert_int_equal(parsed.key_id, 1);
    assert_ok(tg_ohttp_request_open(&parsed, gateway, &out, &of_gateway));
    assert_int_equal(tg_buf_len(&out), request.len);
    assert_memory_equal(tg_buf_slice(&out).ptr, request.ptr, request.len);
    assert_memory_equal(of_gateway.secret, secret.ptr, secret.len);
    tg_buf_clear(&out);
    assert_ok(tg_ohttp_response_seal_with(&of_gateway, sealed_response.ptr, slice(&response), &out));
    assert_int_equal(tg_buf_len(&out), sealed_response.len);
    assert_memory_equal(tg_buf_slice(&out).ptr, sealed_response.ptr, sealed_response.len);
    tg_buf_clear(&out);
    assert_ok(tg_ohttp_response_open(&of_client, slice(&sealed_response), &out));
    assert_int_equal(tg_buf_len(&out), response.len);
    assert_memory_equal(tg_buf_slice(&out).ptr, response.ptr, response.len);
    tg_ohttp_reply_done(&of_client);
    tg_ohttp_reply_done(&of_gateway);
    assert_int_equal(of_client.secret[0], 0);
    tg_buf_done(&out);
    tg_ec_key_free(gateway);
    tg_ec_key_free(ephemeral);
}

static void exchange(tg_hpke_aead aead)
{
    tg_ec_key *key;
    tg_buf request, response, out;
    tg_ohttp_reply of_client, of_gateway;
    tg_ohttp_request parsed;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &key));
    tg_ohttp_config config = {.key_id = 9, .aead = aead};
    memcpy(config.public_key, tg_ec_key_public(key).ptr, sizeof config.public_key);
    tg_buf_init(&request, 4096);
    tg_buf_init(&response, 4096);
    tg_buf_init_wiped(&out, 4096);
    assert_ok(tg_ohttp_request_seal(&config, TG_LIT("a request"), &request, &of_client));
    assert_int_equal(tg_buf_len(&request), TG_OHTTP_REQUEST_OVERHEAD_BYTES + 9);
    assert_ok(tg_ohttp_request_parse(tg_buf_slice(&request), &parsed));
    assert_ok(tg_ohttp_request_open(&parsed, key, &out, &of_gateway));
    assert_slice(tg_buf_slice(&out), "a request");
    assert_ok(tg_ohttp_response_seal(&of_gateway, TG_LIT("a response"), &response));
    tg_buf_clear(&out);
    assert_ok(tg_ohttp_response_open(&of_client, tg_buf_slice(&response), &out));
    assert_slice(tg_buf_slice(&out), "a response");
    tg_buf_clear(&out);
    /* Another exchange's answer is not this one's; nor is a shortened or changed one. */
    tg_ohttp_reply other = of_client;
    other.enc[0] ^= 1;
    assert_code(tg_ohttp_response_open(&other, tg_buf_slice(&response), &out), TG_ERR_AUTH);
    for (size_t i = 0; i < tg_buf_len(&response); i++) {
        tg_slice shorter = tg_slice_first(tg_buf_slice(&response), i);
        assert_false(tg_is_ok(tg_ohttp_response_open(&of_client, shorter, &out)));
    }
    tg_buf small;
    tg_buf_init_wiped(&small, 4);
    assert_code(tg_ohttp_response_open(&of_client, tg_buf_slice(&response), &small), TG_ERR_LIMIT);
    assert_code(tg_ohttp_response_seal(&of_gateway, TG_LIT("x"), &small), TG_ERR_LIMIT);
    assert_code(tg_ohttp_request_open(&parsed, key, &small, &of_gateway), TG_ERR_LIMIT);
    assert_code(tg_ohttp_request_seal(&config, TG_LIT("x"), &small, &of_client), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&out), 0);
    tg_buf_done(&small);
    tg_buf_done(&request);
    tg_buf_done(&response);
    tg_buf_done(&out);
    tg_ec_key_free(key);
}

static void tg_ohttp_exchange_with_each_aead_comes_back(void **state)
{
    (void)state;
    exchange(TG_HPKE_AES_128_GCM);
    exchange(TG_HPKE_AES_256_GCM);
}

static void tg_ohttp_request_open_any_byte_changed_is_refused(void **state)
{
    tg_ec_key *gateway = key_of(GATEWAY_PRIVATE);
    bytes sealed = hex(SEALED_REQUEST);
    tg_ohttp_reply reply;
    tg_buf out;
    (void)state;
    tg_buf_init_wiped(&out, 4096);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        tg_ohttp_request parsed;
        sealed.ptr[i / 8] ^= (uint8_t)(1u << (i % 8));
        tg_result result = tg_ohttp_request_parse(slice(&sealed), &parsed);
        if (tg_is_ok(result)) {
            result = tg_ohttp_request_open(&parsed, gateway, &out, &reply);
        }
        assert_false(tg_is_ok(result)); /* the bit of enc too that X25519 itself ignores */
        assert_int_equal(tg_buf_len(&out), 0);
        sealed.ptr[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    tg_buf_done(&out);
    tg_ec_key_free(gateway);
}

static void tg_ohttp_request_parse_other_algorithms_and_prefixes_are_refused(void **state)
{
    bytes sealed = hex(SEALED_REQUEST);
    tg_ohttp_request parsed;
    (void)state;
    for (size_t len = 0; len < TG_OHTTP_REQUEST_OVERHEAD_BYTES; len++) {
        assert_code(tg_ohttp_request_parse(tg_slice_of(sealed.ptr, len), &parsed), TG_ERR_TRUNCATED);
    }
    assert_ok(tg_ohttp_request_parse(tg_slice_of(sealed.ptr, TG_OHTTP_REQUEST_OVERHEAD_BYTES), &parsed));
    static const size_t places[] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < TG_COUNT(places); i++) {
        uint8_t before = sealed.ptr[places[i]];
        sealed.ptr[places[i]] = 3; /* of AEADs that is ChaCha20Poly1305 */
        assert_code(tg_ohttp_request_parse(slice(&sealed), &parsed), TG_ERR_UNSUPPORTED);
        sealed.ptr[places[i]] = before;
    }
}

static void tg_ohttp_config_read_finds_the_first_that_is_ours(void **state)
{
    static const struct {
        const char *keys;
        tg_code code;
    } cases[] = {
        {"", TG_ERR_NOT_FOUND},
        {"002d" KEY_CONFIG, TG_OK},
        {"002c" KEY_CONFIG, TG_ERR_TRUNCATED},
        {"00", TG_ERR_TRUNCATED},
        {"002e" KEY_CONFIG, TG_ERR_TRUNCATED},
        {"0002ffff", TG_ERR_TRUNCATED},
        {"0003ff0010", TG_ERR_NOT_FOUND},     /* another KEM */
        {"0003ff0010002d" KEY_CONFIG, TG_OK}, /* and then ours */
        {"0029050020"
         "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
         "000400010003",
         TG_ERR_NOT_FOUND},
        {"0025050020"
         "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
         "0000",
         TG_ERR_SYNTAX},
        {"0028050020"
         "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
         "0003000100",
         TG_ERR_SYNTAX},
        {"002a050020"
         "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155"
         "00040001000100",
         TG_ERR_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        bytes keys = hex(cases[i].keys);
        tg_ohttp_config config;
        assert_code(tg_ohttp_config_read(slice(&keys), &config), cases[i].code);
    }
    uint8_t many[(TG_MAX_OHTTP_CONFIGS + 1) * 5];
    for (size_t i = 0; i < sizeof many; i += 5) {
        memcpy(many + i, "\x00\x03\xff\x00\x10", 5);
    }
    tg_ohttp_config config;
    assert_code(tg_ohttp_config_read(tg_slice_of(many, sizeof many - 5), &config), TG_ERR_NOT_FOUND);
    assert_code(tg_ohttp_config_read(tg_slice_of(many, sizeof many), &config), TG_ERR_LIMIT);
}

static void tg_ohttp_config_append_reads_back(void **state)
{
    tg_ec_key *gateway = key_of(GATEWAY_PRIVATE);
    tg_ohttp_config config;
    tg_buf keys;
    (void)state;
    tg_buf_init(&keys, 128);
    assert_ok(tg_ohttp_config_append(&keys, 200, tg_ec_key_public(gateway)));
    assert_ok(tg_ohttp_config_read(tg_buf_slice(&keys), &config));
    assert_int_equal(config.key_id, 200);
    assert_int_equal(config.aead, TG_HPKE_AES_128_GCM);
    assert_memory_equal(config.public_key, tg_ec_key_public(gateway).ptr, TG_X25519_PUBLIC_BYTES);
    tg_buf_done(&keys);
    tg_ec_key_free(gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_ohttp_rfc_9458_example_gives_every_message),
        cmocka_unit_test(tg_ohttp_exchange_with_each_aead_comes_back),
        cmocka_unit_test(tg_ohttp_request_open_any_byte_changed_is_refused),
        cmocka_unit_test(tg_ohttp_request_parse_other_algorithms_and_prefixes_are_refused),
        cmocka_unit_test(tg_ohttp_config_read_finds_the_first_that_is_ours),
        cmocka_unit_test(tg_ohttp_config_append_reads_back),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
