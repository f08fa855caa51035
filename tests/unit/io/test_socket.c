#include "unit/io/sockets.h"

#include "io/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

typedef struct fixture {
    test_transport transport;
    tg_loop *loop;
    tg_stream *stream;
    int far;
    unsigned num_reads;  /* calls with TG_STREAM_READ */
    unsigned num_writes; /* calls with TG_STREAM_WRITE */
    uint8_t got[64];
    size_t got_len;
    size_t read_cap; /* bytes read in each call, 0: none */
    tg_code end;     /* what ended reading */
    bool closes;     /* the owner closes the stream when called */
    bool is_inside;  /* a call on the stream runs */
    bool uses_raw_fd;
} fixture;

static fixture f;
static int send_error; /* what the next send fails with */

/* Stands before libc's: to fail as a full host does. */
ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    if (send_error != 0) {
        errno = send_error;
        send_error = 0;
        return -1;
    }
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    assert_ptr_equal(owner, &f);
    assert_false(f.is_inside);
    f.num_reads += (events & TG_STREAM_READ) != 0;
    f.num_writes += (events & TG_STREAM_WRITE) != 0;
    if (f.closes) {
        tg_stream_close(TG_TAKE(f.stream));
        return;
    }
    if (f.uses_raw_fd) {
        uint8_t byte;
        while (recv(tg_stream_raw_fd(stream), &byte, 1, 0) == 1) {
            f.got[f.got_len++] = byte;
        }
        return;
    }
    if ((events & TG_STREAM_READ) != 0 && f.read_cap > 0) {
        size_t len = 0;
        tg_result result = tg_stream_read(stream, f.got + f.got_len, f.read_cap, &len);
        if (tg_is_ok(result)) {
            f.got_len += len;
        } else if (result.code != TG_ERR_AGAIN) {
            f.end = result.code;
            tg_stream_watch(stream, 0);
        }
    }
}

static int set_up(test_transport transport)
{
    int fds[2];
    tg_peer peer = {.kind = transport == TEST_TCP ? TG_ADDRESS_TCP : TG_ADDRESS_UNIX, .port = 7};
    f = (fixture){.transport = transport, .read_cap = sizeof f.got / 2};
    send_error = 0;
    test_pair(transport, fds);
    f.far = fds[1];
    if (!tg_is_ok(tg_loop_new(&f.loop)) || !tg_is_ok(tg_socket_open(f.loop, fds[0], &peer, &f.stream))) {
        return -1;
    }
    tg_stream_own(f.stream, on_ready, &f);
    return 0;
}

static int set_up_tcp(void **state)
{
    (void)state;
    return set_up(TEST_TCP);
}

static int set_up_unix(void **state)
{
    (void)state;
    return set_up(TEST_UNIX);
}

static int tear_down(void **state)
{
    (void)state;
    tg_stream_close(f.stream);
    tg_loop_free(f.loop);
    close(f.far);
    return 0;
}

static void watch(unsigned events)
{
    f.is_inside = true;
    tg_stream_watch(f.stream, events);
    f.is_inside = false;
}

static bool has_three(void)
{
    return f.got_len >= 3;
}

static bool has_ended(void)
{
    return f.end != TG_OK;
}

static bool was_writable(void)
{
    return f.num_writes > 0;
}

static void read_arriving_bytes_are_reported(void **state)
{
    (void)state;
    watch(TG_STREAM_READ);
    assert_false(test_run(f.loop, has_three, 40));
    assert_int_equal(f.num_reads, 0);
    assert_int_equal(write(f.far, "abc", 3), 3);
    assert_true(test_run(f.loop, has_three, 5000));
    assert_memory_equal(f.got, "abc", 3);
    assert_int_equal(write(f.far, "def", 3), 3);
    f.got_len = 0;
    assert_true(test_run(f.loop, has_three, 5000));
    assert_memory_equal(f.got, "def", 3);
    assert_int_equal(tg_stream_peer(f.stream)->port, 7);
    assert_true(tg_stream_raw_fd(f.stream) >= 0);
    assert_string_equal(tg_stream_fault(f.stream), "");
}

static void read_nothing_there_is_again(void **state)
{
    (void)state;
    size_t len = 77;
    assert_code(tg_stream_read(f.stream, f.got, sizeof f.got, &len), TG_ERR_AGAIN);
    assert_int_equal(len, 77);
}

