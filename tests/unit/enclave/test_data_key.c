#include "enclave/data_key.h"
#include "support/folder.h"
#include "support/logged.h"
#include "unit/enclave/parts.h"

#include <stdio.h>

/* Local mode's data key with this setting, or none (NULL). */
static tg_result data_key(const char *name, const char *path, tg_faults *faults, tg_key_ring **out_ring)
{
    char text[256];
    snprintf(text, sizeof text, "%s=%s", name != NULL ? name : "", path);
    const char *const environment[] = {name != NULL ? text : NULL, NULL};
    tg_enclave_settings settings;
    test_settings(&settings, environment);
    tg_faults_init(faults);
    tg_result result = tg_enclave_data_key(&settings, faults, out_ring);
    tg_enclave_settings_done(&settings);
    return result;
}

static void data_key_file_is_read_and_warned_of(void **state)
{
    (void)state;
    tg_key_ring *ring = NULL;
    tg_faults faults;
    tg_test_write_file("key", TG_LIT("0123456789abcdef0123456789abcdef"));
    assert_ok(data_key("DEK_FILE", tg_test_path("key"), &faults, &ring));
    assert_int_equal(tg_key_ring_len(ring), 1);
    assert_memory_equal(tg_secret_bytes(tg_key_ring_at(ring, 0)->key), "0123456789abcdef0123456789abcdef", 32);
    assert_true(tg_test_log_says("\"event\":\"development_key\",\"source\":\"DEK_FILE\""));
    assert_null(strstr(tg_test_log(), "0123456789abcdef"));
    tg_key_ring_unref(ring);
    tg_faults_done(&faults);
}

static void data_key_file_that_is_none_is_a_fault(void **state)
{
    (void)state;
    tg_key_ring *ring = NULL;
    tg_faults faults;
    tg_test_write_file("short", TG_LIT("0123"));
    assert_code(data_key("DEK_FILE", tg_test_path("short"), &faults, &ring), TG_ERR_SYNTAX);
    assert_null(ring);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].file, tg_test_path("short"));
    tg_faults_done(&faults);
    assert_code(data_key("DEK_FILE", "/nonexistent/dek", &faults, &ring), TG_ERR_NOT_FOUND);
    assert_int_equal(faults.num_faults, 1);
    tg_faults_done(&faults);
}

static void data_key_folder_keeps_the_key_that_it_makes(void **state)
{
    (void)state;
    tg_key_ring *first = NULL, *second = NULL;
    tg_faults faults;
    assert_ok(data_key("STATE_DIR", tg_test_folder(), &faults, &first));
    tg_test_log_forget();
    assert_ok(data_key("STATE_DIR", tg_test_folder(), &faults, &second));
    assert_true(tg_key_ring_equal(first, second));
    assert_true(tg_test_log_says("\"source\":\"STATE_DIR\""));
    tg_key_ring_unref(first);
    tg_key_ring_unref(second);
}

static void data_key_local_mode_alone_is_random(void **state)
{
    (void)state;
    tg_key_ring *first = NULL, *second = NULL;
    tg_faults faults;
    assert_ok(data_key(NULL, "", &faults, &first));
    assert_ok(data_key(NULL, "", &faults, &second));
    assert_false(tg_key_ring_equal(first, second));
    assert_true(tg_test_log_says("\"source\":\"random, gone when the process ends\""));
    tg_key_ring_unref(first);
    tg_key_ring_unref(second);
}

static void data_key_no_source_outside_local_mode_gives_none(void **state)
{
    (void)state;
    const char *const environment[] = {"SCHEMA_DIR=/tmp", NULL};
    const tg_enclave_settings_source source = {.environment = environment};
    tg_enclave_settings settings;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_enclave_settings_load(&settings, &source, &faults));
    tg_key_ring *ring = NULL;
    assert_ok(tg_enclave_data_key(&settings, &faults, &ring));
    assert_null(ring);
    assert_int_equal(faults.num_faults, 0);
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
}

static int set_up(void **state)
{
    return tg_test_folder_set_up(state) | tg_test_log_set_up(state);
}

static int tear_down(void **state)
{
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(data_key_file_is_read_and_warned_of),
        cmocka_unit_test(data_key_file_that_is_none_is_a_fault),
        cmocka_unit_test(data_key_folder_keeps_the_key_that_it_makes),
        cmocka_unit_test(data_key_local_mode_alone_is_random),
        cmocka_unit_test(data_key_no_source_outside_local_mode_gives_none),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
