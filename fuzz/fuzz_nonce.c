// room: enclave
/* Any query of /attestation: a nonce within its bounds, or nothing. */
#include "enclave/attestation_api.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t nonce[TG_MAX_NONCE_BYTES];
    size_t len = 0;
    if (tg_is_ok(tg_nonce_parse(tg_slice_of(data, size), nonce, &len)) &&
        (len > TG_MAX_NONCE_BYTES || (len < TG_MIN_NONCE_BYTES && size > 0))) {
        abort();
    }
    return 0;
}
