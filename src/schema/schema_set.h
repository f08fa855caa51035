/* The set of schemas in force: OpenAPI documents compiled to PII graphs, found by what `X-Schema-Name` says. A set is
 * immutable and reference-counted; a refresh builds the next one beside it and the owner swaps the pointer.
 *
 * A file's schema name is its path below the prefix without its ending (`bank/payments.yaml` is `bank/payments`);
 * `.yaml`, `.yml` and `.json` are read, other endings are left alone. A document without an `openapi` member serves
 * the `$ref`s of others and has no name of its own. One bad file is refused alone, and with it what refers to it.
 */
#ifndef TG_SCHEMA_SCHEMA_SET_H
#define TG_SCHEMA_SCHEMA_SET_H

#include "base/detail.h"
#include "base/result.h"
#include "base/slice.h"
#include "schema/pii_graph.h"

enum {
    TG_MAX_SCHEMA_FILES = 10000,
    TG_MAX_SCHEMA_NAME_BYTES = 512, /* of a file's path below the prefix */
    TG_SCHEMA_DIGEST_BYTES = 32
};
#define TG_MAX_SCHEMA_FILE_BYTES ((size_t)64 << 20)
#define TG_MAX_SCHEMA_SET_BYTES  ((size_t)256 << 20)

typedef struct tg_schema_set tg_schema_set;
typedef struct tg_schema tg_schema; /* one document's compiled form; shared by the sets that hold it */

typedef struct tg_schema_file {
    tg_slice name;  /* path below the prefix with `/` and ending: `bank/payments.yaml` */
    tg_slice bytes; /* need not outlive the build */
} tg_schema_file;

typedef struct tg_schema_options {
    /* What is in force, or NULL. A schema of it whose file is now missing, refused, or would seal less keeps its old
     * graph, and a fault says so, unless allow_removal. */
    const tg_schema_set *previous;
    bool allow_removal;
    bool
        is_for_lint; /* keep what tg_schema_num_paths, tg_schema_path and tg_schema_diff read (memory by schema size) */
    /* SHA-256 of bytes, for tg_schema_set_digest; NULL: digests stay zero. */
    tg_result (*sha256)(tg_slice bytes, uint8_t out_digest[TG_SCHEMA_DIGEST_BYTES]);
} tg_schema_options;

/* tg_schema_set_build compiles files into a set.
 * in    files, in any order: the result does not depend on it; options (NULL: all defaults)
 * out   a set of at least 0 schemas; faults: what was refused or kept, one detail a fault (tg_faults_init'ed by the
 *       caller, added to)
 * err   TG_ERR_MEMORY; TG_ERR_LIMIT past TG_MAX_SCHEMA_FILES or TG_MAX_SCHEMA_SET_BYTES (a fault says which);
 *       what sha256 fails with
 * keep  ended by tg_schema_set_unref; thread: any, the bytes are foreign
 */
TG_FOREIGN TG_MUST_USE tg_result tg_schema_set_build(const tg_schema_file *files, size_t num_files,
                                                     const tg_schema_options *options, tg_faults *faults,
                                                     tg_schema_set **out_set);

/* tg_schema_set_load builds from a directory, recursively. Names that begin with a dot are left alone; a symbolic
 * link is followed to a file below the directory, nowhere else.
 * err   as tg_schema_set_build; TG_ERR_SYSTEM where the directory itself cannot be read (a fault says why)
 */
TG_MUST_USE tg_result tg_schema_set_load(const char *directory, const tg_schema_options *options, tg_faults *faults,
                                         tg_schema_set **out_set);

/* tg_schema_set_ref takes another reference; tg_schema_set_unref gives one back (NULL is fine). Any thread. */
tg_schema_set *tg_schema_set_ref(tg_schema_set *set);
void tg_schema_set_unref(tg_schema_set *set);

/* tg_schema_set_find looks `name` or `name#Component` up, in time that does not depend on the set's size.
 * out   valid while the set is; out_schema may be NULL
 * err   TG_ERR_NOT_FOUND
 */
TG_FOREIGN TG_MUST_USE tg_result tg_schema_set_find(const tg_schema_set *set, tg_slice name, tg_pii_root *out_root,
                                                    const tg_schema **out_schema);

/* Schemas in the order of their names; num_kept of them hold an older graph than their file; num_refused counts the
 * files of this build that were refused. */
size_t tg_schema_set_num_schemas(const tg_schema_set *set);
size_t tg_schema_set_num_kept(const tg_schema_set *set);
size_t tg_schema_set_num_refused(const tg_schema_set *set);
const tg_schema *tg_schema_set_at(const tg_schema_set *set, size_t index);

/* tg_schema_set_digest is the same for all sets that hold the same schemas, in every process: SHA-256 over
 *   for each schema by name: u32 length, name, its digest
 * where a schema's digest is SHA-256 over
 *   for each file that it is made of (itself and what it refers to), by name: u32 length, name, SHA-256(file's bytes)
 * with numbers big-endian. */
const uint8_t *tg_schema_set_digest(const tg_schema_set *set);

tg_slice tg_schema_name(const tg_schema *schema);
tg_slice tg_schema_file_name(const tg_schema *schema); /* with its ending */
bool tg_schema_is_kept(const tg_schema_set *set, size_t index);
const uint8_t *tg_schema_digest(const tg_schema *schema);
const tg_pii_graph *tg_schema_graph(const tg_schema *schema);
tg_pii_root tg_schema_root(const tg_schema *schema);
/* tg_schema_num_marks counts the `x-pii: true` that the root reaches. */
size_t tg_schema_num_marks(const tg_schema *schema);

#endif
