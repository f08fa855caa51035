#include "aws/arn.h"

#include "base/text.h"

enum { ACCOUNT_DIGITS = 12 };

bool tg_aws_is_account(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!tg_ascii_is_digit(text.ptr[i])) {
            return false;
        }
    }
    return text.len == ACCOUNT_DIGITS;
}

tg_result tg_aws_arn_parse(tg_slice text, tg_aws_arn *out_arn)
{
    if (text.len > TG_AWS_MAX_ARN_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    tg_slice scheme = tg_slice_split(&text, ':');
    tg_aws_arn arn = {.partition = tg_slice_split(&text, ':')};
    arn.service = tg_slice_split(&text, ':');
    arn.region = tg_slice_split(&text, ':');
    arn.account = tg_slice_split(&text, ':');
    arn.resource = text;
    if (!tg_slice_equal(scheme, TG_LIT("arn")) || arn.partition.len == 0 || arn.service.len == 0 ||
        arn.resource.len == 0 || (arn.account.len > 0 && !tg_aws_is_account(arn.account))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_arn = arn;
    return tg_ok();
}

bool tg_aws_key_matches(tg_slice own, tg_slice asked)
{
    tg_aws_arn arn;
    if (tg_slice_equal(own, asked)) {
        return true;
    }
    if (asked.len == 0 || !tg_is_ok(tg_aws_arn_parse(own, &arn))) {
        return false;
    }
    bool is_key = tg_slice_starts(arn.resource, TG_LIT("key/"));
    return tg_slice_equal(asked, is_key ? tg_slice_from(arn.resource, sizeof "key/" - 1) : arn.resource);
}
