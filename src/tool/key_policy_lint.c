#include "tool/key_policy_lint.h"

#include "base/text.h"
#include "tool/key_policy_condition.h"

#include <stdarg.h>
#include <stdio.h>

/* The operations that take a Recipient: on others KMS never sees an attestation document. */
static const char *const attested_actions[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateRandom",
                                               "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret"};

typedef struct lint {
    tg_policy_finding_fn *report;
    void *owner;
    size_t index;
    const json_t *statement;
    bool has_attestation; /* some condition asks for a PCR that must be there */
    bool has_image;       /* PCR0 or ImageSha384 among them */
} lint;

static tg_result report(lint *it, const char *rule, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static tg_result report(lint *it, const char *rule, const char *remedy, const char *format, ...)
{
    tg_policy_finding finding = {.rule = rule, .statement = it->index, .remedy = remedy, .sid = ""};
    if (it->statement != NULL) {
        finding.sid = tg_policy_statement_sid(it->statement);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(finding.reason, sizeof finding.reason, format, args);
    va_end(args);
    return it->report(&finding, it->owner);
}

static bool is_pcr_text(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (tg_ascii_hex_value(text.ptr[i]) < 0) {
            return false;
        }
    }
    return text.len == (size_t)2 * TG_NITRO_PCR_BYTES;
}

static bool is_zero_text(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0') {
            return false;
        }
    }
    return text.len > 0;
}

static bool has_letters(tg_slice text, uint8_t from, uint8_t to)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= from && text.ptr[i] <= to) {
            return true;
        }
    }
    return false;
}

static tg_result look_at_value(lint *it, const char *operator, const char * key, tg_slice value)
{
    bool is_like = strstr(operator, "Like") != NULL;
    if (is_zero_text(value)) {
        return report(it, "debug_mode_allowed", "name the PCRs that the build printed",
                      "%.64s is all zeros: that is what an enclave in debug mode shows, whose memory its host can read",
                      key);
    }
    if (is_like && tg_slice_find(value, '*') < value.len) {
        return report(it, "decrypt_without_attestation", "name the whole value",
                      "%.64s is compared with a pattern: images that you do not know match it", key);
    }
    if (!is_like && !is_pcr_text(value)) {
        return report(it, "value_cannot_match", "96 hexadecimal digits (SHA-384)",
                      "%.64s is compared with what is no PCR: it never holds", key);
    }
    if (strstr(operator, "IgnoreCase") == NULL && has_letters(value, 'A', 'F')) {
        return report(it, "case_matters", "use StringEqualsIgnoreCase, or lower case",
                      "%.64s is given in upper case and compared by %.32s", key, operator);
    }
    return tg_ok();
}

static tg_result look_at_condition(lint *it, const char *operator, const char * key, const json_t *wanted)
{
    int pcr = tg_policy_pcr_of_key(key);
    if (pcr < 0) {
        return tg_ok();
    }
    tg_slice name = tg_slice_str(operator);
    bool holds_absent = strstr(operator, "Not") != NULL || tg_slice_ends(name, TG_LIT("IfExists")) ||
                        tg_slice_starts(name, TG_LIT("ForAllValues:")) || tg_slice_equal(name, TG_LIT("Null"));
    if (tg_policy_statement_is_allow(it->statement) && holds_absent) {
        return report(it, "absent_is_fine", "use StringEqualsIgnoreCase",
                      "%.32s on %.64s holds for calls without any attestation document", operator, key);
    }
    it->has_attestation |= !holds_absent;
    it->has_image |= !holds_absent && pcr == 0;
    if (!tg_policy_statement_is_allow(it->statement)) {
        return tg_ok();
    }
    for (size_t i = 0; i < (json_is_array(wanted) ? json_array_size(wanted) : 1); i++) {
        const json_t *value = json_is_array(wanted) ? json_array_get(wanted, i) : wanted;
        TG_TRY(look_at_value(it, operator, key, tg_slice_of(json_string_value(value), json_string_length(value))));
    }
    return tg_ok();
}

static tg_result look_at_conditions(lint *it)
{
    const char *operator, * key;
    json_t *tests, *wanted;
    json_object_foreach(json_object_get(it->statement, "Condition"), operator, tests)
    {
        json_object_foreach(tests, key, wanted)
        {
            TG_TRY(look_at_condition(it, operator, key, wanted));
        }
    }
    return tg_ok();
}

static bool covers_attested(const json_t *statement)
{
    for (size_t i = 0; i < TG_COUNT(attested_actions); i++) {
        if (tg_policy_statement_covers(statement, attested_actions[i])) {
            return true;
        }
    }
    return false;
}

static bool names_anybody(const json_t *statement, const char *member)
{
    const json_t *given = json_object_get(statement, member);
    const json_t *aws = json_is_object(given) ? json_object_get(given, "AWS") : given;
    for (size_t i = 0; i < (json_is_array(aws) ? json_array_size(aws) : 1); i++) {
        const json_t *each = json_is_array(aws) ? json_array_get(aws, i) : aws;
        if (json_is_string(each) && strcmp(json_string_value(each), "*") == 0) {
            return true;
        }
    }
    return false;
}

