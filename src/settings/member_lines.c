#include "settings/member_lines.h"

/* The index behind the string that begins at `at` (a quote), or the end of the text. */
static size_t skip_string(tg_slice json, size_t at)
{
    for (at++; at < json.len && json.ptr[at] != '"'; at++) {
        if (json.ptr[at] == '\\') {
            at++;
        }
    }
    return at < json.len ? at + 1 : json.len;
}

static bool is_followed_by_colon(tg_slice json, size_t at)
{
    tg_slice rest = tg_slice_trim(tg_slice_from(json, at), " \t\r\n");
    return rest.len > 0 && rest.ptr[0] == ':';
}

unsigned tg_member_line(tg_slice json, tg_slice name)
{
    unsigned line = 1, found = 0;
    size_t depth = 0;
    for (size_t at = 0; at < json.len;) {
        uint8_t byte = json.ptr[at];
        if (byte != '"') {
            line += byte == '\n';
            depth += byte == '{' || byte == '[';
            depth -= (byte == '}' || byte == ']') && depth > 0;
            at++;
            continue;
        }
        size_t end = skip_string(json, at);
        if (depth == 1 && end - at == name.len + 2 && tg_slice_equal(tg_slice_of(json.ptr + at + 1, name.len), name) &&
            is_followed_by_colon(json, end)) {
            found = line;
        }
        at = end; /* no line ends inside a string: a raw line feed there is no JSON */
    }
    return found;
}
