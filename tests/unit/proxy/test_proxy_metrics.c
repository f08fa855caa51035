#include "proxy/proxy_metrics.h"

#include "support/case.h"
#include "telemetry/prometheus.h"

#include <string.h>

static void assert_exposed(const char *line)
{
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    assert_ok(tg_prometheus_append(&text));
    assert_ok(tg_buf_append_byte(&text, 0));
    const char *all = (const char *)tg_buf_slice(&text).ptr;
    if (strstr(all, line) == NULL) {
        fail_msg("\"%s\" does not stand in:\n%s", line, all);
    }
    tg_buf_done(&text);
}

static void count_kms_calls_by_outcome_and_time_those_that_went_out(void **state)
{
    (void)state;
    tg_proxy_count_kms(TG_LIT("tee-k.example.org"), "Decrypt", "ok", 2000000);
    tg_proxy_count_kms(TG_LIT("tee-k.example.org"), "Decrypt", "wrong_key", 0);
    tg_proxy_count_kms(TG_LIT("tee-k.example.org"), "Decrypt", "wrong_key", 0);
    assert_exposed(
        "teegate_proxy_kms_calls_total{domain=\"tee-k.example.org\",operation=\"Decrypt\",outcome=\"ok\"} 1\n");
    assert_exposed(
        "teegate_proxy_kms_calls_total{domain=\"tee-k.example.org\",operation=\"Decrypt\",outcome=\"wrong_key\"} 2\n");
    assert_exposed("teegate_proxy_kms_call_seconds_count{operation=\"Decrypt\"} 1\n");
}

static void count_open_connections_refusals_and_unlogged_lines(void **state)
{
    (void)state;
    tg_proxy_count_open(TG_SERVICE_INTERNET, 1);
    tg_proxy_count_open(TG_SERVICE_INTERNET, 1);
    tg_proxy_count_open(TG_SERVICE_INTERNET, -1);
    tg_proxy_count_refusal(TG_SERVICE_INTERNET, TG_LIT("metadata"));
    tg_proxy_count_unlogged();
    assert_exposed("teegate_proxy_connections{service=\"internet\"} 1\n");
    assert_exposed("rule=\"metadata\"} 1\n");
    assert_exposed("teegate_proxy_unlogged_total 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_kms_calls_by_outcome_and_time_those_that_went_out),
        cmocka_unit_test(count_open_connections_refusals_and_unlogged_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
