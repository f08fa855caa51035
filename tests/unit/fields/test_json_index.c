#include "support/case.h"

#include "support/fenced.h"

#include "base/text.h"
#include "fields/json_scan.h"
#include "fields/walk.h"

#include <stdlib.h>

enum { LEN = 3 * TG_JSON_WINDOW_BYTES + 37 };

static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

typedef struct outcome {
    tg_scan scan;
    size_t at;
    bool has_escapes;
} outcome;

/* Scans a string's inside from `from`, in one piece, at a level. */
static outcome scan_at_level(tg_slice text, size_t from, tg_cpu_level level)
{
    tg_cpu_level before = tg_cpu_get_level();
    tg_json_index index;
    outcome out = {TG_SCAN_MORE, from, false};
    tg_cpu_limit(level);
    tg_json_index_init(&index, text);
    out.scan = tg_json_scan_string(&index, text.len, &out.at, &out.has_escapes);
    tg_cpu_limit(before);
    return out;
}

static void assert_levels_agree(tg_slice text, size_t from)
{
    outcome expected = scan_at_level(text, from, TG_CPU_PORTABLE);
    for (int level = TG_CPU_AVX2; level <= TG_CPU_AVX512; level++) {
        outcome got = scan_at_level(text, from, (tg_cpu_level)level);
        assert_int_equal(got.scan, expected.scan);
        assert_int_equal(got.at, expected.at);
        assert_int_equal(got.has_escapes, expected.has_escapes);
    }
}

/* Text of characters of one to four bytes, well formed, with no end. */
static void fill(uint8_t *text, size_t len, unsigned share_outside)
{
    static const uint32_t firsts[] = {0x20, 0x80, 0x800, 0xe000, 0x10000},
                          counts[] = {94, 0x780, 0xd000, 0x1fff, 0x100000};
    for (size_t at = 0; at < len;) {
        size_t kind = next_random() % 100 < share_outside ? 1 + next_random() % 4 : 0;
        uint32_t c = firsts[kind] + (uint32_t)(next_random() % counts[kind]);
        uint8_t utf8[4];
        size_t char_len = c == '"' || c == '\\' ? 0 : tg_utf8_encode(c, utf8);
        if (at + char_len > len) {
            text[at++] = 'z';
        } else if (char_len > 0) {
            memcpy(text + at, utf8, char_len);
            at += char_len;
        }
    }
}

static void scan_any_quote_is_found_at_every_level(void **state)
{
    (void)state;
    static const unsigned shares[] = {0, 3, 60};
    uint8_t *text = malloc(LEN);
    for (size_t round = 0; round < 300; round++) {
        size_t len = 1 + next_random() % LEN; /* ends exactly, so that a sanitizer sees what is read behind it */
        uint8_t *exact = malloc(len);
        fill(text, LEN, shares[round % TG_COUNT(shares)]);
        memcpy(exact, text, len);
        if (round % 4 != 0) {
            exact[next_random() % len] = '"';
        }
        assert_levels_agree(tg_slice_of(exact, len), 0);
        free(exact);
    }
    free(text);
}

/* One byte changed to any other, most of all around the windows' ends. */
static void scan_any_fault_is_found_where_the_portable_way_does(void **state)
{
    (void)state;
    uint8_t *text = malloc(LEN);
    for (size_t round = 0; round < 60; round++) {
        fill(text, LEN, round % 2 == 0 ? 4 : 50);
        for (size_t change = 0; change < 60; change++) {
            size_t window = (1 + next_random() % 3) * TG_JSON_WINDOW_BYTES;
            size_t at = change % 3 == 0 ? next_random() % LEN : window - 5 + next_random() % 10;
            uint8_t before = text[at];
            text[at] = (uint8_t)next_random();
            assert_levels_agree(tg_slice_of(text, LEN), 0);
            assert_levels_agree(tg_slice_of(text, at + 1), 0);
            text[at] = before;
        }
    }
    free(text);
}

