// room: hello
// A header that is read and written again must read the same; the return port's TLV is read where it stands.
#include "hello/proxy_header.h"
#include "hello/return_port.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_proxy_header header, again;
    size_t len, again_len;
    if (!tg_is_ok(tg_proxy_header_read(tg_slice_of(data, size), &header, &len))) {
        return 0;
    }
    tg_slice value;
    tg_return_port port;
    if (tg_proxy_header_tlv(&header, TG_PROXY_TLV_RETURN_PORT, &value) && tg_is_ok(tg_return_port_read(value, &port)) &&
        port.port == 0) {
        abort();
    }
    tg_buf buf;
    tg_buf_init(&buf, TG_PROXY_HEADER_MAX_BYTES);
    bool has_crc = tg_proxy_header_tlv(&header, TG_PROXY_TLV_CRC32C, &value);
    tg_result written = tg_proxy_header_append(&buf, &header, false);
    if (len > size || written.code != TG_OK) {
        abort();
    }
    /* the checksum covers bytes that a rewritten header may say otherwise (an UNSPEC family's transport) */
    tg_result read = tg_proxy_header_read(tg_buf_slice(&buf), &again, &again_len);
    if (!(has_crc && header.family == TG_PROXY_UNSPEC) &&
        (read.code != TG_OK || again.family != header.family || !tg_slice_equal(again.source, header.source) ||
         again.source_port != header.source_port || !tg_slice_equal(again.tlvs, header.tlvs))) {
        abort();
    }
    tg_buf_done(&buf);
    return 0;
}
