#include "enclave/identity.h"
#include "support/folder.h"
#include "support/logged.h"
#include "sys/clock.h"
#include "unit/enclave/parts.h"
#include "unit/tls/issuer.h"

#include <stdio.h>

static test_certificate authority;
static test_certificate server;

static void write_certificate(const char *name, const test_certificate *certificate)
{
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    test_append_certificate(certificate, &pem);
    tg_test_write_file(name, tg_buf_slice(&pem));
    tg_buf_done(&pem);
}

static void write_key(const char *name, const test_certificate *certificate)
{
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    test_append_key(certificate, &pem);
    tg_test_write_file(name, tg_buf_slice(&pem));
    tg_buf_done(&pem);
}

static int set_up(void **state)
{
    if ((tg_test_folder_set_up(state) | tg_test_log_set_up(state)) != 0) {
        return -1;
    }
    authority = test_issue_authority("Test Authority");
    server = test_issue(&(test_request){.subject = "tee", .san = "DNS:tee.example.org", .by = &authority});
    write_key("ca.key", &authority);
    return 0;
}

static int tear_down(void **state)
{
    test_certificate_done(&server);
    test_certificate_done(&authority);
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

enum { MAX_TEXT_BYTES = 512 };

static tg_enclave_identity identity;

/* The identity of local mode with files of the folder, over the one before; NULL: not set. */
static tg_result load(const char *certificate, const char *key, const char *issuers, tg_faults *faults)
{
    char texts[3][MAX_TEXT_BYTES];
    const char *environment[5] = {"SERVER_NAMES=tee.example.org,tee2.example.org"};
    const char *const names[] = {"TLS_CERT_PATH", "TLS_KEY_PATH", "CLIENT_CA_PATH"};
    const char *const files[] = {certificate, key, issuers};
    size_t num = 1;
    for (size_t i = 0; i < TG_COUNT(files); i++) {
        if (files[i] != NULL) {
            snprintf(texts[i], MAX_TEXT_BYTES, "%s=%s", names[i], tg_test_path(files[i]));
            environment[num++] = texts[i];
        }
    }
    tg_enclave_settings settings;
    tg_tls_context *tls = NULL;
    test_settings(&settings, environment);
    tg_faults_init(faults);
    tg_result result = tg_enclave_identity_load(&identity, &settings, NULL, faults, &tls);
    assert_int_equal(tls != NULL, tg_is_ok(result));
    tg_tls_context_unref(tls);
    tg_enclave_settings_done(&settings);
    return result;
}

static int begin(void **state)
{
    (void)state;
    write_certificate("ca.pem", &authority);
    write_certificate("tee.pem", &server);
    write_key("tee.key", &server);
    tg_test_log_forget();
    return 0;
}

static int end(void **state)
{
    (void)state;
    tg_enclave_identity_done(&identity);
    return 0;
}

static void load_without_files_generates_one(void **state)
{
    (void)state;
    tg_faults faults;
    assert_ok(load(NULL, NULL, NULL, &faults));
    assert_true(tg_test_log_says("\"event\":\"identity\",\"origin\":\"generated\",\"spki_sha256\":\""));
    tg_faults_done(&faults);
}

static void load_files_and_client_authorities(void **state)
{
    (void)state;
    tg_faults faults;
    assert_ok(load("tee.pem", "tee.key", "ca.pem", &faults));
    assert_int_equal(faults.num_faults, 0);
    assert_true(tg_test_log_says("\"origin\":\"files\""));
    assert_null(strstr(tg_test_log(), "PRIVATE"));
    tg_faults_done(&faults);
}

static void load_key_of_another_certificate_is_a_fault(void **state)
{
    (void)state;
    tg_faults faults;
    assert_code(load("tee.pem", "ca.key", NULL, &faults), TG_ERR_MISMATCH);
    assert_int_equal(faults.num_faults, 1);
    tg_faults_done(&faults);
}

static void load_reports_identity_and_authorities_together(void **state)
{
    (void)state;
    tg_faults faults;
    tg_test_write_file("none.pem", TG_LIT("no PEM"));
    assert_code(load("none.pem", "tee.key", "none.pem", &faults), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 2);
    assert_string_equal(faults.faults[0].file, tg_test_path("none.pem"));
    assert_string_equal(faults.faults[1].file, tg_test_path("none.pem"));
    tg_faults_done(&faults);
    assert_code(load("tee.pem", "tee.key", "absent.pem", &faults), TG_ERR_SYSTEM);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].file, tg_test_path("absent.pem"));
    tg_faults_done(&faults);
}

