#include "aws/key_set.h"

#include "aws/json.h"
#include "aws/time.h"
#include "aws/xml.h"
#include "base/text.h"

#include <stdlib.h>

static bool is_visible(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static tg_slice place(uint8_t **at, tg_slice bytes)
{
    tg_slice copy = tg_slice_of(*at, bytes.len);
    if (bytes.len > 0) {
        memcpy(*at, bytes.ptr, bytes.len);
    }
    *at += bytes.len;
    return copy;
}

tg_result tg_aws_key_set_new(const tg_aws_keys *keys, uint64_t expires_unix_s, tg_aws_key_set **out_set)
{
    tg_slice id = keys->access_key_id, secret = keys->secret_access_key, token = keys->session_token;
    if (id.len > TG_AWS_MAX_KEY_ID_BYTES || secret.len > TG_AWS_MAX_SECRET_KEY_BYTES ||
        token.len > TG_AWS_MAX_TOKEN_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (id.len == 0 || secret.len == 0 || !is_visible(id) || !is_visible(secret) || !is_visible(token)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    size_t num_bytes = id.len + secret.len + token.len;
    tg_secret *locked = NULL;
    tg_result made = tg_secret_new(sizeof(tg_aws_key_set) + num_bytes, &locked);
    tg_aws_key_set *set =
        tg_is_ok(made) ? (tg_aws_key_set *)(void *)tg_secret_fill(locked) : malloc(sizeof *set + num_bytes);
    if (set == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t *at = (uint8_t *)(set + 1);
    *set = (tg_aws_key_set){.num_refs = 1, .expires_unix_s = expires_unix_s, .place = locked, .num_bytes = num_bytes};
    set->keys.access_key_id = place(&at, id);
    set->keys.secret_access_key = place(&at, secret);
    set->keys.session_token = place(&at, token);
    *out_set = set;
    return tg_ok();
}

tg_aws_key_set *tg_aws_key_set_ref(tg_aws_key_set *set)
{
    set->num_refs++;
    return set;
}

void tg_aws_key_set_unref(tg_aws_key_set *set)
{
    if (set == NULL || --set->num_refs > 0) {
        return;
    }
    if (set->place != NULL) {
        tg_secret_free(set->place); /* wiped, and this struct with it */
    } else {
        tg_wipe(set, sizeof *set + set->num_bytes);
        free(set);
    }
}

static tg_result make(tg_slice id, tg_slice secret, tg_slice token, tg_slice expiration, tg_aws_key_set **out_set)
{
    uint64_t expires_unix_s = 0;
    if (expiration.len > 0) {
        TG_TRY(tg_aws_time_parse_iso(expiration, &expires_unix_s));
    }
    return tg_aws_key_set_new(&(tg_aws_keys){id, secret, token}, expires_unix_s, out_set);
}

static tg_result read_json(const json_t *root, tg_aws_key_set **out_set)
{
    tg_slice code, id = {NULL, 0}, secret = {NULL, 0}, token = {NULL, 0}, expiration = {NULL, 0};
    if (tg_aws_json_text(root, "Code", &code) && !tg_slice_equal(code, TG_LIT("Success"))) {
        return tg_fail(TG_ERR_DENIED);
    }
    if (!tg_aws_json_text(root, "AccessKeyId", &id) || !tg_aws_json_text(root, "SecretAccessKey", &secret)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    (void)tg_aws_json_text(root, "Token", &token);
    (void)tg_aws_json_text(root, "Expiration", &expiration);
    return make(id, secret, token, expiration, out_set);
}

tg_result tg_aws_key_set_parse_json(tg_slice json, tg_aws_key_set **out_set)
{
    json_t *root;
    TG_TRY(tg_aws_json_parse(json, &root));
    tg_result result = read_json(root, out_set);
    json_decref(root);
    return result;
}

enum { ID, SECRET, TOKEN, EXPIRATION, NUM_PARTS };

/* The parts as they are found, in one wiped buffer. */
typedef struct sts_parts {
    tg_buf bytes;
    size_t at[NUM_PARTS];
    size_t len[NUM_PARTS];
} sts_parts;

static tg_result on_element(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    static const char *const names[NUM_PARTS] = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    sts_parts *parts = owner;
    tg_slice prefix = TG_LIT("AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/");
    if (!is_leaf || !tg_slice_starts(path, prefix)) {
        return tg_ok();
    }
    for (size_t i = 0; i < NUM_PARTS; i++) {
        if (tg_slice_equal(tg_slice_from(path, prefix.len), tg_slice_str(names[i]))) {
            if (parts->len[i] > 0) {
                return tg_fail(TG_ERR_SYNTAX);
            }
            parts->at[i] = tg_buf_len(&parts->bytes);
            parts->len[i] = text.len;
            return tg_buf_append(&parts->bytes, text);
        }
    }
    return tg_ok();
}

static tg_slice part_of(const sts_parts *parts, size_t index)
{
    return tg_slice_first(tg_slice_from(tg_buf_slice(&parts->bytes), parts->at[index]), parts->len[index]);
}

tg_result tg_aws_key_set_parse_sts(tg_slice xml, tg_aws_key_set **out_set)
{
    sts_parts parts = {.at = {0}};
    tg_buf_init_wiped(&parts.bytes, TG_AWS_MAX_TOKEN_BYTES + 1024);
    tg_result result = tg_aws_xml_read(xml, on_element, &parts);
    if (tg_is_ok(result)) {
        result = make(part_of(&parts, ID), part_of(&parts, SECRET), part_of(&parts, TOKEN), part_of(&parts, EXPIRATION),
                      out_set);
    }
    tg_buf_done(&parts.bytes);
    return result;
}

/* "[" name "]", in a configuration with `profile ` before all names but `default`. */
static tg_result read_section(tg_slice line, tg_slice profile, bool is_config, bool *out_is_it)
{
    if (!tg_slice_ends(line, TG_LIT("]"))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice name = tg_slice_trim(tg_slice_of(line.ptr + 1, line.len - 2), " \t");
    bool is_default = tg_slice_equal(profile, TG_LIT("default"));
    if (is_config && tg_slice_starts(name, TG_LIT("profile "))) {
        name = tg_slice_trim(tg_slice_from(name, sizeof "profile" - 1), " \t");
    } else if (is_config && !is_default) {
        name = (tg_slice){NULL, 0};
    }
    *out_is_it = name.len > 0 && tg_slice_equal(name, profile);
    return tg_ok();
}

static tg_result read_line(tg_slice line, tg_aws_keys *keys)
{
    size_t mark = tg_slice_find(line, '=');
    if (mark == line.len || mark == 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice name = tg_slice_trim(tg_slice_first(line, mark), " \t");
    tg_slice value = tg_slice_trim(tg_slice_from(line, mark + 1), " \t");
    if (tg_slice_equal(name, TG_LIT("aws_access_key_id"))) {
        keys->access_key_id = value;
    } else if (tg_slice_equal(name, TG_LIT("aws_secret_access_key"))) {
        keys->secret_access_key = value;
    } else if (tg_slice_equal(name, TG_LIT("aws_session_token"))) {
        keys->session_token = value;
    }
    return tg_ok();
}

tg_result tg_aws_key_set_parse_profile(tg_slice text, tg_slice profile, bool is_config, tg_aws_key_set **out_set)
{
    tg_aws_keys keys = {.session_token = {NULL, 0}};
    bool is_it = false;
    while (text.ptr != NULL) {
        tg_slice raw = tg_slice_trim(tg_slice_split(&text, '\n'), "\r");
        tg_slice line = tg_slice_trim(raw, " \t");
        bool is_indented = raw.len > 0 && line.ptr != raw.ptr; /* a value of several lines, or a nested one */
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';' || (is_indented && line.ptr[0] != '[')) {
            continue;
        }
        if (line.ptr[0] == '[') {
            TG_TRY(read_section(line, profile, is_config, &is_it));
        } else if (is_it) {
            TG_TRY(read_line(line, &keys));
        }
    }
    if (keys.access_key_id.len == 0 && keys.secret_access_key.len == 0) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    return tg_aws_key_set_new(&keys, 0, out_set);
}
