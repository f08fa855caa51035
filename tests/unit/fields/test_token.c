#include "support/case.h"

#include "crypto/init.h"
#include "fields/token.h"

#include <stdlib.h>

static tg_secret *new_secret(uint8_t fill)
{
    tg_secret *secret;
    assert_ok(tg_secret_new(32, &secret));
    memset(tg_secret_fill(secret), fill, 32);
    return secret;
}

/* A ring of keys filled with the given bytes; the first is current. */
static tg_field_keys *new_ring(const uint8_t *fills, size_t num_keys)
{
    tg_field_key keys[TG_MAX_FIELD_KEYS] = {{{NULL, 0}, NULL, false}};
    tg_secret *secrets[TG_MAX_FIELD_KEYS];
    for (size_t i = 0; i < num_keys; i++) {
        secrets[i] = new_secret(fills[i]);
        keys[i] = (tg_field_key){TG_LIT("key"), secrets[i], i == 0};
    }
    tg_field_keys *ring;
    assert_ok(tg_field_keys_new(keys, num_keys, &ring));
    for (size_t i = 0; i < num_keys; i++) {
        tg_secret_free(secrets[i]);
    }
    return ring;
}

static tg_field_keys *new_aa_ring(void)
{
    return new_ring((const uint8_t[]){0xaa}, 1);
}

static void assert_token(tg_field_keys *keys, tg_token_kind kind, tg_slice plaintext, const char *expected)
{
    uint8_t out[256];
    tg_token_job job = {kind, plaintext, out};
    assert_int_equal(tg_token_len(plaintext.len), strlen(expected));
    assert_ok(tg_token_seal(keys, &job, 1));
    assert_memory_equal(out, expected, strlen(expected));
    tg_opened opened;
    uint8_t back[256];
    assert_ok(tg_token_open(keys, tg_slice_str(expected), back, &opened));
    assert_int_equal(opened.kind, kind);
    assert_int_equal(opened.key_index, 0);
    assert_true(tg_slice_equal(tg_slice_of(back, opened.len), plaintext));
}

static void seal_known_values_give_known_tokens(void **state)
{
    (void)state;
    tg_field_keys *keys = new_aa_ring();
    assert_token(keys, TG_TOKEN_STRING, TG_LIT("hello"), "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy");
    assert_token(keys, TG_TOKEN_STRING, TG_LIT(""), "v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw");
    assert_token(keys, TG_TOKEN_STRING, TG_LIT("123-45-6789"),
                 "v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3");
    tg_field_keys_free(keys);
}

/* Made by @noble/ciphers and node's HMAC. */
static void seal_json_values_give_known_tokens(void **state)
{
    (void)state;
    tg_field_keys *keys = new_aa_ring();
    assert_token(keys, TG_TOKEN_JSON, TG_LIT("true"), "v1.HFAYg3PsPRd5tpDi.O7PYchDwJGlipgLyTJ_XcJYShz8");
    assert_token(keys, TG_TOKEN_JSON, TG_LIT("{\"a\":[1,2.5]}"),
                 "v1.10XE90i3ERguPkWJ.xNBu6NEzsnaXCY4rvZ2Og4d11x5cm56SaHEzoyQ");
    tg_field_keys_free(keys);
}

static void seal_same_text_as_json_gives_another_token(void **state)
{
    (void)state;
    tg_field_keys *keys = new_aa_ring();
    uint8_t as_string[64], as_json[64];
    tg_token_job jobs[] = {{TG_TOKEN_STRING, TG_LIT("true"), as_string}, {TG_TOKEN_JSON, TG_LIT("true"), as_json}};
    assert_ok(tg_token_seal(keys, jobs, 2));
    assert_memory_not_equal(as_string + 3, as_json + 3, 16);
    uint8_t back[64];
    tg_opened opened;
    assert_ok(tg_token_open(keys, tg_slice_of(as_json, tg_token_len(4)), back, &opened));
    assert_int_equal(opened.kind, TG_TOKEN_JSON);
    assert_slice(tg_slice_of(back, opened.len), "true");
    tg_field_keys_free(keys);
}

