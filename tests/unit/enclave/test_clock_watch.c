#include "enclave/clock_watch.h"

#include "attest/simulator_dev.h"
#include "support/case.h"
#include "support/logged.h"
#include "sys/clock.h"
#include "sys/metric.h"

#include <string.h>

enum { AHEAD_MS = 3 * 86400 * 1000 };

static tg_metric *counter(const char *name)
{
    for (tg_metric_family *family = tg_metric_next_family(NULL); family != NULL;
         family = tg_metric_next_family(family)) {
        if (strcmp(family->name, name) == 0) {
            return tg_metric_only(family);
        }
    }
    fail_msg("no metric %s", name);
    return NULL;
}

static void watch_once(tg_attest_device *device)
{
    tg_loop *loop = NULL;
    tg_clock_watch *watch = NULL;
    assert_ok(tg_loop_new(&loop));
    assert_ok(tg_clock_watch_open(device, loop, &watch));
    tg_clock_watch_close(watch);
    tg_loop_free(loop);
}

static tg_result refuse(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                        tg_detail *detail)
{
    (void)device;
    (void)request;
    (void)out_document;
    tg_detail_set_reason(detail, "nothing is signed today");
    return tg_fail(TG_ERR_SYSTEM);
}

static void open_device_without_document_is_logged(void **state)
{
    (void)state;
    static const tg_attest_device_calls calls = {.name = "mute", .attest = refuse};
    tg_attest_device mute = {&calls};
    watch_once(&mute);
    assert_true(tg_test_log_says("\"no_attested_time\""));
    assert_true(tg_test_log_says("nothing is signed today"));
    assert_int_equal(tg_clock_stand().floor_unix_ms, 0);
    assert_int_equal(tg_metric_counter(counter("teegate_clock_set_back_total")), 0);
}

static void open_host_behind_the_device_is_told_once(void **state)
{
    (void)state;
    tg_attest_device *device = NULL;
    assert_ok(tg_simulator_open_dev(&(tg_simulator_options){.ahead_ms = AHEAD_MS}, &device));
    tg_test_log_forget();
    watch_once(device);
    assert_true(tg_test_log_says("\"clock_set_back\""));
    assert_true(tg_clock_unix_ms() >= tg_clock_host_unix_ms() + AHEAD_MS - 1000);
    assert_int_equal(tg_metric_counter(counter("teegate_clock_set_back_total")), 1);
    int64_t behind_ms = tg_metric_gauge(counter("teegate_clock_behind_seconds")) / 1000000;
    assert_in_range(behind_ms, AHEAD_MS - 1000, AHEAD_MS + 2);
    assert_int_equal(tg_clock_stand().num_set_back, 1);
    tg_attest_device_close(device);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(open_device_without_document_is_logged),
        cmocka_unit_test(open_host_behind_the_device_is_told_once),
    };
    return cmocka_run_group_tests(cases, tg_test_log_set_up, tg_test_log_tear_down);
}
