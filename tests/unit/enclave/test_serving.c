#include "enclave/serving.h"
#include "unit/enclave/parts.h"

static tg_publisher *publisher;

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_publisher_new(&publisher)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_publisher_free(publisher);
    return 0;
}

static tg_serving *take_up(const tg_serving *previous)
{
    tg_serving *serving = NULL;
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_ok(tg_serving_new(snapshot, previous, &serving));
    assert_ptr_equal(tg_serving_snapshot(serving), snapshot);
    tg_snapshot_unref(snapshot);
    return serving;
}

static void new_without_a_ring_has_no_keys(void **state)
{
    (void)state;
    tg_serving *serving = take_up(NULL);
    assert_null(tg_serving_keys(serving));
    tg_serving_unref(serving);
    tg_serving_unref(NULL);
}

static void new_same_ring_takes_the_handles_over(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA\xBB")));
    tg_serving *first = take_up(NULL);
    assert_non_null(tg_serving_keys(first));
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 1));
    tg_serving *second = take_up(first);
    assert_ptr_equal(tg_serving_keys(second), tg_serving_keys(first));
    tg_serving_unref(first);
    assert_int_equal(tg_snapshot_num_schemas(tg_serving_snapshot(second)), 1);
    assert_non_null(tg_serving_keys(second));
    tg_serving_unref(second);
}

static void new_other_ring_makes_handles_of_its_own(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    tg_serving *first = take_up(NULL);
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xBB")));
    tg_serving *second = take_up(first);
    assert_ptr_not_equal(tg_serving_keys(second), tg_serving_keys(first));
    tg_serving_unref(second);
    tg_serving_unref(first);
}

static void new_without_keys_makes_none_of_a_ring(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    tg_serving *serving = NULL;
    assert_ok(tg_serving_new_without_keys(snapshot, &serving));
    tg_snapshot_unref(snapshot);
    assert_null(tg_serving_keys(serving));
    assert_non_null(tg_snapshot_ring(tg_serving_snapshot(serving)));
    tg_serving_unref(serving);
}

static void ref_keeps_the_snapshot_until_the_last_unref(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    tg_serving *serving = take_up(NULL);
    assert_ptr_equal(tg_serving_ref(serving), serving);
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xBB")));
    tg_serving_unref(serving);
    assert_int_equal(tg_key_ring_len(tg_snapshot_ring(tg_serving_snapshot(serving))), 1);
    tg_serving_unref(serving);
}

/* The locked memory of tg_crypto_init is bounded: past it a worker goes on with what it has. */
static void new_past_the_locked_memory_fails_and_frees_nothing_else(void **state)
{
    (void)state;
    enum { MAX_SERVINGS = 4096 };
    static tg_serving *made[MAX_SERVINGS];
    size_t num_made = 0;
    tg_result result = tg_ok();
    while (num_made < MAX_SERVINGS) {
        assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA\xBB\xCC")));
        tg_snapshot *snapshot = tg_publisher_current(publisher);
        result = tg_serving_new(snapshot, NULL, &made[num_made]);
        tg_snapshot_unref(snapshot);
        if (!tg_is_ok(result)) {
            break;
        }
        num_made++;
    }
    assert_code(result, TG_ERR_MEMORY);
    assert_in_range(num_made, 1, MAX_SERVINGS - 1);
    while (num_made > 0) {
        tg_serving_unref(made[--num_made]);
    }
    tg_serving_unref(take_up(NULL));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(new_without_a_ring_has_no_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_same_ring_takes_the_handles_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_other_ring_makes_handles_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_without_keys_makes_none_of_a_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ref_keeps_the_snapshot_until_the_last_unref, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_past_the_locked_memory_fails_and_frees_nothing_else, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
