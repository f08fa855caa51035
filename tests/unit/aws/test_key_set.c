#include "aws/key_set.h"

#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void assert_set(const tg_aws_key_set *set, const char *id, const char *secret, const char *token,
                       uint64_t expires)
{
    tg_assert_slice(set->keys.access_key_id, tg_slice_str(id), __FILE__, __LINE__);
    tg_assert_slice(set->keys.secret_access_key, tg_slice_str(secret), __FILE__, __LINE__);
    tg_assert_slice(set->keys.session_token, tg_slice_str(token), __FILE__, __LINE__);
    assert_int_equal(set->expires_unix_s, expires);
}

static void new_copies_and_counts_references(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    assert_ok(tg_aws_key_set_new(&(tg_aws_keys){TG_LIT("id"), TG_LIT("secret"), TG_LIT("token")}, 7, &set));
    assert_set(set, "id", "secret", "token", 7);
    assert_ptr_equal(tg_aws_key_set_ref(set), set);
    tg_aws_key_set_unref(set);
    assert_set(set, "id", "secret", "token", 7);
    tg_aws_key_set_unref(set);
    tg_aws_key_set_unref(NULL);
}

/* Whether the mapping that holds the address is a secret's, which is left out of dumps (proc(5), VmFlags); sanitizers
 * make locking a thing of nothing. */
static bool is_in_a_secret(const void *address)
{
    char line[512];
    bool is_it = false, is_found = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long from, until;
        if (sscanf(line, "%lx-%lx ", &from, &until) == 2) {
            is_it = (uintptr_t)address >= from && (uintptr_t)address < until;
        } else if (is_it && strncmp(line, "VmFlags:", 8) == 0) {
            is_found = strstr(line, " dd") != NULL;
        }
    }
    fclose(file);
    return is_found;
}

static void new_keeps_keys_in_locked_memory_where_it_can(void **state)
{
    (void)state;
    const tg_aws_keys keys = {TG_LIT("id"), TG_LIT("secret"), TG_LIT("token")};
    tg_aws_key_set *set;
    struct rlimit before;
    assert_ok(tg_aws_key_set_new(&keys, 7, &set));
    assert_true(is_in_a_secret(set->keys.secret_access_key.ptr));
    assert_true(is_in_a_secret(set->keys.session_token.ptr));
    tg_aws_key_set_unref(set);
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    const struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0); /* root may lock all the same */
    assert_ok(tg_aws_key_set_new(&keys, 7, &set));
    assert_set(set, "id", "secret", "token", 7);
    tg_aws_key_set_unref(set);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

static void new_of_bad_or_long_keys_is_refused(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    uint8_t *text = malloc(TG_AWS_MAX_TOKEN_BYTES + 1);
    assert_non_null(text);
    memset(text, 'a', TG_AWS_MAX_TOKEN_BYTES + 1);
    tg_slice good = TG_LIT("a");
    const tg_aws_keys bad[] = {
        {TG_LIT(""), good, good},    {good, TG_LIT(""), good},   {TG_LIT("a b"), good, good},
        {good, TG_LIT("a\n"), good}, {good, good, TG_LIT("\0")}, {good, good, TG_LIT("\xc3\xa9")},
    };
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_aws_key_set_new(&bad[i], 0, &set), TG_ERR_SYNTAX);
    }
    for (size_t over = 0; over < 2; over++) {
        const tg_aws_keys keys[] = {{tg_slice_of(text, TG_AWS_MAX_KEY_ID_BYTES + over), good, good},
                                    {good, tg_slice_of(text, TG_AWS_MAX_SECRET_KEY_BYTES + over), good},
                                    {good, good, tg_slice_of(text, TG_AWS_MAX_TOKEN_BYTES + over)}};
        for (size_t i = 0; i < TG_COUNT(keys); i++) {
            tg_result result = tg_aws_key_set_new(&keys[i], 0, &set);
            assert_code(result, over > 0 ? TG_ERR_LIMIT : TG_OK);
            if (over == 0) {
                tg_aws_key_set_unref(set);
            }
        }
    }
    free(text);
}

static void parse_documents_gives_their_keys(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    assert_ok(tg_aws_key_set_parse_json(TG_LIT("{\"Code\":\"Success\",\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"s\","
                                               "\"Token\":\"t\",\"Expiration\":\"2026-11-21T08:00:00Z\"}"),
                                        &set));
    assert_set(set, "id", "s", "t", 1795248000);
    tg_aws_key_set_unref(set);
    assert_ok(tg_aws_key_set_parse_json(TG_LIT("{\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"s\"}"), &set));
    assert_set(set, "id", "s", "", 0);
    tg_aws_key_set_unref(set);
    assert_code(tg_aws_key_set_parse_json(TG_LIT("{\"Code\":\"AssumeRoleUnauthorizedAccess\"}"), &set), TG_ERR_DENIED);
    static const char *const bad[] = {"", "{}", "{\"AccessKeyId\":\"id\"}",
                                      "{\"AccessKeyId\":\"id\",\"SecretAccessKey\":7}",
                                      "{\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_aws_key_set_parse_json(tg_slice_str(bad[i]), &set), TG_ERR_SYNTAX);
    }
}

