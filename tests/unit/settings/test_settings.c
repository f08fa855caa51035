#include "settings/settings.h"

#include "settings/member_lines.h"
#include "settings/settings_file.h"
#include "settings/settings_print.h"
#include "support/case.h"

#include <stdlib.h>

typedef struct values {
    const char *name;
    const char *key;
    uint64_t port;
    tg_setting_list hosts;
    bool is_open;
} values;

static const tg_setting table[] = {
    {.name = "NAME",
     .type = TG_SETTING_TEXT,
     .offset = TG_SETTING_AT(values, name, const char *),
     .flags = TG_SETTING_REQUIRED,
     .form = "a name",
     .effect = "what it is called"},
    {.name = "PORT",
     .type = TG_SETTING_NUMBER,
     .unit = TG_UNIT_PORT,
     .fallback = "443",
     .min = 1,
     .max = 65535,
     .offset = TG_SETTING_AT(values, port, uint64_t),
     .effect = "where it is"},
    {.name = "HOSTS",
     .type = TG_SETTING_LIST,
     .offset = TG_SETTING_AT(values, hosts, tg_setting_list),
     .flags = TG_SETTING_MEASURED,
     .effect = "who may"},
    {.name = "OPEN",
     .type = TG_SETTING_BOOL,
     .fallback = "false",
     .offset = TG_SETTING_AT(values, is_open, bool),
     .effect = "whether"},
    {.name = "KEY",
     .type = TG_SETTING_TEXT,
     .offset = TG_SETTING_AT(values, key, const char *),
     .flags = TG_SETTING_SECRET | TG_SETTING_REQUIRED,
     .effect = "the key"},
    {.name = "LATER", .type = TG_SETTING_NOT_IN_USE, .effect = "another release"},
};

typedef struct fixture {
    values values;
    tg_settings settings;
    tg_faults faults;
    tg_buf text;
} fixture;

static int start(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    *state = it;
    tg_faults_init(&it->faults);
    tg_buf_init(&it->text, 65536);
    return tg_is_ok(tg_settings_init(&it->settings, table, TG_COUNT(table), &it->values)) ? 0 : -1;
}

static int stop(void **state)
{
    fixture *it = *state;
    tg_settings_done(&it->settings);
    tg_faults_done(&it->faults);
    tg_buf_done(&it->text);
    free(it);
    return 0;
}

static const char *fault_text(fixture *it)
{
    tg_buf_clear(&it->text);
    assert_ok(tg_faults_append(&it->faults, &it->text));
    assert_ok(tg_buf_append_byte(&it->text, 0));
    return (const char *)tg_buf_slice(&it->text).ptr;
}

static void read(fixture *it, const char *json)
{
    assert_ok(tg_settings_read_json(&it->settings, "c.json", tg_slice_str(json), &it->faults));
}

static void init_bad_default_fails(void **state)
{
    (void)state;
    static const tg_setting bad[] = {{.name = "PORT",
                                      .type = TG_SETTING_NUMBER,
                                      .fallback = "0",
                                      .min = 1,
                                      .max = 9,
                                      .offset = TG_SETTING_AT(values, port, uint64_t)}};
    tg_settings settings;
    values held = {0};
    assert_code(tg_settings_init(&settings, bad, 1, &held), TG_ERR_RANGE);
}

static void read_json_each_kind_is_stored_with_its_line(void **state)
{
    fixture *it = *state;
    read(it, "{\"NAME\": \"n\",\n\"PORT\": 99,\n\n\"HOSTS\": [\"a,b\", \"c\"], \"OPEN\": true, \"KEY\": \"k\"}");
    assert_int_equal(it->faults.num_faults, 0);
    assert_string_equal(it->values.name, "n");
    assert_int_equal(it->values.port, 99);
    assert_int_equal(it->values.hosts.num_items, 2);
    assert_string_equal(it->values.hosts.items[0], "a,b");
    assert_true(it->values.is_open);
    assert_int_equal(it->settings.states[1].line, 2);
    assert_int_equal(it->settings.states[2].line, 4);
    assert_false(tg_settings_is_default(&it->settings, "PORT"));
    assert_true(tg_settings_is_default(&it->settings, "NOBODY"));
    read(it, "{\"PORT\": \"100\", \"HOSTS\": \"a,b\", \"OPEN\": \"0\"}");
    assert_int_equal(it->faults.num_faults, 0);
    assert_int_equal(it->values.port, 100);
    assert_string_equal(it->values.hosts.items[1], "b");
}

