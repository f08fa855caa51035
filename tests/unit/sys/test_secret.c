#include "support/case.h"
#include "support/child.h"

#include "sys/secret.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void new_length_at_bounds_and_over_is_checked(void **state)
{
    (void)state;
    tg_secret *secret = NULL;
    assert_code(tg_secret_new(0, &secret), TG_ERR_RANGE);
    assert_code(tg_secret_new(TG_MAX_SECRET_BYTES + 1, &secret), TG_ERR_RANGE);
    assert_null(secret);
    const size_t lens[] = {1, 16, 32, 4095, 4096, 4097, TG_MAX_SECRET_BYTES};
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        assert_ok(tg_secret_new(lens[i], &secret));
        assert_int_equal(tg_secret_len(secret), lens[i]);
        assert_int_equal((uintptr_t)tg_secret_bytes(secret) % 16, 0);
        for (size_t at = 0; at < lens[i]; at++) {
            assert_int_equal(tg_secret_bytes(secret)[at], 0);
        }
        memset(tg_secret_fill(secret), 0xa5, lens[i]);
        tg_secret_free(secret);
    }
    tg_secret_free(NULL);
}

static void copy_bytes_are_equal_in_constant_time(void **state)
{
    (void)state;
    tg_secret *a, *b, *other, *longer;
    assert_ok(tg_secret_copy(TG_LIT("a\0key"), &a));
    assert_ok(tg_secret_copy(TG_LIT("a\0key"), &b));
    assert_ok(tg_secret_copy(TG_LIT("a\0kez"), &other));
    assert_ok(tg_secret_copy(TG_LIT("a\0key\0"), &longer));
    assert_true(tg_secret_equal(a, b));
    assert_false(tg_secret_equal(a, other));
    assert_false(tg_secret_equal(a, longer));
    assert_true(tg_bytes_equal_constant_time(tg_slice_of(NULL, 0), TG_LIT("")));
    tg_secret_free(a);
    tg_secret_free(b);
    tg_secret_free(other);
    tg_secret_free(longer);
    assert_code(tg_secret_copy(TG_LIT(""), &a), TG_ERR_RANGE);
}

static void random_two_keys_differ(void **state)
{
    (void)state;
    tg_secret *a, *b;
    assert_ok(tg_secret_random(32, &a));
    assert_ok(tg_secret_random(32, &b));
    assert_false(tg_secret_equal(a, b));
    tg_secret_free(a);
    tg_secret_free(b);
    assert_code(tg_secret_random(0, &a), TG_ERR_RANGE);
}

/* Copies the VmFlags line of the mapping that holds `at` from /proc/self/smaps. */
static bool find_flags(const void *at, char *out, size_t cap)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_inside = false, is_found = false;
    while (maps != NULL && !is_found && fgets(line, sizeof line, maps) != NULL) {
        char *end = NULL;
        unsigned long first = strtoul(line, &end, 16);
        if (end != NULL && *end == '-') {
            is_inside = (uintptr_t)at >= first && (uintptr_t)at < strtoul(end + 1, NULL, 16);
        } else if (is_inside && strncmp(line, "VmFlags:", 8) == 0) {
            snprintf(out, cap, "%s", line);
            is_found = true;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return is_found;
}

static void new_mapping_is_locked_and_undumpable(void **state)
{
    (void)state;
    tg_secret *secret;
    char flags[512] = "";
    assert_ok(tg_secret_new(32, &secret));
    assert_true(find_flags(tg_secret_bytes(secret), flags, sizeof flags));
    assert_true(TG_TEST_IS_SANITIZED || strstr(flags, " lo") != NULL); /* locked */
    assert_non_null(strstr(flags, " dd"));                             /* left out of dumps */
    assert_non_null(strstr(flags, " wf"));                             /* wiped on fork */
    tg_secret_free(secret);
}

enum { STOPPED = 77 };

static void stop(int number)
{
    (void)number;
    _exit(STOPPED);
}

/* Reads one byte `distance` behind the end of a secret of `len` bytes, or in front of its page. */
static int read_outside(size_t len, ptrdiff_t distance)
{
    struct sigaction action = {.sa_handler = stop};
    tg_secret *secret;
    if (sigaction(SIGSEGV, &action, NULL) != 0 || !tg_is_ok(tg_secret_new(len, &secret))) {
        return 1;
    }
    uintptr_t at = (uintptr_t)tg_secret_bytes(secret);
    at = distance >= 0 ? at + len + (uintptr_t)distance : (at & ~(uintptr_t)4095) - 1;
    return *(volatile const uint8_t *)at == 0 ? 2 : 3; /* the guard page stops it */
}

static int read_behind(void)
{
    return read_outside(64, 0);
}

static int read_in_front(void)
{
    return read_outside(64, -1);
}

static void bytes_read_past_either_end_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(read_behind), STOPPED);
    assert_int_equal(tg_status_in_child(read_in_front), STOPPED);
}

static int lock_refused(void)
{
    const struct rlimit none = {0, 0};
    tg_secret *secret = NULL;
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || tg_drop_capabilities() != 0) {
        return 1;
    }
    tg_result result = tg_secret_new(32, &secret);
    return result.code == TG_ERR_SYSTEM && result.os_error != 0 && secret == NULL ? 0 : 2;
}

static void new_without_lockable_memory_is_refused(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    assert_int_equal(tg_status_in_child(lock_refused), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(new_length_at_bounds_and_over_is_checked),
        cmocka_unit_test(copy_bytes_are_equal_in_constant_time),
        cmocka_unit_test(random_two_keys_differ),
        cmocka_unit_test(new_mapping_is_locked_and_undumpable),
        cmocka_unit_test(bytes_read_past_either_end_is_stopped),
        cmocka_unit_test(new_without_lockable_memory_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
