#include "proxy/limiter.h"

#include "support/case.h"

static tg_limiter *limiter;

static int set_up(void **state)
{
    (void)state;
    assert_ok(tg_limiter_new(&limiter));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_limiter_free(limiter);
    return 0;
}

static tg_limit_key cid_key(uint32_t cid)
{
    const tg_peer peer = {.kind = TG_ADDRESS_VSOCK, .has_cid = true, .cid = cid};
    return tg_limit_key_of_peer(&peer);
}

static void enter_past_the_limit_in_all_is_refused(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.connections = 2};
    assert_int_equal(tg_limiter_enter(limiter, &limits), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter(limiter, &limits), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter(limiter, &limits), TG_LIMIT_CONNECTIONS);
    assert_int_equal(tg_limiter_num_connections(limiter), 2);
    tg_limiter_leave(limiter);
    assert_int_equal(tg_limiter_enter(limiter, &limits), TG_LIMIT_FINE);
}

static void enter_key_past_its_limit_is_refused_and_others_are_not(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.per_cid = 2};
    tg_limit_key first = cid_key(16), second = cid_key(17);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &first, 5), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &first, 5), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &first, 5), TG_LIMIT_PER_KEY);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &second, 5), TG_LIMIT_FINE);
    tg_limiter_leave_key(limiter, &first);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &first, 5), TG_LIMIT_FINE);
    tg_limit_key stranger = cid_key(99);
    tg_limiter_leave_key(limiter, &stranger);
}

static void leave_key_that_was_not_counted_frees_no_place_of_others(void **state)
{
    (void)state;
    const tg_proxy_limits none = {.connections = 2}, one = {.connections = 2, .per_cid = 1};
    tg_limit_key before = cid_key(16), counted = cid_key(16), next = cid_key(16);
    assert_int_equal(tg_limiter_enter_key(limiter, &none, &before, 5), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter_key(limiter, &one, &counted, 5), TG_LIMIT_FINE);
    tg_limiter_leave_key(limiter, &before); /* it came before a reload that set the limit */
    assert_int_equal(tg_limiter_enter_key(limiter, &one, &next, 5), TG_LIMIT_PER_KEY);
    tg_limiter_leave_key(limiter, &counted);
    assert_int_equal(tg_limiter_enter_key(limiter, &one, &next, 5), TG_LIMIT_FINE);
}

static void enter_key_faster_than_its_rate_is_refused_until_time_passes(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.rate_per_source = 10};
    tg_limit_key key = tg_limit_key_of_ip(TG_LIT("\x0a\0\0\x01"));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1000), TG_LIMIT_FINE);
        tg_limiter_leave_key(limiter, &key);
    }
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1000), TG_LIMIT_RATE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1099), TG_LIMIT_RATE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1100), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1100), TG_LIMIT_RATE);
    for (int i = 0; i < 10; i++) { /* after a long pause no more than a second's worth */
        assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 900000), TG_LIMIT_FINE);
    }
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 900000), TG_LIMIT_RATE);
}

static void keys_of_one_ipv6_network_are_one(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.per_source = 1};
    tg_limit_key a = tg_limit_key_of_ip(TG_LIT("\x20\x01\0\0\0\0\0\1\0\0\0\0\0\0\0\1"));
    tg_limit_key b = tg_limit_key_of_ip(TG_LIT("\x20\x01\0\0\0\0\0\1\0\0\0\0\0\0\0\2"));
    tg_limit_key c = tg_limit_key_of_ip(TG_LIT("\x20\x01\0\0\0\0\0\2\0\0\0\0\0\0\0\1"));
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &a, 1), TG_LIMIT_FINE);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &b, 1), TG_LIMIT_PER_KEY);
    assert_int_equal(tg_limiter_enter_key(limiter, &limits, &c, 1), TG_LIMIT_FINE);
    tg_peer peer = {.kind = TG_ADDRESS_TCP, .ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
    tg_limit_key mapped = tg_limit_key_of_peer(&peer), plain = tg_limit_key_of_ip(TG_LIT("\x0a\0\0\x01"));
    assert_memory_equal(&mapped, &plain, sizeof mapped);
}

static void nobody_is_never_limited(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.per_cid = 1, .per_source = 1};
    const tg_peer peer = {.kind = TG_ADDRESS_UNIX};
    tg_limit_key key = tg_limit_key_of_peer(&peer);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, 1), TG_LIMIT_FINE);
    }
    tg_limiter_leave_key(limiter, &key);
    key = tg_limit_key_of_ip(TG_LIT("123"));
    assert_int_equal(key.kind, 0);
}

static void slots_are_used_again_for_many_keys(void **state)
{
    (void)state;
    const tg_proxy_limits limits = {.per_cid = 1};
    for (uint32_t cid = 1; cid < 300000; cid++) {
        tg_limit_key key = cid_key(cid);
        uint64_t now_ms = cid; /* a thousand new ones a second */
        assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, now_ms), TG_LIMIT_FINE);
        assert_int_equal(tg_limiter_enter_key(limiter, &limits, &key, now_ms), TG_LIMIT_PER_KEY);
        tg_limiter_leave_key(limiter, &key);
    }
}

static void verdict_names_are_all_there(void **state)
{
    (void)state;
    assert_string_equal(tg_limit_verdict_name(TG_LIMIT_RATE), "limit_rate");
    assert_string_equal(tg_limit_verdict_name((tg_limit_verdict)9), "unknown");
    tg_limiter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(enter_past_the_limit_in_all_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enter_key_past_its_limit_is_refused_and_others_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leave_key_that_was_not_counted_frees_no_place_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enter_key_faster_than_its_rate_is_refused_until_time_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_one_ipv6_network_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_never_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slots_are_used_again_for_many_keys, set_up, tear_down),
        cmocka_unit_test(verdict_names_are_all_there),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
