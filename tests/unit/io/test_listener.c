#include "unit/io/sockets.h"

#include "io/bound.h"
#include "io/listener.h"
#include "io/peer.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MAX_CLIENTS = 64 };

typedef struct fixture {
    tg_loop *loop;
    tg_bound *bound;
    tg_listener *listener;
    tg_stream *streams[MAX_CLIENTS];
    size_t num_streams;
    size_t wanted;
    int clients[MAX_CLIENTS];
    size_t num_clients;
    unsigned num_faults;
    uint64_t num_refused;
    tg_result fault;
    unsigned num_finished;
    bool pauses; /* after each connection */
    bool closes;
    char folder[32];
    char path[64];
    tg_detail detail;
} fixture;

static fixture f;

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    assert_ptr_equal(owner, &f);
    assert_ptr_equal(listener, f.listener);
    assert_true(f.num_streams < MAX_CLIENTS);
    f.streams[f.num_streams++] = stream;
    if (f.pauses) {
        tg_listener_pause(listener);
    }
    if (f.closes) {
        tg_listener_close(TG_TAKE(f.listener));
    }
}

static void on_fault(tg_listener *listener, tg_result result, uint64_t num_refused, void *owner)
{
    (void)listener;
    (void)owner;
    f.num_faults++;
    f.num_refused += num_refused;
    f.fault = result;
}

static void on_finished(tg_listener *listener, void *owner)
{
    (void)owner;
    assert_ptr_equal(listener, f.listener);
    f.num_finished++;
    f.listener = NULL;
}

static const tg_listener_calls calls = {on_accepted, on_fault, on_finished};

static int set_up(void **state)
{
    (void)state;
    f = (fixture){.folder = "/tmp/tg-listener-XXXXXX"};
    if (mkdtemp(f.folder) == NULL) {
        return -1;
    }
    snprintf(f.path, sizeof f.path, "%s/s", f.folder);
    return tg_is_ok(tg_loop_new(&f.loop)) ? 0 : -1;
}

static void close_streams(void)
{
    while (f.num_streams > 0) {
        tg_stream_close(f.streams[--f.num_streams]);
    }
    while (f.num_clients > 0) {
        close(f.clients[--f.num_clients]);
    }
}

static int tear_down(void **state)
{
    (void)state;
    close_streams();
    tg_listener_close(f.listener);
    tg_bound_close(f.bound);
    tg_loop_free(f.loop);
    unlink(f.path);
    rmdir(f.folder);
    return 0;
}

static tg_result bind_to(const char *text, const tg_bind_options *options)
{
    tg_address address;
    assert_ok(tg_address_parse(tg_slice_str(text), &address, NULL));
    return tg_bound_open(&address, options, &f.bound, &f.detail);
}

static void listen_on(const char *text)
{
    assert_ok(bind_to(text, NULL));
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, &f, &f.listener));
}

static void connect_to(const tg_address *address)
{
    tg_sockaddr to;
    assert_ok(tg_address_to_sockaddr(address, true, &to));
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to.any, to.len), 0);
    f.clients[f.num_clients++] = fd;
}

static void connect_many(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        connect_to(tg_bound_address(f.bound));
    }
}

static bool has_wanted(void)
{
    return f.num_streams >= f.wanted;
}

static bool run_until_accepted(size_t wanted)
{
    f.wanted = wanted;
    return test_run(f.loop, has_wanted, 5000);
}

static const char *unix_address(const char *format)
{
    static char text[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, f.path);
#pragma GCC diagnostic pop
    return text;
}

static void accept_tcp_connections_are_ready_to_use(void **state)
{
    (void)state;
    int value = 0;
    socklen_t len = sizeof value;
    listen_on("tcp:127.0.0.1:0");
    assert_true(tg_listener_address(f.listener)->port > 0);
    connect_many(40);
    assert_true(run_until_accepted(40));
    int fd = tg_stream_raw_fd(f.streams[0]);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_true(value != 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    char text[TG_PEER_TEXT_BYTES];
    tg_peer_format_host(tg_stream_peer(f.streams[0]), text);
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(tg_stream_peer(f.streams[0])->kind, TG_ADDRESS_TCP);
}

static void accept_ipv6_connections_show_their_address(void **state)
{
    (void)state;
    char text[TG_PEER_TEXT_BYTES];
    if (!tg_is_ok(bind_to("tcp:[::1]:0", NULL))) {
        skip();
    }
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, &f, &f.listener));
    connect_many(1);
    assert_true(run_until_accepted(1));
    tg_peer_format_host(tg_stream_peer(f.streams[0]), text);
    assert_string_equal(text, "::1");
}

