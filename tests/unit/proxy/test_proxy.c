#include "proxy/proxy.h"

#include "unit/proxy/served.h"

#include "sys/clock.h"

#include <sys/resource.h>

#define FORWARD(listen, connect) "{\"listen\": \"unix:@/" listen "\", \"connect\": \"unix:@/" connect "\"}"

static int set_up(void **state)
{
    memset(&host, 0, sizeof host);
    host.options.num_workers = 2;
    return tg_test_folder_set_up(state) != 0 ? -1 : tg_test_log_set_up(state);
}

static int tear_down(void **state)
{
    served_stop();
    tg_test_log_tear_down(state);
    return tg_test_folder_tear_down(state);
}

/* What the admin's page says; the text holds until the next call. */
static const char *page(const char *door, const char *request_line)
{
    char request[256];
    int client = served_connect(door);
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", request_line);
    served_say(client, request);
    const char *text = served_rest(client);
    close(client);
    return text;
}

static void assert_page(const char *request_line, const char *part)
{
    const char *text = page("admin", request_line);
    if (strstr(text, part) == NULL) {
        fail_msg("%s\nhas no %s: %s", request_line, part, text);
    }
}

static bool is_served(const char *door)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    served_unix(door, &address);
    bool is_there = connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    close(fd);
    return is_there;
}

static void admin_pages_tell_what_there_is(void **state)
{
    (void)state;
    int enclave = served_listen("k");
    served_start("{\"domains\": {\"k.x\": {\"cid\": 16, \"http\": \"unix:@/k\", \"https\": \"unix:@/k\"},"
                 "\"*.t.x\": {\"cid\": 17, \"http\": \"unix:@/t\", \"https\": \"unix:@/t\"}},"
                 "\"listen\": {\"http\": \"unix:@/http\", \"https\": [], \"kms\": [], \"internet\": []},"
                 "\"admin\": \"unix:@/admin\"}");
    assert_page("GET /health", "200 OK");
    assert_page("GET /health", "\"status\":\"degraded\"");
    assert_page("GET /health", "\"*.t.x\":{\"address\":\"unix:");
    assert_page("GET /health", "\"answers\":false");
    assert_page("GET /live", "200 OK");
    assert_page("GET /ready", "ready\n");
    assert_page("GET /status", "\"domains\":2");
    assert_page("GET /version", "teegate-proxy ");
    assert_page("GET /metrics", "teegate_process_open_descriptors ");
    assert_page("GET /else", "404 ");
    assert_page("POST /live", "405 ");
    close(enclave);
}

static void health_without_any_answer_is_503(void **state)
{
    (void)state;
    served_start("{\"domains\": {\"k.x\": {\"cid\": 16, \"http\": \"unix:@/k\", \"https\": \"unix:@/k\"}},"
                 "\"listen\": {\"http\": \"unix:@/http\", \"https\": [], \"kms\": [], \"internet\": []},"
                 "\"admin\": \"unix:@/admin\"}");
    assert_page("GET /health", "503 ");
    assert_page("GET /health", "\"status\":\"down\"");
}

static void reload_moves_what_changed_and_keeps_what_did_not(void **state)
{
    (void)state;
    int first = served_listen("first"), second = served_listen("second");
    served_start(
        "{\"forwards\": [" FORWARD("stays", "first") "," FORWARD("goes", "first") "], \"admin\": \"unix:@/admin\"}");
    int open_before = served_connect("stays"), inner_before = served_accept(first);
    served_reload("{\"forwards\": [" FORWARD("stays", "second") "," FORWARD("comes", "first") "]}", "reloaded");
    assert_false(is_served("goes"));
    assert_false(is_served("admin"));
    int client = served_connect("stays"), inner = served_accept(second);
    served_say(client, "to the new one");
    assert_hears(inner, "to the new one");
    served_say(open_before, "under the former configuration");
    assert_hears(inner_before, "under the former configuration");
    int comes = served_connect("comes"), inner_comes = served_accept(first);
    const int fds[] = {open_before, inner_before, client, inner, comes, inner_comes, first, second};
    for (size_t i = 0; i < TG_COUNT(fds); i++) {
        close(fds[i]);
    }
}

static void reload_that_is_refused_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"forwards\": []}",
        "not JSON",
        "{\"forwards\": [" FORWARD("new", "k") ",{\"listen\": \"unix:@/no/such/folder\", \"connect\": \"unix:@/k\"}]}",
        "{\"forwards\": [" FORWARD("new", "k") "], \"admin\": \"unix:@/no/such/folder\"}",
    };
    int enclave = served_listen("k");
    served_start("{\"forwards\": [" FORWARD("in", "k") "], \"admin\": \"unix:@/admin\"}");
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        served_reload(bad[i], "reload failed");
        assert_false(is_served("new"));
        int client = served_connect("in"), inner = served_accept(enclave);
        served_say(client, "still");
        assert_hears(inner, "still");
        close(client);
        close(inner);
        assert_page("GET /live", "200 OK");
    }
    close(enclave);
}

