/* What the settings are and where they came from, for --print-config and --help. */
#ifndef TG_SETTINGS_SETTINGS_PRINT_H
#define TG_SETTINGS_SETTINGS_PRINT_H

#include "settings/settings.h"

/* tg_settings_append_table writes one line a setting: name, value, source; (M) marks the measured ones.
 * tg_settings_append_json writes {"settings": {NAME: {"value", "unit", "source", "measured"}}}.
 * Secret values are shown by neither.
 */
TG_MUST_USE tg_result tg_settings_append_table(const tg_settings *settings, tg_buf *buf);
TG_MUST_USE tg_result tg_settings_append_json(const tg_settings *settings, tg_buf *buf);

/* tg_settings_append_help writes one entry a setting: name, default, range, form, effect. */
TG_MUST_USE tg_result tg_settings_append_help(const tg_setting *table, size_t num_settings, tg_buf *buf);

/* tg_faults_append writes one line a fault (`file:line: field: reason; remedy`), and how many were not kept. */
TG_MUST_USE tg_result tg_faults_append(const tg_faults *faults, tg_buf *buf);

#endif
