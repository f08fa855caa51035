#include "settings/json_lines.h"

#include "support/case.h"

#include <stdlib.h>

static const char text[] = "\n"
                           "{\"a\": 1,\n"
                           " \"b\": {\n"
                           "  \"c/d~\": [true,\n"
                           "    {\"x\": \"}]\\\"\",\n"
                           "     \"y\":\n"
                           "       null}],\n"
                           "  \"\": 5, \"caf\\u00e9\\ud83d\\ude00\\t\":\n"
                           "  6\n"
                           " },\n"
                           " \"z\": []}\n";

static unsigned line_of(const char *pointer)
{
    return tg_json_line_of(tg_slice_str(text), tg_slice_str(pointer));
}

static void line_of_members_is_where_their_key_stands(void **state)
{
    (void)state;
    assert_int_equal(line_of(""), 2);
    assert_int_equal(line_of("/a"), 2);
    assert_int_equal(line_of("/b"), 3);
    assert_int_equal(line_of("/b/c~1d~0"), 4);
    assert_int_equal(line_of("/b/c~1d~0/0"), 4);
    assert_int_equal(line_of("/b/c~1d~0/1"), 5);
    assert_int_equal(line_of("/b/c~1d~0/1/x"), 5);
    assert_int_equal(line_of("/b/c~1d~0/1/y"), 6);
    assert_int_equal(line_of("/b/"), 8);
    assert_int_equal(line_of("/b/caf\xc3\xa9\xf0\x9f\x98\x80\t"), 8);
    assert_int_equal(line_of("/z"), 11);
}

static void line_of_what_is_absent_is_that_of_the_last_value_there(void **state)
{
    (void)state;
    assert_int_equal(line_of("/none"), 2);
    assert_int_equal(line_of("/b/none"), 3);
    assert_int_equal(line_of("/b/c~1d~0/2"), 4);
    assert_int_equal(line_of("/b/c~1d~0/x"), 4);
    assert_int_equal(line_of("/b/c~1d~0/-1"), 4);
    assert_int_equal(line_of("/a/x"), 2);
    assert_int_equal(line_of("/z/0"), 11);
    assert_int_equal(tg_json_line_of(TG_LIT(""), TG_LIT("/a")), 1);
    assert_int_equal(tg_json_line_of(TG_LIT("{\"a\":{\"\\u00\":1}}"), TG_LIT("/a/x")), 1);
}

static void line_of_every_prefix_stays_inside(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, text, len);
        static const char *const pointers[] = {"/b/c~1d~0/1/y", "/b/caf", "/z/0", "~"};
        for (size_t i = 0; i < TG_COUNT(pointers); i++) {
            assert_in_range(tg_json_line_of(tg_slice_of(exact, len), tg_slice_str(pointers[i])), 1, 12);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(line_of_members_is_where_their_key_stands),
        cmocka_unit_test(line_of_what_is_absent_is_that_of_the_last_value_there),
        cmocka_unit_test(line_of_every_prefix_stays_inside),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
