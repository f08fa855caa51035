#include "attest/cbor.h"
#include "base/encode.h"
#include "support/case.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static tg_code skip_all(tg_slice bytes)
{
    tg_cbor cbor = tg_cbor_of(bytes);
    tg_cbor_skip(&cbor);
    return tg_cbor_finish(&cbor).code;
}

/* RFC 8949 appendix A: what has a definite length, is in its shortest form and is no float is taken whole; every
 * beginning of it is truncated; one byte more is too much. */
static void skip_appendix_a_takes_what_is_strict(void **state)
{
    (void)state;
    tg_slice text = tg_read_vector("cbor/appendix_a.json");
    json_t *cases = json_loadb((const char *)text.ptr, text.len, JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(cases);
    size_t index, num_taken = 0, num_refused = 0;
    json_t *one;
    json_array_foreach(cases, index, one)
    {
        uint8_t bytes[256];
        tg_slice hex = tg_slice_str(json_string_value(json_object_get(one, "hex")));
        assert_ok(tg_hex_decode(hex, bytes));
        size_t len = hex.len / 2;
        uint8_t first = bytes[0];
        bool is_float_or_simple = first >> 5 == 7 && ((first & 31) < 20 || (first & 31) > 23);
        bool is_indefinite = memmem(bytes, len, "\xff", 1) != NULL && (first & 31) == 31;
        tg_code code = skip_all(tg_slice_of(bytes, len));
        if (code != TG_OK) {
            num_refused++;
            assert_true(is_float_or_simple || is_indefinite || code == TG_ERR_UNSUPPORTED || code == TG_ERR_SYNTAX);
            continue;
        }
        num_taken++;
        assert_false(is_float_or_simple || is_indefinite);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(skip_all(tg_slice_of(bytes, cut)), TG_ERR_TRUNCATED);
        }
        bytes[len] = 0;
        assert_int_equal(skip_all(tg_slice_of(bytes, len + 1)), TG_ERR_SYNTAX);
    }
    assert_true(num_taken > 40);
    assert_true(num_refused > 20);
    json_decref(cases);
    free((void *)(uintptr_t)text.ptr);
}

