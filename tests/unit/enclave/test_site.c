#include "unit/enclave/site_case.h"

#include "support/logged.h"

static void route_unknown_path_is_404(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    const char *answer = site_get("/nothing");
    assert_answer(answer, 404, "{\"code\":\"not_found\",\"message\":\"there is nothing at this path\"}");
    assert_int_equal(site_status(site_get("/encrypt/")), 404);
    assert_int_equal(site_status(site_get("/ENCRYPT")), 404);
    site_close();
}

static void route_other_method_is_405_and_says_which(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    const char *answer = site_get("/encrypt");
    assert_int_equal(site_status(answer), 405);
    assert_non_null(strstr(answer, "\r\nAllow: POST\r\n"));
    answer = site_post("/health", SITE_JSON, "{}");
    assert_int_equal(site_status(answer), 405);
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    site_close();
}

static void route_each_site_has_its_own_paths_and_shares_health(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    assert_int_equal(site_status(site_get("/metrics")), 404);
    assert_int_equal(site_status(site_get("/version")), 404);
    assert_int_equal(site_status(site_get("/status")), 404);
    assert_int_equal(site_status(site_get("/live")), 200);
    site_close();
    site_open(TEST_NO_ENVIRONMENT, true);
    assert_int_equal(site_status(site_get("/encrypt")), 404);
    assert_int_equal(site_status(site_get("/decrypt")), 404);
    assert_int_equal(site_status(site_get("/live")), 200);
    assert_int_equal(site_status(site_get("/version")), 200);
    site_close();
}

static void names_other_host_or_sni_is_421_but_not_for_admin(void **state)
{
    (void)state;
    const char *const environment[] = {"SERVER_NAMES=tee.example.org", NULL};
    site_open(environment, false);
    assert_int_equal(site_status(site_get("/live")), 200);
    const char *answer = site_ask("GET /live HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_answer(answer, 421, "{\"code\":\"misdirected\",\"message\":\"this server does not answer to that name\"}");
    site_client_is("app", INT64_MAX, "other");
    assert_int_equal(site_status(site_get("/live")), 421);
    site_close();
    site_open(environment, true);
    assert_int_equal(site_status(site_ask("GET /live HTTP/1.1\r\nHost: other\r\n\r\n")), 200);
    site_close();
}

static void is_ready_follows_keys_schemas_and_draining(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    assert_false(tg_site_is_ready(&at.site));
    site_set_ring("\xAA");
    assert_false(tg_site_is_ready(&at.site));
    site_set_schema(TEST_SCHEMA);
    assert_true(tg_site_is_ready(&at.site));
    atomic_store(&at.is_draining, true);
    assert_false(tg_site_is_ready(&at.site));
    site_close();
}

static void log_request_says_who_what_and_how_it_ended(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    site_get("/live");
    assert_true(tg_test_log_says("\"level\":\"debug\",\"component\":\"http\",\"event\":\"request\""));
    assert_true(tg_test_log_says("\"peer\":\"tcp:192.0.2.1:1024\",\"method\":\"GET\",\"route\":\"/live\","
                                 "\"status\":200,\"refusal\":\"\",\"aborted\":false"));
    tg_test_log_forget();
    site_get("/a?secret=4111111111111111");
    assert_true(tg_test_log_says("\"level\":\"info\""));
    assert_true(tg_test_log_says("\"route\":\"none\",\"status\":404"));
    assert_null(strstr(tg_test_log(), "4111111111111111"));
    tg_test_log_forget();
    site_get("/ready");
    assert_true(tg_test_log_says("\"level\":\"warn\""));
    tg_test_log_forget();
    site_ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_null(strstr(tg_test_log(), "\"refusal\":\"\""));
    site_close();
}

static size_t num_lines(const char *text)
{
    size_t num = 0;
    for (; *text != 0; text++) {
        num += *text == '\n';
    }
    return num;
}

static void log_past_fifty_a_second_is_counted_instead(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    at.site.log_rate.second = UINT64_MAX; /* no other second's lines count */
    for (size_t i = 0; i < 200; i++) {
        site_get("/nothing");
    }
    size_t num_logged = num_lines(tg_test_log());
    assert_in_range(num_logged, 50, 150); /* the clock may have moved on once or twice */
    assert_int_equal(at.site.log_rate.num_unlogged > 0 || strstr(tg_test_log(), "\"unlogged\":0}") != NULL, 1);
    at.site.log_rate.second = UINT64_MAX;
    at.site.log_rate.num_unlogged = 7;
    tg_test_log_forget();
    site_get("/nothing");
    assert_true(tg_test_log_says("\"unlogged\":7}"));
    assert_int_equal(at.site.log_rate.num_unlogged, 0);
    site_close();
}

static void fault_of_a_connection_is_logged_with_its_peer(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    site_leave(site_connect());
    assert_true(tg_test_log_says("\"component\":\"tls\",\"event\":\"connection_fault\","
                                 "\"peer\":\"tcp:192.0.2.1:1024\",\"fault\":\"as the test wanted\""));
    site_close();
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(route_unknown_path_is_404),
        cmocka_unit_test(route_other_method_is_405_and_says_which),
        cmocka_unit_test(route_each_site_has_its_own_paths_and_shares_health),
        cmocka_unit_test(names_other_host_or_sni_is_421_but_not_for_admin),
        cmocka_unit_test(is_ready_follows_keys_schemas_and_draining),
        cmocka_unit_test_setup_teardown(log_request_says_who_what_and_how_it_ended, tg_test_log_set_up,
                                        tg_test_log_tear_down),
        cmocka_unit_test_setup_teardown(log_past_fifty_a_second_is_counted_instead, tg_test_log_set_up,
                                        tg_test_log_tear_down),
        cmocka_unit_test_setup_teardown(fault_of_a_connection_is_logged_with_its_peer, tg_test_log_set_up,
                                        tg_test_log_tear_down),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
