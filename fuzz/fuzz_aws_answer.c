// room: aws
// lib: JANSSON
// Whatever stands where AWS's answer should be: read or refused, and what is shown of it is printable.
#include "aws/failure.h"
#include "aws/json.h"
#include "aws/kms.h"
#include "aws/s3_page.h"
#include "aws/secrets_manager.h"
#include "aws/xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_result count(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    size_t *num_elements = owner;
    (void)is_leaf;
    if (path.len == 0 || path.len > TG_AWS_XML_MAX_PATH_BYTES || text.len > TG_AWS_XML_MAX_TEXT_BYTES) {
        abort();
    }
    (*num_elements)++;
    return tg_ok();
}

/* What is read holds what the operation promises, and of a sealed answer no plaintext. */
static void read_operations(const json_t *root)
{
    tg_buf bytes;
    tg_aws_secret secret;
    tg_buf_init(&bytes, 1 << 20);
    for (unsigned i = 0; i < 2 * TG_AWS_NUM_KMS_OPERATIONS; i++) {
        tg_aws_kms_answer answer;
        tg_aws_kms_ask ask = {.operation = (tg_aws_kms_operation)(i / 2)};
        ask.attestation_document = i % 2 == 1 ? TG_LIT("document") : (tg_slice){NULL, 0};
        if (tg_is_ok(tg_aws_kms_read_answer(root, &ask, &bytes, &answer)) && i % 2 == 1 && answer.plaintext.len > 0) {
            abort();
        }
    }
    if (tg_is_ok(tg_aws_secret_read(root, true, &bytes, &secret)) && secret.value.len > tg_buf_len(&bytes)) {
        abort();
    }
    tg_buf_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    tg_aws_failure failure;
    tg_aws_failure_read(400, NULL, 0, text, 0, &failure);
    for (const char *at = failure.message; *at != 0; at++) {
        if (*at < ' ' || *at > '~') {
            abort();
        }
    }
    if (failure.code[0] == 0 && failure.message[0] == 0) {
        abort();
    }
    size_t num_elements = 0;
    if (tg_is_ok(tg_aws_xml_read(text, count, &num_elements)) && num_elements == 0) {
        abort();
    }
    tg_arena arena;
    tg_aws_s3_page page;
    tg_arena_init(&arena, 1 << 20, false);
    if (tg_is_ok(tg_aws_s3_page_parse(text, &arena, &page)) && page.is_truncated && page.next_token.len == 0) {
        abort();
    }
    tg_arena_done(&arena);
    json_t *root;
    if (tg_is_ok(tg_aws_json_parse(text, &root))) {
        read_operations(root);
        json_decref(root);
    }
    return 0;
}
