#include "support/case.h"

#include "support/fenced.h"

#include "base/cpu.h"
#include "base/encode.h"

typedef struct pair {
    const char *bytes;
    const char *padded;
} pair;

/* RFC 4648 §10. */
static const pair vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void base64_rfc4648_vectors_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(vectors); i++) {
        tg_buf buf;
        uint8_t out[16];
        size_t len = 99;
        tg_slice bytes = tg_slice_str(vectors[i].bytes), padded = tg_slice_str(vectors[i].padded);
        tg_buf_init(&buf, 100);
        assert_ok(tg_base64_append(&buf, TG_BASE64_PADDED, bytes));
        assert_true(tg_slice_equal(tg_buf_slice(&buf), padded));
        assert_ok(tg_base64_decode(TG_BASE64_PADDED, padded, out, &len));
        assert_true(tg_slice_equal(tg_slice_of(out, len), bytes));
        tg_slice bare = tg_slice_trim(padded, "=");
        tg_buf_clear(&buf);
        assert_ok(tg_base64_append(&buf, TG_BASE64_URL, bytes));
        assert_true(tg_slice_equal(tg_buf_slice(&buf), bare));
        assert_ok(tg_base64_decode(TG_BASE64_URL, bare, out, &len));
        assert_true(tg_slice_equal(tg_slice_of(out, len), bytes));
        tg_buf_done(&buf);
    }
}

static void base64_all_lengths_come_back(void **state)
{
    (void)state;
    uint8_t bytes[256], text[400], again[400];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(255 - i);
    }
    for (int kind = 0; kind < 2; kind++) {
        for (size_t len = 0; len <= sizeof bytes; len++) {
            size_t text_len = tg_base64_encoded_len((tg_base64_kind)kind, len), again_len = 0;
            assert_true(text_len <= sizeof text);
            text[text_len] = 0x55;
            tg_base64_encode((tg_base64_kind)kind, tg_slice_of(bytes, len), text);
            assert_int_equal(text[text_len], 0x55);
            assert_ok(tg_base64_decode((tg_base64_kind)kind, tg_slice_of(text, text_len), again, &again_len));
            assert_int_equal(again_len, len);
            assert_true(again_len <= tg_base64_decoded_max(text_len));
            assert_memory_equal(again, bytes, len);
        }
    }
}

static void base64_decode_second_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const padded[] = {"Zg",   "Zg=",    "Zg===", "Z",    "====", "=",        "A===", "Zh==",
                                         "Zm9=", "Zm9v\n", " Zm9v", "Zm-v", "Zm_v", "Zg==Zg==", "Z=g="};
    static const char *const url[] = {"Zg==", "Zm8=", "Z", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9vY", "Zg ", "Zm9v\n"};
    uint8_t out[16];
    size_t len = 77;
    for (size_t i = 0; i < TG_COUNT(padded); i++) {
        assert_code(tg_base64_decode(TG_BASE64_PADDED, tg_slice_str(padded[i]), out, &len), TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < TG_COUNT(url); i++) {
        assert_code(tg_base64_decode(TG_BASE64_URL, tg_slice_str(url[i]), out, &len), TG_ERR_SYNTAX);
    }
    assert_code(tg_base64_decode(TG_BASE64_URL, TG_LIT("Zm\0v"), out, &len), TG_ERR_SYNTAX);
    assert_int_equal(len, 77);
}

static void base64_decode_every_other_byte_is_refused(void **state)
{
    (void)state;
    uint8_t out[4];
    size_t len, num_taken = 0;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t text[4] = {'A', (uint8_t)c, 'A', 'A'};
        num_taken += tg_is_ok(tg_base64_decode(TG_BASE64_URL, tg_slice_of(text, 4), out, &len));
    }
    assert_int_equal(num_taken, 64);
}

enum { LONGEST = 320 };

/* What the portable way says, which the cases above check by vectors. */
static tg_code decode_portably(tg_base64_kind kind, tg_slice text, uint8_t *out, size_t *out_len)
{
    tg_cpu_level level = tg_cpu_get_level();
    tg_cpu_limit(TG_CPU_PORTABLE);
    tg_code code = tg_base64_decode(kind, text, out, out_len).code;
    tg_cpu_limit(level);
    return code;
}

