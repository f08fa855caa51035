#include "proxy/watchdog.h"

#include "sys/log.h"

static void on_deadline(tg_deadline *deadline)
{
    tg_proxy_watchdog *watchdog = TG_OBJECT_OF(deadline, tg_proxy_watchdog, deadline);
    if (tg_crew_is_alive(watchdog->crew)) {
        tg_service_notify_alive(watchdog->notify);
    } else {
        tg_log(TG_LOG_ERROR, "proxy", "worker hangs", TG_F_UINT("watchdog_ms", watchdog->notify->watchdog_ms),
               TG_F_STR("remedy", "without an answer in this time again, the service manager ends us"));
    }
    tg_deadline_arm_in(watchdog->loop, deadline, watchdog->notify->watchdog_ms);
}

void tg_proxy_watchdog_start(tg_proxy_watchdog *watchdog, tg_loop *loop, tg_crew *crew, const tg_service_notify *notify)
{
    *watchdog = (tg_proxy_watchdog){.deadline.run = on_deadline, .loop = loop, .crew = crew, .notify = notify};
    if (notify->fd >= 0 && notify->watchdog_ms > 0) {
        on_deadline(&watchdog->deadline);
    }
}

void tg_proxy_watchdog_stop(tg_proxy_watchdog *watchdog)
{
    tg_deadline_disarm(&watchdog->deadline);
}
