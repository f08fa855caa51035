#include "settings/setting_value.h"
#include "support/case.h"

#include <stdlib.h>

typedef struct values {
    const char *text;
    bool flag;
    uint64_t number;
    tg_log_level level;
    size_t choice;
    tg_setting_list list;
} values;

static const char *check_no_x(tg_slice text)
{
    return tg_slice_find(text, 'x') < text.len ? "holds an x" : NULL;
}

static const char *const colours[] = {"red", "green", NULL};
static const tg_setting text_setting = {
    .name = "TEXT", .type = TG_SETTING_TEXT, .check = check_no_x, .offset = TG_SETTING_AT(values, text, const char *)};
static const tg_setting path_setting = {
    .name = "PATH", .type = TG_SETTING_PATH, .offset = TG_SETTING_AT(values, text, const char *)};
static const tg_setting secret_setting = {.name = "SECRET",
                                          .type = TG_SETTING_TEXT,
                                          .check = check_no_x,
                                          .flags = TG_SETTING_SECRET,
                                          .offset = TG_SETTING_AT(values, text, const char *)};
static const tg_setting flag_setting = {
    .name = "FLAG", .type = TG_SETTING_BOOL, .offset = TG_SETTING_AT(values, flag, bool)};
static const tg_setting level_setting = {
    .name = "LEVEL", .type = TG_SETTING_LEVEL, .offset = TG_SETTING_AT(values, level, tg_log_level)};
static const tg_setting choice_setting = {
    .name = "COLOUR", .type = TG_SETTING_CHOICE, .choices = colours, .offset = TG_SETTING_AT(values, choice, size_t)};
static const tg_setting list_setting = {.name = "LIST",
                                        .type = TG_SETTING_LIST,
                                        .check = check_no_x,
                                        .offset = TG_SETTING_AT(values, list, tg_setting_list)};
static const tg_setting unused_setting = {.name = "OTHER", .type = TG_SETTING_NOT_IN_USE, .effect = "the moon"};

static tg_setting number_in(tg_setting_unit unit)
{
    return (tg_setting){.name = "NUMBER",
                        .type = TG_SETTING_NUMBER,
                        .unit = unit,
                        .min = 1,
                        .max = 1000000,
                        .offset = TG_SETTING_AT(values, number, uint64_t)};
}

static tg_arena arena;
static values held;
static tg_detail fault;

static tg_result parse(const tg_setting *setting, tg_slice text)
{
    tg_detail_clear(&fault);
    return tg_setting_parse(setting, text, &arena, &held, &fault);
}

static tg_result parse_number(tg_setting_unit unit, const char *text)
{
    const tg_setting setting = number_in(unit);
    return parse(&setting, tg_slice_str(text));
}

static void parse_number_suffix_is_turned_into_the_unit(void **state)
{
    (void)state;
    assert_ok(parse_number(TG_UNIT_S, "90"));
    assert_int_equal(held.number, 90);
    assert_ok(parse_number(TG_UNIT_S, "2m"));
    assert_int_equal(held.number, 120);
    assert_ok(parse_number(TG_UNIT_S, "3000ms"));
    assert_int_equal(held.number, 3);
    assert_ok(parse_number(TG_UNIT_MS, "2 s"));
    assert_int_equal(held.number, 2000);
    assert_ok(parse_number(TG_UNIT_BYTES, "4KiB"));
    assert_int_equal(held.number, 4096);
    assert_ok(parse_number(TG_UNIT_COUNT, "007"));
    assert_int_equal(held.number, 7);
}

static void parse_number_bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1e3", "0x10", "1.5", "s", "1 kib", "1KiB", "1M"};
    held.number = 42;
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(parse_number(TG_UNIT_COUNT, bad[i]), TG_ERR_SYNTAX);
        assert_true(fault.reason[0] != 0 && fault.remedy[0] != 0);
    }
    assert_code(parse_number(TG_UNIT_S, "1500ms"), TG_ERR_SYNTAX);
    assert_code(parse_number(TG_UNIT_BYTES, "3s"), TG_ERR_SYNTAX);
    assert_code(parse_number(TG_UNIT_MS, "1KiB"), TG_ERR_SYNTAX);
    assert_int_equal(held.number, 42);
}

