#include "settings/config_node.h"

#include "base/distance.h"
#include "base/text.h"
#include "settings/json_lines.h"

#include <stdio.h>

enum { MAX_POINTER_BYTES = 1024 };

/* One token with its slash (RFC 6901 §3). */
static tg_result append_token(tg_buf *buf, const tg_config_node *node)
{
    TG_TRY(tg_buf_append_byte(buf, '/'));
    if (node->key == NULL) {
        return tg_buf_append_u64(buf, node->index);
    }
    for (const char *at = node->key; *at != 0; at++) {
        TG_TRY(*at == '~'   ? tg_buf_append_str(buf, "~0")
               : *at == '/' ? tg_buf_append_str(buf, "~1")
                            : tg_buf_append_byte(buf, (uint8_t)*at));
    }
    return tg_ok();
}

static tg_result append_pointer(tg_buf *buf, const tg_config_node *node)
{
    const tg_config_node *path[16];
    size_t depth = 0;
    for (; node->parent != NULL && depth < TG_COUNT(path); node = node->parent) {
        path[depth++] = node;
    }
    while (depth > 0) {
        TG_TRY(append_token(buf, path[--depth]));
    }
    return tg_ok();
}

tg_detail *tg_config_fault(const tg_config_node *node)
{
    const tg_config_reader *reader = node->reader;
    tg_buf pointer;
    tg_buf_init(&pointer, MAX_POINTER_BYTES);
    unsigned line =
        tg_is_ok(append_pointer(&pointer, node)) ? tg_json_line_of(reader->json, tg_buf_slice(&pointer)) : 0;
    tg_detail *fault = tg_faults_add(reader->faults);
    tg_detail_set_place(fault, tg_slice_str(reader->file), line, tg_buf_slice(&pointer));
    tg_buf_done(&pointer);
    return fault;
}

static bool refuse(const tg_config_node *node, const char *reason, const char *form)
{
    tg_detail *fault = tg_config_fault(node);
    tg_detail_set_reason(fault, "%s", reason);
    tg_detail_set_remedy(fault, "write %s", form);
    return false;
}

bool tg_config_member(const tg_config_node *object, const char *key, tg_config_node *out_member)
{
    const json_t *value = json_object_get(object->value, key);
    if (value == NULL) {
        return false;
    }
    *out_member = (tg_config_node){.reader = object->reader, .value = value, .parent = object, .key = key};
    return true;
}

tg_config_node tg_config_item(const tg_config_node *array, size_t index)
{
    return (tg_config_node){
        .reader = array->reader, .value = json_array_get(array->value, index), .parent = array, .index = index};
}

bool tg_config_is_object(const tg_config_node *node, const char *form)
{
    return json_is_object(node->value) || refuse(node, "an object must stand here", form);
}

bool tg_config_is_array(const tg_config_node *node, const char *form)
{
    return json_is_array(node->value) || refuse(node, "a list must stand here", form);
}

static bool is_known(const char *const *known, const char *key)
{
    for (; *known != NULL; known++) {
        if (strcmp(*known, key) == 0) {
            return true;
        }
    }
    return false;
}

void tg_config_refuse_others(const tg_config_node *object, const char *const *known)
{
    void *each = json_object_iter((json_t *)(uintptr_t)object->value);
    for (; each != NULL; each = json_object_iter_next((json_t *)(uintptr_t)object->value, each)) {
        tg_config_node member;
        const char *key = json_object_iter_key(each);
        if (is_known(known, key) || !tg_config_member(object, key, &member)) {
            continue;
        }
        tg_detail *fault = tg_config_fault(&member);
        tg_detail_set_reason(fault, "there is no such key");
        const char *nearest = NULL;
        size_t least = SIZE_MAX;
        for (const char *const *name = known; *name != NULL; name++) {
            size_t distance = tg_text_distance(tg_slice_str(key), tg_slice_str(*name));
            if (distance < least && tg_text_is_near(tg_slice_str(key), tg_slice_str(*name))) {
                least = distance;
                nearest = *name;
            }
        }
        if (nearest != NULL) {
            tg_detail_set_remedy(fault, "did you mean %s?", nearest);
        } else {
            tg_buf all;
            tg_buf_init(&all, 200);
            bool is_whole = true;
            for (const char *const *name = known; *name != NULL; name++) {
                is_whole = is_whole && tg_is_ok(tg_buf_printf(&all, "%s%s", name == known ? "" : ", ", *name));
            }
            tg_slice names = tg_buf_slice(&all);
            tg_detail_set_remedy(fault, "known here: %.*s", (int)names.len, (const char *)names.ptr);
            tg_buf_done(&all);
        }
    }
}

