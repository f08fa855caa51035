#include "proxy/proxy_settings.h"

#include "support/case.h"

static tg_settings settings;
static tg_proxy_settings values;
static tg_faults faults;
static tg_proxy_sidecar sidecar;

static int set_up(void **state)
{
    (void)state;
    settings = (tg_settings){.table = NULL};
    tg_faults_init(&faults);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_settings_done(&settings);
    tg_faults_done(&faults);
    return 0;
}

static tg_result read_all(const char *const *environment)
{
    tg_settings_done(&settings);
    tg_faults_done(&faults);
    return tg_proxy_settings_read(environment, &faults, &settings, &values);
}

#define READ(...) read_all((const char *const[]){__VA_ARGS__, NULL})

static void assert_text(const tg_address *address, const char *text)
{
    char got[TG_MAX_ADDRESS_BYTES];
    assert_string_equal(tg_address_format(address, got), text);
}

static void read_of_nothing_gives_the_defaults(void **state)
{
    (void)state;
    assert_ok(READ("PATH=/bin"));
    assert_null(values.config_path);
    assert_null(values.user);
    assert_int_equal(values.log_level, TG_LOG_INFO);
    assert_int_equal(values.num_workers, 0);
    assert_string_equal(values.listen_port, "8443");
    assert_string_equal(values.enclave_port, "443");
    assert_false(tg_proxy_settings_is_sidecar(&values));
}

static void read_log_level_of_the_proxy_comes_before_the_plain_one(void **state)
{
    (void)state;
    assert_ok(READ("LOG_LEVEL=debug"));
    assert_int_equal(values.log_level, TG_LOG_DEBUG);
    assert_ok(READ("LOG_LEVEL=debug", "PROXY_LOG_LEVEL=error"));
    assert_int_equal(values.log_level, TG_LOG_ERROR);
}

static void assert_fault(const char *variable, const char *words)
{
    assert_code(READ(variable), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
    if (strstr(faults.faults[0].reason, words) == NULL) {
        fail_msg("%s: %s", variable, faults.faults[0].reason);
    }
}

static void read_bad_values_are_faults(void **state)
{
    (void)state;
    assert_fault("LISTEN_PORT=0", "no port");
    assert_fault("LISTEN_PORT=65536", "no port");
    assert_fault("LISTEN_PORT=+1", "no port");
    assert_fault("ENCLAVE_PORT=4294967295", "no vsock port");
    assert_fault("ENCLAVE_CID=0", "no CID");
    assert_fault("ENCLAVE_CID=4294967295", "no CID");
    assert_fault("ENCLAVE_ADDRESS=16:443", "no address");
    assert_fault("ADMIN_ADDRESS=9000", "no address");
    assert_fault("MAIN_APP_ADDR=app", "no address");
    assert_fault("WORKERS=257", "range");
    assert_code(READ("WORKERS=x", "LISTEN_PORT=x", "ENCLAVE_CID=x"), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 3);
}

static void read_service_links_of_kubernetes_are_named(void **state)
{
    (void)state;
    static const char *const variables[] = {"LISTEN_PORT=tcp://10.0.0.1:80", "ENCLAVE_PORT=tcp://10.0.0.1:443",
                                            "MAIN_APP_ADDR=tcp://10.0.0.1:8080", "ENCLAVE_ADDRESS=tcp://10.0.0.1:443"};
    for (size_t i = 0; i < TG_COUNT(variables); i++) {
        assert_fault(variables[i], "enableServiceLinks");
    }
}

static void sidecar_by_cid_has_the_vsock_address(void **state)
{
    (void)state;
    assert_ok(READ("ENCLAVE_CID=16"));
    assert_true(tg_proxy_settings_is_sidecar(&values));
    assert_ok(tg_proxy_settings_sidecar(&values, &faults, &sidecar));
    assert_text(&sidecar.listen, "tcp:0.0.0.0:8443");
    assert_text(&sidecar.enclave, "vsock:16:443");
    assert_false(sidecar.has_application);
}

static void sidecar_by_address_has_application_and_return_address(void **state)
{
    (void)state;
    static const uint8_t zeros[TG_RETURN_TOKEN_BYTES];
    assert_ok(READ("ENCLAVE_ADDRESS=unix:/run/enclave", "MAIN_APP_ADDR=127.0.0.1:8080", "RETURN_ADDRESS=unix:/run/back",
                   "LISTEN_PORT=1"));
    assert_ok(tg_proxy_settings_sidecar(&values, &faults, &sidecar));
    assert_text(&sidecar.listen, "tcp:0.0.0.0:1");
    assert_text(&sidecar.enclave, "unix:/run/enclave");
    assert_true(sidecar.has_application);
    assert_text(&sidecar.application, "tcp:127.0.0.1:8080");
    assert_text(&sidecar.return_listen, "unix:/run/back");
    assert_memory_not_equal(sidecar.return_port.token, zeros, sizeof zeros);
}

static void sidecar_by_cid_and_address_is_a_fault(void **state)
{
    (void)state;
    assert_ok(READ("ENCLAVE_CID=16", "ENCLAVE_ADDRESS=unix:/run/enclave"));
    assert_code(tg_proxy_settings_sidecar(&values, &faults, &sidecar), TG_ERR_SYNTAX);
    assert_string_equal(faults.faults[0].field, "ENCLAVE_ADDRESS");
}

static void help_lists_every_variable(void **state)
{
    (void)state;
    static const char *const names[] = {"PROXY_CONFIG", "PROXY_USER",   "PROXY_LOG_LEVEL", "LISTEN_PORT",
                                        "ENCLAVE_CID",  "ENCLAVE_PORT", "MAIN_APP_ADDR",   "AWS_REGION"};
    tg_buf text;
    tg_buf_init(&text, 65536);
    assert_ok(tg_proxy_settings_append_help(&text));
    assert_ok(tg_buf_append_byte(&text, 0));
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        assert_non_null(strstr((const char *)tg_buf_slice(&text).ptr, names[i]));
    }
    tg_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_of_nothing_gives_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_log_level_of_the_proxy_comes_before_the_plain_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_bad_values_are_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_service_links_of_kubernetes_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sidecar_by_cid_has_the_vsock_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sidecar_by_address_has_application_and_return_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sidecar_by_cid_and_address_is_a_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_lists_every_variable, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
