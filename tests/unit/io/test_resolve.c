#include "unit/io/sockets.h"

#include "io/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Lookups are answered when the test says so, but for those of a name that begins with `quick`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t num_released;
static _Atomic size_t num_asked;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);
void freeaddrinfo(struct addrinfo *info);

/* Both stand before libc's, for libuv too. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out)
{
    (void)service;
    (void)hints;
    atomic_fetch_add(&num_asked, 1);
    pthread_mutex_lock(&lock);
    if (strncmp(node, "quick", 5) != 0) {
        while (num_released == 0) {
            pthread_cond_wait(&changed, &lock);
        }
        num_released--;
    }
    pthread_mutex_unlock(&lock);
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(info + 1);
    address->sin_family = AF_INET;
    info->ai_family = AF_INET;
    info->ai_addrlen = sizeof *address;
    info->ai_addr = (struct sockaddr *)(void *)address;
    *out = info;
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

static void release(size_t count)
{
    pthread_mutex_lock(&lock);
    num_released += count;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

typedef struct asked {
    tg_lookup *lookup;
    unsigned order; /* in which it was answered, from 1 */
} asked;

static tg_loop *loop;
static asked all[4];
static unsigned num_answered, num_wanted;

static int set_up(void **state)
{
    (void)state;
    memset(all, 0, sizeof all);
    num_answered = num_wanted = 0;
    num_released = 0;
    atomic_store(&num_asked, 0);
    return tg_is_ok(tg_loop_new(&loop)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_loop_free(loop);
    return 0;
}

static void on_found(tg_result result, const tg_sockaddr *addresses, size_t num_addresses, const char *reason,
                     void *owner)
{
    asked *own = owner;
    assert_ok(result);
    assert_int_equal(num_addresses, 1);
    assert_int_equal(ntohs(addresses[0].in.sin_port), 443);
    assert_string_equal(reason, "");
    own->lookup = NULL;
    own->order = ++num_answered;
}

static void ask(size_t index, const char *name, tg_lookup_lane *lane)
{
    tg_address address = {.kind = TG_ADDRESS_TCP, .port = 443};
    snprintf(address.name, sizeof address.name, "%s", name);
    assert_ok(tg_lookup_start(loop, &address, 4, lane, on_found, &all[index], &all[index].lookup));
}

static bool is_answered(void)
{
    return num_answered >= num_wanted;
}

static void run_until_answered(unsigned count)
{
    num_wanted = count;
    assert_true(test_run(loop, is_answered, 8000));
    assert_int_equal(num_answered, count);
}

static void start_past_the_lane_waits_its_turn(void **state)
{
    (void)state;
    tg_lookup_lane lane;
    tg_lookup_lane_init(&lane, 1);
    for (size_t i = 0; i < 3; i++) {
        ask(i, "slow", &lane);
    }
    assert_int_equal(lane.num_running, 1);
    ask(3, "quick", NULL); /* nobody's */
    run_until_answered(1);
    assert_int_equal(all[3].order, 1);
    assert_true(atomic_load(&num_asked) <= 2);
    release(3);
    run_until_answered(4);
    assert_int_equal(all[0].order, 2);
    assert_int_equal(all[1].order, 3);
    assert_int_equal(all[2].order, 4);
    assert_int_equal(lane.num_running, 0);
}

static void cancel_of_a_waiting_one_frees_its_place(void **state)
{
    (void)state;
    tg_lookup_lane lane;
    tg_lookup_lane_init(&lane, 1);
    for (size_t i = 0; i < 3; i++) {
        ask(i, "slow", &lane);
    }
    tg_lookup_cancel(TG_TAKE(all[1].lookup));
    release(2);
    run_until_answered(2);
    assert_int_equal(all[0].order, 1);
    assert_int_equal(all[1].order, 0);
    assert_int_equal(all[2].order, 2);
    assert_int_equal(atomic_load(&num_asked), 2);
}

static bool is_asked(void)
{
    return atomic_load(&num_asked) >= num_wanted;
}

static void cancel_of_a_running_one_keeps_its_place_until_the_resolver_comes_back(void **state)
{
    (void)state;
    tg_lookup_lane lane;
    tg_lookup_lane_init(&lane, 1);
    ask(0, "slow", &lane);
    num_wanted = 1;
    assert_true(test_run(loop, is_asked, 8000));
    tg_lookup_cancel(TG_TAKE(all[0].lookup));
    ask(1, "quick", &lane);
    ask(2, "quick", NULL);
    run_until_answered(1);
    assert_int_equal(all[2].order, 1);
    assert_int_equal(lane.num_running, 1);
    release(1);
    run_until_answered(2);
    assert_int_equal(all[0].order, 0);
    assert_int_equal(all[1].order, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(start_past_the_lane_waits_its_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_of_a_waiting_one_frees_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_of_a_running_one_keeps_its_place_until_the_resolver_comes_back, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
