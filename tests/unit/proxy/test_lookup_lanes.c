#include "proxy/lookup_lanes.h"

#include "support/case.h"

static const tg_address name = {.kind = TG_ADDRESS_TCP, .name = "db.internal"};

static void find_of_a_chooser_is_the_lane_of_its_cid(void **state)
{
    (void)state;
    tg_lookup_lanes *lanes;
    const tg_peer first = {.has_cid = true, .cid = 16}, second = {.has_cid = true, .cid = 17}, none = {.cid = 16};
    const tg_address other = {.kind = TG_ADDRESS_TCP, .name = "else"};
    assert_ok(tg_lookup_lanes_new(2, &lanes));
    tg_lookup_lane *lane = tg_lookup_lanes_find(lanes, &name, &first);
    assert_non_null(lane);
    assert_ptr_equal(tg_lookup_lanes_find(lanes, &other, &first), lane);
    assert_ptr_not_equal(tg_lookup_lanes_find(lanes, &name, &second), lane);
    assert_ptr_not_equal(tg_lookup_lanes_find(lanes, &name, &none), lane);
    assert_ptr_equal(tg_lookup_lanes_find(lanes, &name, &none), tg_lookup_lanes_find(lanes, &other, &none));
    tg_lookup_lanes_free(lanes);
}

static void find_of_a_configured_name_is_its_own_lane(void **state)
{
    (void)state;
    tg_lookup_lanes *lanes;
    tg_address longest = {.kind = TG_ADDRESS_TCP};
    memset(longest.name, 'a', TG_MAX_HOST_BYTES);
    assert_ok(tg_lookup_lanes_new(2, &lanes));
    tg_lookup_lane *lane = tg_lookup_lanes_find(lanes, &longest, NULL);
    assert_ptr_equal(tg_lookup_lanes_find(lanes, &longest, NULL), lane);
    longest.name[TG_MAX_HOST_BYTES - 1] = 'b';
    assert_ptr_not_equal(tg_lookup_lanes_find(lanes, &longest, NULL), lane);
    tg_lookup_lanes_free(lanes);
}

static void find_of_what_needs_no_lookup_is_none(void **state)
{
    (void)state;
    tg_lookup_lanes *lanes;
    const tg_address ip = {.kind = TG_ADDRESS_TCP, .is_numeric = true, .name = "192.0.2.1"};
    const tg_address path = {.kind = TG_ADDRESS_UNIX, .name = "/run/x"};
    assert_ok(tg_lookup_lanes_new(2, &lanes));
    assert_null(tg_lookup_lanes_find(lanes, &ip, NULL));
    assert_null(tg_lookup_lanes_find(lanes, &path, NULL));
    tg_lookup_lanes_free(lanes);
}

static void new_lanes_of_all_workers_take_half_of_the_threads(void **state)
{
    (void)state;
    static const struct {
        size_t num_workers, max_running;
    } cases[] = {{0, 8}, {1, 8}, {2, 4}, {8, 1}, {16, 1}, {256, 1}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_lookup_lanes *lanes;
        assert_ok(tg_lookup_lanes_new(cases[i].num_workers, &lanes));
        assert_int_equal(tg_lookup_lanes_find(lanes, &name, NULL)->max_running, cases[i].max_running);
        tg_lookup_lanes_free(lanes);
    }
    tg_lookup_lanes_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_of_a_chooser_is_the_lane_of_its_cid),
        cmocka_unit_test(find_of_a_configured_name_is_its_own_lane),
        cmocka_unit_test(find_of_what_needs_no_lookup_is_none),
        cmocka_unit_test(new_lanes_of_all_workers_take_half_of_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
