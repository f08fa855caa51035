#include "enclave/enclave.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/logged.h"
#include "unit/enclave/parts.h"
#include "unit/enclave/tls_client.h"
#include "unit/tls/issuer.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

enum { MAX_ENVIRONMENT = 12, MAX_TEXT_BYTES = 300 };

/* Settings of a whole service in the folder: NAME=value, where `%s` of the value stands for the folder's path. */
static char texts[MAX_ENVIRONMENT][MAX_TEXT_BYTES];
static const char *environment[MAX_ENVIRONMENT + 1];
static size_t num_texts;

static void set(const char *name, const char *value)
{
    const char *mark = strstr(value, "%s");
    char *text = texts[num_texts];
    if (mark != NULL) {
        snprintf(text, MAX_TEXT_BYTES, "%s=%.*s%s%s", name, (int)(mark - value), value, tg_test_folder(), mark + 2);
    } else {
        snprintf(text, MAX_TEXT_BYTES, "%s=%s", name, value);
    }
    environment[num_texts++] = text;
    environment[num_texts] = NULL;
}

static int set_up(void **state)
{
    if ((tg_test_folder_set_up(state) | tg_test_log_set_up(state)) != 0) {
        return -1;
    }
    num_texts = 0;
    mkdir(tg_test_path("schemas"), 0700);
    tg_test_write_file("schemas/a.yaml", tg_slice_str(TEST_SCHEMA));
    uint8_t key[TG_DEK_BYTES];
    memset(key, 0xAA, sizeof key);
    tg_test_write_file("dek", tg_slice_of(key, sizeof key));
    set("SCHEMA_DIR", "%s/schemas");
    set("LISTEN_ADDRESS", "unix:%s/s");
    set("DEK_FILE", "%s/dek");
    set("WORKERS", "2");
    set("SECRETS_ADDRESS", "off");
    return 0;
}

static int tear_down(void **state)
{
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

/* One file that holds certificate and key. */
static void write_identity(void)
{
    test_certificate made = test_issue(&(test_request){.subject = "tee", .san = "DNS:localhost"});
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    test_append_certificate(&made, &pem);
    test_append_key(&made, &pem);
    tg_test_write_file("tee.pem", tg_buf_slice(&pem));
    tg_buf_done(&pem);
    test_certificate_done(&made);
}

/* The service in a thread; what it ends with. Each runs in a child: signals and metrics are the process's. */
static tg_enclave_settings settings;
static pthread_t thread;
static int status;

static void *run_service(void *argument)
{
    status = tg_enclave_run(&settings, environment);
    return argument;
}

static void start_service(void)
{
    test_settings(&settings, environment);
    assert_int_equal(pthread_create(&thread, NULL, run_service, NULL), 0);
}

static int end_of_service(void)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
    tg_enclave_settings_done(&settings);
    return status;
}

/* What a child's check saw is told by its status: the line of the first that was false. */
#define SEE(condition)                                                                                                 \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n%s", __FILE__, __LINE__, #condition, tg_test_log());                           \
            return 100;                                                                                                \
        }                                                                                                              \
    } while (0)

static int serve_and_drain(void)
{
    static const char request[] = "POST /encrypt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                  "Content-Type: application/json\r\nX-Schema-Name: a\r\nContent-Length: 21\r\n\r\n"
                                  "{\"ssn\":\"123-45-6789\"}";
    set("ADMIN_ADDRESS", "unix:%s/admin");
    start_service();
    SEE(tg_test_log_says("\"event\":\"ready\",\"schemas\":1,\"dek_ready\":true"));
    SEE(tg_test_log_says("\"event\":\"encrypt_is_open\""));
    SEE(tg_test_log_says("\"event\":\"decrypt_is_closed\""));
    const char *answer = test_tls_ask(tg_test_path("s"), request);
    SEE(strstr(answer, "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}") != NULL);
    answer = test_plain_ask(tg_test_path("admin"), TEST_GET("/metrics"));
    SEE(strstr(answer, "\nteegate_http_requests_total{route=\"/encrypt\",status=\"200\"} 1\n") != NULL);
    test_tls_client idle = test_tls_connect(tg_test_path("s"));
    SEE(kill(getpid(), SIGTERM) == 0);
    SEE(strcmp(test_tls_receive(&idle), "") == 0);
    test_tls_close(&idle);
    SEE(end_of_service() == TG_EXIT_IN_ORDER);
    SEE(tg_test_log_says("\"event\":\"draining\",\"signal\":15"));
    SEE(tg_test_log_says("\"event\":\"ended\",\"undrained_workers\":0"));
    return 0;
}

static void run_serves_until_term_and_drains(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(serve_and_drain), 0);
}

