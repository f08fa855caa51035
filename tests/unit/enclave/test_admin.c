#include "enclave/admin.h"
#include "support/folder.h"
#include "support/logged.h"
#include "unit/enclave/parts.h"
#include "unit/enclave/tls_client.h"

#include <pthread.h>

static tg_enclave_settings settings;
static tg_loop *loop;
static tg_publisher *publisher;
static _Atomic bool is_draining;
static _Atomic bool are_workers_ready;

static int set_up(void **state)
{
    atomic_store(&is_draining, false);
    atomic_store(&are_workers_ready, false);
    return tg_test_folder_set_up(state) | !tg_is_ok(tg_loop_new(&loop)) | !tg_is_ok(tg_publisher_new(&publisher));
}

static int tear_down(void **state)
{
    tg_enclave_settings_done(&settings);
    tg_loop_free(loop);
    tg_publisher_free(publisher);
    return tg_test_folder_tear_down(state);
}

static int set_up_logged(void **state)
{
    return set_up(state) | tg_test_log_set_up(state);
}

static int tear_down_logged(void **state)
{
    return tear_down(state) | tg_test_log_tear_down(state);
}

static tg_result open_admin(const char *address, tg_admin **out_admin, tg_faults *faults)
{
    char text[280];
    snprintf(text, sizeof text, "ADMIN_ADDRESS=%s", address);
    const char *const environment[] = {text, NULL};
    test_settings(&settings, environment);
    const tg_admin_sources sources = {.settings = &settings,
                                      .publisher = publisher,
                                      .is_draining = &is_draining,
                                      .are_workers_ready = &are_workers_ready};
    return tg_admin_open(&sources, loop, out_admin, faults);
}

static const char *unix_address(void)
{
    static char text[280];
    snprintf(text, sizeof text, "unix:%s", tg_test_path("admin"));
    return text;
}

static void *run_loop(void *argument)
{
    tg_loop_run(loop);
    return argument;
}

static void open_serves_the_admin_site_with_what_is_published(void **state)
{
    (void)state;
    tg_admin *admin = NULL;
    tg_faults faults;
    pthread_t thread;
    tg_faults_init(&faults);
    assert_ok(open_admin(unix_address(), &admin, &faults));
    assert_int_equal(pthread_create(&thread, NULL, run_loop, NULL), 0);
    const char *path = tg_test_path("admin");
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/health")), "503"));
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 1));
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/health")), "503"));
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/ready")), "503"));
    assert_non_null(strstr(test_plain_ask(path, TEST_GET("/status")), "{\"status\":\"degraded\""));
    atomic_store(&are_workers_ready, true);
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/health")), "200"));
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/ready")), "200"));
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/version")), "200"));
    assert_true(test_is_status(test_plain_ask(path, TEST_GET("/encrypt")), "404"));
    tg_loop_stop(loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    tg_admin_close(admin);
    assert_int_not_equal(access(path, F_OK), 0);
    tg_faults_done(&faults);
}

static void open_past_its_connections_refuses_more(void **state)
{
    (void)state;
    enum { NUM_CLIENTS = 84 };
    tg_admin *admin = NULL;
    tg_faults faults;
    pthread_t thread;
    int clients[NUM_CLIENTS];
    char byte;
    tg_faults_init(&faults);
    assert_ok(open_admin(unix_address(), &admin, &faults));
    assert_int_equal(pthread_create(&thread, NULL, run_loop, NULL), 0);
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        clients[i] = test_connect_unix(tg_test_path("admin"));
    }
    assert_int_equal(recv(clients[NUM_CLIENTS - 1], &byte, 1, 0), 0);
    size_t num_lines = 0;
    for (const char *at = tg_test_log(); (at = strstr(at, "connection_refused")) != NULL; at++) {
        num_lines++;
    }
    assert_in_range(num_lines, 1, 10); /* of 20: one in each second that it took */
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        close(clients[i]);
    }
    tg_loop_stop(loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    tg_admin_close(admin);
    tg_faults_done(&faults);
}

static void open_address_in_use_is_a_fault(void **state)
{
    (void)state;
    tg_admin *first = NULL, *second = NULL;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(open_admin(unix_address(), &first, &faults));
    tg_enclave_settings_done(&settings);
    assert_code(open_admin(unix_address(), &second, &faults), TG_ERR_EXISTS);
    assert_int_equal(faults.num_faults, 1);
    tg_admin_close(second);
    tg_admin_close(first);
    tg_admin_close(NULL);
    tg_faults_done(&faults);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(open_serves_the_admin_site_with_what_is_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_past_its_connections_refuses_more, set_up_logged, tear_down_logged),
        cmocka_unit_test_setup_teardown(open_address_in_use_is_a_fault, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
