#include "tool/attest_policy.h"

#include "base/encode.h"
#include "base/num.h"
#include "sys/file.h"
#include "sys/log.h"

enum { MAX_POLICY_BYTES = 1 << 20 };

void tg_attest_policy_done(tg_attest_policy *policy)
{
    json_decref(policy->tree);
}

bool tg_attest_policy_allows(const tg_attest_policy *policy, const char *word)
{
    const char *given;
    for (size_t i = 0; (given = tg_invocation_value_at(policy->allow, "allow", i)) != NULL; i++) {
        if (strcmp(given, word) == 0) {
            return true;
        }
    }
    return false;
}

static tg_result refuse(tg_detail *detail, const char *field, const char *reason)
{
    tg_detail_set_place(detail, TG_LIT("policy"), 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "`teegate attest pcrs` writes one");
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result set_pcr(tg_pcr_set *set, tg_slice index_text, tg_slice hex, tg_detail *detail)
{
    uint64_t index = 0;
    if (!tg_is_ok(tg_num_parse_u64(index_text, TG_NITRO_NUM_PCRS - 1, &index))) {
        return refuse(detail, "pcrs", "a register's number is 0 to 31");
    }
    if (hex.len != (size_t)2 * TG_NITRO_PCR_BYTES || !tg_is_ok(tg_hex_decode(hex, set->values[index]))) {
        return refuse(detail, "pcrs", "a register's value is of 96 hexadecimal digits");
    }
    set->has[index] = true;
    return tg_ok();
}

static tg_result read_set(json_t *entry, tg_pcr_set *set, tg_detail *detail)
{
    json_t *pcrs = json_object_get(entry, "pcrs");
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *index = NULL;
    json_t *value = NULL;
    if (!json_is_object(pcrs) || json_object_size(pcrs) == 0 || json_object_size(entry) != (name != NULL ? 2u : 1u)) {
        return refuse(detail, "pcr_sets",
                      "each set holds \"pcrs\", an object of at least one register, and a \"name\"");
    }
    set->name = name != NULL ? name : "unnamed";
    json_object_foreach(pcrs, index, value)
    {
        TG_TRY(json_is_string(value) ? set_pcr(set, tg_slice_str(index), tg_slice_str(json_string_value(value)), detail)
                                     : refuse(detail, "pcrs", "a register's value is a text"));
    }
    return tg_ok();
}

static tg_result read_sets(json_t *sets, tg_attest_policy *policy, tg_detail *detail)
{
    size_t i = 0;
    json_t *entry = NULL;
    if (!json_is_array(sets) || json_array_size(sets) == 0 || json_array_size(sets) > TG_MAX_POLICY_SETS) {
        return refuse(detail, "pcr_sets", "is an array of 1 to 64 sets");
    }
    json_array_foreach(sets, i, entry)
    {
        TG_TRY(read_set(entry, &policy->sets[policy->num_sets], detail));
        policy->num_sets++;
    }
    return tg_ok();
}

static tg_result read_texts(json_t *texts, const char *name, const json_t **out_texts, tg_detail *detail)
{
    size_t i = 0;
    json_t *text = NULL;
    if (!json_is_array(texts)) {
        return refuse(detail, name, "is an array of hexadecimal texts");
    }
    json_array_foreach(texts, i, text)
    {
        TG_TRY(json_is_string(text) ? tg_ok() : refuse(detail, name, "is an array of hexadecimal texts"));
    }
    *out_texts = texts;
    return tg_ok();
}

static tg_result read_member(const char *name, json_t *value, tg_attest_policy *policy, tg_detail *detail)
{
    if (strcmp(name, "pcr_sets") == 0) {
        return read_sets(value, policy, detail);
    }
    const struct {
        const char *name;
        const json_t **texts;
    } lists[] = {{"dek_fingerprints", &policy->dek_fingerprints},
                 {"schemas", &policy->schemas},
                 {"client_ca", &policy->client_ca},
                 {"settings", &policy->settings},
                 {"routes", &policy->routes}};
    for (size_t i = 0; i < TG_COUNT(lists); i++) {
        if (strcmp(name, lists[i].name) == 0) {
            return read_texts(value, name, lists[i].texts, detail);
        }
    }
    if (strcmp(name, "max_age_s") == 0 && json_is_integer(value) && json_integer_value(value) > 0) {
        policy->max_age_s = (uint64_t)json_integer_value(value);
        return tg_ok();
    }
    return refuse(
        detail, name,
        "no such member: pcr_sets, dek_fingerprints, schemas, client_ca, settings, routes, max_age_s (a number "
        "above 0)");
}

static tg_result read_file(const char *path, tg_attest_policy *policy, tg_detail *detail)
{
    tg_buf text;
    json_error_t error;
    const char *name = NULL;
    json_t *value = NULL;
    tg_buf_init(&text, MAX_POLICY_BYTES);
    tg_result read = tg_file_read(path, &text);
    if (tg_is_ok(read)) {
        policy->tree =
            json_loadb((const char *)tg_buf_slice(&text).ptr, tg_buf_len(&text), JSON_REJECT_DUPLICATES, &error);
    }
    tg_buf_done(&text);
    if (!tg_is_ok(read)) {
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "the policy cannot be read: %s", tg_log_error_text(read));
        return read;
    }
    if (!json_is_object(policy->tree)) {
        return refuse(detail, "", policy->tree == NULL ? "is damaged JSON" : "is no object");
    }
    json_object_foreach(policy->tree, name, value)
    {
        TG_TRY(read_member(name, value, policy, detail));
    }
    return tg_ok();
}

static tg_result read_options(const tg_invocation *invocation, tg_attest_policy *policy, tg_detail *detail)
{
    const char *given = tg_invocation_value(invocation, "max-age");
    if (given != NULL &&
        (!tg_is_ok(tg_num_parse_u64(tg_slice_str(given), UINT32_MAX, &policy->max_age_s)) || policy->max_age_s == 0)) {
        return refuse(detail, "--max-age", "is a number of seconds above 0");
    }
    if (tg_invocation_value_at(invocation, "pcr", 0) == NULL) {
        return tg_ok();
    }
    if (policy->num_sets == TG_MAX_POLICY_SETS) {
        return refuse(detail, "--pcr", "the policy has 64 sets already");
    }
    tg_pcr_set *set = &policy->sets[policy->num_sets];
    set->name = "--pcr";
    for (size_t i = 0; (given = tg_invocation_value_at(invocation, "pcr", i)) != NULL; i++) {
        tg_slice value = tg_slice_str(given);
        tg_slice index = tg_slice_split(&value, '=');
        TG_TRY(set_pcr(set, index, value, detail));
    }
    policy->num_sets++;
    return tg_ok();
}

tg_result tg_attest_policy_load(const tg_invocation *invocation, tg_attest_policy *policy, tg_detail *detail)
{
    *policy = (tg_attest_policy){.allow = invocation};
    const char *path = tg_invocation_value(invocation, "policy");
    TG_TRY(path != NULL ? read_file(path, policy, detail) : tg_ok());
    return read_options(invocation, policy, detail);
}
