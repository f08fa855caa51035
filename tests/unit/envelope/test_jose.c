#include "support/case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/jose.h"

#include <string.h>

static tg_result read_json(tg_slice json, json_t **out_header, tg_detail *detail)
{
    tg_buf text;
    tg_buf_init(&text, 65536);
    assert_ok(tg_base64_append(&text, TG_BASE64_URL, json));
    tg_result result = tg_jose_header_read(tg_buf_slice(&text), out_header, detail);
    tg_buf_done(&text);
    return result;
}

static void check_refused(tg_slice json, tg_code code, const char *reason)
{
    json_t *header = NULL;
    tg_detail detail = {0};
    assert_code(read_json(json, &header, &detail), code);
    assert_null(header);
    assert_non_null(strstr(detail.reason, reason));
}

static json_t *read_good(const char *json)
{
    json_t *header;
    tg_detail detail = {0};
    assert_ok(read_json(tg_slice_str(json), &header, &detail));
    return header;
}

static void tg_jose_header_read_extensions_are_refused_by_name(void **state)
{
    (void)state;
    check_refused(TG_LIT("{\"alg\":\"ES256\",\"crit\":[\"x\"]}"), TG_ERR_DENIED, "`crit`");
    check_refused(TG_LIT("{\"crit\":null}"), TG_ERR_DENIED, "`crit`");
    check_refused(TG_LIT("{\"zip\":\"DEF\"}"), TG_ERR_DENIED, "`zip`");
    check_refused(TG_LIT("{\"b64\":true}"), TG_ERR_DENIED, "`b64`");
    check_refused(TG_LIT("{\"z\\u0069p\":\"DEF\"}"), TG_ERR_DENIED, "`zip`");
}

