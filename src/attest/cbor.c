#include "attest/cbor.h"

#include "base/text.h"

tg_cbor tg_cbor_of(tg_slice bytes)
{
    return (tg_cbor){tg_reader_of(bytes)};
}

void tg_cbor_fail(tg_cbor *cbor, tg_code code)
{
    tg_reader_fail(&cbor->reader, code);
}

/* RFC 8949 §3: the low five bits hold the value, or say that 1, 2, 4 or 8 bytes follow. §4.2.1: the shortest form. */
static uint64_t read_argument(tg_cbor *cbor, unsigned low)
{
    tg_reader *reader = &cbor->reader;
    uint64_t value = low;
    uint64_t least = 0;
    switch (low) {
    case 24:
        value = tg_reader_u8(reader);
        least = 24;
        break;
    case 25:
        value = tg_reader_u16(reader);
        least = UINT64_C(1) << 8;
        break;
    case 26:
        value = tg_reader_u32(reader);
        least = UINT64_C(1) << 16;
        break;
    case 27:
        value = tg_reader_u64(reader);
        least = UINT64_C(1) << 32;
        break;
    default:
        if (low > 27) { /* 28 to 30 are reserved, 31 is an indefinite length */
            tg_cbor_fail(cbor, TG_ERR_SYNTAX);
        }
        break;
    }
    if (value < least) {
        tg_cbor_fail(cbor, TG_ERR_SYNTAX);
    }
    return value;
}

tg_cbor_head tg_cbor_read_head(tg_cbor *cbor)
{
    uint8_t first = tg_reader_u8(&cbor->reader);
    tg_cbor_type type = (tg_cbor_type)(first >> 5);
    unsigned low = first & 31u;
    if (type == TG_CBOR_SIMPLE && (low < TG_CBOR_FALSE || low > TG_CBOR_UNDEFINED)) {
        tg_cbor_fail(cbor, low == 31 ? TG_ERR_SYNTAX : TG_ERR_UNSUPPORTED);
    }
    uint64_t value = read_argument(cbor, low);
    return tg_cbor_has_failed(cbor) ? (tg_cbor_head){TG_CBOR_UNSIGNED, 0} : (tg_cbor_head){type, value};
}

static uint64_t read_typed(tg_cbor *cbor, tg_cbor_type type)
{
    tg_cbor_head head = tg_cbor_read_head(cbor);
    if (!tg_cbor_has_failed(cbor) && head.type != type) {
        tg_cbor_fail(cbor, TG_ERR_MISMATCH);
    }
    return tg_cbor_has_failed(cbor) ? 0 : head.value;
}

/* The content of bytes or text whose head gave this length. */
static tg_slice read_content(tg_cbor *cbor, uint64_t len)
{
    if (tg_cbor_has_failed(cbor)) {
        return (tg_slice){NULL, 0};
    }
    if (len > cbor->reader.rest.len) {
        tg_cbor_fail(cbor, TG_ERR_TRUNCATED);
        return (tg_slice){NULL, 0};
    }
    return tg_reader_bytes(&cbor->reader, (size_t)len);
}

uint64_t tg_cbor_unsigned(tg_cbor *cbor)
{
    return read_typed(cbor, TG_CBOR_UNSIGNED);
}

tg_slice tg_cbor_bytes(tg_cbor *cbor)
{
    return read_content(cbor, read_typed(cbor, TG_CBOR_BYTES));
}

static tg_slice check_text(tg_cbor *cbor, tg_slice text)
{
    if (!tg_utf8_is_valid(text)) {
        tg_cbor_fail(cbor, TG_ERR_SYNTAX);
        return (tg_slice){NULL, 0};
    }
    return text;
}

tg_slice tg_cbor_text(tg_cbor *cbor)
{
    return check_text(cbor, read_content(cbor, read_typed(cbor, TG_CBOR_TEXT)));
}

/* Each item takes a byte at least, so that a count beyond what is left cannot be true. */
static size_t check_count(tg_cbor *cbor, uint64_t count, size_t bytes_each)
{
    if (count > cbor->reader.rest.len / bytes_each) {
        tg_cbor_fail(cbor, TG_ERR_TRUNCATED);
        return 0;
    }
    return (size_t)count;
}

