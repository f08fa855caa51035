#include "schema/uri.h"
#include "support/case.h"

#include <stdlib.h>

static void check(const char *base, const char *reference, const char *expected)
{
    tg_buf buf;
    tg_buf_init(&buf, TG_MAX_URI_BYTES);
    assert_ok(tg_uri_resolve(tg_slice_str(base), tg_slice_str(reference), &buf));
    tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(expected), reference, 0);
    tg_buf_done(&buf);
}

/* RFC 3986 §5.4.1, but for fragments, which are not part of what is resolved here. */
static void resolve_examples_of_the_rfc_agree(void **state)
{
    (void)state;
    const char *const base = "http://a/b/c/d;p?q";
    const char *const cases[][2] = {{"g:h", "g:h"},
                                    {"g", "http://a/b/c/g"},
                                    {"./g", "http://a/b/c/g"},
                                    {"g/", "http://a/b/c/g/"},
                                    {"/g", "http://a/g"},
                                    {"//g", "http://g"},
                                    {"?y", "http://a/b/c/d;p?y"},
                                    {"g?y", "http://a/b/c/g?y"},
                                    {";x", "http://a/b/c/;x"},
                                    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
                                    {"g;x=1/../y", "http://a/b/c/y"},
                                    {"", "http://a/b/c/d;p?q"},
                                    {".", "http://a/b/c/"},
                                    {"./", "http://a/b/c/"},
                                    {"..", "http://a/b/"},
                                    {"../", "http://a/b/"},
                                    {"../g", "http://a/b/g"},
                                    {"../..", "http://a/"},
                                    {"../../g", "http://a/g"},
                                    {"../../../g", "http://a/g"},
                                    {"/./g", "http://a/g"},
                                    {"/../g", "http://a/g"},
                                    {"g.", "http://a/b/c/g."},
                                    {"..g", "http://a/b/c/..g"},
                                    {"http:g", "http:g"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        check(base, cases[i][0], cases[i][1]);
    }
}

static void resolve_within_the_set_keeps_to_paths(void **state)
{
    (void)state;
    check("/bank/payments.yaml", "types.yaml", "/bank/types.yaml");
    check("/bank/payments.yaml", "../common/types.yaml", "/common/types.yaml");
    check("/payments.yaml", "./a/./b.yaml", "/a/b.yaml");
    check("", "a.yaml", "/a.yaml");
}

static void resolve_above_the_top_is_refused(void **state)
{
    (void)state;
    const char *const references[] = {"../x.yaml", "a/../../x.yaml", "/../x.yaml", ".."};
    for (size_t i = 0; i < TG_COUNT(references); i++) {
        tg_buf buf;
        tg_buf_init(&buf, TG_MAX_URI_BYTES);
        assert_code(tg_uri_resolve(TG_LIT("/a.yaml"), tg_slice_str(references[i]), &buf), TG_ERR_DENIED);
        tg_buf_done(&buf);
    }
}

static void resolve_longest_address_is_taken_and_one_more_refused(void **state)
{
    (void)state;
    static char text[TG_MAX_URI_BYTES];
    memset(text, 'x', sizeof text);
    tg_buf buf;
    tg_buf_init(&buf, TG_MAX_URI_BYTES);
    assert_ok(tg_uri_resolve(TG_LIT("/a"), tg_slice_of(text, sizeof text - 1), &buf));
    assert_int_equal(tg_buf_len(&buf), TG_MAX_URI_BYTES);
    tg_buf_clear(&buf);
    assert_code(tg_uri_resolve(TG_LIT("/a"), tg_slice_of(text, sizeof text), &buf), TG_ERR_LIMIT);
    tg_buf_done(&buf);
}

static void is_local_scheme_or_authority_is_not(void **state)
{
    (void)state;
    assert_true(tg_uri_is_local(TG_LIT("/a:b/c")));
    assert_true(tg_uri_is_local(TG_LIT("1x:y")));
    assert_true(tg_uri_is_local(TG_LIT("")));
    assert_false(tg_uri_is_local(TG_LIT("http://x/y")));
    assert_false(tg_uri_is_local(TG_LIT("urn:x")));
    assert_false(tg_uri_is_local(TG_LIT("a+b-c.1:x")));
    assert_false(tg_uri_is_local(TG_LIT("//host/x")));
}

static void unescape_digits_of_either_case_are_decoded(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 64);
    assert_ok(tg_uri_unescape(TG_LIT("a%2Fb%2f%00%7e"), &buf));
    assert_slice(tg_buf_slice(&buf), "a/b/\0~");
    tg_buf_done(&buf);
}

static void unescape_cut_or_wrong_digits_are_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"%", "%1", "a%", "%g0", "%0g", "%%20"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        tg_buf buf;
        tg_buf_init(&buf, 64);
        assert_code(tg_uri_unescape(tg_slice_str(texts[i]), &buf), TG_ERR_SYNTAX);
        tg_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(resolve_examples_of_the_rfc_agree),
        cmocka_unit_test(resolve_within_the_set_keeps_to_paths),
        cmocka_unit_test(resolve_above_the_top_is_refused),
        cmocka_unit_test(resolve_longest_address_is_taken_and_one_more_refused),
        cmocka_unit_test(is_local_scheme_or_authority_is_not),
        cmocka_unit_test(unescape_digits_of_either_case_are_decoded),
        cmocka_unit_test(unescape_cut_or_wrong_digits_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