static void read_json_wrong_kinds_are_all_reported(void **state)
{
    fixture *it = *state;
    read(it,
         "{\"NAME\": 1, \"PORT\": 1.5,\n\"HOSTS\": [1], \"OPEN\": \"maybe\",\n\"KEY\": {}, \"LATER\": 3, \"x\": 0}");
    assert_int_equal(it->faults.num_faults, 7);
    const char *text = fault_text(it);
    assert_non_null(strstr(text, "c.json:1: NAME: the value is of the wrong JSON kind; write a string\n"));
    assert_non_null(strstr(text, "c.json:1: PORT: the value is of the wrong JSON kind; write a whole number"));
    assert_non_null(strstr(text, "c.json:2: HOSTS: the value is of the wrong JSON kind; write a list of strings"));
    assert_non_null(strstr(text, "c.json:2: OPEN: \"maybe\" is neither true nor false"));
    assert_non_null(strstr(text, "c.json:3: KEY: "));
    assert_non_null(strstr(text, "c.json:3: LATER: has no effect in this program: it belongs to another release"));
    assert_non_null(strstr(text, "c.json:3: x: there is no such setting; remove it"));
    tg_settings_check_required(&it->settings, &it->faults);
    assert_int_equal(it->faults.num_faults, 7);
}

static void read_json_null_empty_and_negative_are_refused(void **state)
{
    fixture *it = *state;
    read(it, "{\"NAME\": null, \"PORT\": -1, \"HOSTS\": [], \"KEY\": \"\"}");
    assert_int_equal(it->faults.num_faults, 4);
    assert_non_null(strstr(fault_text(it), "HOSTS: the list is empty"));
    assert_int_equal(it->values.port, 443);
}

static void read_json_that_is_none_is_one_fault_with_its_line(void **state)
{
    fixture *it = *state;
    read(it, "{\n\"NAME\": }");
    assert_non_null(strstr(fault_text(it), "c.json:2: this is not JSON (column "));
    read(it, "[]");
    assert_non_null(strstr(fault_text(it), "c.json: this is JSON, but no object"));
    read(it, "");
    read(it, "{} x");
    assert_ok(tg_settings_read_json(&it->settings, "c.json", TG_LIT("{\"NAME\":\"a\0b\"}"), &it->faults));
    assert_int_equal(it->faults.num_faults, 5);
    read(it, "{\"PORT\": 1,\n \"P\\u004fRT\": 2}");
    assert_non_null(strstr(fault_text(it), "c.json:2: a setting stands here twice"));
}

static void read_json_cut_at_each_byte_is_refused(void **state)
{
    fixture *it = *state;
    tg_slice json = TG_LIT("{\"NAME\": \"n\\n\", \"PORT\": 99, \"HOSTS\": [\"a\", \"c\"]}");
    for (size_t len = 0; len < json.len; len++) {
        size_t before = it->faults.num_faults;
        assert_ok(tg_settings_read_json(&it->settings, "c", tg_slice_first(json, len), &it->faults));
        assert_int_equal(it->faults.num_faults, before + 1);
    }
    assert_true(tg_settings_is_default(&it->settings, "PORT"));
}

static void read_environment_overrides_and_ignores_others(void **state)
{
    fixture *it = *state;
    read(it, "{\"PORT\": 99, \"NAME\": \"file\"}");
    const char *const environment[] = {"PORTS=1", "PORT=100", "PORT=101", "NAME=", "PATH=/bin", "LATER=", "JUNK", NULL};
    assert_ok(tg_settings_read_environment(&it->settings, environment, &it->faults));
    assert_int_equal(it->faults.num_faults, 0);
    assert_int_equal(it->values.port, 100);
    assert_string_equal(it->values.name, "file");
}

static void read_environment_empty_measured_value_is_a_fault(void **state)
{
    fixture *it = *state;
    const char *const environment[] = {"HOSTS=", "LATER=1", NULL};
    assert_ok(tg_settings_read_environment(&it->settings, environment, &it->faults));
    assert_int_equal(it->faults.num_faults, 2);
    assert_non_null(strstr(fault_text(it), "environment: HOSTS: is empty, which may be meant as \"nobody\""));
}

static void check_required_unset_says_what_to_write(void **state)
{
    fixture *it = *state;
    tg_settings_check_required(&it->settings, &it->faults);
    assert_string_equal(fault_text(it), "NAME: is required and not set; set it to a name\n"
                                        "KEY: is required and not set; it says: the key\n");
}

static void set_default_later_source_wins(void **state)
{
    fixture *it = *state;
    assert_ok(tg_settings_set_default(&it->settings, "PORT", "8443", "local mode"));
    assert_int_equal(it->values.port, 8443);
    read(it, "{\"PORT\": 99}");
    assert_ok(tg_settings_set_default(&it->settings, "PORT", "8444", "local mode"));
    assert_int_equal(it->values.port, 99);
    assert_code(tg_settings_set_default(&it->settings, "NOBODY", "1", NULL), TG_ERR_NOT_FOUND);
    assert_code(tg_settings_set_default(&it->settings, "OPEN", "x", NULL), TG_ERR_SYNTAX);
}

