#include "support/case.h"

#include "sys/metric.h"

#include <pthread.h>
#include <stdio.h>

static tg_metric_family plain = {.name = "teegate_test_plain_total", .help = "Plain.", .kind = TG_METRIC_COUNTER};
static tg_metric_family two = {
    .name = "teegate_test_two_total", .help = "Two.", .kind = TG_METRIC_COUNTER, .labels = {"a", "b"}};
static tg_metric_family few = {
    .name = "teegate_test_few_total", .help = "Few.", .kind = TG_METRIC_COUNTER, .labels = {"a"}, .max_children = 2};
static tg_metric_family level = {.name = "teegate_test_level", .help = "Level.", .kind = TG_METRIC_GAUGE};
static const uint64_t bounds[] = {10, 20};
static tg_metric_family sizes = {.name = "teegate_test_sizes_bytes",
                                 .help = "Sizes.",
                                 .kind = TG_METRIC_HISTOGRAM,
                                 .unit = TG_METRIC_IN_BYTES,
                                 .bounds = bounds,
                                 .num_bounds = 2};

static void child_same_values_gives_same_child(void **state)
{
    (void)state;
    tg_metric *first = tg_metric_of(&two, TG_LIT("x"), TG_LIT("y"));
    assert_ptr_equal(first, tg_metric_of(&two, TG_LIT("x"), TG_LIT("y")));
    assert_ptr_not_equal(first, tg_metric_of(&two, TG_LIT("xy"), TG_LIT("")));
    assert_ptr_equal(tg_metric_of(&two, TG_LIT("xy"), TG_LIT("")), tg_metric_of(&two, TG_LIT("xy")));
    assert_slice(tg_metric_label_value(first, 0), "x");
    assert_slice(tg_metric_label_value(first, 1), "y");
    assert_slice(tg_metric_label_value(first, 2), "");
    assert_slice(tg_metric_label_value(first, TG_MAX_METRIC_LABELS), "");
}

static void child_over_maximum_gives_other(void **state)
{
    (void)state;
    tg_metric *first = tg_metric_of(&few, TG_LIT("1"));
    tg_metric *second = tg_metric_of(&few, TG_LIT("2"));
    tg_metric *third = tg_metric_of(&few, TG_LIT("3"));
    assert_slice(tg_metric_label_value(third, 0), "other");
    assert_ptr_equal(third, tg_metric_of(&few, TG_LIT("4")));
    assert_ptr_equal(first, tg_metric_of(&few, TG_LIT("1")));
    assert_ptr_equal(second, tg_metric_of(&few, TG_LIT("2")));
    assert_int_equal(few.num_children, 3);
}

static void child_foreign_value_is_made_fit(void **state)
{
    (void)state;
    assert_slice(tg_metric_label_value(tg_metric_of(&two, TG_LIT("a\0b\xff\x7f"), TG_LIT("\xc3\xa9")), 0), "a?b??");
    assert_slice(tg_metric_label_value(tg_metric_of(&two, TG_LIT("q"), TG_LIT("\xc3\xa9\xed\xa0\x80")), 1),
                 "\xc3\xa9???");
}

static void child_value_at_limit_and_over_is_cut(void **state)
{
    (void)state;
    char text[TG_MAX_METRIC_VALUE_BYTES + 2];
    memset(text, 'v', sizeof text);
    tg_slice whole = tg_slice_of(text, TG_MAX_METRIC_VALUE_BYTES);
    tg_metric *at_limit = tg_metric_of(&two, whole);
    assert_true(tg_slice_equal(tg_metric_label_value(at_limit, 0), whole));
    assert_ptr_equal(at_limit, tg_metric_of(&two, tg_slice_of(text, TG_MAX_METRIC_VALUE_BYTES + 1)));
    memcpy(text + TG_MAX_METRIC_VALUE_BYTES - 1, "\xc3\xa9", 2);
    tg_metric *cut = tg_metric_of(&two, tg_slice_of(text, TG_MAX_METRIC_VALUE_BYTES + 1));
    assert_int_equal(tg_metric_label_value(cut, 0).len, TG_MAX_METRIC_VALUE_BYTES - 1);
}

