#include "tool/attest_answer.h"

#include "base/encode.h"

#include <jansson.h>
#include <stdlib.h>

void tg_attest_answer_init(tg_attest_answer *answer)
{
    *answer = (tg_attest_answer){.is_live = false};
    tg_buf_init(&answer->document, TG_MAX_ATTEST_ANSWER_BYTES);
    tg_buf_init(&answer->manifest, TG_MAX_ATTEST_ANSWER_BYTES);
}

void tg_attest_answer_done(tg_attest_answer *answer)
{
    tg_buf_done(&answer->document);
    tg_buf_done(&answer->manifest);
}

static tg_result refuse(tg_detail *detail, const char *reason)
{
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result decode(tg_slice text, tg_buf *out, tg_detail *detail)
{
    uint8_t *room = NULL;
    size_t len = 0;
    TG_TRY(tg_buf_reserve(out, tg_base64_decoded_max(text.len), &room));
    if (!tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, text, room, &len)) || len == 0) {
        return refuse(detail, "the document is not in base64");
    }
    tg_buf_commit(out, len);
    return tg_ok();
}

/* As the enclave wrote it: canonical JSON is what sorting and packing gives. */
static tg_result pack(json_t *manifest, tg_buf *out)
{
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS);
    tg_result packed = text != NULL ? tg_buf_append_str(out, text) : tg_fail(TG_ERR_MEMORY);
    free(text);
    return packed;
}

static tg_result read_members(json_t *tree, tg_attest_answer *answer, tg_detail *detail)
{
    json_t *document = json_object_get(tree, "document");
    json_t *manifest = json_object_get(tree, "manifest");
    if (!json_is_string(document)) {
        return refuse(detail, "the answer has no document: this is not what /attestation answers");
    }
    if (manifest != NULL && !json_is_object(manifest)) {
        return refuse(detail, "the manifest is no object");
    }
    TG_TRY(manifest != NULL ? pack(manifest, &answer->manifest) : tg_ok());
    return decode(tg_slice_of(json_string_value(document), json_string_length(document)), &answer->document, detail);
}

static tg_result read_json(tg_slice bytes, tg_attest_answer *answer, tg_detail *detail)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)bytes.ptr, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (tree == NULL) {
        return refuse(detail, "the answer is damaged JSON");
    }
    tg_result read = read_members(tree, answer, detail);
    json_decref(tree);
    return read;
}

tg_result tg_attest_answer_parse(tg_slice bytes, tg_attest_answer *answer, tg_detail *detail)
{
    tg_buf_clear(&answer->document);
    tg_buf_clear(&answer->manifest);
    if (bytes.len > TG_MAX_ATTEST_ANSWER_BYTES) {
        tg_detail_set_reason(detail, "it is longer than %d bytes", TG_MAX_ATTEST_ANSWER_BYTES);
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_slice text = tg_slice_trim(bytes, " \t\r\n");
    if (text.len == 0) {
        return refuse(detail, "it is empty");
    }
    if (text.ptr[0] == '{') {
        return read_json(text, answer, detail);
    }
    bool is_cbor = (bytes.ptr[0] & 0xe0) == 0x80 || (bytes.ptr[0] & 0xe0) == 0xc0; /* an array, or a tag before one */
    return is_cbor ? tg_buf_append(&answer->document, bytes) : decode(text, &answer->document, detail);
}
