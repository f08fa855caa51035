/* Member names that look like personal data. */
#ifndef TG_TOOL_SUSPECTS_H
#define TG_TOOL_SUSPECTS_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_suspect {
    const char *words; /* what was recognised: `card number` */
    bool is_strong;    /* false: often personal (`name`, `city`), often not */
} tg_suspect;

/* tg_suspect_find looks at a member's name in snake, kebab, camel or run-together spelling.
 * out   NULL where nothing is suspicious; static storage
 */
TG_FOREIGN const tg_suspect *tg_suspect_find(tg_slice name);

#endif
