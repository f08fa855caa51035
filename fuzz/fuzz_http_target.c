// room: http
// A request target, then the parts that other functions take: authority, escapes.
#include "http/target.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "OPTIONS", "CONNECT"};
    if (size < 1) {
        return 0;
    }
    tg_slice text = tg_slice_of(data + 1, size - 1);
    tg_http_target target;
    tg_http_authority authority;
    if (tg_is_ok(tg_http_target_parse(text, tg_slice_str(methods[data[0] % 3]), &target)) && target.authority.len > 0) {
        /* what was taken as an authority must be one */
        if (!tg_is_ok(tg_http_authority_parse(target.authority, &authority)) || authority.host.len == 0) {
            abort();
        }
    }
    if (tg_is_ok(tg_http_authority_parse(text, &authority)) && authority.port > 65535) {
        abort();
    }
    uint8_t *out = malloc(text.len > 0 ? text.len : 1);
    size_t len;
    if (out != NULL && tg_is_ok(tg_http_percent_decode(text, out, &len)) && len > text.len) {
        abort();
    }
    free(out);
    return 0;
}
