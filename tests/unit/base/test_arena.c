#include "support/case.h"

#include "base/arena.h"

static void alloc_any_length_is_aligned(void **state)
{
    (void)state;
    tg_arena arena;
    tg_arena_init(&arena, 1 << 20, false);
    for (size_t len = 0; len < 200; len++) {
        uint8_t *at = tg_arena_alloc(&arena, len);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        memset(at, 0xee, len);
    }
    tg_arena_done(&arena);
    assert_int_equal(arena.used, 0);
}

static void alloc_at_maximum_and_over_is_refused(void **state)
{
    (void)state;
    tg_arena arena;
    tg_arena_init(&arena, 160, false);
    assert_non_null(tg_arena_alloc(&arena, 80));
    assert_non_null(tg_arena_alloc(&arena, 80));
    assert_null(tg_arena_alloc(&arena, 1));
    assert_null(tg_arena_alloc(&arena, SIZE_MAX));
    assert_null(tg_arena_alloc(&arena, SIZE_MAX - 16));
    assert_null(tg_arena_zalloc(&arena, SIZE_MAX / 2, 3));
    tg_arena_done(&arena);
}

static void alloc_past_first_chunk_stays_within_maximum(void **state)
{
    (void)state;
    tg_arena arena;
    size_t max = (size_t)3 << 20, given = 0;
    tg_arena_init(&arena, max, false);
    while (tg_arena_alloc(&arena, 1000) != NULL) {
        given += 1008;
        assert_true(arena.used <= max);
    }
    assert_true(given > max - (max / 4)); /* chunks grow, and still little is lost */
    tg_arena_done(&arena);
}

static void zalloc_reused_memory_is_zero(void **state)
{
    (void)state;
    tg_arena arena;
    tg_arena_init(&arena, 8192, false);
    memset(tg_arena_alloc(&arena, 64), 0xff, 64);
    tg_arena_clear(&arena);
    const uint8_t *at = tg_arena_zalloc(&arena, 8, 8);
    static const uint8_t zeros[64];
    assert_memory_equal(at, zeros, 64);
    tg_arena_done(&arena);
}

static void clear_wiped_leaves_no_plaintext(void **state)
{
    (void)state;
    tg_arena arena;
    tg_arena_init(&arena, 1 << 20, true);
    uint8_t *first = tg_arena_alloc(&arena, 3000);
    memset(first, 's', 3000);
    tg_arena_clear(&arena);
    uint8_t *again = tg_arena_alloc(&arena, 3000);
    assert_ptr_equal(first, again);
    static const uint8_t zeros[3000];
    assert_memory_equal(again, zeros, 3000);
    memset(again, 's', 3000);
    memset(tg_arena_alloc(&arena, 6000), 's', 6000); /* a second chunk: the first counts as full */
    tg_arena_clear(&arena);
    assert_memory_equal(tg_arena_alloc(&arena, 3000), zeros, 3000);
    tg_arena_done(&arena);
}

static void clear_large_first_chunk_is_given_back(void **state)
{
    (void)state;
    tg_arena arena;
    tg_arena_init(&arena, 1 << 20, true);
    assert_non_null(tg_arena_alloc(&arena, 16385));
    tg_arena_clear(&arena);
    assert_null(arena.chunk);
    assert_int_equal(arena.used, 0);
    assert_non_null(tg_arena_alloc(&arena, 16384));
    tg_arena_clear(&arena);
    assert_non_null(arena.chunk);
    assert_int_equal(arena.used, 16384);
    tg_arena_done(&arena);
}

static void copy_embedded_nul_is_kept(void **state)
{
    (void)state;
    tg_arena arena;
    tg_slice copy = {NULL, 7};
    tg_arena_init(&arena, 64, false);
    assert_ok(tg_arena_copy(&arena, TG_LIT("a\0b"), &copy));
    assert_slice(copy, "a\0b");
    assert_int_equal(copy.ptr[3], 0);
    assert_ok(tg_arena_copy(&arena, tg_slice_of(NULL, 0), &copy));
    assert_slice(copy, "");
    assert_int_equal(copy.ptr[0], 0);
    tg_slice untouched = TG_LIT("untouched");
    assert_code(tg_arena_copy(&arena, tg_slice_of("", SIZE_MAX), &untouched), TG_ERR_MEMORY);
    assert_code(tg_arena_copy(&arena, TG_LIT("123456789012345678901234567890123456789"), &untouched), TG_ERR_MEMORY);
    assert_slice(untouched, "untouched");
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(alloc_any_length_is_aligned),
        cmocka_unit_test(alloc_at_maximum_and_over_is_refused),
        cmocka_unit_test(alloc_past_first_chunk_stays_within_maximum),
        cmocka_unit_test(zalloc_reused_memory_is_zero),
        cmocka_unit_test(clear_wiped_leaves_no_plaintext),
        cmocka_unit_test(clear_large_first_chunk_is_given_back),
        cmocka_unit_test(copy_embedded_nul_is_kept),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
