// room: hello
// The first byte chooses where the flight is cut in two; both ways of reading must agree.
#include "hello/client_hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    tg_slice flight = tg_slice_of(data + 1, size - 1);
    tg_client_hello whole, parts;
    tg_client_hello_reader once = {0}, twice = {0};
    tg_result whole_result = tg_client_hello_read(&once, flight, &whole);
    tg_result part_result = tg_client_hello_read(&twice, tg_slice_first(flight, flight.len * data[0] / 256), &parts);
    if (part_result.code == TG_ERR_AGAIN) {
        part_result = tg_client_hello_read(&twice, flight, &parts);
    }
    if (part_result.code != whole_result.code) {
        abort();
    }
    if (tg_is_ok(whole_result) &&
        (whole.flight_len != parts.flight_len || whole.flight_len > flight.len || whole.sni_kind != parts.sni_kind ||
         !tg_slice_equal(tg_client_hello_sni(&whole), tg_client_hello_sni(&parts)))) {
        abort();
    }
    return 0;
}
