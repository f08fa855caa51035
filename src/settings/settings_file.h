/* Settings from a JSON file: one object whose members are settings. */
#ifndef TG_SETTINGS_SETTINGS_FILE_H
#define TG_SETTINGS_SETTINGS_FILE_H

#include "settings/settings.h"

enum { TG_MAX_SETTINGS_FILE_BYTES = 1 << 20 };

/* tg_settings_read_file reads the file at `path`. What is wrong with it (absent, too long, not JSON, an unknown
 * member, a bad value) becomes faults with file and line.
 * path  kept by the settings: it must live as long
 * err   TG_ERR_MEMORY only
 */
TG_MUST_USE tg_result tg_settings_read_file(tg_settings *settings, const char *path, tg_faults *faults);

/* tg_settings_read_json does the same with the file's bytes. */
TG_FOREIGN TG_MUST_USE tg_result tg_settings_read_json(tg_settings *settings, const char *path, tg_slice json,
                                                       tg_faults *faults);

#endif
