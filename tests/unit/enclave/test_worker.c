#include "enclave/worker.h"
#include "support/folder.h"
#include "support/logged.h"
#include "sys/clock.h"
#include "unit/enclave/parts.h"
#include "unit/enclave/tls_client.h"

#include <stdatomic.h>

typedef struct fixture {
    tg_enclave_settings settings;
    tg_publisher *publisher;
    tg_http_budget budget;
    tg_bound *bound;
    _Atomic bool is_draining;
    _Atomic unsigned num_drained;
    _Atomic unsigned num_taken_up;
    tg_worker_shared shared;
    tg_worker *worker;
    char path[256];
} fixture;

static fixture f;
static size_t num_proxied; /* of the next worker's addresses */

static void on_drained(void *owner)
{
    atomic_fetch_add(&((fixture *)owner)->num_drained, 1);
}

static void on_taken_up(void *owner)
{
    atomic_fetch_add(&((fixture *)owner)->num_taken_up, 1);
}

/* Waits until a count of the callbacks above is this. */
static void wait_until(_Atomic unsigned *count, unsigned expected)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + UINT64_C(1000) * TEST_PATIENCE_S;
    while (atomic_load(count) < expected) {
        assert_true(tg_clock_monotonic_ms() < until_ms);
        usleep(1000);
    }
    assert_int_equal(atomic_load(count), expected);
}

static void give_tls(void)
{
    tg_tls_identity *identity = NULL;
    tg_tls_context *tls = NULL;
    tg_detail detail = {0};
    assert_ok(tg_tls_identity_generate(NULL, 0, (int64_t)(tg_clock_unix_ms() / 1000), &identity, &detail));
    const tg_tls_server_settings settings = {.identity = identity};
    assert_ok(tg_tls_context_new_server(&settings, &tls, &detail));
    tg_tls_identity_unref(identity);
    assert_ok(tg_publisher_set_tls(f.publisher, tls));
}

/* A worker on a unix socket, with a key and TEST_SCHEMA; it runs once started. */
static void open_worker(const char *const *environment, bool has_tls)
{
    char text[280];
    tg_address address;
    tg_detail detail = {0};
    memset(&f, 0, sizeof f);
    test_settings(&f.settings, environment);
    snprintf(f.path, sizeof f.path, "%s", tg_test_path("s"));
    snprintf(text, sizeof text, "unix:%s", f.path);
    assert_ok(tg_address_parse(tg_slice_str(text), &address, &detail));
    assert_ok(tg_bound_open(&address, NULL, &f.bound, &detail));
    assert_ok(tg_publisher_new(&f.publisher));
    assert_ok(tg_publisher_set_ring(f.publisher, test_ring("\xAA")));
    if (has_tls) {
        give_tls();
    }
    tg_http_budget_init(&f.budget, (size_t)f.settings.max_inflight_bytes);
    f.shared = (tg_worker_shared){.settings = &f.settings,
                                  .publisher = f.publisher,
                                  .budget = &f.budget,
                                  .bounds = &f.bound,
                                  .num_bounds = 1,
                                  .num_proxied = num_proxied,
                                  .is_draining = &f.is_draining,
                                  .drained = on_drained,
                                  .taken_up = on_taken_up,
                                  .owner = &f};
    assert_ok(tg_worker_new(&f.shared, 0, &f.worker));
}

static void close_worker(void)
{
    tg_worker_free(f.worker);
    tg_bound_close(f.bound);
    tg_publisher_free(f.publisher);
    tg_enclave_settings_done(&f.settings);
}

static void serve_requests_over_tls_from_the_newest_snapshot(void **state)
{
    (void)state;
    open_worker(TEST_NO_ENVIRONMENT, true);
    assert_ok(tg_worker_start(f.worker));
    assert_true(test_is_status(test_tls_ask(f.path, TEST_GET("/ready")), "503"));
    assert_ok(tg_publisher_set_schemas(f.publisher, tg_build_text(TEST_SCHEMA), 1));
    wait_until(&f.num_taken_up, 1);
    assert_true(test_is_status(test_tls_ask(f.path, TEST_GET("/ready")), "200"));
    close_worker();
}

static void serve_without_an_identity_closes_connections(void **state)
{
    (void)state;
    open_worker(TEST_NO_ENVIRONMENT, false);
    assert_ok(tg_worker_start(f.worker));
    char byte;
    int fd = test_connect_unix(f.path);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    give_tls();
    wait_until(&f.num_taken_up, 1);
    test_tls_client client = test_tls_connect(f.path);
    test_tls_close(&client);
    close_worker();
}

