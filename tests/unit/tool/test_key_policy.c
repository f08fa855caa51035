#include "tool/key_policy.h"

#include "support/case.h"
#include "tool/key_policy_condition.h"
#include "tool/key_policy_lint.h"

#include <stdio.h>
#include <string.h>

#define ROLE    "arn:aws:iam::111122223333:role/enclave"
#define SESSION "arn:aws:sts::111122223333:assumed-role/enclave/i-1"

/* PCR0 of 48 times 0x3f, PCR8 of 48 times 0xab; PCR1 all zeros. */
static uint8_t pcr0[48], pcr1[48], pcr8[48];
static char pcr0_hex[97], upper_hex[97];
static tg_nitro_document document;

static int set_up(void **state)
{
    (void)state;
    memset(pcr0, 0x3f, sizeof pcr0);
    memset(pcr8, 0xab, sizeof pcr8);
    for (size_t i = 0; i < 48; i++) {
        snprintf(pcr0_hex + 2 * i, 3, "3f");
        snprintf(upper_hex + 2 * i, 3, "AB");
    }
    document = (tg_nitro_document){.timestamp_unix_ms = 1};
    document.pcrs[0] = tg_slice_of(pcr0, sizeof pcr0);
    document.pcrs[1] = tg_slice_of(pcr1, sizeof pcr1);
    document.pcrs[8] = tg_slice_of(pcr8, sizeof pcr8);
    return 0;
}

static tg_key_policy parse(const char *statements)
{
    char text[8192];
    tg_key_policy policy;
    tg_detail detail = {.line = 0};
    snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}", statements);
    if (!tg_is_ok(tg_key_policy_parse(tg_slice_str(text), &policy, &detail))) {
        fail_msg("%s: %s", detail.field, detail.reason);
    }
    return policy;
}

static void assert_refused(const char *text, tg_code code, const char *field, const char *reason)
{
    tg_key_policy policy;
    tg_detail detail = {.line = 0};
    assert_code(tg_key_policy_parse(tg_slice_str(text), &policy, &detail), code);
    assert_string_equal(detail.field, field);
    if (strstr(detail.reason, reason) == NULL) {
        fail_msg("%s does not say %s", detail.reason, reason);
    }
}

static void key_policy_parse_what_is_none_is_refused(void **state)
{
    (void)state;
    static const char statement[] = "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",%s}]}";
    char text[256];
    assert_refused("", TG_ERR_SYNTAX, "", "not JSON");
    assert_refused("{\"a\":1,\"a\":2}", TG_ERR_SYNTAX, "", "duplicate");
    assert_refused("[]", TG_ERR_SYNTAX, "", "has no Statement");
    assert_refused("{\"Statement\":[]}", TG_ERR_SYNTAX, "", "has no Statement");
    assert_refused("{\"Policy\":\"{\"}", TG_ERR_SYNTAX, "", "not JSON");
    assert_refused("{\"Statement\":{\"Effect\":\"allow\"}}", TG_ERR_SYNTAX, "/Statement/0/Effect", "neither");
    assert_refused("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"a\",\"NotAction\":\"a\"}}", TG_ERR_SYNTAX,
                   "/Statement/0/Action", "not both");
    assert_refused("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"a\"}}", TG_ERR_SYNTAX, "/Statement/0/Principal",
                   "must stand there");
    assert_refused("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"a\",\"Principal\":\"me\"}}", TG_ERR_SYNTAX,
                   "/Statement/0/Principal", "form");
    assert_refused("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"a\",\"Principal\":{\"AWS\":7}}}", TG_ERR_SYNTAX,
                   "/Statement/0/Principal", "form");
    static const char *const members[] = {"\"Action\":[]", "\"Action\":[1]", "\"Action\":{}"};
    for (size_t i = 0; i < TG_COUNT(members); i++) {
        snprintf(text, sizeof text, statement, members[i]);
        assert_refused(text, TG_ERR_SYNTAX, "/Statement/0/Action", "form");
    }
    static const char *const conditions[] = {"[]",
                                             "{\"Bool\":{}}",
                                             "{\"Bool\":true}",
                                             "{\"Bool\":{\"k\":{}}}",
                                             "{\"Bool\":{\"k\":[]}}",
                                             "{\"Bool\":{\"k\":[[]]}}"};
    for (size_t i = 0; i < TG_COUNT(conditions); i++) {
        char members_text[128];
        snprintf(members_text, sizeof members_text, "\"Action\":\"a\",\"Condition\":%s", conditions[i]);
        snprintf(text, sizeof text, statement, members_text);
        assert_refused(text, TG_ERR_SYNTAX, "/Statement/0/Condition", "form");
    }
}