static void load_again_without_files_keeps_the_generated_one(void **state)
{
    (void)state;
    tg_faults faults;
    assert_ok(load(NULL, NULL, "ca.pem", &faults));
    tg_faults_done(&faults);
    const tg_tls_identity *generated = identity.identity;
    tg_test_log_forget();
    write_certificate("ca.pem", &server);
    assert_ok(load(NULL, NULL, "ca.pem", &faults));
    assert_ptr_equal(identity.identity, generated);
    assert_false(identity.is_certificate_kept);
    assert_false(identity.are_issuers_kept);
    assert_true(tg_test_log_says("\"event\":\"client_authorities\",\"certificates\":1,\"sha256\":\""));
    assert_null(strstr(tg_test_log(), "\"event\":\"identity\""));
    tg_faults_done(&faults);
}

/* As after a delivery that was refused: nothing of it comes with the next reload. */
static void load_after_a_delivery_that_was_taken_back_keeps_the_one_before(void **state)
{
    (void)state;
    tg_faults faults;
    tg_tls_identity *delivered = NULL;
    tg_detail detail = {0};
    assert_ok(load(NULL, NULL, NULL, &faults));
    tg_faults_done(&faults);
    const tg_tls_identity *generated = identity.identity;
    assert_ok(tg_tls_identity_load(tg_test_path("tee.pem"), tg_test_path("tee.key"),
                                   (int64_t)(tg_clock_unix_ms() / 1000), &delivered, &detail));
    tg_enclave_identity_deliver(&identity, delivered);
    tg_enclave_identity_deliver(&identity, NULL);
    assert_ok(load(NULL, NULL, NULL, &faults));
    tg_faults_done(&faults);
    assert_ptr_equal(identity.identity, generated);
    tg_enclave_identity_deliver(&identity, delivered);
    assert_ok(load(NULL, NULL, NULL, &faults));
    tg_faults_done(&faults);
    assert_ptr_equal(identity.identity, delivered);
    tg_tls_identity_unref(delivered);
}

static void load_again_what_is_at_fault_is_kept_alone(void **state)
{
    (void)state;
    tg_faults faults;
    assert_ok(load("tee.pem", "tee.key", "ca.pem", &faults));
    tg_faults_done(&faults);
    const tg_tls_identity *certificate = identity.identity;
    const tg_tls_authorities *issuers = identity.client_issuers;
    tg_test_write_file("ca.pem", TG_LIT("no PEM"));
    assert_ok(load("tee.pem", "tee.key", "ca.pem", &faults));
    assert_int_equal(faults.num_faults, 1);
    tg_faults_done(&faults);
    assert_true(identity.are_issuers_kept);
    assert_false(identity.is_certificate_kept);
    assert_ptr_equal(identity.client_issuers, issuers);
    assert_ptr_not_equal(identity.identity, certificate);
    certificate = identity.identity;
    write_certificate("ca.pem", &authority);
    tg_test_write_file("tee.key", TG_LIT("no PEM"));
    assert_ok(load("tee.pem", "tee.key", "ca.pem", &faults));
    assert_int_equal(faults.num_faults, 1);
    tg_faults_done(&faults);
    assert_true(identity.is_certificate_kept);
    assert_false(identity.are_issuers_kept);
    assert_ptr_equal(identity.identity, certificate);
    assert_ptr_not_equal(identity.client_issuers, issuers);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(load_without_files_generates_one, begin, end),
        cmocka_unit_test_setup_teardown(load_files_and_client_authorities, begin, end),
        cmocka_unit_test_setup_teardown(load_key_of_another_certificate_is_a_fault, begin, end),
        cmocka_unit_test_setup_teardown(load_reports_identity_and_authorities_together, begin, end),
        cmocka_unit_test_setup_teardown(load_again_without_files_keeps_the_generated_one, begin, end),
        cmocka_unit_test_setup_teardown(load_after_a_delivery_that_was_taken_back_keeps_the_one_before, begin, end),
        cmocka_unit_test_setup_teardown(load_again_what_is_at_fault_is_kept_alone, begin, end),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