static void watch_bytes_left_unread_are_reported_again(void **state)
{
    (void)state;
    f.read_cap = 1;
    assert_int_equal(write(f.far, "abc", 3), 3);
    watch(TG_STREAM_READ);
    assert_true(test_run(f.loop, has_three, 5000));
    assert_memory_equal(f.got, "abc", 3);
    assert_true(f.num_reads >= 3);
}

static void watch_after_a_pause_reports_what_came_meanwhile(void **state)
{
    (void)state;
    watch(TG_STREAM_READ);
    test_run(f.loop, NULL, 40);
    watch(0);
    assert_int_equal(write(f.far, "abc", 3), 3);
    test_run(f.loop, NULL, 40);
    assert_int_equal(f.num_reads, 0);
    watch(TG_STREAM_READ);
    assert_int_equal(f.num_reads, 0); /* not from inside the call */
    assert_true(test_run(f.loop, has_three, 5000));
}

static void watch_owner_who_does_not_read_is_called_again(void **state)
{
    (void)state;
    f.read_cap = 0;
    assert_int_equal(write(f.far, "abc", 3), 3);
    watch(TG_STREAM_READ);
    test_run(f.loop, NULL, 100);
    assert_true(f.num_reads > 2);
    watch(0);
    f.num_reads = 0;
    test_run(f.loop, NULL, 40);
    assert_int_equal(f.num_reads, 0);
}

static void watch_owner_of_the_raw_descriptor_is_not_called_in_vain(void **state)
{
    (void)state;
    f.uses_raw_fd = true;
    watch(TG_STREAM_READ);
    assert_int_equal(write(f.far, "abc", 3), 3);
    assert_true(test_run(f.loop, has_three, 5000));
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_reads, 1);
    f.got_len = 0;
    assert_int_equal(write(f.far, "def", 3), 3);
    assert_true(test_run(f.loop, has_three, 5000));
    assert_memory_equal(f.got, "def", 3);
}

static void watch_writing_on_the_raw_descriptor_waits_for_room(void **state)
{
    (void)state;
    static uint8_t block[65536];
    while (syscall(SYS_sendto, tg_stream_raw_fd(f.stream), block, sizeof block, MSG_NOSIGNAL, NULL, 0) > 0) {
    }
    watch(TG_STREAM_WRITE);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_writes, 1); /* once in good faith, then it was checked */
    test_set_nonblocking(f.far);
    f.num_writes = 0;
    for (int i = 0; i < 500 && f.num_writes == 0; i++) {
        while (read(f.far, block, sizeof block) > 0) {
        }
        test_run(f.loop, was_writable, 40);
    }
    assert_true(f.num_writes > 0);
}

static void note_writing_that_would_block_waits_for_room(void **state)
{
    (void)state;
    static uint8_t block[65536];
    while (syscall(SYS_sendto, tg_stream_raw_fd(f.stream), block, sizeof block, MSG_NOSIGNAL, NULL, 0) > 0) {
    }
    tg_stream_note(f.stream, TG_STREAM_WRITE, TG_STREAM_WRITE);
    watch(TG_STREAM_WRITE);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_writes, 0); /* known without being tried */
    test_set_nonblocking(f.far);
    for (int i = 0; i < 500 && f.num_writes == 0; i++) {
        while (read(f.far, block, sizeof block) > 0) {
        }
        test_run(f.loop, was_writable, 40);
    }
    assert_true(f.num_writes > 0);
}

static void note_reading_that_would_block_waits_for_bytes(void **state)
{
    (void)state;
    uint8_t byte;
    assert_int_equal(write(f.far, "a", 1), 1);
    test_run(f.loop, NULL, 60);
    assert_int_equal(recv(tg_stream_raw_fd(f.stream), &byte, 1, 0), 1);
    tg_stream_note(f.stream, TG_STREAM_READ, TG_STREAM_READ);
    watch(TG_STREAM_READ);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_reads, 0);
    assert_int_equal(write(f.far, "bcd", 3), 3);
    assert_true(test_run(f.loop, has_three, 5000));
    assert_memory_equal(f.got, "bcd", 3);
}

