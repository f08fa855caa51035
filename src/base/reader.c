#include "base/reader.h"

void tg_reader_fail(tg_reader *reader, tg_code code)
{
    if (reader->code == TG_OK) {
        reader->code = code;
    }
    reader->rest = (tg_slice){NULL, 0};
}

tg_slice tg_reader_bytes(tg_reader *reader, size_t len)
{
    if (reader->code != TG_OK || len > reader->rest.len) {
        tg_reader_fail(reader, TG_ERR_TRUNCATED);
        return (tg_slice){NULL, 0};
    }
    tg_slice taken = tg_slice_first(reader->rest, len);
    reader->rest = tg_slice_from(reader->rest, len);
    return taken;
}

static uint64_t read_number(tg_reader *reader, size_t num_bytes)
{
    tg_slice bytes = tg_reader_bytes(reader, num_bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | bytes.ptr[i];
    }
    return value;
}

uint8_t tg_reader_u8(tg_reader *reader)
{
    return (uint8_t)read_number(reader, 1);
}
uint16_t tg_reader_u16(tg_reader *reader)
{
    return (uint16_t)read_number(reader, 2);
}
uint32_t tg_reader_u24(tg_reader *reader)
{
    return (uint32_t)read_number(reader, 3);
}
uint32_t tg_reader_u32(tg_reader *reader)
{
    return (uint32_t)read_number(reader, 4);
}
uint64_t tg_reader_u64(tg_reader *reader)
{
    return read_number(reader, 8);
}

tg_slice tg_reader_vector8(tg_reader *reader)
{
    return tg_reader_bytes(reader, tg_reader_u8(reader));
}
tg_slice tg_reader_vector16(tg_reader *reader)
{
    return tg_reader_bytes(reader, tg_reader_u16(reader));
}
tg_slice tg_reader_vector24(tg_reader *reader)
{
    return tg_reader_bytes(reader, tg_reader_u24(reader));
}

tg_result tg_reader_result(const tg_reader *reader)
{
    return tg_fail(reader->code);
}

tg_result tg_reader_finish(const tg_reader *reader)
{
    return tg_fail(reader->code == TG_OK && reader->rest.len > 0 ? TG_ERR_SYNTAX : reader->code);
}
