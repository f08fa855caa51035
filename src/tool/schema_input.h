/* Schemas for a command: from files that were named, or from a folder. */
#ifndef TG_TOOL_SCHEMA_INPUT_H
#define TG_TOOL_SCHEMA_INPUT_H

#include "schema/schema_set.h"
#include "tool/console.h"

typedef struct tg_schema_input {
    tg_schema_set *set; /* NULL where loading failed */
    tg_faults faults;   /* of the files that were refused */
    char folder[4096];  /* that the names of the set's files are below, with `/`, as the caller spelled it */
} tg_schema_input;

/* tg_schema_input_load compiles one folder, or files; a file's schema name is its path below the folder that all
 * files share, without its ending.
 * out   TG_EXIT_OK also where files were refused (see faults); TG_EXIT_CANNOT after saying why
 * keep  ended by tg_schema_input_done, after a failure too
 */
int tg_schema_input_load(tg_schema_input *input, const char *const *paths, size_t num_paths, bool is_for_lint,
                         tg_console *console);
void tg_schema_input_done(tg_schema_input *input);

/* tg_schema_input_say_faults says each refused file on standard error. */
void tg_schema_input_say_faults(const tg_schema_input *input, tg_console *console);

/* tg_schema_input_find gives the root to begin at: `component` of the only schema, or of the one named.
 * name       NULL where the input has one schema; may be `name#Component` itself
 * component  NULL for the schema's own root
 * out        TG_EXIT_OK, or TG_EXIT_CANNOT after saying what there is
 */
int tg_schema_input_find(const tg_schema_input *input, const char *name, const char *component, tg_pii_root *out_root,
                         tg_console *console);

#endif