static void append_table_and_json_name_sources_and_hide_secrets(void **state)
{
    fixture *it = *state;
    read(it, "{\"KEY\": \"hunter2\", \"NAME\": \"n\"}");
    const char *const environment[] = {"HOSTS=a", NULL};
    assert_ok(tg_settings_read_environment(&it->settings, environment, &it->faults));
    assert_ok(tg_settings_set_default(&it->settings, "OPEN", "true", "local mode"));
    assert_ok(tg_settings_append_json(&it->settings, &it->text));
    assert_slice(tg_buf_slice(&it->text),
                 "{\"settings\":{\n"
                 "  \"NAME\":{\"value\":\"n\",\"source\":\"file\",\"measured\":false},\n"
                 "  \"PORT\":{\"value\":443,\"unit\":\"port\",\"source\":\"default\",\"measured\":false},\n"
                 "  \"HOSTS\":{\"value\":[\"a\"],\"source\":\"environment\",\"measured\":true},\n"
                 "  \"OPEN\":{\"value\":true,\"source\":\"local mode\",\"measured\":false},\n"
                 "  \"KEY\":{\"value\":\"(secret)\",\"source\":\"file\",\"measured\":false}\n}}\n");
    tg_buf_clear(&it->text);
    assert_ok(tg_settings_append_table(&it->settings, &it->text));
    assert_ok(tg_buf_append_byte(&it->text, 0));
    const char *text = (const char *)tg_buf_slice(&it->text).ptr;
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "LATER"));
    assert_non_null(strstr(text, "environment (M)\n"));
    assert_non_null(strstr(text, "file line 1\n"));
}

static void append_help_shows_default_range_and_form(void **state)
{
    fixture *it = *state;
    assert_ok(tg_settings_append_help(table, TG_COUNT(table), &it->text));
    assert_slice(tg_buf_slice(&it->text), "  NAME (required)\n      what it is called: a name\n"
                                          "  PORT [443]\n      where it is (1 to 65535)\n"
                                          "  HOSTS (M)\n      who may\n"
                                          "  OPEN [false]\n      whether\n"
                                          "  KEY (required)\n      the key\n");
}

static void append_more_faults_than_kept_counts_the_rest(void **state)
{
    fixture *it = *state;
    for (size_t i = 0; i < TG_MAX_FAULTS + 3; i++) {
        tg_detail_set_reason(tg_settings_add_fault(&it->settings, "PORT", &it->faults), "bad");
    }
    assert_non_null(strstr(fault_text(it), "and 3 more\n"));
}

static void read_file_too_long_or_absent_is_a_fault(void **state)
{
    fixture *it = *state;
    assert_ok(tg_settings_read_file(&it->settings, "/dev/zero", &it->faults));
    assert_ok(tg_settings_read_file(&it->settings, "/nonexistent", &it->faults));
    const char *text = fault_text(it);
    assert_non_null(strstr(text, "/dev/zero: the file is longer than 1048576 bytes"));
    assert_non_null(strstr(text, "/nonexistent: the file cannot be read: system: No such file"));
}

static void member_line_only_top_level_names_count(void **state)
{
    (void)state;
    tg_slice json = TG_LIT("{ \"b\": {\"a\": 1},\n \"c\": \"a\",\n \"d\\\"\": [\"a\"],\n\n \"a\"\n : 2 }");
    assert_int_equal(tg_member_line(json, TG_LIT("a")), 5);
    assert_int_equal(tg_member_line(json, TG_LIT("c")), 2);
    assert_int_equal(tg_member_line(json, TG_LIT("z")), 0);
    for (size_t len = 0; len < json.len - 4; len++) {
        assert_int_equal(tg_member_line(tg_slice_first(json, len), TG_LIT("a")), 0);
    }
    assert_int_equal(tg_member_line(TG_LIT("}]\"\\"), TG_LIT("a")), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(init_bad_default_fails),
        cmocka_unit_test_setup_teardown(read_json_each_kind_is_stored_with_its_line, start, stop),
        cmocka_unit_test_setup_teardown(read_json_wrong_kinds_are_all_reported, start, stop),
        cmocka_unit_test_setup_teardown(read_json_null_empty_and_negative_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(read_json_that_is_none_is_one_fault_with_its_line, start, stop),
        cmocka_unit_test_setup_teardown(read_json_cut_at_each_byte_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(read_environment_overrides_and_ignores_others, start, stop),
        cmocka_unit_test_setup_teardown(read_environment_empty_measured_value_is_a_fault, start, stop),
        cmocka_unit_test_setup_teardown(check_required_unset_says_what_to_write, start, stop),
        cmocka_unit_test_setup_teardown(set_default_later_source_wins, start, stop),
        cmocka_unit_test_setup_teardown(append_table_and_json_name_sources_and_hide_secrets, start, stop),
        cmocka_unit_test_setup_teardown(append_help_shows_default_range_and_form, start, stop),
        cmocka_unit_test_setup_teardown(append_more_faults_than_kept_counts_the_rest, start, stop),
        cmocka_unit_test_setup_teardown(read_file_too_long_or_absent_is_a_fault, start, stop),
        cmocka_unit_test(member_line_only_top_level_names_count),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
