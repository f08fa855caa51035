#include "hello/return_port.h"

#include "base/reader.h"
#include "hello/proxy_header.h"

enum { FORMAT_VERSION = 1 };

tg_result tg_return_port_read(tg_slice value, tg_return_port *out_port)
{
    tg_reader reader = tg_reader_of(value);
    uint8_t version = tg_reader_u8(&reader);
    if (reader.code == TG_OK && version != FORMAT_VERSION) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    tg_return_port port = {.port = tg_reader_u32(&reader)};
    tg_slice token = tg_reader_bytes(&reader, TG_RETURN_TOKEN_BYTES);
    if (!tg_is_ok(tg_reader_finish(&reader)) || port.port == 0 || port.port == UINT32_MAX) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(port.token, token.ptr, TG_RETURN_TOKEN_BYTES);
    *out_port = port;
    return tg_ok();
}

tg_result tg_return_port_append(tg_buf *buf, const tg_return_port *port)
{
    uint8_t value[TG_RETURN_PORT_BYTES] = {FORMAT_VERSION, (uint8_t)(port->port >> 24), (uint8_t)(port->port >> 16),
                                           (uint8_t)(port->port >> 8), (uint8_t)port->port};
    memcpy(value + TG_RETURN_PORT_BYTES - TG_RETURN_TOKEN_BYTES, port->token, TG_RETURN_TOKEN_BYTES);
    return tg_proxy_tlv_append(buf, TG_PROXY_TLV_RETURN_PORT, tg_slice_of(value, sizeof value));
}