static void fill(uint8_t *bytes, size_t len, size_t seed)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(seed * 31 + i * 37 + (i * i) / 7);
    }
}

static void base64_every_length_agrees_with_the_portable_way(void **state)
{
    (void)state;
    static uint8_t bytes[LONGEST], text[2 * LONGEST], other[2 * LONGEST], out[LONGEST + 3];
    tg_cpu_level level = tg_cpu_get_level();
    for (size_t len = 0; len <= LONGEST; len++) {
        for (int kind = 0; kind < 2; kind++) {
            size_t text_len = tg_base64_encoded_len((tg_base64_kind)kind, len), out_len = 0;
            fill(bytes, len, len);
            memset(text, 0x5a, sizeof text);
            memset(out, 0x5a, sizeof out);
            tg_base64_encode((tg_base64_kind)kind, tg_slice_of(bytes, len), text);
            tg_cpu_limit(TG_CPU_PORTABLE);
            tg_base64_encode((tg_base64_kind)kind, tg_slice_of(bytes, len), other);
            tg_cpu_limit(level);
            assert_memory_equal(text, other, text_len);
            assert_int_equal(text[text_len], 0x5a);
            assert_ok(tg_base64_decode((tg_base64_kind)kind, tg_slice_of(text, text_len), out, &out_len));
            assert_int_equal(out_len, len);
            assert_memory_equal(out, bytes, len);
            assert_int_equal(out[len], 0x5a);
        }
    }
}

static void base64_encode_bytes_at_the_texts_end_gives_the_same(void **state)
{
    (void)state;
    static uint8_t bytes[LONGEST], text[2 * LONGEST], same[2 * LONGEST];
    for (size_t len = 0; len <= LONGEST; len++) {
        size_t text_len = tg_base64_encoded_len(TG_BASE64_URL, len);
        fill(bytes, len, len + 9);
        tg_base64_encode(TG_BASE64_URL, tg_slice_of(bytes, len), text);
        memcpy(same + (text_len - len), bytes, len);
        tg_base64_encode(TG_BASE64_URL, tg_slice_of(same + (text_len - len), len), same);
        assert_memory_equal(same, text, text_len);
    }
}

/* Any byte anywhere in texts whose ends lie on all sides of what is done at once. */
static void base64_decode_any_byte_anywhere_agrees_with_the_portable_way(void **state)
{
    (void)state;
    static const size_t lens[] = {2, 3, 15, 16, 17, 18, 62, 63, 64, 66, 67, 130};
    uint8_t bytes[128], text[136], ours[136], theirs[136];
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        for (int kind = 0; kind < 2; kind++) {
            size_t len = kind == TG_BASE64_PADDED ? (lens[i] + 3) / 4 * 4 : lens[i] - (lens[i] % 4 == 1);
            memset(bytes, 0, sizeof bytes);
            tg_base64_encode((tg_base64_kind)kind, tg_slice_of(bytes, len / 4 * 3 + len % 4 * 3 / 4), text);
            for (size_t at = 0; at < len; at++) {
                uint8_t before = text[at];
                for (unsigned c = 0; c < 256; c++) {
                    size_t our_len = 0, their_len = 0;
                    text[at] = (uint8_t)c;
                    tg_code code = tg_base64_decode((tg_base64_kind)kind, tg_slice_of(text, len), ours, &our_len).code;
                    assert_int_equal(code,
                                     decode_portably((tg_base64_kind)kind, tg_slice_of(text, len), theirs, &their_len));
                    assert_int_equal(our_len, their_len);
                    assert_memory_equal(ours, theirs, our_len);
                }
                text[at] = before;
            }
        }
    }
}

