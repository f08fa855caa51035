#include "enclave/key_report.h"

#include "support/case.h"
#include "support/logged.h"
#include "sys/metric.h"
#include "unit/enclave/parts.h"

#include <string.h>

/* The value of a child by its label; "": the family has none. */
static int64_t value_of(const char *name, const char *label)
{
    tg_metric_family *family = tg_metric_next_family(NULL);
    while (family != NULL && strcmp(family->name, name) != 0) {
        family = tg_metric_next_family(family);
    }
    assert_non_null(family);
    const tg_metric *child = tg_metric_next_child(family, NULL);
    while (label[0] != 0 && child != NULL && !tg_slice_equal(tg_metric_label_value(child, 0), tg_slice_str(label))) {
        child = tg_metric_next_child(family, child);
    }
    assert_non_null(child);
    return family->kind == TG_METRIC_GAUGE ? tg_metric_gauge(child) : (int64_t)tg_metric_counter(child);
}

static tg_key_ring *ring_of_one(void)
{
    tg_key_ring *ring = NULL;
    tg_ring_entry entry = {.id = TG_LIT("k1"), .state = TG_KEY_CURRENT};
    assert_ok(tg_secret_new(32, &entry.key));
    memset(tg_secret_fill(entry.key), 0x5a, 32);
    assert_ok(tg_key_ring_new(&entry, 1, 0, &ring, NULL));
    return ring;
}

static void report_change_names_the_key_by_its_fingerprint(void **state)
{
    (void)state;
    tg_key_ring *ring = ring_of_one();
    tg_test_log_forget();
    const tg_key_event event = {.kind = TG_KEYS_CHANGED, .ring = ring, .version = "v7", .next_ms = 60000};
    assert_ok(tg_key_report_open());
    tg_key_report(&event, NULL);
    assert_true(tg_test_log_says("\"event\":\"data_keys\",\"keys\":1,\"current\":\"k1\",\"fingerprint\":\""));
    assert_true(tg_test_log_says("\"secret_version\":\"v7\",\"kept\":0,\"new_key_waits\":false,\"next_reading_s\":60"));
    assert_null(strstr(tg_test_log(), "5a5a5a"));
    assert_null(strstr(tg_test_log(), "\"level\":\"warn\""));
    assert_int_equal(value_of("teegate_dek_readings_total", "changed"), 1);
    tg_metric_collect();
    assert_in_range(value_of("teegate_dek_reading_age_seconds", ""), 0, 600);
    tg_key_ring_unref(ring);
}

static void report_change_that_loses_something_warns(void **state)
{
    (void)state;
    tg_key_ring *ring = ring_of_one();
    tg_test_log_forget();
    const tg_key_event event = {.kind = TG_KEYS_CHANGED,
                                .ring = ring,
                                .version = "",
                                .change = {.is_back = true, .num_dropped = 2, .num_kept = 3}};
    tg_key_report(&event, NULL);
    assert_true(tg_test_log_says("\"event\":\"data_key_went_back\""));
    assert_true(tg_test_log_says("\"event\":\"keys_dropped\",\"keys\":2"));
    assert_true(tg_test_log_says("\"event\":\"keys_no_longer_in_the_secret\",\"keys\":3"));
    tg_key_ring_unref(ring);
}

static void report_unchanged_is_counted_alone(void **state)
{
    (void)state;
    tg_key_ring *ring = ring_of_one();
    tg_test_log_forget();
    tg_key_report(&(tg_key_event){.kind = TG_KEYS_UNCHANGED, .ring = ring, .version = ""}, NULL);
    assert_string_equal(tg_test_log(), "");
    assert_int_equal(value_of("teegate_dek_readings_total", "unchanged"), 1);
    tg_key_ring_unref(ring);
}

static void report_failure_says_where_and_what_awss_words_were(void **state)
{
    (void)state;
    tg_test_log_forget();
    tg_key_event event = {.kind = TG_KEYS_FAILED,
                          .version = "",
                          .stage = "decrypt",
                          .status = 400,
                          .code = "AccessDeniedException",
                          .request_id = "id-1",
                          .next_ms = 1500};
    tg_detail_set_reason(&event.detail, "AWS refuses");
    tg_key_report(&event, NULL);
    assert_true(tg_test_log_says("\"event\":\"data_keys_not_read\",\"stage\":\"decrypt\""));
    assert_true(
        tg_test_log_says("\"code\":\"AccessDeniedException\",\"request_id\":\"id-1\",\"old_keys_serve\":false"));
    assert_int_equal(value_of("teegate_dek_readings_total", "failed"), 1);
    assert_int_equal(value_of("teegate_dek_reading_failures_total", "decrypt"), 1);
}

static int set_up(void **state)
{
    return test_crypto_set_up(state) == 0 ? tg_test_log_set_up(state) : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(report_change_names_the_key_by_its_fingerprint),
        cmocka_unit_test(report_change_that_loses_something_warns),
        cmocka_unit_test(report_unchanged_is_counted_alone),
        cmocka_unit_test(report_failure_says_where_and_what_awss_words_were),
    };
    return cmocka_run_group_tests(cases, set_up, tg_test_log_tear_down);
}
