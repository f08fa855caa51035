/* room: base
 * The small readers of base/: what they accept must come back as the same bytes when written again. */
#include "base/encode.h"
#include "base/num.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_base64(tg_base64_kind kind, tg_slice text, uint8_t *out)
{
    size_t len = 0;
    if (tg_is_ok(tg_base64_decode(kind, text, out, &len))) {
        tg_buf again;
        tg_buf_init(&again, text.len);
        require(len <= tg_base64_decoded_max(text.len));
        require(tg_is_ok(tg_base64_append(&again, kind, tg_slice_of(out, len))));
        require(tg_slice_equal(tg_buf_slice(&again), text)); /* one spelling for each value */
        tg_buf_done(&again);
    }
}

static void check_hex(tg_slice text, uint8_t *out)
{
    if (tg_is_ok(tg_hex_decode(text, out))) {
        tg_buf again;
        tg_buf_init(&again, text.len);
        require(tg_is_ok(tg_hex_append(&again, tg_slice_of(out, text.len / 2))));
        require(tg_text_equal_nocase(tg_buf_slice(&again), text));
        tg_buf_done(&again);
    }
}

static void check_numbers(tg_slice text)
{
    uint64_t value = 0;
    if (tg_is_ok(tg_num_parse_u64(text, UINT64_MAX, &value))) {
        tg_buf again;
        tg_buf_init(&again, 20);
        require(tg_is_ok(tg_buf_append_u64(&again, value)));
        require(tg_slice_ends(text, tg_buf_slice(&again)));
        tg_buf_done(&again);
    }
    if (tg_is_ok(tg_num_parse_hex_u64(text, 255, &value))) {
        require(value <= 255);
    }
}

static void check_text(tg_slice text)
{
    tg_buf json, shown;
    tg_buf_init(&json, text.len * 6 + 2);
    tg_buf_init(&shown, text.len * 4 + 3);
    require(tg_is_ok(tg_json_append_string(&json, text)));
    require(tg_utf8_is_valid(tg_buf_slice(&json)));
    require(tg_is_ok(tg_text_append_printable(&shown, text, 64)));
    for (size_t i = 0; i < tg_buf_len(&shown); i++) {
        require(tg_buf_slice(&shown).ptr[i] >= 0x20 && tg_buf_slice(&shown).ptr[i] < 0x7f);
    }
    size_t prefix = tg_utf8_valid_prefix(text);
    require(prefix <= text.len && tg_utf8_is_valid(tg_slice_first(text, prefix)));
    require(tg_utf8_is_valid(text) == (prefix == text.len));
    tg_buf_done(&json);
    tg_buf_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    uint8_t *out = malloc(tg_base64_decoded_max(size));
    if (out == NULL) {
        return 0;
    }
    check_base64(TG_BASE64_PADDED, text, out);
    check_base64(TG_BASE64_URL, text, out);
    check_hex(text, out);
    check_numbers(text);
    check_text(text);
    free(out);
    return 0;
}
