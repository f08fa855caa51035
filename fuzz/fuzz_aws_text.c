// room: aws
// ARNs are put together again as they came; times and endpoints are read or refused.
#include "aws/arn.h"
#include "aws/endpoint.h"
#include "aws/time.h"
#include "base/civil_time.h"
#include "http/date.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    tg_aws_arn arn;
    uint64_t unix_s;
    if (tg_is_ok(tg_aws_arn_parse(text, &arn))) {
        size_t len = 3 + arn.partition.len + arn.service.len + arn.region.len + arn.account.len + arn.resource.len + 5;
        if (len != size || !tg_aws_key_matches(text, text)) {
            abort();
        }
    }
    if (tg_is_ok(tg_http_date_parse(text, &unix_s)) && unix_s > 253402300800) {
        abort();
    }
    if (tg_is_ok(tg_aws_time_parse_iso(text, &unix_s)) && unix_s > 253402300800) {
        abort();
    }
    tg_civil_time time;
    if (tg_is_ok(tg_civil_time_scan(text, "yyyy-nn-ddThh:mm:ssZ", &time)) && time.year > 9999) {
        abort();
    }
    tg_aws_endpoint endpoint;
    if (tg_is_ok(tg_aws_endpoint_parse(TG_AWS_KMS, text, &endpoint)) &&
        (endpoint.port == 0 || strlen(endpoint.host) == 0 || strlen(endpoint.authority) < strlen(endpoint.host))) {
        abort();
    }
    return 0;
}