static void accept_unix_label_goes_to_the_peer(void **state)
{
    (void)state;
    struct stat file;
    listen_on(unix_address("unix:%s?cid=16"));
    assert_int_equal(stat(f.path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    connect_many(1);
    assert_true(run_until_accepted(1));
    const tg_peer *peer = tg_stream_peer(f.streams[0]);
    assert_int_equal(peer->kind, TG_ADDRESS_UNIX);
    assert_true(peer->has_cid);
    assert_int_equal(peer->cid, 16);
    tg_listener_close(TG_TAKE(f.listener));
    tg_bound_close(TG_TAKE(f.bound));
    assert_int_equal(stat(f.path, &file), -1);
}

static void accept_unix_without_label_has_no_cid(void **state)
{
    (void)state;
    listen_on("unix:@teegate-test-listener");
    connect_many(1);
    assert_true(run_until_accepted(1));
    assert_false(tg_stream_peer(f.streams[0])->has_cid);
}

static void accept_hvsock_listens_on_path_and_port(void **state)
{
    (void)state;
    struct stat file;
    char path[96];
    listen_on(unix_address("hvsock:%s:52"));
    snprintf(path, sizeof path, "%s_52", f.path);
    assert_int_equal(stat(path, &file), 0);
    connect_many(1);
    assert_true(run_until_accepted(1));
    assert_int_equal(tg_stream_peer(f.streams[0])->kind, TG_ADDRESS_HVSOCK);
    assert_int_equal(tg_stream_peer(f.streams[0])->port, 52);
    tg_listener_close(TG_TAKE(f.listener));
    tg_bound_close(TG_TAKE(f.bound));
    assert_int_equal(stat(path, &file), -1);
}

static void bind_vsock_port_of_the_kernels_choice_is_named(void **state)
{
    (void)state;
    tg_result result = bind_to("vsock:any:4294967295", NULL);
    if (!tg_is_ok(result)) {
        assert_code(result, TG_ERR_UNSUPPORTED); /* no vsock on this machine */
        assert_true(f.detail.remedy[0] != 0);
        skip();
    }
    assert_true(tg_bound_address(f.bound)->port != TG_VSOCK_PORT_ANY);
    assert_int_equal(tg_bound_address(f.bound)->cid, VMADDR_CID_ANY);
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, &f, &f.listener));
    assert_false(test_run(f.loop, NULL, 40));
}

static void bind_unix_mode_is_the_files(void **state)
{
    (void)state;
    struct stat file;
    tg_bind_options options = {.unix_mode = 0666};
    mode_t before = umask(0);
    assert_ok(bind_to(unix_address("unix:%s"), &options));
    umask(before);
    assert_int_equal(stat(f.path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0666);
}

static void bind_abandoned_unix_socket_is_replaced(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    listen_on(unix_address("unix:%s"));
    connect_many(1);
    assert_true(run_until_accepted(1));
}

static void bind_unix_socket_in_use_is_refused_and_lives_on(void **state)
{
    (void)state;
    listen_on(unix_address("unix:%s"));
    tg_bound *first = f.bound;
    assert_code(bind_to(unix_address("unix:%s"), NULL), TG_ERR_EXISTS);
    assert_ptr_equal(f.bound, first);
    assert_string_equal(f.detail.field, unix_address("unix:%s"));
    assert_true(f.detail.reason[0] != 0 && f.detail.remedy[0] != 0);
    connect_many(1);
    assert_true(run_until_accepted(1));
}

static void bind_over_a_plain_file_is_refused(void **state)
{
    (void)state;
    int fd = open(f.path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_code(bind_to(unix_address("unix:%s"), NULL), TG_ERR_EXISTS);
    struct stat file;
    assert_int_equal(stat(f.path, &file), 0);
    assert_int_equal(file.st_size, 1);
}

static void close_file_that_another_replaced_is_left(void **state)
{
    (void)state;
    struct stat file;
    assert_ok(bind_to(unix_address("unix:%s"), NULL));
    assert_int_equal(unlink(f.path), 0);
    close(open(f.path, O_CREAT | O_WRONLY, 0600));
    tg_bound_close(TG_TAKE(f.bound));
    assert_int_equal(stat(f.path, &file), 0);
}

static void bind_tcp_in_use_is_refused_with_a_remedy(void **state)
{
    (void)state;
    char text[TG_MAX_ADDRESS_BYTES];
    listen_on("tcp:127.0.0.1:0");
    tg_address_format(tg_bound_address(f.bound), text);
    assert_code(bind_to(text, NULL), TG_ERR_EXISTS);
    assert_true(f.detail.remedy[0] != 0);
}

static void bind_what_cannot_be_bound_is_explained(void **state)
{
    (void)state;
    assert_code(bind_to("tcp:example.org:1", NULL), TG_ERR_UNSUPPORTED);
    assert_true(strstr(f.detail.reason, "name") != NULL);
    assert_code(bind_to("tcp:192.0.2.1:1", NULL), TG_ERR_SYSTEM);
    assert_true(strstr(f.detail.remedy, "machine") != NULL);
    assert_code(bind_to("unix:/nonexistent/folder/s", NULL), TG_ERR_SYSTEM);
    tg_address address = {.kind = TG_ADDRESS_HVSOCK, .port = 1};
    memset(address.name, 'p', TG_MAX_UNIX_PATH_BYTES);
    assert_code(tg_bound_open(&address, NULL, &f.bound, &f.detail), TG_ERR_LIMIT);
    tg_bound_close(NULL);
}

static void pause_connections_wait_until_resume(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.pauses = true;
    connect_many(3);
    assert_true(run_until_accepted(1));
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_streams, 1);
    tg_listener_resume(f.listener);
    assert_true(run_until_accepted(2));
    f.pauses = false;
    tg_listener_resume(f.listener);
    assert_true(run_until_accepted(3));
}

static void close_from_the_callback_accepts_no_more(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.closes = true;
    connect_many(3);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_streams, 1);
    assert_int_equal(f.num_finished, 0);
}

