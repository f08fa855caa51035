// room: enclave
/* Names of certificates and servers against allow lists: what is allowed stands in the list, whatever the bytes. And a
 * media type is either that of a stream of lines or of a document. */
#include "base/text.h"
#include "enclave/bulk_api.h"
#include "enclave/clients.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const listed[] = {"app.example.org", "spiffe://td/app", "ops@example.org", "[::1]"};
    const tg_setting_list names = {listed, TG_COUNT(listed)};
    if (size < 2) {
        return 0;
    }
    tg_peer_name name = {(tg_peer_name_kind)(data[0] % 3), tg_slice_of(data + 2, size - 2)};
    tg_peer_tls tls = {.server_name = tg_slice_of(data + 2, data[1] % (size - 1)),
                       .has_certificate = true,
                       .not_after_unix_s = 1000,
                       .names = &name,
                       .num_names = 1};
    const tg_peer peer = {.kind = TG_ADDRESS_TCP, .tls = &tls};
    bool stands_there = false;
    for (size_t i = 0; i < TG_COUNT(listed); i++) {
        stands_there |= tg_text_equal_nocase(tg_slice_str(listed[i]), name.text);
    }
    if (tg_clients_allow(&names, &peer, 1000) && !stands_there) {
        abort();
    }
    if (tg_clients_allow(&names, &peer, 1001)) {
        abort();
    }
    if (tg_server_names_match(&names, &peer, name.text) && name.text.len == 0) {
        abort();
    }
    tg_slice type = tg_slice_of(data, size);
    if (tg_bulk_is_asked(type) && tg_http_is_json(type)) {
        abort();
    }
    return 0;
}