#define STS(inner)                                                                                                     \
    "<AssumeRoleWithWebIdentityResponse xmlns=\"x\"><AssumeRoleWithWebIdentityResult><Audience>a</Audience>"           \
    "<Credentials>" inner "</Credentials></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>1</RequestId>" \
    "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>"

static void parse_answer_of_sts_gives_its_keys(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    assert_ok(tg_aws_key_set_parse_sts(
        TG_LIT(STS("<SessionToken>t+/=</SessionToken><SecretAccessKey>s</SecretAccessKey>"
                   "<Expiration>2026-11-21T08:00:00Z</Expiration><AccessKeyId>id</AccessKeyId>")),
        &set));
    assert_set(set, "id", "s", "t+/=", 1795248000);
    tg_aws_key_set_unref(set);
    static const char *const bad[] = {
        "",
        "<Other/>",
        STS("<AccessKeyId>id</AccessKeyId>"),
        STS("<AccessKeyId>id</AccessKeyId><AccessKeyId>id</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"),
        STS("<AccessKeyId>id</AccessKeyId><SecretAccessKey>s</SecretAccessKey><Expiration>x</Expiration>"),
    };
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_aws_key_set_parse_sts(tg_slice_str(bad[i]), &set), TG_ERR_SYNTAX);
    }
}

static const char file[] = "# comment\r\n; another\n[default]\naws_access_key_id = id0\naws_secret_access_key=s0\n\n"
                           "[ tee ]\r\naws_access_key_id=id1\r\naws_secret_access_key = s=1/+\r\n"
                           "aws_session_token=t1\nregion = x\ns3 =\n  max = 3\n[profile p]\naws_access_key_id=id2\n"
                           "aws_secret_access_key=s2\n[half]\naws_access_key_id=id3\n[empty]\nregion=y\n";

static void parse_profile_gives_its_section(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    assert_ok(tg_aws_key_set_parse_profile(tg_slice_str(file), TG_LIT("default"), false, &set));
    assert_set(set, "id0", "s0", "", 0);
    tg_aws_key_set_unref(set);
    assert_ok(tg_aws_key_set_parse_profile(tg_slice_str(file), TG_LIT("tee"), false, &set));
    assert_set(set, "id1", "s=1/+", "t1", 0);
    tg_aws_key_set_unref(set);
    assert_ok(tg_aws_key_set_parse_profile(tg_slice_str(file), TG_LIT("p"), true, &set));
    assert_set(set, "id2", "s2", "", 0);
    tg_aws_key_set_unref(set);
    assert_ok(tg_aws_key_set_parse_profile(tg_slice_str(file), TG_LIT("default"), true, &set));
    assert_set(set, "id0", "s0", "", 0);
    tg_aws_key_set_unref(set);
}

static void parse_profile_of_others_is_refused(void **state)
{
    (void)state;
    tg_aws_key_set *set;
    tg_slice text = tg_slice_str(file);
    assert_code(tg_aws_key_set_parse_profile(text, TG_LIT("tee"), true, &set), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_key_set_parse_profile(text, TG_LIT("p"), false, &set), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_key_set_parse_profile(text, TG_LIT("empty"), false, &set), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_key_set_parse_profile(text, TG_LIT(""), false, &set), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_key_set_parse_profile(TG_LIT(""), TG_LIT("default"), false, &set), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_key_set_parse_profile(text, TG_LIT("half"), false, &set), TG_ERR_SYNTAX);
    static const char *const bad[] = {"[default\n", "[", "[default]\nnonsense\n", "[default]\n=x\n"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_aws_key_set_parse_profile(tg_slice_str(bad[i]), TG_LIT("default"), false, &set), TG_ERR_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_copies_and_counts_references),
        cmocka_unit_test(new_keeps_keys_in_locked_memory_where_it_can),
        cmocka_unit_test(new_of_bad_or_long_keys_is_refused),
        cmocka_unit_test(parse_documents_gives_their_keys),
        cmocka_unit_test(parse_answer_of_sts_gives_its_keys),
        cmocka_unit_test(parse_profile_gives_its_section),
        cmocka_unit_test(parse_profile_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