size_t tg_cbor_array(tg_cbor *cbor)
{
    return check_count(cbor, read_typed(cbor, TG_CBOR_ARRAY), 1);
}

size_t tg_cbor_map(tg_cbor *cbor)
{
    return check_count(cbor, read_typed(cbor, TG_CBOR_MAP), 2);
}

tg_slice tg_cbor_bytes_or_null(tg_cbor *cbor)
{
    tg_cbor before = *cbor;
    tg_cbor_head head = tg_cbor_read_head(cbor);
    if (head.type == TG_CBOR_SIMPLE && head.value == TG_CBOR_NULL) {
        return (tg_slice){NULL, 0};
    }
    *cbor = before;
    return tg_cbor_bytes(cbor);
}

bool tg_cbor_take_tag(tg_cbor *cbor, uint64_t tag)
{
    tg_cbor before = *cbor;
    tg_cbor_head head = tg_cbor_read_head(cbor);
    if (head.type == TG_CBOR_TAG && head.value == tag) {
        return true;
    }
    *cbor = before;
    return false;
}

static void skip(tg_cbor *cbor, unsigned depth, bool is_checked);

/* Whether a key stands among the map's first pairs. They were checked when they were read: walked again, they are not,
 * or maps within maps would take exponential time. */
static bool is_repeated(tg_slice pairs, tg_slice key, size_t num_before, unsigned depth)
{
    tg_cbor walk = tg_cbor_of(pairs);
    for (size_t i = 0; i < num_before; i++) {
        tg_slice from = walk.reader.rest;
        skip(&walk, depth, false);
        tg_slice earlier = tg_slice_first(from, from.len - walk.reader.rest.len);
        if (tg_slice_equal(earlier, key)) {
            return true;
        }
        skip(&walk, depth, false);
    }
    return false;
}

enum { MAX_SKIPPED_PAIRS = 64 };

static void skip_map(tg_cbor *cbor, uint64_t num_pairs, unsigned depth, bool is_checked)
{
    tg_slice pairs = cbor->reader.rest;
    size_t count = check_count(cbor, num_pairs, 2);
    if (count > MAX_SKIPPED_PAIRS) {
        tg_cbor_fail(cbor, TG_ERR_LIMIT);
    }
    for (size_t i = 0; i < count && !tg_cbor_has_failed(cbor); i++) {
        tg_slice from = cbor->reader.rest;
        skip(cbor, depth, is_checked);
        if (tg_cbor_has_failed(cbor)) {
            return;
        }
        if (is_checked && is_repeated(pairs, tg_slice_first(from, from.len - cbor->reader.rest.len), i, depth)) {
            tg_cbor_fail(cbor, TG_ERR_EXISTS);
            return;
        }
        skip(cbor, depth, is_checked);
    }
}

static void skip(tg_cbor *cbor, unsigned depth, bool is_checked)
{
    tg_cbor_head head = tg_cbor_read_head(cbor);
    if (depth == TG_MAX_CBOR_DEPTH && head.type >= TG_CBOR_ARRAY && head.type <= TG_CBOR_TAG) {
        tg_cbor_fail(cbor, TG_ERR_LIMIT);
    }
    if (tg_cbor_has_failed(cbor)) {
        return;
    }
    switch (head.type) {
    case TG_CBOR_BYTES:
        (void)read_content(cbor, head.value);
        break;
    case TG_CBOR_TEXT:
        (void)check_text(cbor, read_content(cbor, head.value));
        break;
    case TG_CBOR_ARRAY:
        for (size_t i = check_count(cbor, head.value, 1); i > 0 && !tg_cbor_has_failed(cbor); i--) {
            skip(cbor, depth + 1, is_checked);
        }
        break;
    case TG_CBOR_MAP:
        skip_map(cbor, head.value, depth + 1, is_checked);
        break;
    case TG_CBOR_TAG:
        skip(cbor, depth + 1, is_checked);
        break;
    case TG_CBOR_UNSIGNED:
    case TG_CBOR_NEGATIVE:
    case TG_CBOR_SIMPLE:
        break;
    }
}

void tg_cbor_skip(tg_cbor *cbor)
{
    skip(cbor, 0, true);
}

tg_result tg_cbor_finish(const tg_cbor *cbor)
{
    return tg_reader_finish(&cbor->reader);
}
