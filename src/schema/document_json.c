/* JSON by jansson. It allocates some 250 bytes for each empty object, so the values are counted before it starts. */
#include "schema/document_builder.h"

#include "base/text.h"

#include <jansson.h>

/* Bounds values and depth without checking the grammar, which is jansson's part. */
static tg_result check_bounds(tg_doc_builder *builder, tg_slice bytes)
{
    size_t num_values = 1;
    size_t depth = 0;
    bool is_text = false;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (is_text) {
            i += c == '\\';
            is_text = c != '"';
            continue;
        }
        is_text = c == '"';
        num_values += c == ',' || c == '{' || c == '[';
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
        if (depth > TG_MAX_DOC_DEPTH) {
            return tg_doc_refuse(builder, TG_ERR_LIMIT, 0, "nested deeper than 512");
        }
    }
    if (num_values > TG_MAX_DOC_NODES) {
        return tg_doc_refuse(builder, TG_ERR_LIMIT, 0, "too many values");
    }
    return tg_ok();
}

static tg_result add_value(tg_doc_builder *builder, json_t *value);

static tg_result add_container(tg_doc_builder *builder, json_t *value)
{
    tg_doc_node node;
    if (json_is_array(value)) {
        TG_TRY(tg_doc_begin(builder, TG_DOC_LIST, 0, &node));
        for (size_t i = 0; i < json_array_size(value); i++) {
            TG_TRY(add_value(builder, json_array_get(value, i)));
        }
        return tg_doc_end(builder);
    }
    TG_TRY(tg_doc_begin(builder, TG_DOC_MAP, 0, &node));
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        TG_TRY(tg_doc_add_key(builder, tg_slice_of(json_object_iter_key(at), json_object_iter_key_len(at)), 0));
        TG_TRY(add_value(builder, json_object_iter_value(at)));
    }
    return tg_doc_end(builder);
}

static tg_result add_value(tg_doc_builder *builder, json_t *value) /* recursion is bounded by check_bounds */
{
    tg_doc_node node;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return add_container(builder, value);
    case JSON_STRING:
        return tg_doc_add_text(builder, tg_slice_of(json_string_value(value), json_string_length(value)), 0, &node);
    case JSON_INTEGER:
    case JSON_REAL:
        return tg_doc_add_scalar(builder, (tg_doc_item){.kind = TG_DOC_NUMBER, .number = json_number_value(value)}, 0,
                                 &node);
    case JSON_TRUE:
    case JSON_FALSE:
        return tg_doc_add_scalar(builder, (tg_doc_item){.kind = TG_DOC_BOOL, .is_true = json_is_true(value)}, 0, &node);
    case JSON_NULL:
        break;
    }
    return tg_doc_add_scalar(builder, (tg_doc_item){.kind = TG_DOC_NULL}, 0, &node);
}

tg_result tg_doc_read_json(tg_doc_builder *builder, tg_slice bytes)
{
    if (tg_slice_trim(bytes, " \t\r\n").len == 0) {
        return tg_doc_refuse(builder, TG_ERR_SYNTAX, 0, "the document is empty");
    }
    TG_TRY(check_bounds(builder, bytes));
    json_error_t error;
    json_t *root =
        json_loadb((const char *)bytes.ptr, bytes.len,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (root == NULL) {
        unsigned line = error.line > 0 ? (unsigned)error.line : 0;
        if (json_error_code(&error) == json_error_out_of_memory) {
            return tg_fail(TG_ERR_MEMORY);
        }
        tg_detail_set_place(builder->detail, builder->doc->file, line, tg_slice_of(NULL, 0));
        tg_detail_set_reason(builder->detail, "not JSON: %s (column %d)", error.text, error.column);
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_result result = add_value(builder, root);
    json_decref(root);
    return result;
}
