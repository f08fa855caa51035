#include "proxy/own_addresses.h"

#include "support/case.h"
#include "support/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void has_knows_the_loopback_and_no_stranger(void **state)
{
    (void)state;
    tg_own_addresses *own = NULL;
    assert_ok(tg_own_addresses_new(&own));
    assert_true(tg_own_addresses_has(own, TG_LIT("\x7f\0\0\x01")));
    assert_false(tg_own_addresses_has(own, TG_LIT("\xcb\0\x71\x07")));
    assert_false(tg_own_addresses_has(own, TG_LIT("")));
    tg_own_addresses_free(own);
    tg_own_addresses_free(NULL);
}

/* In a network namespace of its own, gives `lo` another address and looks whether it is seen. 2: not permitted here. */
static int try_change(void)
{
    tg_own_addresses *own = NULL;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return 2;
    }
    if (!tg_is_ok(tg_own_addresses_new(&own)) || tg_own_addresses_has(own, TG_LIT("\xc6\x33\x64\x09"))) {
        return 1;
    }
    struct ifreq request = {.ifr_name = "lo"};
    struct sockaddr_in address = {.sin_family = AF_INET};
    memcpy(&address.sin_addr, "\xc6\x33\x64\x09", 4);
    memcpy(&request.ifr_addr, &address, sizeof address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFADDR, &request) != 0) {
        return 2;
    }
    close(fd);
    bool is_seen = tg_own_addresses_has(own, TG_LIT("\xc6\x33\x64\x09"));
    tg_own_addresses_free(own);
    return is_seen ? 0 : 1;
}

static void has_sees_an_address_that_is_added_later(void **state)
{
    (void)state;
    int status = tg_status_in_child(try_change);
    if (status == 2) {
        skip();
    }
    assert_int_equal(status, 0);
}

/* Without descriptors no socket can be made, and nothing is left behind. */
static int try_without_descriptors(void)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    tg_own_addresses *own = NULL;
    setrlimit(RLIMIT_NOFILE, &none);
    tg_result result = tg_own_addresses_new(&own);
    return result.code == TG_ERR_SYSTEM && result.os_error == EMFILE && own == NULL ? 0 : 1;
}

static void new_without_descriptors_fails(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(try_without_descriptors), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(has_knows_the_loopback_and_no_stranger),
        cmocka_unit_test(has_sees_an_address_that_is_added_later),
        cmocka_unit_test(new_without_descriptors_fails),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
