#include "sys/log.h"

#include "base/text.h"
#include "sys/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A pipe that polls as writable takes PIPE_BUF bytes at once, whole and unmixed with other writers' (pipe(7)). */
enum { MAX_LINE_BYTES = PIPE_BUF, MAX_VALUE_BYTES = 256, MAX_WAIT_MS = 10 };

static _Atomic int current_level = TG_LOG_INFO;
static _Atomic int current_fd = STDERR_FILENO;
static _Atomic uint64_t num_dropped;
static _Atomic bool is_stuck; /* whoever reads our lines has stopped: nobody waits again until it goes on */

void tg_log_set_level(tg_log_level level)
{
    atomic_store(&current_level, (int)level);
}

bool tg_log_is_on(tg_log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void tg_log_set_fd(int fd)
{
    atomic_store(&current_fd, fd);
}

uint64_t tg_log_num_dropped(void)
{
    return atomic_load(&num_dropped);
}

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

tg_result tg_log_parse_level(tg_slice text, tg_log_level *out_level)
{
    if (tg_text_equal_nocase(text, TG_LIT("warning"))) {
        *out_level = TG_LOG_WARN;
        return tg_ok();
    }
    for (size_t i = 0; i < TG_COUNT(level_names); i++) {
        if (tg_text_equal_nocase(text, tg_slice_str(level_names[i]))) {
            *out_level = (tg_log_level)i;
            return tg_ok();
        }
    }
    return tg_fail(TG_ERR_SYNTAX);
}

const char *tg_log_error_text(tg_result result)
{
    static _Thread_local char text[128];
    if (result.os_error == 0) {
        return tg_code_name(result.code);
    }
    char system[96];
    snprintf(text, sizeof text, "%s: %s", tg_code_name(result.code),
             strerror_r(result.os_error, system, sizeof system));
    return text;
}

static tg_result append_text(tg_buf *line, tg_slice text)
{
    TG_TRY(tg_json_append_string(line, tg_slice_first(text, MAX_VALUE_BYTES)));
    if (text.len > MAX_VALUE_BYTES) { /* mark the cut inside the quotes */
        tg_buf_truncate(line, tg_buf_len(line) - 1);
        return tg_buf_append_str(line, "...\"");
    }
    return tg_ok();
}

static tg_result append_field(tg_buf *line, const tg_log_field *field)
{
    TG_TRY(tg_buf_append_byte(line, ','));
    TG_TRY(tg_json_append_string(line, tg_slice_str(field->name)));
    TG_TRY(tg_buf_append_byte(line, ':'));
    switch (field->kind) {
    case TG_FIELD_INT:
        return tg_buf_printf(line, "%lld", (long long)field->number);
    case TG_FIELD_UINT:
        return tg_buf_append_u64(line, (uint64_t)field->number);
    case TG_FIELD_BOOL:
        return tg_buf_append_str(line, field->number != 0 ? "true" : "false");
    case TG_FIELD_TEXT:
    case TG_FIELD_NONE:
        break;
    }
    return append_text(line, field->text);
}

static tg_result compose(tg_buf *line, tg_log_level level, const char *component, const char *event,
                         const tg_log_field *fields, size_t num_fields)
{
    char time_text[25];
    tg_clock_format(tg_clock_unix_ms(), time_text);
    TG_TRY(tg_buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"event\":\"%s\"", time_text,
                         level_names[level], component, event));
    for (size_t i = 0; i < num_fields; i++) {
        size_t before = tg_buf_len(line);
        if (tg_buf_space(line) < 16 || !tg_is_ok(append_field(line, &fields[i])) || tg_buf_space(line) < 2) {
            tg_buf_truncate(line, before); /* a field that does not fit is left out whole */
        }
    }
    return tg_buf_append_str(line, "}\n");
}

/* A full pipe is waited for a little, once; a line is dropped rather than the process held up. */
static bool is_writable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    bool was_stuck = atomic_load_explicit(&is_stuck, memory_order_relaxed);
    bool is_ready = poll(&wait, 1, was_stuck ? 0 : MAX_WAIT_MS) == 1 && (wait.revents & POLLOUT) != 0;
    if (is_ready == was_stuck) {
        atomic_store_explicit(&is_stuck, !is_ready, memory_order_relaxed);
    }
    return is_ready;
}

static bool write_whole(int fd, tg_slice line)
{
    while (line.len > 0) {
        if (!is_writable(fd)) {
            return false;
        }
        ssize_t done = write(fd, line.ptr, line.len);
        if (done > 0) {
            line = tg_slice_from(line, (size_t)done);
        } else if (done < 0 && errno != EINTR && errno != EAGAIN) {
            return false;
        }
    }
    return true;
}

void tg_log_write(tg_log_level level, const char *component, const char *event, const tg_log_field *fields,
                  size_t num_fields)
{
    int saved = errno;
    tg_buf line;
    tg_buf_init(&line, MAX_LINE_BYTES);
    if (!tg_is_ok(compose(&line, level, component, event, fields, num_fields)) ||
        !write_whole(atomic_load(&current_fd), tg_buf_slice(&line))) {
        atomic_fetch_add(&num_dropped, 1);
    }
    tg_buf_done(&line);
    errno = saved;
}

void tg_log_fault(tg_log_level level, const char *component, const char *event, const tg_detail *detail)
{
    tg_log_field fields[5];
    size_t num_fields = 0;
    if (detail->file[0] != 0) {
        fields[num_fields++] = TG_F_STR("file", detail->file);
    }
    if (detail->line > 0) {
        fields[num_fields++] = TG_F_UINT("line", detail->line);
    }
    if (detail->field[0] != 0) {
        fields[num_fields++] = TG_F_STR("field", detail->field);
    }
    fields[num_fields++] = TG_F_STR("reason", detail->reason);
    if (detail->remedy[0] != 0) {
        fields[num_fields++] = TG_F_STR("remedy", detail->remedy);
    }
    if (tg_log_is_on(level)) {
        tg_log_write(level, component, event, fields, num_fields);
    }
}
