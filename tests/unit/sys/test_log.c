#include "support/case.h"

#include "sys/clock.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];
static char text[65536];

static int open_pipe(void **state)
{
    (void)state;
    if (pipe2(ends, O_NONBLOCK) != 0) {
        return -1;
    }
    tg_log_set_fd(ends[1]);
    tg_log_set_level(TG_LOG_DEBUG);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    tg_log_set_fd(STDERR_FILENO);
    tg_log_set_level(TG_LOG_INFO);
    return close(ends[0]) | close(ends[1]);
}

/* What was logged since the last call, without the time, whose shape is checked: `{"time":"...",REST`. */
static const char *logged(void)
{
    ssize_t len = read(ends[0], text, sizeof text - 1);
    text[len > 0 ? len : 0] = 0;
    if (text[0] == 0) {
        return "";
    }
    static const char shape[] = "{\"time\":\"dddd-dd-ddTdd:dd:dd.dddZ\",";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        assert_true(shape[i] == 'd' ? is_digit : text[i] == shape[i] || (i > 7 && is_digit));
    }
    assert_int_equal(text[strlen(text) - 1], '\n');
    return text + sizeof shape - 1;
}

static void write_each_kind_of_field_gives_one_json_line(void **state)
{
    (void)state;
    tg_log(TG_LOG_INFO, "test", "happened", TG_F_STR("s", "v"), TG_F_INT("i", -5), TG_F_UINT("u", UINT64_MAX),
           TG_F_BOOL("b", true), TG_F_BOOL("c", false), TG_F_SLICE("f", TG_LIT("a\"\n\0")));
    assert_string_equal(logged(),
                        "\"level\":\"info\",\"component\":\"test\",\"event\":\"happened\",\"s\":\"v\",\"i\":-5,"
                        "\"u\":18446744073709551615,\"b\":true,\"c\":false,\"f\":\"a\\\"\\n\\u0000\"}\n");
    tg_log(TG_LOG_ERROR, "test", "bare");
    assert_string_equal(logged(), "\"level\":\"error\",\"component\":\"test\",\"event\":\"bare\"}\n");
    tg_log(TG_LOG_WARN, "test", "null", TG_F_STR("s", NULL));
    assert_string_equal(logged(), "\"level\":\"warn\",\"component\":\"test\",\"event\":\"null\",\"s\":\"\"}\n");
}

static void write_value_at_limit_and_over_is_cut(void **state)
{
    (void)state;
    char value[257], expected[600];
    memset(value, 'v', sizeof value);
    tg_log(TG_LOG_DEBUG, "t", "e", TG_F_SLICE("f", tg_slice_of(value, 256)));
    snprintf(expected, sizeof expected, "\"level\":\"debug\",\"component\":\"t\",\"event\":\"e\",\"f\":\"%.256s\"}\n",
             value);
    assert_string_equal(logged(), expected);
    tg_log(TG_LOG_DEBUG, "t", "e", TG_F_SLICE("f", tg_slice_of(value, 257)));
    snprintf(expected, sizeof expected,
             "\"level\":\"debug\",\"component\":\"t\",\"event\":\"e\",\"f\":\"%.256s...\"}\n", value);
    assert_string_equal(logged(), expected);
}

static void write_line_over_limit_leaves_fields_out_whole(void **state)
{
    (void)state;
    uint8_t control[256] = {0};
    tg_slice wide = tg_slice_of(control, sizeof control); /* 6 characters each when escaped */
    tg_log(TG_LOG_INFO, "t", "e", TG_F_SLICE("a", wide), TG_F_SLICE("b", wide), TG_F_SLICE("c", wide),
           TG_F_INT("d", 1));
    const char *line = logged();
    assert_true(strlen(text) <= 4096);
    assert_non_null(strstr(line, ",\"b\":\"\\u0000"));
    assert_null(strstr(line, "\"c\":"));
    const char *last = ",\"d\":1}\n";
    assert_string_equal(line + strlen(line) - strlen(last), last);
}

static void level_below_current_is_silent(void **state)
{
    (void)state;
    tg_log_set_level(TG_LOG_WARN);
    assert_false(tg_log_is_on(TG_LOG_INFO));
    assert_true(tg_log_is_on(TG_LOG_WARN));
    tg_log(TG_LOG_INFO, "t", "e");
    assert_string_equal(logged(), "");
    tg_log_set_level(TG_LOG_OFF);
    tg_log(TG_LOG_ERROR, "t", "e");
    tg_log_fault(TG_LOG_ERROR, "t", "e", &(tg_detail){.reason = "r"});
    assert_string_equal(logged(), "");
    tg_log_set_level(TG_LOG_DEBUG);
}

