#include "enclave/prefaces.h"

#include "hello/proxy_header.h"
#include "hello/return_port.h"
#include "io/peer.h"
#include "io/socket.h"
#include "support/case.h"
#include "sys/clock.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MAX_READY = 4 };

static struct {
    tg_loop *loop;
    tg_prefaces *prefaces;
    tg_stream *ready[MAX_READY];
    size_t num_ready;
    size_t num_refused;
    const char *reason;
} at;

static void on_ready(tg_stream *stream, void *owner)
{
    (void)owner;
    at.ready[at.num_ready++] = stream;
}

static void on_refused(const tg_stream *stream, const char *reason, void *owner)
{
    (void)owner;
    assert_non_null(tg_stream_peer(stream));
    at.num_refused++;
    at.reason = reason;
}

static const tg_prefaces_calls calls = {.ready = on_ready, .refused = on_refused};

static void set_up(uint64_t timeout_ms, size_t max)
{
    memset(&at, 0, sizeof at);
    assert_ok(tg_loop_new(&at.loop));
    const tg_prefaces_options options = {.timeout_ms = timeout_ms, .max = max};
    assert_ok(tg_prefaces_new(at.loop, &options, &calls, NULL, &at.prefaces));
}

static void tear_down(void)
{
    tg_prefaces_free(at.prefaces);
    for (size_t i = 0; i < at.num_ready; i++) {
        tg_stream_close(at.ready[i]);
    }
    tg_loop_free(at.loop);
}

/* The client's end of a connection that the reader has taken. */
static int connect_one(void)
{
    static const tg_peer peer = {.kind = TG_ADDRESS_VSOCK, .has_cid = true, .cid = 16};
    int ends[2];
    tg_stream *stream;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(tg_socket_open(at.loop, ends[0], &peer, &stream));
    tg_prefaces_take(at.prefaces, stream);
    return ends[1];
}

static void say(int fd, tg_slice bytes)
{
    if (bytes.len > 0) {
        assert_int_equal(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
    }
}

static void settle(size_t num_outcomes)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + 20000;
    while (at.num_ready + at.num_refused < num_outcomes) {
        assert_true(tg_clock_monotonic_ms() < until_ms);
        tg_loop_turn(at.loop);
    }
}

static const tg_return_port told = {.port = 70000, .token = "sixteen bytes :)"};

/* As a sidecar sends it. */
static void compose(tg_buf *out)
{
    tg_buf tlvs;
    tg_buf_init(&tlvs, 256);
    tg_buf_init(out, 4096);
    assert_ok(tg_return_port_append(&tlvs, &told));
    const tg_proxy_header header = {.family = TG_PROXY_UNSPEC, .tlvs = tg_buf_slice(&tlvs)};
    assert_ok(tg_proxy_header_append(out, &header, true));
    tg_buf_done(&tlvs);
}

static void check_ready(tg_slice behind)
{
    uint8_t bytes[16];
    size_t len;
    assert_int_equal(at.num_ready, 1);
    const tg_peer *peer = tg_stream_peer(at.ready[0]);
    assert_int_equal(peer->return_port, told.port);
    assert_memory_equal(peer->return_token, told.token, sizeof told.token);
    assert_int_equal(peer->cid, 16); /* the kernel's word stays */
    tg_result result = tg_stream_read(at.ready[0], bytes, sizeof bytes, &len);
    if (behind.len == 0) {
        assert_code(result, TG_ERR_AGAIN);
    } else {
        assert_ok(result);
        tg_assert_slice(tg_slice_of(bytes, len), behind, __FILE__, __LINE__);
    }
}

static void take_at_every_split_point_reads_the_header_and_nothing_behind(void **state)
{
    tg_buf header;
    (void)state;
    compose(&header);
    tg_slice bytes = tg_buf_slice(&header);
    for (size_t at_byte = 0; at_byte <= bytes.len; at_byte++) {
        set_up(10000, 8);
        int fd = connect_one();
        say(fd, tg_slice_first(bytes, at_byte));
        for (unsigned i = 0; i < 3; i++) {
            tg_loop_turn(at.loop);
        }
        say(fd, tg_slice_from(bytes, at_byte));
        say(fd, TG_LIT("\x16\x03\x01"));
        settle(1);
        check_ready(TG_LIT("\x16\x03\x01"));
        close(fd);
        tear_down();
    }
    tg_buf_done(&header);
}