static void seal_every_length_in_batches_opens_again(void **state)
{
    (void)state;
    enum { MANY = 400 };
    tg_field_keys *keys = new_aa_ring();
    uint8_t *plaintext = malloc(MANY), *back = malloc(tg_token_open_room(tg_token_len(MANY)));
    static uint8_t *outs[MANY];
    static tg_token_job jobs[MANY];
    for (size_t i = 0; i < MANY; i++) {
        plaintext[i] = (uint8_t)(i * 7);
        outs[i] = malloc(tg_token_len(i)); /* exact, so that a byte too many is seen */
        jobs[i] = (tg_token_job){i % 3 == 0 ? TG_TOKEN_JSON : TG_TOKEN_STRING, tg_slice_of(plaintext, i), outs[i]};
    }
    assert_ok(tg_token_seal(keys, jobs, MANY));
    for (size_t i = 0; i < MANY; i++) {
        tg_opened opened;
        tg_slice token = tg_slice_of(outs[i], tg_token_len(i));
        assert_ok(tg_token_open(keys, token, back, &opened));
        assert_int_equal(opened.kind, jobs[i].kind);
        assert_true(tg_slice_equal(tg_slice_of(back, opened.len), tg_slice_of(plaintext, i)));
        tg_token_facts facts;
        assert_ok(tg_token_inspect(token, &facts, NULL));
        assert_int_equal(facts.plaintext_bytes, i);
        uint8_t alone[1024];
        tg_token_job job = {jobs[i].kind, jobs[i].plaintext, alone};
        assert_ok(tg_token_seal(keys, &job, 1));
        assert_memory_equal(alone, token.ptr, token.len);
        free(outs[i]);
    }
    free(plaintext);
    free(back);
    tg_field_keys_free(keys);
}

static void open_ring_tries_every_key(void **state)
{
    (void)state;
    const uint8_t fills[] = {1, 2, 3, 4, 5, 6, 7, 8};
    tg_field_keys *ring = new_ring(fills, 8);
    for (size_t i = 0; i < 8; i++) {
        tg_field_keys *writer = new_ring(fills + i, 1);
        uint8_t token[64], back[64];
        tg_token_job job = {i % 2 == 0 ? TG_TOKEN_STRING : TG_TOKEN_JSON, TG_LIT("17"), token};
        assert_ok(tg_token_seal(writer, &job, 1));
        tg_opened opened;
        assert_ok(tg_token_open(ring, tg_slice_of(token, tg_token_len(2)), back, &opened));
        assert_int_equal(opened.key_index, i);
        assert_int_equal(opened.kind, job.kind);
        tg_field_keys_free(writer);
    }
    tg_field_keys *stranger = new_ring((const uint8_t[]){9}, 1);
    uint8_t token[64], back[64];
    tg_token_job job = {TG_TOKEN_STRING, TG_LIT("17"), token};
    assert_ok(tg_token_seal(stranger, &job, 1));
    tg_opened opened;
    assert_code(tg_token_open(ring, tg_slice_of(token, tg_token_len(2)), back, &opened), TG_ERR_AUTH);
    tg_field_keys_free(stranger);
    tg_field_keys_free(ring);
}

