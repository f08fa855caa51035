#include "support/case.h"

#include "base/encode.h"
#include "crypto/hpke.h"
#include "crypto/init.h"

#include <jansson.h>
#include <stdlib.h>

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

static bytes member(const json_t *object, const char *name)
{
    return hex(json_string_value(json_object_get(object, name)));
}

static tg_slice slice(const bytes *from)
{
    return tg_slice_of(from->ptr, from->len);
}

static tg_ec_key *derived(tg_curve curve, const char *key_material)
{
    bytes material = hex(key_material);
    tg_ec_key *key;
    assert_ok(tg_hpke_derive_key(curve, slice(&material), &key));
    return key;
}

static void check_messages(const json_t *vector, tg_hpke *sender, tg_hpke *receiver)
{
    size_t index;
    const json_t *message;
    json_array_foreach(json_object_get(vector, "encryptions"), index, message)
    {
        bytes aad = member(message, "aad"), plain = member(message, "pt"), expected = member(message, "ct");
        uint8_t out[MAX_BYTES + TG_GCM_TAG_BYTES];
        assert_ok(tg_hpke_seal(sender, slice(&aad), slice(&plain), out));
        assert_memory_equal(out, expected.ptr, expected.len);
        uint8_t opened[MAX_BYTES];
        expected.ptr[0] ^= 1; /* a failure does not count */
        assert_code(tg_hpke_open(receiver, slice(&aad), slice(&expected), opened), TG_ERR_AUTH);
        expected.ptr[0] ^= 1;
        assert_ok(tg_hpke_open(receiver, slice(&aad), slice(&expected), opened));
        assert_memory_equal(opened, plain.ptr, plain.len);
        /* RFC 9180's files skip ahead: the vectors are the messages 0, 1, 2, 4, 10, 32, 255, 256, 257. */
        bytes nonce = member(message, "nonce");
        const json_t *next = json_array_get(json_object_get(vector, "encryptions"), index + 1);
        if (next != NULL) {
            bytes next_nonce = member(next, "nonce");
            size_t last = TG_GCM_NONCE_BYTES - 1;
            uint64_t now = sender->base_nonce[last] ^ nonce.ptr[last],
                     then = sender->base_nonce[last] ^ next_nonce.ptr[last];
            now += (uint64_t)(sender->base_nonce[last - 1] ^ nonce.ptr[last - 1]) << 8;
            then += (uint64_t)(sender->base_nonce[last - 1] ^ next_nonce.ptr[last - 1]) << 8;
            sender->sequence += then - now - 1;
            receiver->sequence += then - now - 1;
        }
    }
}

static void check_exports(const json_t *vector, const tg_hpke *sender, const tg_hpke *receiver)
{
    size_t index;
    const json_t *wanted;
    json_array_foreach(json_object_get(vector, "exports"), index, wanted)
    {
        bytes context = member(wanted, "exporter_context"), expected = member(wanted, "exported_value");
        uint8_t value[MAX_BYTES];
        assert_ok(tg_hpke_export(sender, slice(&context), value, expected.len));
        assert_memory_equal(value, expected.ptr, expected.len);
        assert_ok(tg_hpke_export(receiver, slice(&context), value, expected.len));
        assert_memory_equal(value, expected.ptr, expected.len);
    }
}

static void tg_hpke_rfc_9180_vectors_give_keys_messages_and_exports(void **state)
{
    tg_slice text = tg_read_vector("hpke/rfc9180_mode0_x25519.json");
    json_t *vectors = json_loadb((const char *)text.ptr, text.len, 0, NULL), *vector;
    size_t index;
    (void)state;
    assert_int_equal(json_array_size(vectors), 2);
    json_array_foreach(vectors, index, vector)
    {
        tg_hpke_aead aead = (tg_hpke_aead)json_integer_value(json_object_get(vector, "aead_id"));
        tg_ec_key *recipient = derived(TG_CURVE_X25519, json_string_value(json_object_get(vector, "ikmR")));
        tg_ec_key *ephemeral = derived(TG_CURVE_X25519, json_string_value(json_object_get(vector, "ikmE")));
        bytes pk = member(vector, "pkRm"), enc = member(vector, "enc"), info = member(vector, "info");
        bytes key = member(vector, "key"), nonce = member(vector, "base_nonce"),
              secret = member(vector, "exporter_secret");
        tg_hpke sender, receiver;
        assert_memory_equal(tg_ec_key_public(recipient).ptr, pk.ptr, pk.len);
        assert_memory_equal(tg_ec_key_public(ephemeral).ptr, enc.ptr, enc.len);
        assert_ok(tg_hpke_send_setup_with(aead, ephemeral, slice(&pk), slice(&info), &sender));
        assert_ok(tg_hpke_receive_setup(aead, recipient, slice(&enc), slice(&info), &receiver));
        assert_int_equal(tg_hpke_key_len(aead), key.len);
        assert_memory_equal(receiver.key, key.ptr, key.len);
        assert_memory_equal(receiver.base_nonce, nonce.ptr, nonce.len);
        assert_memory_equal(receiver.exporter_secret, secret.ptr, secret.len);
        check_messages(vector, &sender, &receiver);
        check_exports(vector, &sender, &receiver);
        tg_hpke_done(&sender);
        tg_hpke_done(&receiver);
        assert_int_equal(receiver.key[0], 0);
        tg_ec_key_free(recipient);
        tg_ec_key_free(ephemeral);
    }
    json_decref(vectors);
    free((void *)(uintptr_t)text.ptr);
}

