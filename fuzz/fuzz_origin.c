// room: outbound
// A URL that is taken says the same when it is written anew from its parts.
#include "outbound/origin.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_origin origin;
    tg_origin again;
    tg_detail detail = {.line = 0};
    if (!tg_is_ok(tg_origin_parse(tg_slice_of(data, size), &origin, &detail))) {
        if (detail.reason[0] == 0) {
            abort();
        }
        return 0;
    }
    char text[TG_MAX_HOST_BYTES + 32];
    (void)snprintf(text, sizeof text, "%s://%s/", origin.is_tls ? "https" : "http", origin.authority);
    if (!tg_is_ok(tg_origin_parse(tg_slice_str(text), &again, NULL)) ||
        !tg_address_equal(&origin.target, &again.target) || strcmp(origin.authority, again.authority) != 0 ||
        origin.is_loopback != again.is_loopback || origin.is_on_link != again.is_on_link) {
        abort();
    }
    return 0;
}