static void parse_number_limits_are_inclusive(void **state)
{
    (void)state;
    assert_ok(parse_number(TG_UNIT_PORT, "1"));
    assert_ok(parse_number(TG_UNIT_BYTES, "1000000"));
    assert_code(parse_number(TG_UNIT_BYTES, "1000001"), TG_ERR_RANGE);
    assert_string_equal(fault.remedy, "1 to 1000000 bytes are allowed");
    assert_code(parse_number(TG_UNIT_COUNT, "0"), TG_ERR_RANGE);
    assert_code(parse_number(TG_UNIT_COUNT, "99999999999999999999"), TG_ERR_RANGE);
    assert_code(parse_number(TG_UNIT_S, "18446744073709551615d"), TG_ERR_RANGE);
    assert_code(parse_number(TG_UNIT_BYTES_PER_S, "1GiB"), TG_ERR_RANGE);
}

static void parse_text_bad_bytes_are_refused_and_shown_escaped(void **state)
{
    (void)state;
    assert_ok(parse(&text_setting, TG_LIT("na\xc3\xafve")));
    assert_string_equal(held.text, "na\xc3\xafve");
    assert_code(parse(&text_setting, TG_LIT("a\nb")), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "\"a\\x0ab\" holds bytes that are no UTF-8 text");
    assert_code(parse(&text_setting, TG_LIT("a\xff")), TG_ERR_SYNTAX);
    assert_code(parse(&text_setting, TG_LIT("a\0b")), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "\"a?b\" holds bytes that are no UTF-8 text");
    assert_code(parse(&text_setting, TG_LIT("")), TG_ERR_SYNTAX);
    assert_code(parse(&text_setting, TG_LIT("axe")), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "\"axe\" holds an x");
    assert_string_equal(held.text, "na\xc3\xafve");
}

static void parse_text_longest_passes_one_more_does_not(void **state)
{
    (void)state;
    char *text = malloc(TG_MAX_SETTING_TEXT + 1);
    memset(text, 'a', TG_MAX_SETTING_TEXT + 1);
    assert_ok(parse(&text_setting, tg_slice_of(text, TG_MAX_SETTING_TEXT)));
    assert_code(parse(&text_setting, tg_slice_of(text, TG_MAX_SETTING_TEXT + 1)), TG_ERR_RANGE);
    assert_true(strlen(fault.reason) < 120);
    assert_ok(parse(&path_setting, tg_slice_of(text, TG_MAX_SETTING_TEXT - 1)));
    assert_code(parse(&path_setting, tg_slice_of(text, TG_MAX_SETTING_TEXT)), TG_ERR_RANGE);
    free(text);
}

static void parse_secret_fault_never_shows_the_value(void **state)
{
    (void)state;
    assert_code(parse(&secret_setting, TG_LIT("hunter2 x")), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "the value holds an x");
    assert_ok(parse(&secret_setting, TG_LIT("hunter2")));
    tg_buf buf;
    tg_buf_init(&buf, 100);
    assert_ok(tg_setting_append(&secret_setting, &held, &buf));
    assert_ok(tg_setting_append_json(&secret_setting, &held, &buf));
    assert_slice(tg_buf_slice(&buf), "(secret)\"(secret)\"");
    tg_buf_done(&buf);
}

static void parse_bool_takes_four_spellings(void **state)
{
    (void)state;
    assert_ok(parse(&flag_setting, TG_LIT("True")));
    assert_true(held.flag);
    assert_ok(parse(&flag_setting, TG_LIT("0")));
    assert_false(held.flag);
    assert_ok(parse(&flag_setting, TG_LIT("1")));
    assert_ok(parse(&flag_setting, TG_LIT("FALSE")));
    assert_code(parse(&flag_setting, TG_LIT("yes")), TG_ERR_SYNTAX);
}

static void parse_choice_unknown_lists_what_there_is(void **state)
{
    (void)state;
    assert_ok(parse(&choice_setting, TG_LIT("green")));
    assert_int_equal(held.choice, 1);
    assert_code(parse(&choice_setting, TG_LIT("blue")), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "write red or green");
    assert_ok(parse(&level_setting, TG_LIT("Warning")));
    assert_int_equal(held.level, TG_LOG_WARN);
    assert_code(parse(&level_setting, TG_LIT("loud")), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "write debug, info, warn, error or off");
}

static void parse_list_blanks_go_and_empty_items_are_refused(void **state)
{
    (void)state;
    assert_ok(parse(&list_setting, TG_LIT(" a ,b\t, c")));
    assert_int_equal(held.list.num_items, 3);
    assert_string_equal(held.list.items[0], "a");
    assert_string_equal(held.list.items[2], "c");
    assert_code(parse(&list_setting, TG_LIT("a,,b")), TG_ERR_SYNTAX);
    assert_code(parse(&list_setting, TG_LIT("a,")), TG_ERR_SYNTAX);
    assert_code(parse(&list_setting, TG_LIT("a,x")), TG_ERR_SYNTAX);
    assert_code(tg_setting_parse_list(&list_setting, NULL, 0, &arena, &held, &fault), TG_ERR_SYNTAX);
    assert_int_equal(held.list.num_items, 3);
}

