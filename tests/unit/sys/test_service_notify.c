#include "support/case.h"

#include "base/num.h"
#include "sys/clock.h"
#include "sys/service_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The manager's end of the protocol. */
typedef struct service_manager {
    int fd;
    char variable[160];
    char path[108];
    char message[1024];
} service_manager;

static void open_manager(service_manager *manager, bool is_abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(manager->path, sizeof manager->path, "%s/tg-notify.%d", is_abstract ? "@tmp" : "/tmp", (int)getpid());
    snprintf(manager->variable, sizeof manager->variable, "NOTIFY_SOCKET=%s", manager->path);
    size_t len = strlen(manager->path);
    memcpy(address.sun_path, manager->path, len);
    if (is_abstract) {
        address.sun_path[0] = 0;
    } else {
        unlink(manager->path);
        len++;
    }
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)(void *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
}

static void close_manager(service_manager *manager)
{
    close(manager->fd);
    if (manager->path[0] == '/') {
        unlink(manager->path);
    }
}

static const char *received(service_manager *manager)
{
    ssize_t len = recv(manager->fd, manager->message, sizeof manager->message - 1, 0);
    manager->message[len > 0 ? len : 0] = 0;
    return manager->message;
}

static void send_every_message(bool is_abstract)
{
    service_manager manager;
    tg_service_notify notify;
    tg_detail detail = {0};
    open_manager(&manager, is_abstract);
    const char *const environment[] = {manager.variable, NULL};
    assert_ok(tg_service_notify_open(environment, &notify, &detail));
    assert_true((fcntl(notify.fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(notify.watchdog_ms, 0);
    tg_service_notify_ready(&notify, TG_LIT("2 listeners"));
    assert_string_equal(received(&manager), "READY=1\nSTATUS=2 listeners\n");
    tg_service_notify_ready(&notify, TG_LIT(""));
    assert_string_equal(received(&manager), "READY=1\n");
    tg_service_notify_stopping(&notify, TG_LIT("draining"));
    assert_string_equal(received(&manager), "STOPPING=1\nSTATUS=draining\n");
    tg_service_notify_status(&notify, TG_LIT("fine"));
    assert_string_equal(received(&manager), "STATUS=fine\n");
    tg_service_notify_alive(&notify);
    assert_string_equal(received(&manager), "WATCHDOG=1\n");
    tg_service_notify_close(&notify);
    assert_int_equal(notify.fd, -1);
    close_manager(&manager);
}

static void send_path_socket_receives_all(void **state)
{
    (void)state;
    send_every_message(false);
}

static void send_abstract_socket_receives_all(void **state)
{
    (void)state;
    send_every_message(true);
}

static void reloading_message_holds_the_monotonic_time(void **state)
{
    (void)state;
    service_manager manager;
    tg_service_notify notify;
    open_manager(&manager, true);
    const char *const environment[] = {manager.variable, NULL};
    assert_ok(tg_service_notify_open(environment, &notify, NULL));
    uint64_t before_us = tg_clock_monotonic_ns() / 1000, told_us = 0;
    tg_service_notify_reloading(&notify);
    tg_slice message = tg_slice_str(received(&manager));
    tg_slice head = TG_LIT("RELOADING=1\nMONOTONIC_USEC=");
    assert_true(tg_slice_starts(message, head));
    tg_slice digits = tg_slice_trim(tg_slice_from(message, head.len), "\n");
    assert_ok(tg_num_parse_u64(digits, UINT64_MAX, &told_us));
    assert_true(told_us >= before_us && told_us <= tg_clock_monotonic_ns() / 1000);
    tg_service_notify_close(&notify);
    close_manager(&manager);
}

static void status_line_end_becomes_blank(void **state)
{
    (void)state;
    service_manager manager;
    tg_service_notify notify;
    open_manager(&manager, true);
    const char *const environment[] = {manager.variable, NULL};
    assert_ok(tg_service_notify_open(environment, &notify, NULL));
    tg_service_notify_status(&notify, TG_LIT("a\nREADY=1\0b\x7f"));
    assert_string_equal(received(&manager), "STATUS=a READY=1 b \n");
    close_manager(&manager);
    tg_service_notify_close(&notify);
}

static void status_longest_is_whole_and_one_over_is_cut(void **state)
{
    (void)state;
    service_manager manager;
    tg_service_notify notify;
    uint8_t text[TG_MAX_SERVICE_STATUS_BYTES + 1];
    memset(text, 'x', sizeof text);
    open_manager(&manager, true);
    const char *const environment[] = {manager.variable, NULL};
    assert_ok(tg_service_notify_open(environment, &notify, NULL));
    for (size_t len = sizeof text - 1; len <= sizeof text; len++) {
        tg_service_notify_ready(&notify, tg_slice_of(text, len));
        assert_int_equal(strlen(received(&manager)), 8 + 7 + TG_MAX_SERVICE_STATUS_BYTES + 1);
    }
    close_manager(&manager);
    tg_service_notify_close(&notify);
}

static void send_manager_full_or_gone_does_not_wait(void **state)
{
    (void)state;
    service_manager manager;
    tg_service_notify notify;
    open_manager(&manager, false);
    const char *const environment[] = {manager.variable, NULL};
    assert_ok(tg_service_notify_open(environment, &notify, NULL));
    for (int i = 0; i < 2000; i++) { /* more than a datagram socket queues */
        tg_service_notify_alive(&notify);
    }
    assert_string_equal(received(&manager), "WATCHDOG=1\n");
    close_manager(&manager);
    tg_service_notify_alive(&notify);
    tg_service_notify_close(&notify);
}

static void open_no_manager_sends_nothing(void **state)
{
    (void)state;
    const char *const without[] = {"WATCHDOG_USEC=1000000", NULL};
    const char *const empty[] = {"NOTIFY_SOCKET=", NULL};
    tg_service_notify notify;
    assert_ok(tg_service_notify_open(without, &notify, NULL));
    assert_int_equal(notify.fd, -1);
    assert_int_equal(notify.watchdog_ms, 0);
    tg_service_notify_ready(&notify, TG_LIT("x"));
    tg_service_notify_close(&notify);
    assert_ok(tg_service_notify_open(empty, &notify, NULL));
    assert_int_equal(notify.fd, -1);
}

static void open_socket_of_another_kind_is_refused(void **state)
{
    (void)state;
    tg_service_notify notify;
    tg_detail detail = {0};
    const char *const vsock[] = {"NOTIFY_SOCKET=vsock:2:9999", NULL};
    assert_code(tg_service_notify_open(vsock, &notify, &detail), TG_ERR_UNSUPPORTED);
    assert_string_equal(detail.field, "NOTIFY_SOCKET");
    assert_int_equal(notify.fd, -1);
    const char *const nameless[] = {"NOTIFY_SOCKET=@", NULL};
    assert_code(tg_service_notify_open(nameless, &notify, &detail), TG_ERR_LIMIT);
}

static void open_path_longest_fits_and_one_over_is_refused(void **state)
{
    (void)state;
    char variable[14 + 108 + 1] = "NOTIFY_SOCKET=/";
    tg_service_notify notify;
    const char *const environment[] = {variable, NULL};
    memset(variable + 15, 'p', 106);
    variable[14 + 107] = 0;
    assert_ok(tg_service_notify_open(environment, &notify, NULL));
    tg_service_notify_close(&notify);
    variable[14 + 107] = 'p';
    variable[14 + 108] = 0;
    assert_code(tg_service_notify_open(environment, &notify, NULL), TG_ERR_LIMIT);
}

static tg_result watchdog(const char *usec, const char *pid, uint64_t *out_ms)
{
    const char *const environment[] = {"NOTIFY_SOCKET=@nobody", usec, pid, NULL};
    tg_service_notify notify;
    tg_result result = tg_service_notify_open(environment, &notify, NULL);
    *out_ms = notify.watchdog_ms;
    tg_service_notify_close(&notify);
    return result;
}

static void open_watchdog_interval_is_half_of_what_is_allowed(void **state)
{
    (void)state;
    char own[40];
    uint64_t ms;
    snprintf(own, sizeof own, "WATCHDOG_PID=%d", (int)getpid());
    assert_ok(watchdog("WATCHDOG_USEC=30000000", NULL, &ms));
    assert_int_equal(ms, 15000);
    assert_ok(watchdog("WATCHDOG_USEC=30000000", own, &ms));
    assert_int_equal(ms, 15000);
    assert_ok(watchdog("WATCHDOG_USEC=30000000", "WATCHDOG_PID=1", &ms));
    assert_int_equal(ms, 0);
    assert_ok(watchdog("WATCHDOG_USEC=2000", NULL, &ms));
    assert_int_equal(ms, 1);
}

static void open_watchdog_malformed_is_refused(void **state)
{
    (void)state;
    uint64_t ms;
    assert_code(watchdog("WATCHDOG_USEC=1999", NULL, &ms), TG_ERR_RANGE);
    assert_code(watchdog("WATCHDOG_USEC=", NULL, &ms), TG_ERR_SYNTAX);
    assert_code(watchdog("WATCHDOG_USEC=-1", NULL, &ms), TG_ERR_SYNTAX);
    assert_code(watchdog("WATCHDOG_USEC=99999999999999999999", NULL, &ms), TG_ERR_RANGE);
    assert_code(watchdog("WATCHDOG_USEC=30000000", "WATCHDOG_PID=x", &ms), TG_ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(send_path_socket_receives_all),
        cmocka_unit_test(send_abstract_socket_receives_all),
        cmocka_unit_test(reloading_message_holds_the_monotonic_time),
        cmocka_unit_test(status_line_end_becomes_blank),
        cmocka_unit_test(status_longest_is_whole_and_one_over_is_cut),
        cmocka_unit_test(send_manager_full_or_gone_does_not_wait),
        cmocka_unit_test(open_no_manager_sends_nothing),
        cmocka_unit_test(open_socket_of_another_kind_is_refused),
        cmocka_unit_test(open_path_longest_fits_and_one_over_is_refused),
        cmocka_unit_test(open_watchdog_interval_is_half_of_what_is_allowed),
        cmocka_unit_test(open_watchdog_malformed_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
