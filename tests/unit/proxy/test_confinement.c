#include "proxy/confinement.h"

#include "support/case.h"
#include "support/child.h"
#include "support/folder.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* In children: there is no way back. Each check returns 0, or the number of the step that went wrong. */
enum { NOT_HERE = 77 };

static char json[1024], config_path[128], home[128];

static int set_up(void **state)
{
    static const char *const folders[] = {"etc", "lists", "run", "home", "home/.aws", "aws", "else"};
    if (tg_test_folder_set_up(state) != 0) {
        return -1;
    }
    for (size_t i = 0; i < TG_COUNT(folders); i++) {
        mkdir(tg_test_path(folders[i]), 0755);
    }
    tg_test_write_file("lists/allow.yaml", TG_LIT("allowlist:\n- {address: 192.0.2.1, port: 443}\n"));
    tg_test_write_file("home/.aws/credentials", TG_LIT("[default]\n"));
    tg_test_write_file("home/secret", TG_LIT("an operator's"));
    tg_test_write_file("aws/token", TG_LIT("token"));
    tg_test_write_file("else/file", TG_LIT("not ours"));
    snprintf(json, sizeof json,
             "{\"egress\": {\"allowlist\": \"%s\"}, \"forwards\": [{\"listen\": \"unix:%s\", \"connect\": \"unix:/k\"},"
             "{\"listen\": \"unix:%s\", \"connect\": \"unix:/k\"}, {\"listen\": \"unix:@abstract-%d\", \"connect\": "
             "\"unix:/k\"}]}",
             tg_test_path("lists/allow.yaml"), tg_test_path("run/one"), tg_test_path("run/two"), (int)getpid());
    tg_test_write_file("etc/proxy.json", tg_slice_str(json));
    snprintf(config_path, sizeof config_path, "%s", tg_test_path("etc/proxy.json"));
    snprintf(home, sizeof home, "HOME=%s", tg_test_path("home"));
    tg_log_set_level(TG_LOG_OFF);
    return 0;
}

static bool may_read(const char *name)
{
    int fd = open(tg_test_path(name), O_RDONLY | O_CLOEXEC);
    return fd >= 0 && close(fd) == 0;
}

static bool may_bind(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", tg_test_path(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    close(fd);
    return is_bound && unlink(address.sun_path) == 0;
}

static int confine(tg_sandbox_report *report)
{
    char token[160];
    tg_detail detail;
    tg_faults faults;
    tg_proxy_config *config = NULL;
    tg_proxy_gates gates;
    tg_proxy_activated none = {.num_sockets = 0};
    snprintf(token, sizeof token, "AWS_WEB_IDENTITY_TOKEN_FILE=%s", tg_test_path("aws/token"));
    const char *const environment[] = {home, token, NULL};
    tg_faults_init(&faults);
    if (!tg_is_ok(tg_proxy_config_read(config_path, environment, &faults, &config))) {
        return 1;
    }
    const tg_proxy_gates_wanted wanted = {.config = config, .activated = &none};
    if (!tg_is_ok(tg_proxy_gates_open(&wanted, NULL, &faults, &gates))) {
        return 2;
    }
    const tg_proxy_confinement confinement = {
        .config_path = config_path, .config = config, .gates = &gates, .environment = environment};
    if (!tg_is_ok(tg_proxy_confine(&confinement, report, &detail))) {
        return 3;
    }
    tg_proxy_gates_done(&gates);
    tg_proxy_config_unref(config);
    tg_faults_done(&faults);
    return report->unreadable == NULL && report->has_no_capabilities ? 0 : 4;
}

static int check_what_is_left(void)
{
    tg_sandbox_report report;
    int status = confine(&report);
    if (status != 0) {
        return status;
    }
    if (!may_read("etc/proxy.json") || !may_read("lists/allow.yaml")) {
        return 10;
    }
    if (!may_read("home/.aws/credentials") || !may_read("aws/token")) {
        return 11;
    }
    return may_bind("run/three") ? 0 : 12;
}

static int check_what_is_gone(void)
{
    tg_sandbox_report report;
    int status = confine(&report);
    if (status != 0) {
        return status;
    }
    if (report.landlock_abi == 0) {
        return NOT_HERE;
    }
    if (may_read("else/file") || errno != EACCES) {
        return 10;
    }
    if (may_read("home/secret") || errno != EACCES) { /* beside .aws, which is ours */
        return 12;
    }
    return !may_bind("else/socket") && access(tg_test_path("run/one"), F_OK) != 0 ? 0 : 11;
}

static void confine_leaves_what_a_reload_and_aws_read(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_what_is_left), 0);
}

static void confine_takes_everything_else(void **state)
{
    (void)state;
    int status = TG_TEST_IS_SANITIZED ? NOT_HERE : tg_status_in_child(check_what_is_gone);
    if (status == NOT_HERE) {
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(confine_leaves_what_a_reload_and_aws_read, set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(confine_takes_everything_else, set_up, tg_test_folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
