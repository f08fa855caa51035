// room: keys
/* Any content of the secret, both ways of holding it: a ring within its bounds, or a reason. */
#include "keys/secret_format.h"

#include "crypto/init.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    if (!is_ready && !tg_is_ok(tg_crypto_init(1))) {
        abort();
    }
    is_ready = true;
    for (int is_binary = 0; is_binary < 2; is_binary++) {
        tg_key_secret secret;
        tg_detail detail = {0};
        if (!tg_is_ok(tg_key_secret_parse(tg_slice_of(data, size), is_binary == 1, &secret, &detail))) {
            if (detail.reason[0] == 0) {
                abort();
            }
            continue;
        }
        for (size_t i = 0; i < secret.num_keys; i++) {
            size_t len = secret.keys[i].ciphertext.len;
            if (len == 0 || len > TG_MAX_KMS_CIPHERTEXT_BYTES || secret.keys[i].id.len > TG_MAX_RING_ID_BYTES) {
                abort();
            }
        }
        tg_key_secret_done(&secret);
    }
    return 0;
}