static void head_longer_form_than_needed_is_refused(void **state)
{
    (void)state;
    assert_int_equal(skip_all(TG_LIT("\x18\x17")), TG_ERR_SYNTAX);
    assert_int_equal(skip_all(TG_LIT("\x18\x18")), TG_OK);
    assert_int_equal(skip_all(TG_LIT("\x19\x00\xff")), TG_ERR_SYNTAX);
    assert_int_equal(skip_all(TG_LIT("\x19\x01\x00")), TG_OK);
    assert_int_equal(skip_all(TG_LIT("\x1a\x00\x00\xff\xff")), TG_ERR_SYNTAX);
    assert_int_equal(skip_all(TG_LIT("\x1b\x00\x00\x00\x00\xff\xff\xff\xff")), TG_ERR_SYNTAX);
    assert_int_equal(skip_all(TG_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x00")), TG_OK);
    assert_int_equal(skip_all(TG_LIT("\x1c")), TG_ERR_SYNTAX);
    assert_int_equal(skip_all(TG_LIT("\x5f\x41\x00\xff")), TG_ERR_SYNTAX);
}

static void skip_claims_beyond_the_input_are_truncated(void **state)
{
    (void)state;
    assert_int_equal(skip_all(TG_LIT("\x9a\x10\x00\x00\x00")), TG_ERR_TRUNCATED);
    assert_int_equal(skip_all(TG_LIT("\xbb\xff\xff\xff\xff\xff\xff\xff\xff")), TG_ERR_TRUNCATED);
    assert_int_equal(skip_all(TG_LIT("\x5b\xff\xff\xff\xff\xff\xff\xff\xff")), TG_ERR_TRUNCATED);
    assert_int_equal(skip_all(TG_LIT("")), TG_ERR_TRUNCATED);
}

static void skip_key_twice_is_refused_at_any_depth(void **state)
{
    (void)state;
    assert_int_equal(skip_all(TG_LIT("\xa2\x01\x00\x02\x00")), TG_OK);
    assert_int_equal(skip_all(TG_LIT("\xa2\x01\x00\x01\x00")), TG_ERR_EXISTS);
    assert_int_equal(skip_all(TG_LIT("\x81\xa2\x61k\x00\x61k\x01")), TG_ERR_EXISTS);
    assert_int_equal(skip_all(TG_LIT("\xa2\x61k\x00\x41k\x01")), TG_OK); /* text and bytes are different keys */
}

static void skip_depth_of_eight_is_taken_nine_not(void **state)
{
    (void)state;
    assert_int_equal(skip_all(TG_LIT("\x81\x81\x81\x81\x81\x81\x81\x81\x00")), TG_OK);
    assert_int_equal(skip_all(TG_LIT("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00")), TG_ERR_LIMIT);
    uint8_t deep[100000];
    memset(deep, 0x81, sizeof deep);
    assert_int_equal(skip_all(tg_slice_of(deep, sizeof deep)), TG_ERR_LIMIT);
}

/* Maps within maps, the nested one first: looking for repeated keys must not walk it again at each level. */
static void skip_nested_maps_take_linear_time(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    size_t len = 0;
    for (int level = 0; level < TG_MAX_CBOR_DEPTH - 1; level++) {
        bytes[len++] = 0xb8;
        bytes[len++] = 60;
        bytes[len++] = 0x00; /* key 0: the next map */
    }
    bytes[len++] = 0x00;
    for (int level = 0; level < TG_MAX_CBOR_DEPTH - 1; level++) {
        for (uint8_t key = 1; key < 60; key++) {
            if (key >= 24) {
                bytes[len++] = 0x18;
            }
            bytes[len++] = key;
            bytes[len++] = 0x00;
        }
    }
    assert_int_equal(skip_all(tg_slice_of(bytes, len)), TG_OK);
}

static void gets_of_another_type_are_a_mismatch_and_stick(void **state)
{
    (void)state;
    tg_cbor cbor = tg_cbor_of(TG_LIT("\x61x\x01"));
    assert_int_equal(tg_cbor_unsigned(&cbor), 0);
    assert_code(tg_cbor_finish(&cbor), TG_ERR_MISMATCH);
    assert_int_equal(tg_cbor_unsigned(&cbor), 0);
    assert_int_equal(tg_cbor_bytes(&cbor).len, 0);
    assert_int_equal(tg_cbor_map(&cbor), 0);
    assert_code(tg_cbor_finish(&cbor), TG_ERR_MISMATCH);
    cbor = tg_cbor_of(TG_LIT("\x61\xff"));
    (void)tg_cbor_text(&cbor);
    assert_code(tg_cbor_finish(&cbor), TG_ERR_SYNTAX);
}

static void gets_values_come_in_order(void **state)
{
    (void)state;
    tg_cbor cbor = tg_cbor_of(TG_LIT("\xd2\x84\x19\x01\x00\x42\x00\x01\x62hi\xf6"));
    assert_false(tg_cbor_take_tag(&cbor, 17));
    assert_true(tg_cbor_take_tag(&cbor, 18));
    assert_int_equal(tg_cbor_array(&cbor), 4);
    assert_int_equal(tg_cbor_unsigned(&cbor), 256);
    assert_slice(tg_cbor_bytes(&cbor), "\0\x01");
    assert_slice(tg_cbor_text(&cbor), "hi");
    assert_null(tg_cbor_bytes_or_null(&cbor).ptr);
    assert_ok(tg_cbor_finish(&cbor));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(skip_appendix_a_takes_what_is_strict),
        cmocka_unit_test(head_longer_form_than_needed_is_refused),
        cmocka_unit_test(skip_claims_beyond_the_input_are_truncated),
        cmocka_unit_test(skip_key_twice_is_refused_at_any_depth),
        cmocka_unit_test(skip_depth_of_eight_is_taken_nine_not),
        cmocka_unit_test(skip_nested_maps_take_linear_time),
        cmocka_unit_test(gets_of_another_type_are_a_mismatch_and_stick),
        cmocka_unit_test(gets_values_come_in_order),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