static void finish_takes_what_is_queued_then_ends(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    connect_many(40);
    tg_listener_finish(f.listener);
    assert_int_equal(f.num_streams, 0);
    assert_true(run_until_accepted(40));
    assert_int_equal(f.num_finished, 1);
    assert_null(f.listener);
}

static void finish_closed_by_a_callback_is_not_reported(void **state)
{
    (void)state;
    listen_on("tcp:127.0.0.1:0");
    f.closes = true;
    connect_many(3);
    tg_listener_finish(f.listener);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_finished, 0);
    assert_int_equal(f.num_streams, 1);
}

static void listen_shared_socket_serves_two_loops(void **state)
{
    (void)state;
    tg_loop *other_loop = NULL;
    tg_listener *first = NULL;
    listen_on(unix_address("unix:%s"));
    assert_ok(tg_loop_new(&other_loop));
    first = f.listener;
    assert_ok(tg_listener_open(other_loop, f.bound, &calls, &f, &f.listener));
    connect_many(1);
    test_run(other_loop, NULL, 100);
    assert_int_equal(f.num_streams, 1);
    tg_stream_close(f.streams[--f.num_streams]);
    tg_listener_close(f.listener);
    f.listener = first;
    tg_loop_free(other_loop);
    connect_many(1);
    assert_true(run_until_accepted(1));
}

static void listen_reused_port_has_a_socket_for_each(void **state)
{
    (void)state;
    tg_bind_options options = {.is_port_reused = true};
    int fds[2];
    assert_ok(bind_to("tcp:127.0.0.1:0", &options));
    assert_ok(tg_bound_listen(f.bound, &fds[0]));
    assert_ok(tg_bound_listen(f.bound, &fds[1]));
    connect_many(60);
    unsigned accepted[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        for (int fd = -1; (fd = accept(fds[i], NULL, NULL)) >= 0; close(fd)) {
            accepted[i]++;
        }
    }
    assert_true(accepted[0] > 0 && accepted[1] > 0);
    assert_int_equal(accepted[0] + accepted[1], 60);
    close(fds[0]);
    close(fds[1]);
}

static void bind_reused_port_of_another_listener_refused(void **state)
{
    (void)state;
    tg_bind_options options = {.is_port_reused = true};
    tg_bound *first;
    char text[TG_MAX_ADDRESS_BYTES];
    int fd;
    assert_ok(bind_to("tcp:127.0.0.1:0", &options));
    assert_ok(tg_bound_listen(f.bound, &fd));
    first = TG_TAKE(f.bound);
    assert_code(bind_to(tg_address_format(tg_bound_address(first), text), &options), TG_ERR_EXISTS);
    close(fd);
    tg_bound_close(first);
}

static void adopt_listening_socket_is_named_and_used(void **state)
{
    (void)state;
    struct sockaddr_in address;
    char text[TG_MAX_ADDRESS_BYTES];
    char expected[64];
    int fd = test_tcp_listen(&address);
    assert_ok(tg_bound_adopt(fd, &f.bound, &f.detail));
    snprintf(expected, sizeof expected, "tcp:127.0.0.1:%u", ntohs(address.sin_port));
    assert_string_equal(tg_address_format(tg_bound_address(f.bound), text), expected);
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, &f, &f.listener));
    connect_many(1);
    assert_true(run_until_accepted(1));
}

