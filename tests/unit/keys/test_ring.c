#include "keys/development_dev.h"
#include "keys/ring.h"
#include "support/case.h"

#include <string.h>

static tg_secret *key_of(uint8_t byte, size_t len)
{
    tg_secret *key = NULL;
    assert_ok(tg_secret_new(len, &key));
    memset(tg_secret_fill(key), byte, len);
    return key;
}

static void free_keys(tg_ring_entry *entries, size_t num_entries)
{
    for (size_t i = 0; i < num_entries; i++) {
        tg_secret_free(entries[i].key);
    }
}

static void new_current_in_the_middle_comes_first(void **state)
{
    (void)state;
    tg_ring_entry entries[] = {
        {TG_LIT("old"), TG_KEY_RETIRED, key_of(1, 32)},
        {TG_LIT("now"), TG_KEY_CURRENT, key_of(2, 32)},
        {TG_LIT("next"), TG_KEY_PENDING, key_of(3, 32)},
    };
    tg_key_ring *ring = NULL;
    assert_ok(tg_key_ring_new(entries, 3, 77, &ring, NULL));
    assert_null(entries[0].key);
    assert_int_equal(tg_key_ring_len(ring), 3);
    assert_slice(tg_key_ring_at(ring, 0)->id, "now");
    assert_slice(tg_key_ring_at(ring, 1)->id, "old");
    assert_slice(tg_key_ring_at(ring, 2)->id, "next");
    assert_int_equal(tg_secret_bytes(tg_key_ring_at(ring, 2)->key)[31], 3);
    assert_int_equal(tg_key_ring_created_unix_ms(ring), 77);
    tg_key_ring_unref(tg_key_ring_ref(ring));
    tg_key_ring_unref(ring);
}

static void new_bad_entries_are_refused_and_kept_by_the_caller(void **state)
{
    (void)state;
    char long_id[TG_MAX_RING_ID_BYTES + 1];
    memset(long_id, 'a', sizeof long_id);
    const struct {
        tg_slice id;
        tg_key_state state;
        uint8_t byte;
        size_t len;
        tg_code code;
        const char *reason;
    } bad[] = {
        {TG_LIT("a"), TG_KEY_RETIRED, 9, 32, TG_ERR_EXISTS, "two keys have this id"},
        {TG_LIT("b"), TG_KEY_RETIRED, 1, 32, TG_ERR_EXISTS, "this key stands in the ring twice"},
        {TG_LIT("b"), TG_KEY_CURRENT, 9, 32, TG_ERR_EXISTS, "not exactly one key is current"},
        {TG_LIT("b"), TG_KEY_RETIRED, 9, 31, TG_ERR_RANGE, "the data key is not 32 bytes long"},
        {TG_LIT("b"), TG_KEY_RETIRED, 9, 33, TG_ERR_RANGE, "the data key is not 32 bytes long"},
        {TG_LIT(""), TG_KEY_RETIRED, 9, 32, TG_ERR_SYNTAX, NULL},
        {TG_LIT("b c"), TG_KEY_RETIRED, 9, 32, TG_ERR_SYNTAX, NULL},
        {TG_LIT("b\0c"), TG_KEY_RETIRED, 9, 32, TG_ERR_SYNTAX, NULL},
        {tg_slice_of(long_id, sizeof long_id), TG_KEY_RETIRED, 9, 32, TG_ERR_SYNTAX, NULL},
    };
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        tg_ring_entry entries[] = {
            {TG_LIT("a"), TG_KEY_CURRENT, key_of(1, 32)},
            {bad[i].id, bad[i].state, key_of(bad[i].byte, bad[i].len)},
        };
        tg_key_ring *ring = NULL;
        tg_detail detail = {0};
        assert_code(tg_key_ring_new(entries, 2, 0, &ring, &detail), bad[i].code);
        assert_null(ring);
        if (bad[i].reason != NULL) {
            assert_string_equal(detail.reason, bad[i].reason);
        }
        assert_non_null(entries[0].key);
        free_keys(entries, 2);
    }
}

static void new_eight_keys_fit_nine_do_not(void **state)
{
    (void)state;
    tg_ring_entry entries[TG_MAX_RING_KEYS + 1];
    char ids[TG_MAX_RING_KEYS + 1] = "abcdefghi";
    for (size_t i = 0; i < TG_COUNT(entries); i++) {
        entries[i] =
            (tg_ring_entry){tg_slice_of(&ids[i], 1), i == 0 ? TG_KEY_CURRENT : TG_KEY_RETIRED, key_of((uint8_t)i, 32)};
    }
    tg_key_ring *ring = NULL;
    assert_code(tg_key_ring_new(entries, TG_COUNT(entries), 0, &ring, NULL), TG_ERR_RANGE);
    assert_code(tg_key_ring_new(entries, 0, 0, &ring, NULL), TG_ERR_RANGE);
    assert_code(tg_key_ring_new(entries + 1, TG_MAX_RING_KEYS, 0, &ring, NULL), TG_ERR_NOT_FOUND);
    assert_ok(tg_key_ring_new(entries, TG_MAX_RING_KEYS, 0, &ring, NULL));
    tg_key_ring_unref(ring);
    free_keys(entries, TG_COUNT(entries));
}

static void equal_same_and_changed_rings(void **state)
{
    (void)state;
    tg_key_ring *rings[4] = {NULL};
    for (size_t i = 0; i < TG_COUNT(rings); i++) {
        tg_ring_entry entries[] = {
            {TG_LIT("a"), i == 3 ? TG_KEY_RETIRED : TG_KEY_CURRENT, key_of(1, 32)},
            {TG_LIT("b"), i == 3 ? TG_KEY_CURRENT : TG_KEY_RETIRED, key_of(i == 2 ? 7 : 2, 32)},
        };
        assert_ok(tg_key_ring_new(entries, 2, i, &rings[i], NULL));
    }
    assert_true(tg_key_ring_equal(rings[0], rings[1]));
    assert_false(tg_key_ring_equal(rings[0], rings[2]));
    assert_false(tg_key_ring_equal(rings[0], rings[3]));
    tg_key_ring *single = NULL;
    assert_ok(tg_key_random_dev(&single));
    assert_false(tg_key_ring_equal(rings[0], single));
    for (size_t i = 0; i < TG_COUNT(rings); i++) {
        tg_key_ring_unref(rings[i]);
    }
    tg_key_ring_unref(single);
    tg_key_ring_unref(NULL);
}

static void random_dev_two_rings_differ(void **state)
{
    (void)state;
    tg_key_ring *a = NULL, *b = NULL;
    assert_ok(tg_key_random_dev(&a));
    assert_ok(tg_key_random_dev(&b));
    assert_slice(tg_key_ring_at(a, 0)->id, "development");
    assert_false(tg_key_ring_equal(a, b));
    tg_key_ring_unref(a);
    tg_key_ring_unref(b);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(new_current_in_the_middle_comes_first),
        cmocka_unit_test(new_bad_entries_are_refused_and_kept_by_the_caller),
        cmocka_unit_test(new_eight_keys_fit_nine_do_not),
        cmocka_unit_test(equal_same_and_changed_rings),
        cmocka_unit_test(random_dev_two_rings_differ),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
