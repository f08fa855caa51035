#include "enclave/gateway_settings.h"

#include "support/logged.h"
#include "unit/enclave/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[32];
static char path[64];
static char path_setting[80];
static tg_enclave_settings settings;
static tg_faults faults;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/teegate.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/routes.json", folder);
    snprintf(path_setting, sizeof path_setting, "ROUTES_PATH=%s", path);
    settings = (tg_enclave_settings){0};
    tg_faults_init(&faults);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_enclave_settings_done(&settings);
    tg_faults_done(&faults);
    (void)unlink(path);
    return rmdir(folder);
}

static void put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define LITTLE "{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b.example\"}}]}"
#define VALUES                                                                                                         \
    "{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"value\": \"A_URL\"}},"                                          \
    "{\"path\": \"/y\", \"upstream\": {\"value\": \"B_URL\"}}, {\"path\": \"/z\", \"upstream\": {\"value\": "          \
    "\"A_URL\"}}]}"

/* Local mode's settings, these and ROUTES_PATH over them. */
static void load(const char *first, const char *second)
{
    const char *const environment[] = {path_setting, first, first != NULL ? second : NULL, NULL};
    const tg_enclave_settings_source source = {.environment = environment, .is_local_mode = true};
    tg_enclave_settings_done(&settings);
    tg_faults_done(&faults);
    tg_faults_init(&faults);
    assert_ok(tg_enclave_settings_load(&settings, &source, &faults));
}

static void assert_fault(const char *field, const char *words)
{
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].field, field);
    if (strstr(faults.faults[0].reason, words) == NULL) {
        fail_msg("%s", faults.faults[0].reason);
    }
}

static void load_without_a_path_there_are_no_routes(void **state)
{
    (void)state;
    const tg_enclave_settings_source source = {.environment = (const char *const[]){NULL}, .is_local_mode = true};
    assert_ok(tg_enclave_settings_load(&settings, &source, &faults));
    assert_int_equal(faults.num_faults, 0);
    assert_null(settings.routes);
    assert_null(settings.egress_address);
    assert_int_equal(settings.delivered_values.num_items, 0);
}

static void load_routes_are_read(void **state)
{
    (void)state;
    put(LITTLE);
    load(NULL, NULL);
    assert_int_equal(faults.num_faults, 0);
    assert_int_equal(tg_routes_len(settings.routes), 1);
}

static void load_egress_address_has_its_default(void **state)
{
    (void)state;
    const tg_enclave_settings_source source = {.environment = (const char *const[]){NULL}};
    assert_ok(tg_enclave_settings_load(&settings, &source, &faults));
    assert_string_equal(settings.egress_address, "vsock:parent:8444");
    put(LITTLE);
    load("EGRESS_ADDRESS=tcp:127.0.0.1:8444", NULL);
    assert_string_equal(settings.egress_address, "tcp:127.0.0.1:8444");
    load("EGRESS_ADDRESS=off", NULL);
    assert_null(settings.egress_address);
    load("EGRESS_ADDRESS=nowhere", NULL);
    assert_fault("EGRESS_ADDRESS", "is no address");
}

static void load_faults_of_the_file_are_faults_of_the_settings(void **state)
{
    (void)state;
    load(NULL, NULL);
    assert_fault("", "cannot be read");
    assert_null(settings.routes);
    put("{\"routes\": [");
    load(NULL, NULL);
    assert_fault("", "not JSON");
    put("{\"routes\": []}");
    load(NULL, NULL);
    assert_fault("ROUTES_PATH", "without a route");
}

static void load_other_settings_bound_the_routes(void **state)
{
    (void)state;
    put(LITTLE);
    load("UPSTREAM_ALLOWED_HOSTS=*.b.example", NULL);
    assert_fault("/routes/0/upstream/url", "UPSTREAM_ALLOWED_HOSTS");
    load("UPSTREAM_ALLOWED_HOSTS=https://b.example", NULL);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].field, "UPSTREAM_ALLOWED_HOSTS");
    load("UPSTREAM_CA_SHA256=abc", NULL);
    assert_fault("UPSTREAM_CA_SHA256", "is no SHA-256");
    put("{\"routes\": [{\"path\": \"/x\", \"clients\": [\"a\"], \"upstream\": {\"url\": \"https://b\"}}]}");
    load(NULL, NULL);
    assert_fault("/routes/0/clients", "CLIENT_CA_PATH");
    put("{\"routes\": [{\"path\": \"/encrypt\", \"upstream\": {\"url\": \"http://127.0.0.1\"}}]}");
    load(NULL, NULL);
    assert_fault("/routes/0/path", "enclave's own");
    put("{\"routes\": [{\"path\": \"/status\", \"upstream\": {\"url\": \"http://127.0.0.1\"}}]}");
    load(NULL, NULL);
    assert_fault("/routes/0/path", "enclave's own");
}

