#include "enclave/enclave_settings.h"
#include "settings/settings_print.h"
#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct loaded {
    tg_enclave_settings settings;
    tg_faults faults;
    tg_buf text; /* of the faults */
} loaded;

static void load(loaded *out, const char *config_path, bool is_local_mode, const char *const *environment)
{
    tg_faults_init(&out->faults);
    tg_buf_init(&out->text, 65536);
    const tg_enclave_settings_source source = {config_path, environment, is_local_mode};
    assert_ok(tg_enclave_settings_load(&out->settings, &source, &out->faults));
    assert_ok(tg_faults_append(&out->faults, &out->text));
    assert_ok(tg_buf_append_byte(&out->text, 0));
}

static bool says(const loaded *from, const char *part)
{
    return strstr((const char *)tg_buf_slice(&from->text).ptr, part) != NULL;
}

static void done(loaded *out)
{
    tg_enclave_settings_done(&out->settings);
    tg_faults_done(&out->faults);
    tg_buf_done(&out->text);
}

static void load_nothing_set_gives_defaults_and_asks_for_schemas(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, false, (const char *const[]){NULL});
    assert_int_equal(it.faults.num_faults, 1);
    assert_true(says(&it, "SCHEMA_DIR: is required"));
    assert_string_equal(it.settings.schema_header_name, "X-Schema-Name");
    assert_int_equal(it.settings.schema_refresh_interval_s, 300);
    assert_int_equal(it.settings.listen_addresses.num_items, 2);
    assert_string_equal(it.settings.listen_addresses.items[0], "vsock:any:443");
    assert_string_equal(it.settings.listen_addresses.items[1], "vsock:any:8443");
    assert_int_equal(it.settings.max_body_bytes, 10 << 20);
    assert_true(it.settings.num_workers >= 1);
    assert_int_equal(it.settings.log_level, TG_LOG_INFO);
    assert_null(it.settings.dek_file);
    done(&it);
}

static void load_local_mode_needs_nothing(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true, (const char *const[]){NULL});
    assert_int_equal(it.faults.num_faults, 0);
    assert_string_equal(it.settings.listen_addresses.items[0], "tcp:127.0.0.1:8443");
    assert_int_equal(it.settings.listen_addresses.num_items, 1);
    assert_string_equal(it.settings.schema_dir, "examples/schemas");
    done(&it);
}

static void load_tls_port_moves_default_addresses(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, false, (const char *const[]){"TLS_PORT=8443", "SCHEMA_DIR=/s", NULL});
    assert_int_equal(it.faults.num_faults, 0);
    assert_int_equal(it.settings.listen_addresses.num_items, 1);
    done(&it);
    load(&it, NULL, true, (const char *const[]){"TLS_PORT=9000", NULL});
    assert_string_equal(it.settings.listen_addresses.items[0], "tcp:127.0.0.1:9000");
    done(&it);
    load(&it, NULL, true, (const char *const[]){"TLS_PORT=9000", "LISTEN_ADDRESS=unix:/run/a", NULL});
    assert_string_equal(it.settings.listen_addresses.items[0], "unix:/run/a");
    done(&it);
}

static void load_many_faults_reports_all(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true,
         (const char *const[]){"TLS_PORT=70000", "WORKERS=many", "SCHEMA_HEADER_NAME=Host", "SERVER_NAMES=*.a",
                               "DECRYPT_ALLOWED_CLIENTS=a b", "TLS_KEY_PATH=/k", "LOG_LEVEL=loud",
                               "SCHEMA_ALLOW_REMOVAL=perhaps", NULL});
    assert_int_equal(it.faults.num_faults, 8);
    assert_true(says(&it, "environment: TLS_PORT: \"70000\" is out of range; 1 to 65535 are allowed"));
    assert_true(says(&it, "WORKERS: \"many\" is not such a number; write digits only"));
    assert_true(says(&it, "SCHEMA_HEADER_NAME: \"Host\" has a meaning of its own"));
    assert_true(says(&it, "SERVER_NAMES: \"*.a\" is a pattern"));
    assert_true(says(&it, "DECRYPT_ALLOWED_CLIENTS: \"a b\" cannot be"));
    assert_true(says(&it, "TLS_KEY_PATH: is set, but TLS_CERT_PATH is not"));
    assert_true(says(&it, "write debug, info, warn, error or off"));
    assert_true(says(&it, "write true or false"));
    done(&it);
}

static void load_clients_without_authority_is_a_fault(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true,
         (const char *const[]){"DECRYPT_ALLOWED_CLIENTS=a.example, spiffe://x/y", "ENCRYPT_ALLOWED_CLIENTS=b", NULL});
    assert_int_equal(it.faults.num_faults, 2);
    assert_true(says(&it, "no client can prove its name"));
    assert_int_equal(it.settings.decrypt_allowed_clients.num_items, 2);
    assert_string_equal(it.settings.decrypt_allowed_clients.items[1], "spiffe://x/y");
    done(&it);
    load(&it, NULL, true, (const char *const[]){"DECRYPT_ALLOWED_CLIENTS=a", "CLIENT_CA_PATH=/ca.pem", NULL});
    assert_int_equal(it.faults.num_faults, 0);
    done(&it);
}