static void read_peer_half_close_leaves_writing(void **state)
{
    (void)state;
    size_t len = 0;
    char byte = 0;
    assert_int_equal(write(f.far, "abc", 3), 3);
    assert_int_equal(shutdown(f.far, SHUT_WR), 0);
    watch(TG_STREAM_READ);
    assert_true(test_run(f.loop, has_ended, 5000));
    assert_int_equal(f.end, TG_ERR_EOF);
    assert_int_equal(f.got_len, 3);
    assert_code(tg_stream_read(f.stream, f.got, 1, &len), TG_ERR_EOF);
    assert_ok(tg_stream_write(f.stream, TG_LIT("x"), &len));
    assert_int_equal(read(f.far, &byte, 1), 1);
    assert_int_equal(byte, 'x');
}

static void shutdown_own_half_close_leaves_reading(void **state)
{
    (void)state;
    char byte = 0;
    assert_ok(tg_stream_shutdown(f.stream));
    assert_ok(tg_stream_shutdown(f.stream));
    assert_int_equal(read(f.far, &byte, 1), 0);
    assert_int_equal(write(f.far, "abc", 3), 3);
    watch(TG_STREAM_READ);
    assert_true(test_run(f.loop, has_three, 5000));
}

static void write_full_socket_resumes_when_drained(void **state)
{
    (void)state;
    static uint8_t block[65536];
    uint64_t sent = 0;
    uint64_t received = 0;
    size_t len = 0;
    tg_result result;
    while (tg_is_ok(result = tg_stream_write(f.stream, tg_slice_of(block, sizeof block), &len))) {
        assert_true(len >= 1);
        sent += len;
    }
    assert_code(result, TG_ERR_AGAIN);
    watch(TG_STREAM_WRITE);
    assert_false(test_run(f.loop, was_writable, 40));
    test_set_nonblocking(f.far);
    for (int i = 0; i < 500 && !was_writable(); i++) {
        ssize_t got = 0;
        while ((got = read(f.far, block, sizeof block)) > 0) {
            received += (uint64_t)got;
        }
        test_run(f.loop, was_writable, 40);
    }
    assert_true(was_writable());
    assert_ok(tg_stream_write(f.stream, TG_LIT("x"), &len));
    sent += len;
    assert_ok(tg_stream_shutdown(f.stream));
    assert_int_equal(fcntl(f.far, F_SETFL, 0), 0);
    for (ssize_t got = 0; (got = read(f.far, block, sizeof block)) > 0;) {
        received += (uint64_t)got;
    }
    assert_int_equal(sent, received);
}

static void write_without_memory_is_tried_again_later(void **state)
{
    (void)state;
    size_t len = 0;
    send_error = ENOBUFS;
    assert_code(tg_stream_write(f.stream, TG_LIT("abc"), &len), TG_ERR_AGAIN);
    watch(TG_STREAM_WRITE);
    assert_true(test_run(f.loop, was_writable, 5000));
    watch(0);
    send_error = ENOMEM;
    f.num_writes = 0;
    watch(TG_STREAM_WRITE);
    assert_code(tg_stream_write(f.stream, TG_LIT("abc"), &len), TG_ERR_AGAIN);
    assert_true(test_run(f.loop, was_writable, 5000));
    assert_ok(tg_stream_write(f.stream, TG_LIT("abc"), &len));
    assert_int_equal(len, 3);
}

static void write_to_a_closed_peer_is_closed_without_a_signal(void **state)
{
    (void)state;
    size_t len = 0;
    tg_result result = tg_ok();
    close(f.far);
    for (int i = 0; i < 100 && tg_is_ok(result); i++) {
        result = tg_stream_write(f.stream, TG_LIT("x"), &len);
        usleep(1000);
    }
    assert_code(result, TG_ERR_CLOSED);
    assert_true(result.os_error == EPIPE || result.os_error == ECONNRESET);
    f.far = dup(0);
}