/* Decoded in the ring's scratch memory, once for all keys. */
static void open_long_token_tries_every_key(void **state)
{
    (void)state;
    enum { LEN = 100000 };
    tg_field_keys *ring = new_ring((const uint8_t[]){1, 2, 3}, 3), *writer = new_ring((const uint8_t[]){3}, 1);
    uint8_t *plaintext = malloc(LEN), *token = malloc(tg_token_len(LEN));
    uint8_t *back = malloc(tg_token_open_room(tg_token_len(LEN)));
    memset(plaintext, 'x', LEN);
    tg_token_job job = {TG_TOKEN_JSON, tg_slice_of(plaintext, LEN), token};
    assert_ok(tg_token_seal(writer, &job, 1));
    tg_opened opened;
    assert_ok(tg_token_open(ring, tg_slice_of(token, tg_token_len(LEN)), back, &opened));
    assert_int_equal(opened.key_index, 2);
    assert_int_equal(opened.kind, TG_TOKEN_JSON);
    assert_true(tg_slice_equal(tg_slice_of(back, opened.len), job.plaintext));
    tg_field_keys_scratch_end(ring);
    token[LEN] = token[LEN] == 'A' ? 'B' : 'A';
    assert_code(tg_token_open(ring, tg_slice_of(token, tg_token_len(LEN)), back, &opened), TG_ERR_AUTH);
    for (size_t i = 0; i < LEN; i++) {
        assert_int_equal(back[i], 0);
    }
    free(plaintext);
    free(token);
    free(back);
    tg_field_keys_free(writer);
    tg_field_keys_free(ring);
}

static void assert_no_token(tg_field_keys *keys, tg_slice text)
{
    uint8_t *back = malloc(tg_token_open_room(text.len));
    tg_opened opened;
    tg_token_facts facts;
    assert_code(tg_token_open(keys, text, back, &opened), TG_ERR_SYNTAX);
    assert_int_not_equal(tg_token_inspect(text, &facts, NULL).code, TG_OK);
    free(back);
}

static void open_malformed_text_is_no_token(void **state)
{
    (void)state;
    static const char good[] = "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy";
    tg_field_keys *keys = new_aa_ring();
    assert_no_token(keys, TG_LIT(""));
    for (size_t len = 0; len < TG_TOKEN_MIN_BYTES; len++) {
        assert_no_token(keys, tg_slice_of(good, len));
    }
    assert_no_token(keys, TG_LIT("V1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"));
    assert_no_token(keys, TG_LIT("v2.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"));
    assert_no_token(keys, TG_LIT(" v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"));
    assert_no_token(keys, TG_LIT("v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy\n"));
    assert_no_token(keys, TG_LIT("v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy="));
    assert_no_token(keys, TG_LIT("v1.tugTagQOcSZuNg4jA.ZEaG7tl5SRS6CpKlUf1elap2LBwy"));
    assert_no_token(keys, TG_LIT("v1.tugTagQOcSZuNg4.jZEaG7tl5SRS6CpKlUf1elap2LBwy"));
    assert_no_token(keys, TG_LIT("v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvx")); /* spare bits set */
    assert_no_token(keys, TG_LIT("v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2/ue3QS6Sgvw"));
    for (size_t at = 0; at < sizeof good - 1; at++) {
        char bad[sizeof good];
        memcpy(bad, good, sizeof good);
        bad[at] = 0;
        assert_no_token(keys, tg_slice_of(bad, sizeof good - 1));
        bad[at] = (char)0xc3;
        assert_no_token(keys, tg_slice_of(bad, sizeof good - 1));
    }
    tg_field_keys_free(keys);
}

static void open_changed_character_is_refused_and_leaves_no_plaintext(void **state)
{
    (void)state;
    static const char good[] = "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy";
    tg_field_keys *keys = new_aa_ring();
    for (size_t at = 3; at < sizeof good - 1; at++) {
        char bad[sizeof good];
        uint8_t back[64] = {0};
        tg_opened opened;
        memcpy(bad, good, sizeof good);
        if (bad[at] == '.') {
            continue;
        }
        bad[at] = bad[at] == 'A' ? 'B' : 'A';
        assert_code(tg_token_open(keys, tg_slice_of(bad, sizeof good - 1), back, &opened), TG_ERR_AUTH);
        assert_memory_not_equal(back, "hello", 5);
    }
    tg_field_keys_free(keys);
}

