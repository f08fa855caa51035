#include "aws/access.h"
#include "support/case.h"

static tg_aws_endpoint endpoint_of(tg_aws_service service, const char *url)
{
    tg_aws_endpoint endpoint;
    if (url == NULL) {
        assert_ok(tg_aws_endpoint_of(service, TG_LIT("eu-west-1"), &endpoint));
    } else {
        const char *const environment[] = {url, NULL};
        assert_ok(tg_aws_endpoint_find(service, TG_LIT("eu-west-1"), environment, &endpoint, NULL));
    }
    return endpoint;
}

static void access_carrier_each_service_has_its_forward(void **state)
{
    (void)state;
    static const struct {
        tg_aws_service service;
        const char *carrier;
    } cases[] = {
        {TG_AWS_KMS, "vsock:3:8001"}, {TG_AWS_SECRETS_MANAGER, "vsock:3:8002"},
        {TG_AWS_S3, "vsock:3:8003"},  {TG_AWS_METADATA, "vsock:3:8004"},
        {TG_AWS_STS, "vsock:3:8005"}, {TG_AWS_CONTAINER, "vsock:3:8006"},
    };
    const tg_aws_access_settings settings = {.proxy_cid = 3, .proxy_port = 8000};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char text[TG_MAX_ADDRESS_BYTES];
        tg_address carrier;
        tg_aws_endpoint endpoint = {.service = cases[i].service, .is_tls = true, .port = 443};
        assert_true(tg_aws_access_carrier(&settings, &endpoint, &carrier));
        assert_string_equal(tg_address_format(&carrier, text), cases[i].carrier);
    }
}

static void access_carrier_some_endpoints_are_dialled_themselves(void **state)
{
    (void)state;
    tg_address carrier;
    const tg_aws_access_settings forwards = {.proxy_cid = 3, .proxy_port = 8000};
    const tg_aws_access_settings direct = {.proxy_cid = 3, .proxy_port = 0};
    tg_aws_endpoint kms = endpoint_of(TG_AWS_KMS, NULL);
    tg_aws_endpoint emulator = endpoint_of(TG_AWS_KMS, "AWS_ENDPOINT_URL=http://127.0.0.1:4566");
    tg_aws_endpoint private_link = endpoint_of(TG_AWS_KMS, "AWS_ENDPOINT_URL=https://vpce-1.kms.example");
    assert_true(tg_aws_access_carrier(&forwards, &kms, &carrier));
    assert_false(tg_aws_access_carrier(&direct, &kms, &carrier));
    assert_false(tg_aws_access_carrier(&forwards, &emulator, &carrier));
    assert_true(tg_aws_access_carrier(&forwards, &private_link, &carrier));
}

static void access_new_region_comes_from_settings_or_environment(void **state)
{
    (void)state;
    tg_loop *loop;
    assert_ok(tg_loop_new(&loop));
    static const struct {
        const char *region;
        const char *variable;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"eu-west-1", "AWS_REGION=us-east-1", "eu-west-1"},
        {"", "AWS_REGION=us-east-1", "us-east-1"},
        {"", "AWS_DEFAULT_REGION=us-east-2", "us-east-2"},
        {"", "OTHER=1", NULL},
        {"", "AWS_REGION=Not A Region", NULL},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const char *const environment[] = {cases[i].variable, NULL};
        const tg_aws_access_settings settings = {.region = tg_slice_str(cases[i].region), .environment = environment};
        tg_aws_access *access = NULL;
        tg_detail detail = {.line = 0};
        tg_result result = tg_aws_access_new(loop, &settings, &access, &detail);
        assert_code(result, cases[i].expected != NULL ? TG_OK : TG_ERR_SYNTAX);
        if (cases[i].expected != NULL) {
            tg_assert_slice(tg_aws_transport_region(tg_aws_client_transport(tg_aws_access_client(access))),
                            tg_slice_str(cases[i].expected), __FILE__, __LINE__);
        } else {
            assert_string_equal(detail.field, "AWS_REGION");
            assert_true(detail.remedy[0] != 0);
        }
        tg_aws_access_free(access);
    }
    tg_loop_free(loop);
}

static void access_new_authorities_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    tg_loop *loop;
    tg_aws_access *access = NULL;
    tg_detail detail = {.line = 0};
    const char *const environment[] = {"AWS_CA_BUNDLE=/nowhere/ca.pem", NULL};
    const tg_aws_access_settings settings = {.region = TG_LIT("eu-west-1"), .environment = environment};
    assert_ok(tg_loop_new(&loop));
    assert_code(tg_aws_access_new(loop, &settings, &access, &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, "/nowhere/ca.pem");
    assert_null(access);
    tg_aws_access_free(NULL);
    tg_loop_free(loop);
}

