/* YAML by libyaml's events. They arrive as it reads, so that nesting (in which libyaml is quadratic) is stopped at
 * its bound; its own tree reader cannot be stopped. Types, merge keys, aliases, tags and duplicate keys are ours. */
#include "schema/document_builder.h"
#include "schema/vector.h"
#include "schema/yaml_scalar.h"

#include "base/arena.h"

#include <stdlib.h>
#include <yaml.h>

#define CORE_TAG "tag:yaml.org,2002:"

typedef struct yaml_reader {
    tg_doc_builder *builder;
    yaml_parser_t parser;
    tg_arena names;
    tg_name_index anchors; /* name to index in anchored; a name that comes again stands for the later node */
    tg_doc_node *anchored;
    size_t num_anchored, anchored_cap;
    size_t num_documents;
    bool is_over;
} yaml_reader;

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

static tg_result refuse_tag(yaml_reader *reader, const yaml_event_t *event, const yaml_char_t *tag)
{
    tg_detail *detail = reader->builder->detail;
    tg_detail_set_place(detail, reader->builder->doc->file, line_of(event), tg_slice_of(NULL, 0));
    tg_detail_set_reason(detail, "the tag %.80s is not of YAML's core schema, or its value is not of that type",
                         (const char *)tag);
    return tg_fail(TG_ERR_UNSUPPORTED);
}

static tg_result remember_anchor(yaml_reader *reader, const yaml_char_t *anchor, tg_doc_node node,
                                 const yaml_event_t *event)
{
    if (anchor == NULL) {
        return tg_ok();
    }
    tg_slice name = tg_slice_str((const char *)anchor);
    uint32_t known = tg_name_index_get(&reader->anchors, 0, name);
    if (known != TG_NAME_NONE) {
        reader->anchored[known] = node;
        return tg_ok();
    }
    tg_result result = tg_vector_grow(&reader->anchored, &reader->anchored_cap, reader->num_anchored + 1,
                                      sizeof *reader->anchored, TG_MAX_DOC_ANCHORS);
    if (result.code == TG_ERR_LIMIT) {
        return tg_doc_refuse(reader->builder, TG_ERR_LIMIT, line_of(event), "more than 65536 anchors");
    }
    TG_TRY(result);
    TG_TRY(tg_arena_copy(&reader->names, name, &name));
    TG_TRY(tg_name_index_put(&reader->anchors, 0, name, (uint32_t)reader->num_anchored));
    reader->anchored[reader->num_anchored++] = node;
    return tg_ok();
}

static tg_result read_alias(yaml_reader *reader, const yaml_event_t *event)
{
    tg_doc_builder *builder = reader->builder;
    uint32_t index = tg_name_index_get(&reader->anchors, 0, tg_slice_str((const char *)event->data.alias.anchor));
    if (index == TG_NAME_NONE) {
        return tg_doc_refuse(builder, TG_ERR_SYNTAX, line_of(event), "an alias to an anchor that is not there");
    }
    tg_doc_node node = reader->anchored[index];
    for (size_t i = 0; i < builder->depth; i++) {
        if (builder->frames[i].node == node) {
            return tg_doc_refuse(builder, TG_ERR_SYNTAX, line_of(event), "an alias within what it stands for");
        }
    }
    return tg_doc_add_alias(builder, node, line_of(event));
}

/* A scalar with a tag of the core schema must be of that type; `!` says text. */
static tg_result resolve_tagged(yaml_reader *reader, const yaml_event_t *event, tg_slice text, tg_doc_item *out_item)
{
    const char *tag = (const char *)event->data.scalar.tag;
    *out_item = (tg_doc_item){.kind = TG_DOC_TEXT};
    if (strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0) {
        return tg_ok();
    }
    *out_item = tg_yaml_resolve_plain(text);
    bool is_number = strcmp(tag, CORE_TAG "int") == 0 || strcmp(tag, CORE_TAG "float") == 0;
    bool fits = (is_number && out_item->kind == TG_DOC_NUMBER) ||
                (strcmp(tag, CORE_TAG "bool") == 0 && out_item->kind == TG_DOC_BOOL) ||
                (strcmp(tag, CORE_TAG "null") == 0 && out_item->kind == TG_DOC_NULL);
    return fits ? tg_ok() : refuse_tag(reader, event, event->data.scalar.tag);
}

static tg_result read_scalar(yaml_reader *reader, const yaml_event_t *event)
{
    tg_doc_builder *builder = reader->builder;
    tg_slice text = tg_slice_of(event->data.scalar.value, event->data.scalar.length);
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tg_doc_builder_wants_key(builder)) {
        if (is_plain && event->data.scalar.tag == NULL && tg_slice_equal(text, TG_LIT("<<"))) {
            return tg_doc_add_merge_key(builder, line_of(event));
        }
        return tg_doc_add_key(builder, text, line_of(event));
    }
    tg_doc_item item = {.kind = TG_DOC_TEXT};
    if (event->data.scalar.tag != NULL) {
        TG_TRY(resolve_tagged(reader, event, text, &item));
    } else if (is_plain) {
        item = tg_yaml_resolve_plain(text);
    }
    tg_doc_node node;
    if (item.kind == TG_DOC_TEXT) {
        TG_TRY(tg_doc_add_text(builder, text, line_of(event), &node));
    } else {
        TG_TRY(tg_doc_add_scalar(builder, item, line_of(event), &node));
    }
    return remember_anchor(reader, event->data.scalar.anchor, node, event);
}

