#include "support/folder.h"

#include "secrets/listener.h"
#include "support/case.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_BYTES = 1000, NUM_SENDERS = TG_MAX_DELIVERERS + 44 };

typedef struct fixture {
    tg_loop *loop;
    tg_bound *bound;
    tg_secrets_listener *listener;
    char path[108];
    unsigned num_taken, num_refused;
    size_t taken_bytes;
    const char *last_code;
    char last_text[MAX_BYTES + 1];
} fixture;

static void on_take(tg_slice text, const tg_peer *peer, tg_buf *answer, void *owner)
{
    fixture *f = owner;
    assert_non_null(peer);
    f->num_taken++;
    f->taken_bytes += text.len;
    memcpy(f->last_text, text.ptr != NULL ? (const char *)text.ptr : "", text.len);
    f->last_text[text.len] = 0;
    assert_ok(tg_buf_append_str(answer, "taken"));
}

static void on_refuse(const char *code, const tg_peer *peer, tg_buf *answer, void *owner)
{
    fixture *f = owner;
    assert_non_null(peer);
    f->num_refused++;
    f->last_code = code;
    assert_ok(tg_buf_append_str(answer, code));
}

static const tg_secrets_listener_calls calls = {.take = on_take, .refuse = on_refuse};

static void set_up_at(fixture *f, const char *text, uint64_t timeout_ms)
{
    tg_address address;
    tg_detail detail = {0};
    assert_ok(tg_address_parse(tg_slice_str(text), &address, &detail));
    assert_ok(tg_loop_new(&f->loop));
    assert_ok(tg_bound_open(&address, NULL, &f->bound, &detail));
    const tg_secrets_listener_options options = {.max_bytes = MAX_BYTES, .timeout_ms = timeout_ms};
    assert_ok(tg_secrets_listener_open(f->loop, f->bound, &options, &calls, f, &f->listener));
}

static void set_up(fixture *f, uint64_t timeout_ms)
{
    char text[128];
    *f = (fixture){0};
    snprintf(f->path, sizeof f->path, "%s/secrets.sock", tg_test_folder());
    snprintf(text, sizeof text, "unix:%s", f->path);
    set_up_at(f, text, timeout_ms);
}

static void tear_down(fixture *f)
{
    tg_secrets_listener_close(f->listener);
    tg_bound_close(f->bound);
    tg_loop_free(f->loop);
}

/* A sender of its own thread: blocking, as socat is. */
typedef struct sender {
    fixture *f;
    size_t len, step;
    bool is_held; /* nothing is ended, the answer is waited for */
    bool is_reset;
    char answer[64];
} sender;

static int connect_to(const fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, f->path, strlen(f->path) + 1);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static void send_text(sender *self)
{
    int fd = connect_to(self->f);
    for (size_t sent = 0; fd >= 0 && sent < self->len; sent += self->step) {
        char piece[4096];
        memset(piece, 'x', sizeof piece);
        if (send(fd, piece, self->step, MSG_NOSIGNAL) < 0) {
            break; /* refused before the end */
        }
    }
    if (!self->is_held && !self->is_reset) {
        (void)shutdown(fd, SHUT_WR);
    }
    size_t len = 0;
    ssize_t got = 1;
    while (!self->is_reset && got > 0 && len < sizeof self->answer - 1) {
        got = read(fd, self->answer + len, sizeof self->answer - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
}

static void *run_sender(void *argument)
{
    sender *self = argument;
    send_text(self);
    tg_loop_stop(self->f->loop);
    return NULL;
}

static void run_one(sender *self)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_sender, self), 0);
    tg_loop_run(self->f->loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void tg_secrets_listener_takes_a_text_however_it_comes(void **state)
{
    static const size_t steps[] = {1, 7, MAX_BYTES};
    fixture f;
    (void)state;
    set_up(&f, 0);
    for (size_t i = 0; i < TG_COUNT(steps); i++) {
        sender one = {.f = &f, .len = steps[i] == MAX_BYTES ? MAX_BYTES : 70, .step = steps[i]};
        run_one(&one);
        assert_string_equal(one.answer, "taken");
        assert_int_equal(strlen(f.last_text), one.len);
    }
    sender empty = {.f = &f, .step = 1};
    run_one(&empty);
    assert_string_equal(empty.answer, "taken");
    assert_string_equal(f.last_text, "");
    assert_int_equal(f.num_taken, 4);
    tear_down(&f);
}

static void tg_secrets_listener_one_byte_too_many_is_refused_and_answered(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, 0);
    sender one = {.f = &f, .len = MAX_BYTES + 1, .step = MAX_BYTES + 1};
    run_one(&one);
    assert_string_equal(one.answer, "too_large");
    sender many = {.f = &f, .len = 40960, .step = 4096};
    run_one(&many);
    assert_int_equal(f.num_taken, 0);
    assert_int_equal(f.num_refused, 2);
    tear_down(&f);
}