static bool has_control(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

bool tg_config_text(const tg_config_node *node, size_t max, tg_slice *out_text)
{
    tg_slice text = tg_slice_of(json_string_value(node->value), json_string_length(node->value));
    if (!json_is_string(node->value)) {
        return refuse(node, "a text must stand here", "it in quotes");
    }
    if (text.len == 0 || text.len > max || has_control(text)) {
        tg_detail *fault = tg_config_fault(node);
        tg_detail_set_reason(fault, text.len == 0    ? "the text is empty"
                                    : text.len > max ? "the text is too long"
                                                     : "the text holds control characters");
        tg_detail_set_remedy(fault, "write 1 to %zu bytes in one line", max);
        return false;
    }
    if (!tg_is_ok(tg_arena_copy(node->reader->arena, text, out_text))) {
        node->reader->is_out_of_memory = true;
        return false;
    }
    return true;
}

bool tg_config_number(const tg_config_node *node, uint64_t min, uint64_t max, uint64_t *out_number)
{
    json_int_t number = json_integer_value(node->value);
    if (!json_is_integer(node->value) || number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
        tg_detail *fault = tg_config_fault(node);
        tg_detail_set_reason(fault, json_is_integer(node->value) ? "the number is outside its range"
                                                                 : "a whole number must stand here");
        tg_detail_set_remedy(fault, "write %llu to %llu, without quotes", (unsigned long long)min,
                             (unsigned long long)max);
        return false;
    }
    *out_number = (uint64_t)number;
    return true;
}

bool tg_config_bool(const tg_config_node *node, bool *out_value)
{
    if (!json_is_boolean(node->value)) {
        return refuse(node, "true or false must stand here", "true or false, without quotes");
    }
    *out_value = json_is_true(node->value);
    return true;
}

void tg_config_note_file(tg_config_reader *reader, tg_slice path)
{
    tg_config_file *file = tg_config_alloc(reader, 1, sizeof *file);
    if (file != NULL) {
        *file = (tg_config_file){(const char *)path.ptr, reader->files};
        reader->files = file;
    }
}

void *tg_config_alloc(tg_config_reader *reader, size_t count, size_t size)
{
    void *memory = tg_arena_zalloc(reader->arena, count, size);
    reader->is_out_of_memory = reader->is_out_of_memory || memory == NULL;
    return memory;
}

tg_result tg_config_load(const char *file, tg_slice json, const char *example, tg_faults *faults, json_t **out_tree)
{
    json_error_t error = {.line = 0};
    json_t *tree = json_loadb((const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(tree)) {
        *out_tree = tree;
        return tg_ok();
    }
    tg_detail *fault = tg_faults_add(faults);
    bool has_line = tree == NULL && error.line > 0;
    tg_detail_set_place(fault, tg_slice_str(file), has_line ? (unsigned)error.line : 0, TG_LIT(""));
    if (tree == NULL && json_error_code(&error) == json_error_duplicate_key) {
        tg_detail_set_reason(fault, "a key stands twice in one object");
        tg_detail_set_remedy(fault, "keep one of them");
    } else if (tree == NULL) {
        tg_detail_set_reason(fault, "this is not JSON (column %d): %s", error.column, error.text);
        tg_detail_set_remedy(fault, "a minimal configuration: %s", example);
    } else {
        tg_detail_set_reason(fault, "this is JSON, but no object");
        tg_detail_set_remedy(fault, "a minimal configuration: %s", example);
    }
    json_decref(tree);
    return tg_fail(TG_ERR_SYNTAX);
}
