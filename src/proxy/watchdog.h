/* Tells the service manager that the proxy is alive while the main thread and every worker still turn (WATCHDOG_USEC):
 * a thread that hangs ends the service, which the manager starts anew. */
#ifndef TG_PROXY_WATCHDOG_H
#define TG_PROXY_WATCHDOG_H

#include "proxy/crew.h"
#include "sys/service_notify.h"

typedef struct tg_proxy_watchdog {
    tg_deadline deadline;
    tg_loop *loop;
    tg_crew *crew;
    const tg_service_notify *notify;
} tg_proxy_watchdog;

/* tg_proxy_watchdog_start begins, on the main thread's loop; nothing happens where the manager wants no signs of life.
 * keep  all of it outlives tg_proxy_watchdog_stop
 */
void tg_proxy_watchdog_start(tg_proxy_watchdog *watchdog, tg_loop *loop, tg_crew *crew,
                             const tg_service_notify *notify);
void tg_proxy_watchdog_stop(tg_proxy_watchdog *watchdog);

#endif
