#include "support/case.h"

#include "base/encode.h"
#include "crypto/hpke.h"
#include "crypto/init.h"
#include "envelope/jwe.h"

#include <stdlib.h>
#include <string.h>

/* A recipient's key, a JWE to it, and the JWE's header as JSON to make others of. */
typedef struct fixture {
    tg_ec_key *key;
    tg_ec_key *reply;
    tg_buf jwe;
    tg_buf opened;
} fixture;

static void set_up(fixture *f, const char *plaintext)
{
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &f->key));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &f->reply));
    tg_buf_init(&f->jwe, 65536);
    tg_buf_init_wiped(&f->opened, 65536);
    const tg_jwe_recipient recipient = {.point = tg_ec_key_public(f->key),
                                        .kid = "k1",
                                        .content_type = "json",
                                        .path = "/process",
                                        .issued_unix_s = 1763700000,
                                        .reply = tg_ec_key_public(f->reply),
                                        .reply_kid = "r1"};
    assert_ok(tg_jwe_seal(&recipient, tg_slice_str(plaintext), &f->jwe));
}

static void tear_down(fixture *f)
{
    tg_ec_key_free(f->key);
    tg_ec_key_free(f->reply);
    tg_buf_done(&f->jwe);
    tg_buf_done(&f->opened);
}

static void tg_jwe_open_of_what_was_sealed_gives_it(void **state)
{
    static const char *const texts[] = {"", "x", "{\"a\":1}", "\xff a text of some more bytes than one block has"};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        fixture f;
        tg_jwe jwe;
        tg_detail detail = {0};
        set_up(&f, texts[i]);
        assert_ok(tg_jwe_parse(tg_buf_slice(&f.jwe), &jwe, &detail));
        assert_string_equal(jwe.kid, "k1");
        assert_true(jwe.has_issued && jwe.issued_unix_s == 1763700000);
        assert_string_equal(jwe.content_type, "json");
        assert_string_equal(jwe.path, "/process");
        assert_true(jwe.has_reply);
        assert_string_equal(jwe.reply_kid, "r1");
        assert_memory_equal(jwe.reply, tg_ec_key_public(f.reply).ptr, TG_P256_PUBLIC_BYTES);
        assert_ok(tg_jwe_open(&jwe, f.key, &f.opened));
        assert_int_equal(tg_buf_len(&f.opened), strlen(texts[i]));
        assert_memory_equal(tg_buf_slice(&f.opened).ptr, texts[i], strlen(texts[i]));
        assert_code(tg_jwe_open(&jwe, f.reply, &f.opened), TG_ERR_AUTH);
        tear_down(&f);
    }
}

/* One change at any place: refused when read, or when opened, and nothing is given out. */
static void tg_jwe_open_any_byte_changed_is_refused(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, "a secret of nobody else");
    size_t len = tg_buf_len(&f.jwe), num_read = 0;
    char *changed = malloc(len);
    assert_non_null(changed);
    for (size_t i = 0; i < len; i++) {
        tg_jwe jwe;
        tg_detail detail = {0};
        memcpy(changed, tg_buf_slice(&f.jwe).ptr, len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        tg_result result = tg_jwe_parse(tg_slice_of(changed, len), &jwe, &detail);
        if (tg_is_ok(result)) {
            num_read++;
            result = tg_jwe_open(&jwe, f.key, &f.opened);
        }
        assert_false(tg_is_ok(result));
        assert_int_equal(tg_buf_len(&f.opened), 0);
    }
    assert_true(num_read > 40); /* all of nonce, ciphertext and tag, to begin with */
    free(changed);
    tear_down(&f);
}

static void tg_jwe_parse_every_prefix_is_refused(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, "text");
    for (size_t len = 0; len < tg_buf_len(&f.jwe); len++) {
        tg_jwe jwe;
        tg_detail detail = {0};
        assert_false(tg_is_ok(tg_jwe_parse(tg_slice_first(tg_buf_slice(&f.jwe), len), &jwe, &detail)));
    }
    tear_down(&f);
}

