#include "unit/io/sockets.h"

#include "io/dial.h"
#include "io/hvsock.h"
#include "io/peer.h"
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_FOUND = 20 };

typedef struct fixture {
    tg_loop *loop;
    tg_dial *dial;
    tg_stream *stream;
    tg_dial_outcome outcome;
    unsigned num_done;
    bool is_inside;
    tg_sockaddr seen[MAX_FOUND]; /* by the filter */
    size_t num_seen;
    uint32_t denied; /* IPv4 address that the filter refuses, 0: none, UINT32_MAX: all */
    int servers[8];
    size_t num_servers;
    uint16_t port;
    char path[64];
} fixture;

static fixture f;

/* What the resolver finds: IPv4 addresses, or nothing. */
static struct {
    uint32_t addresses[MAX_FOUND];
    size_t num_addresses;
    int error;
    useconds_t delay_us;
} resolver;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);
void freeaddrinfo(struct addrinfo *info);

/* Both stand before libc's, for libuv too: names that the test makes up. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out)
{
    (void)node;
    (void)service;
    (void)hints;
    usleep(resolver.delay_us);
    *out = NULL;
    for (size_t i = resolver.num_addresses; i > 0; i--) {
        struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in));
        struct sockaddr_in *address = (struct sockaddr_in *)(void *)(info + 1);
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(resolver.addresses[i - 1]);
        info->ai_family = AF_INET;
        info->ai_addrlen = sizeof *address;
        info->ai_addr = (struct sockaddr *)(void *)address;
        info->ai_next = *out;
        *out = info;
    }
    return resolver.error;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

static void resolve_to(uint32_t first, uint32_t second)
{
    resolver.addresses[0] = first;
    resolver.addresses[1] = second;
    resolver.num_addresses = second != 0 ? 2 : 1;
}

static int set_up(void **state)
{
    (void)state;
    f = (fixture){.num_servers = 0};
    memset(&resolver, 0, sizeof resolver);
    snprintf(f.path, sizeof f.path, "/tmp/tg-dial-%d", (int)getpid());
    return tg_is_ok(tg_loop_new(&f.loop)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_dial_cancel(f.dial);
    tg_stream_close(f.stream);
    tg_loop_free(f.loop);
    while (f.num_servers > 0) {
        close(f.servers[--f.num_servers]);
    }
    unlink(f.path);
    return 0;
}

static void on_done(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    assert_ptr_equal(owner, &f);
    assert_false(f.is_inside);
    f.num_done++;
    f.dial = NULL;
    f.stream = stream;
    f.outcome = *outcome;
}

static bool filter(const tg_sockaddr *address, void *owner)
{
    assert_ptr_equal(owner, &f);
    assert_false(f.is_inside);
    f.seen[f.num_seen++] = *address;
    uint32_t ip = address->any.sa_family == AF_INET ? ntohl(address->in.sin_addr.s_addr) : 0;
    return f.denied != UINT32_MAX && (f.denied == 0 || ip != f.denied);
}

static bool is_done(void)
{
    return f.num_done > 0;
}

static tg_result start(const char *text, uint64_t timeout_ms)
{
    tg_address address;
    tg_dial_options options = {.timeout_ms = timeout_ms, .filter = filter};
    assert_ok(tg_address_parse(tg_slice_str(text), &address, NULL));
    f.is_inside = true;
    tg_result result = tg_dial_start(f.loop, &address, &options, on_done, &f, &f.dial);
    f.is_inside = false;
    return result;
}

static void dial(const char *text, uint64_t timeout_ms)
{
    assert_ok(start(text, timeout_ms));
    assert_true(test_run(f.loop, is_done, 8000));
    assert_int_equal(f.num_done, 1);
    assert_true(tg_is_ok(f.outcome.result) == (f.stream != NULL));
}

/* Listens on an address of 127/8, on f.port or one of the kernel's choice. */
static int serve(uint32_t ip, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(f.port)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    f.port = ntohs(address.sin_port);
    f.servers[f.num_servers++] = fd;
    return fd;
}

