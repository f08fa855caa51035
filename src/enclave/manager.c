#include "enclave/manager.h"

#include "sys/log.h"

static tg_slice status_of(bool is_ready)
{
    return is_ready ? TG_LIT("serving") : TG_LIT("degraded: no data key, or no schema");
}

/* Every worker is asked, also behind one that hangs. */
static bool are_all_alive(const tg_manager *manager)
{
    bool are_alive = true;
    for (size_t i = 0; i < manager->num_workers; i++) {
        if (!tg_worker_is_alive(manager->workers[i])) {
            tg_log(TG_LOG_ERROR, "enclave", "worker_hangs", TG_F_UINT("worker", i),
                   TG_F_UINT("watchdog_ms", manager->notify.watchdog_ms),
                   TG_F_STR("remedy", "without an answer in this time again, the service manager ends us"));
            are_alive = false;
        }
    }
    return are_alive;
}

static void on_watchdog(tg_deadline *deadline)
{
    tg_manager *manager = TG_OBJECT_OF(deadline, tg_manager, watchdog);
    if (are_all_alive(manager)) {
        tg_service_notify_alive(&manager->notify);
    }
    tg_deadline_arm_in(manager->loop, deadline, manager->notify.watchdog_ms);
}

tg_result tg_manager_open(tg_manager *manager, const char *const *environment, tg_faults *faults)
{
    tg_detail detail = {0};
    *manager = (tg_manager){.notify.fd = -1, .watchdog.run = on_watchdog};
    tg_result opened = tg_service_notify_open(environment, &manager->notify, &detail);
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
    }
    return opened;
}

void tg_manager_close(tg_manager *manager)
{
    tg_deadline_disarm(&manager->watchdog);
    tg_service_notify_close(&manager->notify);
}

void tg_manager_serving(tg_manager *manager, tg_loop *loop, tg_worker *const *workers, size_t num_workers)
{
    manager->loop = loop;
    manager->workers = workers;
    manager->num_workers = num_workers;
    tg_service_notify_ready(&manager->notify, status_of(false)); /* readiness follows, when the schemas are read */
    if (manager->notify.fd >= 0 && manager->notify.watchdog_ms > 0) {
        on_watchdog(&manager->watchdog);
    }
}

void tg_manager_readiness(const tg_manager *manager, bool is_ready)
{
    tg_service_notify_status(&manager->notify, status_of(is_ready));
}

void tg_manager_reloading(const tg_manager *manager)
{
    tg_service_notify_reloading(&manager->notify);
}

void tg_manager_reloaded(const tg_manager *manager, bool is_ready)
{
    tg_service_notify_ready(&manager->notify, status_of(is_ready));
}

void tg_manager_stopping(const tg_manager *manager)
{
    tg_service_notify_stopping(&manager->notify, TG_LIT("draining"));
}