/* All pairs and chosen fours of bytes across a window's end: every rule of RFC 3629 §4. */
static void scan_ill_formed_at_a_windows_end_is_found(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf,
                                    0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    enum { END = TG_JSON_WINDOW_BYTES };
    static uint8_t text[END + 8];
    memset(text, 'a', sizeof text);
    for (size_t shift = 0; shift <= 4; shift++) {
        uint8_t *four = text + END - shift;
        for (size_t i = 0; i < TG_COUNT(bytes); i++) {
            for (size_t j = 0; j < TG_COUNT(bytes); j++) {
                for (size_t k = 0; k < 6; k++) {
                    four[0] = bytes[i];
                    four[1] = bytes[j];
                    four[2] = bytes[k * 3 % TG_COUNT(bytes)];
                    four[3] = bytes[k];
                    assert_levels_agree(tg_slice_of(text, sizeof text), END - 8);
                }
            }
        }
        memset(four, 'a', 4);
    }
}

static void skip_space_any_run_ends_at_its_end(void **state)
{
    (void)state;
    static const uint8_t spaces[] = {' ', '\t', '\n', '\r'};
    static uint8_t text[LEN];
    for (size_t i = 0; i < LEN; i++) {
        text[i] = spaces[next_random() % 4];
    }
    for (unsigned c = 0; c < 256; c++) {
        size_t at = next_random() % LEN;
        uint8_t before = text[at];
        bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        text[at] = (uint8_t)c;
        tg_json_index index;
        tg_json_index_init(&index, tg_slice_of(text, LEN));
        assert_int_equal(tg_json_skip_space(&index, 0, LEN), is_space ? LEN : at);
        assert_int_equal(tg_json_skip_space(&index, at / 2, LEN), is_space ? LEN : at);
        assert_int_equal(tg_json_skip_space(&index, at + 1, LEN), LEN);
        assert_int_equal(tg_json_skip_space(&index, 0, at), at);
        text[at] = before;
    }
}

/* Texts of every length up to some blocks, and around a window's end, against pages that cannot be read. */
static void scan_between_fences_is_the_same(void **state)
{
    (void)state;
    uint8_t *text = malloc(LEN);
    tg_fenced place = tg_fenced_new(LEN);
    for (size_t len = 1; len <= LEN; len += len == 300 ? TG_JSON_WINDOW_BYTES - 370 : len % 400 == 399 ? 150 : 1) {
        for (unsigned share = 0; share <= 60; share += 30) {
            fill(text, len, share);
            for (unsigned change = 0; change < 3; change++) {
                if (change > 0) { /* a quote, then a character that is cut off */
                    text[change == 1 ? next_random() % len : len - 1] = change == 1 ? '"' : 0xf1;
                }
                for (int fence = 0; fence < TG_NUM_FENCES; fence++) {
                    assert_levels_agree(tg_fenced_copy(&place, (tg_fence)fence, tg_slice_of(text, len)), 0);
                }
            }
        }
    }
    free(text);
    tg_fenced_done(&place);
}

/* Whole documents, cut at every place: what is valid and where it ends does not depend on what lies around. */
static void walk_between_fences_is_the_same(void **state)
{
    (void)state;
    static const char document[] =
        " {\"name\":\"J\\u00f6rg \\\"x\\\" \xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80 and more to fill a block of sixty "
        "four\","
        "\"list\":[1,-2.5e10,true,false,null,{\"a\":[]}],\"long\":\"0123456789012345678901234567890123456789\"}\r\n\t ";
    tg_fenced place = tg_fenced_new(sizeof document);
    tg_cpu_level level = tg_cpu_get_level();
    for (size_t from = 0; from < 3; from++) {
        for (size_t len = 0; len < sizeof document - from; len++) {
            tg_slice text = tg_slice_of(document + from, len);
            tg_cpu_limit(TG_CPU_PORTABLE);
            bool is_valid = tg_json_is_valid(text);
            tg_cpu_limit(level);
            for (int fence = 0; fence < TG_NUM_FENCES; fence++) {
                tg_slice copy = tg_fenced_copy(&place, (tg_fence)fence, text);
                assert_int_equal(tg_json_is_valid(copy), is_valid);
                assert_int_equal(tg_json_plain_prefix(copy), tg_json_plain_prefix(text));
                assert_int_equal(tg_utf8_is_valid(copy), tg_utf8_is_valid(text));
            }
        }
    }
    tg_fenced_done(&place);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(scan_any_quote_is_found_at_every_level),
        cmocka_unit_test(scan_any_fault_is_found_where_the_portable_way_does),
        cmocka_unit_test(scan_ill_formed_at_a_windows_end_is_found),
        cmocka_unit_test(skip_space_any_run_ends_at_its_end),
        cmocka_unit_test(scan_between_fences_is_the_same),
        cmocka_unit_test(walk_between_fences_is_the_same),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
