#include "crypto/openssl_heap.h"

#include "base/buf.h"
#include "support/case.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int late_status = -1;

/* In a process of its own, since it can be done once. */
static int try_too_late(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        void *block = OPENSSL_malloc(1);
        bool is_wiped = tg_openssl_heap_wipe();
        OPENSSL_free(block);
        _exit(is_wiped ? 1 : 0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int set_up_all(void **state)
{
    (void)state;
    late_status = try_too_late();
    return tg_openssl_heap_wipe() ? 0 : -1; /* before OpenSSL allocates anything */
}

/* The same block again, as malloc gives it to the next who asks for as much. */
static uint8_t *take_again(size_t len, const uint8_t *expected)
{
    for (unsigned i = 0; i < 16; i++) {
        uint8_t *block = malloc(len);
        if (block == expected) {
            return block;
        }
    }
    return NULL;
}

enum { LEN = 600, MALLOCS_OWN = 32 }; /* what free(3) itself writes into the beginning of a block */

static size_t num_left(const uint8_t *block, size_t len)
{
    size_t num = 0;
    for (size_t i = MALLOCS_OWN; i < len; i++) {
        num += block[i] == 0xa5;
    }
    return num;
}

static void free_block_is_wiped(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) { /* keeps freed blocks to itself */
        skip();
    }
    uint8_t *block = OPENSSL_malloc(LEN);
    assert_non_null(block);
    memset(block, 0xa5, LEN);
    const uint8_t *where = block;
    OPENSSL_free(block);
    uint8_t *again = take_again(LEN, where);
    assert_non_null(again);
    assert_int_equal(num_left(again, LEN), 0);
    free(again);
}

static void realloc_wipes_what_it_moves_from(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    uint8_t *block = OPENSSL_malloc(LEN);
    assert_non_null(block);
    memset(block, 0xa5, LEN);
    const uint8_t *where = block;
    uint8_t *moved = OPENSSL_realloc(block, (size_t)16 * LEN);
    assert_non_null(moved);
    assert_ptr_not_equal(moved, where);
    assert_int_equal(num_left(moved, LEN), LEN - MALLOCS_OWN);
    uint8_t *again = take_again(LEN, where);
    assert_non_null(again);
    assert_int_equal(num_left(again, LEN), 0);
    free(again);
    OPENSSL_free(moved);
}

static void realloc_keeps_what_it_should(void **state)
{
    (void)state;
    uint8_t *block = OPENSSL_realloc(NULL, 100);
    assert_non_null(block);
    memset(block, 7, 100);
    block = OPENSSL_realloc(block, 90);
    assert_non_null(block);
    block = OPENSSL_realloc(block, 9000);
    assert_non_null(block);
    block = OPENSSL_realloc(block, 10);
    assert_non_null(block);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(block[i], 7);
    }
    assert_null(OPENSSL_realloc(block, 0));
    assert_null(OPENSSL_malloc(0));
    OPENSSL_free(NULL);
}

static void wipe_once_openssl_has_allocated_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(late_status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_block_is_wiped),
        cmocka_unit_test(realloc_wipes_what_it_moves_from),
        cmocka_unit_test(realloc_keeps_what_it_should),
        cmocka_unit_test(wipe_once_openssl_has_allocated_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