static void key_policy_parse_limits_hold(void **state)
{
    (void)state;
    static char text[TG_MAX_KEY_POLICY_BYTES + 2];
    tg_key_policy policy;
    memset(text, ' ', sizeof text - 1);
    static const char one[] = "{\"Effect\":\"Deny\",\"Action\":\"a\",\"Principal\":\"*\"}";
    size_t len = 0;
    len += (size_t)snprintf(text, sizeof text, "{\"Statement\":[%s", one);
    for (size_t i = 1; i < TG_MAX_POLICY_STATEMENTS; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, ",%s", one);
    }
    strcpy(text + len, "]}");
    assert_ok(tg_key_policy_parse(tg_slice_str(text), &policy, NULL));
    assert_int_equal(policy.num_statements, TG_MAX_POLICY_STATEMENTS);
    tg_key_policy_done(&policy);
    snprintf(text + len, sizeof text - len, ",%s]}", one);
    assert_refused(text, TG_ERR_LIMIT, "", "more than 256");
    memset(text, ' ', sizeof text - 1);
    memcpy(text, "{\"Statement\":", 13);
    memcpy(text + 13, one, sizeof one - 1);
    text[TG_MAX_KEY_POLICY_BYTES - 1] = '}';
    assert_ok(tg_key_policy_parse(tg_slice_of(text, TG_MAX_KEY_POLICY_BYTES), &policy, NULL));
    tg_key_policy_done(&policy);
    assert_code(tg_key_policy_parse(tg_slice_of(text, TG_MAX_KEY_POLICY_BYTES + 1), &policy, NULL), TG_ERR_LIMIT);
}

static void key_policy_parse_takes_what_the_cli_prints(void **state)
{
    (void)state;
    tg_key_policy policy;
    static const char text[] = "{\"Policy\": \"{\\\"Statement\\\": {\\\"Effect\\\": \\\"Allow\\\", \\\"Principal\\\": "
                               "{\\\"AWS\\\": [\\\"*\\\"]}, \\\"NotAction\\\": \\\"kms:Put*\\\"}}\"}";
    assert_ok(tg_key_policy_parse(tg_slice_str(text), &policy, NULL));
    assert_int_equal(policy.num_statements, 1);
    assert_true(tg_policy_statement_is_allow(policy.statements[0]));
    assert_string_equal(tg_policy_statement_sid(policy.statements[0]), "");
    assert_true(tg_policy_statement_covers(policy.statements[0], "kms:Decrypt"));
    assert_false(tg_policy_statement_covers(policy.statements[0], "kms:PutKeyPolicy"));
    tg_key_policy_done(&policy);
}

static bool matches(const char *pattern, const char *text, bool is_nocase)
{
    return tg_policy_matches(tg_slice_str(pattern), tg_slice_str(text), is_nocase);
}

static void policy_matches_stars_and_marks(void **state)
{
    (void)state;
    assert_true(matches("*", "", false));
    assert_true(matches("kms:*", "kms:Decrypt", false));
    assert_true(matches("KMS:de*", "kms:Decrypt", true));
    assert_false(matches("KMS:de*", "kms:Decrypt", false));
    assert_true(matches("a*b*c", "aXXbYbZc", false));
    assert_true(matches("a?c", "abc", false));
    assert_false(matches("a?c", "ac", false));
    assert_false(matches("", "a", false));
    assert_false(matches("abc", "ab", false));
    assert_true(matches("ab**", "ab", false));
    assert_false(tg_policy_matches(TG_LIT("a"), TG_LIT("a\0"), false));
}

/* What was reported, as `Sid part truth; ...`. */
static char told[4096];

static tg_result note(const tg_policy_check *check, void *owner)
{
    static const char *const truths[] = {"no", "yes", "open"};
    (void)owner;
    size_t len = strlen(told);
    const char *part = check->part == TG_POLICY_STATEMENT   ? "applies"
                       : check->part == TG_POLICY_PRINCIPAL ? "principal"
                                                            : check->key;
    if (check->part != TG_POLICY_ACTION) {
        snprintf(told + len, sizeof told - len, "%s %s %s; ", check->sid, part, truths[check->truth]);
    }
    return tg_ok();
}

