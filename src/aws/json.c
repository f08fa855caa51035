#include "aws/json.h"

#include "base/encode.h"
#include "base/text.h"

#include <malloc.h>
#include <stdlib.h>

static void free_wiped(void *block)
{
    if (block != NULL) {
        tg_wipe(block, malloc_usable_size(block));
    }
    free(block);
}

void tg_aws_json_wipe(void)
{
    json_set_alloc_funcs(malloc, free_wiped);
}

tg_result tg_aws_json_parse(tg_slice text, json_t **out_object)
{
    json_error_t error;
    json_t *root = json_loadb(text.ptr != NULL ? (const char *)text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return tg_fail(json_error_code(&error) == json_error_out_of_memory ? TG_ERR_MEMORY : TG_ERR_SYNTAX);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_object = root;
    return tg_ok();
}

bool tg_aws_json_text(const json_t *object, const char *name, tg_slice *out_text)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) {
        return false;
    }
    *out_text = tg_slice_of(json_string_value(value), json_string_length(value));
    return true;
}

tg_result tg_aws_json_bytes(const json_t *object, const char *name, tg_buf *buf)
{
    tg_slice text;
    uint8_t *out;
    size_t len;
    if (json_object_get(object, name) == NULL || json_is_null(json_object_get(object, name))) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    if (!tg_aws_json_text(object, name, &text)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(tg_buf_reserve(buf, tg_base64_decoded_max(text.len), &out));
    TG_TRY(tg_base64_decode(TG_BASE64_PADDED, text, out, &len));
    tg_buf_commit(buf, len);
    return tg_ok();
}

static tg_result append_name(tg_buf *buf, const char *name)
{
    tg_slice before = tg_buf_slice(buf);
    if (before.len > 0 && before.ptr[before.len - 1] != '{') {
        TG_TRY(tg_buf_append_byte(buf, ','));
    }
    TG_TRY(tg_json_append_string(buf, tg_slice_str(name)));
    return tg_buf_append_byte(buf, ':');
}

tg_result tg_aws_json_append_bytes(tg_buf *buf, const char *name, tg_slice bytes)
{
    TG_TRY(append_name(buf, name));
    TG_TRY(tg_buf_append_byte(buf, '"'));
    TG_TRY(tg_base64_append(buf, TG_BASE64_PADDED, bytes));
    return tg_buf_append_byte(buf, '"');
}

tg_result tg_aws_json_append_text(tg_buf *buf, const char *name, tg_slice text)
{
    TG_TRY(append_name(buf, name));
    return tg_json_append_string(buf, text);
}