static void load_values_of_routes_may_be_delivered(void **state)
{
    (void)state;
    put(VALUES);
    load("SECRETS_ADDRESS=unix:/tmp/s", "SECRETS_VALUES=A_URL,OTHER");
    assert_int_equal(faults.num_faults, 0);
    assert_int_equal(settings.delivered_values.num_items, 3);
    assert_string_equal(settings.delivered_values.items[0], "A_URL");
    assert_string_equal(settings.delivered_values.items[1], "OTHER");
    assert_string_equal(settings.delivered_values.items[2], "B_URL");
    load("SECRETS_ADDRESS=off", NULL);
    assert_fault("SECRETS_ADDRESS", "A_URL");
}

static void note_changes_another_file_is_told(void **state)
{
    (void)state;
    assert_int_equal(tg_test_log_set_up(NULL), 0);
    tg_gateway_settings_note_changes(&settings); /* there are none */
    put(LITTLE);
    load(NULL, NULL);
    tg_gateway_settings_note_changes(&settings);
    assert_string_equal(tg_test_log(), "");
    put("{}");
    tg_gateway_settings_note_changes(&settings);
    assert_non_null(strstr(tg_test_log(), "routes_kept"));
    assert_non_null(strstr(tg_test_log(), "has changed"));
    tg_test_log_forget();
    assert_int_equal(unlink(path), 0);
    tg_gateway_settings_note_changes(&settings);
    assert_non_null(strstr(tg_test_log(), "routes_kept"));
    assert_int_equal(tg_routes_len(settings.routes), 1);
    assert_int_equal(tg_test_log_tear_down(NULL), 0);
}

static void log_says_what_the_host_decides(void **state)
{
    (void)state;
    assert_int_equal(tg_test_log_set_up(NULL), 0);
    tg_gateway_settings_log(&settings);
    assert_string_equal(tg_test_log(), "");
    put(LITTLE);
    load(NULL, NULL);
    tg_gateway_settings_log(&settings);
    assert_non_null(strstr(tg_test_log(), "\"event\":\"routes\""));
    assert_non_null(strstr(tg_test_log(), "backends_are_not_pinned"));
    tg_test_log_forget();
    load("UPSTREAM_CA_SHA256=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL);
    tg_gateway_settings_log(&settings);
    assert_null(strstr(tg_test_log(), "backends_are_not_pinned"));
    assert_null(strstr(tg_test_log(), "routes_outlast_drain")); /* both have 30 s */
    load("DRAIN_TIMEOUT_SECS=29", NULL);
    tg_gateway_settings_log(&settings);
    assert_non_null(strstr(tg_test_log(), "routes_outlast_drain"));
    assert_int_equal(tg_test_log_tear_down(NULL), 0);
}

static void check_schemas_names_that_are_not_there_are_told(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(TEST_SCHEMA);
    tg_gateway_settings_check_schemas(&settings, set, &faults); /* there are no routes */
    put("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\"},\n"
        " \"response\": {\"encrypt\": \"fields\",\n \"schema\": \"a\"}},\n"
        "{\"path\": \"/y\", \"upstream\": {\"url\": \"https://b\"},\n"
        " \"response\": {\"encrypt\": \"fields\",\n \"schema\": \"b\"}}]}");
    load(NULL, NULL);
    assert_int_equal(faults.num_faults, 0);
    tg_gateway_settings_check_schemas(&settings, set, &faults);
    assert_fault("/routes/1/response/schema", "there is no schema b");
    assert_int_equal(faults.faults[0].line, 6);
    assert_string_equal(faults.faults[0].file, path);
    tg_schema_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(load_without_a_path_there_are_no_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_routes_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_egress_address_has_its_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_faults_of_the_file_are_faults_of_the_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_other_settings_bound_the_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_values_of_routes_may_be_delivered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(note_changes_another_file_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_says_what_the_host_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_schemas_names_that_are_not_there_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
