#include "crypto/random.h"

#include <openssl/err.h>
#include <openssl/rand.h>

enum { MAX_BYTES = 1 << 30 };

tg_result tg_random_fill(uint8_t *out, size_t len)
{
    if (len > MAX_BYTES || RAND_bytes(out, (int)len) != 1) {
        ERR_clear_error();
        return tg_fail(TG_ERR_LIBRARY);
    }
    return tg_ok();
}
