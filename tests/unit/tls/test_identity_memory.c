/* Where a private key lies once it was read: looked for in all of the process's memory but its stacks. */
#include "tls/identity.h"

#include "crypto/openssl_heap.h"
#include "support/case.h"
#include "unit/tls/issuer.h"

#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_BYTES = 32, MAX_LINE_BYTES = 512 };

static tg_buf chain;
static tg_buf key;
static uint8_t complement[NUMBER_BYTES]; /* of the private number, so that looking for it does not find this */
static tg_tls_identity *identity;

static void note_number(const EVP_PKEY *from)
{
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(from, OSSL_PKEY_PARAM_PRIV_KEY, &number), 1);
    assert_int_equal(BN_bn2binpad(number, complement, NUMBER_BYTES), NUMBER_BYTES);
    BN_clear_free(number);
    for (size_t i = 0; i < NUMBER_BYTES; i++) {
        complement[i] = (uint8_t)~complement[i];
    }
}

static int set_up_all(void **state)
{
    (void)state;
    assert_true(tg_openssl_heap_wipe());
    assert_ok(tg_openssl_heap_lock(1));
    tg_buf_init_wiped(&chain, 1 << 16);
    tg_buf_init_wiped(&key, 1 << 16);
    test_certificate made = test_issue(&(test_request){.subject = "leaf", .san = "DNS:one.test"});
    test_append_certificate(&made, &chain);
    test_append_key(&made, &key);
    note_number(made.key);
    test_certificate_done(&made);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_identity_unref(identity);
    tg_buf_done(&chain);
    tg_buf_done(&key);
    return 0;
}

/* Is it here, as text of a certificate's kind (the highest byte first) or as the machine counts? */
static bool is_number_at(const uint8_t *at)
{
    bool is_big = true, is_little = true;
    for (size_t i = 0; (is_big || is_little) && i < NUMBER_BYTES; i++) {
        uint8_t byte = (uint8_t)~complement[i];
        is_big = is_big && at[i] == byte;
        is_little = is_little && at[NUMBER_BYTES - 1 - i] == byte;
    }
    return is_big || is_little;
}

static size_t count_in(const uint8_t *begin, const uint8_t *end)
{
    size_t num_found = 0;
    for (const uint8_t *at = begin; (size_t)(end - at) >= NUMBER_BYTES; at++) {
        num_found += is_number_at(at);
    }
    return num_found;
}

/* How often it stands in writable memory that is no stack: in OpenSSL's secure heap, and elsewhere. */
static void look_for_number(size_t *out_secure, size_t *out_elsewhere)
{
    char line[MAX_LINE_BYTES];
    *out_secure = 0;
    *out_elsewhere = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin, end;
        char rights[5];
        assert_int_equal(sscanf(line, "%lx-%lx %4s", &begin, &end, rights), 3); /* the kernel's own text */
        if (strncmp(rights, "rw", 2) != 0 || strstr(line, "[stack]") != NULL) {
            continue;
        }
        const uint8_t *first = (const uint8_t *)begin;
        size_t num_found = count_in(first, (const uint8_t *)end);
        *(CRYPTO_secure_allocated(first) == 1 ? out_secure : out_elsewhere) += num_found;
    }
    fclose(maps);
}

static void parse_private_number_lies_in_the_secure_heap_alone(void **state)
{
    (void)state;
    size_t num_secure, num_elsewhere;
    if (TG_TEST_IS_SANITIZED) { /* keeps freed blocks, and its own books are endless */
        skip();
    }
    assert_ok(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), test_now(), &identity, NULL));
    tg_buf_release(&key);
    look_for_number(&num_secure, &num_elsewhere);
    assert_int_equal(num_secure, 1);
    assert_int_equal(num_elsewhere, 0);
    tg_tls_identity_unref(TG_TAKE(identity));
    look_for_number(&num_secure, &num_elsewhere);
    assert_int_equal(num_secure, 0);
    assert_int_equal(num_elsewhere, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_private_number_lies_in_the_secure_heap_alone),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