static void serve_past_its_connections_waits_for_one_to_end(void **state)
{
    (void)state;
    const char *const environment[] = {"MAX_CONNECTIONS=1", "WORKERS=4", NULL};
    open_worker(environment, true);
    assert_ok(tg_worker_start(f.worker));
    test_tls_client first = test_tls_connect(f.path);
    test_tls_send(&first, "GET /live HTTP/1.1\r\nHost: h\r\n\r\n");
    char byte;
    assert_int_equal(SSL_peek(first.ssl, &byte, 1), 1);
    int second = test_connect_unix(f.path); /* in the kernel's queue */
    const struct timeval soon = {.tv_usec = 50000};
    assert_int_equal(setsockopt(second, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    assert_int_equal(send(second, "junk, which would be closed at once", 35, MSG_NOSIGNAL), 35);
    assert_int_equal(recv(second, &byte, 1, 0), -1);
    test_tls_close(&first);
    const struct timeval long_enough = {.tv_sec = TEST_PATIENCE_S};
    assert_int_equal(setsockopt(second, SOL_SOCKET, SO_RCVTIMEO, &long_enough, sizeof long_enough), 0);
    while (recv(second, &byte, 1, 0) == 1) { /* an alert */
    }
    close(second);
    close_worker();
}

static void serve_sidecars_where_each_connection_begins_with_its_header(void **state)
{
    static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    (void)state;
    num_proxied = 1;
    open_worker(TEST_NO_ENVIRONMENT, true);
    num_proxied = 0;
    assert_ok(tg_worker_start(f.worker));
    char byte;
    int fd = test_connect_unix(f.path);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3); /* nothing is guessed */
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    test_tls_client client = {.context = SSL_CTX_new(TLS_client_method()), .fd = test_connect_unix(f.path)};
    assert_int_equal(send(client.fd, header, sizeof header - 1, MSG_NOSIGNAL), sizeof header - 1);
    client.ssl = SSL_new(client.context);
    assert_int_equal(SSL_set_fd(client.ssl, client.fd), 1);
    assert_int_equal(SSL_connect(client.ssl), 1);
    test_tls_send(&client, TEST_GET("/live"));
    assert_true(test_is_status(test_tls_receive(&client), "200"));
    test_tls_close(&client);
    close_worker();
}

static void drain_answers_what_was_begun_and_reports_once(void **state)
{
    (void)state;
    open_worker(TEST_NO_ENVIRONMENT, true);
    assert_ok(tg_worker_start(f.worker));
    test_tls_client client = test_tls_connect(f.path);
    test_tls_send(&client, "GET /live HTTP/1.1\r\n");
    usleep(50000); /* the head's first bytes have been read */
    atomic_store(&f.is_draining, true);
    tg_worker_drain(f.worker);
    usleep(50000);
    assert_int_equal(atomic_load(&f.num_drained), 0);
    test_tls_send(&client, "Host: h\r\n\r\n");
    const char *answer = test_tls_receive(&client);
    assert_true(test_is_status(answer, "200"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    test_tls_close(&client);
    wait_until(&f.num_drained, 1);
    close_worker();
}

static void free_before_start_and_with_open_connections(void **state)
{
    (void)state;
    open_worker(TEST_NO_ENVIRONMENT, true);
    close_worker();
    open_worker(TEST_NO_ENVIRONMENT, true);
    assert_ok(tg_worker_start(f.worker));
    test_tls_client client = test_tls_connect(f.path);
    close_worker();
    test_tls_close(&client);
    tg_worker_free(NULL);
}

static void snapshot_without_locked_memory_is_said_and_the_old_one_serves(void **state)
{
    (void)state;
    open_worker(TEST_NO_ENVIRONMENT, true);
    assert_ok(tg_publisher_set_schemas(f.publisher, tg_build_text(TEST_SCHEMA), 1));
    assert_ok(tg_worker_start(f.worker));
    assert_true(test_is_status(test_tls_ask(f.path, TEST_GET("/ready")), "200"));
    enum { MAX_HOLDERS = 4096 };
    static tg_serving *holders[MAX_HOLDERS];
    size_t num_holders = 0;
    tg_publisher *other = NULL;
    assert_ok(tg_publisher_new(&other));
    assert_ok(tg_publisher_set_ring(other, test_ring("\xBB")));
    tg_snapshot *snapshot = tg_publisher_current(other);
    while (num_holders < MAX_HOLDERS && tg_is_ok(tg_serving_new(snapshot, NULL, &holders[num_holders]))) {
        num_holders++;
    }
    assert_in_range(num_holders, 1, MAX_HOLDERS - 1);
    assert_ok(tg_publisher_set_ring(f.publisher, test_ring("\xCC\xDD")));
    assert_true(tg_test_log_says("\"event\":\"snapshot_not_taken_up\",\"worker\":0"));
    assert_true(test_is_status(test_tls_ask(f.path, TEST_GET("/ready")), "200"));
    while (num_holders > 0) {
        tg_serving_unref(holders[--num_holders]);
    }
    tg_snapshot_unref(snapshot);
    tg_publisher_free(other);
    close_worker();
}

static int set_up(void **state)
{
    return tg_test_folder_set_up(state) | tg_test_log_set_up(state);
}

static int tear_down(void **state)
{
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(serve_requests_over_tls_from_the_newest_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serve_without_an_identity_closes_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serve_past_its_connections_waits_for_one_to_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(serve_sidecars_where_each_connection_begins_with_its_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drain_answers_what_was_begun_and_reports_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_before_start_and_with_open_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshot_without_locked_memory_is_said_and_the_old_one_serves, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