/* What is signed, and what comes back, goes in clear over loopback alone; the sources of credentials are link-local. */
static void access_plain_endpoints_are_taken_where_they_may_be(void **state)
{
    (void)state;
    static const struct {
        tg_aws_service service;
        const char *variable;
        tg_code code;
    } cases[] = {
        {TG_AWS_KMS, "AWS_ENDPOINT_URL_KMS=http://127.0.0.1:1", TG_OK},
        {TG_AWS_KMS, "AWS_ENDPOINT_URL_KMS=https://169.254.1.1", TG_OK},
        {TG_AWS_KMS, "AWS_ENDPOINT_URL_KMS=http://169.254.1.1", TG_ERR_DENIED},
        {TG_AWS_STS, "AWS_ENDPOINT_URL_STS=http://[fd00:ec2::23]", TG_ERR_DENIED},
        {TG_AWS_S3, "AWS_ENDPOINT_URL=http://s3.example", TG_ERR_DENIED},
        {TG_AWS_METADATA, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.1.1", TG_OK},
        {TG_AWS_METADATA, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://192.0.2.1", TG_ERR_DENIED},
    };
    tg_loop *loop;
    assert_ok(tg_loop_new(&loop));
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_aws_access_settings settings = {.region = TG_LIT("eu-west-1")};
        tg_aws_endpoint endpoint = endpoint_of(cases[i].service, cases[i].variable);
        tg_aws_access *access;
        tg_http_client *client;
        assert_ok(tg_aws_access_new(loop, &settings, &access, NULL));
        tg_aws_transport *transport = tg_aws_client_transport(tg_aws_access_client(access));
        assert_code(tg_aws_transport_client(transport, &endpoint, &client), cases[i].code);
        tg_aws_access_free(access);
    }
    tg_loop_free(loop);
}

static void access_check_names_what_is_no_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        tg_code code;
        const char *field;
    } cases[] = {
        {"OTHER=1", TG_OK, ""},
        {"AWS_ENDPOINT_URL=http://localhost:4566", TG_OK, ""},
        {"AWS_ENDPOINT_URL_KMS=https://vpce-1.kms.example", TG_OK, ""},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://[fd00:ec2::254]", TG_OK, ""},
        {"AWS_ENDPOINT_URL_S3=nonsense", TG_OK, ""}, /* which is not called */
        {"AWS_ENDPOINT_URL=https://x/path", TG_ERR_UNSUPPORTED, "AWS_ENDPOINT_URL"},
        {"AWS_ENDPOINT_URL_KMS=ftp://x", TG_ERR_UNSUPPORTED, "AWS_ENDPOINT_URL_KMS"},
        {"AWS_ENDPOINT_URL_STS=https://a b", TG_ERR_SYNTAX, "AWS_ENDPOINT_URL_STS"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT=nonsense", TG_ERR_UNSUPPORTED, "AWS_EC2_METADATA_SERVICE_ENDPOINT"},
        {"AWS_ENDPOINT_URL_KMS=http://kms.example", TG_ERR_DENIED, "AWS_ENDPOINT_URL"},
    };
    static const tg_aws_service called[] = {TG_AWS_KMS};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const char *const environment[] = {cases[i].variable, NULL};
        tg_detail detail = {.line = 0};
        assert_code(tg_aws_access_check(called, 1, environment, &detail), cases[i].code);
        assert_string_equal(detail.field, cases[i].field);
        assert_true(cases[i].code == TG_OK || (detail.reason[0] != 0 && detail.remedy[0] != 0));
    }
}

static void access_plain_and_tls_of_one_name_are_two_clients(void **state)
{
    (void)state;
    const tg_aws_access_settings settings = {.region = TG_LIT("eu-west-1")};
    tg_aws_endpoint plain = endpoint_of(TG_AWS_KMS, "AWS_ENDPOINT_URL=http://localhost");
    tg_aws_endpoint tls = endpoint_of(TG_AWS_S3, "AWS_ENDPOINT_URL=https://localhost");
    tg_http_client *clients[3];
    tg_aws_access *access;
    tg_loop *loop;
    assert_string_equal(plain.authority, tls.authority);
    assert_ok(tg_loop_new(&loop));
    assert_ok(tg_aws_access_new(loop, &settings, &access, NULL));
    tg_aws_transport *transport = tg_aws_client_transport(tg_aws_access_client(access));
    assert_ok(tg_aws_transport_client(transport, &plain, &clients[0]));
    assert_ok(tg_aws_transport_client(transport, &tls, &clients[1]));
    assert_ok(tg_aws_transport_client(transport, &plain, &clients[2]));
    assert_ptr_not_equal(clients[0], clients[1]);
    assert_ptr_equal(clients[0], clients[2]);
    tg_aws_access_free(access);
    tg_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_carrier_each_service_has_its_forward),
        cmocka_unit_test(access_carrier_some_endpoints_are_dialled_themselves),
        cmocka_unit_test(access_plain_endpoints_are_taken_where_they_may_be),
        cmocka_unit_test(access_check_names_what_is_no_endpoint),
        cmocka_unit_test(access_plain_and_tls_of_one_name_are_two_clients),
        cmocka_unit_test(access_new_region_comes_from_settings_or_environment),
        cmocka_unit_test(access_new_authorities_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
