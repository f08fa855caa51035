#include "aws/xml.h"

#include "base/num.h"
#include "base/text.h"

/* document = [ declaration ] *S element *S
 * element  = "<" name *( S attribute ) *S ( "/>" / ">" ( text / *( *S element ) *S ) "</" name *S ">" ) */
typedef struct xml_reader {
    tg_slice rest;
    tg_aws_xml_fn *on_element;
    void *owner;
    size_t depth;
    size_t ends[TG_AWS_XML_MAX_DEPTH + 1]; /* length of the path of each open element */
    bool has_child[TG_AWS_XML_MAX_DEPTH + 1];
    uint8_t path[TG_AWS_XML_MAX_PATH_BYTES];
    size_t text_len;
    uint8_t text[TG_AWS_XML_MAX_TEXT_BYTES];
} xml_reader;

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name_byte(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
}

static void skip_blanks(xml_reader *reader)
{
    while (reader->rest.len > 0 && is_blank(reader->rest.ptr[0])) {
        reader->rest = tg_slice_from(reader->rest, 1);
    }
}

static bool take(xml_reader *reader, tg_slice expected)
{
    if (!tg_slice_starts(reader->rest, expected)) {
        return false;
    }
    reader->rest = tg_slice_from(reader->rest, expected.len);
    return true;
}