static void take_a_byte_at_a_time_reads_it(void **state)
{
    tg_buf header;
    (void)state;
    compose(&header);
    set_up(10000, 8);
    int fd = connect_one();
    for (size_t i = 0; i < tg_buf_len(&header); i++) {
        assert_int_equal(at.num_ready, 0);
        say(fd, tg_slice_of(tg_buf_slice(&header).ptr + i, 1));
        tg_loop_turn(at.loop);
        tg_loop_turn(at.loop);
    }
    settle(1);
    check_ready((tg_slice){NULL, 0});
    close(fd);
    tear_down();
    tg_buf_done(&header);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void take_header_without_a_return_port_is_fine(void **state)
{
    (void)state;
    set_up(10000, 8);
    int fd = connect_one();
    say(fd, TG_LIT(SIGNATURE "\x20\x00\x00\x00"));
    settle(1);
    assert_int_equal(at.num_ready, 1);
    assert_int_equal(tg_stream_peer(at.ready[0])->return_port, 0);
    close(fd);
    tear_down();
}

static void take_what_is_no_header_is_refused_with_the_reason(void **state)
{
    static const struct {
        tg_slice bytes;
        const char *reason;
    } cases[] = {
        {{(const uint8_t *)"", 0}, "it ended within the PROXY header"},
        {{(const uint8_t *)"\r\n\r\n", 4}, "it ended within the PROXY header"},
        {{(const uint8_t *)"\x16\x03\x01", 3}, "no PROXY header of version 2"},
        {{(const uint8_t *)"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 36}, "no PROXY header of version 2"},
        {{(const uint8_t *)SIGNATURE "\x31\x00\x00\x00", 16}, "a PROXY header of another version or kind"},
        {{(const uint8_t *)SIGNATURE "\x21\x00\xff\xff", 16}, "a PROXY header that is too long"},
        {{(const uint8_t *)SIGNATURE "\x21\x00\x00\x04\xe7\x00\x01\x01", 20},
         "a PROXY header whose return port cannot be read"},
        {{(const uint8_t *)SIGNATURE "\x21\x00\x00\x07\x03\x00\x04\x00\x00\x00\x00", 23},
         "a PROXY header whose checksum is wrong"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char byte;
        set_up(10000, 8);
        int fd = connect_one();
        say(fd, cases[i].bytes);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        settle(1);
        assert_int_equal(at.num_ready, 0);
        assert_string_equal(at.reason, cases[i].reason);
        assert_true(recv(fd, &byte, 1, 0) <= 0); /* closed */
        close(fd);
        tear_down();
    }
}

static void take_half_a_header_is_given_up_after_the_time(void **state)
{
    (void)state;
    set_up(20, 8);
    int fd = connect_one();
    say(fd, TG_LIT("\r\n\r\n"));
    settle(1);
    assert_string_equal(at.reason, "no whole PROXY header came in time");
    close(fd);
    tear_down();
}

static void take_past_the_maximum_is_refused_and_free_closes_the_rest(void **state)
{
    char byte;
    (void)state;
    set_up(10000, 1);
    int first = connect_one(), second = connect_one();
    assert_int_equal(at.num_refused, 1);
    assert_string_equal(at.reason, "too many wait for their PROXY header");
    tear_down();
    assert_int_equal(recv(first, &byte, 1, 0), 0);
    close(first);
    close(second);
    tg_prefaces_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_at_every_split_point_reads_the_header_and_nothing_behind),
        cmocka_unit_test(take_a_byte_at_a_time_reads_it),
        cmocka_unit_test(take_header_without_a_return_port_is_fine),
        cmocka_unit_test(take_what_is_no_header_is_refused_with_the_reason),
        cmocka_unit_test(take_half_a_header_is_given_up_after_the_time),
        cmocka_unit_test(take_past_the_maximum_is_refused_and_free_closes_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
