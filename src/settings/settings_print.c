#include "settings/settings_print.h"

#include "base/text.h"

#include <stdio.h>

static const char *source_name(const tg_settings *settings, size_t index)
{
    const tg_setting_state *state = &settings->states[index];
    switch (state->source) {
    case TG_SOURCE_FILE:
        return "file";
    case TG_SOURCE_ENVIRONMENT:
        return "environment";
    case TG_SOURCE_DEFAULT:
        break;
    }
    return state->origin != NULL ? state->origin : "default";
}

static bool is_measured(const tg_setting *setting)
{
    return (setting->flags & TG_SETTING_MEASURED) != 0;
}

tg_result tg_settings_append_table(const tg_settings *settings, tg_buf *buf)
{
    for (size_t i = 0; i < settings->num_settings; i++) {
        const tg_setting *setting = &settings->table[i];
        if (setting->type == TG_SETTING_NOT_IN_USE) {
            continue;
        }
        TG_TRY(tg_buf_printf(buf, "%-30s ", setting->name));
        size_t before = tg_buf_len(buf);
        TG_TRY(tg_setting_append(setting, settings->values, buf));
        size_t width = tg_buf_len(buf) - before;
        TG_TRY(tg_buf_printf(buf, "%*s  %s", width < 30 ? (int)(30 - width) : 0, "", source_name(settings, i)));
        if (settings->states[i].line > 0) {
            TG_TRY(tg_buf_printf(buf, " line %u", settings->states[i].line));
        }
        TG_TRY(tg_buf_append_str(buf, is_measured(setting) ? " (M)\n" : "\n"));
    }
    return tg_ok();
}

tg_result tg_settings_append_json(const tg_settings *settings, tg_buf *buf)
{
    TG_TRY(tg_buf_append_str(buf, "{\"settings\":{"));
    const char *before = "\n";
    for (size_t i = 0; i < settings->num_settings; i++) {
        const tg_setting *setting = &settings->table[i];
        if (setting->type == TG_SETTING_NOT_IN_USE) {
            continue;
        }
        TG_TRY(tg_buf_printf(buf, "%s  \"%s\":{\"value\":", before, setting->name));
        TG_TRY(tg_setting_append_json(setting, settings->values, buf));
        if (setting->type == TG_SETTING_NUMBER && setting->unit != TG_UNIT_COUNT) {
            TG_TRY(tg_buf_printf(buf, ",\"unit\":\"%s\"", tg_setting_unit_name(setting->unit)));
        }
        TG_TRY(tg_buf_printf(buf, ",\"source\":\"%s\",\"measured\":%s}", source_name(settings, i),
                             is_measured(setting) ? "true" : "false"));
        before = ",\n";
    }
    return tg_buf_append_str(buf, "\n}}\n");
}

static tg_result append_default(const tg_setting *setting, tg_buf *buf)
{
    if (setting->fallback != NULL) {
        return tg_buf_printf(buf, " [%s]", setting->fallback);
    }
    return (setting->flags & TG_SETTING_REQUIRED) != 0 ? tg_buf_append_str(buf, " (required)") : tg_ok();
}

tg_result tg_settings_append_help(const tg_setting *table, size_t num_settings, tg_buf *buf)
{
    for (size_t i = 0; i < num_settings; i++) {
        const tg_setting *setting = &table[i];
        if (setting->type == TG_SETTING_NOT_IN_USE) {
            continue;
        }
        TG_TRY(tg_buf_printf(buf, "  %s%s", setting->name, is_measured(setting) ? " (M)" : ""));
        TG_TRY(append_default(setting, buf));
        TG_TRY(tg_buf_printf(buf, "\n      %s", setting->effect));
        if (setting->form != NULL) {
            TG_TRY(tg_buf_printf(buf, ": %s", setting->form));
        }
        if (setting->type == TG_SETTING_NUMBER) {
            TG_TRY(tg_buf_printf(buf, " (%llu to %llu", (unsigned long long)setting->min,
                                 (unsigned long long)setting->max));
            const char *unit = setting->unit == TG_UNIT_PORT ? "" : tg_setting_unit_name(setting->unit);
            TG_TRY(tg_buf_printf(buf, "%s%s)", *unit != 0 ? " " : "", unit));
        }
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    return tg_ok();
}

tg_result tg_faults_append(const tg_faults *faults, tg_buf *buf)
{
    size_t num_kept = tg_faults_kept(faults);
    for (size_t i = 0; i < num_kept; i++) {
        TG_TRY(tg_detail_append(&faults->faults[i], buf));
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    if (faults->num_faults > num_kept) {
        TG_TRY(tg_buf_printf(buf, "and %zu more\n", faults->num_faults - num_kept));
    }
    return tg_ok();
}
