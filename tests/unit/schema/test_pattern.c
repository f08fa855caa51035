#include "schema/pattern.h"
#include "support/case.h"

#include <stdlib.h>

static bool matches(const char *text, tg_slice name)
{
    tg_pii_pattern *pattern = NULL;
    bool is_match = false;
    assert_ok(tg_pii_pattern_new(tg_slice_str(text), &pattern, NULL));
    assert_true(tg_slice_equal(tg_pii_pattern_text(pattern), tg_slice_str(text)));
    assert_ok(tg_pii_pattern_match(pattern, name, &is_match));
    tg_pii_pattern_free(pattern);
    return is_match;
}

static void match_expression_is_not_anchored(void **state)
{
    (void)state;
    assert_true(matches("p_", TG_LIT("xp_y")));
    assert_false(matches("^p_", TG_LIT("xp_y")));
    assert_true(matches("", TG_LIT("")));
    assert_true(matches("^$", TG_LIT("")));
}

static void match_reads_as_ecma_262_does(void **state)
{
    (void)state;
    assert_false(matches("a$", TG_LIT("a\n"))); /* `$` is the very end */
    assert_true(matches("^[^]$", TG_LIT("\n")));
    assert_true(matches("^\\u00e4$", TG_LIT("\xc3\xa4")));
    assert_true(matches("^.$", TG_LIT("\xf0\x9f\x98\x80")));
    assert_false(matches("^\\d$", TG_LIT("\xd9\xa3"))); /* digits of ASCII alone */
    assert_true(matches("a\\/b", TG_LIT("a/b")));
    assert_true(matches("^a.c$", TG_LIT("a\0c")));
}

static void new_invalid_expression_is_refused_with_reason(void **state)
{
    (void)state;
    const char *const texts[] = {"(", "[a", "a{2,1}", "*", "(?<n>x)(?<n>y)", "\\C", "\xff"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        tg_pii_pattern *pattern = NULL;
        tg_detail detail = {0};
        assert_code(tg_pii_pattern_new(tg_slice_str(texts[i]), &pattern, &detail), TG_ERR_SYNTAX);
        assert_null(pattern);
        assert_true(detail.reason[0] != 0);
    }
}

static void new_longest_expression_is_taken_and_one_more_refused(void **state)
{
    (void)state;
    static char text[TG_MAX_PATTERN_BYTES + 1];
    memset(text, 'x', sizeof text);
    tg_pii_pattern *pattern = NULL;
    assert_ok(tg_pii_pattern_new(tg_slice_of(text, TG_MAX_PATTERN_BYTES), &pattern, NULL));
    tg_pii_pattern_free(pattern);
    assert_code(tg_pii_pattern_new(tg_slice_of(text, sizeof text), &pattern, NULL), TG_ERR_SYNTAX);
}

static void match_costly_expression_hits_its_bound(void **state)
{
    (void)state;
    tg_pii_pattern *pattern = NULL;
    bool is_match = false;
    assert_ok(tg_pii_pattern_new(TG_LIT("^(a|aa)+$"), &pattern, NULL));
    assert_code(tg_pii_pattern_match(pattern, TG_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &is_match),
                TG_ERR_LIMIT);
    tg_pii_pattern_free(pattern);
    assert_ok(tg_pii_pattern_new(TG_LIT("(*LIMIT_MATCH=4000000000)^(a|aa)+$"), &pattern, NULL));
    assert_code(tg_pii_pattern_match(pattern, TG_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &is_match),
                TG_ERR_LIMIT);
    tg_pii_pattern_free(pattern);
}

static void match_longest_name_is_looked_at_and_one_more_refused(void **state)
{
    (void)state;
    static uint8_t name[TG_MAX_PATTERN_NAME_BYTES + 1];
    memset(name, 'a', sizeof name);
    tg_pii_pattern *pattern = NULL;
    bool is_match = true;
    assert_ok(tg_pii_pattern_new(TG_LIT("[a-z]+_[a-z]+_[a-z]+"), &pattern, NULL));
    assert_ok(tg_pii_pattern_match(pattern, tg_slice_of(name, TG_MAX_PATTERN_NAME_BYTES), &is_match));
    assert_false(is_match);
    assert_code(tg_pii_pattern_match(pattern, tg_slice_of(name, sizeof name), &is_match), TG_ERR_LIMIT);
    tg_pii_pattern_free(pattern);
}

static void match_name_that_is_not_utf8_is_an_error(void **state)
{
    (void)state;
    tg_pii_pattern *pattern = NULL;
    bool is_match = false;
    assert_ok(tg_pii_pattern_new(TG_LIT("a"), &pattern, NULL));
    assert_code(tg_pii_pattern_match(pattern, TG_LIT("a\xff"), &is_match), TG_ERR_SYNTAX);
    assert_code(tg_pii_pattern_match(pattern, TG_LIT("a\xed\xa0\x80"), &is_match), TG_ERR_SYNTAX);
    tg_pii_pattern_free(pattern);
    tg_pii_pattern_free(NULL);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(match_expression_is_not_anchored),
        cmocka_unit_test(match_reads_as_ecma_262_does),
        cmocka_unit_test(new_invalid_expression_is_refused_with_reason),
        cmocka_unit_test(new_longest_expression_is_taken_and_one_more_refused),
        cmocka_unit_test(match_costly_expression_hits_its_bound),
        cmocka_unit_test(match_longest_name_is_looked_at_and_one_more_refused),
        cmocka_unit_test(match_name_that_is_not_utf8_is_an_error),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