static void inspect_texts_are_told_apart(void **state)
{
    (void)state;
    tg_token_facts facts = {0};
    tg_detail detail = {0};
    assert_ok(tg_token_inspect(TG_LIT("v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"), &facts, &detail));
    assert_int_equal(facts.version, 1);
    assert_int_equal(facts.nonce_bytes, 12);
    assert_int_equal(facts.tag_bytes, 16);
    assert_int_equal(facts.plaintext_bytes, 11);
    assert_code(tg_token_inspect(TG_LIT("v2.k1.abc"), &facts, &detail), TG_ERR_UNSUPPORTED);
    assert_code(tg_token_inspect(TG_LIT("v17.abc"), &facts, &detail), TG_ERR_UNSUPPORTED);
    assert_code(tg_token_inspect(TG_LIT("v."), &facts, &detail), TG_ERR_SYNTAX);
    assert_code(tg_token_inspect(TG_LIT("v"), &facts, &detail), TG_ERR_SYNTAX);
    assert_code(tg_token_inspect(TG_LIT("hello"), &facts, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.reason, "it does not begin with v1.");
    assert_code(tg_token_inspect(TG_LIT("v1.abc"), &facts, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.reason, "6 characters long; the shortest token has 42");
}

static void keys_new_wrong_rings_are_refused(void **state)
{
    (void)state;
    tg_secret *good = new_secret(1), *brief;
    assert_ok(tg_secret_new(31, &brief));
    static const uint8_t long_id[TG_MAX_KEY_ID_BYTES + 1];
    tg_field_keys *ring = NULL;
    tg_field_key keys[TG_MAX_FIELD_KEYS + 1];
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        keys[i] = (tg_field_key){TG_LIT(""), good, i == 3};
    }
    assert_code(tg_field_keys_new(keys, 0, &ring), TG_ERR_RANGE);
    assert_code(tg_field_keys_new(keys, 3, &ring), TG_ERR_RANGE); /* none is current */
    assert_code(tg_field_keys_new(keys, TG_MAX_FIELD_KEYS + 1, &ring), TG_ERR_RANGE);
    keys[5].is_current = true;
    assert_code(tg_field_keys_new(keys, TG_MAX_FIELD_KEYS, &ring), TG_ERR_RANGE);
    keys[5] = (tg_field_key){TG_LIT(""), brief, false};
    assert_code(tg_field_keys_new(keys, TG_MAX_FIELD_KEYS, &ring), TG_ERR_RANGE);
    keys[5] = (tg_field_key){tg_slice_of(long_id, sizeof long_id), good, false};
    assert_code(tg_field_keys_new(keys, TG_MAX_FIELD_KEYS, &ring), TG_ERR_RANGE);
    assert_null(ring);
    keys[5].id = tg_slice_of(long_id, TG_MAX_KEY_ID_BYTES);
    assert_ok(tg_field_keys_new(keys, TG_MAX_FIELD_KEYS, &ring));
    assert_int_equal(tg_field_keys_num(ring), TG_MAX_FIELD_KEYS);
    assert_int_equal(tg_field_keys_id(ring, 5).len, TG_MAX_KEY_ID_BYTES);
    tg_field_keys_free(ring);
    tg_field_keys_free(NULL);
    tg_secret_free(good);
    tg_secret_free(brief);
}

static int set_up(void **state)
{
    (void)state;
    return tg_crypto_init(4).code == TG_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(seal_known_values_give_known_tokens),
        cmocka_unit_test(seal_json_values_give_known_tokens),
        cmocka_unit_test(seal_same_text_as_json_gives_another_token),
        cmocka_unit_test(seal_every_length_in_batches_opens_again),
        cmocka_unit_test(open_ring_tries_every_key),
        cmocka_unit_test(open_long_token_tries_every_key),
        cmocka_unit_test(open_malformed_text_is_no_token),
        cmocka_unit_test(open_changed_character_is_refused_and_leaves_no_plaintext),
        cmocka_unit_test(inspect_texts_are_told_apart),
        cmocka_unit_test(keys_new_wrong_rings_are_refused),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
