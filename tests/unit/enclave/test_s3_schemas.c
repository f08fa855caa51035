#include "enclave/s3_schemas.h"
#include "support/logged.h"
#include "unit/enclave/parts.h"

static tg_enclave_settings settings;
static tg_faults faults;
static tg_s3_schemas *schemas;

static tg_result open_with(const char *const *environment)
{
    test_settings(&settings, environment);
    tg_faults_init(&faults);
    schemas = NULL;
    return tg_s3_schemas_open(&settings, NULL, &faults, &schemas);
}

static void done(void)
{
    tg_s3_schemas_close(schemas);
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
}

static void open_without_bucket_gives_no_source(void **state)
{
    (void)state;
    assert_ok(open_with(TEST_NO_ENVIRONMENT));
    assert_null(schemas);
    assert_null(tg_s3_schemas_source(NULL));
    done();
}

static void open_names_the_bucket_and_its_folder(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        const char *name;
    } cases[] = {
        {"S3_PREFIX=", "s3://a-bucket/schemas/"},
        {"S3_PREFIX=tee/k", "s3://a-bucket/tee/k/"},
        {"S3_PREFIX=tee/", "s3://a-bucket/tee/"},
        {"S3_PREFIX=/", "s3://a-bucket/"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const char *const environment[] = {"S3_BUCKET=a-bucket", "AWS_REGION=eu-west-1", cases[i].prefix, NULL};
        assert_ok(open_with(environment));
        assert_string_equal(tg_s3_schemas_source(schemas)->name, cases[i].name);
        done();
    }
}

static void open_without_region_is_a_fault(void **state)
{
    (void)state;
    const char *const environment[] = {"S3_BUCKET=a-bucket", NULL};
    assert_code(open_with(environment), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].field, "AWS_REGION");
    assert_null(schemas);
    done();
}

static void open_region_of_the_secret_will_do(void **state)
{
    (void)state;
    static const char secret[] = "SECRET_ARN=arn:aws:secretsmanager:eu-west-1:111122223333:secret:tee-AbCdEf";
    const char *const environment[] = {"S3_BUCKET=a-bucket", secret, NULL};
    assert_ok(open_with(environment));
    assert_non_null(tg_s3_schemas_source(schemas));
    done();
    const char *const other[] = {"S3_BUCKET=a-bucket", "AWS_REGION=None Such", secret, NULL};
    assert_code(open_with(other), TG_ERR_SYNTAX); /* what is said is not passed over */
    done();
}

/* Nothing listens there: the reading fails, and says how. */
static void source_of_a_bucket_out_of_reach_says_so(void **state)
{
    (void)state;
    const char *const environment[] = {"S3_BUCKET=a-bucket",
                                       "AWS_REGION=eu-west-1",
                                       "AWS_ACCESS_KEY_ID=AKID",
                                       "AWS_SECRET_ACCESS_KEY=secret",
                                       "AWS_ENDPOINT_URL=http://127.0.0.1:1",
                                       NULL};
    assert_ok(open_with(environment));
    tg_schema_source *source = tg_s3_schemas_source(schemas);
    tg_schema_reading reading;
    assert_false(tg_is_ok(source->read(source, &faults, &reading)));
    assert_int_equal(faults.num_faults, 1);
    assert_non_null(strstr(faults.faults[0].reason, "dial: tcp:127.0.0.1:1: connect: system: Connection refused"));
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_without_bucket_gives_no_source),
        cmocka_unit_test(open_names_the_bucket_and_its_folder),
        cmocka_unit_test(open_without_region_is_a_fault),
        cmocka_unit_test(open_region_of_the_secret_will_do),
        cmocka_unit_test(source_of_a_bucket_out_of_reach_says_so),
    };
    return cmocka_run_group_tests(tests, test_crypto_set_up, NULL);
}