static tg_policy_verdict judge(const char *statements, const char *principal, const tg_nitro_document *with)
{
    static const tg_policy_context context[] = {{TG_LIT("app"), TG_LIT("tee")}};
    tg_key_policy policy = parse(statements);
    const tg_policy_call call = {.action = TG_LIT("kms:Decrypt"),
                                 .principal = tg_slice_str(principal),
                                 .document = with,
                                 .context = context,
                                 .num_context = 1};
    tg_policy_verdict verdict;
    told[0] = 0;
    assert_ok(tg_key_policy_judge(&policy, &call, note, NULL, &verdict));
    tg_key_policy_done(&policy);
    return verdict;
}

static void key_policy_judge_attested_role_is_allowed(void **state)
{
    (void)state;
    char text[1024];
    snprintf(text, sizeof text,
             "{\"Sid\":\"e\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROLE "\"},\"Action\":\"kms:Decrypt\","
             "\"Condition\":{\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:PCR0\":\"%s\","
             "\"kms:RecipientAttestation:PCR8\":\"%s\"}}},"
             "{\"Sid\":\"other\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:Encrypt\"}",
             pcr0_hex, upper_hex);
    assert_int_equal(judge(text, SESSION, &document), TG_POLICY_ALLOWED);
    assert_string_equal(told, "e principal yes; e kms:RecipientAttestation:PCR0 yes; "
                              "e kms:RecipientAttestation:PCR8 yes; e applies yes; ");
    assert_int_equal(judge(text, ROLE, &document), TG_POLICY_ALLOWED);
    assert_int_equal(judge(text, ROLE, NULL), TG_POLICY_NOT_ALLOWED);
    assert_int_equal(judge(text, "", &document), TG_POLICY_UNDECIDED);
    assert_int_equal(judge(text, "arn:aws:sts::111122223333:assumed-role/other/i-1", &document), TG_POLICY_NOT_ALLOWED);
    assert_int_equal(judge(text, "arn:aws:sts::999922223333:assumed-role/enclave/i-1", &document),
                     TG_POLICY_NOT_ALLOWED);
    assert_int_equal(judge(text, "arn:aws:iam::111122223333:user/enclave", &document), TG_POLICY_NOT_ALLOWED);
    document.pcrs[8] = (tg_slice){NULL, 0};
    assert_int_equal(judge(text, ROLE, &document), TG_POLICY_NOT_ALLOWED);
    assert_non_null(strstr(told, "PCR8 no"));
    set_up(NULL);
}

static void key_policy_judge_role_with_a_path_is_its_session(void **state)
{
    (void)state;
    static const char text[] =
        "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"x\",\"arn:aws:iam::111122223333:role/a/b/"
        "enclave\"]},\"Action\":[\"kms:Dec*\"]}";
    assert_int_equal(judge(text, SESSION, NULL), TG_POLICY_ALLOWED);
    assert_int_equal(judge(text, "arn:aws:sts::111122223333:federated-user/enclave", NULL), TG_POLICY_NOT_ALLOWED);
}

static void key_policy_judge_deny_and_account_and_negation(void **state)
{
    (void)state;
#define ALLOW_ALL "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\"}"
    assert_int_equal(judge(ALLOW_ALL, "", NULL), TG_POLICY_ALLOWED);
    assert_int_equal(judge(ALLOW_ALL ",{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":"
                                     "\"kms:Decrypt\"}",
                           ROLE, NULL),
                     TG_POLICY_DENIED);
    assert_int_equal(judge(ALLOW_ALL ",{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:Decrypt\","
                                     "\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}}",
                           ROLE, NULL),
                     TG_POLICY_UNDECIDED);
    assert_int_equal(judge("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:root\"},"
                           "\"Action\":\"kms:*\"}",
                           ROLE, NULL),
                     TG_POLICY_UNDECIDED);
    assert_int_equal(judge("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},"
                           "\"Action\":\"kms:*\"}",
                           ROLE, NULL),
                     TG_POLICY_NOT_ALLOWED);
    assert_int_equal(judge(ALLOW_ALL ",{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"" ROLE "\"},\"Action\":"
                                     "\"kms:*\"}",
                           ROLE, NULL),
                     TG_POLICY_ALLOWED);
    assert_int_equal(judge(ALLOW_ALL ",{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"" ROLE "\"},\"Action\":"
                                     "\"kms:*\"}",
                           "arn:aws:iam::111122223333:user/u", NULL),
                     TG_POLICY_DENIED);
    for (int i = TG_POLICY_ALLOWED; i <= TG_POLICY_UNDECIDED; i++) {
        assert_true(strlen(tg_policy_verdict_name((tg_policy_verdict)i)) > 5);
    }
}