/* With no descriptor left the main thread binds what is new, and workers cannot open their listeners. */
static void reload_that_a_worker_cannot_follow_changes_nothing(void **state)
{
    (void)state;
    struct rlimit former, tight;
    int enclave = served_listen("k");
    served_start("{\"forwards\": [" FORWARD("in", "k") "]}");
    served_write("{\"forwards\": [" FORWARD("in", "k") "," FORWARD("new", "k") "]}");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    int next = dup(enclave);
    close(next);
    tight = former;
    bool was_worker = false;
    /* from too few for the file up to enough: somewhere between, a worker is the one that fails */
    for (rlim_t room = 0; room < 16; room++) {
        tight.rlim_cur = (rlim_t)next + room;
        tg_test_log_forget();
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        kill(getpid(), SIGHUP);
        bool is_over = tg_test_log_says("\"event\":\"reload");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
        assert_true(is_over);
        if (strstr(tg_test_log(), "\"event\":\"reloaded\"") != NULL) {
            break;
        }
        assert_true(tg_test_log_says("\"event\":\"reload failed\""));
        was_worker = was_worker || strstr(tg_test_log(), "\"faults\":0") != NULL;
        assert_false(is_served("new"));
        int client = served_connect("in"), inner = served_accept(enclave);
        served_say(client, "still");
        assert_hears(inner, "still");
        close(client);
        close(inner);
    }
    assert_true(was_worker);
    assert_true(is_served("new"));
    close(enclave);
}

static void sidecar_has_nothing_to_reload(void **state)
{
    (void)state;
    served_start("{\"forwards\": [" FORWARD("in", "k") "]}");
    host.options.config_path = NULL;
    served_stop();
    tg_faults faults;
    tg_proxy_config *config = NULL;
    tg_faults_init(&faults);
    assert_ok(tg_proxy_config_empty(&config));
    assert_ok(tg_proxy_new(&host.options, config, &faults, &host.proxy));
    tg_proxy_config_unref(config);
    tg_faults_done(&faults);
    tg_test_log_forget();
    assert_int_equal(pthread_create(&host.thread, NULL, served_run, NULL), 0);
    host.is_running = true;
    assert_true(tg_test_log_says("\"event\":\"started\""));
    kill(getpid(), SIGHUP);
    assert_true(tg_test_log_says("\"event\":\"nothing to reload\""));
}

static void drain_waits_for_what_is_under_way(void **state)
{
    (void)state;
    int enclave = served_listen("k");
    served_start("{\"forwards\": [" FORWARD("in", "k") "]}");
    int client = served_connect("in"), inner = served_accept(enclave);
    served_say(client, "x");
    assert_hears(inner, "x");
    kill(getpid(), SIGTERM);
    assert_true(tg_test_log_says("\"event\":\"draining\""));
    served_say(inner, "still carried");
    assert_hears(client, "still carried");
    close(client);
    close(inner);
    served_join();
    close(enclave);
    assert_null(strstr(tg_test_log(), "drain time is over"));
    assert_false(is_served("in"));
}

static void drain_ends_what_does_not_in_its_time_or_at_the_second_signal(void **state)
{
    (void)state;
    static const char *const drain_times[] = {"50", "600000"};
    int enclave = served_listen("k");
    for (size_t i = 0; i < TG_COUNT(drain_times); i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"forwards\": [" FORWARD("in", "k") "], \"timeouts\": {\"drain_ms\": %s}}",
                 drain_times[i]);
        tg_test_log_forget();
        served_start(json);
        int client = served_connect("in"), inner = served_accept(enclave);
        served_say(client, "x");
        assert_hears(inner, "x");
        kill(getpid(), SIGTERM);
        assert_true(tg_test_log_says("\"event\":\"draining\""));
        kill(getpid(), SIGTERM);
        served_join();
        assert_ends(client);
        close(client);
        close(inner);
        assert_true(tg_test_log_says("\"event\":\"drain time is over\""));
    }
    close(enclave);
}