static void parse_level_names_in_any_case_are_taken(void **state)
{
    (void)state;
    static const char *const names[] = {"debug", "INFO", "Warn", "error", "off"};
    tg_log_level level = TG_LOG_DEBUG;
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        assert_ok(tg_log_parse_level(tg_slice_str(names[i]), &level));
        assert_int_equal(level, i);
    }
    assert_ok(tg_log_parse_level(TG_LIT("WARNING"), &level));
    assert_int_equal(level, TG_LOG_WARN);
    assert_code(tg_log_parse_level(TG_LIT(""), &level), TG_ERR_SYNTAX);
    assert_code(tg_log_parse_level(TG_LIT("info\0"), &level), TG_ERR_SYNTAX);
    assert_code(tg_log_parse_level(TG_LIT("infos"), &level), TG_ERR_SYNTAX);
    assert_int_equal(level, TG_LOG_WARN);
}

static void fault_parts_become_fields(void **state)
{
    (void)state;
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_detail_set_reason(&detail, "r");
    tg_log_fault(TG_LOG_WARN, "t", "e", &detail);
    assert_string_equal(logged(), "\"level\":\"warn\",\"component\":\"t\",\"event\":\"e\",\"reason\":\"r\"}\n");
    tg_detail_set_place(&detail, TG_LIT("f"), 3, TG_LIT("g"));
    tg_detail_set_remedy(&detail, "m");
    tg_log_fault(TG_LOG_WARN, "t", "e", &detail);
    assert_string_equal(logged(), "\"level\":\"warn\",\"component\":\"t\",\"event\":\"e\",\"file\":\"f\",\"line\":3,"
                                  "\"field\":\"g\",\"reason\":\"r\",\"remedy\":\"m\"}\n");
}

static void error_text_system_error_has_its_words(void **state)
{
    (void)state;
    assert_string_equal(tg_log_error_text(tg_fail(TG_ERR_LIMIT)), "limit");
    assert_string_equal(tg_log_error_text(tg_fail_os(ENOENT)), "system: No such file or directory");
    tg_log(TG_LOG_INFO, "t", "e", TG_F_ERR(tg_fail_os(EPIPE)));
    assert_non_null(strstr(logged(), "\"error\":\"system: Broken pipe\""));
}

static void write_full_pipe_drops_without_waiting_again(void **state)
{
    (void)state;
    uint64_t before = tg_log_num_dropped();
    size_t num_written = 0;
    while (tg_log_num_dropped() == before) {
        tg_log(TG_LOG_INFO, "t", "e", TG_F_UINT("n", num_written++));
    }
    uint64_t began = tg_clock_monotonic_ms();
    for (int i = 0; i < 1000; i++) {
        tg_log(TG_LOG_INFO, "t", "dropped");
    }
    assert_true(tg_clock_monotonic_ms() - began < 5000); /* 1000 waits of 10 ms would take 10 s */
    assert_int_equal(tg_log_num_dropped(), before + 1001);
    while (read(ends[0], text, sizeof text) > 0) {
    }
    tg_log(TG_LOG_INFO, "t", "again");
    assert_string_equal(logged(), "\"level\":\"info\",\"component\":\"t\",\"event\":\"again\"}\n");
}

static void write_closed_descriptor_keeps_errno(void **state)
{
    (void)state;
    uint64_t before = tg_log_num_dropped();
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    tg_log_set_fd(full);
    errno = EDOM;
    tg_log(TG_LOG_INFO, "t", "e");
    assert_int_equal(errno, EDOM);
    close(full);
    tg_log(TG_LOG_INFO, "t", "e");
    assert_int_equal(tg_log_num_dropped(), before + 2);
    tg_log_set_fd(ends[1]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(write_each_kind_of_field_gives_one_json_line),
        cmocka_unit_test(write_value_at_limit_and_over_is_cut),
        cmocka_unit_test(write_line_over_limit_leaves_fields_out_whole),
        cmocka_unit_test(level_below_current_is_silent),
        cmocka_unit_test(parse_level_names_in_any_case_are_taken),
        cmocka_unit_test(fault_parts_become_fields),
        cmocka_unit_test(error_text_system_error_has_its_words),
        cmocka_unit_test(write_full_pipe_drops_without_waiting_again),
        cmocka_unit_test(write_closed_descriptor_keeps_errno),
    };
    return cmocka_run_group_tests(cases, open_pipe, close_pipe);
}
