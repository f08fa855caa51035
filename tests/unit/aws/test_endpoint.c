#include "aws/endpoint.h"

#include "support/case.h"

#include <stdio.h>

static void endpoint_of_each_partition_has_its_suffix(void **state)
{
    (void)state;
    static const struct {
        const char *region, *host, *partition;
    } regions[] = {
        {"eu-west-1", "kms.eu-west-1.amazonaws.com", "aws"},
        {"us-east-1", "kms.us-east-1.amazonaws.com", "aws"},
        {"cn-north-1", "kms.cn-north-1.amazonaws.com.cn", "aws-cn"},
        {"us-gov-west-1", "kms.us-gov-west-1.amazonaws.com", "aws-us-gov"},
        {"us-iso-east-1", "kms.us-iso-east-1.c2s.ic.gov", "aws-iso"},
        {"us-isob-east-1", "kms.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b"},
        {"eu-isoe-west-1", "kms.eu-isoe-west-1.cloud.adc-e.uk", "aws-iso-e"},
        {"us-isof-south-1", "kms.us-isof-south-1.csp.hci.ic.gov", "aws-iso-f"},
        {"eusc-de-east-1", "kms.eusc-de-east-1.amazonaws.eu", "aws-eusc"},
    };
    for (size_t i = 0; i < TG_COUNT(regions); i++) {
        tg_aws_endpoint endpoint;
        assert_ok(tg_aws_endpoint_of(TG_AWS_KMS, tg_slice_str(regions[i].region), &endpoint));
        assert_string_equal(endpoint.host, regions[i].host);
        assert_string_equal(endpoint.authority, regions[i].host);
        assert_true(endpoint.is_tls && !endpoint.is_custom && endpoint.port == 443);
        assert_string_equal(tg_aws_partition_of(tg_slice_str(regions[i].region)), regions[i].partition);
    }
}

static void endpoint_of_each_service_begins_with_its_name(void **state)
{
    (void)state;
    static const char *const hosts[TG_AWS_NUM_SERVICES] = {
        "kms.eu-west-1.amazonaws.com",
        "secretsmanager.eu-west-1.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
        "sts.eu-west-1.amazonaws.com",
        "169.254.169.254",
        "169.254.170.2",
    };
    for (unsigned i = 0; i < TG_AWS_NUM_SERVICES; i++) {
        tg_aws_endpoint endpoint;
        assert_ok(tg_aws_endpoint_of((tg_aws_service)i, TG_LIT("eu-west-1"), &endpoint));
        assert_string_equal(endpoint.host, hosts[i]);
        assert_int_equal(endpoint.is_tls, i < TG_AWS_METADATA);
        assert_false(endpoint.is_custom);
        assert_true(strlen(tg_aws_service_name((tg_aws_service)i)) > 1);
    }
}

static void region_of_other_texts_is_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "eu_west", "-eu", "eu-", "EU-WEST-1", "eu west", "eu.west", "a/b"};
    char longest[TG_AWS_MAX_REGION_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        tg_aws_endpoint endpoint;
        assert_false(tg_aws_region_is_valid(tg_slice_str(texts[i])));
        assert_code(tg_aws_endpoint_of(TG_AWS_KMS, tg_slice_str(texts[i]), &endpoint), TG_ERR_SYNTAX);
    }
    assert_true(tg_aws_region_is_valid(tg_slice_of(longest, TG_AWS_MAX_REGION_BYTES)));
    assert_false(tg_aws_region_is_valid(tg_slice_of(longest, TG_AWS_MAX_REGION_BYTES + 1)));
}

static void bucket_names_follow_the_rules_of_s3(void **state)
{
    (void)state;
    assert_true(tg_aws_bucket_is_valid(TG_LIT("abc")));
    assert_true(tg_aws_bucket_is_valid(TG_LIT("my.bucket-1")));
    static const char *const texts[] = {"", "ab", "Abc", "-abc", "abc-", "a..b", ".abc", "abc.", "a_b", "a/b"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_false(tg_aws_bucket_is_valid(tg_slice_str(texts[i])));
    }
    char longest[TG_AWS_MAX_BUCKET_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(tg_aws_bucket_is_valid(tg_slice_of(longest, TG_AWS_MAX_BUCKET_BYTES)));
    assert_false(tg_aws_bucket_is_valid(tg_slice_of(longest, TG_AWS_MAX_BUCKET_BYTES + 1)));
}

static void parse_urls_gives_host_port_and_authority(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *authority;
        unsigned port;
        bool is_tls;
    } urls[] = {
        {"https://kms.example.org", "kms.example.org", "kms.example.org", 443, true},
        {"https://kms.example.org/", "kms.example.org", "kms.example.org", 443, true},
        {"https://kms.example.org:443", "kms.example.org", "kms.example.org", 443, true},
        {"http://localhost:4566", "localhost", "localhost:4566", 4566, false},
        {"http://127.0.0.1", "127.0.0.1", "127.0.0.1", 80, false},
        {"http://[::1]:8080/", "::1", "[::1]:8080", 8080, false},
        {"https://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", 443, true},
    };
    for (size_t i = 0; i < TG_COUNT(urls); i++) {
        tg_aws_endpoint endpoint;
        assert_ok(tg_aws_endpoint_parse(TG_AWS_S3, tg_slice_str(urls[i].url), &endpoint));
        assert_string_equal(endpoint.host, urls[i].host);
        assert_string_equal(endpoint.authority, urls[i].authority);
        assert_int_equal(endpoint.port, urls[i].port);
        assert_int_equal(endpoint.is_tls, urls[i].is_tls);
        assert_true(endpoint.is_custom);
    }
}