/* The same, but no connection is ever answered: the queue is full. */
static void serve_silence(uint32_t ip)
{
    serve(ip, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(f.port)};
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fd, (struct sockaddr *)&address, sizeof address);
        f.servers[f.num_servers++] = fd;
    }
    usleep(20000);
}

static int serve_unix(int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, backlog), 0);
    f.servers[f.num_servers++] = fd;
    return fd;
}

static const char *tcp(const char *host)
{
    static char text[TG_MAX_ADDRESS_BYTES];
    snprintf(text, sizeof text, "tcp:%s:%u", host, f.port);
    return text;
}

static void dial_numeric_address_connects(void **state)
{
    (void)state;
    char text[TG_PEER_TEXT_BYTES];
    int value = 0;
    socklen_t len = sizeof value;
    int server = serve(INADDR_LOOPBACK, 8);
    dial(tcp("127.0.0.1"), 5000);
    assert_ok(f.outcome.result);
    assert_int_equal(f.outcome.stage, TG_DIAL_DONE);
    assert_int_equal(f.num_seen, 1);
    assert_string_equal(tg_peer_format(tg_stream_peer(f.stream), text), tcp("127.0.0.1"));
    assert_int_equal(getsockopt(tg_stream_raw_fd(f.stream), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_true(value != 0);
    int accepted = accept(server, NULL, NULL);
    size_t written = 0;
    assert_ok(tg_stream_write(f.stream, TG_LIT("hello"), &written));
    char bytes[8] = {0};
    assert_int_equal(read(accepted, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    close(accepted);
}

static void dial_closed_port_is_refused(void **state)
{
    (void)state;
    close(serve(INADDR_LOOPBACK, 1));
    f.num_servers = 0;
    dial(tcp("127.0.0.1"), 5000);
    assert_code(f.outcome.result, TG_ERR_SYSTEM);
    assert_int_equal(f.outcome.result.os_error, ECONNREFUSED);
    assert_int_equal(f.outcome.stage, TG_DIAL_CONNECT);
    assert_int_equal(f.outcome.num_failed, 1);
    assert_int_equal(ntohs(f.outcome.address.in.sin_port), f.port);
}

static void dial_silent_address_times_out(void **state)
{
    (void)state;
    serve_silence(INADDR_LOOPBACK);
    uint64_t before = tg_clock_monotonic_ms();
    dial(tcp("127.0.0.1"), 200);
    assert_code(f.outcome.result, TG_ERR_TIMEOUT);
    assert_int_equal(f.outcome.stage, TG_DIAL_CONNECT);
    assert_true(tg_clock_monotonic_ms() - before >= 190);
    assert_true(tg_clock_monotonic_ms() - before < 2000);
}

static void dial_name_first_address_dead_takes_the_second(void **state)
{
    (void)state;
    serve(0x7f000003, 8);
    resolve_to(0x7f000002, 0x7f000003);
    uint64_t before = tg_clock_monotonic_ms();
    dial(tcp("two.example"), 5000);
    assert_ok(f.outcome.result);
    assert_int_equal(f.outcome.num_found, 2);
    assert_int_equal(f.outcome.num_failed, 1);
    assert_int_equal(ntohl(f.outcome.address.in.sin_addr.s_addr), 0x7f000003);
    assert_true(tg_clock_monotonic_ms() - before < TG_DIAL_STAGGER_MS); /* a refusal is not waited out */
}

static void dial_name_first_address_silent_gives_a_head_start_only(void **state)
{
    (void)state;
    serve_silence(0x7f000002);
    serve(0x7f000003, 8);
    resolve_to(0x7f000002, 0x7f000003);
    uint64_t before = tg_clock_monotonic_ms();
    dial(tcp("two.example"), 5000);
    uint64_t took = tg_clock_monotonic_ms() - before;
    assert_ok(f.outcome.result);
    assert_int_equal(ntohl(f.outcome.address.in.sin_addr.s_addr), 0x7f000003);
    assert_true(took >= TG_DIAL_STAGGER_MS - 10 && took < 2000);
}

static void dial_name_all_addresses_dead_reports_the_last(void **state)
{
    (void)state;
    close(serve(INADDR_LOOPBACK, 1));
    f.num_servers = 0;
    resolve_to(0x7f000002, 0x7f000003);
    dial(tcp("two.example"), 5000);
    assert_code(f.outcome.result, TG_ERR_SYSTEM);
    assert_int_equal(f.outcome.num_failed, 2);
    assert_int_equal(ntohl(f.outcome.address.in.sin_addr.s_addr), 0x7f000003);
}

static void dial_name_with_many_addresses_tries_sixteen(void **state)
{
    (void)state;
    close(serve(INADDR_LOOPBACK, 1));
    f.num_servers = 0;
    resolver.num_addresses = MAX_FOUND;
    for (size_t i = 0; i < MAX_FOUND; i++) {
        resolver.addresses[i] = 0x7f000002 + (uint32_t)i;
    }
    dial(tcp("many.example"), 5000);
    assert_int_equal(f.outcome.num_found, TG_MAX_DIAL_ADDRESSES);
    assert_int_equal(f.outcome.num_failed, TG_MAX_DIAL_ADDRESSES);
}

static void dial_unknown_name_fails_to_resolve(void **state)
{
    (void)state;
    f.port = 1;
    resolver.error = EAI_NONAME;
    dial(tcp("none.example"), 5000);
    assert_code(f.outcome.result, TG_ERR_NOT_FOUND);
    assert_int_equal(f.outcome.stage, TG_DIAL_RESOLVE);
    assert_true(f.outcome.reason[0] != 0);
    assert_int_equal(f.outcome.address.len, 0);
    f.num_done = 0;
    resolver.error = EAI_AGAIN;
    dial(tcp("none.example"), 5000);
    assert_code(f.outcome.result, TG_ERR_LIBRARY);
    f.num_done = 0;
    resolver.error = EAI_MEMORY;
    dial(tcp("none.example"), 5000);
    assert_code(f.outcome.result, TG_ERR_MEMORY);
    f.num_done = 0;
    resolver.error = 0;
    dial(tcp("none.example"), 5000); /* success without an address */
    assert_code(f.outcome.result, TG_ERR_NOT_FOUND);
    assert_string_equal(f.outcome.reason, "no addresses");
}

static void dial_silent_resolver_times_out(void **state)
{
    (void)state;
    f.port = 1;
    resolve_to(INADDR_LOOPBACK, 0);
    resolver.delay_us = 500000;
    dial(tcp("slow.example"), 100);
    assert_code(f.outcome.result, TG_ERR_TIMEOUT);
    assert_int_equal(f.outcome.stage, TG_DIAL_RESOLVE);
}

static void filter_refused_address_is_not_dialled(void **state)
{
    (void)state;
    int server = serve(INADDR_LOOPBACK, 8);
    f.denied = INADDR_LOOPBACK;
    dial(tcp("127.0.0.1"), 5000);
    assert_code(f.outcome.result, TG_ERR_DENIED);
    assert_int_equal(f.outcome.stage, TG_DIAL_FILTER);
    assert_int_equal(f.outcome.num_denied, 1);
    test_set_nonblocking(server);
    assert_int_equal(accept(server, NULL, NULL), -1);
}

static void filter_sees_each_resolved_address_with_its_port(void **state)
{
    (void)state;
    serve(0x7f000002, 8);
    serve(0x7f000003, 8);
    resolve_to(0x7f000002, 0x7f000003);
    f.denied = 0x7f000002;
    dial(tcp("two.example"), 5000);
    assert_ok(f.outcome.result);
    assert_int_equal(f.num_seen, 2);
    assert_int_equal(ntohl(f.seen[0].in.sin_addr.s_addr), 0x7f000002);
    assert_int_equal(ntohs(f.seen[1].in.sin_port), f.port);
    assert_int_equal(ntohl(f.outcome.address.in.sin_addr.s_addr), 0x7f000003);
    assert_int_equal(f.outcome.num_denied, 1);
}

static void dial_unix_socket_carries_its_label(void **state)
{
    (void)state;
    char text[128];
    serve_unix(8);
    snprintf(text, sizeof text, "unix:%s?cid=16", f.path);
    dial(text, 5000);
    assert_ok(f.outcome.result);
    assert_int_equal(tg_stream_peer(f.stream)->kind, TG_ADDRESS_UNIX);
    assert_true(tg_stream_peer(f.stream)->has_cid);
    assert_int_equal(tg_stream_peer(f.stream)->cid, 16);
}

static void dial_missing_unix_socket_fails(void **state)
{
    (void)state;
    char text[128];
    snprintf(text, sizeof text, "unix:%s", f.path);
    dial(text, 5000);
    assert_int_equal(f.outcome.result.os_error, ENOENT);
}

static void dial_unix_socket_with_a_full_queue_waits(void **state)
{
    (void)state;
    char text[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = serve_unix(0);
    memcpy(address.sun_path, f.path, strlen(f.path) + 1);
    int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(first, (struct sockaddr *)&address, sizeof address), 0);
    f.servers[f.num_servers++] = first;
    snprintf(text, sizeof text, "unix:%s", f.path);
    assert_ok(start(text, 5000));
    assert_false(test_run(f.loop, is_done, 150));
    close(accept(server, NULL, NULL));
    assert_true(test_run(f.loop, is_done, 5000));
    assert_ok(f.outcome.result);
}

static void dial_vsock_that_nobody_serves_fails_in_time(void **state)
{
    (void)state;
    dial("vsock:4000000000:1", 300);
    assert_null(f.stream);
    assert_int_equal(f.outcome.stage, TG_DIAL_CONNECT);
}

static int guest = -1;

static int start_hvsock(uint64_t timeout_ms)
{
    char text[128];
    char request[64] = {0};
    int server = serve_unix(8);
    snprintf(text, sizeof text, "hvsock:%s:52", f.path);
    assert_ok(start(text, timeout_ms));
    assert_false(test_run(f.loop, is_done, 100));
    guest = accept(server, NULL, NULL);
    assert_int_equal(recv(guest, request, sizeof request, MSG_DONTWAIT), 11);
    assert_string_equal(request, "CONNECT 52\n");
    f.servers[f.num_servers++] = guest;
    return guest;
}

static void dial_hvsock_answer_is_taken_byte_for_byte(void **state)
{
    (void)state;
    static const char answer[] = "OK 1073741824\n";
    start_hvsock(8000);
    for (size_t i = 0; i + 1 < sizeof answer - 1; i++) {
        assert_int_equal(write(guest, answer + i, 1), 1);
        assert_false(test_run(f.loop, is_done, 40));
    }
    assert_int_equal(write(guest, "\nguest", 6), 6);
    assert_true(test_run(f.loop, is_done, 5000));
    assert_ok(f.outcome.result);
    uint8_t bytes[16];
    size_t len = 0;
    assert_ok(tg_stream_read(f.stream, bytes, sizeof bytes, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "guest", 5);
    assert_int_equal(tg_stream_peer(f.stream)->kind, TG_ADDRESS_HVSOCK);
    assert_int_equal(tg_stream_peer(f.stream)->port, 52);
}

static void dial_hvsock_another_answer_is_refused(void **state)
{
    (void)state;
    start_hvsock(8000);
    assert_int_equal(write(guest, "NO\n", 3), 3);
    assert_true(test_run(f.loop, is_done, 5000));
    assert_code(f.outcome.result, TG_ERR_SYNTAX);
    assert_int_equal(f.outcome.stage, TG_DIAL_HANDSHAKE);
    assert_true(f.outcome.reason[0] != 0);
}

static void dial_hvsock_end_before_the_answer_is_closed(void **state)
{
    (void)state;
    start_hvsock(8000);
    assert_int_equal(shutdown(guest, SHUT_RDWR), 0);
    assert_true(test_run(f.loop, is_done, 5000));
    assert_code(f.outcome.result, TG_ERR_CLOSED);
    assert_int_equal(f.outcome.stage, TG_DIAL_HANDSHAKE);
}

static void dial_hvsock_silence_times_out(void **state)
{
    (void)state;
    start_hvsock(300);
    assert_true(test_run(f.loop, is_done, 5000));
    assert_code(f.outcome.result, TG_ERR_TIMEOUT);
    assert_int_equal(f.outcome.stage, TG_DIAL_HANDSHAKE);
}

static void cancel_at_every_stage_calls_nobody(void **state)
{
    (void)state;
    f.port = 1;
    assert_ok(start(tcp("127.0.0.1"), 5000));
    tg_dial_cancel(TG_TAKE(f.dial)); /* before its first turn */
    resolve_to(INADDR_LOOPBACK, 0);
    resolver.delay_us = 200000;
    assert_ok(start(tcp("slow.example"), 5000));
    test_run(f.loop, NULL, 40);
    tg_dial_cancel(TG_TAKE(f.dial)); /* while a thread resolves */
    f.port = 0;
    serve_silence(INADDR_LOOPBACK);
    assert_ok(start(tcp("127.0.0.1"), 5000));
    test_run(f.loop, NULL, 40);
    tg_dial_cancel(TG_TAKE(f.dial)); /* while it connects */
    start_hvsock(5000);
    tg_dial_cancel(TG_TAKE(f.dial)); /* in the handshake */
    test_run(f.loop, NULL, 300);
    assert_int_equal(f.num_done, 0);
    tg_dial_cancel(NULL);
}

static void start_what_cannot_be_dialled_is_out_of_range(void **state)
{
    (void)state;
    static const char *const texts[] = {"tcp:127.0.0.1:0", "vsock:any:5", "vsock:3:4294967295", "hvsock:/a:4294967295"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_code(start(texts[i], 100), TG_ERR_RANGE);
    }
    assert_null(f.dial);
}

static void sort_families_take_turns(void **state)
{
    (void)state;
    static const int before[] = {AF_INET6, AF_INET6, AF_INET6, AF_INET, AF_INET};
    static const int after[] = {AF_INET6, AF_INET, AF_INET6, AF_INET, AF_INET6};
    static const socklen_t order[] = {0, 3, 1, 4, 2};
    tg_sockaddr addresses[5] = {0};
    for (size_t i = 0; i < 5; i++) {
        addresses[i].any.sa_family = (sa_family_t)before[i];
        addresses[i].len = (socklen_t)i;
    }
    tg_lookup_sort(addresses, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(addresses[i].any.sa_family, after[i]);
        assert_int_equal(addresses[i].len, order[i]);
    }
    tg_lookup_sort(NULL, 0);
}

static void stage_name_each_is_named(void **state)
{
    (void)state;
    assert_string_equal(tg_dial_stage_name(TG_DIAL_RESOLVE), "resolve");
    assert_string_equal(tg_dial_stage_name(TG_DIAL_DONE), "done");
    assert_string_equal(tg_dial_stage_name((tg_dial_stage)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(dial_numeric_address_connects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_closed_port_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_silent_address_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_name_first_address_dead_takes_the_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_name_first_address_silent_gives_a_head_start_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_name_all_addresses_dead_reports_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_name_with_many_addresses_tries_sixteen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_unknown_name_fails_to_resolve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_silent_resolver_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filter_refused_address_is_not_dialled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filter_sees_each_resolved_address_with_its_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_unix_socket_carries_its_label, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_missing_unix_socket_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_unix_socket_with_a_full_queue_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_vsock_that_nobody_serves_fails_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_hvsock_answer_is_taken_byte_for_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_hvsock_another_answer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_hvsock_end_before_the_answer_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_hvsock_silence_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_at_every_stage_calls_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(start_what_cannot_be_dialled_is_out_of_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sort_families_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stage_name_each_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
