#include "support/logged.h"

#include "sys/clock.h"
#include "sys/log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 1 << 20, PATIENCE_MS = 10000 };

static int fd = -1;
static off_t begins; /* what is behind it has not been forgotten */
static char text[MAX_TEXT_BYTES];

int tg_test_log_set_up(void **state)
{
    (void)state;
    fd = memfd_create("log", MFD_CLOEXEC);
    begins = 0;
    tg_log_set_fd(fd);
    tg_log_set_level(TG_LOG_DEBUG);
    return fd >= 0 ? 0 : -1;
}

int tg_test_log_tear_down(void **state)
{
    (void)state;
    tg_log_set_fd(STDERR_FILENO);
    tg_log_set_level(TG_LOG_INFO);
    return close(fd);
}

const char *tg_test_log(void)
{
    ssize_t len = pread(fd, text, sizeof text - 1, begins);
    text[len > 0 ? len : 0] = 0;
    return text;
}

void tg_test_log_forget(void)
{
    begins = lseek(fd, 0, SEEK_END);
}

int tg_test_log_says(const char *part)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + PATIENCE_MS;
    while (strstr(tg_test_log(), part) == NULL) {
        if (tg_clock_monotonic_ms() > until_ms) {
            return 0;
        }
        usleep(2000);
    }
    return 1;
}
