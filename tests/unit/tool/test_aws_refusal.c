#include "tool/aws_refusal.h"

#include "support/case.h"

static void aws_refusal_read_line_of_the_cli(void **state)
{
    (void)state;
    tg_aws_refusal refusal;
    assert_true(tg_aws_refusal_read(
        TG_LIT("An error occurred (AccessDeniedException) when calling the Decrypt operation: User: "
               "arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:Decrypt on resource: "
               "arn:aws:kms:eu-west-1:1:key/k because no identity-based policy allows the kms:Decrypt action"),
        &refusal));
    assert_slice(refusal.code, "AccessDeniedException");
    assert_slice(refusal.principal, "arn:aws:sts::1:assumed-role/r/s");
    assert_slice(refusal.action, "kms:Decrypt");
    assert_slice(refusal.resource, "arn:aws:kms:eu-west-1:1:key/k");
    assert_true(refusal.is_by_identity);
    assert_false(refusal.is_explicit_deny);
}

static void aws_refusal_read_json_with_explicit_deny(void **state)
{
    (void)state;
    tg_aws_refusal refusal;
    assert_true(
        tg_aws_refusal_read(TG_LIT("{\"__type\":\"AccessDeniedException\",\"Message\":\"User: arn:x is not "
                                   "authorized to perform: kms:Decrypt on resource: arn:y with an explicit deny "
                                   "in a resource-based policy\"}"),
                            &refusal));
    assert_slice(refusal.principal, "arn:x");
    assert_slice(refusal.resource, "arn:y");
    assert_true(refusal.is_explicit_deny);
    assert_false(refusal.is_by_identity);
}

static void aws_refusal_read_first_code_as_a_word(void **state)
{
    (void)state;
    tg_aws_refusal refusal = {.meaning = "untouched"};
    assert_false(tg_aws_refusal_read(TG_LIT(""), &refusal));
    assert_false(tg_aws_refusal_read(TG_LIT("MyNotFoundException2"), &refusal));
    assert_string_equal(refusal.meaning, "untouched");
    assert_true(tg_aws_refusal_read(TG_LIT("ThrottlingException, then NotFoundException"), &refusal));
    assert_slice(refusal.code, "ThrottlingException");
    assert_int_equal(refusal.principal.len, 0);
    assert_true(tg_aws_refusal_read(TG_LIT("InvalidCiphertextException User: "), &refusal));
    assert_int_equal(refusal.principal.len, 0);
    assert_true(tg_aws_refusal_read(TG_LIT("x\0\"DisabledException\"User: a\0b"), &refusal));
    assert_slice(refusal.principal, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aws_refusal_read_line_of_the_cli),
        cmocka_unit_test(aws_refusal_read_json_with_explicit_deny),
        cmocka_unit_test(aws_refusal_read_first_code_as_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
