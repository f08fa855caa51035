#include "crypto/init.h"
#include "crypto/sha256.h"
#include "support/case.h"

/* FIPS 180-4's examples: the empty message, one block, two blocks. */
static void sha256_published_examples_agree(void **state)
{
    (void)state;
    const struct {
        tg_slice message;
        uint8_t first[4], last[4];
    } cases[] = {
        {TG_LIT(""), {0xe3, 0xb0, 0xc4, 0x42}, {0x78, 0x52, 0xb8, 0x55}},
        {TG_LIT("abc"), {0xba, 0x78, 0x16, 0xbf}, {0xf2, 0x00, 0x15, 0xad}},
        {TG_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         {0x24, 0x8d, 0x6a, 0x61},
         {0x19, 0xdb, 0x06, 0xc1}},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        uint8_t digest[TG_SHA256_BYTES];
        assert_ok(tg_sha256(cases[i].message, digest));
        assert_memory_equal(digest, cases[i].first, 4);
        assert_memory_equal(digest + 28, cases[i].last, 4);
    }
    uint8_t digest[TG_SHA256_BYTES];
    assert_ok(tg_sha256(tg_slice_of(NULL, 0), digest));
    assert_memory_equal(digest, cases[0].first, 4);
}

static int init(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {cmocka_unit_test(sha256_published_examples_agree)};
    return cmocka_run_group_tests(cases, init, NULL);
}