/* RFC 9180 appendix A.3, whose KEM is of P-256. */
static void tg_hpke_derive_key_p256_vector_gives_its_private_key(void **state)
{
    tg_ec_key *made = derived(TG_CURVE_P256, "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550"),
              *known;
    bytes private_key = hex("f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2");
    (void)state;
    assert_ok(tg_ec_key_from_private(TG_CURVE_P256, slice(&private_key), &known));
    assert_memory_equal(tg_ec_key_public(made).ptr, tg_ec_key_public(known).ptr, TG_P256_PUBLIC_BYTES);
    tg_ec_key_free(made);
    tg_ec_key_free(known);
}

static void tg_hpke_open_of_what_was_sealed_gives_it_in_order_only(void **state)
{
    tg_ec_key *key;
    uint8_t enc[TG_HPKE_ENC_BYTES], first[3 + TG_GCM_TAG_BYTES], second[TG_GCM_TAG_BYTES], out[3];
    tg_hpke sender, receiver;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &key));
    assert_ok(tg_hpke_send_setup(TG_HPKE_AES_256_GCM, tg_ec_key_public(key), TG_LIT("info"), enc, &sender));
    assert_ok(tg_hpke_seal(&sender, TG_LIT(""), TG_LIT("one"), first));
    assert_ok(tg_hpke_seal(&sender, TG_LIT(""), TG_LIT(""), second));
    assert_ok(tg_hpke_receive_setup(TG_HPKE_AES_256_GCM, key, tg_slice_of(enc, sizeof enc), TG_LIT("info"), &receiver));
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(second, sizeof second), out), TG_ERR_AUTH);
    assert_ok(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(first, sizeof first), out));
    assert_memory_equal(out, "one", 3);
    assert_ok(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(second, sizeof second), out));
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(second, TG_GCM_TAG_BYTES - 1), out), TG_ERR_TRUNCATED);
    receiver.sequence = sender.sequence = UINT64_MAX;
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(second, sizeof second), out), TG_ERR_LIMIT);
    assert_code(tg_hpke_seal(&sender, TG_LIT(""), TG_LIT(""), second), TG_ERR_LIMIT);
    assert_code(tg_hpke_export(&sender, TG_LIT(""), out, 255 * 32 + 1), TG_ERR_RANGE);
    tg_ec_key_free(key);
}

static void tg_hpke_receive_setup_other_info_or_key_does_not_open(void **state)
{
    tg_ec_key *key, *other;
    uint8_t enc[TG_HPKE_ENC_BYTES], sealed[1 + TG_GCM_TAG_BYTES], out[1];
    tg_hpke sender, receiver;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &key));
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &other));
    assert_ok(tg_hpke_send_setup(TG_HPKE_AES_128_GCM, tg_ec_key_public(key), TG_LIT("info"), enc, &sender));
    assert_ok(tg_hpke_seal(&sender, TG_LIT(""), TG_LIT("x"), sealed));
    assert_ok(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, key, tg_slice_of(enc, 32), TG_LIT("other"), &receiver));
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    assert_ok(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, other, tg_slice_of(enc, 32), TG_LIT("info"), &receiver));
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    assert_ok(tg_hpke_receive_setup(TG_HPKE_AES_256_GCM, key, tg_slice_of(enc, 32), TG_LIT("info"), &receiver));
    assert_code(tg_hpke_open(&receiver, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    tg_ec_key_free(key);
    tg_ec_key_free(other);
}

static void tg_hpke_setup_bad_public_key_is_refused(void **state)
{
    static const uint8_t zeros[33];
    tg_ec_key *key, *p256;
    uint8_t enc[TG_HPKE_ENC_BYTES];
    tg_hpke context;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &key));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &p256));
    assert_code(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, key, tg_slice_of(zeros, 32), TG_LIT(""), &context),
                TG_ERR_AUTH);
    assert_code(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, key, tg_slice_of(zeros, 31), TG_LIT(""), &context),
                TG_ERR_RANGE);
    assert_code(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, p256, tg_slice_of(zeros, 32), TG_LIT(""), &context),
                TG_ERR_UNSUPPORTED);
    assert_code(tg_hpke_send_setup(TG_HPKE_AES_128_GCM, tg_slice_of(zeros, 33), TG_LIT(""), enc, &context),
                TG_ERR_RANGE);
    assert_code(tg_hpke_send_setup_with(TG_HPKE_AES_128_GCM, p256, tg_ec_key_public(key), TG_LIT(""), &context),
                TG_ERR_UNSUPPORTED);
    tg_ec_key_free(key);
    tg_ec_key_free(p256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_hpke_rfc_9180_vectors_give_keys_messages_and_exports),
        cmocka_unit_test(tg_hpke_derive_key_p256_vector_gives_its_private_key),
        cmocka_unit_test(tg_hpke_open_of_what_was_sealed_gives_it_in_order_only),
        cmocka_unit_test(tg_hpke_receive_setup_other_info_or_key_does_not_open),
        cmocka_unit_test(tg_hpke_setup_bad_public_key_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