static tg_result take_name(xml_reader *reader, tg_slice *out_name)
{
    size_t len = 0;
    while (len < reader->rest.len && is_name_byte(reader->rest.ptr[len])) {
        len++;
    }
    if (len == 0 || tg_ascii_is_digit(reader->rest.ptr[0]) || reader->rest.ptr[0] == '-' ||
        reader->rest.ptr[0] == '.') {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_name = tg_slice_first(reader->rest, len);
    reader->rest = tg_slice_from(reader->rest, len);
    return tg_ok();
}

static tg_result skip_attribute(xml_reader *reader)
{
    tg_slice name;
    TG_TRY(take_name(reader, &name));
    skip_blanks(reader);
    if (!take(reader, TG_LIT("="))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    skip_blanks(reader);
    uint8_t quote = reader->rest.len > 0 ? reader->rest.ptr[0] : 0;
    if (quote != '"' && quote != '\'') {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice value = tg_slice_from(reader->rest, 1);
    size_t end = tg_slice_find(value, quote);
    if (end == value.len || tg_slice_find(tg_slice_first(value, end), '<') < end) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    reader->rest = tg_slice_from(value, end + 1);
    return tg_ok();
}

static tg_result skip_attributes(xml_reader *reader)
{
    for (;;) {
        bool has_blank = reader->rest.len > 0 && is_blank(reader->rest.ptr[0]);
        skip_blanks(reader);
        if (reader->rest.len == 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        uint8_t c = reader->rest.ptr[0];
        if (c == '>' || c == '/' || c == '?') {
            return tg_ok();
        }
        if (!has_blank) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        TG_TRY(skip_attribute(reader));
    }
}

static tg_result append_text(xml_reader *reader, tg_slice bytes)
{
    if (bytes.len > sizeof reader->text - reader->text_len) {
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(reader->text + reader->text_len, bytes.ptr, bytes.len);
    reader->text_len += bytes.len;
    return tg_ok();
}

/* What stands between `&#` and `;`. A character that XML does not hold is refused, however it is written. */
static tg_result append_numbered(xml_reader *reader, tg_slice digits)
{
    uint64_t code;
    uint8_t encoded[4];
    if (tg_slice_starts(digits, TG_LIT("x"))) {
        TG_TRY(tg_num_parse_hex_u64(tg_slice_from(digits, 1), 0x10ffff, &code));
    } else {
        TG_TRY(tg_num_parse_u64(digits, 0x10ffff, &code));
    }
    bool is_char = code >= 0x20 || code == '\t' || code == '\n' || code == '\r';
    size_t len = is_char && code != 0xfffe && code != 0xffff ? tg_utf8_encode((uint32_t)code, encoded) : 0;
    return len > 0 ? append_text(reader, tg_slice_of(encoded, len)) : tg_fail(TG_ERR_SYNTAX);
}

/* "&" name ";" */
static tg_result take_reference(xml_reader *reader)
{
    static const struct {
        const char *name;
        const char *text;
    } entities[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
    enum { MAX_REFERENCE = 12 };
    tg_slice shown = tg_slice_first(tg_slice_from(reader->rest, 1), MAX_REFERENCE);
    size_t end = tg_slice_find(shown, ';');
    if (end == shown.len) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice name = tg_slice_first(shown, end);
    reader->rest = tg_slice_from(reader->rest, end + 2);
    if (tg_slice_starts(name, TG_LIT("#"))) {
        tg_result result = append_numbered(reader, tg_slice_from(name, 1));
        return result.code == TG_ERR_RANGE ? tg_fail(TG_ERR_SYNTAX) : result;
    }
    for (size_t i = 0; i < TG_COUNT(entities); i++) {
        if (tg_slice_equal(name, tg_slice_str(entities[i].name))) {
            return append_text(reader, tg_slice_str(entities[i].text));
        }
    }
    return tg_fail(TG_ERR_UNSUPPORTED);
}

/* Text up to the next tag. */
static tg_result take_text(xml_reader *reader)
{
    while (reader->rest.len > 0 && reader->rest.ptr[0] != '<') {
        if (reader->rest.ptr[0] == '&') {
            TG_TRY(take_reference(reader));
            continue;
        }
        size_t len = 0;
        while (len < reader->rest.len && reader->rest.ptr[len] != '<' && reader->rest.ptr[len] != '&') {
            uint8_t c = reader->rest.ptr[len++];
            if (c < 0x20 && !is_blank(c)) {
                return tg_fail(TG_ERR_SYNTAX);
            }
        }
        TG_TRY(append_text(reader, tg_slice_first(reader->rest, len)));
        reader->rest = tg_slice_from(reader->rest, len);
    }
    return reader->rest.len > 0 ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

static bool text_is_blank(const xml_reader *reader)
{
    return tg_slice_trim(tg_slice_of(reader->text, reader->text_len), " \t\r\n").len == 0;
}

static tg_slice path_of(const xml_reader *reader)
{
    return tg_slice_of(reader->path, reader->ends[reader->depth]);
}

static tg_result push(xml_reader *reader, tg_slice name)
{
    size_t at = reader->ends[reader->depth];
    size_t len = name.len + (reader->depth > 0 ? 1 : 0);
    if (reader->depth == TG_AWS_XML_MAX_DEPTH || len > sizeof reader->path - at) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (reader->depth > 0) {
        reader->path[at++] = '/';
        reader->has_child[reader->depth] = true;
    }
    memcpy(reader->path + at, name.ptr, name.len);
    reader->depth++;
    reader->ends[reader->depth] = at + name.len;
    reader->has_child[reader->depth] = false;
    reader->text_len = 0;
    return tg_ok();
}

static tg_result pop(xml_reader *reader)
{
    bool is_leaf = !reader->has_child[reader->depth];
    if (!is_leaf && !text_is_blank(reader)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice text = tg_slice_of(reader->text, is_leaf ? reader->text_len : 0);
    TG_TRY(reader->on_element(path_of(reader), is_leaf, text, reader->owner));
    reader->depth--;
    reader->text_len = 0;
    return tg_ok();
}

static tg_result take_start(xml_reader *reader)
{
    tg_slice name;
    if (reader->depth > 0 && !text_is_blank(reader)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(take_name(reader, &name));
    TG_TRY(push(reader, name));
    TG_TRY(skip_attributes(reader));
    if (take(reader, TG_LIT("/>"))) {
        return pop(reader);
    }
    return take(reader, TG_LIT(">")) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

static tg_result take_end(xml_reader *reader)
{
    tg_slice name, path = path_of(reader);
    TG_TRY(take_name(reader, &name));
    skip_blanks(reader);
    size_t from = reader->depth > 1 ? reader->ends[reader->depth - 1] + 1 : 0;
    if (!take(reader, TG_LIT(">")) || !tg_slice_equal(name, tg_slice_from(path, from))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    return pop(reader);
}

static tg_result take_declaration(xml_reader *reader)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    (void)take(reader, tg_slice_of(mark, sizeof mark));
    if (take(reader, TG_LIT("<?xml"))) {
        TG_TRY(skip_attributes(reader));
        if (!take(reader, TG_LIT("?>"))) {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    skip_blanks(reader);
    return tg_ok();
}

static tg_result read_all(xml_reader *reader)
{
    TG_TRY(take_declaration(reader));
    do {
        if (tg_slice_starts(reader->rest, TG_LIT("<!")) || tg_slice_starts(reader->rest, TG_LIT("<?"))) {
            return tg_fail(TG_ERR_UNSUPPORTED);
        }
        if (reader->depth > 0 && take(reader, TG_LIT("</"))) {
            TG_TRY(take_end(reader));
        } else if (take(reader, TG_LIT("<"))) {
            TG_TRY(take_start(reader));
        } else {
            return tg_fail(TG_ERR_SYNTAX);
        }
        if (reader->depth > 0) {
            TG_TRY(take_text(reader));
        }
    } while (reader->depth > 0);
    skip_blanks(reader);
    return reader->rest.len == 0 ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

tg_result tg_aws_xml_read(tg_slice xml, tg_aws_xml_fn *on_element, void *owner)
{
    xml_reader reader = {.rest = xml, .on_element = on_element, .owner = owner};
    if (!tg_utf8_is_valid(xml)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    return read_all(&reader);
}