static void read_reset_is_closed_and_never_an_end(void **state)
{
    (void)state;
    size_t len = 0;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    watch(TG_STREAM_READ);
    test_run(f.loop, NULL, 40);
    assert_int_equal(setsockopt(f.far, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(f.far);
    assert_true(test_run(f.loop, has_ended, 5000));
    assert_int_equal(f.end, TG_ERR_CLOSED);
    assert_code(tg_stream_read(f.stream, f.got, 1, &len), TG_ERR_CLOSED);
    f.far = dup(0);
}

static void close_from_the_callback_is_the_last_call(void **state)
{
    (void)state;
    f.closes = true;
    assert_int_equal(write(f.far, "abc", 3), 3);
    watch(TG_STREAM_READ | TG_STREAM_WRITE);
    test_run(f.loop, NULL, 100);
    assert_int_equal(f.num_writes, 1);
    char byte = 0;
    assert_true(read(f.far, &byte, 1) <= 0);
    tg_stream_close(NULL);
}

static void close_with_a_tick_waiting_calls_nobody(void **state)
{
    (void)state;
    watch(TG_STREAM_WRITE);
    tg_stream_close(TG_TAKE(f.stream));
    test_run(f.loop, NULL, 40);
    assert_int_equal(f.num_writes, 0);
}

static void own_nobody_is_told_nothing(void **state)
{
    (void)state;
    tg_stream_own(f.stream, NULL, NULL);
    watch(TG_STREAM_WRITE);
    test_run(f.loop, NULL, 40);
    assert_int_equal(f.num_writes, 0);
}

static void open_bad_descriptor_fails(void **state)
{
    (void)state;
    tg_peer peer = {.kind = TG_ADDRESS_UNIX};
    tg_stream *stream = NULL;
    assert_code(tg_socket_open(f.loop, 9999, &peer, &stream), TG_ERR_SYSTEM);
    assert_null(stream);
}

static void prepare_tcp_sets_nodelay_and_keepalive(void **state)
{
    (void)state;
    int fds[2];
    int value = 0;
    socklen_t len = sizeof value;
    test_pair(TEST_TCP, fds);
    tg_socket_prepare_tcp(fds[0]);
    assert_int_equal(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_true(value != 0);
    assert_int_equal(getsockopt(fds[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_true(value != 0);
    close(fds[0]);
    close(fds[1]);
    test_pair(TEST_UNIX, fds);
    tg_socket_prepare_tcp(fds[0]);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(read_arriving_bytes_are_reported, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(read_arriving_bytes_are_reported, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(read_nothing_there_is_again, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(read_nothing_there_is_again, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(watch_bytes_left_unread_are_reported_again, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(watch_bytes_left_unread_are_reported_again, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(watch_after_a_pause_reports_what_came_meanwhile, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(watch_after_a_pause_reports_what_came_meanwhile, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(watch_owner_who_does_not_read_is_called_again, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(watch_owner_who_does_not_read_is_called_again, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(watch_owner_of_the_raw_descriptor_is_not_called_in_vain, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(watch_owner_of_the_raw_descriptor_is_not_called_in_vain, set_up_unix,
                                        tear_down),
        cmocka_unit_test_setup_teardown(watch_writing_on_the_raw_descriptor_waits_for_room, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(watch_writing_on_the_raw_descriptor_waits_for_room, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(note_writing_that_would_block_waits_for_room, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(note_writing_that_would_block_waits_for_room, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(note_reading_that_would_block_waits_for_bytes, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(note_reading_that_would_block_waits_for_bytes, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(read_peer_half_close_leaves_writing, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(read_peer_half_close_leaves_writing, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(shutdown_own_half_close_leaves_reading, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(shutdown_own_half_close_leaves_reading, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(write_full_socket_resumes_when_drained, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(write_full_socket_resumes_when_drained, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(write_without_memory_is_tried_again_later, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(write_without_memory_is_tried_again_later, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(write_to_a_closed_peer_is_closed_without_a_signal, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(write_to_a_closed_peer_is_closed_without_a_signal, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(read_reset_is_closed_and_never_an_end, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(close_from_the_callback_is_the_last_call, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(close_from_the_callback_is_the_last_call, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(close_with_a_tick_waiting_calls_nobody, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(close_with_a_tick_waiting_calls_nobody, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(own_nobody_is_told_nothing, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(own_nobody_is_told_nothing, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(open_bad_descriptor_fails, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(open_bad_descriptor_fails, set_up_unix, tear_down),
        cmocka_unit_test_setup_teardown(prepare_tcp_sets_nodelay_and_keepalive, set_up_tcp, tear_down),
        cmocka_unit_test_setup_teardown(prepare_tcp_sets_nodelay_and_keepalive, set_up_unix, tear_down),
    };
    signal(SIGPIPE, SIG_DFL);
    return cmocka_run_group_tests(cases, NULL, NULL);
}
