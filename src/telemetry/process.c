#include "telemetry/process.h"

#include "base/num.h"
#include "sys/clock.h"
#include "sys/harden.h"
#include "sys/log.h"
#include "sys/metric.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static tg_metric_family build = {.name = "teegate_build_info",
                                 .help = "Always 1; says which program and version this is.",
                                 .kind = TG_METRIC_GAUGE,
                                 .labels = {"program", "version"}};
static tg_metric_family resident = {.name = "teegate_process_resident_memory_bytes",
                                    .help = "Memory of this process that lies in RAM.",
                                    .kind = TG_METRIC_GAUGE,
                                    .unit = TG_METRIC_IN_BYTES};
static tg_metric_family open_files = {
    .name = "teegate_process_open_descriptors", .help = "Descriptors held open.", .kind = TG_METRIC_GAUGE};
static tg_metric_family max_files = {
    .name = "teegate_process_max_descriptors", .help = "Descriptors that may be open.", .kind = TG_METRIC_GAUGE};
static tg_metric_family cpu = {.name = "teegate_process_cpu_seconds_total",
                               .help = "CPU time used, in user mode and in the kernel.",
                               .kind = TG_METRIC_COUNTER,
                               .unit = TG_METRIC_IN_NANOSECONDS};
static tg_metric_family started = {.name = "teegate_process_start_time_seconds",
                                   .help = "When the process began, as Unix time by the machine's clock.",
                                   .kind = TG_METRIC_GAUGE,
                                   .unit = TG_METRIC_IN_NANOSECONDS};
static tg_metric_family log_dropped = {.name = "teegate_log_dropped_lines_total",
                                       .help = "Log lines dropped because nobody read them in time.",
                                       .kind = TG_METRIC_COUNTER};

/* The second number of /proc/self/statm, in pages (proc(5)); 0 where it cannot be read. */
static uint64_t resident_bytes(void)
{
    char text[256];
    uint64_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0) {
        close(fd);
    }
    tg_slice rest = tg_slice_of(text, len > 0 ? (size_t)len : 0);
    (void)tg_slice_split(&rest, ' ');
    if (!tg_is_ok(tg_num_parse_u64(tg_slice_split(&rest, ' '), UINT64_MAX >> 16, &pages))) {
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Without `.`, `..` and the descriptor that reads the folder. */
static uint64_t num_open_files(void)
{
    uint64_t num_entries = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        num_entries++;
    }
    closedir(folder);
    return num_entries >= 3 ? num_entries - 3 : 0;
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

/* A counter whose value is kept elsewhere: raised to it. Exporters run one at a time. */
static void raise_to(tg_metric *counter, uint64_t value)
{
    uint64_t now = tg_metric_counter(counter);
    tg_metric_add(counter, value > now ? value - now : 0);
}

static void collect(void *owner)
{
    (void)owner;
    struct rusage usage;
    tg_metric_set(tg_metric_only(&resident), (int64_t)resident_bytes());
    tg_metric_set(tg_metric_only(&open_files), (int64_t)num_open_files());
    tg_metric_set(tg_metric_only(&max_files), (int64_t)tg_harden_max_files());
    raise_to(tg_metric_only(&log_dropped), tg_log_num_dropped());
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        raise_to(tg_metric_only(&cpu), nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime));
    }
}

tg_result tg_process_metrics_start(const char *program)
{
    tg_metric_set(tg_metric_of(&build, tg_slice_str(program), TG_LIT(TG_VERSION)), 1);
    tg_metric_set(tg_metric_only(&started), (int64_t)(tg_clock_unix_ms() * 1000000));
    return tg_metric_on_collect(collect, NULL);
}