static void load_setting_of_another_release_is_refused(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true,
         (const char *const[]){"OTEL_EXPORTER_OTLP_ENDPOINT=x", "FORWARD_SCHEMAS=", "S3_PREFIX=", NULL});
    assert_int_equal(it.faults.num_faults, 2);
    assert_true(says(
        &it, "OTEL_EXPORTER_OTLP_ENDPOINT: has no effect in this program: it belongs to telemetry export; remove it"));
    done(&it);
}

static void load_schemas_come_from_a_folder_or_a_bucket(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true, (const char *const[]){"S3_BUCKET=a-bucket", NULL});
    assert_int_equal(it.faults.num_faults, 0);
    assert_string_equal(it.settings.s3_bucket, "a-bucket");
    assert_string_equal(it.settings.s3_prefix, "schemas/");
    assert_null(it.settings.schema_dir);
    assert_int_equal(it.settings.vsock_proxy_port, 0); /* local mode dials AWS itself */
    done(&it);
    load(&it, NULL, false,
         (const char *const[]){"S3_BUCKET=a-bucket", "S3_BUCKET_OWNER=111122223333", "DEK_FILE=/dek", NULL});
    assert_int_equal(it.faults.num_faults, 0);
    assert_int_equal(it.settings.vsock_proxy_cid, 3);
    assert_int_equal(it.settings.vsock_proxy_port, 8000);
    done(&it);
    load(&it, NULL, false, (const char *const[]){"S3_BUCKET=a-bucket", "SCHEMA_DIR=/schemas", NULL});
    assert_true(says(&it, "S3_BUCKET: is set, and SCHEMA_DIR too"));
    assert_true(says(&it, "S3_BUCKET_OWNER: is not set, nor is SECRET_ARN: anybody's bucket"));
    done(&it);
    load(&it, NULL, false, (const char *const[]){NULL});
    assert_true(says(&it, "SCHEMA_DIR: is required and not set, nor is S3_BUCKET"));
    done(&it);
    load(&it, NULL, true,
         (const char *const[]){"S3_BUCKET=No_Bucket", "S3_PREFIX=/abs/", "S3_BUCKET_OWNER=11112222333x", NULL});
    assert_true(says(&it, "is no bucket's name"));
    assert_true(says(&it, "begins with a slash"));
    assert_true(says(&it, "is no account of 12 digits"));
    done(&it);
}

static void load_file_is_overridden_by_environment(void **state)
{
    (void)state;
    char path[] = "/tmp/teegate-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char json[] = "{\n \"SCHEMA_DIR\": \"/schemas\",\n \"MAX_BODY_BYTES\": \"300MiB\",\n"
                               " \"LOG_LEVEL\": \"warn\",\n \"LISTEN_ADRESS\": []\n}\n";
    assert_int_equal(write(fd, json, sizeof json - 1), sizeof json - 1);
    close(fd);
    loaded it;
    load(&it, path, false, (const char *const[]){"LOG_LEVEL=debug", NULL});
    assert_int_equal(it.settings.log_level, TG_LOG_DEBUG);
    assert_string_equal(it.settings.schema_dir, "/schemas");
    assert_int_equal(it.faults.num_faults, 2);
    assert_true(says(&it, ":5: LISTEN_ADRESS: there is no such setting; did you mean LISTEN_ADDRESS?"));
    assert_true(says(&it, ":3: MAX_BODY_BYTES: is more than seven eighths of MAX_INFLIGHT_BYTES"));
    done(&it);
    unlink(path);
    load(&it, path, true, (const char *const[]){NULL});
    assert_int_equal(it.faults.num_faults, 1);
    assert_true(says(&it, "cannot be read"));
    done(&it);
}

static void check_header_name_bad_bytes_are_refused(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true, (const char *const[]){"SCHEMA_HEADER_NAME=X Schema", "SERVER_NAMES=a..b,.c", NULL});
    assert_int_equal(it.faults.num_faults, 2);
    done(&it);
    char longest[24 + 70] = "SCHEMA_HEADER_NAME=";
    memset(longest + 19, 'x', 65);
    load(&it, NULL, true, (const char *const[]){longest, NULL});
    assert_int_equal(it.faults.num_faults, 1);
    done(&it);
    longest[19 + 64] = 0;
    load(&it, NULL, true, (const char *const[]){longest, NULL});
    assert_int_equal(it.faults.num_faults, 0);
    done(&it);
}

