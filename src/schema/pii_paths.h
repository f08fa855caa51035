/* What people read of a compiled schema: its PII paths with their places, the members that are not PII, and the
 * difference between two schemas. For the tool; a set keeps this only when it was built with is_for_lint. */
#ifndef TG_SCHEMA_PII_PATHS_H
#define TG_SCHEMA_PII_PATHS_H

#include "schema/schema_set.h"

enum { /* JSON types, a set of bits */
       TG_TYPE_NULL = 1u,
       TG_TYPE_BOOLEAN = 2u,
       TG_TYPE_INTEGER = 4u,
       TG_TYPE_NUMBER = 12u, /* every integer is a number */
       TG_TYPE_STRING = 16u,
       TG_TYPE_OBJECT = 32u,
       TG_TYPE_ARRAY = 64u,
       TG_TYPE_ANY = 127u
};

typedef enum tg_pii_path_kind {
    TG_PII_PATH_SEALED, /* an `x-pii: true` holds here */
    TG_PII_PATH_AS,     /* PII lies below, exactly as below same_as: a cycle, or a part that was listed already */
    TG_PII_PATH_PLAIN   /* a named member that is not PII and has none below */
} tg_pii_path_kind;

/* One position. `/customer/ssn`, `/items/ * /name` (without the blanks: `*` is every element, and every member that
 * additionalProperties speaks of), `/meta/{^x-}` (patternProperties), `/pair/0` (prefixItems). A `/` or `~` within a
 * name is written `~1`, `~0`. All slices live as long as the schema. */
typedef struct tg_pii_path {
    tg_pii_path_kind kind;
    tg_slice path;
    tg_slice same_as; /* kind TG_PII_PATH_AS: the other path */
    tg_slice name;    /* the last member's name; empty for an element or the root */
    tg_slice file;    /* where the schema that makes it PII (or the member's schema) stands */
    unsigned line;    /* from 1; 0 in a JSON document */
    tg_slice pointer; /* JSON pointer into the file */
    uint32_t types;   /* TG_TYPE_ANY where the schema does not say */
    tg_slice format;  /* empty where none; so with pattern */
    tg_slice pattern;
    uint64_t max_length; /* UINT64_MAX where none */
    size_t num_enum;     /* values of the enum (1 for const); 0 where none */
} tg_pii_path;

/* The paths of the schema's own root, shallow ones first, in the document's order. More than TG_MAX_PII_PATHS are cut
 * off, which is_cut says. */
enum { TG_MAX_PII_PATHS = 100000 };
size_t tg_schema_num_paths(const tg_schema *schema);
const tg_pii_path *tg_schema_path(const tg_schema *schema, size_t index);
bool tg_schema_paths_is_cut(const tg_schema *schema);

/* tg_type_append writes `string`, `string or null`, `any`. */
TG_MUST_USE tg_result tg_type_append(uint32_t types, tg_buf *buf);

typedef enum tg_pii_change_kind {
    TG_PII_ADDED,   /* sealed by the new schema only */
    TG_PII_REMOVED, /* sealed by the old schema only */
    TG_PII_RETYPED  /* sealed by both, with other types (needs is_for_lint on both) */
} tg_pii_change_kind;

typedef struct tg_pii_change {
    tg_pii_change_kind kind;
    char *path; /* NUL-terminated, printable as tg_pii_path's */
    uint32_t old_types;
    uint32_t new_types; /* both only for TG_PII_RETYPED */
} tg_pii_change;

typedef struct tg_pii_changes {
    tg_pii_change *changes;
    size_t num_changes;
    bool is_cut; /* more than TG_MAX_PII_CHANGES, or the comparison ran into its bound */
} tg_pii_changes;

enum { TG_MAX_PII_CHANGES = 10000 };

/* tg_schema_diff compares what two schemas seal, position by position on their graphs (not their text): what lies
 * below a sealed value counts as sealed. Removed first, then added, then retyped.
 * err   TG_ERR_MEMORY
 * keep  the caller ends *out_changes with tg_pii_changes_done
 */
TG_MUST_USE tg_result tg_schema_diff(const tg_schema *old_schema, const tg_schema *new_schema,
                                     tg_pii_changes *out_changes);
void tg_pii_changes_done(tg_pii_changes *changes);

#endif
