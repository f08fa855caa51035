// room: proxy
// The end of a request is found the same byte by byte; a request that is taken is written as JSON that is taken again.
#include "proxy/kms_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_again(const tg_kms_request *request)
{
    tg_kms_request again;
    tg_detail detail;
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    if (!tg_is_ok(
            tg_buf_printf(&text, "{\"operation\":\"%s\",\"input\":", tg_kms_operation_name(request->operation))) ||
        !tg_is_ok(tg_kms_append_json(&text, request->input)) || !tg_is_ok(tg_buf_append_byte(&text, '}')) ||
        !tg_is_ok(tg_kms_request_parse(tg_buf_slice(&text), &again, &detail))) {
        abort();
    }
    if (again.is_sealed != request->is_sealed || (again.key == NULL) != (request->key == NULL)) {
        abort();
    }
    tg_kms_request_done(&again);
    tg_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_kms_extent whole = {.depth = 0}, parts = {.depth = 0};
    tg_slice input = tg_slice_of(data, size);
    tg_kms_request request;
    tg_detail detail;
    size_t len = 0, len_of_parts = 0;
    tg_result found = tg_kms_extent_find(&whole, input, &len);
    tg_result last = tg_ok();
    for (size_t i = 0; i <= size && (i == 0 || last.code == TG_ERR_AGAIN); i++) {
        last = tg_kms_extent_find(&parts, tg_slice_first(input, i), &len_of_parts);
    }
    if (found.code != last.code || (tg_is_ok(found) && len != len_of_parts)) {
        abort();
    }
    if (!tg_is_ok(found)) {
        return 0;
    }
    tg_detail_clear(&detail);
    if (tg_is_ok(tg_kms_request_parse(tg_slice_first(input, len), &request, &detail))) {
        parse_again(&request);
        tg_kms_request_done(&request);
    } else if (detail.field[0] == 0) {
        abort();
    }
    return 0;
}
