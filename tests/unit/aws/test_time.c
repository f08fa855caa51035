#include "aws/time.h"

#include "support/case.h"

static void parse_iso_with_and_without_fraction_gives_seconds(void **state)
{
    (void)state;
    uint64_t unix_s;
    assert_ok(tg_aws_time_parse_iso(TG_LIT("2026-11-21T08:00:00Z"), &unix_s));
    assert_int_equal(unix_s, 1795248000);
    assert_ok(tg_aws_time_parse_iso(TG_LIT("2026-11-21T08:00:00.123456789Z"), &unix_s));
    assert_int_equal(unix_s, 1795248000);
}

static void parse_iso_of_other_forms_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-11-21",
        "2026-11-21T08:00:00",
        "2026-11-21T08:00:00+00:00",
        "2026-11-21T08:00:00.Z",
        "2026-11-21T08:00:00.1234567890Z",
        "2026-11-21T08:00:00.1",
        "2026-11-21T08:00:00.xZ",
        "2026-13-21T08:00:00Z",
        "2026-11-21 08:00:00Z",
        "2026-11-21T08:00:00Zx",
    };
    uint64_t unix_s;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_false(tg_is_ok(tg_aws_time_parse_iso(tg_slice_str(texts[i]), &unix_s)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_iso_with_and_without_fraction_gives_seconds),
        cmocka_unit_test(parse_iso_of_other_forms_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