static tg_result read_start(yaml_reader *reader, const yaml_event_t *event, tg_doc_kind kind, const yaml_char_t *tag,
                            const yaml_char_t *anchor)
{
    if (tag != NULL && strcmp((const char *)tag, kind == TG_DOC_MAP ? CORE_TAG "map" : CORE_TAG "seq") != 0 &&
        strcmp((const char *)tag, "!") != 0) {
        return refuse_tag(reader, event, tag);
    }
    tg_doc_node node;
    TG_TRY(tg_doc_begin(reader->builder, kind, line_of(event), &node));
    return remember_anchor(reader, anchor, node, event);
}

static tg_result read_event(yaml_reader *reader, const yaml_event_t *event)
{
    bool is_key = tg_doc_builder_wants_key(reader->builder);
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return tg_ok();
    case YAML_STREAM_END_EVENT:
        reader->is_over = true;
        return tg_ok();
    case YAML_DOCUMENT_START_EVENT:
        if (reader->num_documents++ > 0) {
            return tg_doc_refuse(reader->builder, TG_ERR_UNSUPPORTED, line_of(event), "a second document in one file");
        }
        return tg_ok();
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return tg_doc_end(reader->builder);
    case YAML_ALIAS_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        break;
    }
    if (is_key) {
        return tg_doc_refuse(reader->builder, TG_ERR_UNSUPPORTED, line_of(event),
                             "a key that is an alias, a list or a map");
    }
    if (event->type == YAML_ALIAS_EVENT) {
        return read_alias(reader, event);
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        return read_start(reader, event, TG_DOC_LIST, event->data.sequence_start.tag,
                          event->data.sequence_start.anchor);
    }
    return read_start(reader, event, TG_DOC_MAP, event->data.mapping_start.tag, event->data.mapping_start.anchor);
}

/* libyaml's own errors: what it cannot decode has no line, but an offset. */
static tg_result refuse_syntax(yaml_reader *reader, tg_slice bytes)
{
    const yaml_parser_t *parser = &reader->parser;
    tg_detail *detail = reader->builder->detail;
    if (parser->error == YAML_MEMORY_ERROR) {
        return tg_fail(TG_ERR_MEMORY);
    }
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < bytes.len; i++) {
            line += bytes.ptr[i] == '\n';
        }
    }
    tg_detail_set_place(detail, reader->builder->doc->file, line, tg_slice_of(NULL, 0));
    tg_detail_set_reason(detail, "not YAML: %s", parser->problem != NULL ? parser->problem : "cannot be read");
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result read_events(yaml_reader *reader, tg_slice bytes)
{
    while (!reader->is_over) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0) {
            return refuse_syntax(reader, bytes);
        }
        tg_result result = read_event(reader, &event);
        yaml_event_delete(&event);
        TG_TRY(result);
    }
    if (reader->num_documents == 0) {
        return tg_doc_refuse(reader->builder, TG_ERR_SYNTAX, 0, "the document is empty");
    }
    return tg_ok();
}

static tg_result check_directives(tg_doc_builder *builder, tg_slice bytes)
{
    size_t num_directives = 0;
    unsigned line = 1;
    for (size_t i = 0; i < bytes.len; i++) {
        num_directives += bytes.ptr[i] == '%' && (i == 0 || bytes.ptr[i - 1] == '\n' || bytes.ptr[i - 1] == '\r');
        line += bytes.ptr[i] == '\n';
        if (num_directives > TG_MAX_DOC_DIRECTIVES) {
            return tg_doc_refuse(builder, TG_ERR_LIMIT, line, "more than 16 lines that begin with a percent sign");
        }
    }
    return tg_ok();
}

tg_result tg_doc_read_yaml(tg_doc_builder *builder, tg_slice bytes)
{
    TG_TRY(check_directives(builder, bytes));
    yaml_reader reader = {.builder = builder};
    if (yaml_parser_initialize(&reader.parser) == 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, bytes.len > 0 ? bytes.ptr : (const uint8_t *)"", bytes.len);
    tg_arena_init(&reader.names, TG_MAX_DOC_BYTES, false);
    tg_name_index_init(&reader.anchors);
    tg_result result = read_events(&reader, bytes);
    tg_name_index_done(&reader.anchors);
    tg_arena_done(&reader.names);
    free(reader.anchored);
    yaml_parser_delete(&reader.parser);
    return result;
}