static void tg_jose_header_read_no_strict_object_is_refused(void **state)
{
    json_t *header;
    tg_detail detail = {0};
    (void)state;
    check_refused(TG_LIT(""), TG_ERR_SYNTAX, "not a JSON object");
    check_refused(TG_LIT("[]"), TG_ERR_SYNTAX, "not a JSON object");
    check_refused(TG_LIT("{} "
                         "{}"),
                  TG_ERR_SYNTAX, "not a JSON object");
    check_refused(TG_LIT("{\"alg\":\"a\",\"alg\":\"b\"}"), TG_ERR_SYNTAX, "twice");
    check_refused(TG_LIT("{\"a\":\"\xff\"}"), TG_ERR_SYNTAX, "not a JSON object");
    check_refused(TG_LIT("{\"a\":\"\\u0000\"}"), TG_ERR_SYNTAX, "not a JSON object");
    check_refused(TG_LIT("{\"a\":1}\0"), TG_ERR_SYNTAX, "not a JSON object");
    assert_code(tg_jose_header_read(TG_LIT("e30="), &header, &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_header_read(TG_LIT("e31"), &header, &detail), TG_ERR_SYNTAX); /* spare bits */
}

static void tg_jose_header_read_every_prefix_of_a_header_is_refused(void **state)
{
    static const char json[] = "{\"alg\":\"ES256\",\"kid\":\"k\"}";
    (void)state;
    for (size_t len = 0; len < sizeof json - 1; len++) {
        check_refused(tg_slice_of(json, len), TG_ERR_SYNTAX, "not a JSON object");
    }
    json_decref(read_good(json));
}

static void tg_jose_header_read_longest_is_taken_and_one_more_is_not(void **state)
{
    char json[TG_MAX_JOSE_HEADER_BYTES + 1];
    json_t *header;
    tg_detail detail = {0};
    (void)state;
    for (size_t len = TG_MAX_JOSE_HEADER_BYTES; len <= sizeof json; len++) {
        memset(json, ' ', sizeof json);
        json[0] = '{';
        json[len - 1] = '}';
        assert_code(read_json(tg_slice_of(json, len), &header, &detail),
                    len == TG_MAX_JOSE_HEADER_BYTES ? TG_OK : TG_ERR_LIMIT);
    }
    json_decref(header);
}

static void tg_jose_expect_other_value_is_unsupported(void **state)
{
    json_t *header = read_good("{\"alg\":\"none\",\"enc\":1}");
    tg_detail detail = {0};
    (void)state;
    assert_ok(tg_jose_expect(header, "alg", "none", &detail));
    assert_code(tg_jose_expect(header, "alg", "ES256", &detail), TG_ERR_UNSUPPORTED);
    assert_string_equal(detail.reason, "`alg` must be ES256");
    assert_code(tg_jose_expect(header, "enc", "A256GCM", &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_expect(header, "typ", "A256GCM", &detail), TG_ERR_SYNTAX);
    json_decref(header);
}

static void tg_jose_read_text_at_its_limits_is_checked(void **state)
{
    static const char *const bad[] = {"{\"t\":\"12345\"}",   "{\"t\":\"\"}",    "{\"t\":null}",
                                      "{\"t\":\"\\u007f\"}", "{\"t\":\"\\t\"}", "{\"t\":\"\\u00e9\"}"};
    char text[5] = "old";
    tg_detail detail = {0};
    (void)state;
    json_t *header = read_good("{\"t\":\"a ;~\"}");
    assert_ok(tg_jose_read_text(header, "t", text, sizeof text, &detail));
    assert_string_equal(text, "a ;~");
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        json_t *other = read_good(bad[i]);
        assert_code(tg_jose_read_text(other, "t", text, sizeof text, &detail), TG_ERR_SYNTAX);
        assert_string_equal(detail.field, "t");
        json_decref(other);
    }
    assert_string_equal(text, "a ;~");
    assert_ok(tg_jose_read_text(header, "absent", text, sizeof text, &detail));
    assert_string_equal(text, "");
    json_decref(header);
}

static void tg_jose_read_kid_at_its_limits_is_checked(void **state)
{
    tg_detail detail = {0};
    char kid[TG_MAX_KID_BYTES + 1], longest[TG_MAX_KID_BYTES + 2];
    (void)state;
    memset(longest, 'k', sizeof longest);
    for (size_t len = 0; len < TG_COUNT(longest); len++) {
        json_t *header = json_pack("{s:s%}", "kid", longest, len);
        assert_code(tg_jose_read_kid(header, kid, &detail),
                    len >= 1 && len <= TG_MAX_KID_BYTES ? TG_OK : TG_ERR_SYNTAX);
        json_decref(header);
    }
    static const char *const bad[] = {"{}", "{\"kid\":1}", "{\"kid\":\"a b\"}", "{\"kid\":\"\\u00e9\"}",
                                      "{\"kid\":\"\\u007f\"}"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        json_t *header = read_good(bad[i]);
        assert_code(tg_jose_read_kid(header, kid, &detail), TG_ERR_SYNTAX);
        json_decref(header);
    }
}

static void tg_jose_read_bytes_and_number_what_is_none_is_refused(void **state)
{
    json_t *header =
        read_good("{\"s\":\"AQI\",\"bad\":\"A\",\"n\":9007199254740992,\"neg\":-1,\"big\":9007199254740993,"
                  "\"real\":1.0}");
    tg_detail detail = {0};
    uint8_t bytes[2];
    size_t len;
    uint64_t value;
    bool has;
    (void)state;
    assert_ok(tg_jose_read_bytes(header, "s", bytes, 2, &len, &detail));
    assert_int_equal(len, 2);
    assert_int_equal(bytes[1], 2);
    assert_code(tg_jose_read_bytes(header, "s", bytes, 1, &len, &detail), TG_ERR_LIMIT);
    assert_code(tg_jose_read_bytes(header, "bad", bytes, 2, &len, &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_read_bytes(header, "n", bytes, 2, &len, &detail), TG_ERR_SYNTAX);
    assert_ok(tg_jose_read_bytes(header, "absent", bytes, 2, &len, &detail));
    assert_int_equal(len, 0);
    assert_ok(tg_jose_read_number(header, "n", &has, &value, &detail));
    assert_true(has && value == 9007199254740992u);
    assert_ok(tg_jose_read_number(header, "absent", &has, &value, &detail));
    assert_false(has);
    assert_code(tg_jose_read_number(header, "neg", &has, &value, &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_read_number(header, "big", &has, &value, &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_read_number(header, "real", &has, &value, &detail), TG_ERR_SYNTAX);
    assert_code(tg_jose_read_number(header, "s", &has, &value, &detail), TG_ERR_SYNTAX);
    json_decref(header);
}

/* RFC 7515 appendix A.3's key, and RFC 7517 appendix A.1's, which has both coordinates of RFC 7518's Bob. */
#define GOOD_X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define GOOD_Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

static void tg_jwk_read_point_other_keys_are_refused(void **state)
{
    static const struct {
        const char *json;
        tg_code code;
    } cases[] = {{"{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X "," GOOD_Y "}", TG_OK},
                 {"{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X "," GOOD_Y ",\"d\":\"AQ\"}", TG_ERR_SYNTAX},
                 {"{\"kty\":\"EC\",\"crv\":\"P-384\"," GOOD_X "," GOOD_Y "}", TG_ERR_UNSUPPORTED},
                 {"{\"kty\":\"OKP\",\"crv\":\"X25519\"," GOOD_X "}", TG_ERR_UNSUPPORTED},
                 {"{\"kty\":\"EC\"," GOOD_X "," GOOD_Y "}", TG_ERR_UNSUPPORTED},
                 {"{\"crv\":\"P-256\"," GOOD_X "," GOOD_Y "}", TG_ERR_SYNTAX},
                 {"{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X "}", TG_ERR_SYNTAX},
                 {"{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X ",\"y\":\"AQ\"}", TG_ERR_SYNTAX},
                 {"{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X
                  ",\"y\":\"AAx_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a\"}",
                  TG_ERR_SYNTAX}};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        json_t *jwk = read_good(cases[i].json);
        uint8_t point[TG_P256_PUBLIC_BYTES] = {0};
        tg_detail detail = {0};
        assert_code(tg_jwk_read_point(jwk, "epk", point, &detail), cases[i].code);
        assert_int_equal(point[0], cases[i].code == TG_OK ? 4 : 0);
        json_decref(jwk);
    }
    tg_detail detail = {0};
    uint8_t point[TG_P256_PUBLIC_BYTES];
    assert_code(tg_jwk_read_point(NULL, "epk", point, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.reason, "`epk` is missing or no JWK");
}

static void tg_jwk_append_what_is_written_reads_back_under_its_thumbprint(void **state)
{
    json_t *jwk = read_good("{\"kty\":\"EC\",\"crv\":\"P-256\"," GOOD_X "," GOOD_Y "}"), *again;
    uint8_t point[TG_P256_PUBLIC_BYTES], back[TG_P256_PUBLIC_BYTES];
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_detail detail = {0};
    tg_buf text;
    (void)state;
    assert_ok(tg_jwk_read_point(jwk, "k", point, &detail));
    assert_ok(tg_jwk_thumbprint(tg_slice_of(point, sizeof point), kid));
    assert_string_equal(kid, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"); /* by jose jwk thp */
    tg_buf_init(&text, TG_MAX_JWK_BYTES);
    assert_ok(tg_jwk_append(&text, tg_slice_of(point, sizeof point), "enc", "ECDH-ES", kid));
    again = json_loadb((const char *)tg_buf_slice(&text).ptr, tg_buf_len(&text), 0, NULL);
    assert_ok(tg_jwk_read_point(again, "k", back, &detail));
    assert_memory_equal(point, back, sizeof point);
    assert_string_equal(json_string_value(json_object_get(again, "use")), "enc");
    assert_string_equal(json_string_value(json_object_get(again, "kid")), kid);
    tg_buf_done(&text);
    json_decref(jwk);
    json_decref(again);
}

static void tg_jose_split_takes_exactly_the_parts(void **state)
{
    static const struct {
        const char *text;
        tg_code code;
    } cases[] = {{"a.b.c", TG_OK},          {"..", TG_OK},       {"a.b", TG_ERR_SYNTAX},
                 {"a.b.c.", TG_ERR_SYNTAX}, {"", TG_ERR_SYNTAX}, {"a.b.c.d", TG_ERR_SYNTAX},
                 {"abc", TG_ERR_SYNTAX},    {".", TG_ERR_SYNTAX}};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_slice parts[3];
        tg_detail detail = {0};
        assert_code(tg_jose_split(tg_slice_str(cases[i].text), parts, 3, &detail), cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_jose_header_read_extensions_are_refused_by_name),
        cmocka_unit_test(tg_jose_header_read_no_strict_object_is_refused),
        cmocka_unit_test(tg_jose_header_read_every_prefix_of_a_header_is_refused),
        cmocka_unit_test(tg_jose_header_read_longest_is_taken_and_one_more_is_not),
        cmocka_unit_test(tg_jose_expect_other_value_is_unsupported),
        cmocka_unit_test(tg_jose_read_text_at_its_limits_is_checked),
        cmocka_unit_test(tg_jose_read_kid_at_its_limits_is_checked),
        cmocka_unit_test(tg_jose_read_bytes_and_number_what_is_none_is_refused),
        cmocka_unit_test(tg_jwk_read_point_other_keys_are_refused),
        cmocka_unit_test(tg_jwk_append_what_is_written_reads_back_under_its_thumbprint),
        cmocka_unit_test(tg_jose_split_takes_exactly_the_parts),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