static void base64_between_fences_gives_the_same(void **state)
{
    (void)state;
    uint8_t bytes[LONGEST], text[2 * LONGEST];
    tg_fenced in = tg_fenced_new(2 * LONGEST), out = tg_fenced_new(2 * LONGEST);
    tg_cpu_level level = tg_cpu_get_level();
    for (size_t len = 0; len <= LONGEST; len++) {
        for (int way = 0; way < 2 * TG_NUM_FENCES; way++) {
            tg_base64_kind kind = (tg_base64_kind)(way / TG_NUM_FENCES);
            tg_fence fence = (tg_fence)(way % TG_NUM_FENCES);
            size_t text_len = tg_base64_encoded_len(kind, len), out_len = 0;
            fill(bytes, len, len + 5);
            tg_cpu_limit(TG_CPU_PORTABLE);
            tg_base64_encode(kind, tg_slice_of(bytes, len), text);
            tg_cpu_limit(level);
            uint8_t *to = tg_fenced_at(&out, fence, text_len);
            tg_base64_encode(kind, tg_fenced_copy(&in, fence, tg_slice_of(bytes, len)), to);
            assert_memory_equal(to, text, text_len);
            to = tg_fenced_at(&out, fence, tg_base64_decoded_max(text_len));
            assert_ok(tg_base64_decode(kind, tg_fenced_copy(&in, fence, tg_slice_of(text, text_len)), to, &out_len));
            assert_int_equal(out_len, len);
            assert_memory_equal(to, bytes, len);
        }
    }
    tg_fenced_done(&in);
    tg_fenced_done(&out);
}

static void base64_append_over_maximum_changes_nothing(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 7);
    assert_code(tg_base64_append(&buf, TG_BASE64_PADDED, TG_LIT("foob")), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&buf), 0);
    assert_ok(tg_base64_append(&buf, TG_BASE64_URL, TG_LIT("fooba")));
    assert_slice(tg_buf_slice(&buf), "Zm9vYmE");
    tg_buf_done(&buf);
}

static void hex_all_bytes_go_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[256], again[256];
    tg_buf buf;
    tg_buf_init(&buf, 512);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_ok(tg_hex_append(&buf, tg_slice_of(bytes, sizeof bytes)));
    assert_true(tg_slice_starts(tg_buf_slice(&buf), TG_LIT("000102")));
    assert_ok(tg_hex_decode(tg_buf_slice(&buf), again));
    assert_memory_equal(bytes, again, sizeof bytes);
    assert_code(tg_hex_append(&buf, TG_LIT("x")), TG_ERR_LIMIT);
    assert_code(tg_hex_append(&buf, tg_slice_of("", SIZE_MAX / 2 + 1)), TG_ERR_LIMIT);
    tg_buf_done(&buf);
}

static void hex_decode_bad_text_leaves_output(void **state)
{
    (void)state;
    static const char *const bad[] = {"a", "abc", "0g", "0x", " 0", "+1"};
    uint8_t out[2] = {1, 2};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_hex_decode(tg_slice_str(bad[i]), out), TG_ERR_SYNTAX);
    }
    assert_code(tg_hex_decode(TG_LIT("12\0\0"), out), TG_ERR_SYNTAX);
    assert_int_equal(out[0], 1);
    assert_ok(tg_hex_decode(TG_LIT("AbCd"), out));
    assert_memory_equal(out, "\xab\xcd", 2);
    assert_ok(tg_hex_decode(TG_LIT(""), out));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(base64_rfc4648_vectors_go_both_ways),
        cmocka_unit_test(base64_all_lengths_come_back),
        cmocka_unit_test(base64_decode_second_spellings_are_refused),
        cmocka_unit_test(base64_decode_every_other_byte_is_refused),
        cmocka_unit_test(base64_every_length_agrees_with_the_portable_way),
        cmocka_unit_test(base64_encode_bytes_at_the_texts_end_gives_the_same),
        cmocka_unit_test(base64_decode_any_byte_anywhere_agrees_with_the_portable_way),
        cmocka_unit_test(base64_between_fences_gives_the_same),
        cmocka_unit_test(base64_append_over_maximum_changes_nothing),
        cmocka_unit_test(hex_all_bytes_go_both_ways),
        cmocka_unit_test(hex_decode_bad_text_leaves_output),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
