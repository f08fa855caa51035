#include "support/case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "crypto/siv.h"

#include <stdlib.h>

enum { MAX_VECTOR_BYTES = 256 };

typedef struct vector {
    uint8_t key[MAX_VECTOR_BYTES], nonce[MAX_VECTOR_BYTES], aad[MAX_VECTOR_BYTES], sealed[MAX_VECTOR_BYTES];
    uint8_t plaintext[MAX_VECTOR_BYTES], tag[MAX_VECTOR_BYTES];
    size_t key_len, nonce_len, aad_len, sealed_len, plaintext_len, tag_len;
} vector;

static tg_siv *new_cipher(uint8_t fill)
{
    uint8_t bytes[TG_SIV_KEY_BYTES];
    memset(bytes, fill, sizeof bytes);
    tg_secret *key;
    tg_siv *siv;
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &key));
    assert_ok(tg_siv_new(key, &siv));
    tg_secret_free(key);
    return siv;
}

static bool read_field(tg_slice line, tg_slice name, uint8_t *out, size_t *out_len)
{
    if (!tg_slice_starts(line, name)) {
        return false;
    }
    tg_slice hex = tg_slice_trim(tg_slice_from(line, name.len), " \r");
    assert_true(hex.len / 2 <= MAX_VECTOR_BYTES);
    assert_ok(tg_hex_decode(hex, out));
    *out_len = hex.len / 2;
    return true;
}

static void check_vector(const vector *v)
{
    tg_secret *key;
    tg_siv *siv = NULL;
    assert_ok(tg_secret_copy(tg_slice_of(v->key, v->key_len), &key));
    tg_result made = tg_siv_new(key, &siv);
    tg_secret_free(key);
    if (v->key_len != TG_SIV_KEY_BYTES) {
        assert_code(made, TG_ERR_RANGE);
        assert_null(siv);
        return;
    }
    assert_ok(made);
    assert_int_equal(v->nonce_len, TG_SIV_NONCE_BYTES);
    uint8_t expected[2 * MAX_VECTOR_BYTES], out[2 * MAX_VECTOR_BYTES];
    size_t sealed_len = v->sealed_len + v->tag_len;
    memcpy(expected, v->sealed, v->sealed_len);
    memcpy(expected + v->sealed_len, v->tag, v->tag_len);
    tg_slice aad = tg_slice_of(v->aad, v->aad_len);
    tg_siv_job job = {v->nonce, aad, tg_slice_of(v->plaintext, v->plaintext_len), out};
    assert_ok(tg_siv_seal(siv, &job, 1));
    assert_memory_equal(out, expected, sealed_len);
    uint8_t opened[MAX_VECTOR_BYTES];
    assert_ok(tg_siv_open(siv, v->nonce, aad, tg_slice_of(expected, sealed_len), opened));
    assert_memory_equal(opened, v->plaintext, v->plaintext_len);
    tg_siv_free(siv);
}

static void seal_rfc8452_vectors_agree(void **state)
{
    (void)state;
    tg_slice file = tg_read_vector("aes_gcm_siv/evpciph_aes_gcm_siv.txt");
    tg_slice rest = file;
    size_t num_256 = 0, num_128 = 0;
    vector v = {0};
    while (rest.ptr != NULL) {
        tg_slice line = tg_slice_split(&rest, '\n');
        if (tg_slice_starts(line, TG_LIT("Cipher = "))) {
            v = (vector){0};
        }
        (void)(read_field(line, TG_LIT("Key ="), v.key, &v.key_len) ||
               read_field(line, TG_LIT("IV ="), v.nonce, &v.nonce_len) ||
               read_field(line, TG_LIT("AAD ="), v.aad, &v.aad_len) ||
               read_field(line, TG_LIT("Tag ="), v.tag, &v.tag_len) ||
               read_field(line, TG_LIT("Plaintext ="), v.plaintext, &v.plaintext_len));
        if (read_field(line, TG_LIT("Ciphertext ="), v.sealed, &v.sealed_len)) {
            check_vector(&v);
            num_256 += v.key_len == 32;
            num_128 += v.key_len == 16;
        }
    }
    assert_int_equal(num_256, 26);
    assert_int_equal(num_128, 24);
    char *text = (char *)(uintptr_t)file.ptr;
    free(text);
}

