#include "crypto/openssl_heap.h"

#include "base/buf.h"
#include "support/case.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int late_status = -1;
static int unlocked_code = -1;

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

static int try_without_the_right(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        bool is_set = setrlimit(RLIMIT_MEMLOCK, &none) == 0 && (geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
        _exit(is_set ? (int)tg_openssl_heap_lock(1).code : 100);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int set_up_all(void **state)
{
    (void)state;
    unlocked_code = try_without_the_right();
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

/* The flags that the kernel shows for the memory at an address, as /proc/PID/smaps writes them: " rd wr mr mw me ". */
static bool has_flag(const void *address, const char *flag)
{
    char line[512];
    bool is_there = false, is_found = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin, end;
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) { /* the kernel's own text */
            is_there = (unsigned long)address >= begin && (unsigned long)address < end;
        } else if (is_there && strncmp(line, "VmFlags:", 8) == 0) {
            is_found = strstr(line, flag) != NULL;
        }
    }
    fclose(maps);
    return is_found;
}

static void lock_private_numbers_have_memory_of_their_own(void **state)
{
    (void)state;
    assert_code(tg_openssl_heap_lock((1 << 24) + 1), TG_ERR_RANGE);
    assert_ok(tg_openssl_heap_lock(1000));
    assert_ok(tg_openssl_heap_lock(1000000));
    void *block = OPENSSL_secure_malloc(100);
    assert_non_null(block);
    assert_int_equal(CRYPTO_secure_allocated(block), 1);
    assert_true(has_flag(block, " lo"));
    assert_true(has_flag(block, " dd"));
    OPENSSL_secure_free(block);
    uint8_t byte;
    assert_int_equal(RAND_bytes(&byte, 1), 1); /* this thread's generator of random numbers is there too */
    assert_int_equal(RAND_priv_bytes(&byte, 1), 1);
    size_t before = CRYPTO_secure_used();
    EVP_PKEY *keys[] = {EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_RSA_gen(2048)};
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        assert_non_null(keys[i]);
    }
    assert_true(CRYPTO_secure_used() >= before + 32 + 32 + 5 * 128);
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        EVP_PKEY_free(keys[i]);
    }
    assert_int_equal(CRYPTO_secure_used(), before);
}

/* In a process of its own, which may lock no memory. */
static void lock_without_the_right_to_lock_is_told(void **state)
{
    (void)state;
    assert_int_equal(unlocked_code, TG_ERR_SYSTEM);
}

/* The libraries' calls are bound to it: what they look up is this program's. */
static void cleanse_of_the_libraries_is_ours(void **state)
{
    (void)state;
    Dl_info found, own;
    void *bound = dlsym(RTLD_DEFAULT, "OPENSSL_cleanse");
    uint8_t bytes[40];
    assert_true(dladdr(bound, &found) != 0 && dladdr(&late_status, &own) != 0);
    assert_ptr_equal(found.dli_fbase, own.dli_fbase);
    for (size_t len = 0; len < sizeof bytes; len++) {
        memset(bytes, 0x5a, sizeof bytes);
        OPENSSL_cleanse(bytes, len);
        for (size_t i = 0; i < sizeof bytes; i++) {
            assert_int_equal(bytes[i], i < len ? 0 : 0x5a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleanse_of_the_libraries_is_ours),
        cmocka_unit_test(free_block_is_wiped),
        cmocka_unit_test(realloc_wipes_what_it_moves_from),
        cmocka_unit_test(realloc_keeps_what_it_should),
        cmocka_unit_test(lock_private_numbers_have_memory_of_their_own),
        cmocka_unit_test(lock_without_the_right_to_lock_is_told),
        cmocka_unit_test(wipe_once_openssl_has_allocated_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
