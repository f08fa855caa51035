/* Files become compiled schemas, each by itself: one that is refused takes only those along that refer to it. Private
 * to the set. */
#ifndef TG_SCHEMA_SCHEMA_BATCH_H
#define TG_SCHEMA_SCHEMA_BATCH_H

#include "schema/schema_compile.h"

typedef struct tg_schema_batch {
    tg_library library;
    const tg_schema_file **files; /* by document, in the order of their names */
    tg_schema **compiled;         /* by document; NULL where refused or nameless */
    bool *touched;                /* scratch, by document */
    uint32_t *queue;              /* scratch */
    tg_schema **schemas;          /* of compiled those that are there, in the order of their names */
    size_t num_schemas;
    size_t num_refused;
} tg_schema_batch;

/* tg_schema_batch_compile reads and compiles all. err: as tg_schema_set_build
 * keep  ended with tg_schema_batch_done, also after a failure
 */
TG_MUST_USE tg_result tg_schema_batch_compile(tg_schema_batch *batch, const tg_schema_file *files, size_t num_files,
                                              const tg_schema_options *options, tg_faults *faults);
void tg_schema_batch_done(tg_schema_batch *batch);

/* tg_schema_would_lose says whether a refresh would seal less: the new schema is missing (NULL), or its graph leaves
 * open what the old one seals. If so, a fault tells what. */
TG_MUST_USE tg_result tg_schema_would_lose(const tg_schema *old_schema, const tg_schema *new_schema, tg_faults *faults,
                                           bool *out_loses);

/* tg_schema_append_digest appends u32 length, name, digest. */
TG_MUST_USE tg_result tg_schema_append_digest(tg_buf *buf, tg_slice name, const uint8_t digest[TG_SCHEMA_DIGEST_BYTES]);

#endif
