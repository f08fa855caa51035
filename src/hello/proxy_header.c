#include "hello/proxy_header.h"

#include "base/num.h"
#include "base/reader.h"

enum { VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21, TRANSPORT_STREAM = 1, TLV_HEADER_BYTES = 3, CRC32C_BYTES = 4 };

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static size_t address_len(tg_proxy_family family)
{
    static const size_t lens[] = {
        [TG_PROXY_UNSPEC] = 0, [TG_PROXY_INET] = 4, [TG_PROXY_INET6] = 16, [TG_PROXY_UNIX] = TG_PROXY_UNIX_PATH_BYTES};
    return lens[family];
}

/* CRC32c (Castagnoli, RFC 3385), four bits at a time; `bytes` may be fed in pieces. */
static uint32_t crc32c_update(uint32_t crc, const uint8_t *bytes, size_t len)
{
    static const uint32_t nibbles[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                         0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                         0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return crc;
}

/* The checksum of the whole header with the four bytes at `crc_at` taken as zeros (version 2, §2.2.3). */
static uint32_t checksum(tg_slice header, size_t crc_at)
{
    static const uint8_t zeros[CRC32C_BYTES];
    uint32_t crc = crc32c_update(UINT32_MAX, header.ptr, crc_at);
    crc = crc32c_update(crc, zeros, CRC32C_BYTES);
    tg_slice rest = tg_slice_from(header, crc_at + CRC32C_BYTES);
    return ~crc32c_update(crc, rest.ptr, rest.len);
}

static bool next_tlv(tg_reader *reader, uint8_t *out_type, tg_slice *out_value)
{
    if (reader->rest.len == 0) {
        return false;
    }
    *out_type = tg_reader_u8(reader);
    *out_value = tg_reader_vector16(reader);
    return reader->code == TG_OK;
}

/* Every TLV must fit; a checksum stands at most once and must match. */
static tg_result check_tlvs(tg_slice tlvs, tg_slice header)
{
    tg_reader reader = tg_reader_of(tlvs);
    tg_slice value, crc = {NULL, 0};
    uint8_t type;
    while (next_tlv(&reader, &type, &value)) {
        if (type != TG_PROXY_TLV_CRC32C) {
            continue;
        }
        if (crc.ptr != NULL || value.len != CRC32C_BYTES) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        crc = value;
    }
    if (!tg_is_ok(tg_reader_finish(&reader))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (crc.ptr != NULL) {
        tg_reader number = tg_reader_of(crc);
        if (tg_reader_u32(&number) != checksum(header, (size_t)(crc.ptr - header.ptr))) {
            return tg_fail(TG_ERR_AUTH);
        }
    }
    return tg_ok();
}

static tg_result read_addresses(tg_reader *reader, tg_proxy_header *header)
{
    size_t len = address_len(header->family);
    header->source = tg_reader_bytes(reader, len);
    header->destination = tg_reader_bytes(reader, len);
    if (header->family == TG_PROXY_INET || header->family == TG_PROXY_INET6) {
        header->source_port = tg_reader_u16(reader);
        header->destination_port = tg_reader_u16(reader);
    }
    return tg_is_ok(tg_reader_result(reader)) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

/* PROXY protocol, version 2, §2.2: signature, version and command, family and transport, length, addresses, TLVs. */
tg_result tg_proxy_header_read(tg_slice input, tg_proxy_header *out_header, size_t *out_len)
{
    size_t num_signed = tg_size_min(input.len, sizeof signature);
    if (num_signed > 0 && memcmp(input.ptr, signature, num_signed) != 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (input.len < TG_PROXY_HEADER_MIN_BYTES) {
        return tg_fail(TG_ERR_AGAIN);
    }
    uint8_t version_command = input.ptr[12], family_transport = input.ptr[13];
    size_t whole_len = TG_PROXY_HEADER_MIN_BYTES + ((size_t)input.ptr[14] << 8 | input.ptr[15]);
    if (version_command != VERSION_LOCAL && version_command != VERSION_PROXY) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    tg_proxy_header header = {.is_local = version_command == VERSION_LOCAL};
    bool is_known = family_transport >> 4 <= TG_PROXY_UNIX && (family_transport & 15) == TRANSPORT_STREAM;
    if (!header.is_local && family_transport != 0 && (!is_known || family_transport >> 4 == TG_PROXY_UNSPEC)) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    if (whole_len > TG_PROXY_HEADER_MAX_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (input.len < whole_len) {
        return tg_fail(TG_ERR_AGAIN);
    }
    if (!header.is_local) { /* what LOCAL carries is to be skipped, whatever it is */
        header.family = (tg_proxy_family)(family_transport >> 4);
        tg_slice whole = tg_slice_first(input, whole_len);
        tg_reader reader = tg_reader_of(tg_slice_from(whole, TG_PROXY_HEADER_MIN_BYTES));
        TG_TRY(read_addresses(&reader, &header));
        tg_result checked = check_tlvs(reader.rest, whole);
        if (tg_is_ok(checked)) {
            header.tlvs = reader.rest;
        } else if (header.family != TG_PROXY_UNSPEC || checked.code == TG_ERR_AUTH) {
            return checked; /* behind UNSPEC, addresses of an unknown form may stand and are skipped */
        }
    }
    *out_header = header;
    *out_len = whole_len;
    return tg_ok();
}

bool tg_proxy_header_tlv(const tg_proxy_header *header, uint8_t type, tg_slice *out_value)
{
    tg_reader reader = tg_reader_of(header->tlvs);
    tg_slice value;
    for (uint8_t found; next_tlv(&reader, &found, &value);) {
        if (found == type) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

static void store_u16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

tg_result tg_proxy_tlv_append(tg_buf *buf, uint8_t type, tg_slice value)
{
    if (value.len > UINT16_MAX) {
        return tg_fail(TG_ERR_RANGE);
    }
    uint8_t *at;
    TG_TRY(tg_buf_reserve(buf, TLV_HEADER_BYTES + value.len, &at));
    at[0] = type;
    store_u16(at + 1, value.len);
    if (value.len > 0) {
        memcpy(at + TLV_HEADER_BYTES, value.ptr, value.len);
    }
    tg_buf_commit(buf, TLV_HEADER_BYTES + value.len);
    return tg_ok();
}

static uint8_t *store_bytes(uint8_t *out, tg_slice bytes)
{
    if (bytes.len > 0) {
        memcpy(out, bytes.ptr, bytes.len);
    }
    return out + bytes.len;
}

tg_result tg_proxy_header_append(tg_buf *buf, const tg_proxy_header *header, bool has_crc32c)
{
    size_t len = address_len(header->family);
    bool has_ports = header->family == TG_PROXY_INET || header->family == TG_PROXY_INET6;
    size_t crc_len = has_crc32c ? TLV_HEADER_BYTES + CRC32C_BYTES : 0;
    size_t body_len;
    if (header->source.len != len || header->destination.len != len ||
        !tg_size_add(len * 2 + (has_ports ? 4 : 0) + crc_len, header->tlvs.len, &body_len) ||
        body_len > TG_PROXY_HEADER_MAX_BYTES - TG_PROXY_HEADER_MIN_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    uint8_t *whole;
    size_t whole_len = TG_PROXY_HEADER_MIN_BYTES + body_len;
    TG_TRY(tg_buf_reserve(buf, whole_len, &whole));
    memcpy(whole, signature, sizeof signature);
    whole[12] = header->is_local ? VERSION_LOCAL : VERSION_PROXY;
    whole[13] = header->family == TG_PROXY_UNSPEC ? 0 : (uint8_t)(header->family << 4 | TRANSPORT_STREAM);
    store_u16(whole + 14, body_len);
    uint8_t *at = store_bytes(whole + TG_PROXY_HEADER_MIN_BYTES, header->source);
    at = store_bytes(at, header->destination);
    if (has_ports) {
        store_u16(at, header->source_port);
        store_u16(at + 2, header->destination_port);
        at += 4;
    }
    at = store_bytes(at, header->tlvs);
    if (has_crc32c) {
        at[0] = TG_PROXY_TLV_CRC32C;
        store_u16(at + 1, CRC32C_BYTES);
        at += TLV_HEADER_BYTES;
        uint32_t crc = checksum(tg_slice_of(whole, whole_len), (size_t)(at - whole));
        store_u16(at, crc >> 16);
        store_u16(at + 2, crc & UINT16_MAX);
    }
    tg_buf_commit(buf, whole_len);
    return tg_ok();
}
