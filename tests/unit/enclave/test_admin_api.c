#include "unit/enclave/site_case.h"

#include "base/encode.h"
#include "enclave/measures.h"
#include "enclave/schema_refresh.h"

#include <jansson.h>

static json_t *get_json(const char *path)
{
    const char *answer = site_get(path);
    assert_int_equal(site_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
    json_t *json = json_loads(site_body(answer), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    assert_non_null(text);
    return text;
}

static void version_names_program_build_and_cipher(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, true);
    json_t *json = get_json("/version");
    assert_string_equal(text_of(json, "program"), "teegate-enclave");
    assert_string_equal(text_of(json, "version"), TG_VERSION);
    assert_string_equal(text_of(json, "build"), "development");
    assert_string_not_equal(text_of(json, "cipher"), "");
    json_decref(json);
    site_close();
}

static void status_empty_enclave_is_degraded(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, true);
    json_t *json = get_json("/status");
    assert_string_equal(text_of(json, "status"), "degraded");
    assert_true(json_is_false(json_object_get(json, "draining")));
    assert_int_equal(json_array_size(json_object_get(json, "deks")), 0);
    assert_int_equal(json_array_size(json_object_get(json, "schemas")), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "schemas_read_unix_ms")), 0);
    json_decref(json);
    site_close();
}

static void status_shows_keys_by_fingerprint_alone(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, true);
    site_set_ring("\xAA\xBB");
    const char *answer = site_get("/status");
    assert_null(strstr(answer, "aaaaaaaaaaaaaaaa"));
    json_t *json = get_json("/status");
    const json_t *deks = json_object_get(json, "deks");
    assert_int_equal(json_array_size(deks), 2);
    const json_t *current = json_array_get(deks, 0);
    assert_string_equal(text_of(current, "id"), "first");
    assert_string_equal(text_of(current, "state"), "current");
    assert_string_equal(text_of(json_array_get(deks, 1), "state"), "retired");
    assert_int_equal(strlen(text_of(current, "fingerprint")) % 2, 0);
    assert_string_not_equal(text_of(current, "fingerprint"), text_of(json_array_get(deks, 1), "fingerprint"));
    json_decref(json);
    site_close();
}

static void status_shows_each_schema_with_its_digest(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, true);
    const schema_text texts[] = {{"a.yaml", TEST_SCHEMA}, {"b/c.yaml", TEST_SCHEMA}, {"d.yaml", "{"}, {NULL, NULL}};
    const tg_schema_options options = {.sha256 = tg_schema_refresh_sha256};
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_publisher_set_schemas(at.publisher, tg_build_texts(texts, &options, &faults), 5000));
    assert_int_equal(faults.num_faults, 1);
    tg_faults_done(&faults);
    site_take_up();
    atomic_store(&at.is_draining, true);
    json_t *json = get_json("/status");
    const json_t *schemas = json_object_get(json, "schemas");
    assert_int_equal(json_array_size(schemas), 2);
    assert_string_equal(text_of(json_array_get(schemas, 1), "name"), "b/c");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(schemas, 1), "pii")), 2);
    assert_true(json_is_false(json_object_get(json_array_get(schemas, 0), "kept")));
    assert_int_equal(strlen(text_of(json_array_get(schemas, 0), "sha256")), 64);
    assert_int_equal(json_integer_value(json_object_get(json, "schemas_refused")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "schemas_read_unix_ms")), 5000);
    assert_true(json_is_true(json_object_get(json, "draining")));
    json_decref(json);
    site_close();
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, true);
    tg_measures_refused("test_reason");
    const char *answer = site_get("/metrics");
    assert_int_equal(site_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\nteegate_requests_refused_total{reason=\"test_reason\"} 1\n"));
    site_close();
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(version_names_program_build_and_cipher),
        cmocka_unit_test(status_empty_enclave_is_degraded),
        cmocka_unit_test(status_shows_keys_by_fingerprint_alone),
        cmocka_unit_test(status_shows_each_schema_with_its_digest),
        cmocka_unit_test(metrics_are_prometheus_text),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