static void parse_list_most_items_pass_one_more_does_not(void **state)
{
    (void)state;
    char text[2 * (TG_MAX_SETTING_ITEMS + 1)];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 2 == 0 ? 'a' : ',';
    }
    assert_ok(parse(&list_setting, tg_slice_of(text, 2 * TG_MAX_SETTING_ITEMS - 1)));
    assert_int_equal(held.list.num_items, TG_MAX_SETTING_ITEMS);
    assert_code(parse(&list_setting, tg_slice_of(text, sizeof text - 1)), TG_ERR_RANGE);
}

static void parse_not_in_use_says_whose_it_is(void **state)
{
    (void)state;
    assert_code(parse(&unused_setting, TG_LIT("1")), TG_ERR_UNSUPPORTED);
    assert_string_equal(fault.reason, "has no effect in this program: it belongs to the moon");
    assert_true(tg_setting_is_unset(&unused_setting, &held));
}

static void parse_without_memory_changes_nothing(void **state)
{
    (void)state;
    tg_arena none;
    tg_arena_init(&none, 0, false);
    held.text = "before";
    assert_false(tg_is_ok(tg_setting_parse(&text_setting, TG_LIT("after"), &none, &held, &fault)));
    assert_string_equal(held.text, "before");
    assert_false(tg_is_ok(tg_setting_parse(&list_setting, TG_LIT("after"), &none, &held, &fault)));
    tg_arena_done(&none);
}

static void append_each_type_for_people_and_as_json(void **state)
{
    (void)state;
    held = (values){.text = "a\"b", .flag = true, .number = 5, .level = TG_LOG_ERROR, .choice = 1};
    const char *const items[] = {"p", "q"};
    held.list = (tg_setting_list){items, 2};
    const tg_setting seconds = number_in(TG_UNIT_S), count = number_in(TG_UNIT_COUNT);
    const tg_setting *const all[] = {&text_setting,  &flag_setting,   &seconds,     &count,
                                     &level_setting, &choice_setting, &list_setting};
    tg_buf people, json;
    tg_buf_init(&people, 400);
    tg_buf_init(&json, 400);
    for (size_t i = 0; i < TG_COUNT(all); i++) {
        assert_ok(tg_setting_append(all[i], &held, &people));
        assert_ok(tg_buf_append_byte(&people, '|'));
        assert_ok(tg_setting_append_json(all[i], &held, &json));
        assert_ok(tg_buf_append_byte(&json, '|'));
    }
    held = (values){0};
    assert_ok(tg_setting_append(&text_setting, &held, &people));
    assert_ok(tg_setting_append_json(&list_setting, &held, &json));
    assert_slice(tg_buf_slice(&people), "a\"b|true|5 s|5|error|green|p, q|-");
    assert_slice(tg_buf_slice(&json), "\"a\\\"b\"|true|5|5|\"error\"|\"green\"|[\"p\",\"q\"]|null");
    tg_buf_done(&people);
    tg_buf_done(&json);
}

static int start(void **state)
{
    (void)state;
    tg_arena_init(&arena, 1 << 20, false);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tg_arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_number_suffix_is_turned_into_the_unit),
        cmocka_unit_test(parse_number_bad_text_is_refused),
        cmocka_unit_test(parse_number_limits_are_inclusive),
        cmocka_unit_test(parse_text_bad_bytes_are_refused_and_shown_escaped),
        cmocka_unit_test(parse_text_longest_passes_one_more_does_not),
        cmocka_unit_test(parse_secret_fault_never_shows_the_value),
        cmocka_unit_test(parse_bool_takes_four_spellings),
        cmocka_unit_test(parse_choice_unknown_lists_what_there_is),
        cmocka_unit_test(parse_list_blanks_go_and_empty_items_are_refused),
        cmocka_unit_test(parse_list_most_items_pass_one_more_does_not),
        cmocka_unit_test(parse_not_in_use_says_whose_it_is),
        cmocka_unit_test(parse_without_memory_changes_nothing),
        cmocka_unit_test(append_each_type_for_people_and_as_json),
    };
    return cmocka_run_group_tests(cases, start, stop);
}
