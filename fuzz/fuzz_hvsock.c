// room: io
// Bytes that are added never change what was decided before, and what is taken ends with a newline.
#include "io/hvsock.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_code before = TG_ERR_AGAIN;
    size_t before_len = 0;
    for (size_t len = 0; len <= size && len <= 64; len++) {
        size_t answer_len = 0;
        tg_code code = tg_hvsock_parse_answer(tg_slice_of(data, len), &answer_len).code;
        if (before != TG_ERR_AGAIN && (code != before || answer_len != before_len)) {
            abort();
        }
        if (code == TG_OK &&
            (answer_len > len || answer_len > TG_MAX_HVSOCK_ANSWER_BYTES || data[answer_len - 1] != '\n')) {
            abort();
        }
        before = code;
        before_len = answer_len;
    }
    return 0;
}
