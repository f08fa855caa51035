#include "support/case.h"

#include "base/detail.h"

static void append_all_parts_reads_as_a_sentence(void **state)
{
    (void)state;
    tg_detail detail;
    tg_buf buf;
    tg_buf_init(&buf, 1000);
    tg_detail_clear(&detail);
    tg_detail_set_place(&detail, TG_LIT("a.yaml"), 12, TG_LIT("/paths/x"));
    tg_detail_set_reason(&detail, "%d is too large", 7);
    tg_detail_set_remedy(&detail, "give at most %d", 6);
    assert_ok(tg_detail_append(&detail, &buf));
    assert_slice(tg_buf_slice(&buf), "a.yaml:12: /paths/x: 7 is too large; give at most 6");
    tg_buf_done(&buf);
}

static void append_empty_parts_are_left_out(void **state)
{
    (void)state;
    tg_detail detail;
    tg_buf buf;
    tg_buf_init(&buf, 1000);
    tg_detail_clear(&detail);
    tg_detail_set_place(&detail, TG_LIT("f"), 0, TG_LIT(""));
    tg_detail_set_reason(&detail, "bad");
    assert_ok(tg_detail_append(&detail, &buf));
    assert_slice(tg_buf_slice(&buf), "f: bad");
    tg_buf_done(&buf);
}

static void append_every_smaller_buffer_is_refused(void **state)
{
    (void)state;
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_detail_set_place(&detail, TG_LIT("f"), 1, TG_LIT("g"));
    tg_detail_set_reason(&detail, "r");
    tg_detail_set_remedy(&detail, "m");
    for (size_t max = 0; max < sizeof "f:1: g: r; m" - 1; max++) {
        tg_buf buf;
        tg_buf_init(&buf, max);
        assert_code(tg_detail_append(&detail, &buf), TG_ERR_LIMIT);
        tg_buf_done(&buf);
    }
}

static void set_place_foreign_bytes_are_escaped(void **state)
{
    (void)state;
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_detail_set_place(&detail, TG_LIT("a\n\0\xff"), 0, TG_LIT("\x1b[2J"));
    assert_string_equal(detail.file, "a\\x0a\\x00\\xff");
    assert_string_equal(detail.field, "\\x1b[2J");
    tg_detail_set_reason(&detail, "%s", "line\nbreak");
    assert_string_equal(detail.reason, "line\\x0abreak");
}

static void set_place_at_limit_and_over_is_cut(void **state)
{
    (void)state;
    char text[400];
    tg_detail detail;
    memset(text, 'f', sizeof text);
    tg_detail_clear(&detail);
    tg_detail_set_place(&detail, tg_slice_of(text, sizeof detail.file - 1), 0, TG_LIT(""));
    assert_int_equal(strlen(detail.file), sizeof detail.file - 1);
    tg_detail_set_place(&detail, tg_slice_of(text, sizeof detail.file), 0, TG_LIT(""));
    assert_int_equal(strlen(detail.file), sizeof detail.file - 1);
    text[sizeof detail.file - 3] = '\n'; /* four characters when escaped: no half escape at the end */
    tg_detail_set_place(&detail, tg_slice_of(text, sizeof text), 0, TG_LIT(""));
    assert_int_equal(strlen(detail.file), sizeof detail.file - 3);
    text[sizeof text - 1] = 0;
    tg_detail_set_reason(&detail, "%s", text);
    assert_true(strlen(detail.reason) < sizeof detail.reason);
}

static void set_without_detail_does_nothing(void **state)
{
    (void)state;
    tg_detail_clear(NULL);
    tg_detail_set_place(NULL, TG_LIT("f"), 1, TG_LIT("g"));
    tg_detail_set_reason(NULL, "r");
    tg_detail_set_remedy(NULL, "m");
    tg_detail detail = {.line = 3};
    tg_detail_clear(&detail);
    assert_int_equal(detail.line, 0);
}

static void faults_at_maximum_and_over_are_counted(void **state)
{
    (void)state;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_int_equal(tg_faults_kept(&faults), 0);
    for (unsigned i = 1; i <= TG_MAX_FAULTS + 3; i++) {
        tg_detail *detail = tg_faults_add(&faults);
        assert_string_equal(detail->reason, "");
        tg_detail_set_reason(detail, "fault %u", i);
    }
    assert_int_equal(faults.num_faults, TG_MAX_FAULTS + 3);
    assert_int_equal(tg_faults_kept(&faults), TG_MAX_FAULTS);
    assert_string_equal(faults.faults[0].reason, "fault 1");
    assert_string_equal(faults.faults[TG_MAX_FAULTS - 1].reason, "fault 64");
    tg_faults_done(&faults);
    assert_int_equal(tg_faults_kept(&faults), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(append_all_parts_reads_as_a_sentence),   cmocka_unit_test(append_empty_parts_are_left_out),
        cmocka_unit_test(append_every_smaller_buffer_is_refused), cmocka_unit_test(set_place_foreign_bytes_are_escaped),
        cmocka_unit_test(set_place_at_limit_and_over_is_cut),     cmocka_unit_test(set_without_detail_does_nothing),
        cmocka_unit_test(faults_at_maximum_and_over_are_counted),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
