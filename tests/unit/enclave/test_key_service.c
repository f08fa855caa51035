#include "enclave/key_service.h"

#include "sys/metric.h"
#include "unit/enclave/parts.h"

#include <stdio.h>
#include <time.h>

#define SECRET_ARN "SECRET_ARN=arn:aws:secretsmanager:eu-west-1:111122223333:secret:tee-AbCdEf"

/* Settings as they are, faults and all. */
static size_t load(tg_enclave_settings *settings, const char *const *environment, char *out_field, size_t size,
                   char *out_reason, size_t reason_size)
{
    const tg_enclave_settings_source source = {.environment = environment, .is_local_mode = true};
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_enclave_settings_load(settings, &source, &faults));
    size_t num_faults = faults.num_faults;
    snprintf(out_field, size, "%s", num_faults > 0 ? faults.faults[0].field : "");
    snprintf(out_reason, reason_size, "%s", num_faults > 0 ? faults.faults[0].reason : "");
    tg_faults_done(&faults);
    return num_faults;
}

static void settings_check_names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *environment[4];
        const char *field, *reason;
    } cases[] = {
        {{"SECRET_ARN=tee/dek"}, "SECRET_ARN", "no ARN"},
        {{SECRET_ARN, "KMS_KEY_ID=alias/tee"}, "KMS_KEY_ID", "an alias"},
        {{SECRET_ARN, "DEK_FINGERPRINTS=00"}, "DEK_FINGERPRINTS", "32 hexadecimal"},
        {{SECRET_ARN, "KMS_ENCRYPTION_CONTEXT=app"}, "KMS_ENCRYPTION_CONTEXT", "NAME=VALUE"},
        {{SECRET_ARN, "KMS_ENCRYPTION_CONTEXT==tee"}, "KMS_ENCRYPTION_CONTEXT", "NAME=VALUE"},
        {{SECRET_ARN, "DEK_FILE=/dek"}, "DEK_FILE", "one place"},
        {{SECRET_ARN, "AWS_ENDPOINT_URL_KMS=https://x/path"}, "AWS_ENDPOINT_URL_KMS", "is no endpoint"},
        {{SECRET_ARN, "AWS_ENDPOINT_URL=http://x.example"}, "AWS_ENDPOINT_URL", "not on loopback"},
        {{"KMS_KEY_ID=k"}, "KMS_KEY_ID", "SECRET_ARN is not"},
        {{"DEK_FINGERPRINTS=00112233445566778899aabbccddeeff"}, "DEK_FINGERPRINTS", "SECRET_ARN is not"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_enclave_settings settings;
        char field[192], reason[256];
        assert_int_equal(load(&settings, cases[i].environment, field, sizeof field, reason, sizeof reason), 1);
        assert_string_equal(field, cases[i].field);
        assert_non_null(strstr(reason, cases[i].reason));
        tg_enclave_settings_done(&settings);
    }
    tg_enclave_settings settings;
    test_settings(&settings, (const char *const[]){SECRET_ARN, "KMS_KEY_ID=k", "KMS_ENCRYPTION_CONTEXT=app=tee,b=",
                                                   "DEK_FINGERPRINTS=00112233445566778899aabbccddeeff", NULL});
    tg_enclave_settings_done(&settings);
}

static void new_without_a_device_is_a_fault(void **state)
{
    (void)state;
    tg_enclave_settings settings;
    tg_publisher *publisher = NULL;
    tg_key_service *service = NULL;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_publisher_new(&publisher));
    test_settings(&settings, (const char *const[]){SECRET_ARN, NULL});
    assert_code(tg_key_service_new(&settings, NULL, publisher, &faults, &service), TG_ERR_NOT_FOUND);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].field, "SECRET_ARN");
    assert_null(service);
    tg_key_service_free(service);
    tg_key_service_ask(NULL);
    tg_key_service_now(NULL);
    tg_faults_done(&faults);
    tg_publisher_free(publisher);
    tg_enclave_settings_done(&settings);
}

/* The first child of a family; NULL before it is there. */
static const tg_metric *find_metric(const char *name)
{
    for (tg_metric_family *family = tg_metric_next_family(NULL); family != NULL;
         family = tg_metric_next_family(family)) {
        if (strcmp(family->name, name) == 0) {
            return tg_metric_next_child(family, NULL);
        }
    }
    return NULL;
}

/* How many readings failed before anything was answered. */
static uint64_t num_failed(void)
{
    const tg_metric *failures = find_metric("teegate_dek_reading_failures_total");
    return failures != NULL ? tg_metric_counter(failures) : 0;
}

static void wait_failed(uint64_t num)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; num_failed() < num; i++) {
        assert_in_range(i, 0, 12000);
        nanosleep(&pause, NULL);
    }
}

/* Nobody listens on port 1: the service counts, keeps trying, and ends when it is told. */
static void service_without_aws_counts_and_goes_on(void **state)
{
    (void)state;
    static const char *const environment[] = {SECRET_ARN,
                                              "AWS_ENDPOINT_URL=http://127.0.0.1:1",
                                              "AWS_ACCESS_KEY_ID=AKIAEXAMPLE",
                                              "AWS_SECRET_ACCESS_KEY=example",
                                              "KMS_ENCRYPTION_CONTEXT=app=tee",
                                              NULL};
    tg_enclave_settings settings;
    tg_attestation *attestation = NULL;
    tg_publisher *publisher = NULL;
    tg_key_service *service = NULL;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_publisher_new(&publisher));
    test_settings(&settings, environment);
    assert_ok(tg_attestation_open(&settings, &faults, &attestation));
    assert_ok(tg_key_service_new(&settings, attestation, publisher, &faults, &service));
    assert_int_equal(faults.num_faults, 0);
    assert_ok(tg_key_service_start(service));
    wait_failed(1);
    tg_key_service_ask(service);
    tg_key_service_now(service);
    wait_failed(2);
    tg_metric_collect();
    assert_int_equal(tg_metric_gauge(find_metric("teegate_dek_reading_age_seconds")), -1);
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_null(tg_snapshot_ring(snapshot));
    tg_snapshot_unref(snapshot);
    tg_key_service_free(service);
    tg_attestation_close(attestation);
    tg_publisher_free(publisher);
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(settings_check_names_what_is_wrong),
        cmocka_unit_test(new_without_a_device_is_a_fault),
        cmocka_unit_test(service_without_aws_counts_and_goes_on),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
