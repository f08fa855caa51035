#include "settings/settings.h"

#include <stdlib.h>

enum { MAX_VALUES_BYTES = 8 << 20 };

static tg_slice name_of(const tg_setting *setting)
{
    return tg_slice_str(setting->name);
}

tg_result tg_settings_init(tg_settings *settings, const tg_setting *table, size_t num_settings, void *values)
{
    *settings = (tg_settings){.table = table, .num_settings = num_settings, .values = values};
    tg_arena_init(&settings->arena, MAX_VALUES_BYTES, true);
    settings->states = calloc(num_settings + 1, sizeof *settings->states);
    if (settings->states == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < num_settings; i++) {
        if (table[i].fallback != NULL) {
            tg_result result =
                tg_setting_parse(&table[i], tg_slice_str(table[i].fallback), &settings->arena, values, NULL);
            if (!tg_is_ok(result)) {
                tg_settings_done(settings);
                return result;
            }
        }
    }
    return tg_ok();
}

void tg_settings_done(tg_settings *settings)
{
    free(settings->states);
    tg_arena_done(&settings->arena);
    *settings = (tg_settings){0};
}

size_t tg_settings_index(const tg_settings *settings, tg_slice name)
{
    size_t i = 0;
    while (i < settings->num_settings && !tg_slice_equal(name_of(&settings->table[i]), name)) {
        i++;
    }
    return i;
}

bool tg_settings_is_default(const tg_settings *settings, const char *name)
{
    size_t index = tg_settings_index(settings, tg_slice_str(name));
    return index == settings->num_settings || settings->states[index].source == TG_SOURCE_DEFAULT;
}

tg_result tg_settings_set_default(tg_settings *settings, const char *name, const char *text, const char *origin)
{
    size_t index = tg_settings_index(settings, tg_slice_str(name));
    if (index == settings->num_settings) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    if (settings->states[index].source == TG_SOURCE_DEFAULT) {
        TG_TRY(tg_setting_parse(&settings->table[index], tg_slice_str(text), &settings->arena, settings->values, NULL));
        settings->states[index].origin = origin;
    }
    return tg_ok();
}

static void set_place(const tg_settings *settings, const tg_setting_state *state, tg_slice name, tg_detail *fault)
{
    tg_slice file = {NULL, 0};
    if (state->source == TG_SOURCE_FILE) {
        file = tg_slice_str(settings->file);
    } else if (state->source == TG_SOURCE_ENVIRONMENT) {
        file = TG_LIT("environment");
    }
    tg_detail_set_place(fault, file, state->line, name);
}

tg_detail *tg_settings_add_fault(const tg_settings *settings, const char *name, tg_faults *faults)
{
    const tg_setting_state none = {.source = TG_SOURCE_DEFAULT};
    size_t index = tg_settings_index(settings, tg_slice_str(name));
    tg_detail *fault = tg_faults_add(faults);
    set_place(settings, index < settings->num_settings ? &settings->states[index] : &none, tg_slice_str(name), fault);
    return fault;
}

tg_result tg_settings_set(tg_settings *settings, size_t index, tg_slice text, tg_setting_state state, tg_faults *faults)
{
    const tg_setting *setting = &settings->table[index];
    tg_detail fault;
    tg_detail_clear(&fault);
    tg_result result = tg_setting_parse(setting, text, &settings->arena, settings->values, &fault);
    if (tg_is_ok(result)) {
        settings->states[index] = state;
        return result;
    }
    if (fault.reason[0] == 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    settings->states[index].is_faulty = true;
    set_place(settings, &state, name_of(setting), &fault);
    *tg_faults_add(faults) = fault;
    return tg_ok();
}

static tg_result set_from_variable(tg_settings *settings, size_t index, tg_slice text, tg_faults *faults)
{
    const tg_setting *setting = &settings->table[index];
    const tg_setting_state state = {.source = TG_SOURCE_ENVIRONMENT};
    if (text.len > 0) {
        return tg_settings_set(settings, index, text, state, faults);
    }
    if ((setting->flags & TG_SETTING_MEASURED) != 0 && setting->type != TG_SETTING_NOT_IN_USE) {
        tg_detail *fault = tg_faults_add(faults);
        set_place(settings, &state, name_of(setting), fault);
        tg_detail_set_reason(fault, "is empty, which may be meant as \"nobody\" or as \"not set\"");
        tg_detail_set_remedy(fault, "give it a value, or remove the variable");
    }
    return tg_ok();
}

tg_result tg_settings_read_environment(tg_settings *settings, const char *const *environment, tg_faults *faults)
{
    for (size_t i = 0; i < settings->num_settings; i++) {
        for (const char *const *variable = environment; *variable != NULL; variable++) {
            tg_slice text = tg_slice_str(*variable);
            tg_slice name = tg_slice_first(text, tg_slice_find(text, '='));
            if (name.len < text.len && tg_slice_equal(name, name_of(&settings->table[i]))) {
                TG_TRY(set_from_variable(settings, i, tg_slice_from(text, name.len + 1), faults));
                break; /* of two the first counts, as for getenv */
            }
        }
    }
    return tg_ok();
}

void tg_settings_check_required(const tg_settings *settings, tg_faults *faults)
{
    for (size_t i = 0; i < settings->num_settings; i++) {
        const tg_setting *setting = &settings->table[i];
        bool is_required = (setting->flags & TG_SETTING_REQUIRED) != 0 && !settings->states[i].is_faulty;
        if (is_required && tg_setting_is_unset(setting, settings->values)) {
            tg_detail *fault = tg_settings_add_fault(settings, setting->name, faults);
            tg_detail_set_reason(fault, "is required and not set");
            if (setting->form != NULL) {
                tg_detail_set_remedy(fault, "set it to %s", setting->form);
            } else {
                tg_detail_set_remedy(fault, "it says: %s", setting->effect);
            }
        }
    }
}
