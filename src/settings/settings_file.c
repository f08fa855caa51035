#include "settings/settings_file.h"

#include "base/distance.h"
#include "settings/member_lines.h"
#include "sys/file.h"

#include <jansson.h>
#include <stdio.h>

static tg_detail *fault_at(const tg_settings *settings, unsigned line, tg_slice field, tg_faults *faults)
{
    tg_detail *fault = tg_faults_add(faults);
    tg_detail_set_place(fault, tg_slice_str(settings->file), line, field);
    return fault;
}

static void report_unknown(const tg_settings *settings, tg_slice json, tg_slice name, tg_faults *faults)
{
    tg_detail *fault = fault_at(settings, tg_member_line(json, name), name, faults);
    tg_detail_set_reason(fault, "there is no such setting");
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < settings->num_settings; i++) {
        tg_slice candidate = tg_slice_str(settings->table[i].name);
        size_t distance = tg_text_distance(name, candidate);
        if (distance < least && tg_text_is_near(name, candidate)) {
            least = distance;
            nearest = settings->table[i].name;
        }
    }
    if (nearest != NULL) {
        tg_detail_set_remedy(fault, "did you mean %s?", nearest);
    } else {
        tg_detail_set_remedy(fault, "remove it; --help lists the settings");
    }
}

static void report_kind(const tg_settings *settings, size_t index, unsigned line, const char *expected,
                        tg_faults *faults)
{
    settings->states[index].is_faulty = true;
    tg_detail *fault = fault_at(settings, line, tg_slice_str(settings->table[index].name), faults);
    tg_detail_set_reason(fault, "the value is of the wrong JSON kind");
    tg_detail_set_remedy(fault, "write %s", expected);
}

static tg_result set_list(tg_settings *settings, size_t index, const json_t *array, unsigned line, tg_faults *faults)
{
    const tg_setting *setting = &settings->table[index];
    tg_slice items[TG_MAX_SETTING_ITEMS + 1];
    size_t num_items = 0;
    for (; num_items < json_array_size(array) && num_items < TG_COUNT(items); num_items++) {
        const json_t *item = json_array_get(array, num_items);
        if (!json_is_string(item)) {
            report_kind(settings, index, line, "a list of strings", faults);
            return tg_ok();
        }
        items[num_items] = tg_slice_of(json_string_value(item), json_string_length(item));
    }
    tg_detail *fault = NULL;
    tg_detail found;
    tg_detail_clear(&found);
    tg_result result = tg_setting_parse_list(setting, items, num_items, &settings->arena, settings->values, &found);
    if (tg_is_ok(result)) {
        settings->states[index] = (tg_setting_state){.source = TG_SOURCE_FILE, .line = line};
        return result;
    }
    if (found.reason[0] == 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    settings->states[index].is_faulty = true;
    fault = fault_at(settings, line, tg_slice_str(setting->name), faults);
    memcpy(fault->reason, found.reason, sizeof fault->reason);
    memcpy(fault->remedy, found.remedy, sizeof fault->remedy);
    return tg_ok();
}

static const char *expected_kind(const tg_setting *setting)
{
    switch (setting->type) {
    case TG_SETTING_BOOL:
        return "true or false";
    case TG_SETTING_NUMBER:
        return "a whole number, or a string";
    case TG_SETTING_LIST:
        return "a list of strings, or one string";
    case TG_SETTING_TEXT:
    case TG_SETTING_PATH:
    case TG_SETTING_LEVEL:
    case TG_SETTING_CHOICE:
    case TG_SETTING_NOT_IN_USE:
        break;
    }
    return "a string";
}

static tg_result set_member(tg_settings *settings, size_t index, const json_t *value, unsigned line, tg_faults *faults)
{
    const tg_setting *setting = &settings->table[index];
    const tg_setting_state state = {.source = TG_SOURCE_FILE, .line = line};
    if (json_is_string(value) || setting->type == TG_SETTING_NOT_IN_USE) {
        tg_slice text = {NULL, 0};
        if (json_is_string(value)) {
            text = tg_slice_of(json_string_value(value), json_string_length(value));
        }
        return tg_settings_set(settings, index, text, state, faults);
    }
    if (json_is_boolean(value) && setting->type == TG_SETTING_BOOL) {
        return tg_settings_set(settings, index, json_is_true(value) ? TG_LIT("true") : TG_LIT("false"), state, faults);
    }
    if (json_is_integer(value) && setting->type == TG_SETTING_NUMBER) {
        char digits[24];
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return tg_settings_set(settings, index, tg_slice_str(digits), state, faults);
    }
    if (json_is_array(value) && setting->type == TG_SETTING_LIST) {
        return set_list(settings, index, value, line, faults);
    }
    report_kind(settings, index, line, expected_kind(setting), faults);
    return tg_ok();
}

tg_result tg_settings_read_json(tg_settings *settings, const char *path, tg_slice json, tg_faults *faults)
{
    settings->file = path;
    json_error_t error;
    json_t *root = json_loadb((const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        tg_detail *fault =
            fault_at(settings, root == NULL && error.line > 0 ? (unsigned)error.line : 0, (tg_slice){NULL, 0}, faults);
        if (root == NULL && json_error_code(&error) == json_error_duplicate_key) {
            tg_detail_set_reason(fault, "a setting stands here twice");
        } else if (root == NULL) {
            tg_detail_set_reason(fault, "this is not JSON (column %d)", error.column);
        } else {
            tg_detail_set_reason(fault, "this is JSON, but no object");
        }
        tg_detail_set_remedy(fault, "write {\"NAME\": value, ...}");
        json_decref(root);
        return tg_ok();
    }
    tg_result result = tg_ok();
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        tg_slice name = tg_slice_str(key);
        size_t index = tg_settings_index(settings, name);
        if (index == settings->num_settings) {
            report_unknown(settings, json, name, faults);
            continue;
        }
        result = set_member(settings, index, value, tg_member_line(json, name), faults);
        if (!tg_is_ok(result)) {
            break;
        }
    }
    json_decref(root);
    return result;
}

tg_result tg_settings_read_file(tg_settings *settings, const char *path, tg_faults *faults)
{
    settings->file = path;
    tg_buf bytes;
    tg_buf_init_wiped(&bytes, TG_MAX_SETTINGS_FILE_BYTES);
    tg_result result = tg_file_read(path, &bytes);
    if (tg_is_ok(result)) {
        result = tg_settings_read_json(settings, path, tg_buf_slice(&bytes), faults);
    } else if (result.code != TG_ERR_MEMORY) {
        tg_detail *fault = fault_at(settings, 0, (tg_slice){NULL, 0}, faults);
        if (result.code == TG_ERR_LIMIT) {
            tg_detail_set_reason(fault, "the file is longer than %d bytes", TG_MAX_SETTINGS_FILE_BYTES);
        } else {
            tg_detail_set_reason(fault, "the file cannot be read: %s", tg_log_error_text(result));
        }
        tg_detail_set_remedy(fault, "name a readable JSON file");
        result = tg_ok();
    }
    tg_buf_done(&bytes);
    return result;
}
