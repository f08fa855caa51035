#include "keys/guards.h"

#include "crypto/init.h"
#include "support/case.h"

#define SECRET "arn:aws:secretsmanager:eu-west-1:111122223333:secret:tee/dek-AbCdEf"
#define KEY    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static void init_key_ids_are_completed(void **state)
{
    (void)state;
    tg_key_guards guards;
    tg_detail detail = {0};
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT("1234abcd-12ab-34cd-56ef-1234567890ab"), &detail));
    assert_string_equal(guards.key_arn, KEY);
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(KEY), &detail));
    assert_string_equal(guards.key_arn, KEY);
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(""), &detail));
    assert_string_equal(guards.key_arn, "");
}

static void init_bad_names_are_faults_of_their_setting(void **state)
{
    (void)state;
    static const char *const secrets[] = {"",
                                          "tee/dek",
                                          KEY,
                                          "arn:aws:secretsmanager:eu-west-1::secret:x",
                                          "arn:aws:secretsmanager::111122223333:secret:x",
                                          "arn:aws:secretsmanager:eu-west-1:111122223333:other:x"};
    static const char *const keys[] = {"a/b", SECRET, "arn:aws:kms:eu-west-1:111122223333:alias/x",
                                       "arn:aws:kms::111122223333:key/x", "arn:aws:kms:eu-west-1::key/x"};
    tg_key_guards guards;
    for (size_t i = 0; i < TG_COUNT(secrets); i++) {
        tg_detail detail = {0};
        assert_code(tg_key_guards_init(&guards, tg_slice_str(secrets[i]), TG_LIT(""), &detail), TG_ERR_SYNTAX);
        assert_string_equal(detail.field, "SECRET_ARN");
    }
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        tg_detail detail = {0};
        assert_code(tg_key_guards_init(&guards, TG_LIT(SECRET), tg_slice_str(keys[i]), &detail), TG_ERR_SYNTAX);
        assert_string_equal(detail.field, "KMS_KEY_ID");
    }
    static const char *const unusable[] = {"alias/tee", "arn:aws:kms:eu-west-2:111122223333:key/x",
                                           "arn:aws-cn:kms:eu-west-1:111122223333:key/x"};
    for (size_t i = 0; i < TG_COUNT(unusable); i++) {
        tg_detail detail = {0};
        assert_code(tg_key_guards_init(&guards, TG_LIT(SECRET), tg_slice_str(unusable[i]), &detail),
                    TG_ERR_UNSUPPORTED);
        assert_string_equal(detail.field, "KMS_KEY_ID");
    }
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT("arn:aws:kms:eu-west-1:999999999999:key/x"), NULL));
}

static void check_key_arn_only_the_named_one_passes(void **state)
{
    (void)state;
    tg_key_guards guards;
    tg_detail detail = {0};
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(KEY), &detail));
    assert_ok(tg_key_guards_check_key_arn(&guards, TG_LIT(KEY), &detail));
    assert_code(tg_key_guards_check_key_arn(&guards, TG_LIT("arn:aws:kms:eu-west-1:111122223333:key/other"), &detail),
                TG_ERR_DENIED);
    assert_code(tg_key_guards_check_key_arn(&guards, TG_LIT(""), &detail), TG_ERR_DENIED);
    assert_code(tg_key_guards_check_key_arn(&guards, TG_LIT(SECRET), &detail), TG_ERR_DENIED);
}

static void check_key_arn_without_a_name_stays_in_the_account(void **state)
{
    (void)state;
    tg_key_guards guards;
    tg_detail detail = {0};
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(""), &detail));
    assert_ok(tg_key_guards_check_key_arn(&guards, TG_LIT("arn:aws:kms:eu-west-1:111122223333:key/any"), &detail));
    static const char *const others[] = {"arn:aws:kms:eu-west-1:999999999999:key/any",
                                         "arn:aws:kms:eu-west-2:111122223333:key/any",
                                         "arn:aws-cn:kms:eu-west-1:111122223333:key/any", SECRET};
    for (size_t i = 0; i < TG_COUNT(others); i++) {
        assert_code(tg_key_guards_check_key_arn(&guards, tg_slice_str(others[i]), &detail), TG_ERR_DENIED);
    }
}

static void check_secret_another_arn_is_denied(void **state)
{
    (void)state;
    tg_key_guards guards;
    tg_detail detail = {0};
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(""), &detail));
    assert_ok(tg_key_guards_check_secret(&guards, TG_LIT(SECRET), &detail));
    assert_code(tg_key_guards_check_secret(&guards, TG_LIT(SECRET "x"), &detail), TG_ERR_DENIED);
    assert_code(tg_key_guards_check_secret(&guards, TG_LIT(""), &detail), TG_ERR_DENIED);
}

static void check_key_only_pinned_ones_pass(void **state)
{
    (void)state;
    tg_key_guards guards;
    tg_secret *key = NULL;
    tg_detail detail = {0};
    uint8_t bytes[32];
    memset(bytes, 0xAA, sizeof bytes);
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &key));
    assert_ok(tg_key_guards_init(&guards, TG_LIT(SECRET), TG_LIT(""), &detail));
    assert_ok(tg_key_guards_check_key(&guards, key, &detail));
    assert_ok(tg_key_guards_pin(&guards, TG_LIT("00112233445566778899aabbccddeeff"), &detail));
    assert_code(tg_key_guards_check_key(&guards, key, &detail), TG_ERR_DENIED);
    assert_string_equal(detail.field, "DEK_FINGERPRINTS");
    assert_ok(tg_key_fingerprint(key, guards.fingerprints[0]));
    assert_ok(tg_key_guards_check_key(&guards, key, &detail));
    tg_secret_free(key);
}

static void pin_bad_and_too_many_are_refused(void **state)
{
    (void)state;
    tg_key_guards guards = {.num_fingerprints = 0};
    tg_detail detail = {0};
    assert_code(tg_key_guards_pin(&guards, TG_LIT("0011"), &detail), TG_ERR_SYNTAX);
    assert_code(tg_key_guards_pin(&guards, TG_LIT("0011223344556677889 aabbccddeeff"), &detail), TG_ERR_SYNTAX);
    for (int i = 0; i < TG_MAX_PINNED_KEYS; i++) {
        assert_ok(tg_key_guards_pin(&guards, TG_LIT("00112233445566778899aabbccddeeff"), &detail));
    }
    assert_code(tg_key_guards_pin(&guards, TG_LIT("00112233445566778899aabbccddeeff"), &detail), TG_ERR_LIMIT);
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(init_key_ids_are_completed),
        cmocka_unit_test(init_bad_names_are_faults_of_their_setting),
        cmocka_unit_test(check_key_arn_only_the_named_one_passes),
        cmocka_unit_test(check_key_arn_without_a_name_stays_in_the_account),
        cmocka_unit_test(check_secret_another_arn_is_denied),
        cmocka_unit_test(check_key_only_pinned_ones_pass),
        cmocka_unit_test(pin_bad_and_too_many_are_refused),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
