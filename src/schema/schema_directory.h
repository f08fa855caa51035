/* The schema files below a directory, read whole. */
#ifndef TG_SCHEMA_SCHEMA_DIRECTORY_H
#define TG_SCHEMA_SCHEMA_DIRECTORY_H

#include "base/arena.h"
#include "schema/schema_set.h"

enum { TG_MAX_SCHEMA_DIRECTORY_DEPTH = 16 };

typedef struct tg_schema_files {
    tg_schema_file *files;
    size_t num_files, files_cap;
    size_t num_bytes;
    tg_arena names;
} tg_schema_files;

/* tg_schema_files_read reads what tg_schema_set_load would.
 * out   the files that are schemas by their ending; what cannot be read is told in faults and left out
 * err   TG_ERR_SYSTEM where the directory cannot be read, TG_ERR_LIMIT past the bounds of a set (a fault says which),
 *       TG_ERR_MEMORY
 * keep  ended with tg_schema_files_done, also after a failure
 */
TG_MUST_USE tg_result tg_schema_files_read(tg_schema_files *files, const char *directory, tg_faults *faults);
void tg_schema_files_done(tg_schema_files *files);

#endif
