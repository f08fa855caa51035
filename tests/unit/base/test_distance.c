#include "base/distance.h"
#include "support/case.h"

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(tg_text_distance(TG_LIT(""), TG_LIT("")), 0);
    assert_int_equal(tg_text_distance(TG_LIT(""), TG_LIT("abc")), 3);
    assert_int_equal(tg_text_distance(TG_LIT("abc"), TG_LIT("")), 3);
    assert_int_equal(tg_text_distance(TG_LIT("encrpyt"), TG_LIT("encrypt")), 1);
    assert_int_equal(tg_text_distance(TG_LIT("kitten"), TG_LIT("sitting")), 3);
    assert_int_equal(tg_text_distance(TG_LIT("TLS_PORT"), TG_LIT("tls_port")), 0);
}

static void distance_long_words_are_cut(void **state)
{
    (void)state;
    uint8_t a[TG_MAX_DISTANCE_WORD + 9], b[TG_MAX_DISTANCE_WORD + 9];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    assert_int_equal(tg_text_distance(tg_slice_of(a, sizeof a), tg_slice_of(b, sizeof b)), TG_MAX_DISTANCE_WORD);
}

static void near_only_a_third_may_differ(void **state)
{
    (void)state;
    assert_true(tg_text_is_near(TG_LIT("lnit"), TG_LIT("lint")));
    assert_true(tg_text_is_near(TG_LIT("dff"), TG_LIT("diff")));
    assert_false(tg_text_is_near(TG_LIT("ab"), TG_LIT("ac")));
    assert_false(tg_text_is_near(TG_LIT("wolf"), TG_LIT("lint")));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(distance_long_words_are_cut),
        cmocka_unit_test(near_only_a_third_may_differ),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
