#include "enclave/enclave_manifest.h"

#include "base/encode.h"
#include "sys/clock.h"
#include "unit/enclave/parts.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *read_canonical(tg_slice text)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(tree);
    char *packed = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);
    tg_assert_slice(text, tg_slice_str(packed), __FILE__, __LINE__);
    free(packed);
    return tree;
}

/* The caller ends the tree. */
static json_t *describe(const char *const *environment)
{
    tg_enclave_settings settings;
    tg_buf buf;
    test_settings(&settings, environment);
    tg_buf_init(&buf, 4096);
    assert_ok(tg_enclave_manifest_settings(&settings, &buf));
    json_t *tree = read_canonical(tg_buf_slice(&buf));
    tg_buf_done(&buf);
    tg_enclave_settings_done(&settings);
    return tree;
}

static const char *text_of(const json_t *tree, const char *name)
{
    return json_string_value(json_object_get(tree, name));
}

static void manifest_settings_say_what_is_open(void **state)
{
    (void)state;
    json_t *open = describe(TEST_NO_ENVIRONMENT);
    assert_string_equal(text_of(open, "encrypt"), "open");
    assert_string_equal(text_of(open, "decrypt"), "nobody");
    assert_string_equal(text_of(open, "build"), "development");
    assert_true(json_is_true(json_object_get(open, "local_mode")));
    json_t *closed =
        describe((const char *const[]){"ENCRYPT_ALLOWED_CLIENTS=a.example", "DECRYPT_ALLOWED_CLIENTS=b.example",
                                       "CLIENT_CA_PATH=/ca.pem", "SCHEMA_ALLOW_REMOVAL=true", NULL});
    assert_string_equal(text_of(closed, "encrypt"), "listed");
    assert_string_equal(text_of(closed, "decrypt"), "listed");
    assert_true(json_is_true(json_object_get(closed, "schema_allow_removal")));
    assert_string_not_equal(text_of(closed, "sha256"), text_of(open, "sha256"));
    json_decref(open);
    json_decref(closed);
}

static void manifest_settings_hash_is_of_measured_ones_alone(void **state)
{
    (void)state;
    json_t *first = describe(TEST_NO_ENVIRONMENT);
    json_t *second = describe((const char *const[]){"LOG_LEVEL=debug", "TLS_PORT=9443", NULL});
    json_t *third = describe((const char *const[]){"SERVER_NAMES=tee.example.org", NULL});
    assert_string_equal(text_of(first, "sha256"), text_of(second, "sha256"));
    assert_string_not_equal(text_of(first, "sha256"), text_of(third, "sha256"));
    json_decref(first);
    json_decref(second);
    json_decref(third);
}

static void manifest_routes_are_hashed_as_they_stand_in_the_file(void **state)
{
    (void)state;
    const tg_route_guards guards = {.max_body_bytes = 1};
    tg_enclave_settings settings = {.routes = NULL};
    tg_faults faults;
    uint8_t digest[TG_SHA256_BYTES];
    tg_slice found = TG_LIT("x");
    tg_faults_init(&faults);
    assert_ok(tg_enclave_manifest_routes(&settings, digest, &found));
    assert_null(found.ptr);
    assert_ok(tg_routes_parse("r.json", TG_LIT("{\"routes\": []}\n"), &guards, &faults, &settings.routes));
    assert_ok(tg_enclave_manifest_routes(&settings, digest, &found));
    tg_buf hex;
    tg_buf_init(&hex, 64);
    assert_ok(tg_hex_append(&hex, found));
    assert_slice(tg_buf_slice(&hex), "bfe1b6cf49b6b50c903f8913447f7fcf4827bd4d2b1a078a284b5f584d3e41ef");
    tg_buf_done(&hex);
    tg_routes_unref(settings.routes);
    tg_faults_done(&faults);
}

static void manifest_follows_what_is_in_force(void **state)
{
    (void)state;
    tg_publisher *publisher = NULL;
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_publisher_new(&publisher));
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_ok(tg_enclave_manifest_append(snapshot, TG_LIT("{}"), (tg_slice){NULL, 0}, &buf));
    json_t *tree = read_canonical(tg_buf_slice(&buf));
    assert_true(json_is_null(json_object_get(tree, "tls_spki")));
    assert_true(json_is_null(json_object_get(tree, "schemas")));
    assert_true(json_is_null(json_object_get(tree, "client_ca")));
    assert_int_equal(json_array_size(json_object_get(tree, "deks")), 0);
    json_decref(tree);
    tg_snapshot_unref(snapshot);
    tg_buf_clear(&buf);
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA\xBB")));
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 1000));
    snapshot = tg_publisher_current(publisher);
    assert_ok(tg_enclave_manifest_append(snapshot, TG_LIT("{}"), (tg_slice){NULL, 0}, &buf));
    tree = read_canonical(tg_buf_slice(&buf));
    const json_t *deks = json_object_get(tree, "deks");
    assert_int_equal(json_array_size(deks), 2);
    assert_string_equal(text_of(json_array_get(deks, 0), "state"), "current");
    assert_string_equal(text_of(json_array_get(deks, 1), "state"), "retired");
    assert_int_equal(strlen(text_of(json_array_get(deks, 0), "fingerprint")), 32);
    assert_int_equal(strlen(text_of(tree, "schemas")), 64);
    json_decref(tree);
    tg_snapshot_unref(snapshot);
    tg_publisher_free(publisher);
    tg_buf_done(&buf);
}

static void manifest_names_the_authorities_of_clients(void **state)
{
    (void)state;
    tg_publisher *publisher = NULL;
    tg_tls_authorities *issuers = NULL;
    tg_tls_identity *identity = NULL;
    tg_tls_context *tls = NULL;
    tg_buf buf, digest;
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    tg_buf_init(&buf, 65536);
    tg_buf_init(&digest, 64);
    assert_ok(tg_tls_identity_generate(NULL, 0, now_unix_s, &identity, NULL));
    assert_ok(tg_tls_identity_append_pem(identity, &buf));
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&buf), now_unix_s, &issuers, NULL));
    assert_ok(tg_hex_append(&digest, tg_tls_authorities_sha256(issuers)));
    tg_buf_clear(&buf);
    const tg_tls_server_settings settings = {.identity = identity, .client_issuers = issuers};
    assert_ok(tg_tls_context_new_server(&settings, &tls, NULL));
    assert_ok(tg_publisher_new(&publisher));
    assert_ok(tg_publisher_set_tls(publisher, tls));
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_ok(tg_enclave_manifest_append(snapshot, TG_LIT("{}"), (tg_slice){NULL, 0}, &buf));
    json_t *tree = read_canonical(tg_buf_slice(&buf));
    tg_assert_slice(tg_buf_slice(&digest), tg_slice_str(text_of(tree, "client_ca")), __FILE__, __LINE__);
    json_decref(tree);
    tg_snapshot_unref(snapshot);
    tg_publisher_free(publisher);
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    tg_buf_done(&digest);
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(manifest_settings_say_what_is_open),
        cmocka_unit_test(manifest_settings_hash_is_of_measured_ones_alone),
        cmocka_unit_test(manifest_routes_are_hashed_as_they_stand_in_the_file),
        cmocka_unit_test(manifest_follows_what_is_in_force),
        cmocka_unit_test(manifest_names_the_authorities_of_clients),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