static void seal_several_gives_each_its_own(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x11);
    uint8_t nonces[9][TG_SIV_NONCE_BYTES] = {{0}};
    uint8_t plaintexts[9][40], many[9][56], one[56];
    tg_siv_job jobs[9];
    for (size_t i = 0; i < 9; i++) {
        nonces[i][0] = (uint8_t)i;
        memset(plaintexts[i], (int)(i * 3), sizeof plaintexts[i]);
        jobs[i] = (tg_siv_job){nonces[i], tg_slice_of("json", i % 2 * 4), tg_slice_of(plaintexts[i], i * 5), many[i]};
    }
    assert_ok(tg_siv_seal(siv, jobs, 9));
    for (size_t i = 0; i < 9; i++) {
        tg_siv_job job = jobs[i];
        job.out = one;
        assert_ok(tg_siv_seal(siv, &job, 1));
        assert_memory_equal(one, many[i], i * 5 + TG_SIV_TAG_BYTES);
    }
    assert_ok(tg_siv_seal(siv, jobs, 0));
    tg_siv_free(siv);
}

static void seal_in_place_gives_the_same(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x22);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {7};
    for (size_t len = 0; len < 70; len++) {
        uint8_t plaintext[80], apart[96], same[96];
        memset(plaintext, 0x5a, sizeof plaintext);
        memcpy(same, plaintext, len);
        tg_siv_job job = {nonce, TG_LIT("a"), tg_slice_of(plaintext, len), apart};
        assert_ok(tg_siv_seal(siv, &job, 1));
        job = (tg_siv_job){nonce, TG_LIT("a"), tg_slice_of(same, len), same};
        assert_ok(tg_siv_seal(siv, &job, 1));
        assert_memory_equal(same, apart, len + TG_SIV_TAG_BYTES);
        assert_ok(tg_siv_open(siv, nonce, TG_LIT("a"), tg_slice_of(same, len + TG_SIV_TAG_BYTES), same));
        assert_memory_equal(same, plaintext, len);
    }
    tg_siv_free(siv);
}

static void open_any_bit_changed_is_refused_and_zeroed(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x33);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {1}, sealed[5 + TG_SIV_TAG_BYTES], out[5];
    tg_siv_job job = {nonce, TG_LIT("json"), TG_LIT("12345"), sealed};
    assert_ok(tg_siv_seal(siv, &job, 1));
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
        memset(out, 0xee, sizeof out);
        assert_code(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
        assert_memory_equal(out, "\0\0\0\0\0", 5);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
    }
    assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    nonce[11] ^= 1;
    assert_code(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    nonce[11] ^= 1;
    assert_ok(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out));
    assert_memory_equal(out, "12345", 5);
    tg_siv_free(siv);
}

static void open_shorter_than_a_tag_is_truncated(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x44);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {0}, sealed[TG_SIV_TAG_BYTES] = {0}, out[1];
    for (size_t len = 0; len < TG_SIV_TAG_BYTES; len++) {
        assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, len), out), TG_ERR_TRUNCATED);
    }
    assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    tg_siv_free(siv);
}

static void new_locked_memory_used_up_is_refused(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    static tg_siv *made[MANY];
    tg_secret *key;
    assert_ok(tg_secret_new(TG_SIV_KEY_BYTES, &key));
    size_t num_made = 0;
    tg_result result = tg_ok();
    while (num_made < MANY && tg_is_ok(result = tg_siv_new(key, &made[num_made]))) {
        num_made++;
    }
    assert_code(result, TG_ERR_MEMORY);
    assert_true(num_made >= 16);
    for (size_t i = 0; i < num_made; i++) {
        tg_siv_free(made[i]);
    }
    assert_ok(tg_siv_new(key, &made[0]));
    tg_siv_free(made[0]);
    tg_siv_free(NULL);
    tg_secret_free(key);
}

static void init_repeated_is_fine(void **state)
{
    (void)state;
    assert_ok(tg_crypto_init(1));
    assert_string_equal(tg_siv_chosen()->name, "libgcrypt");
}

static int set_up(void **state)
{
    (void)state;
    return tg_crypto_init(1).code == TG_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(init_repeated_is_fine),
        cmocka_unit_test(seal_rfc8452_vectors_agree),
        cmocka_unit_test(seal_several_gives_each_its_own),
        cmocka_unit_test(seal_in_place_gives_the_same),
        cmocka_unit_test(open_any_bit_changed_is_refused_and_zeroed),
        cmocka_unit_test(open_shorter_than_a_tag_is_truncated),
        cmocka_unit_test(new_locked_memory_used_up_is_refused),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
