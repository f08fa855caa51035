#include "support/case.h"

#include "sys/metric.h"
#include "telemetry/prometheus.h"

static tg_metric_family requests = {.name = "teegate_a_requests_total",
                                    .help = "Back\\slash and\nline.",
                                    .kind = TG_METRIC_COUNTER,
                                    .labels = {"route", "status"}};
static tg_metric_family age = {
    .name = "teegate_b_age_seconds", .help = "Age.", .kind = TG_METRIC_GAUGE, .unit = TG_METRIC_IN_NANOSECONDS};
static const uint64_t bounds[] = {500000, 2000000000};
static tg_metric_family latency = {.name = "teegate_c_latency_seconds",
                                   .help = "Latency.",
                                   .kind = TG_METRIC_HISTOGRAM,
                                   .unit = TG_METRIC_IN_NANOSECONDS,
                                   .bounds = bounds,
                                   .num_bounds = 2};
static tg_metric_family waits = {.name = "teegate_d_waits_seconds",
                                 .help = "Waits.",
                                 .kind = TG_METRIC_HISTOGRAM,
                                 .unit = TG_METRIC_IN_NANOSECONDS,
                                 .labels = {"pool"}};

static void set_age(void *owner)
{
    tg_metric_set(owner, -1500000000);
}

static int make_metrics(void **state)
{
    (void)state;
    tg_metric_add(tg_metric_of(&requests, TG_LIT("/e\"\\\n"), TG_LIT("200")), 3);
    tg_metric *latencies = tg_metric_only(&latency);
    tg_metric_observe(latencies, 500000);
    tg_metric_observe(latencies, 3000000000);
    tg_metric_observe(tg_metric_of(&waits, TG_LIT("x")), 1);
    return tg_is_ok(tg_metric_on_collect(set_age, tg_metric_only(&age))) ? 0 : -1;
}

#define EXPECTED_START                                                                                                 \
    "# HELP teegate_a_requests_total Back\\\\slash and\\nline.\n"                                                      \
    "# TYPE teegate_a_requests_total counter\n"                                                                        \
    "teegate_a_requests_total{route=\"/e\\\"\\\\?\",status=\"200\"} 3\n"                                               \
    "# HELP teegate_b_age_seconds Age.\n"                                                                              \
    "# TYPE teegate_b_age_seconds gauge\n"                                                                             \
    "teegate_b_age_seconds -1.5\n"                                                                                     \
    "# HELP teegate_c_latency_seconds Latency.\n"                                                                      \
    "# TYPE teegate_c_latency_seconds histogram\n"                                                                     \
    "teegate_c_latency_seconds_bucket{le=\"0.0005\"} 1\n"                                                              \
    "teegate_c_latency_seconds_bucket{le=\"2\"} 1\n"                                                                   \
    "teegate_c_latency_seconds_bucket{le=\"+Inf\"} 2\n"                                                                \
    "teegate_c_latency_seconds_sum 3.0005\n"                                                                           \
    "teegate_c_latency_seconds_count 2\n"                                                                              \
    "# HELP teegate_d_waits_seconds Waits.\n"                                                                          \
    "# TYPE teegate_d_waits_seconds histogram\n"                                                                       \
    "teegate_d_waits_seconds_bucket{pool=\"x\",le=\"0.0001\"} 1\n"

static void append_each_kind_gives_exposition_text(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 65536);
    assert_ok(tg_prometheus_append(&buf));
    tg_slice text = tg_buf_slice(&buf);
    assert_slice(tg_slice_first(text, sizeof EXPECTED_START - 1), EXPECTED_START);
    assert_true(tg_slice_ends(text, TG_LIT("teegate_d_waits_seconds_bucket{pool=\"x\",le=\"+Inf\"} 1\n"
                                           "teegate_d_waits_seconds_sum{pool=\"x\"} 0.000000001\n"
                                           "teegate_d_waits_seconds_count{pool=\"x\"} 1\n")));
    tg_buf_done(&buf);
}

static void append_every_smaller_buffer_is_refused(void **state)
{
    (void)state;
    tg_buf whole;
    tg_buf_init(&whole, 65536);
    assert_ok(tg_prometheus_append(&whole));
    for (size_t max = 0; max < tg_buf_len(&whole); max++) {
        tg_buf buf;
        tg_buf_init(&buf, max);
        assert_code(tg_prometheus_append(&buf), TG_ERR_LIMIT);
        tg_buf_done(&buf);
    }
    tg_buf_done(&whole);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(append_each_kind_gives_exposition_text),
        cmocka_unit_test(append_every_smaller_buffer_is_refused),
    };
    return cmocka_run_group_tests(cases, make_metrics, NULL);
}
