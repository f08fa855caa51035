#include "support/case.h"

#include "io/wheel.h"

typedef struct probe {
    tg_deadline deadline;
    unsigned num_fired;
    tg_wheel *wheel;
    struct probe *other;
    uint64_t again_ms;
} probe;

static void note(tg_deadline *deadline)
{
    probe *fired = TG_OBJECT_OF(deadline, probe, deadline);
    assert_false(tg_deadline_is_armed(deadline));
    fired->num_fired++;
    if (fired->other != NULL) {
        tg_deadline_disarm(&fired->other->deadline);
    }
    if (fired->again_ms > 0) {
        tg_wheel_arm(fired->wheel, deadline, fired->again_ms);
    }
}

static void run_due_deadline_fires_once_and_never_early(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {0, 1, 31, 32, 33, 500, 16383, 16384, 16385, 60000, 86400000};
    for (size_t i = 0; i < TG_COUNT(offsets); i++) {
        tg_wheel wheel;
        probe p = {.deadline.run = note};
        tg_wheel_init(&wheel, 1000);
        tg_wheel_arm(&wheel, &p.deadline, 1000 + offsets[i]);
        uint64_t now = 1000;
        while (p.num_fired == 0) {
            uint64_t next = tg_wheel_next_ms(&wheel);
            assert_true(next != UINT64_MAX && next >= now);
            now = next;
            tg_wheel_run(&wheel, now);
            assert_true(now <= 1000 + offsets[i] + TG_DEADLINE_GRAIN_MS);
        }
        assert_true(now >= 1000 + offsets[i]);
        assert_int_equal(tg_wheel_next_ms(&wheel), UINT64_MAX);
        tg_wheel_run(&wheel, now + 100000);
        assert_int_equal(p.num_fired, 1);
    }
}

static void arm_later_time_is_put_off(void **state)
{
    (void)state;
    tg_wheel wheel;
    probe p = {.deadline.run = note};
    tg_wheel_init(&wheel, 0);
    tg_wheel_arm(&wheel, &p.deadline, 100);
    for (uint64_t now = 0; now < 1000; now += 10) {
        tg_wheel_arm(&wheel, &p.deadline, now + 100);
        tg_wheel_run(&wheel, now);
    }
    assert_int_equal(p.num_fired, 0);
    tg_wheel_run(&wheel, 1090 + TG_DEADLINE_GRAIN_MS);
    assert_int_equal(p.num_fired, 1);
}

static void arm_earlier_time_is_brought_forward(void **state)
{
    (void)state;
    tg_wheel wheel;
    probe p = {.deadline.run = note};
    tg_wheel_init(&wheel, 0);
    tg_wheel_arm(&wheel, &p.deadline, 5000);
    tg_wheel_arm(&wheel, &p.deadline, 9000);
    tg_wheel_arm(&wheel, &p.deadline, 100);
    tg_wheel_run(&wheel, 100 + TG_DEADLINE_GRAIN_MS);
    assert_int_equal(p.num_fired, 1);
}

static void disarm_armed_deadline_does_not_fire(void **state)
{
    (void)state;
    tg_wheel wheel;
    probe p = {.deadline.run = note};
    tg_wheel_init(&wheel, 0);
    tg_deadline_disarm(&p.deadline);
    tg_wheel_arm(&wheel, &p.deadline, 100);
    assert_true(tg_deadline_is_armed(&p.deadline));
    tg_deadline_disarm(&p.deadline);
    tg_wheel_run(&wheel, 100000);
    assert_int_equal(p.num_fired, 0);
}

static void run_after_a_long_sleep_fires_all_once(void **state)
{
    (void)state;
    tg_wheel wheel;
    probe probes[600] = {0};
    tg_wheel_init(&wheel, 77);
    for (size_t i = 0; i < TG_COUNT(probes); i++) {
        probes[i].deadline.run = note;
        tg_wheel_arm(&wheel, &probes[i].deadline, 100 + i * 40);
    }
    tg_wheel_run(&wheel, 10000000);
    for (size_t i = 0; i < TG_COUNT(probes); i++) {
        assert_int_equal(probes[i].num_fired, 1);
    }
}

static void run_callback_may_arm_and_disarm(void **state)
{
    (void)state;
    tg_wheel wheel;
    probe a = {.deadline.run = note, .wheel = &wheel};
    probe b = {.deadline.run = note};
    tg_wheel_init(&wheel, 0);
    a.other = &b;
    a.again_ms = 50; /* in the past by then: it runs at the next turn, not at once */
    tg_wheel_arm(&wheel, &a.deadline, 100);
    tg_wheel_arm(&wheel, &b.deadline, 100);
    tg_wheel_run(&wheel, 132);
    assert_int_equal(a.num_fired, 1);
    assert_int_equal(b.num_fired, 0);
    a.again_ms = 0;
    tg_wheel_run(&wheel, 200);
    assert_int_equal(a.num_fired, 2);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(run_due_deadline_fires_once_and_never_early),
        cmocka_unit_test(arm_later_time_is_put_off),
        cmocka_unit_test(arm_earlier_time_is_brought_forward),
        cmocka_unit_test(disarm_armed_deadline_does_not_fire),
        cmocka_unit_test(run_after_a_long_sleep_fires_all_once),
        cmocka_unit_test(run_callback_may_arm_and_disarm),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
