#include "envelope/bhttp.h"

#include "base/reader.h"
#include "base/text.h"
#include "http/grammar.h"

/* Framing indicators (§3.3). */
enum { KNOWN_REQUEST, KNOWN_RESPONSE, INDETERMINATE_REQUEST, INDETERMINATE_RESPONSE, NUM_FRAMINGS };

#define MAX_VARINT ((uint64_t)0x3fffffffffffffff)

/* A variable-length integer (RFC 9000 §16). */
static uint64_t read_varint(tg_reader *reader)
{
    uint64_t value = tg_reader_u8(reader);
    size_t num_more = ((size_t)1 << (value >> 6)) - 1;
    value &= 0x3f;
    for (size_t i = 0; i < num_more; i++) {
        value = value << 8 | tg_reader_u8(reader);
    }
    return value;
}

static tg_slice read_counted(tg_reader *reader)
{
    uint64_t len = read_varint(reader);
    if (len > reader->rest.len) {
        tg_reader_fail(reader, TG_ERR_TRUNCATED);
        return (tg_slice){NULL, 0};
    }
    return tg_reader_bytes(reader, (size_t)len);
}

static bool is_left_out(const tg_reader *reader)
{
    return reader->code == TG_OK && reader->rest.len == 0;
}

static tg_result check_field(const tg_bhttp_field *field)
{
    if (field->name.len > 0 && field->name.ptr[0] == ':') {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    return tg_http_is_token(field->name) && tg_http_is_value(field->value) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

/* Field lines up to the reader's end (known length) or to a name of no length. The array is made for the most that a
 * section may hold, and cut by whoever copies it. */
static tg_result read_lines(tg_reader *reader, bool is_terminated, tg_bhttp_field *fields, size_t *out_num)
{
    size_t num = 0, num_bytes = 0;
    for (;;) {
        if (!is_terminated && is_left_out(reader)) {
            break;
        }
        tg_bhttp_field field = {.name = read_counted(reader)};
        if (is_terminated && reader->code == TG_OK && field.name.len == 0) {
            break;
        }
        field.value = read_counted(reader);
        TG_TRY(tg_reader_result(reader));
        TG_TRY(check_field(&field));
        num_bytes += field.name.len + field.value.len;
        if (num == TG_MAX_BHTTP_FIELDS || num_bytes > TG_MAX_BHTTP_SECTION_BYTES) {
            return tg_fail(TG_ERR_LIMIT);
        }
        fields[num++] = field;
    }
    *out_num = num;
    return tg_ok();
}

static tg_result read_section(tg_reader *reader, bool is_known, tg_arena *arena, tg_bhttp_section *out)
{
    tg_bhttp_field fields[TG_MAX_BHTTP_FIELDS];
    size_t num = 0;
    if (is_left_out(reader)) {
        *out = (tg_bhttp_section){NULL, 0};
        return tg_ok();
    }
    if (is_known) {
        tg_reader section = tg_reader_of(read_counted(reader));
        TG_TRY(tg_reader_result(reader));
        TG_TRY(read_lines(&section, false, fields, &num));
    } else {
        TG_TRY(read_lines(reader, true, fields, &num));
    }
    tg_bhttp_field *kept = num > 0 ? tg_arena_alloc(arena, num * sizeof *kept) : NULL;
    if (num > 0 && kept == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (num > 0) {
        memcpy(kept, fields, num * sizeof *kept);
    }
    *out = (tg_bhttp_section){kept, num};
    return tg_ok();
}

/* Walks over the chunks: how many, how many bytes; and copies them where out is given. */
static void walk_chunks(tg_reader *reader, size_t *out_num, size_t *out_len, uint8_t *out)
{
    size_t num = 0, len = 0;
    for (;;) {
        tg_slice chunk = read_counted(reader);
        if (reader->code != TG_OK || chunk.len == 0) {
            break;
        }
        if (out != NULL) {
            memcpy(out + len, chunk.ptr, chunk.len);
        }
        num++;
        len += chunk.len;
    }
    *out_num = num;
    *out_len = len;
}

static tg_result read_chunks(tg_reader *reader, tg_arena *arena, tg_slice *out_content)
{
    tg_reader ahead = *reader;
    size_t num, len;
    walk_chunks(&ahead, &num, &len, NULL);
    TG_TRY(tg_reader_result(&ahead));
    if (num <= 1) {
        *out_content = read_counted(reader);
        *reader = ahead;
        return tg_ok();
    }
    uint8_t *joined = tg_arena_alloc(arena, len);
    if (joined == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    walk_chunks(reader, &num, &len, joined);
    *out_content = tg_slice_of(joined, len);
    return tg_ok();
}

static tg_result read_content(tg_reader *reader, bool is_known, tg_arena *arena, tg_slice *out_content)
{
    *out_content = (tg_slice){NULL, 0};
    if (is_left_out(reader)) {
        return tg_ok();
    }
    if (!is_known) {
        return read_chunks(reader, arena, out_content);
    }
    *out_content = read_counted(reader);
    return tg_reader_result(reader);
}

static tg_result read_request_control(tg_reader *reader, tg_bhttp *message)
{
    message->method = read_counted(reader);
    message->scheme = read_counted(reader);
    message->authority = read_counted(reader);
    message->path = read_counted(reader);
    TG_TRY(tg_reader_result(reader));
    bool is_good = tg_http_is_token(message->method) && tg_http_is_token(message->scheme) &&
                   tg_http_all_are(message->authority, TG_HTTP_VISIBLE) && message->path.len > 0 &&
                   tg_http_all_are(message->path, TG_HTTP_VISIBLE);
    return is_good ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

/* A final status, after any number of informational responses with header sections of their own (§3.5.1). */
static tg_result read_response_control(tg_reader *reader, bool is_known, tg_arena *arena, tg_bhttp *message)
{
    for (size_t num = 0; num <= TG_MAX_BHTTP_INFORMATIONAL; num++) {
        uint64_t status = read_varint(reader);
        TG_TRY(tg_reader_result(reader));
        if (status < 100 || status > 599) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        if (status >= 200) {
            message->status = (unsigned)status;
            return tg_ok();
        }
        tg_bhttp_section dropped;
        TG_TRY(read_section(reader, is_known, arena, &dropped));
    }
    return tg_fail(TG_ERR_LIMIT);
}

tg_result tg_bhttp_parse(tg_slice message, tg_arena *arena, tg_bhttp *out_message)
{
    tg_reader reader = tg_reader_of(message);
    uint64_t framing = read_varint(&reader);
    TG_TRY(tg_reader_result(&reader));
    if (framing >= NUM_FRAMINGS) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    bool is_known = framing == KNOWN_REQUEST || framing == KNOWN_RESPONSE;
    tg_bhttp read = {.is_request = framing == KNOWN_REQUEST || framing == INDETERMINATE_REQUEST};
    TG_TRY(read.is_request ? read_request_control(&reader, &read)
                           : read_response_control(&reader, is_known, arena, &read));
    TG_TRY(read_section(&reader, is_known, arena, &read.header));
    TG_TRY(read_content(&reader, is_known, arena, &read.content));
    TG_TRY(read_section(&reader, is_known, arena, &read.trailer));
    for (size_t i = 0; i < reader.rest.len; i++) {
        if (reader.rest.ptr[i] != 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    *out_message = read;
    return tg_ok();
}

tg_slice tg_bhttp_find(const tg_bhttp_section *section, tg_slice name)
{
    for (size_t i = 0; i < section->num_fields; i++) {
        if (tg_text_equal_nocase(section->fields[i].name, name)) {
            return section->fields[i].value;
        }
    }
    return (tg_slice){NULL, 0};
}

static size_t varint_len(uint64_t value)
{
    return value < 1u << 6 ? 1 : value < 1u << 14 ? 2 : value < 1u << 30 ? 4 : 8;
}

static tg_result append_varint(tg_buf *out, uint64_t value)
{
    if (value > MAX_VARINT) {
        return tg_fail(TG_ERR_LIMIT);
    }
    size_t len = varint_len(value);
    uint8_t bytes[8];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
    static const uint8_t marks[] = {0, 0x00, 0x40, 0, 0x80, 0, 0, 0, 0xc0};
    bytes[0] |= marks[len];
    return tg_buf_append(out, tg_slice_of(bytes, len));
}

static tg_result append_counted(tg_buf *out, tg_slice bytes)
{
    TG_TRY(append_varint(out, bytes.len));
    return tg_buf_append(out, bytes);
}

static tg_result append_section(tg_buf *out, const tg_bhttp_section *section, tg_bhttp_form form)
{
    size_t len = 0;
    for (size_t i = 0; i < section->num_fields; i++) {
        const tg_bhttp_field *field = &section->fields[i];
        len += varint_len(field->name.len) + field->name.len + varint_len(field->value.len) + field->value.len;
    }
    if (form == TG_BHTTP_KNOWN_LENGTH) {
        TG_TRY(append_varint(out, len));
    }
    for (size_t i = 0; i < section->num_fields; i++) {
        TG_TRY(append_counted(out, section->fields[i].name));
        TG_TRY(append_counted(out, section->fields[i].value));
    }
    return form == TG_BHTTP_KNOWN_LENGTH ? tg_ok() : tg_buf_append_byte(out, 0);
}

static tg_result append_content(tg_buf *out, tg_slice content, tg_bhttp_form form)
{
    if (form == TG_BHTTP_KNOWN_LENGTH || content.len > 0) {
        TG_TRY(append_counted(out, content));
    }
    return form == TG_BHTTP_KNOWN_LENGTH ? tg_ok() : tg_buf_append_byte(out, 0);
}

tg_result tg_bhttp_append(const tg_bhttp *message, tg_bhttp_form form, tg_buf *out)
{
    static const uint8_t framings[2][2] = {{INDETERMINATE_RESPONSE, INDETERMINATE_REQUEST},
                                           {KNOWN_RESPONSE, KNOWN_REQUEST}};
    uint8_t framing = framings[form == TG_BHTTP_KNOWN_LENGTH][message->is_request];
    TG_TRY(append_varint(out, framing));
    if (message->is_request) {
        TG_TRY(append_counted(out, message->method));
        TG_TRY(append_counted(out, message->scheme));
        TG_TRY(append_counted(out, message->authority));
        TG_TRY(append_counted(out, message->path));
    } else {
        TG_TRY(append_varint(out, message->status));
    }
    TG_TRY(append_section(out, &message->header, form));
    TG_TRY(append_content(out, message->content, form));
    return append_section(out, &message->trailer, form);
}