static void check_address_each_item_is_read(void **state)
{
    (void)state;
    loaded it;
    load(&it, NULL, true,
         (const char *const[]){"LISTEN_ADDRESS=vsock:any:443, tcp:[::1]:8443, unix:/run/t.sock",
                               "ADMIN_ADDRESS=tcp:127.0.0.1:9090", NULL});
    assert_int_equal(it.faults.num_faults, 0);
    assert_int_equal(it.settings.listen_addresses.num_items, 3);
    done(&it);
    load(&it, NULL, true,
         (const char *const[]){"LISTEN_ADDRESS=vsock:any:443,tcp:localhost:70000", "ADMIN_ADDRESS=9090", NULL});
    assert_int_equal(it.faults.num_faults, 2);
    assert_true(says(&it, "LISTEN_ADDRESS: \"tcp:localhost:70000\" is no address: "));
    assert_true(says(&it, "ADMIN_ADDRESS: \"9090\" is no address: "));
    done(&it);
}

static void table_each_setting_has_an_effect_line(void **state)
{
    (void)state;
    size_t num_settings;
    const tg_setting *table = tg_enclave_settings_table(&num_settings);
    for (size_t i = 0; i < num_settings; i++) {
        assert_non_null(table[i].effect);
    }
    tg_buf help;
    tg_buf_init(&help, 65536);
    assert_ok(tg_settings_append_help(table, num_settings, &help));
    assert_ok(tg_buf_append_byte(&help, 0));
    const char *text = (const char *)tg_buf_slice(&help).ptr;
    assert_non_null(strstr(text, "CLIENT_CA_PATH (M)"));
    assert_non_null(strstr(text, "SECRET_ARN (M)"));
    assert_null(strstr(text, "OTEL_EXPORTER_OTLP_ENDPOINT"));
    tg_buf_done(&help);
}

static void load_secrets_settings_that_contradict_are_refused(void **state)
{
    static const struct {
        const char *mode, *signers, *fault;
    } cases[] = {
        {"SECRETS_MODE=sealed", "SECRETS_VALUES=A_NAME", "SECRETS_SIGNERS names nobody"},
        {"SECRETS_MODE=open",
         "SECRETS_SIGNERS=BH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRFx_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
         "SECRETS_MODE is open"},
        {"SECRETS_MODE=sealed", "SECRETS_SIGNERS=AAAA", "is no public key"},
        {"SECRETS_MODE=shut", "SECRETS_VALUES=A_NAME", "SECRETS_MODE"},
        {"SECRETS_MODE=open", "SECRETS_VALUES=a-b", "is no name"},
        {"SECRETS_MODE=open", "SECRETS_DIR=relative", "absolute path"},
        {"SECRETS_MODE=open", "SECRETS_ADDRESS=nowhere", "is no address"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        loaded it;
        load(&it, NULL, true, (const char *const[]){cases[i].mode, cases[i].signers, NULL});
        if (!says(&it, cases[i].fault)) {
            fail_msg("%zu: %s", i, (const char *)tg_buf_slice(&it.text).ptr);
        }
        done(&it);
    }
}

static void load_secrets_settings_have_their_defaults(void **state)
{
    loaded it;
    (void)state;
    load(&it, NULL, true, (const char *const[]){"SECRETS_DIR=memory", NULL});
    assert_null(it.settings.secrets_address);
    assert_null(it.settings.secrets_dir);
    assert_true(it.settings.is_secrets_address_default);
    assert_int_equal(it.settings.secrets_mode, TG_SECRETS_OPEN);
    done(&it);
    load(&it, NULL, false, (const char *const[]){NULL});
    assert_string_equal(it.settings.secrets_address, "vsock:any:7777");
    assert_string_equal(it.settings.secrets_dir, "/opt/enclave/certs");
    assert_true(it.settings.is_secrets_address_default);
    done(&it);
    load(&it, NULL, false, (const char *const[]){"SECRETS_ADDRESS=off", NULL});
    assert_null(it.settings.secrets_address);
    assert_false(it.settings.is_secrets_address_default);
    done(&it);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(load_nothing_set_gives_defaults_and_asks_for_schemas),
        cmocka_unit_test(load_local_mode_needs_nothing),
        cmocka_unit_test(load_secrets_settings_that_contradict_are_refused),
        cmocka_unit_test(load_secrets_settings_have_their_defaults),
        cmocka_unit_test(load_tls_port_moves_default_addresses),
        cmocka_unit_test(load_many_faults_reports_all),
        cmocka_unit_test(load_clients_without_authority_is_a_fault),
        cmocka_unit_test(load_setting_of_another_release_is_refused),
        cmocka_unit_test(load_schemas_come_from_a_folder_or_a_bucket),
        cmocka_unit_test(load_file_is_overridden_by_environment),
        cmocka_unit_test(check_header_name_bad_bytes_are_refused),
        cmocka_unit_test(check_address_each_item_is_read),
        cmocka_unit_test(table_each_setting_has_an_effect_line),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