static int reload(void)
{
    start_service();
    SEE(tg_test_log_says("\"event\":\"ready\""));
    tg_test_log_forget();
    tg_test_write_file("schemas/b.yaml", tg_slice_str(TEST_SCHEMA));
    SEE(kill(getpid(), SIGHUP) == 0);
    SEE(tg_test_log_says("\"event\":\"reload\""));
    SEE(tg_test_log_says("\"event\":\"schemas_loaded\",\"schemas\":2"));
    SEE(kill(getpid(), SIGINT) == 0);
    return end_of_service();
}

static void run_hup_reads_schemas_again(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(reload), TG_EXIT_IN_ORDER);
}

static int reload_broken_certificate(void)
{
    write_identity();
    set("TLS_CERT_PATH", "%s/tee.pem");
    set("TLS_KEY_PATH", "%s/tee.pem");
    start_service();
    SEE(tg_test_log_says("\"event\":\"ready\""));
    tg_test_write_file("tee.pem", TG_LIT("broken"));
    SEE(kill(getpid(), SIGHUP) == 0);
    SEE(tg_test_log_says("\"event\":\"certificate_kept\""));
    SEE(test_is_status(test_tls_ask(tg_test_path("s"), TEST_GET("/live")), "200"));
    SEE(kill(getpid(), SIGTERM) == 0);
    return end_of_service();
}

static void run_hup_keeps_the_certificate_where_the_new_one_is_broken(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(reload_broken_certificate), TG_EXIT_IN_ORDER);
}

/* A client that holds a request open past DRAIN_TIMEOUT_SECS, and one that is asked to end twice. */
static int drain_too_long(void)
{
    set("DRAIN_TIMEOUT_SECS", "0");
    start_service();
    SEE(tg_test_log_says("\"event\":\"ready\""));
    test_tls_client slow = test_tls_connect(tg_test_path("s"));
    test_tls_send(&slow, "GET /live HTTP/1.1\r\n");
    usleep(50000);
    SEE(kill(getpid(), SIGTERM) == 0);
    SEE(end_of_service() == TG_EXIT_IN_ORDER);
    SEE(tg_test_log_says("\"event\":\"drain_incomplete\",\"workers\":1"));
    test_tls_close(&slow);
    return 0;
}

static void run_drain_past_its_time_ends_anyway(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(drain_too_long), 0);
}

static int ask_twice(void)
{
    start_service();
    SEE(tg_test_log_says("\"event\":\"ready\""));
    test_tls_client slow = test_tls_connect(tg_test_path("s"));
    test_tls_send(&slow, "GET /live HTTP/1.1\r\n");
    usleep(50000);
    SEE(kill(getpid(), SIGTERM) == 0);
    SEE(tg_test_log_says("\"event\":\"draining\""));
    SEE(kill(getpid(), SIGTERM) == 0);
    SEE(end_of_service() == TG_EXIT_IN_ORDER);
    SEE(tg_test_log_says("\"event\":\"ended\""));
    SEE(strstr(tg_test_log(), "\"undrained_workers\":0") == NULL);
    test_tls_close(&slow);
    return 0;
}

static void run_asked_twice_ends_at_once(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(ask_twice), 0);
}

static int start_with_faults(void)
{
    set("TLS_CERT_PATH", "%s/absent.pem");
    set("TLS_KEY_PATH", "%s/absent.key");
    set("ADMIN_ADDRESS", "unix:/nonexistent/admin");
    tg_test_write_file("dek", TG_LIT("short"));
    start_service();
    SEE(end_of_service() == TG_EXIT_CONFIGURATION);
    SEE(tg_test_log_says("absent.pem"));
    SEE(tg_test_log_says("/dek"));
    SEE(tg_test_log_says("\"event\":\"cannot_start\""));
    return 0;
}

static void run_faults_of_files_are_reported_together(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(start_with_faults), 0);
}

static int check(void)
{
    tg_faults faults;
    tg_faults_init(&faults);
    test_settings(&settings, environment);
    tg_result result = tg_enclave_check(&settings, &faults);
    int num_faults = tg_is_ok(result) ? (int)faults.num_faults : 99;
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
    return num_faults;
}

static void check_counts_every_fault(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check), 0);
    assert_int_not_equal(access(tg_test_path("s"), F_OK), 0); /* the address was tried and given back */
    unlink(tg_test_path("schemas/a.yaml"));
    assert_int_equal(tg_status_in_child(check), 1);
    tg_test_write_file("schemas/b.yaml", TG_LIT("openapi: 3.1.0\ncomponents: {schemas: {A: {x-pii: 1}}}\n"));
    tg_test_write_file("dek", TG_LIT("short"));
    tg_test_write_file("s", TG_LIT("a file where the socket should be"));
    assert_int_equal(tg_status_in_child(check), 3);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(run_serves_until_term_and_drains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_hup_reads_schemas_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_hup_keeps_the_certificate_where_the_new_one_is_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_drain_past_its_time_ends_anyway, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_asked_twice_ends_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_faults_of_files_are_reported_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_counts_every_fault, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
