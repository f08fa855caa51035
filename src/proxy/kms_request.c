#include "proxy/kms_request.h"

#include "base/encode.h"
#include "base/text.h"

#include <string.h>

enum { MAX_NAME_BYTES = 64 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Strings and nesting alone: whether it is JSON, jansson says when it is whole. */
static tg_result look_at(tg_kms_extent *extent, uint8_t c, bool *out_is_end)
{
    *out_is_end = false;
    if (extent->is_in_string) {
        extent->is_in_string = extent->is_escaped || c != '"';
        extent->is_escaped = !extent->is_escaped && c == '\\';
        return tg_ok();
    }
    if (extent->depth == 0 && c != '{') {
        return is_blank(c) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
    }
    extent->is_in_string = c == '"';
    if (c == '{' || c == '[') {
        return ++extent->depth <= TG_KMS_MAX_REQUEST_DEPTH ? tg_ok() : tg_fail(TG_ERR_LIMIT);
    }
    if (c == '}' || c == ']') {
        *out_is_end = --extent->depth == 0;
    }
    return tg_ok();
}

tg_result tg_kms_extent_find(tg_kms_extent *extent, tg_slice bytes, size_t *out_len)
{
    while (extent->looked_at < bytes.len) {
        bool is_end;
        if (extent->looked_at == TG_KMS_MAX_REQUEST_BYTES) {
            return tg_fail(TG_ERR_LIMIT);
        }
        TG_TRY(look_at(extent, bytes.ptr[extent->looked_at], &is_end));
        extent->looked_at++;
        if (is_end) {
            *out_len = extent->looked_at;
            return tg_ok();
        }
    }
    return tg_fail(TG_ERR_AGAIN);
}

/* What a member of an input holds. */
typedef enum member_form { TEXT, BYTES, NUMBER, TRUTH, TEXTS, TEXT_LIST, RECIPIENT } member_form;

typedef struct member {
    const char *name; /* AWS's */
    member_form form;
    unsigned operations; /* that take it, by bit */
} member;

#define IN(operation) (1u << TG_KMS_##operation)
#define IN_DATA_KEYS  (IN(GENERATE_DATA_KEY) | IN(GENERATE_DATA_KEY_SEALED))
static const member members[] = {
    {"KeyId", TEXT, IN(DECRYPT) | IN(ENCRYPT) | IN_DATA_KEYS},
    {"CiphertextBlob", BYTES, IN(DECRYPT)},
    {"Plaintext", BYTES, IN(ENCRYPT)},
    {"EncryptionContext", TEXTS, IN(DECRYPT) | IN(ENCRYPT) | IN_DATA_KEYS},
    {"EncryptionAlgorithm", TEXT, IN(DECRYPT) | IN(ENCRYPT)},
    {"GrantTokens", TEXT_LIST, IN(DECRYPT) | IN(ENCRYPT) | IN_DATA_KEYS},
    {"KeySpec", TEXT, IN_DATA_KEYS},
    {"NumberOfBytes", NUMBER, IN_DATA_KEYS | IN(GENERATE_RANDOM)},
    {"DryRun", TRUTH, IN(DECRYPT) | IN(ENCRYPT) | IN_DATA_KEYS},
    {"Recipient", RECIPIENT, IN(DECRYPT) | IN(GENERATE_DATA_KEY) | IN(GENERATE_RANDOM)},
};
static const member recipient_members[] = {
    {"KeyEncryptionAlgorithm", TEXT, ~0u},
    {"AttestationDocument", BYTES, ~0u},
};

static const char *const operations[TG_KMS_NUM_OPERATIONS] = {"Decrypt", "Encrypt", "GenerateDataKey",
                                                              "GenerateDataKeyWithoutPlaintext", "GenerateRandom"};

const char *tg_kms_operation_name(tg_kms_operation operation)
{
    return operations[operation];
}

/* Two names that differ in case and underscores alone. */
static bool is_same(const char *own, const char *given)
{
    for (;;) {
        while (*given == '_') {
            given++;
        }
        if (*own == 0 || *given == 0) {
            return *own == *given;
        }
        if (tg_ascii_lower((uint8_t)*own++) != tg_ascii_lower((uint8_t)*given++)) {
            return false;
        }
    }
}

static tg_result refuse(tg_detail *detail, const char *code, const char *name, const char *reason)
{
    tg_detail_set_place(detail, TG_LIT(""), 0, tg_slice_str(code));
    tg_detail_set_reason(detail, "%.64s%s%s", name, name[0] != 0 ? ": " : "", reason);
    return tg_fail(strcmp(code, "unknown_operation") == 0 ? TG_ERR_UNSUPPORTED : TG_ERR_SYNTAX);
}

static tg_result refuse_member(tg_detail *detail, const char *name, const char *reason)
{
    return refuse(detail, "bad_request", name, reason);
}

static bool is_base64(const json_t *value)
{
    static const char padding[] = "=";
    uint8_t block[192];
    tg_slice text = tg_slice_of(json_string_value(value), json_string_length(value));
    bool is_good = text.len > 0 && text.len % 4 == 0;
    while (is_good && text.len > 0) {
        size_t len;
        tg_slice part = tg_slice_first(text, 256);
        text = tg_slice_from(text, part.len);
        is_good = tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, part, block, &len)) &&
                  (text.len == 0 || part.ptr[part.len - 1] != (uint8_t)padding[0]);
    }
    tg_wipe(block, sizeof block);
    return is_good;
}