static tg_result look_at_allow(lint *it)
{
    const json_t *statement = it->statement;
    if (json_object_get(statement, "NotAction") != NULL || json_object_get(statement, "NotPrincipal") != NULL) {
        TG_TRY(report(it, "allow_by_negation", "name what is allowed",
                      "an Allow by NotAction or NotPrincipal also takes in what is added later"));
    }
    if (names_anybody(statement, "Principal") && json_object_get(statement, "Condition") == NULL) {
        TG_TRY(report(it, "anybody", "name the roles that may", "every AWS account may do this"));
    }
    TG_TRY(look_at_conditions(it));
    if (it->has_attestation && !covers_attested(statement)) {
        TG_TRY(report(it, "attestation_on_unattested_action", "keep it for Decrypt, GenerateDataKey and GenerateRandom",
                      "none of the actions here takes a Recipient: the condition never holds"));
    }
    if (tg_policy_statement_covers(statement, "kms:Decrypt") && !it->has_attestation) {
        TG_TRY(report(it, "decrypt_without_attestation", "add a condition on kms:RecipientAttestation:PCR0",
                      "kms:Decrypt is allowed without an attestation document: to the host, for one"));
    } else if (tg_policy_statement_covers(statement, "kms:Decrypt") && !it->has_image) {
        TG_TRY(report(it, "no_image", "add kms:RecipientAttestation:PCR0",
                      "kms:Decrypt asks for PCRs that do not tell the image: another image by the same signer or role "
                      "opens the key"));
    }
    if (tg_policy_statement_covers(statement, "kms:GenerateDataKey") && !it->has_attestation) {
        TG_TRY(
            report(it, "data_key_without_attestation", "allow kms:GenerateDataKeyWithoutPlaintext instead",
                   "kms:GenerateDataKey shows a new data key beside its ciphertext: whoever calls it can put that key "
                   "in the place of yours"));
    }
    return tg_ok();
}

static bool is_stars(tg_slice text)
{
    return tg_slice_trim(text, "*").len == 0;
}

/* `all but these callers`: {"ArnNotLike": {"aws:PrincipalArn": ...}} and its kin, in which no pattern is everybody. */
static bool spares_named_callers(const char *operator, const char * key, const json_t *wanted)
{
    static const char *const operators[] = {"StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike"};
    bool is_negated = false;
    for (size_t i = 0; i < TG_COUNT(operators); i++) {
        is_negated = is_negated || strcmp(operator, operators[i]) == 0;
    }
    for (size_t i = 0; i < (json_is_array(wanted) ? json_array_size(wanted) : 1); i++) {
        const json_t *each = json_is_array(wanted) ? json_array_get(wanted, i) : wanted;
        is_negated = is_negated && !is_stars(tg_slice_of(json_string_value(each), json_string_length(each)));
    }
    return is_negated && tg_text_equal_nocase(tg_slice_str(key), TG_LIT("aws:PrincipalArn"));
}

static bool asks_who_calls_alone(const json_t *statement)
{
    const char *operator, * key;
    json_t *tests, *wanted;
    json_object_foreach(json_object_get(statement, "Condition"), operator, tests)
    {
        json_object_foreach(tests, key, wanted)
        {
            if (!spares_named_callers(operator, key, wanted)) {
                return false;
            }
        }
    }
    return true;
}

/* A Deny counts where it takes everybody in, or all but named ones, and asks for nothing but who calls. */
static bool is_denied(const tg_key_policy *policy, const char *action)
{
    for (size_t i = 0; i < policy->num_statements; i++) {
        const json_t *statement = policy->statements[i];
        bool is_broad = names_anybody(statement, "Principal") || (json_object_get(statement, "NotPrincipal") != NULL &&
                                                                  !names_anybody(statement, "NotPrincipal"));
        if (!tg_policy_statement_is_allow(statement) && is_broad && asks_who_calls_alone(statement) &&
            tg_policy_statement_covers(statement, action)) {
            return true;
        }
    }
    return false;
}

static tg_result look_at_denials(lint *it, const tg_key_policy *policy)
{
    static const struct {
        const char *action, *rule, *harm;
    } needed[] = {
        {"kms:Encrypt", "encrypt_not_denied",
         "whoever may encrypt can put a data key of his own in the place of yours"},
        {"kms:ReEncryptTo", "reencrypt_not_denied", "a ciphertext of another key can be brought under this one"},
        {"kms:ReEncryptFrom", "reencrypt_not_denied",
         "a data key can be brought under a key of somebody else's, and read there"},
        {"kms:CreateGrant", "create_grant_not_denied", "a grant gives rights beside this policy"},
    };
    it->index = SIZE_MAX;
    it->statement = NULL;
    for (size_t i = 0; i < TG_COUNT(needed); i++) {
        if (!is_denied(policy, needed[i].action)) {
            TG_TRY(report(it, needed[i].rule,
                          "deny kms:Encrypt, kms:ReEncrypt* and kms:CreateGrant to everybody, or to all but the role "
                          "that makes keys (aws:PrincipalArn)",
                          "%s is denied to nobody: %s", needed[i].action, needed[i].harm));
        }
    }
    return tg_ok();
}

tg_result tg_key_policy_lint(const tg_key_policy *policy, tg_policy_finding_fn *report_finding, void *owner)
{
    lint it = {.report = report_finding, .owner = owner};
    for (size_t i = 0; i < policy->num_statements; i++) {
        it.index = i;
        it.statement = policy->statements[i];
        it.has_attestation = it.has_image = false;
        TG_TRY(tg_policy_statement_is_allow(it.statement) ? look_at_allow(&it) : tg_ok());
    }
    return look_at_denials(&it, policy);
}
