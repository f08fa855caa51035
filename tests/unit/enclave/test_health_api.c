#include "unit/enclave/site_case.h"

static void health_says_what_is_there(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    assert_answer(site_get("/health"), 503, "{\"status\":\"degraded\",\"dek_ready\":false,\"schemas_loaded\":0}");
    site_set_ring("\xAA");
    assert_answer(site_get("/health"), 503, "{\"status\":\"degraded\",\"dek_ready\":true,\"schemas_loaded\":0}");
    site_set_schema(TEST_SCHEMA);
    const char *answer = site_get("/health");
    assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_answer(answer, 200, "{\"status\":\"ok\",\"dek_ready\":true,\"schemas_loaded\":1}");
    site_close();
}

static void live_is_200_also_while_degraded_or_draining(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    atomic_store(&at.is_draining, true);
    assert_answer(site_get("/live"), 200, "{\"status\":\"live\"}");
    site_close();
}

static void ready_is_200_only_when_ready(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    assert_answer(site_get("/ready"), 503, "{\"status\":\"degraded\"}");
    site_set_ring("\xAA");
    site_set_schema(TEST_SCHEMA);
    assert_answer(site_get("/ready"), 200, "{\"status\":\"ready\"}");
    atomic_store(&at.is_draining, true);
    assert_answer(site_get("/ready"), 503, "{\"status\":\"draining\"}");
    assert_answer(site_get("/health"), 200, "{\"status\":\"ok\",\"dek_ready\":true,\"schemas_loaded\":1}");
    site_close();
}

static void head_has_the_same_status_without_a_body(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    const char *answer = site_ask("HEAD /ready HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Length: 21\r\n"));
    assert_answer(answer, 503, "");
    site_close();
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(health_says_what_is_there),
        cmocka_unit_test(live_is_200_also_while_degraded_or_draining),
        cmocka_unit_test(ready_is_200_only_when_ready),
        cmocka_unit_test(head_has_the_same_status_without_a_body),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