static bool all_are_text(const json_t *value)
{
    const char *key;
    json_t *each;
    size_t i;
    json_array_foreach(value, i, each)
    {
        if (!json_is_string(each)) {
            return false;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, each)
    {
        if (!json_is_string(each)) {
            return false;
        }
    }
    return true;
}

static const char *fault_of(member_form form, const json_t *value)
{
    switch (form) {
    case TEXT:
        return json_is_string(value) && json_string_length(value) > 0 ? NULL : "this is to be a string";
    case BYTES:
        return json_is_string(value) && is_base64(value) ? NULL : "this is to be bytes in base64 with its padding";
    case NUMBER:
        return json_is_integer(value) && json_integer_value(value) > 0 ? NULL : "this is to be a number above 0";
    case TRUTH:
        return json_is_boolean(value) ? NULL : "this is to be true or false";
    case TEXTS:
        return json_is_object(value) && all_are_text(value) ? NULL : "this is to be an object of strings";
    case TEXT_LIST:
        return json_is_array(value) && all_are_text(value) ? NULL : "this is to be a list of strings";
    case RECIPIENT:
        break;
    }
    return json_is_object(value) ? NULL : "this is to be an object";
}

static tg_result rename_members(const json_t *from, const member *known, size_t num_known, unsigned operation_bit,
                                json_t *to, tg_detail *detail);

/* A recipient's own members are renamed as well. */
static tg_result take_value(const member *as, json_t *value, json_t *to, tg_detail *detail)
{
    const char *fault = fault_of(as->form, value);
    if (fault != NULL) {
        return refuse_member(detail, as->name, fault);
    }
    if (as->form != RECIPIENT) {
        return json_object_set(to, as->name, value) == 0 ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    }
    json_t *recipient = json_object();
    if (recipient == NULL || json_object_set_new(to, as->name, recipient) != 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(rename_members(value, recipient_members, TG_COUNT(recipient_members), ~0u, recipient, detail));
    return json_object_size(recipient) == TG_COUNT(recipient_members)
               ? tg_ok()
               : refuse_member(detail, as->name, "this is to hold KeyEncryptionAlgorithm and AttestationDocument");
}

static tg_result rename_members(const json_t *from, const member *known, size_t num_known, unsigned operation_bit,
                                json_t *to, tg_detail *detail)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        size_t i = 0;
        while (i < num_known && ((known[i].operations & operation_bit) == 0 || !is_same(known[i].name, key))) {
            i++;
        }
        if (json_is_null(value)) {
            continue; /* as if it were not there: many clients write what they leave out so */
        }
        if (i == num_known) {
            return refuse_member(detail, key, "the operation has no such member");
        }
        if (json_object_get(to, known[i].name) != NULL) {
            return refuse_member(detail, key, "this stands there twice");
        }
        TG_TRY(take_value(&known[i], value, to, detail));
    }
    return tg_ok();
}

