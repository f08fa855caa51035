#include "proxy/activated.h"

#include "support/case.h"
#include "support/folder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

static tg_proxy_activated activated;
static tg_faults faults;

static int set_up(void **state)
{
    activated = (tg_proxy_activated){.num_sockets = 0};
    tg_faults_init(&faults);
    return tg_test_folder_set_up(state);
}

static int tear_down(void **state)
{
    tg_proxy_activated_done(&activated);
    tg_faults_done(&faults);
    return tg_test_folder_tear_down(state);
}

static tg_result adopt(int fd, const char *name)
{
    tg_activation activation = {.num_sockets = 1, .sockets = {{.fd = fd}}};
    snprintf(activation.sockets[0].name, sizeof activation.sockets[0].name, "%s", name);
    return tg_proxy_activated_adopt(&activation, &faults, &activated);
}

/* A listening socket at an IP address, and its port. */
static int listen_at(const char *ip, unsigned *out_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool is_ipv4 = inet_pton(AF_INET, ip, &in.sin_addr) == 1;
    assert_true(is_ipv4 || inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1);
    struct sockaddr *address = is_ipv4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t len = is_ipv4 ? sizeof in : sizeof in6;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, len) != 0) { /* no IPv6 here */
        skip();
    }
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, address, &len), 0);
    *out_port = ntohs(is_ipv4 ? in.sin_port : in6.sin6_port);
    return fd;
}

static bool finds_text(tg_proxy_service service, const char *text)
{
    tg_address asked;
    assert_ok(tg_address_parse(tg_slice_str(text), &asked, NULL));
    return tg_proxy_activated_find(&activated, service, &asked) != NULL;
}

static bool finds(tg_proxy_service service, const char *without_port, unsigned port)
{
    char text[64];
    snprintf(text, sizeof text, "%s:%u", without_port, port);
    return finds_text(service, text);
}

static void find_tcp_socket_by_service_address_and_port(void **state)
{
    (void)state;
    unsigned port;
    assert_ok(adopt(listen_at("127.0.0.1", &port), "https"));
    assert_false(finds(TG_SERVICE_HTTP, "tcp:127.0.0.1", port));
    assert_false(finds(TG_SERVICE_HTTPS, "tcp:127.0.0.2", port));
    assert_false(finds(TG_SERVICE_HTTPS, "tcp:0.0.0.0", port));
    assert_false(finds(TG_SERVICE_HTTPS, "tcp:127.0.0.1", port ^ 1));
    assert_false(finds(TG_SERVICE_HTTPS, "vsock:any", port));
    assert_code(tg_proxy_activated_check(&activated, &faults), TG_ERR_SYNTAX);
    assert_string_equal(faults.faults[0].field, "https");
    assert_true(finds(TG_SERVICE_HTTPS, "tcp:127.0.0.1", port));
    assert_ok(tg_proxy_activated_check(&activated, &faults));
}

static void find_wildcards_of_both_families_are_one(void **state)
{
    (void)state;
    unsigned port;
    assert_ok(adopt(listen_at("::", &port), "http"));
    assert_false(finds(TG_SERVICE_HTTP, "tcp:127.0.0.1", port));
    assert_true(finds(TG_SERVICE_HTTP, "tcp:0.0.0.0", port));
    assert_true(finds(TG_SERVICE_HTTP, "tcp:[::]", port));
}

static void find_unix_socket_stands_for_one_cid(void **state)
{
    (void)state;
    char text[160];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", tg_test_path("in"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_ok(adopt(fd, "internet"));
    snprintf(text, sizeof text, "unix:%s", tg_test_path("other"));
    assert_false(finds_text(TG_SERVICE_INTERNET, text));
    snprintf(text, sizeof text, "hvsock:%s:1", tg_test_path("in"));
    assert_false(finds_text(TG_SERVICE_INTERNET, text));
    snprintf(text, sizeof text, "unix:%s?cid=16", tg_test_path("in"));
    assert_true(finds_text(TG_SERVICE_INTERNET, text));
    assert_int_equal(tg_bound_address(activated.sockets[0].bound)->cid, 16);
    assert_true(finds_text(TG_SERVICE_INTERNET, text));
    snprintf(text, sizeof text, "unix:%s?cid=17", tg_test_path("in"));
    assert_false(finds_text(TG_SERVICE_INTERNET, text));
    snprintf(text, sizeof text, "unix:%s", tg_test_path("in"));
    assert_false(finds_text(TG_SERVICE_INTERNET, text));
}

static void adopt_every_service_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"http", "https", "kms", "internet", "forward", "sidecar", "admin"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        unsigned port;
        assert_ok(adopt(listen_at("127.0.0.1", &port), names[i]));
    }
    assert_int_equal(activated.num_sockets, TG_COUNT(names));
    assert_code(adopt(dup(0), "unknown"), TG_ERR_SYNTAX);
    assert_int_equal(activated.num_sockets, TG_COUNT(names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(find_tcp_socket_by_service_address_and_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_wildcards_of_both_families_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_unix_socket_stands_for_one_cid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopt_every_service_has_its_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
