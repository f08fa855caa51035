// room: attest
/* Any answer of a security module to each request: members point into the input, and a refusal says why. */
#include "attest/nsm_message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need_inside(tg_slice part, const uint8_t *data, size_t size)
{
    if (part.ptr != NULL && (part.ptr < data || part.ptr + part.len > data + size)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Attestation", "GetRandom", "DescribePCR", "ExtendPCR", "LockPCR"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        tg_nsm_answer answer = {0};
        tg_detail detail = {0};
        if (tg_is_ok(tg_nsm_answer_parse(tg_slice_of(data, size), names[i], &answer, &detail))) {
            need_inside(answer.document, data, size);
            need_inside(answer.random, data, size);
            need_inside(answer.data, data, size);
        } else if (detail.reason[0] == 0) {
            abort();
        }
    }
    return 0;
}
