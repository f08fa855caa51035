// room: attest
/* An attestation document from anywhere: whatever is parsed points into the input, and nothing verifies but under the
 * root that it names. */
#include "attest/cbor.h"
#include "attest/nitro_document.h"

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
    tg_slice bytes = tg_slice_of(data, size);
    tg_cbor cbor = tg_cbor_of(bytes);
    tg_cbor_skip(&cbor);
    cbor = tg_cbor_of(bytes);
    (void)tg_cbor_read_head(&cbor);
    tg_nitro_document document;
    tg_detail detail = {0};
    if (!tg_is_ok(tg_nitro_document_parse(bytes, &document, &detail))) {
        if (detail.reason[0] == 0) {
            abort();
        }
        return 0;
    }
    need_inside(document.certificate, data, size);
    need_inside(document.payload, data, size);
    for (size_t i = 0; i < document.num_bundle; i++) {
        need_inside(document.bundle[i], data, size);
    }
    for (size_t i = 0; i < TG_NITRO_NUM_PCRS; i++) {
        need_inside(document.pcrs[i], data, size);
    }
    if (tg_is_ok(tg_nitro_document_verify(&document, TG_LIT("no root"), &detail))) {
        abort();
    }
    tg_result as_if_pinned = tg_nitro_document_verify(&document, document.bundle[0], &detail); /* must not crash */
    return as_if_pinned.code == TG_ERR_AGAIN ? -1 : 0;
}
