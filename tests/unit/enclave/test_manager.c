#include "enclave/manager.h"
#include "support/folder.h"
#include "support/logged.h"
#include "unit/enclave/parts.h"

#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

static int fd; /* the manager's end */
static tg_loop *loop;
static tg_publisher *publisher;
static tg_worker *worker;
static tg_enclave_settings settings;
static _Atomic bool is_draining;
static tg_manager manager;

static void ignore(void *owner)
{
    (void)owner;
}

static int set_up(void **state)
{
    static tg_worker_shared shared;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 20};
    if ((tg_test_folder_set_up(state) | tg_test_log_set_up(state)) != 0) {
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", tg_test_path("n"));
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    test_settings(&settings, TEST_NO_ENVIRONMENT);
    assert_ok(tg_loop_new(&loop));
    assert_ok(tg_publisher_new(&publisher));
    shared = (tg_worker_shared){.settings = &settings,
                                .publisher = publisher,
                                .is_draining = &is_draining,
                                .drained = ignore,
                                .taken_up = ignore};
    assert_ok(tg_worker_new(&shared, 0, &worker));
    return 0;
}

static int tear_down(void **state)
{
    tg_manager_close(&manager);
    tg_worker_free(worker);
    tg_publisher_free(publisher);
    tg_loop_free(loop);
    tg_enclave_settings_done(&settings);
    close(fd);
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

static tg_result open_manager(const char *watchdog)
{
    static char text[300];
    const char *environment[] = {text, watchdog, NULL};
    tg_faults faults;
    snprintf(text, sizeof text, "NOTIFY_SOCKET=%s", tg_test_path("n"));
    tg_faults_init(&faults);
    tg_result opened = tg_manager_open(&manager, environment, &faults);
    assert_int_equal(faults.num_faults, !tg_is_ok(opened));
    tg_faults_done(&faults);
    return opened;
}

/* The next message. */
static const char *told(void)
{
    static char text[512];
    ssize_t len = recv(fd, text, sizeof text - 1, 0);
    assert_true(len > 0);
    text[len] = 0;
    return text;
}

static void run_for_a_message(void)
{
    char byte;
    while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        tg_loop_turn(loop);
        usleep(1000);
    }
}

static void life_is_told_step_by_step(void **state)
{
    (void)state;
    assert_ok(open_manager(NULL));
    assert_ok(tg_worker_start(worker));
    tg_manager_serving(&manager, loop, &worker, 1);
    assert_string_equal(told(), "READY=1\nSTATUS=degraded: no data key, or no schema\n");
    tg_manager_readiness(&manager, true);
    assert_string_equal(told(), "STATUS=serving\n");
    tg_manager_reloading(&manager);
    assert_int_equal(strncmp(told(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    tg_manager_reloaded(&manager, true);
    assert_string_equal(told(), "READY=1\nSTATUS=serving\n");
    tg_manager_stopping(&manager);
    assert_string_equal(told(), "STOPPING=1\nSTATUS=draining\n");
}

static void serving_with_a_watchdog_tells_that_it_lives(void **state)
{
    (void)state;
    assert_ok(open_manager("WATCHDOG_USEC=400000"));
    assert_ok(tg_worker_start(worker));
    tg_manager_serving(&manager, loop, &worker, 1);
    assert_int_equal(strncmp(told(), "READY=1", 7), 0);
    for (unsigned i = 0; i < 3; i++) {
        run_for_a_message();
        assert_string_equal(told(), "WATCHDOG=1\n");
    }
}

static void serving_with_a_worker_that_hangs_is_silent_and_logs(void **state)
{
    (void)state;
    assert_ok(open_manager("WATCHDOG_USEC=20000"));
    tg_manager_serving(&manager, loop, &worker, 1); /* it was never started: it comes round no more */
    assert_int_equal(strncmp(told(), "READY=1", 7), 0);
    assert_string_equal(told(), "WATCHDOG=1\n"); /* the first time it was not asked yet */
    while (strstr(tg_test_log(), "\"event\":\"worker_hangs\",\"worker\":0") == NULL) {
        tg_loop_turn(loop);
        usleep(1000);
    }
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void open_without_a_manager_says_nothing(void **state)
{
    (void)state;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_manager_open(&manager, TEST_NO_ENVIRONMENT, &faults));
    tg_manager_serving(&manager, loop, &worker, 1);
    tg_manager_stopping(&manager);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    tg_faults_done(&faults);
}

static void open_with_a_wrong_interval_is_a_fault(void **state)
{
    (void)state;
    assert_code(open_manager("WATCHDOG_USEC=x"), TG_ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(life_is_told_step_by_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serving_with_a_watchdog_tells_that_it_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serving_with_a_worker_that_hangs_is_silent_and_logs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_without_a_manager_says_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_with_a_wrong_interval_is_a_fault, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
