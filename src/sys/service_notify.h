/* Tells the service manager how we are (sd_notify(3)): ready, reloading, stopping, alive. Without one, nothing is sent:
 * a program calls these wherever it runs. */
#ifndef TG_SYS_SERVICE_NOTIFY_H
#define TG_SYS_SERVICE_NOTIFY_H

#include "base/detail.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { TG_MAX_SERVICE_STATUS_BYTES = 200 };

typedef struct tg_service_notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t watchdog_ms; /* how often tg_service_notify_alive is to be called: half of what is allowed; 0: never */
} tg_service_notify;

/* tg_service_notify_open reads NOTIFY_SOCKET (a path, or `@NAME` for an abstract socket), WATCHDOG_USEC and
 * WATCHDOG_PID.
 * err   TG_ERR_SYNTAX, TG_ERR_RANGE, TG_ERR_LIMIT (a path that no socket can have), TG_ERR_UNSUPPORTED (another kind
 *       of socket), TG_ERR_SYSTEM; detail names the variable; nothing will be sent then
 * keep  out holds nothing of `environment`; ended by tg_service_notify_close, also after an error
 */
TG_MUST_USE tg_result tg_service_notify_open(const char *const *environment, tg_service_notify *out_notify,
                                             tg_detail *detail);
void tg_service_notify_close(tg_service_notify *notify);

/* What is told. A message that the manager does not take at once is dropped, with a line at level debug: it never holds
 * up the service. Any thread.
 * in    status: one line for `systemctl status`, cut at TG_MAX_SERVICE_STATUS_BYTES, control characters made blank; may
 *       be empty
 */
void tg_service_notify_ready(const tg_service_notify *notify, tg_slice status);
void tg_service_notify_reloading(const tg_service_notify *notify); /* followed by ready when done */
void tg_service_notify_stopping(const tg_service_notify *notify, tg_slice status);
void tg_service_notify_status(const tg_service_notify *notify, tg_slice status);
void tg_service_notify_alive(const tg_service_notify *notify);

#endif
