/* One value of a configuration's JSON that knows where it stands, so that whatever is wrong with it is reported with
 * file, line and pointer. Every getter reports what it refuses and goes on: all faults of a file are told at once. */
#ifndef TG_SETTINGS_CONFIG_NODE_H
#define TG_SETTINGS_CONFIG_NODE_H

#include "base/arena.h"
#include "base/detail.h"

#include <jansson.h>

/* A file beside the configuration's own that it was made from: a reload reads it again. */
typedef struct tg_config_file {
    const char *path;
    const struct tg_config_file *next;
} tg_config_file;

typedef struct tg_config_reader {
    const char *file;
    tg_slice json;   /* the text, for lines */
    tg_arena *arena; /* what the configuration keeps */
    tg_faults *faults;
    const tg_config_file *files; /* read beside it so far */
    bool is_out_of_memory;       /* something could not be kept: the configuration is not to be used */
} tg_config_reader;

typedef struct tg_config_node {
    tg_config_reader *reader;
    const json_t *value;
    const struct tg_config_node *parent; /* NULL for the whole text */
    const char *key;                     /* in an object; NULL in an array */
    size_t index;                        /* in an array */
} tg_config_node;

/* tg_config_load parses the file's bytes, an object without doubled keys.
 * in    example: what a small good file looks like, for the remedy
 * err   TG_ERR_SYNTAX, with one fault that names the line
 * keep  the caller ends the tree with json_decref
 */
TG_MUST_USE tg_result tg_config_load(const char *file, tg_slice json, const char *example, tg_faults *faults,
                                     json_t **out_tree);

/* tg_config_fault gives a fault whose place is the node's. */
tg_detail *tg_config_fault(const tg_config_node *node);

/* tg_config_member looks a member up; false where it is not there. */
bool tg_config_member(const tg_config_node *object, const char *key, tg_config_node *out_member);
/* tg_config_item is the array's item `index`, which must exist. */
tg_config_node tg_config_item(const tg_config_node *array, size_t index);

/* tg_config_is_object and tg_config_is_array report a value of another kind; `form` says what to write. */
bool tg_config_is_object(const tg_config_node *node, const char *form);
bool tg_config_is_array(const tg_config_node *node, const char *form);

/* tg_config_refuse_others reports each member that `known` (ended by NULL) does not name, with the nearest one. */
void tg_config_refuse_others(const tg_config_node *object, const char *const *known);

/* The getters below store nothing where they report. tg_config_text takes 1 to `max` bytes without control characters;
 * the slice lives in the arena, NUL behind it.
 */
bool tg_config_text(const tg_config_node *node, size_t max, tg_slice *out_text);
bool tg_config_number(const tg_config_node *node, uint64_t min, uint64_t max, uint64_t *out_number);
bool tg_config_bool(const tg_config_node *node, bool *out_value);

/* tg_config_note_file remembers that the configuration was made from this file too; the path lives in the arena. */
void tg_config_note_file(tg_config_reader *reader, tg_slice path);

/* tg_config_alloc gives zeroed memory of the arena; NULL, and is_out_of_memory is set, without any. */
void *tg_config_alloc(tg_config_reader *reader, size_t count, size_t size);

#endif
