#include "support/case.h"

#include "crypto/init.h"
#include "crypto/random.h"

#include <string.h>

static void tg_random_fill_twice_gives_different_bytes(void **state)
{
    uint8_t first[32] = {0}, second[32] = {0};
    (void)state;
    assert_ok(tg_random_fill(first, sizeof first));
    assert_ok(tg_random_fill(second, sizeof second));
    assert_memory_not_equal(first, second, sizeof first);
    assert_ok(tg_random_fill(first, 0));
    assert_code(tg_random_fill(first, SIZE_MAX), TG_ERR_LIBRARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tg_random_fill_twice_gives_different_bytes)};
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
