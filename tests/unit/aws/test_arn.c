#include "aws/arn.h"

#include "support/case.h"

#include <stdlib.h>

static void parse_key_gives_its_parts(void **state)
{
    (void)state;
    tg_aws_arn arn;
    assert_ok(tg_aws_arn_parse(TG_LIT("arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab"), &arn));
    assert_slice(arn.partition, "aws-cn");
    assert_slice(arn.service, "kms");
    assert_slice(arn.region, "cn-north-1");
    assert_slice(arn.account, "111122223333");
    assert_slice(arn.resource, "key/1234abcd-12ab");
    assert_ok(tg_aws_arn_parse(TG_LIT("arn:aws:secretsmanager:eu-west-1:111122223333:secret:a/b-AbCdEf"), &arn));
    assert_slice(arn.resource, "secret:a/b-AbCdEf");
    assert_ok(tg_aws_arn_parse(TG_LIT("arn:aws:s3:::bucket/key"), &arn));
    assert_int_equal(arn.account.len, 0);
    assert_slice(arn.resource, "bucket/key");
}

static void parse_other_texts_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "arn",
        "arn:",
        "arn:aws:kms:r:111122223333",
        "arn:aws:kms:r:111122223333:",
        "arn::kms:r:111122223333:key/1",
        "arn:aws::r:111122223333:key/1",
        "urn:aws:kms:r:111122223333:key/1",
        "arn:aws:kms:r:11112222333:key/1",
        "arn:aws:kms:r:1111222233334:key/1",
        "arn:aws:kms:r:11112222333x:key/1",
        "arn:aws:kms:r:111122223333:key/1 ",
        "arn:aws:kms:r:111122223333:key/\xc3\xa9",
    };
    tg_aws_arn arn = {.service = TG_LIT("kept")};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_code(tg_aws_arn_parse(tg_slice_str(texts[i]), &arn), TG_ERR_SYNTAX);
    }
    assert_code(tg_aws_arn_parse(TG_LIT("arn:aws:kms:r:111122223333:key/\0"), &arn), TG_ERR_SYNTAX);
    assert_slice(arn.service, "kept");
}

static void parse_of_the_longest_succeeds_and_one_over_is_refused(void **state)
{
    (void)state;
    char *text = malloc(TG_AWS_MAX_ARN_BYTES + 1);
    assert_non_null(text);
    memset(text, 'a', TG_AWS_MAX_ARN_BYTES + 1);
    memcpy(text, "arn:aws:s3:::", 13);
    tg_aws_arn arn;
    assert_ok(tg_aws_arn_parse(tg_slice_of(text, TG_AWS_MAX_ARN_BYTES), &arn));
    assert_code(tg_aws_arn_parse(tg_slice_of(text, TG_AWS_MAX_ARN_BYTES + 1), &arn), TG_ERR_LIMIT);
    free(text);
}

static void key_matches_its_own_spellings_only(void **state)
{
    (void)state;
    tg_slice key = TG_LIT("arn:aws:kms:eu-west-1:111122223333:key/1234abcd");
    assert_true(tg_aws_key_matches(key, key));
    assert_true(tg_aws_key_matches(key, TG_LIT("1234abcd")));
    assert_false(tg_aws_key_matches(key, TG_LIT("key/1234abcd")));
    assert_false(tg_aws_key_matches(key, TG_LIT("")));
    assert_false(tg_aws_key_matches(key, TG_LIT("1234ABCD")));
    assert_false(tg_aws_key_matches(key, TG_LIT("arn:aws:kms:eu-west-2:111122223333:key/1234abcd")));
    tg_slice alias = TG_LIT("arn:aws:kms:eu-west-1:111122223333:alias/tee");
    assert_true(tg_aws_key_matches(alias, TG_LIT("alias/tee")));
    assert_false(tg_aws_key_matches(alias, TG_LIT("tee")));
    assert_true(tg_aws_key_matches(TG_LIT("1234abcd"), TG_LIT("1234abcd")));
    assert_false(tg_aws_key_matches(TG_LIT("1234abcd"), TG_LIT("1234abce")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_key_gives_its_parts),
        cmocka_unit_test(parse_other_texts_is_refused),
        cmocka_unit_test(parse_of_the_longest_succeeds_and_one_over_is_refused),
        cmocka_unit_test(key_matches_its_own_spellings_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
