// room: io
// What is taken must be written and read back as the same address, and fit the kernel's.
#include "io/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tg_address *address)
{
    char text[TG_MAX_ADDRESS_BYTES];
    tg_address again;
    tg_sockaddr to;
    tg_address_format(address, text);
    if (!tg_is_ok(tg_address_parse(tg_slice_str(text), &again, NULL)) || !tg_address_equal(address, &again)) {
        abort();
    }
    tg_code code = tg_address_to_sockaddr(address, false, &to).code;
    if (code != (address->kind == TG_ADDRESS_TCP && !address->is_numeric ? TG_ERR_UNSUPPORTED : TG_OK)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    tg_address address;
    tg_address_list list;
    tg_detail detail;
    if (tg_is_ok(tg_address_parse(text, &address, &detail))) {
        check(&address);
    }
    if (tg_is_ok(tg_address_parse_host_port(text, &address, &detail))) {
        check(&address);
    }
    if (tg_is_ok(tg_address_parse_list(text, &list, &detail))) {
        for (size_t i = 0; i < list.num_addresses; i++) {
            check(&list.addresses[i]);
        }
    }
    return 0;
}