/* The caller's way of writing names, by the first name that tells: `plaintext` may be either of two. */
static tg_kms_spelling spelling_of(const json_t *input)
{
    const char *key;
    json_t *value;
    tg_kms_spelling spelling = TG_KMS_PASCAL;
    bool is_known = false;
    json_object_foreach((json_t *)(uintptr_t)input, key, value)
    {
        bool has_upper = false, has_mark = strchr(key, '_') != NULL;
        bool begins_upper = key[0] >= 'A' && key[0] <= 'Z';
        for (const char *at = key; *at != 0; at++) {
            has_upper = has_upper || (*at >= 'A' && *at <= 'Z');
        }
        if (has_mark || begins_upper || has_upper) {
            return has_mark ? TG_KMS_SNAKE : begins_upper ? TG_KMS_PASCAL : TG_KMS_CAMEL;
        }
        spelling = is_known ? spelling : TG_KMS_SNAKE;
        is_known = true;
    }
    return spelling;
}

static tg_result find_operation(const json_t *name, tg_kms_operation *out_operation, tg_detail *detail)
{
    if (!json_is_string(name)) {
        return refuse(detail, "bad_request", "operation", "this is to be a string");
    }
    for (unsigned i = 0; i < TG_KMS_NUM_OPERATIONS; i++) {
        if (is_same(operations[i], json_string_value(name))) {
            *out_operation = (tg_kms_operation)i;
            return tg_ok();
        }
    }
    return refuse(detail, "unknown_operation", "operation",
                  "only Decrypt, Encrypt, GenerateDataKey[WithoutPlaintext] and GenerateRandom are passed on");
}

static tg_result split(const json_t *root, const json_t **out_operation, const json_t **out_input, tg_detail *detail)
{
    const char *key;
    json_t *value;
    *out_operation = *out_input = NULL;
    json_object_foreach((json_t *)(uintptr_t)root, key, value)
    {
        const json_t **slot = is_same("operation", key) ? out_operation : is_same("input", key) ? out_input : NULL;
        if (slot == NULL || *slot != NULL) {
            return refuse(detail, "bad_request", key,
                          slot == NULL ? "only operation and input are known here" : "this stands there twice");
        }
        *slot = value;
    }
    if (*out_operation == NULL || !json_is_object(*out_input)) {
        return refuse(detail, "bad_request", "", "write {\"operation\": NAME, \"input\": {...}}");
    }
    return tg_ok();
}

static tg_result read_request(const json_t *root, tg_kms_request *request, tg_detail *detail)
{
    const json_t *operation, *input;
    TG_TRY(split(root, &operation, &input, detail));
    TG_TRY(find_operation(operation, &request->operation, detail));
    request->spelling = spelling_of(input);
    TG_TRY(rename_members(input, members, TG_COUNT(members), 1u << request->operation, request->input, detail));
    bool is_random = request->operation == TG_KMS_GENERATE_RANDOM;
    request->has_key = !is_random;
    request->is_sealed =
        request->operation == TG_KMS_GENERATE_DATA_KEY_SEALED || json_object_get(request->input, "Recipient") != NULL;
    request->key = json_string_value(json_object_get(request->input, "KeyId"));
    return tg_ok();
}

