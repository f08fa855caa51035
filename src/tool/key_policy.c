#include "tool/key_policy.h"

#include "base/text.h"

static tg_result refuse(tg_detail *detail, size_t statement, const char *member, const char *reason)
{
    char field[64];
    snprintf(field, sizeof field, "/Statement/%zu/%s", statement, member);
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(TG_ERR_SYNTAX);
}

static bool is_text_or_texts(const json_t *value)
{
    if (json_is_string(value)) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i))) {
            return false;
        }
    }
    return json_array_size(value) > 0;
}

/* Principal = "*" / { ("AWS" / "Service" / "Federated" / ...): text or texts } */
static bool is_principal(json_t *value)
{
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member)
    {
        if (!is_text_or_texts(member)) {
            return false;
        }
    }
    return json_object_size(value) > 0 || strcmp(json_is_string(value) ? json_string_value(value) : "", "*") == 0;
}

static bool is_scalar(const json_t *value)
{
    return json_is_string(value) || json_is_boolean(value) || json_is_integer(value);
}

/* Condition = { operator: { key: scalar or scalars } } */
static bool is_condition(json_t *value)
{
    const char *name, *key;
    json_t *tests, *wanted;
    json_object_foreach(value, name, tests)
    {
        if (json_object_size(tests) == 0) {
            return false;
        }
        json_object_foreach(tests, key, wanted)
        {
            bool is_fine = is_scalar(wanted) || json_array_size(wanted) > 0;
            for (size_t i = 0; i < json_array_size(wanted); i++) {
                is_fine = is_fine && is_scalar(json_array_get(wanted, i));
            }
            if (!is_fine) {
                return false;
            }
        }
    }
    return json_is_object(value);
}

static tg_result check_statement(const json_t *statement, size_t index, tg_detail *detail)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    if (effect == NULL || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0)) {
        return refuse(detail, index, "Effect", "is neither Allow nor Deny");
    }
    const char *const pairs[2][2] = {{"Action", "NotAction"}, {"Principal", "NotPrincipal"}};
    for (size_t i = 0; i < 2; i++) {
        json_t *plain = json_object_get(statement, pairs[i][0]), *negated = json_object_get(statement, pairs[i][1]);
        if ((plain == NULL) == (negated == NULL)) {
            return refuse(detail, index, pairs[i][0], "must stand there, or its Not form, and not both");
        }
        json_t *given = plain != NULL ? plain : negated;
        if (i == 0 ? !is_text_or_texts(given) : !is_principal(given)) {
            return refuse(detail, index, pairs[i][0], "is not of a policy's form");
        }
    }
    json_t *condition = json_object_get(statement, "Condition");
    if (condition != NULL && !is_condition(condition)) {
        return refuse(detail, index, "Condition", "is not of the form {operator: {key: value}}");
    }
    return tg_ok();
}

static tg_result take_statements(tg_key_policy *policy, tg_detail *detail)
{
    const json_t *given = json_object_get(policy->tree, "Statement");
    size_t num = json_is_array(given) ? json_array_size(given) : json_is_object(given) ? 1 : 0;
    if (num == 0) {
        tg_detail_set_reason(detail, "no key policy: it has no Statement");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (num > TG_MAX_POLICY_STATEMENTS) {
        tg_detail_set_reason(detail, "the policy has more than %d statements", TG_MAX_POLICY_STATEMENTS);
        return tg_fail(TG_ERR_LIMIT);
    }
    for (size_t i = 0; i < num; i++) {
        const json_t *statement = json_is_array(given) ? json_array_get(given, i) : given;
        TG_TRY(check_statement(statement, i, detail));
        policy->statements[policy->num_statements++] = statement;
    }
    return tg_ok();
}

static tg_result load(tg_slice json, json_t **out_tree, tg_detail *detail)
{
    json_error_t error;
    *out_tree = json_loadb((const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (*out_tree == NULL) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, error.line > 0 ? (unsigned)error.line : 0,
                            (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "not JSON: %.150s", error.text);
        return tg_fail(TG_ERR_SYNTAX);
    }
    return tg_ok();
}

tg_result tg_key_policy_parse(tg_slice json, tg_key_policy *out_policy, tg_detail *detail)
{
    tg_key_policy policy = {.num_statements = 0};
    if (json.len > TG_MAX_KEY_POLICY_BYTES) {
        tg_detail_set_reason(detail, "longer than %d bytes", TG_MAX_KEY_POLICY_BYTES);
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(load(json, &policy.tree, detail));
    const json_t *inner = json_object_get(policy.tree, "Policy");
    if (json_is_string(inner)) {
        json_t *tree = NULL;
        tg_result loaded = load(tg_slice_of(json_string_value(inner), json_string_length(inner)), &tree, detail);
        json_decref(policy.tree);
        TG_TRY(loaded);
        policy.tree = tree;
    }
    tg_result result = take_statements(&policy, detail);
    if (!tg_is_ok(result)) {
        json_decref(policy.tree);
        return result;
    }
    *out_policy = policy;
    return tg_ok();
}

void tg_key_policy_done(tg_key_policy *policy)
{
    json_decref(TG_TAKE(policy->tree));
    policy->num_statements = 0;
}

bool tg_policy_statement_is_allow(const json_t *statement)
{
    return strcmp(json_string_value(json_object_get(statement, "Effect")), "Allow") == 0;
}

const char *tg_policy_statement_sid(const json_t *statement)
{
    const char *sid = json_string_value(json_object_get(statement, "Sid"));
    return sid != NULL ? sid : "";
}

/* Goes back to the last star alone, so that many stars cost no more than length times length. */
bool tg_policy_matches(tg_slice pattern, tg_slice text, bool is_nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        bool is_same =
            p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t] ||
                                (is_nocase && tg_ascii_lower(pattern.ptr[p]) == tg_ascii_lower(text.ptr[t])));
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (is_same) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static size_t num_texts(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : value != NULL ? 1 : 0;
}

static tg_slice text_at(const json_t *value, size_t index)
{
    const json_t *text = json_is_array(value) ? json_array_get(value, index) : value;
    return tg_slice_of(json_string_value(text), json_string_length(text));
}

static bool any_matches(const json_t *patterns, tg_slice text)
{
    for (size_t i = 0; i < num_texts(patterns); i++) {
        if (tg_policy_matches(text_at(patterns, i), text, true)) {
            return true;
        }
    }
    return false;
}

bool tg_policy_statement_covers(const json_t *statement, const char *action)
{
    const json_t *actions = json_object_get(statement, "Action");
    if (actions != NULL) {
        return any_matches(actions, tg_slice_str(action));
    }
    return !any_matches(json_object_get(statement, "NotAction"), tg_slice_str(action));
}
