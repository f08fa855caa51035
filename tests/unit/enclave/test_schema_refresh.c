#include "enclave/schema_refresh.h"
#include "support/folder.h"
#include "support/logged.h"
#include "sys/clock.h"
#include "unit/enclave/parts.h"

#include <stdio.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static tg_publisher *publisher;
static tg_schema_refresh *refresh;

static int set_up(void **state)
{
    refresh = NULL;
    return tg_test_folder_set_up(state) | tg_test_log_set_up(state) | !tg_is_ok(tg_publisher_new(&publisher));
}

static int tear_down(void **state)
{
    tg_schema_refresh_stop(refresh);
    tg_publisher_free(publisher);
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

static void start(const char *directory, uint64_t interval_s, bool allow_removal)
{
    const tg_schema_refresh_options options = {
        .directory = directory, .interval_s = interval_s, .allow_removal = allow_removal};
    assert_ok(tg_schema_refresh_start(&options, publisher, &refresh));
}

static uint64_t read_unix_ms(size_t *out_num_schemas)
{
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    uint64_t unix_ms = tg_snapshot_schemas_unix_ms(snapshot);
    *out_num_schemas = tg_snapshot_num_schemas(snapshot);
    tg_snapshot_unref(snapshot);
    return unix_ms;
}

/* Waits for a reading after this one, and gives how many schemas it found. */
static size_t wait_for_reading(uint64_t after_unix_ms)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + PATIENCE_MS;
    size_t num_schemas = 0;
    while (read_unix_ms(&num_schemas) <= after_unix_ms) {
        assert_true(tg_clock_monotonic_ms() < until_ms);
        usleep(1000);
    }
    return num_schemas;
}

/* Has the folder read again, and waits for it. */
static size_t read_again(void)
{
    size_t num_schemas;
    uint64_t before = read_unix_ms(&num_schemas);
    while (tg_clock_unix_ms() <= before) {
        usleep(500);
    }
    tg_schema_refresh_now(refresh);
    return wait_for_reading(before);
}

static void start_reads_at_once(void **state)
{
    (void)state;
    tg_test_write_file("a.yaml", tg_slice_str(TEST_SCHEMA));
    start(tg_test_folder(), 3600, false);
    assert_int_equal(wait_for_reading(0), 1);
    assert_true(tg_test_log_says("\"event\":\"schemas_loaded\",\"schemas\":1,\"kept\":0,\"refused\":0,\"sha256\":\""));
}

static void now_takes_up_what_has_come_and_keeps_what_went(void **state)
{
    (void)state;
    tg_test_write_file("a.yaml", tg_slice_str(TEST_SCHEMA));
    start(tg_test_folder(), 3600, false);
    assert_int_equal(wait_for_reading(0), 1);
    tg_test_write_file("b.yaml", tg_slice_str(TEST_SCHEMA));
    assert_int_equal(read_again(), 2);
    assert_int_equal(unlink(tg_test_path("a.yaml")), 0);
    assert_int_equal(read_again(), 2);
    assert_true(tg_test_log_says("\"event\":\"schema_refused\""));
}

static void now_removes_where_that_is_allowed(void **state)
{
    (void)state;
    tg_test_write_file("a.yaml", tg_slice_str(TEST_SCHEMA));
    tg_test_write_file("b.yaml", tg_slice_str(TEST_SCHEMA));
    start(tg_test_folder(), 3600, true);
    assert_int_equal(wait_for_reading(0), 2);
    assert_int_equal(unlink(tg_test_path("a.yaml")), 0);
    assert_int_equal(read_again(), 1);
}

static size_t num_of(const char *part)
{
    size_t num = 0;
    for (const char *at = tg_test_log(); (at = strstr(at, part)) != NULL; at++) {
        num++;
    }
    return num;
}

static void faults_are_logged_once_until_they_change(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < TG_MAX_FAULTS + 1; i++) {
        snprintf(name, sizeof name, "%03d.yaml", i);
        tg_test_write_file(name, TG_LIT("openapi: 3.1.0\ncomponents: {schemas: {A: {x-pii: 1}}}\n"));
    }
    start(tg_test_folder(), 3600, false);
    assert_int_equal(wait_for_reading(0), 0);
    assert_true(tg_test_log_says("\"event\":\"more_schemas_refused\",\"count\":1"));
    assert_int_equal(num_of("\"event\":\"schema_refused\""), TG_MAX_FAULTS);
    assert_int_equal(read_again(), 0);
    assert_int_equal(num_of("\"event\":\"schema_refused\""), TG_MAX_FAULTS);
    tg_test_log_forget();
    tg_test_write_file("000.yaml", TG_LIT("openapi: 3.1.0\ncomponents: {schemas: {B: {x-pii: 1}}}\n"));
    read_again();
    assert_true(num_of("\"event\":\"schema_refused\"") > 0);
}

static void interval_reads_without_being_asked(void **state)
{
    (void)state;
    size_t num_schemas;
    start(tg_test_folder(), 1, false);
    wait_for_reading(0);
    uint64_t first = read_unix_ms(&num_schemas);
    tg_test_write_file("a.yaml", tg_slice_str(TEST_SCHEMA));
    assert_int_equal(wait_for_reading(first), 1);
}

static void directory_that_is_none_is_said_and_the_old_schemas_serve(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 5));
    start("/nonexistent/schemas", 3600, false);
    assert_true(tg_test_log_says("\"event\":\"schemas_not_read\",\"directory\":\"/nonexistent/schemas\""));
    assert_true(tg_test_log_says("\"old_schemas_serve\":true"));
    size_t num_schemas;
    assert_int_equal(read_unix_ms(&num_schemas), 5);
    assert_int_equal(num_schemas, 1);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(start_reads_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(now_takes_up_what_has_come_and_keeps_what_went, set_up, tear_down),
        cmocka_unit_test_setup_teardown(now_removes_where_that_is_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_are_logged_once_until_they_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interval_reads_without_being_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directory_that_is_none_is_said_and_the_old_schemas_serve, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