static void start_at_an_address_in_use_is_a_fault(void **state)
{
    (void)state;
    int taken = served_listen("taken");
    tg_faults faults;
    tg_faults_init(&faults);
    served_write("{\"forwards\": [" FORWARD("free", "k") "," FORWARD("taken", "k") "]}");
    assert_code(served_make(&faults), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
    assert_null(host.proxy);
    assert_false(is_served("free"));
    tg_faults_done(&faults);
    close(taken);
}

static void notify_tells_the_manager_ready_alive_and_stopping(void **state)
{
    (void)state;
    struct sockaddr_un address;
    char variable[160], message[256];
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    served_unix("notify", &address);
    assert_int_equal(bind(manager, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    served_set_patience(manager);
    snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", tg_test_path("notify"));
    const char *const environment[] = {variable, "WATCHDOG_USEC=100000", NULL};
    host.options.environment = environment;
    served_start("{\"forwards\": [" FORWARD("in", "k") "]}");
    static const char *const expected[] = {"READY=1\n", "WATCHDOG=1\n", "WATCHDOG=1\n", "STOPPING=1\n"};
    size_t next = 0;
    while (next < TG_COUNT(expected)) {
        ssize_t len = recv(manager, message, sizeof message - 1, 0);
        assert_true(len > 0);
        message[len] = 0;
        if (strncmp(message, expected[next], strlen(expected[next])) == 0 && ++next == 3) {
            kill(getpid(), SIGTERM);
        }
    }
    served_join();
    close(manager);
}

static void notify_socket_of_another_kind_is_a_fault(void **state)
{
    (void)state;
    tg_faults faults;
    const char *const environment[] = {"NOTIFY_SOCKET=vsock:2:1234", NULL};
    host.options.environment = environment;
    tg_faults_init(&faults);
    served_write("{\"forwards\": [" FORWARD("in", "k") "]}");
    assert_code(served_make(&faults), TG_ERR_UNSUPPORTED);
    assert_string_equal(faults.faults[0].field, "NOTIFY_SOCKET");
    tg_faults_done(&faults);
}

static tg_activation activation_of(int fd, const char *name)
{
    tg_activation activation = {.num_sockets = 1, .sockets = {{.fd = fd}}};
    snprintf(activation.sockets[0].name, sizeof activation.sockets[0].name, "%s", name);
    return activation;
}

static void activated_socket_is_used_kept_by_reloads_and_not_removed(void **state)
{
    (void)state;
    int enclave = served_listen("k");
    tg_activation activation = activation_of(served_listen("in"), "forward");
    host.options.activation = &activation;
    served_start("{\"forwards\": [{\"listen\": \"unix:@/in?cid=16\", \"connect\": \"unix:@/k\", \"cids\": [16]}]}");
    for (int i = 0; i < 2; i++) {
        int client = served_connect("in"), inner = served_accept(enclave);
        served_say(client, "through");
        assert_hears(inner, "through");
        close(client);
        close(inner);
        served_reload("{\"forwards\": [{\"listen\": \"unix:@/in?cid=16\", \"connect\": \"unix:@/k\", \"cids\": [16]}]}",
                      "reloaded");
    }
    served_reload("{\"forwards\": [" FORWARD("in", "k") "]}", "reload failed"); /* another CID than at the start */
    served_stop();
    close(enclave);
    assert_int_equal(access(tg_test_path("in"), F_OK), 0);
}

static void assert_activation_fault(const char *listening, const char *name, const char *reason)
{
    tg_faults faults;
    tg_activation activation = activation_of(served_listen(listening), name);
    host.options.activation = &activation;
    tg_faults_init(&faults);
    served_write("{\"forwards\": [" FORWARD("in", "k") "]}");
    assert_code(served_make(&faults), TG_ERR_SYNTAX);
    assert_non_null(strstr(faults.faults[0].reason, reason));
    assert_int_equal(activation.sockets[0].fd, -1);
    tg_faults_done(&faults);
}

static void activated_socket_that_no_listener_is_for_is_a_fault(void **state)
{
    (void)state;
    assert_activation_fault("one", "forward", "no listener of the configuration does");
    assert_activation_fault("two", "web", "there is no such service");
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    tg_faults faults;
    tg_activation activation = activation_of(pair[0], "forward");
    host.options.activation = &activation;
    tg_faults_init(&faults);
    assert_code(served_make(&faults), TG_ERR_SYNTAX);
    assert_non_null(strstr(faults.faults[0].reason, "not a listening stream socket"));
    tg_faults_done(&faults);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(admin_pages_tell_what_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(health_without_any_answer_is_503, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reload_moves_what_changed_and_keeps_what_did_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reload_that_is_refused_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reload_that_a_worker_cannot_follow_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sidecar_has_nothing_to_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drain_waits_for_what_is_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drain_ends_what_does_not_in_its_time_or_at_the_second_signal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(start_at_an_address_in_use_is_a_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notify_tells_the_manager_ready_alive_and_stopping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notify_socket_of_another_kind_is_a_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(activated_socket_is_used_kept_by_reloads_and_not_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(activated_socket_that_no_listener_is_for_is_a_fault, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
