/* One setting: what it is called, what its value may be, and how text becomes that value. */
#ifndef TG_SETTINGS_SETTING_VALUE_H
#define TG_SETTINGS_SETTING_VALUE_H

#include "base/arena.h"
#include "base/detail.h"
#include "sys/log.h"

#include <stddef.h>

/* In brackets: the type of the member that holds the value. */
typedef enum tg_setting_type {
    TG_SETTING_TEXT,      /* one line of UTF-8 (const char *, NULL while unset) */
    TG_SETTING_PATH,      /* a file's path (const char *, NULL while unset) */
    TG_SETTING_BOOL,      /* true or false (bool) */
    TG_SETTING_NUMBER,    /* a quantity in `unit` (uint64_t) */
    TG_SETTING_LEVEL,     /* a log level (tg_log_level) */
    TG_SETTING_CHOICE,    /* one of `choices` (size_t, its index) */
    TG_SETTING_LIST,      /* texts, separated by commas or in a JSON array (tg_setting_list) */
    TG_SETTING_NOT_IN_USE /* known to the design, without effect in this program: setting it is a fault (no member) */
} tg_setting_type;

/* A number's unit. Bytes may be written with KiB, MiB or GiB, times with ms, s, m, h or d; without, in the unit. */
typedef enum tg_setting_unit {
    TG_UNIT_COUNT,
    TG_UNIT_PORT,
    TG_UNIT_BYTES,
    TG_UNIT_BYTES_PER_S,
    TG_UNIT_MS,
    TG_UNIT_S
} tg_setting_unit;

typedef struct tg_setting_list {
    const char *const *items;
    size_t num_items;
} tg_setting_list;

enum {
    TG_SETTING_MEASURED = 1u, /* (M): decides trust, part of the measured image; empty is a fault, not "unset" */
    TG_SETTING_REQUIRED = 2u,
    TG_SETTING_SECRET = 4u /* its value is shown nowhere */
};

enum { TG_MAX_SETTING_TEXT = 4096, TG_MAX_SETTING_ITEMS = 256 };

/* A check that the type cannot make: NULL where the text (each item of a list) is good, else what is wrong with it,
 * as the end of a sentence that begins with the value; it lasts until the next call on the same thread. */
typedef const char *tg_setting_check_fn(tg_slice text);

typedef struct tg_setting {
    const char *name;
    tg_setting_type type;
    tg_setting_unit unit;
    size_t offset;              /* of the member in the caller's struct: TG_SETTING_AT */
    const char *fallback;       /* the default, as an environment variable would say it; NULL: none */
    uint64_t min, max;          /* of a number */
    const char *const *choices; /* ends with NULL */
    tg_setting_check_fn *check;
    unsigned flags;
    const char *form;   /* how a good value is written, for remedies; NULL where the type says it */
    const char *effect; /* what it does, for help; for TG_SETTING_NOT_IN_USE what it belongs to */
} tg_setting;

/* TG_SETTING_AT is a member's offset; it does not compile unless the member's type is `member_type`. */
#define TG_SETTING_AT(struct_type, member, member_type)                                                                \
    (offsetof(struct_type, member) +                                                                                   \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct_type *)0)->member), member_type) ? 1 : -1]))

const char *tg_setting_unit_name(tg_setting_unit unit);

/* tg_setting_parse reads `text` as the setting's value and stores it in the struct at `values`.
 * arena  what text and lists are copied to: it must live as long as the struct
 * err    TG_ERR_SYNTAX or TG_ERR_RANGE with *fault's reason and remedy, TG_ERR_MEMORY, TG_ERR_LIMIT; nothing is stored
 */
TG_FOREIGN TG_MUST_USE tg_result tg_setting_parse(const tg_setting *setting, tg_slice text, tg_arena *arena,
                                                  void *values, tg_detail *fault);

/* tg_setting_parse_list does the same from separate items. */
TG_FOREIGN TG_MUST_USE tg_result tg_setting_parse_list(const tg_setting *setting, const tg_slice *items,
                                                       size_t num_items, tg_arena *arena, void *values,
                                                       tg_detail *fault);

/* tg_setting_is_unset says whether text or a list has no value; other types always have one. */
bool tg_setting_is_unset(const tg_setting *setting, const void *values);

/* tg_setting_append writes the value for people: `10 s`, `a, b`, `-` where unset, `(secret)`.
 * tg_setting_append_json writes it as JSON: text, number, boolean, array, null where unset.
 */
TG_MUST_USE tg_result tg_setting_append(const tg_setting *setting, const void *values, tg_buf *buf);
TG_MUST_USE tg_result tg_setting_append_json(const tg_setting *setting, const void *values, tg_buf *buf);

#endif