static tg_result stop(const tg_policy_check *check, void *owner)
{
    (void)check;
    (void)owner;
    return tg_fail(TG_ERR_CANCELLED);
}

static void key_policy_judge_ends_where_the_report_fails(void **state)
{
    (void)state;
    tg_key_policy policy = parse(ALLOW_ALL);
    tg_policy_verdict verdict;
    const tg_policy_call call = {.action = TG_LIT("kms:Decrypt")};
    assert_code(tg_key_policy_judge(&policy, &call, stop, NULL, &verdict), TG_ERR_CANCELLED);
    tg_key_policy_done(&policy);
}

static tg_policy_truth holds(const char *operator, const char * key, const char *wanted, const char *says)
{
    static const tg_policy_context context[] = {{TG_LIT("app"), TG_LIT("tee")}, {TG_LIT("stage"), TG_LIT("Prod")}};
    const tg_policy_call call = {.action = TG_LIT("kms:Decrypt"),
                                 .principal = TG_LIT(ROLE),
                                 .document = &document,
                                 .context = context,
                                 .num_context = 2};
    tg_policy_truth truth;
    tg_buf reason;
    tg_buf_init(&reason, 4096);
    json_t *value = json_loads(wanted, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    assert_ok(tg_policy_condition_holds(operator, key, value, &call, &truth, &reason));
    assert_ok(tg_buf_append_byte(&reason, 0));
    if (strstr((const char *)tg_buf_slice(&reason).ptr, says) == NULL) {
        fail_msg("%s does not say %s", (const char *)tg_buf_slice(&reason).ptr, says);
    }
    json_decref(value);
    tg_buf_done(&reason);
    return truth;
}

static void condition_holds_each_operator(void **state)
{
    (void)state;
#define APP "kms:EncryptionContext:app"
    assert_int_equal(holds("StringEquals", APP, "\"tee\"", "the call has tee"), TG_POLICY_YES);
    assert_int_equal(holds("StringEquals", APP, "\"TEE\"", "letters' case"), TG_POLICY_NO);
    assert_int_equal(holds("StringEqualsIgnoreCase", APP, "[\"x\",\"TEE\"]", "x or TEE"), TG_POLICY_YES);
    assert_int_equal(holds("StringNotEquals", APP, "\"tee\"", "any but tee"), TG_POLICY_NO);
    assert_int_equal(holds("StringNotEqualsIgnoreCase", APP, "\"x\"", "any but x"), TG_POLICY_YES);
    assert_int_equal(holds("StringLike", APP, "\"t*\"", "wants t*"), TG_POLICY_YES);
    assert_int_equal(holds("StringNotLike", APP, "\"t*\"", ""), TG_POLICY_NO);
    assert_int_equal(holds("ArnLike", "aws:PrincipalArn", "\"arn:aws:iam::*:role/enclave\"", ""), TG_POLICY_YES);
    assert_int_equal(holds("ArnEquals", "aws:PrincipalArn", "\"arn:aws:iam::*:role/x\"", ""), TG_POLICY_NO);
    assert_int_equal(holds("Null", APP, "\"false\"", "the call has it"), TG_POLICY_YES);
    assert_int_equal(holds("Null", APP, "true", ""), TG_POLICY_NO);
    assert_int_equal(holds("Null", "kms:EncryptionContext:none", "true", "does not hold this name"), TG_POLICY_YES);
    assert_int_equal(holds("StringEquals", "kms:CallerAccount", "111122223333", ""), TG_POLICY_YES);
    assert_int_equal(holds("StringEquals", "aws:PrincipalAccount", "[\"1\",\"2\",\"3\",\"4\",\"5\"]", "or 1 more"),
                     TG_POLICY_NO);
    assert_int_equal(holds("DateLessThan", APP, "\"2030\"", "operator"), TG_POLICY_UNKNOWN);
    assert_int_equal(holds("StringEquals", "aws:SourceVpc", "\"vpc-1\"", "condition key"), TG_POLICY_UNKNOWN);
}

static void condition_holds_what_is_absent(void **state)
{
    (void)state;
    assert_int_equal(holds("StringEquals", "kms:EncryptionContext:none", "\"x\"", "does not hold"), TG_POLICY_NO);
    assert_int_equal(holds("StringEqualsIfExists", "kms:EncryptionContext:none", "\"x\"", "holds for what is absent"),
                     TG_POLICY_YES);
    assert_int_equal(holds("StringNotEquals", "kms:EncryptionContext:none", "\"x\"", "absent"), TG_POLICY_YES);
    assert_int_equal(holds("StringEquals", "kms:RecipientAttestation:PCR5", "\"x\"", "does not hold this PCR"),
                     TG_POLICY_NO);
}

static void condition_holds_sets_of_values(void **state)
{
    (void)state;
#define KEYS "kms:EncryptionContextKeys"
    assert_int_equal(holds("ForAnyValue:StringEquals", KEYS, "\"app\"", "app, stage"), TG_POLICY_YES);
    assert_int_equal(holds("ForAllValues:StringEquals", KEYS, "\"app\"", ""), TG_POLICY_NO);
    assert_int_equal(holds("ForAllValues:StringEquals", KEYS, "[\"app\",\"stage\"]", ""), TG_POLICY_YES);
    assert_int_equal(holds("ForAllValues:StringNotEquals", KEYS, "[\"app\"]", ""), TG_POLICY_NO);
    assert_int_equal(holds("ForAllValues:StringEquals", "kms:EncryptionContext:none", "\"x\"", ""), TG_POLICY_YES);
}

static void condition_holds_without_a_caller(void **state)
{
    (void)state;
    const tg_policy_call call = {.action = TG_LIT("kms:Decrypt")};
    tg_policy_truth truth;
    tg_buf reason;
    tg_buf_init(&reason, 4096);
    json_t *value = json_string("x");
    assert_ok(tg_policy_condition_holds("StringEquals", "aws:PrincipalArn", value, &call, &truth, &reason));
    assert_int_equal(truth, TG_POLICY_UNKNOWN);
    assert_ok(tg_policy_condition_holds("StringEquals", KEYS, value, &call, &truth, &reason));
    assert_int_equal(truth, TG_POLICY_NO);
    json_decref(value);
    tg_buf_done(&reason);
}

static void pcr_of_key_names_and_limits(void **state)
{
    (void)state;
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:ImageSha384"), 0);
    assert_int_equal(tg_policy_pcr_of_key("KMS:recipientattestation:pcr8"), 8);
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:PCR31"), 31);
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:PCR32"), -1);
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:PCR"), -1);
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:PCR1x"), -1);
    assert_int_equal(tg_policy_pcr_of_key("kms:RecipientAttestation:PCR001"), -1);
    assert_int_equal(tg_policy_pcr_of_key("kms:ViaService"), -1);
}

static char found[4096];

static tg_result note_finding(const tg_policy_finding *finding, void *owner)
{
    (void)owner;
    size_t len = strlen(found);
    assert_true(strlen(finding->reason) > 10 && strlen(finding->remedy) > 5);
    snprintf(found + len, sizeof found - len, "%s ", finding->rule);
    return tg_ok();
}

static void assert_findings(const char *statements, const char *expected)
{
    tg_key_policy policy = parse(statements);
    found[0] = 0;
    assert_ok(tg_key_policy_lint(&policy, note_finding, NULL));
    tg_key_policy_done(&policy);
    assert_string_equal(found, expected);
}

#define GUARDS                                                                                                         \
    "{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"kms:Encrypt\",\"kms:ReEncrypt*\","               \
    "\"kms:CreateGrant\"],\"Resource\":\"*\"}"

static void assert_enclave_findings(const char *action, const char *condition, const char *expected)
{
    char text[2048];
    snprintf(text, sizeof text,
             GUARDS ",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROLE "\"},\"Action\":\"%s\"%s%s}", action,
             condition[0] != 0 ? ",\"Condition\":" : "", condition);
    assert_findings(text, expected);
}

static void key_policy_lint_each_rule(void **state)
{
    (void)state;
    char condition[512];
#define PCR0(operator, value) "{\"" operator"\":{\"kms:RecipientAttestation:PCR0\":\"" value "\"}}"
    snprintf(condition, sizeof condition, PCR0("StringEqualsIgnoreCase", "%s"), pcr0_hex);
    assert_enclave_findings("kms:Decrypt", condition, "");
    assert_enclave_findings("kms:DescribeKey", "", "");
    assert_enclave_findings("kms:Decrypt", "", "decrypt_without_attestation ");
    assert_enclave_findings("kms:DescribeKey", condition, "attestation_on_unattested_action ");
    snprintf(condition, sizeof condition, PCR0("StringEquals", "%s"), upper_hex);
    assert_enclave_findings("kms:Decrypt", condition, "case_matters ");
    snprintf(condition, sizeof condition, PCR0("StringEqualsIfExists", "%s"), pcr0_hex);
    assert_enclave_findings("kms:Decrypt", condition, "absent_is_fine decrypt_without_attestation ");
    assert_enclave_findings("kms:Decrypt", PCR0("StringEquals", "abc"), "value_cannot_match ");
    assert_enclave_findings("kms:Decrypt", PCR0("StringLike", "3f*"), "decrypt_without_attestation ");
    assert_enclave_findings("kms:Decrypt", PCR0("StringEquals", "0000"), "debug_mode_allowed ");
    snprintf(condition, sizeof condition,
             "{\"StringEquals\":{\"kms:RecipientAttestation:PCR8\":[\"%s\"],\"kms:ViaService\":"
             "\"x\"}}",
             pcr0_hex);
    assert_enclave_findings("kms:Decrypt", condition, "no_image ");
    assert_enclave_findings("kms:GenerateDataKey*", "", "data_key_without_attestation ");
    assert_enclave_findings("kms:GenerateDataKeyWithoutPlaintext", "", "");
    snprintf(condition, sizeof condition, PCR0("StringEqualsIgnoreCase", "%s"), pcr0_hex);
    assert_enclave_findings("kms:GenerateDataKey", condition, "");
    assert_findings(GUARDS "," ALLOW_ALL, "anybody decrypt_without_attestation data_key_without_attestation ");
    assert_findings(GUARDS ",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROLE "\"},\"NotAction\":\"kms:Decrypt\"}",
                    "allow_by_negation data_key_without_attestation ");
}

static void key_policy_lint_deny_counts_where_nobody_else_may(void **state)
{
    (void)state;
#define NOT_DENIED "encrypt_not_denied reencrypt_not_denied reencrypt_not_denied create_grant_not_denied "
    static const struct {
        const char *deny, *expected;
    } cases[] = {
        {"\"Principal\":{\"AWS\":\"" ROLE "\"},\"Action\":\"kms:*\"", NOT_DENIED},
        {"\"NotPrincipal\":{\"AWS\":\"" ROLE "\"},\"Action\":\"kms:*\"", ""},
        {"\"NotPrincipal\":\"*\",\"Action\":\"kms:*\"", NOT_DENIED}, /* nobody */
        {"\"Principal\":\"*\",\"Action\":[\"kms:Encrypt\",\"kms:ReEncryptTo\",\"kms:CreateGrant\"]",
         "reencrypt_not_denied "}, /* ReEncryptFrom carries the data key away */
        {"\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"ArnNotLike\":{\"aws:PrincipalArn\":[\"" ROLE
         "\",\"arn:aws:iam::1:role/x*\"]}}",
         ""},
        {"\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"ArnNotLike\":{\"aws:PrincipalArn\":[\"" ROLE
         "\",\"*\"]}}",
         NOT_DENIED},
        {"\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"ArnLike\":{\"aws:PrincipalArn\":\"" ROLE "\"}}",
         NOT_DENIED},
        {"\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"192.0.2.1\"}}",
         NOT_DENIED},
        {"\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"StringNotEquals\":{\"kms:ViaService\":\"x\"}}",
         NOT_DENIED},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char text[1024];
        snprintf(text, sizeof text, "{\"Effect\":\"Deny\",%s}", cases[i].deny);
        assert_findings(text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_policy_parse_what_is_none_is_refused),
        cmocka_unit_test(key_policy_parse_limits_hold),
        cmocka_unit_test(key_policy_parse_takes_what_the_cli_prints),
        cmocka_unit_test(policy_matches_stars_and_marks),
        cmocka_unit_test(key_policy_judge_attested_role_is_allowed),
        cmocka_unit_test(key_policy_judge_role_with_a_path_is_its_session),
        cmocka_unit_test(key_policy_judge_deny_and_account_and_negation),
        cmocka_unit_test(key_policy_judge_ends_where_the_report_fails),
        cmocka_unit_test(condition_holds_each_operator),
        cmocka_unit_test(condition_holds_what_is_absent),
        cmocka_unit_test(condition_holds_sets_of_values),
        cmocka_unit_test(condition_holds_without_a_caller),
        cmocka_unit_test(pcr_of_key_names_and_limits),
        cmocka_unit_test(key_policy_lint_each_rule),
        cmocka_unit_test(key_policy_lint_deny_counts_where_nobody_else_may),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