#define EPK                                                                                                            \
    "\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                 \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EPK_OFF                                                                                                        \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                          \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}"
#define BEGIN "{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\","

static tg_result parse_with(const char *json, const char *rest, tg_jwe *out_jwe, tg_detail *detail, tg_buf *text)
{
    tg_buf_init(text, 65536);
    assert_ok(tg_base64_append(text, TG_BASE64_URL, tg_slice_str(json)));
    assert_ok(tg_buf_append_str(text, rest));
    return tg_jwe_parse(tg_buf_slice(text), out_jwe, detail);
}

static void tg_jwe_parse_other_algorithms_and_members_are_refused_by_name(void **state)
{
    static const char rest[] = "..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        const char *json;
        tg_code code;
        const char *reason;
    } cases[] = {
        {BEGIN "\"kid\":\"k\"," EPK "}", TG_OK, ""},
        {BEGIN "\"kid\":\"k\"," EPK ",\"typ\":\"JOSE\",\"unknown\":1}", TG_OK, ""},
        {"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"kid\":\"k\"," EPK "}", TG_ERR_UNSUPPORTED, "`alg`"},
        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k\"," EPK "}", TG_ERR_UNSUPPORTED, "`alg`"},
        {"{\"alg\":\"none\",\"enc\":\"A256GCM\",\"kid\":\"k\"," EPK "}", TG_ERR_UNSUPPORTED, "`alg`"},
        {"{\"alg\":\"ECDH-ES\",\"enc\":\"A128GCM\",\"kid\":\"k\"," EPK "}", TG_ERR_UNSUPPORTED, "`enc`"},
        {"{\"enc\":\"A256GCM\",\"kid\":\"k\"," EPK "}", TG_ERR_SYNTAX, "`alg`"},
        {BEGIN EPK "}", TG_ERR_SYNTAX, "`kid`"},
        {BEGIN "\"kid\":\"k\"}", TG_ERR_SYNTAX, "`epk`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"zip\":\"DEF\"}", TG_ERR_DENIED, "`zip`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"crit\":[\"exp\"]}", TG_ERR_DENIED, "`crit`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"iat\":\"now\"}", TG_ERR_SYNTAX, "`iat`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"apu\":\"?\"}", TG_ERR_SYNTAX, "`apu`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"cty\":1}", TG_ERR_SYNTAX, "`cty`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"cty\":\"\"}", TG_ERR_SYNTAX, "`cty`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"path\":[\"/\"]}", TG_ERR_SYNTAX, "`path`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"path\":\"/a\\n\"}", TG_ERR_SYNTAX, "`path`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"reply_jwk\":\"k\"}", TG_ERR_SYNTAX, "`reply_jwk`"},
        {BEGIN "\"kid\":\"k\"," EPK ",\"reply_jwk\":{" EPK_OFF "}", TG_ERR_AUTH, "`reply_jwk`"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_jwe jwe;
        tg_detail detail = {0};
        tg_buf text;
        assert_code(parse_with(cases[i].json, rest, &jwe, &detail, &text), cases[i].code);
        assert_non_null(strstr(detail.reason, cases[i].reason));
        if (cases[i].code != TG_OK) { /* the name alone, for who answers by a table */
            assert_int_equal(strlen(detail.field) + 2, strlen(cases[i].reason));
            assert_memory_equal(detail.field, cases[i].reason + 1, strlen(detail.field));
        }
        tg_buf_done(&text);
    }
}

static void tg_jwe_parse_other_parts_are_refused(void **state)
{
    static const char *const rests[] = {".AA.AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA", /* an encrypted key */
                                        "..AAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA",
                                        "..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAA",
                                        "..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAAA",
                                        "..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA.",
                                        "..AAAAAAAAAAAAAAAA."};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(rests); i++) {
        tg_jwe jwe;
        tg_detail detail = {0};
        tg_buf text;
        assert_code(parse_with(BEGIN "\"kid\":\"k\"," EPK "}", rests[i], &jwe, &detail, &text), TG_ERR_SYNTAX);
        tg_buf_done(&text);
    }
}

