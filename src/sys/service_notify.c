#include "sys/service_notify.h"

#include "base/num.h"
#include "sys/clock.h"
#include "sys/environment.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_MESSAGE_BYTES = 512 };

static tg_result fault(tg_detail *detail, tg_result result, const char *variable, const char *reason)
{
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT("environment"), 0, tg_slice_str(variable));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "the service manager sets it; unset it where there is none");
    return result;
}

static tg_result read_address(const char *text, tg_service_notify *out, tg_detail *detail)
{
    static const char variable[] = "NOTIFY_SOCKET";
    size_t len = strlen(text);
    if (text[0] != '/' && text[0] != '@') {
        return fault(detail, tg_fail(TG_ERR_UNSUPPORTED), variable, "neither an absolute path nor @NAME");
    }
    if (len < 2 || len > sizeof out->address.sun_path - 1) {
        return fault(detail, tg_fail(TG_ERR_LIMIT), variable, "no socket has a path of this length");
    }
    out->address.sun_family = AF_UNIX;
    memcpy(out->address.sun_path, text, len);
    out->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (text[0] == '@') {
        out->address.sun_path[0] = 0; /* an abstract name is what its length says */
    } else {
        out->address_len++; /* a path ends with its NUL */
    }
    return tg_ok();
}

static tg_result read_watchdog(const char *const *environment, uint64_t *out_ms, tg_detail *detail)
{
    const char *interval = tg_environment_get(environment, "WATCHDOG_USEC");
    const char *process = tg_environment_get(environment, "WATCHDOG_PID");
    uint64_t interval_us = 0, pid = (uint64_t)getpid();
    if (interval == NULL) {
        return tg_ok();
    }
    tg_result read = tg_num_parse_u64(tg_slice_str(interval), UINT64_MAX, &interval_us);
    if (!tg_is_ok(read)) {
        return fault(detail, read, "WATCHDOG_USEC", "not a number of microseconds");
    }
    if (interval_us < 2000) {
        return fault(detail, tg_fail(TG_ERR_RANGE), "WATCHDOG_USEC", "under 2 milliseconds");
    }
    if (process != NULL) {
        read = tg_num_parse_u64(tg_slice_str(process), INT32_MAX, &pid);
        if (!tg_is_ok(read)) {
            return fault(detail, read, "WATCHDOG_PID", "not the number of a process");
        }
    }
    *out_ms = pid == (uint64_t)getpid() ? interval_us / 2000 : 0;
    return tg_ok();
}

tg_result tg_service_notify_open(const char *const *environment, tg_service_notify *out_notify, tg_detail *detail)
{
    *out_notify = (tg_service_notify){.fd = -1};
    const char *text = tg_environment_get(environment, "NOTIFY_SOCKET");
    if (text == NULL || text[0] == 0) {
        return tg_ok();
    }
    tg_service_notify notify = {.fd = -1};
    TG_TRY(read_address(text, &notify, detail));
    TG_TRY(read_watchdog(environment, &notify.watchdog_ms, detail));
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify.fd < 0) {
        return fault(detail, tg_fail_os(errno), "NOTIFY_SOCKET", "no socket to be had");
    }
    *out_notify = notify;
    return tg_ok();
}

void tg_service_notify_close(tg_service_notify *notify)
{
    tg_fd_close(&notify->fd);
}

/* Assignments stand on lines of their own: a status with a line end would be a second one. */
static void send_message(const tg_service_notify *notify, const char *assignments, tg_slice status)
{
    if (notify->fd < 0) {
        return;
    }
    char message[MAX_MESSAGE_BYTES];
    size_t len = strlen(assignments);
    memcpy(message, assignments, len);
    status = tg_slice_first(status, TG_MAX_SERVICE_STATUS_BYTES);
    if (status.len > 0) {
        memcpy(message + len, "STATUS=", 7);
        len += 7;
        for (size_t i = 0; i < status.len; i++) {
            message[len++] = status.ptr[i] < 0x20 || status.ptr[i] == 0x7f ? ' ' : (char)status.ptr[i];
        }
        message[len++] = '\n';
    }
    const struct sockaddr *address = (const struct sockaddr *)(const void *)&notify->address;
    if (sendto(notify->fd, message, len, MSG_NOSIGNAL, address, notify->address_len) < 0) {
        tg_log(TG_LOG_DEBUG, "sys", "notify_failed", TG_F_ERR(tg_fail_os(errno)));
    }
}

void tg_service_notify_ready(const tg_service_notify *notify, tg_slice status)
{
    send_message(notify, "READY=1\n", status);
}

void tg_service_notify_reloading(const tg_service_notify *notify)
{
    char assignments[64];
    snprintf(assignments, sizeof assignments, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
             (unsigned long long)(tg_clock_monotonic_ns() / 1000));
    send_message(notify, assignments, TG_LIT(""));
}

void tg_service_notify_stopping(const tg_service_notify *notify, tg_slice status)
{
    send_message(notify, "STOPPING=1\n", status);
}

void tg_service_notify_status(const tg_service_notify *notify, tg_slice status)
{
    send_message(notify, "", status);
}

void tg_service_notify_alive(const tg_service_notify *notify)
{
    send_message(notify, "WATCHDOG=1\n", TG_LIT(""));
}