static void add_then_read_gives_sum(void **state)
{
    (void)state;
    tg_metric *counter = tg_metric_only(&plain);
    tg_metric_add(counter, 2);
    tg_metric_add(counter, 40);
    assert_int_equal(tg_metric_counter(counter), 42);
}

static void gauge_set_and_move_may_go_below_zero(void **state)
{
    (void)state;
    tg_metric *gauge = tg_metric_only(&level);
    tg_metric_set(gauge, 5);
    tg_metric_move(gauge, -12);
    assert_int_equal(tg_metric_gauge(gauge), -7);
}

static void observe_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    tg_metric *histogram = tg_metric_only(&sizes);
    const uint64_t values[] = {0, 10, 11, 20, 21, 1000};
    for (size_t i = 0; i < TG_COUNT(values); i++) {
        tg_metric_observe(histogram, values[i]);
    }
    tg_metric_reading reading;
    tg_metric_read(histogram, &reading);
    assert_int_equal(reading.buckets[0], 2);
    assert_int_equal(reading.buckets[1], 2);
    assert_int_equal(reading.buckets[2], 2);
    assert_int_equal(reading.count, 6);
    assert_int_equal(reading.number, 1062);
}

static void families_walk_is_in_order_of_name(void **state)
{
    (void)state;
    tg_metric_only(&plain);
    tg_metric_only(&level);
    tg_metric_only(&sizes);
    const char *before = "";
    size_t num_seen = 0;
    for (tg_metric_family *f = tg_metric_next_family(NULL); f != NULL; f = tg_metric_next_family(f)) {
        assert_true(strcmp(before, f->name) < 0);
        before = f->name;
        num_seen++;
    }
    assert_true(num_seen >= 3);
}

static void *ask_and_count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        char text[8];
        snprintf(text, sizeof text, "t%d", i % 50);
        static tg_metric_family shared = {
            .name = "teegate_test_shared_total", .help = "Shared.", .kind = TG_METRIC_COUNTER, .labels = {"t"}};
        tg_metric_add(tg_metric_of(&shared, tg_slice_str(text)), 1);
    }
    return NULL;
}

static void child_asked_by_threads_is_made_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_count, NULL), 0);
    }
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    for (tg_metric_family *f = tg_metric_next_family(NULL); f != NULL; f = tg_metric_next_family(f)) {
        if (strcmp(f->name, "teegate_test_shared_total") == 0) {
            uint64_t sum = 0;
            size_t num_children = 0;
            for (const tg_metric *c = tg_metric_next_child(f, NULL); c != NULL; c = tg_metric_next_child(f, c)) {
                sum += tg_metric_counter(c);
                num_children++;
            }
            assert_int_equal(num_children, 50);
            assert_int_equal(sum, 8000);
            return;
        }
    }
    fail_msg("the family is not listed");
}

static void count_call(void *owner)
{
    ++*(int *)owner;
}

static void on_collect_at_limit_and_over_is_refused(void **state)
{
    (void)state;
    static int num_calls;
    for (int i = 0; i < 16; i++) {
        assert_ok(tg_metric_on_collect(count_call, &num_calls));
    }
    assert_code(tg_metric_on_collect(count_call, &num_calls), TG_ERR_LIMIT);
    tg_metric_collect();
    assert_int_equal(num_calls, 16);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(child_same_values_gives_same_child),
        cmocka_unit_test(child_over_maximum_gives_other),
        cmocka_unit_test(child_foreign_value_is_made_fit),
        cmocka_unit_test(child_value_at_limit_and_over_is_cut),
        cmocka_unit_test(add_then_read_gives_sum),
        cmocka_unit_test(gauge_set_and_move_may_go_below_zero),
        cmocka_unit_test(observe_bound_belongs_to_its_bucket),
        cmocka_unit_test(families_walk_is_in_order_of_name),
        cmocka_unit_test(child_asked_by_threads_is_made_once),
        cmocka_unit_test(on_collect_at_limit_and_over_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
