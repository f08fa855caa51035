#include "support/case.h"

#include "base/num.h"
#include "sys/clock.h"
#include "telemetry/process.h"
#include "telemetry/prometheus.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The whole part of what stands behind `name` in the exposition. */
static uint64_t exported(const char *name)
{
    tg_buf buf;
    uint64_t value = UINT64_MAX;
    tg_buf_init(&buf, 65536);
    assert_ok(tg_prometheus_append(&buf));
    for (tg_slice rest = tg_buf_slice(&buf); rest.ptr != NULL;) {
        tg_slice line = tg_slice_split(&rest, '\n');
        if (tg_slice_starts(line, tg_slice_str(name))) {
            line = tg_slice_from(line, strlen(name) + 1);
            assert_ok(tg_num_parse_u64(tg_slice_split(&line, '.'), UINT64_MAX, &value));
        }
    }
    tg_buf_done(&buf);
    assert_true(value != UINT64_MAX);
    return value;
}

static int start_metrics(void **state)
{
    (void)state;
    return tg_is_ok(tg_process_metrics_start("teegate-test")) ? 0 : -1;
}

static void build_info_names_program_and_version(void **state)
{
    (void)state;
    assert_int_equal(exported("teegate_build_info{program=\"teegate-test\",version=\"" TG_VERSION "\"}"), 1);
}

static void open_descriptors_follow_open_and_close(void **state)
{
    (void)state;
    uint64_t before = exported("teegate_process_open_descriptors");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(exported("teegate_process_open_descriptors"), before + 1);
    close(fd);
    assert_int_equal(exported("teegate_process_open_descriptors"), before);
    assert_true(exported("teegate_process_max_descriptors") >= before);
}

static void resident_memory_grows_with_what_is_touched(void **state)
{
    (void)state;
    enum { BYTES = 64 << 20 };
    uint64_t before = exported("teegate_process_resident_memory_bytes");
    uint8_t *block = malloc(BYTES);
    assert_non_null(block);
    memset(block, 1, BYTES);
    uint64_t after = exported("teegate_process_resident_memory_bytes");
    assert_int_equal(block[BYTES / 2], 1);
    free(block);
    assert_true(after >= before + BYTES / 2);
}

static void cpu_seconds_rise_while_working(void **state)
{
    (void)state;
    uint64_t before = exported("teegate_process_cpu_seconds_total");
    uint64_t began = tg_clock_monotonic_ms();
    volatile uint64_t work = 0;
    while (exported("teegate_process_cpu_seconds_total") == before && tg_clock_monotonic_ms() - began < 30000) {
        work++;
    }
    assert_true(exported("teegate_process_cpu_seconds_total") > before);
    assert_true(exported("teegate_process_start_time_seconds") > 1600000000);
    assert_int_equal(exported("teegate_log_dropped_lines_total"), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(build_info_names_program_and_version),
        cmocka_unit_test(open_descriptors_follow_open_and_close),
        cmocka_unit_test(resident_memory_grows_with_what_is_touched),
        cmocka_unit_test(cpu_seconds_rise_while_working),
    };
    return cmocka_run_group_tests(cases, start_metrics, NULL);
}
