#include "fields/pointer.h"

#include "base/text.h"

#include <stdio.h>

enum { CUT_BYTES = 3 }; /* `...` */

tg_pointer tg_pointer_init(tg_fault *fault)
{
    fault->has_pointer = true;
    fault->pointer[0] = 0;
    return (tg_pointer){fault->pointer, 0, false};
}

/* Appends one character (in its escaped form), or the mark of a cut where it and that mark do not both fit. */
static void add(tg_pointer *pointer, tg_slice character)
{
    if (pointer->is_cut) {
        return;
    }
    if (character.len > TG_MAX_POINTER_BYTES - CUT_BYTES - pointer->len) {
        character = TG_LIT("...");
        pointer->is_cut = true;
    }
    memcpy(pointer->text + pointer->len, character.ptr, character.len);
    pointer->len += character.len;
    pointer->text[pointer->len] = 0;
}

void tg_pointer_add_name(tg_pointer *pointer, tg_slice name)
{
    add(pointer, TG_LIT("/"));
    for (size_t at = 0; at < name.len && !pointer->is_cut;) {
        size_t len = tg_utf8_char_len(name.ptr + at, name.len - at);
        tg_slice character = tg_slice_of(name.ptr + at, len);
        if (name.ptr[at] == '~') {
            character = TG_LIT("~0");
        } else if (name.ptr[at] == '/') {
            character = TG_LIT("~1");
        } else if (len == 0 || name.ptr[at] == 0) { /* NUL would end the text; names come here as valid UTF-8 */
            character = TG_LIT("\xef\xbf\xbd");
        }
        add(pointer, character);
        at += len > 0 ? len : 1;
    }
}

void tg_pointer_add_index(tg_pointer *pointer, size_t index)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "/%zu", index);
    add(pointer, tg_slice_of(digits, (size_t)len));
}