tg_result tg_kms_request_parse(tg_slice json, tg_kms_request *out_request, tg_detail *detail)
{
    json_error_t error;
    json_t *root = json_loadb(json.ptr != NULL ? (const char *)json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return refuse(detail, "bad_request", "", "this is no JSON object");
    }
    tg_kms_request request = {.input = json_object()};
    tg_result result = request.input != NULL ? read_request(root, &request, detail) : tg_fail(TG_ERR_MEMORY);
    json_decref(root);
    if (!tg_is_ok(result)) {
        json_decref(request.input);
        return result;
    }
    *out_request = request;
    return tg_ok();
}

void tg_kms_request_done(tg_kms_request *request)
{
    json_decref(TG_TAKE(request->input));
    request->key = NULL;
}

tg_result tg_kms_request_set_key(tg_kms_request *request, tg_slice key)
{
    json_t *value = json_stringn((const char *)key.ptr, key.len);
    if (value == NULL || json_object_set_new(request->input, "KeyId", value) != 0) {
        return tg_fail(TG_ERR_MEMORY);
    }
    request->key = json_string_value(value);
    return tg_ok();
}

bool tg_kms_shows_plaintext(const json_t *output)
{
    const json_t *plaintext = json_object_get(output, "Plaintext");
    bool is_empty = json_is_string(plaintext) && json_string_length(plaintext) == 0;
    return plaintext != NULL && !json_is_null(plaintext) && !is_empty;
}

static int append_piece(const char *piece, size_t len, void *owner)
{
    return tg_is_ok(tg_buf_append(owner, tg_slice_of(piece, len))) ? 0 : -1;
}

tg_result tg_kms_append_json(tg_buf *buf, const json_t *tree)
{
    return json_dump_callback(tree, append_piece, buf, JSON_COMPACT | JSON_ENCODE_ANY) == 0 ? tg_ok()
                                                                                            : tg_fail(TG_ERR_LIMIT);
}

/* AWS's name in the caller's spelling: KeyId, keyId, key_id. */
static tg_result append_name(tg_buf *buf, const char *name, tg_kms_spelling spelling)
{
    TG_TRY(tg_buf_append_byte(buf, '"'));
    for (size_t i = 0; name[i] != 0 && i < MAX_NAME_BYTES; i++) {
        bool is_upper = name[i] >= 'A' && name[i] <= 'Z';
        if (spelling == TG_KMS_SNAKE && is_upper && i > 0) {
            TG_TRY(tg_buf_append_byte(buf, '_'));
        }
        bool is_lowered = spelling == TG_KMS_SNAKE || (spelling == TG_KMS_CAMEL && i == 0);
        TG_TRY(tg_buf_append_byte(buf, is_lowered ? tg_ascii_lower((uint8_t)name[i]) : (uint8_t)name[i]));
    }
    return tg_buf_append_str(buf, "\":");
}

static bool is_name(const char *name)
{
    for (; *name != 0; name++) {
        if (!tg_ascii_is_alpha((uint8_t)*name) && !tg_ascii_is_digit((uint8_t)*name)) {
            return false;
        }
    }
    return true;
}

tg_result tg_kms_append_answer(tg_buf *buf, const json_t *output, tg_kms_spelling spelling)
{
    const char *key;
    json_t *value;
    bool is_first = true;
    TG_TRY(tg_buf_append_str(buf, "{\"output\":{"));
    json_object_foreach((json_t *)(uintptr_t)output, key, value)
    {
        if (!is_name(key)) {
            continue; /* none of AWS's */
        }
        TG_TRY(tg_buf_append_str(buf, is_first ? "" : ","));
        TG_TRY(append_name(buf, key, spelling));
        TG_TRY(tg_kms_append_json(buf, value));
        is_first = false;
    }
    return tg_buf_append_str(buf, "}}\n");
}

tg_result tg_kms_append_error(tg_buf *buf, tg_slice code, tg_slice text)
{
    TG_TRY(tg_buf_append_str(buf, "{\"error\":"));
    TG_TRY(tg_json_append_string(buf, text));
    TG_TRY(tg_buf_append_str(buf, ",\"code\":"));
    TG_TRY(tg_json_append_string(buf, code));
    return tg_buf_append_str(buf, "}\n");
}