static void adopt_unix_socket_keeps_its_file_and_takes_a_label(void **state)
{
    (void)state;
    struct stat file;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_ok(tg_bound_adopt(fd, &f.bound, &f.detail));
    assert_string_equal(tg_bound_address(f.bound)->name, f.path);
    assert_false(tg_bound_address(f.bound)->has_cid);
    tg_bound_stand_for(f.bound, 16);
    assert_true(tg_bound_address(f.bound)->has_cid);
    assert_int_equal(tg_bound_address(f.bound)->cid, 16);
    tg_bound_close(TG_TAKE(f.bound));
    assert_int_equal(stat(f.path, &file), 0);
}

static void adopt_abstract_and_vsock_sockets_are_named(void **state)
{
    (void)state;
    assert_ok(bind_to("unix:@teegate-test-adopt", NULL));
    int fd = -1;
    assert_ok(tg_bound_listen(f.bound, &fd));
    tg_bound_close(TG_TAKE(f.bound));
    assert_ok(tg_bound_adopt(fd, &f.bound, &f.detail));
    assert_string_equal(tg_bound_address(f.bound)->name, "@teegate-test-adopt");
    tg_bound_close(TG_TAKE(f.bound));
    if (tg_is_ok(bind_to("vsock:any:4294967295", NULL))) {
        uint32_t port = tg_bound_address(f.bound)->port;
        assert_ok(tg_bound_listen(f.bound, &fd));
        tg_bound_close(TG_TAKE(f.bound));
        assert_ok(tg_bound_adopt(fd, &f.bound, &f.detail));
        assert_int_equal(tg_bound_address(f.bound)->kind, TG_ADDRESS_VSOCK);
        assert_int_equal(tg_bound_address(f.bound)->port, port);
    }
}

static void adopt_what_does_not_listen_is_refused(void **state)
{
    (void)state;
    int fds[2];
    test_pair(TEST_UNIX, fds);
    assert_code(tg_bound_adopt(fds[0], &f.bound, &f.detail), TG_ERR_UNSUPPORTED);
    assert_true(f.detail.remedy[0] != 0);
    close(fds[0]);
    close(fds[1]);
    assert_code(tg_bound_adopt(0, &f.bound, &f.detail), TG_ERR_UNSUPPORTED);
}

static bool has_fault(void)
{
    return f.num_faults > 0;
}

static bool has_refused(void)
{
    return f.num_refused > 0;
}

static void accept_without_descriptors_waits_and_recovers(void **state)
{
    (void)state;
    struct rlimit limit;
    struct rlimit low;
    struct rusage before;
    struct rusage after;
    listen_on("tcp:127.0.0.1:0");
    connect_many(5);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0); /* the lowest free descriptor */
    close(next);
    low = limit;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(test_run(f.loop, has_fault, 5000));
    assert_int_equal(f.fault.os_error, EMFILE);
    assert_int_equal(f.num_streams, 0);
    getrusage(RUSAGE_SELF, &before);
    test_run(f.loop, NULL, 500);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(f.num_faults, 1); /* once a second */
    assert_true((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
                    before.ru_utime.tv_usec <
                200000); /* it does not spin */
    assert_int_equal(f.num_refused, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(run_until_accepted(5)); /* nobody was lost to the short shortage */
}

static void accept_without_descriptors_for_long_refuses(void **state)
{
    (void)state;
    struct rlimit limit;
    struct rlimit low;
    char byte = 0;
    listen_on("tcp:127.0.0.1:0");
    connect_many(3);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0);
    close(next);
    low = limit;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(test_run(f.loop, has_refused, 5000));
    assert_int_equal(f.num_refused, 3);
    assert_int_equal(read(f.clients[0], &byte, 1), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    connect_many(2);
    assert_true(run_until_accepted(2));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(accept_tcp_connections_are_ready_to_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_ipv6_connections_show_their_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_unix_label_goes_to_the_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_unix_without_label_has_no_cid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_hvsock_listens_on_path_and_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_vsock_port_of_the_kernels_choice_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_unix_mode_is_the_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_abandoned_unix_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_unix_socket_in_use_is_refused_and_lives_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_over_a_plain_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_file_that_another_replaced_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_tcp_in_use_is_refused_with_a_remedy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_what_cannot_be_bound_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pause_connections_wait_until_resume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_from_the_callback_accepts_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finish_takes_what_is_queued_then_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finish_closed_by_a_callback_is_not_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(listen_shared_socket_serves_two_loops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(listen_reused_port_has_a_socket_for_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bind_reused_port_of_another_listener_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopt_listening_socket_is_named_and_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopt_unix_socket_keeps_its_file_and_takes_a_label, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopt_abstract_and_vsock_sockets_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adopt_what_does_not_listen_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_without_descriptors_waits_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_without_descriptors_for_long_refuses, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
