/* Where schemas come from, other than a folder: what schema_refresh asks at its interval, on its thread. */
#ifndef TG_ENCLAVE_SCHEMA_SOURCE_H
#define TG_ENCLAVE_SCHEMA_SOURCE_H

#include "schema/schema_set.h"

typedef struct tg_schema_reading {
    const tg_schema_file *files; /* until end_reading */
    size_t num_files;
    bool is_same; /* as at the last reading, and nothing was at fault: there is nothing to compile */
} tg_schema_reading;

typedef struct tg_schema_source tg_schema_source;
struct tg_schema_source {
    /* Reads all files; may take its time. What cannot be read is told in faults and left out, or stands as it was.
     * err   no reading at all: what is in force stays. TG_ERR_CANCELLED: it was interrupted */
    tg_result (*read)(tg_schema_source *source, tg_faults *faults, tg_schema_reading *out_reading);
    void (*end_reading)(tg_schema_source *source);
    /* Ends a reading under way, and any later one. Any thread. */
    void (*interrupt)(tg_schema_source *source);
    const char *name; /* for logs */
};

#endif