static void parse_other_urls_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",           "kms.example.org", "ftp://a",     "https://",       "https:///",
                                        "http://a/b", "http://a?b",      "http://a:0",  "http://a:65536", "http://u@a",
                                        "http://a b", "HTTP://a",        "http://[::1", "http://a#f"};
    tg_aws_endpoint endpoint = {.port = 7};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_false(tg_is_ok(tg_aws_endpoint_parse(TG_AWS_KMS, tg_slice_str(texts[i]), &endpoint)));
    }
    assert_int_equal(endpoint.port, 7);
}

static void find_takes_the_service_s_variable_before_the_general_one(void **state)
{
    (void)state;
    const char *const environment[] = {"AWS_ENDPOINT_URL=http://all:1", "AWS_ENDPOINT_URL_KMS=http://kms:2",
                                       "AWS_ENDPOINT_URL_S3=", NULL};
    tg_aws_endpoint endpoint;
    tg_detail detail;
    tg_detail_clear(&detail);
    assert_ok(tg_aws_endpoint_find(TG_AWS_KMS, TG_LIT(""), environment, &endpoint, &detail));
    assert_string_equal(endpoint.authority, "kms:2");
    assert_ok(tg_aws_endpoint_find(TG_AWS_S3, TG_LIT(""), environment, &endpoint, &detail));
    assert_string_equal(endpoint.authority, "all:1");
    assert_ok(tg_aws_endpoint_find(TG_AWS_METADATA, TG_LIT(""), environment, &endpoint, &detail));
    assert_string_equal(endpoint.authority, "169.254.169.254");
    assert_ok(tg_aws_endpoint_find(TG_AWS_STS, TG_LIT("eu-west-1"), NULL, &endpoint, &detail));
    assert_string_equal(endpoint.host, "sts.eu-west-1.amazonaws.com");
    assert_code(tg_aws_endpoint_find(TG_AWS_STS, TG_LIT(""), NULL, &endpoint, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.field, "AWS_REGION");
    const char *const bad[] = {"AWS_ENDPOINT_URL=http://a/path", NULL};
    assert_code(tg_aws_endpoint_find(TG_AWS_STS, TG_LIT(""), bad, &endpoint, &detail), TG_ERR_UNSUPPORTED);
    assert_string_equal(detail.field, "AWS_ENDPOINT_URL");
}

static void endpoint_of_bucket_is_its_host_unless_it_must_be_in_the_path(void **state)
{
    (void)state;
    tg_aws_endpoint endpoint, custom;
    assert_ok(tg_aws_endpoint_of(TG_AWS_S3, TG_LIT("eu-west-1"), &endpoint));
    assert_false(tg_aws_endpoint_of_bucket(&endpoint, TG_LIT("with.dot")));
    assert_false(tg_aws_endpoint_of_bucket(&endpoint, TG_LIT("Upper")));
    assert_true(tg_aws_endpoint_of_bucket(&endpoint, TG_LIT("specs")));
    assert_string_equal(endpoint.host, "specs.s3.eu-west-1.amazonaws.com");
    assert_string_equal(endpoint.authority, "specs.s3.eu-west-1.amazonaws.com");
    assert_ok(tg_aws_endpoint_parse(TG_AWS_S3, TG_LIT("http://localhost:1"), &custom));
    assert_false(tg_aws_endpoint_of_bucket(&custom, TG_LIT("specs")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoint_of_each_partition_has_its_suffix),
        cmocka_unit_test(endpoint_of_each_service_begins_with_its_name),
        cmocka_unit_test(region_of_other_texts_is_invalid),
        cmocka_unit_test(bucket_names_follow_the_rules_of_s3),
        cmocka_unit_test(parse_urls_gives_host_port_and_authority),
        cmocka_unit_test(parse_other_urls_is_refused),
        cmocka_unit_test(find_takes_the_service_s_variable_before_the_general_one),
        cmocka_unit_test(endpoint_of_bucket_is_its_host_unless_it_must_be_in_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
