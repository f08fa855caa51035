#include "attest/cbor_write.h"

/* RFC 8949 §3: up to 23 stands in the head itself; else 24 to 27 say that 1, 2, 4 or 8 bytes follow. */
tg_result tg_cbor_put_head(tg_buf *buf, tg_cbor_type type, uint64_t value)
{
    unsigned num_more = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    unsigned low = num_more == 0 ? (unsigned)value : num_more == 1 ? 24 : num_more == 2 ? 25 : num_more == 4 ? 26 : 27;
    uint8_t head[9] = {(uint8_t)((unsigned)type << 5 | low)};
    for (unsigned i = 0; i < num_more; i++) {
        head[1 + i] = (uint8_t)(value >> (8 * (num_more - 1 - i)));
    }
    return tg_buf_append(buf, tg_slice_of(head, 1 + num_more));
}

static tg_result put_string(tg_buf *buf, tg_cbor_type type, tg_slice content)
{
    TG_TRY(tg_cbor_put_head(buf, type, content.len));
    return tg_buf_append(buf, content);
}

tg_result tg_cbor_put_bytes(tg_buf *buf, tg_slice bytes)
{
    return put_string(buf, TG_CBOR_BYTES, bytes);
}

tg_result tg_cbor_put_text(tg_buf *buf, const char *text)
{
    return put_string(buf, TG_CBOR_TEXT, tg_slice_str(text));
}

tg_result tg_cbor_put_bytes_or_null(tg_buf *buf, tg_slice bytes)
{
    return bytes.ptr != NULL ? tg_cbor_put_bytes(buf, bytes) : tg_cbor_put_head(buf, TG_CBOR_SIMPLE, TG_CBOR_NULL);
}
