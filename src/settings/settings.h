/* A table of typed settings, read into the caller's struct: defaults, then a JSON file, then the environment, each
 * later one overriding. Every value is checked, an overridden one too, and all faults are reported together.
 *
 * In the file an object's members are the settings; a member that the table does not know is a fault. Numbers,
 * booleans and arrays are written as JSON has them, or as the text that the environment would hold. In the
 * environment other variables are ignored, and an empty one counts as unset - but for a measured (M) setting, where
 * empty could be meant as "nobody": there it is a fault. */
#ifndef TG_SETTINGS_SETTINGS_H
#define TG_SETTINGS_SETTINGS_H

#include "settings/setting_value.h"

typedef enum tg_setting_source { TG_SOURCE_DEFAULT, TG_SOURCE_FILE, TG_SOURCE_ENVIRONMENT } tg_setting_source;

typedef struct tg_setting_state {
    tg_setting_source source;
    unsigned line;      /* in the file; 0 where unknown */
    bool is_faulty;     /* what a source said did not pass; the value is the one before */
    const char *origin; /* who set a default that is not the table's ("local mode"), else NULL */
} tg_setting_state;

typedef struct tg_settings {
    const tg_setting *table;
    size_t num_settings;
    void *values; /* the caller's struct */
    tg_setting_state *states;
    tg_arena arena;   /* text of the values */
    const char *file; /* the path that was read, NULL before */
} tg_settings;

/* tg_settings_init stores the table's defaults in `values`, which the caller has zeroed.
 * err   TG_ERR_MEMORY; TG_ERR_SYNTAX or TG_ERR_RANGE where a default does not pass its own check
 * keep  the table lives as long; text in `values` lives until tg_settings_done
 */
TG_MUST_USE tg_result tg_settings_init(tg_settings *settings, const tg_setting *table, size_t num_settings,
                                       void *values);
void tg_settings_done(tg_settings *settings);

/* tg_settings_set_default replaces a default that nothing has overridden, now or by a later read.
 * origin  what the listing calls it, static storage
 * err     TG_ERR_NOT_FOUND, or as tg_setting_parse
 */
TG_MUST_USE tg_result tg_settings_set_default(tg_settings *settings, const char *name, const char *text,
                                              const char *origin);

/* tg_settings_set reads one value from text, as a source has it; a bad one becomes a fault, with its place.
 * err   TG_ERR_MEMORY only
 */
TG_MUST_USE tg_result tg_settings_set(tg_settings *settings, size_t index, tg_slice text, tg_setting_state state,
                                      tg_faults *faults);

/* tg_settings_read_environment takes the table's names out of `environment` (`NAME=value` strings, ended by NULL).
 * err   TG_ERR_MEMORY only
 */
TG_FOREIGN TG_MUST_USE tg_result tg_settings_read_environment(tg_settings *settings, const char *const *environment,
                                                              tg_faults *faults);

/* tg_settings_check_required adds a fault for each required setting that has no value. */
void tg_settings_check_required(const tg_settings *settings, tg_faults *faults);

/* tg_settings_index gives the place of a name in the table, or num_settings. */
size_t tg_settings_index(const tg_settings *settings, tg_slice name);
/* tg_settings_is_default says whether neither file nor environment set `name`. */
bool tg_settings_is_default(const tg_settings *settings, const char *name);

/* tg_settings_add_fault gives a detail whose place says where the value of `name` came from, for the caller's own
 * checks (those that look at several settings).
 */
tg_detail *tg_settings_add_fault(const tg_settings *settings, const char *name, tg_faults *faults);

#endif
