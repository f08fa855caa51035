#include "schema/yaml_scalar.h"
#include "support/case.h"

#include <math.h>
#include <stdlib.h>

static void check_kind(const char *text, tg_doc_kind kind)
{
    if (tg_yaml_resolve_plain(tg_slice_str(text)).kind != kind) {
        fail_msg("\"%s\" is of kind %d", text, tg_yaml_resolve_plain(tg_slice_str(text)).kind);
    }
}

static void resolve_plain_core_words_are_typed(void **state)
{
    (void)state;
    const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    for (size_t i = 0; i < TG_COUNT(nulls); i++) {
        check_kind(nulls[i], TG_DOC_NULL);
    }
    for (size_t i = 0; i < TG_COUNT(booleans); i++) {
        check_kind(booleans[i], TG_DOC_BOOL);
        assert_int_equal(tg_yaml_resolve_plain(tg_slice_str(booleans[i])).is_true, i < 3);
    }
}

static void resolve_plain_words_of_yaml_1_1_are_text(void **state)
{
    (void)state;
    const char *const texts[] = {"yes",  "no",    "on",    "off", "y",   "nULL", "tRUE",       "1_000",
                                 "1:30", "0b101", "0o18",  "0o",  "0x",  "0xg",  "0X1F",       "1e",
                                 "1e+",  "e1",    ".",     "+",   "-",   "+.",   "..1",        "1.2.3",
                                 "1 2",  ".inF",  "+.nan", "nan", "inf", "<<",   "2001-01-01", "1x"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        check_kind(texts[i], TG_DOC_TEXT);
    }
}

static void resolve_plain_numbers_have_their_value(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double value;
    } numbers[] = {{"0", 0},
                   {"017", 17},
                   {"-12", -12},
                   {"+3", 3},
                   {"1.5", 1.5},
                   {".5", 0.5},
                   {"5.", 5},
                   {"1e3", 1000},
                   {"1E-2", 0.01},
                   {"-0", 0},
                   {"0o17", 15},
                   {"0x1f", 31},
                   {"0xFF", 255},
                   {"-.5e1", -5},
                   {"123456789012345678901234567890123456789012345678901234567890"
                    "1234567890",
                    1.2345678901234568e69}};
    for (size_t i = 0; i < TG_COUNT(numbers); i++) {
        check_kind(numbers[i].text, TG_DOC_NUMBER);
        double value = tg_yaml_resolve_plain(tg_slice_str(numbers[i].text)).number;
        assert_true(fabs(value - numbers[i].value) <= fabs(value) * 1e-12);
    }
}

static void resolve_plain_infinities_keep_their_sign(void **state)
{
    (void)state;
    assert_true(tg_yaml_resolve_plain(TG_LIT(".inf")).number > 0);
    assert_true(tg_yaml_resolve_plain(TG_LIT("+.Inf")).number > 0);
    assert_true(tg_yaml_resolve_plain(TG_LIT("-.INF")).number < 0);
    assert_true(isnan(tg_yaml_resolve_plain(TG_LIT(".NaN")).number));
}

static void resolve_plain_embedded_nul_is_text(void **state)
{
    (void)state;
    assert_int_equal(tg_yaml_resolve_plain(TG_LIT("1\0")).kind, TG_DOC_TEXT);
    assert_int_equal(tg_yaml_resolve_plain(TG_LIT("true\0")).kind, TG_DOC_TEXT);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(resolve_plain_core_words_are_typed),
        cmocka_unit_test(resolve_plain_words_of_yaml_1_1_are_text),
        cmocka_unit_test(resolve_plain_numbers_have_their_value),
        cmocka_unit_test(resolve_plain_infinities_keep_their_sign),
        cmocka_unit_test(resolve_plain_embedded_nul_is_text),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
