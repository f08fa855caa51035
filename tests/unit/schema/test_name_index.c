#include "schema/name_index.h"
#include "schema/vector.h"
#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

static void get_empty_index_gives_none(void **state)
{
    (void)state;
    tg_name_index index;
    tg_name_index_init(&index);
    assert_int_equal(tg_name_index_get(&index, 0, TG_LIT("a")), TG_NAME_NONE);
    tg_name_index_done(&index);
}

static void put_name_twice_keeps_first_value(void **state)
{
    (void)state;
    tg_name_index index;
    tg_name_index_init(&index);
    assert_ok(tg_name_index_put(&index, 0, TG_LIT("a"), 1));
    assert_code(tg_name_index_put(&index, 0, TG_LIT("a"), 2), TG_ERR_EXISTS);
    assert_int_equal(tg_name_index_get(&index, 0, TG_LIT("a")), 1);
    tg_name_index_done(&index);
}

static void put_same_name_in_two_scopes_keeps_them_apart(void **state)
{
    (void)state;
    tg_name_index index;
    tg_name_index_init(&index);
    assert_ok(tg_name_index_put(&index, 1, TG_LIT("a\0b"), 10));
    assert_ok(tg_name_index_put(&index, 2, TG_LIT("a\0b"), 20));
    assert_int_equal(tg_name_index_get(&index, 1, TG_LIT("a\0b")), 10);
    assert_int_equal(tg_name_index_get(&index, 2, TG_LIT("a\0b")), 20);
    assert_int_equal(tg_name_index_get(&index, 1, TG_LIT("a")), TG_NAME_NONE);
    assert_int_equal(tg_name_index_get(&index, 3, TG_LIT("a\0b")), TG_NAME_NONE);
    tg_name_index_done(&index);
}

static void put_many_names_finds_each(void **state)
{
    (void)state;
    enum { NUM = 5000 };
    static char names[NUM][16];
    tg_name_index index;
    tg_name_index_init(&index);
    for (uint32_t i = 0; i < NUM; i++) {
        snprintf(names[i], sizeof names[i], "name%u", i);
        assert_ok(tg_name_index_put(&index, 0, tg_slice_str(names[i]), i));
    }
    for (uint32_t i = 0; i < NUM; i++) {
        assert_int_equal(tg_name_index_get(&index, 0, tg_slice_str(names[i])), i);
    }
    assert_int_equal(tg_name_index_get(&index, 0, TG_LIT("name5000")), TG_NAME_NONE);
    tg_name_index_done(&index);
}

static void hash_bytes_every_length_depends_on_last_byte(void **state)
{
    (void)state;
    uint8_t text[40] = {0};
    for (size_t len = 1; len <= sizeof text; len++) {
        uint64_t before = tg_hash_bytes(0, tg_slice_of(text, len));
        text[len - 1] = 1;
        assert_true(before != tg_hash_bytes(0, tg_slice_of(text, len)));
        text[len - 1] = 0;
        assert_true(before != tg_hash_bytes(0, tg_slice_of(text, len - 1)));
    }
}

static void grow_past_maximum_is_refused_and_keeps_array(void **state)
{
    (void)state;
    int *numbers = NULL;
    size_t cap = 0;
    assert_ok(tg_vector_grow(&numbers, &cap, 3, sizeof *numbers, 5));
    assert_int_equal(cap, 5);
    numbers[2] = 7;
    assert_ok(tg_vector_grow(&numbers, &cap, 5, sizeof *numbers, 5));
    assert_code(tg_vector_grow(&numbers, &cap, 6, sizeof *numbers, 5), TG_ERR_LIMIT);
    assert_int_equal(numbers[2], 7);
    assert_code(tg_vector_grow(&numbers, &cap, SIZE_MAX / 2, sizeof *numbers, SIZE_MAX), TG_ERR_LIMIT);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(get_empty_index_gives_none),
        cmocka_unit_test(put_name_twice_keeps_first_value),
        cmocka_unit_test(put_same_name_in_two_scopes_keeps_them_apart),
        cmocka_unit_test(put_many_names_finds_each),
        cmocka_unit_test(hash_bytes_every_length_depends_on_last_byte),
        cmocka_unit_test(grow_past_maximum_is_refused_and_keeps_array),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