static void tg_secrets_listener_half_a_text_then_nothing_times_out(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, 100);
    sender one = {.f = &f, .len = 10, .step = 10, .is_held = true};
    run_one(&one);
    assert_string_equal(one.answer, "timeout");
    assert_int_equal(f.num_taken, 0);
    tear_down(&f);
}

static void *run_many(void *argument)
{
    fixture *f = argument;
    static int fds[NUM_SENDERS];
    for (size_t i = 0; i < NUM_SENDERS; i++) {
        fds[i] = connect_to(f);
    }
    for (size_t i = 0; i < NUM_SENDERS; i++) { /* the last to come ends first */
        int fd = fds[NUM_SENDERS - 1 - i];
        (void)!write(fd, "text", 4);
        (void)shutdown(fd, SHUT_WR);
    }
    for (size_t i = 0; i < NUM_SENDERS; i++) {
        char answer[8];
        while (read(fds[i], answer, sizeof answer) > 0) {
        }
        close(fds[i]);
    }
    tg_loop_stop(f->loop);
    return NULL;
}

static void tg_secrets_listener_more_senders_than_it_holds_are_all_taken(void **state)
{
    pthread_t thread;
    fixture f;
    (void)state;
    set_up(&f, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_many, &f), 0);
    tg_loop_run(f.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f.num_taken, NUM_SENDERS);
    assert_int_equal(f.taken_bytes, 4 * NUM_SENDERS);
    tear_down(&f);
}

static void tg_secrets_listener_close_with_senders_under_way_ends_them(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, 0);
    sender one = {.f = &f, .len = 10, .step = 10, .is_reset = true};
    int fd = connect_to(&f);
    run_one(&one); /* leaves at once: for the listener that is an end of stream */
    assert_int_equal(write(fd, "half", 4), 4);
    tear_down(&f);
    char byte;
    assert_true(read(fd, &byte, 1) <= 0);
    close(fd);
    tg_secrets_listener_close(NULL);
}

static void turn_until(fixture *f, const unsigned *count, unsigned wanted)
{
    for (int i = 0; i < 20000 && *count < wanted; i++) {
        tg_loop_turn(f->loop);
        usleep(*count < wanted ? 500 : 0);
    }
    assert_int_equal(*count, wanted);
}

static void tg_secrets_listener_full_of_silent_senders_takes_the_next_when_one_leaves(void **state)
{
    (void)state;
    fixture f;
    int held[TG_MAX_DELIVERERS];
    set_up(&f, 60000);
    for (size_t i = 0; i < TG_MAX_DELIVERERS; i++) {
        held[i] = connect_to(&f);
        assert_true(held[i] >= 0);
        assert_int_equal(send(held[i], "{", 1, MSG_NOSIGNAL), 1);
        tg_loop_turn(f.loop);
    }
    for (int i = 0; i < 100; i++) {
        tg_loop_turn(f.loop);
    }
    int last = connect_to(&f);
    assert_true(last >= 0);
    assert_int_equal(send(last, "{}", 2, MSG_NOSIGNAL), 2);
    assert_int_equal(shutdown(last, SHUT_WR), 0);
    for (int i = 0; i < 100; i++) {
        tg_loop_turn(f.loop);
    }
    assert_int_equal(f.num_taken, 0);
    assert_int_equal(shutdown(held[0], SHUT_WR), 0);
    turn_until(&f, &f.num_taken, 2);
    assert_string_equal(f.last_text, "{}");
    for (size_t i = 0; i < TG_MAX_DELIVERERS; i++) {
        close(held[i]);
    }
    close(last);
    tear_down(&f);
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void tg_secrets_listener_reset_inside_a_text_is_refused_and_not_answered(void **state)
{
    (void)state;
    fixture f = {0};
    char text[32];
    uint16_t port = free_port();
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", (unsigned)port);
    set_up_at(&f, text, 60000);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, "{", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(fd);
    for (int i = 0; i < 10000 && f.num_refused == 0; i++) {
        tg_loop_turn(f.loop);
        usleep(1000);
    }
    assert_int_equal(f.num_refused, 1);
    assert_int_equal(f.num_taken, 0);
    assert_string_equal(f.last_code, "cut_off");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_secrets_listener_takes_a_text_however_it_comes),
        cmocka_unit_test(tg_secrets_listener_one_byte_too_many_is_refused_and_answered),
        cmocka_unit_test(tg_secrets_listener_half_a_text_then_nothing_times_out),
        cmocka_unit_test(tg_secrets_listener_more_senders_than_it_holds_are_all_taken),
        cmocka_unit_test(tg_secrets_listener_close_with_senders_under_way_ends_them),
        cmocka_unit_test(tg_secrets_listener_reset_inside_a_text_is_refused_and_not_answered),
        cmocka_unit_test(tg_secrets_listener_full_of_silent_senders_takes_the_next_when_one_leaves),
    };
    return cmocka_run_group_tests(tests, tg_test_folder_set_up, tg_test_folder_tear_down);
}