static void tg_jwe_open_epk_off_the_curve_is_refused(void **state)
{
    tg_ec_key *key;
    tg_jwe jwe;
    tg_detail detail = {0};
    tg_buf text, opened;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
    tg_buf_init_wiped(&opened, 4096);
    assert_ok(parse_with(BEGIN "\"kid\":\"k\",\"epk\":{" EPK_OFF "}", "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
                         &jwe, &detail, &text));
    assert_code(tg_jwe_open(&jwe, key, &opened), TG_ERR_AUTH);
    tg_buf_done(&text);
    tg_buf_done(&opened);
    tg_ec_key_free(key);
}

static void tg_jwe_open_longer_than_the_buffer_or_no_base64_is_refused(void **state)
{
    fixture f;
    tg_jwe jwe;
    tg_detail detail = {0};
    tg_buf small;
    (void)state;
    set_up(&f, "sixteen bytes...");
    tg_buf_init_wiped(&small, 8);
    assert_ok(tg_jwe_parse(tg_buf_slice(&f.jwe), &jwe, &detail));
    assert_code(tg_jwe_open(&jwe, f.key, &small), TG_ERR_LIMIT);
    tg_jwe damaged = jwe;
    damaged.ciphertext_text = TG_LIT("!!!!");
    assert_code(tg_jwe_open(&damaged, f.key, &f.opened), TG_ERR_SYNTAX);
    damaged = jwe;
    damaged.iv_text = TG_LIT("AAAAAAAAAAAAAAA=");
    assert_code(tg_jwe_open(&damaged, f.key, &f.opened), TG_ERR_SYNTAX);
    damaged = jwe;
    damaged.tag_text = TG_LIT("AAAAAAAAAAAAAAAAAAAAA_"); /* spare bits */
    assert_code(tg_jwe_open(&damaged, f.key, &f.opened), TG_ERR_SYNTAX);
    tg_buf_done(&small);
    tear_down(&f);
}

static void tg_jwe_seal_that_fails_leaves_the_buffer_as_it_was(void **state)
{
    static const uint8_t point[TG_P256_PUBLIC_BYTES] = {4};
    tg_jwe_recipient recipient = {.point = tg_slice_of(point, sizeof point)};
    tg_ec_key *key;
    tg_buf out;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
    tg_buf_init(&out, 300);
    assert_ok(tg_buf_append_str(&out, "before"));
    assert_code(tg_jwe_seal(&recipient, TG_LIT("x"), &out), TG_ERR_AUTH);
    assert_slice(tg_buf_slice(&out), "before");
    recipient.point = tg_ec_key_public(key);
    assert_code(tg_jwe_seal(&recipient, tg_slice_of(point, sizeof point), &out), TG_ERR_LIMIT);
    assert_slice(tg_buf_slice(&out), "before");
    tg_buf_done(&out);
    tg_ec_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_jwe_open_of_what_was_sealed_gives_it),
        cmocka_unit_test(tg_jwe_open_any_byte_changed_is_refused),
        cmocka_unit_test(tg_jwe_parse_every_prefix_is_refused),
        cmocka_unit_test(tg_jwe_parse_other_algorithms_and_members_are_refused_by_name),
        cmocka_unit_test(tg_jwe_parse_other_parts_are_refused),
        cmocka_unit_test(tg_jwe_open_epk_off_the_curve_is_refused),
        cmocka_unit_test(tg_jwe_open_longer_than_the_buffer_or_no_base64_is_refused),
        cmocka_unit_test(tg_jwe_seal_that_fails_leaves_the_buffer_as_it_was),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
