#include "support/case.h"

#include "base/encode.h"
#include "crypto/concat_kdf.h"
#include "crypto/ec_key.h"
#include "crypto/init.h"

static void tg_concat_kdf_rfc_7518_example_gives_its_key(void **state)
{
    uint8_t d[35], peer[TG_P256_PUBLIC_BYTES + 3] = {4}, shared[TG_EC_SHARED_BYTES], key[16], expected[18];
    size_t len;
    tg_ec_key *own;
    (void)state;
    assert_ok(tg_base64_decode(TG_BASE64_URL, TG_LIT("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"), d, &len));
    assert_ok(tg_base64_decode(TG_BASE64_URL, TG_LIT("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"), peer + 1, &len));
    assert_ok(tg_base64_decode(TG_BASE64_URL, TG_LIT("e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"), peer + 33, &len));
    assert_ok(tg_base64_decode(TG_BASE64_URL, TG_LIT("VqqN6vgjbSBcIijNcacQGg"), expected, &len));
    assert_ok(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(d, 32), &own));
    assert_ok(tg_ec_key_agree(own, tg_slice_of(peer, TG_P256_PUBLIC_BYTES), shared));
    assert_ok(tg_concat_kdf(tg_slice_of(shared, sizeof shared), TG_LIT("A128GCM"), TG_LIT("Alice"), TG_LIT("Bob"), key,
                            sizeof key));
    assert_memory_equal(key, expected, sizeof key);
    tg_ec_key_free(own);
}

static void tg_concat_kdf_past_its_limits_is_refused(void **state)
{
    uint8_t key[TG_MAX_CONCAT_KDF_BYTES + 1];
    (void)state;
    assert_ok(tg_concat_kdf(TG_LIT("z"), TG_LIT("A256GCM"), TG_LIT(""), TG_LIT(""), key, TG_MAX_CONCAT_KDF_BYTES));
    assert_code(tg_concat_kdf(TG_LIT("z"), TG_LIT("A256GCM"), TG_LIT(""), TG_LIT(""), key, sizeof key), TG_ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_concat_kdf_rfc_7518_example_gives_its_key),
        cmocka_unit_test(tg_concat_kdf_past_its_limits_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
