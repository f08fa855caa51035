// room: aws
// lib: JANSSON
// Whatever stands where AWS's answer should be: read or refused, and what is shown of it is printable.
#include "aws/failure.h"
#include "aws/json.h"
#include "aws/s3_page.h"
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
        json_decref(root);
    }
    return 0;
}
