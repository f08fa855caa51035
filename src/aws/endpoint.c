#include "aws/endpoint.h"

#include "base/num.h"
#include "base/text.h"
#include "http/target.h"
#include "sys/environment.h"

#include <stdio.h>

enum { HTTPS_PORT = 443, HTTP_PORT = 80, MIN_BUCKET_BYTES = 3 };

typedef struct partition {
    const char *prefix; /* of its regions */
    const char *name;
    const char *suffix; /* of its endpoints */
} partition;

/* The longer prefix first. */
static const partition partitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn"},      {"us-gov-", "aws-us-gov", "amazonaws.com"},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov"}, {"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
    {"us-iso-", "aws-iso", "c2s.ic.gov"},       {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"},
    {"eusc-", "aws-eusc", "amazonaws.eu"},      {"", "aws", "amazonaws.com"},
};

typedef struct service_facts {
    const char *name;
    const char *variable; /* of a custom endpoint */
    const char *fixed;    /* without a region */
} service_facts;

static const service_facts services[TG_AWS_NUM_SERVICES] = {
    [TG_AWS_KMS] = {"kms", "AWS_ENDPOINT_URL_KMS", NULL},
    [TG_AWS_SECRETS_MANAGER] = {"secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER", NULL},
    [TG_AWS_S3] = {"s3", "AWS_ENDPOINT_URL_S3", NULL},
    [TG_AWS_STS] = {"sts", "AWS_ENDPOINT_URL_STS", NULL},
    [TG_AWS_METADATA] = {"metadata", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254"},
    [TG_AWS_CONTAINER] = {"container", NULL, "http://169.254.170.2"},
};

const char *tg_aws_service_name(tg_aws_service service)
{
    return services[service].name;
}

bool tg_aws_region_is_valid(tg_slice region)
{
    for (size_t i = 0; i < region.len; i++) {
        uint8_t c = region.ptr[i];
        bool is_inner_hyphen = c == '-' && i > 0 && i + 1 < region.len;
        if (!(c >= 'a' && c <= 'z') && !tg_ascii_is_digit(c) && !is_inner_hyphen) {
            return false;
        }
    }
    return region.len > 0 && region.len <= TG_AWS_MAX_REGION_BYTES;
}

static const partition *partition_of(tg_slice region)
{
    size_t i = 0;
    while (!tg_slice_starts(region, tg_slice_str(partitions[i].prefix))) {
        i++;
    }
    return &partitions[i];
}

const char *tg_aws_partition_of(tg_slice region)
{
    return partition_of(region)->name;
}

bool tg_aws_bucket_is_valid(tg_slice bucket)
{
    for (size_t i = 0; i < bucket.len; i++) {
        uint8_t c = bucket.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || tg_ascii_is_digit(c);
        bool is_inner = i > 0 && i + 1 < bucket.len && (c == '-' || (c == '.' && bucket.ptr[i - 1] != '.'));
        if (!is_alnum && !is_inner) {
            return false;
        }
    }
    return bucket.len >= MIN_BUCKET_BYTES && bucket.len <= TG_AWS_MAX_BUCKET_BYTES;
}

static void set_authority(tg_aws_endpoint *endpoint, bool is_ipv6)
{
    const char *open = is_ipv6 ? "[" : "", *close = is_ipv6 ? "]" : "";
    if (endpoint->port == (endpoint->is_tls ? HTTPS_PORT : HTTP_PORT)) {
        snprintf(endpoint->authority, sizeof endpoint->authority, "%s%s%s", open, endpoint->host, close);
    } else {
        snprintf(endpoint->authority, sizeof endpoint->authority, "%s%s%s:%u", open, endpoint->host, close,
                 (unsigned)endpoint->port);
    }
}

tg_result tg_aws_endpoint_of(tg_aws_service service, tg_slice region, tg_aws_endpoint *out_endpoint)
{
    if (services[service].fixed != NULL) {
        TG_TRY(tg_aws_endpoint_parse(service, tg_slice_str(services[service].fixed), out_endpoint));
        out_endpoint->is_custom = false;
        return tg_ok();
    }
    if (!tg_aws_region_is_valid(region)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_aws_endpoint endpoint = {.service = service, .is_tls = true, .port = HTTPS_PORT};
    snprintf(endpoint.host, sizeof endpoint.host, "%s.%.*s.%s", services[service].name, (int)region.len,
             (const char *)region.ptr, partition_of(region)->suffix);
    set_authority(&endpoint, false);
    *out_endpoint = endpoint;
    return tg_ok();
}

tg_result tg_aws_endpoint_parse(tg_aws_service service, tg_slice url, tg_aws_endpoint *out_endpoint)
{
    tg_aws_endpoint endpoint = {.service = service, .is_custom = true};
    if (tg_slice_starts(url, TG_LIT("https://"))) {
        endpoint.is_tls = true;
        url = tg_slice_from(url, sizeof "https://" - 1);
    } else if (tg_slice_starts(url, TG_LIT("http://"))) {
        url = tg_slice_from(url, sizeof "http://" - 1);
    } else {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    size_t end = tg_slice_find(url, '/');
    if (url.len > end + 1) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    tg_http_authority authority;
    TG_TRY(tg_http_authority_parse(tg_slice_first(url, end), &authority));
    memcpy(endpoint.host, authority.host.ptr, authority.host.len); /* at most TG_HTTP_MAX_HOST_BYTES */
    endpoint.port = authority.port > 0 ? (uint16_t)authority.port : endpoint.is_tls ? HTTPS_PORT : HTTP_PORT;
    set_authority(&endpoint, authority.is_ipv6);
    *out_endpoint = endpoint;
    return tg_ok();
}

static const char *value_of(const char *const *environment, const char *name)
{
    const char *value = name != NULL ? tg_environment_get(environment, name) : NULL;
    return value != NULL && value[0] != 0 ? value : NULL;
}

tg_result tg_aws_endpoint_find(tg_aws_service service, tg_slice region, const char *const *environment,
                               tg_aws_endpoint *out_endpoint, tg_detail *detail)
{
    const char *variable = services[service].variable;
    const char *url = value_of(environment, variable);
    if (url == NULL && services[service].fixed == NULL) {
        variable = "AWS_ENDPOINT_URL";
        url = value_of(environment, variable);
    }
    if (url != NULL) {
        tg_result result = tg_aws_endpoint_parse(service, tg_slice_str(url), out_endpoint);
        if (!tg_is_ok(result)) {
            tg_detail_set_place(detail, TG_LIT(""), 0, tg_slice_str(variable));
            tg_detail_set_reason(detail, "%s is no endpoint", url);
            tg_detail_set_remedy(detail, "write it as https://HOST:PORT, without a path");
        }
        return result;
    }
    tg_result result = tg_aws_endpoint_of(service, region, out_endpoint);
    if (!tg_is_ok(result)) {
        tg_detail_set_place(detail, TG_LIT(""), 0, TG_LIT("AWS_REGION"));
        tg_detail_set_reason(detail, "no region is known");
        tg_detail_set_remedy(detail, "set AWS_REGION, for example eu-west-1");
    }
    return result;
}

bool tg_aws_endpoint_of_bucket(tg_aws_endpoint *endpoint, tg_slice bucket)
{
    char host[TG_AWS_MAX_HOST_BYTES + 1];
    bool has_dot = tg_slice_find(bucket, '.') < bucket.len;
    if (endpoint->is_custom || has_dot || !tg_aws_bucket_is_valid(bucket)) {
        return false;
    }
    int len = snprintf(host, sizeof host, "%.*s.%s", (int)bucket.len, (const char *)bucket.ptr, endpoint->host);
    memcpy(endpoint->host, host, (size_t)len + 1); /* both are far below the maximum */
    set_authority(endpoint, false);
    return true;
}
