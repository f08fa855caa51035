#include "tool/console.h"

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_SHOWN_MS = 500, SHOWN_EVERY_MS = 200 };

static bool wants_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool is_refused = (no_color != NULL && *no_color != 0) || (term != NULL && strcmp(term, "dumb") == 0);
    return !is_refused && isatty(fd) == 1;
}

void tg_console_init(tg_console *console)
{
    *console = (tg_console){.in_fd = STDIN_FILENO,
                            .out_fd = STDOUT_FILENO,
                            .err_fd = STDERR_FILENO,
                            .is_out_coloured = wants_colour(STDOUT_FILENO),
                            .is_err_coloured = wants_colour(STDERR_FILENO),
                            .is_progress_shown = isatty(STDERR_FILENO) == 1};
}

void tg_console_say(tg_console *console, tg_slice bytes)
{
    tg_result ignored = tg_file_write_all(console->err_fd, bytes); /* there is nowhere else to complain */
    (void)ignored;
}

int tg_console_write(tg_console *console, tg_slice bytes)
{
    tg_result result = tg_file_write_all(console->out_fd, bytes);
    return tg_is_ok(result) ? TG_EXIT_OK : tg_console_fail_result(console, "the output cannot be written", result);
}

int tg_console_fail(tg_console *console, const tg_detail *detail)
{
    tg_buf line;
    tg_buf_init(&line, 4096);
    if (tg_is_ok(tg_colour_append(&line, console->is_err_coloured, TG_COLOUR_RED, "teegate: ")) &&
        tg_is_ok(tg_detail_append(detail, &line)) && tg_is_ok(tg_buf_append_byte(&line, '\n'))) {
        tg_console_say(console, tg_buf_slice(&line));
    }
    tg_buf_done(&line);
    return TG_EXIT_CANNOT;
}

int tg_console_fail_text(tg_console *console, const char *format, ...)
{
    char text[sizeof((tg_detail *)NULL)->reason];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tg_detail detail = {0};
    tg_detail_set_reason(&detail, "%s", text);
    return tg_console_fail(console, &detail);
}

int tg_console_fail_result(tg_console *console, const char *what, tg_result result)
{
    return tg_console_fail_text(console, "%s: %s", what, tg_log_error_text(result));
}

tg_result tg_colour_append(tg_buf *buf, bool is_coloured, tg_colour colour, const char *text)
{
    static const char *const codes[] = {"0", "31;1", "33", "32", "2"};
    if (!is_coloured || colour == TG_COLOUR_NONE) {
        return tg_buf_append_str(buf, text);
    }
    return tg_buf_printf(buf, "\033[%sm%s\033[0m", codes[colour], text);
}

static void show(tg_progress *progress)
{
    uint64_t num_bytes = atomic_load(&progress->num_bytes);
    double seconds = (double)(tg_clock_monotonic_ms() - progress->started_ms) / 1000.0;
    double mib = (double)num_bytes / 1048576.0;
    char line[128];
    int len;
    if (num_bytes > 0) {
        len = snprintf(line, sizeof line, "\r%s %.1f MiB, %.1f MiB/s \033[K", progress->label, mib, mib / seconds);
    } else {
        len = snprintf(line, sizeof line, "\r%s, %.1f s \033[K", progress->label, seconds);
    }
    tg_console_say(progress->console, tg_slice_of(line, (size_t)len));
}

static void *run(void *arg)
{
    tg_progress *progress = arg;
    uint64_t wait_ms = FIRST_SHOWN_MS;
    bool is_shown = false;
    pthread_mutex_lock(&progress->lock);
    while (!progress->is_ended) {
        uint64_t until_ns = tg_clock_monotonic_ns() + wait_ms * 1000000;
        const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
        pthread_cond_timedwait(&progress->ended, &progress->lock, &until);
        if (!progress->is_ended) {
            show(progress);
            is_shown = true;
            wait_ms = SHOWN_EVERY_MS;
        }
    }
    pthread_mutex_unlock(&progress->lock);
    if (is_shown) {
        tg_console_say(progress->console, TG_LIT("\r\033[K"));
    }
    return NULL;
}

void tg_progress_start(tg_progress *progress, tg_console *console, const char *label)
{
    *progress = (tg_progress){.console = console, .label = label, .started_ms = tg_clock_monotonic_ms()};
    if (!console->is_progress_shown) {
        return;
    }
    pthread_mutex_init(&progress->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    progress->is_running = pthread_create(&progress->thread, NULL, run, progress) == 0;
}

void tg_progress_update(tg_progress *progress, uint64_t num_bytes)
{
    atomic_store(&progress->num_bytes, num_bytes);
}

void tg_progress_end(tg_progress *progress)
{
    if (!progress->console->is_progress_shown) {
        return;
    }
    if (progress->is_running) {
        pthread_mutex_lock(&progress->lock);
        progress->is_ended = true;
        pthread_cond_signal(&progress->ended);
        pthread_mutex_unlock(&progress->lock);
        pthread_join(progress->thread, NULL);
        progress->is_running = false;
    }
    pthread_cond_destroy(&progress->ended);
    pthread_mutex_destroy(&progress->lock);
}
