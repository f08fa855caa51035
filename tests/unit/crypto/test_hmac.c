#include "support/case.h"

#include "support/fenced.h"
#include "support/stack_left.h"

#include "base/buf.h"
#include "base/cpu.h"
#include "base/encode.h"
#include "crypto/hkdf.h"
#include "crypto/hmac.h"
#include "crypto/init.h"

/* Each case is run with each implementation that this machine can use. */
static const tg_hmac_ops *tested;

static tg_slice repeat(uint8_t *bytes, uint8_t fill, size_t len)
{
    memset(bytes, fill, len);
    return tg_slice_of(bytes, len);
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    tg_buf hex;
    tg_buf_init(&hex, 1024);
    assert_ok(tg_hex_append(&hex, tg_slice_of(bytes, len)));
    assert_ok(tg_buf_append_byte(&hex, 0));
    assert_string_equal((const char *)hex.ptr, expected);
    tg_buf_done(&hex);
}

static void assert_mac(tg_slice key, tg_slice message, size_t mac_len, const char *expected)
{
    uint8_t mac[TG_HMAC_BYTES];
    tg_hmac *hmac;
    assert_ok(tg_hmac_new_by(tested, key, &hmac));
    for (int i = 0; i < 2; i++) { /* the second time on the kept state */
        tg_hmac_compute(hmac, &message, 1, mac);
        assert_hex(mac, mac_len, expected);
    }
    tg_hmac_free(hmac);
}

static void compute_rfc4231_vectors_agree(void **state)
{
    (void)state;
    uint8_t key[131], data[152];
    assert_mac(repeat(key, 0x0b, 20), TG_LIT("Hi There"), 32,
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_mac(TG_LIT("Jefe"), TG_LIT("what do ya want for nothing?"), 32,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_mac(repeat(key, 0xaa, 20), repeat(data, 0xdd, 50), 32,
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (size_t i = 0; i < 25; i++) {
        key[i] = (uint8_t)(i + 1);
    }
    assert_mac(tg_slice_of(key, 25), repeat(data, 0xcd, 50), 32,
               "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    assert_mac(repeat(key, 0x0c, 20), TG_LIT("Test With Truncation"), 16, "a3b6167473100ee06e0c796c2955552b");
    assert_mac(repeat(key, 0xaa, 131), TG_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), 32,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_mac(repeat(key, 0xaa, 131),
               TG_LIT("This is a test using a larger than block-size key and a larger than block-size data. The key "
                      "needs to be hashed before being used by the HMAC algorithm."),
               32, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void compute_parts_equal_the_whole(void **state)
{
    (void)state;
    uint8_t whole[TG_HMAC_BYTES], split[TG_HMAC_BYTES];
    tg_slice message = TG_LIT("json\0{\"a\":1}");
    tg_hmac *hmac;
    assert_ok(tg_hmac_new_by(tested, TG_LIT("key"), &hmac));
    tg_hmac_compute(hmac, &message, 1, whole);
    for (size_t at = 0; at <= message.len; at++) {
        tg_slice parts[] = {tg_slice_first(message, at), tg_slice_of(NULL, 0), tg_slice_from(message, at)};
        tg_hmac_compute(hmac, parts, TG_COUNT(parts), split);
        assert_memory_equal(split, whole, sizeof whole);
    }
    tg_hmac_free(hmac);
    tg_hmac_free(NULL);
}

static void chosen_by_level_is_the_one_for_it(void **state)
{
    (void)state;
    tg_cpu_level before = tg_cpu_get_level();
    assert_string_equal(tg_hmac_chosen()->name, tg_cpu_has_sha() ? "SHA" : "libgcrypt");
    tg_cpu_limit(TG_CPU_PORTABLE);
    assert_string_equal(tg_hmac_chosen()->name, "libgcrypt");
    tg_cpu_limit(before);
}

enum { MAX_TEXT = 330, MAX_KEY = 140 };

/* Every length around the blocks' ends, against libgcrypt. */
static void compute_every_length_agrees_with_libgcrypt(void **state)
{
    (void)state;
    uint8_t key[MAX_KEY], text[MAX_TEXT], ours[TG_HMAC_BYTES], theirs[TG_HMAC_BYTES];
    for (size_t i = 0; i < MAX_TEXT; i++) {
        text[i] = (uint8_t)(i * 7 + i / 64);
    }
    for (size_t key_len = 0; key_len <= MAX_KEY; key_len += key_len == 66 ? 74 : 1) {
        tg_hmac *hmac, *other;
        memset(key, (int)key_len + 1, sizeof key);
        assert_ok(tg_hmac_new_by(tested, tg_slice_of(key, key_len), &hmac));
        assert_ok(tg_hmac_new_by(&tg_hmac_gcrypt, tg_slice_of(key, key_len), &other));
        for (size_t len = 0; len <= MAX_TEXT; len++) {
            tg_slice message = tg_slice_of(text, len);
            tg_hmac_compute(hmac, &message, 1, ours);
            tg_hmac_compute(other, &message, 1, theirs);
            assert_memory_equal(ours, theirs, sizeof ours);
        }
        tg_hmac_free(hmac);
        tg_hmac_free(other);
    }
}

/* Neighbours of every pair of lengths, with and without a prefix: what is done side by side stays apart. */
static void compute_many_equals_one_at_a_time(void **state)
{
    (void)state;
    enum { NUM = 5, LONGEST = 70 };
    uint8_t text[NUM * 2 + LONGEST], macs[NUM][TG_HMAC_BYTES], mac[TG_HMAC_BYTES];
    tg_hmac *hmac;
    assert_ok(tg_hmac_new_by(tested, TG_LIT("a key of some length"), &hmac));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i + 1);
    }
    for (size_t pair = 0; pair < (size_t)LONGEST * LONGEST; pair++) {
        size_t lens[] = {pair % LONGEST, pair / LONGEST};
        tg_hmac_job jobs[NUM];
        for (size_t i = 0; i < NUM; i++) {
            jobs[i] = (tg_hmac_job){tg_slice_of("json", (pair + i) % 3 == 0 ? 5 : 0),
                                    tg_slice_of(text + i, lens[i % 2]), macs[i]};
        }
        size_t num = 1 + pair % NUM;
        tg_hmac_compute_many(hmac, jobs, num);
        for (size_t i = 0; i < num; i++) {
            tg_slice parts[] = {jobs[i].prefix, jobs[i].text};
            tg_hmac_compute(hmac, parts, TG_COUNT(parts), mac);
            assert_memory_equal(macs[i], mac, sizeof mac);
        }
    }
    tg_hmac_compute_many(hmac, NULL, 0);
    tg_hmac_free(hmac);
}

static void compute_between_fences_gives_the_same(void **state)
{
    (void)state;
    uint8_t text[MAX_TEXT], expected[TG_HMAC_BYTES], mac[TG_HMAC_BYTES];
    tg_fenced place = tg_fenced_new(MAX_TEXT), prefix = tg_fenced_new(5);
    tg_hmac *hmac;
    assert_ok(tg_hmac_new_by(tested, TG_LIT("a key of some length"), &hmac));
    for (size_t i = 0; i < MAX_TEXT; i++) {
        text[i] = (uint8_t)(i * 5 + i / 32);
    }
    for (size_t len = 0; len <= MAX_TEXT; len++) {
        for (int fence = 0; fence < TG_NUM_FENCES; fence++) {
            tg_slice parts[] = {tg_slice_of("json", len % 2 * 5), tg_slice_of(text, len)};
            tg_hmac_compute(hmac, parts, TG_COUNT(parts), expected);
            for (size_t num = 1; num <= 2; num++) {
                tg_hmac_job jobs[2];
                for (size_t i = 0; i < 2; i++) {
                    jobs[i] = (tg_hmac_job){tg_fenced_copy(&prefix, (tg_fence)fence, parts[0]),
                                            tg_fenced_copy(&place, (tg_fence)fence, parts[1]), mac};
                }
                memset(mac, 0, sizeof mac);
                tg_hmac_compute_many(hmac, jobs, num);
                assert_memory_equal(mac, expected, sizeof mac);
            }
        }
    }
    tg_hmac_free(hmac);
    tg_fenced_done(&place);
    tg_fenced_done(&prefix);
}

typedef struct left_work {
    tg_hmac *hmac;
    tg_hmac_job jobs[3];
    size_t num_jobs;
} left_work;

static void do_left_work(void *argument)
{
    left_work *work = argument;
    tg_hmac_compute_many(work->hmac, work->jobs, work->num_jobs);
}

static void compute_leaves_nothing_on_the_stack(void **state)
{
    (void)state;
    static uint8_t left[3][TG_LEFT_STACK_BYTES], text[200], macs[3][TG_HMAC_BYTES];
    if (!TG_LEFT_IS_SHIPPED || tested == &tg_hmac_gcrypt) {
        return; /* not ours to wipe */
    }
    for (size_t kind = 0; kind < 6; kind++) {
        for (size_t i = 0; i < 3; i++) {
            left_work work = {.num_jobs = 1 + kind % 3};
            assert_ok(tg_hmac_new_by(tested, i == 1 ? TG_LIT("one key") : TG_LIT("another"), &work.hmac));
            memset(text, i == 2 ? 'b' : 'a', sizeof text);
            for (size_t k = 0; k < 3; k++) {
                work.jobs[k] = (tg_hmac_job){TG_LIT("json"), tg_slice_of(text, kind < 3 ? 20 : 100 + k), macs[k]};
            }
            do_left_work(&work); /* what is bound late, is */
            tg_stack_left(do_left_work, &work, left[i]);
            tg_hmac_free(work.hmac);
        }
        tg_assert_nothing_left(left[0], left[1]);
        tg_assert_nothing_left(left[0], left[2]);
    }
}

static void hkdf_rfc5869_vectors_agree(void **state)
{
    (void)state;
    uint8_t ikm[80], salt[80], info[80], out[82], prk[TG_HKDF_HASH_BYTES];
    for (size_t i = 0; i < 80; i++) {
        ikm[i] = (uint8_t)i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    uint8_t short_ikm[22], short_salt[13], short_info[10];
    for (size_t i = 0; i < 13; i++) {
        short_salt[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < 10; i++) {
        short_info[i] = (uint8_t)(0xf0 + i);
    }
    tg_slice ikm_1 = repeat(short_ikm, 0x0b, 22);
    assert_ok(tg_hkdf_extract(tg_slice_of(short_salt, 13), ikm_1, prk));
    assert_hex(prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_ok(tg_hkdf_expand(tg_slice_of(prk, 32), tg_slice_of(short_info, 10), out, 42));
    assert_hex(out, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    assert_ok(tg_hkdf(tg_slice_of(salt, 80), tg_slice_of(ikm, 80), tg_slice_of(info, 80), out, 82));
    assert_hex(out, 82,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da"
               "3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    assert_ok(tg_hkdf(TG_LIT(""), ikm_1, TG_LIT(""), out, 42));
    assert_hex(out, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void hkdf_expand_longest_is_taken_and_one_over_refused(void **state)
{
    (void)state;
    static uint8_t out[TG_MAX_HKDF_BYTES + 1];
    uint8_t prk[TG_HKDF_HASH_BYTES] = {1};
    assert_ok(tg_hkdf_expand(tg_slice_of(prk, 32), TG_LIT("x"), out, TG_MAX_HKDF_BYTES));
    assert_code(tg_hkdf_expand(tg_slice_of(prk, 32), TG_LIT("x"), out, TG_MAX_HKDF_BYTES + 1), TG_ERR_RANGE);
    assert_ok(tg_hkdf_expand(tg_slice_of(prk, 32), TG_LIT("x"), out, 0));
}

/* The expected label was computed with `openssl kdf -keylen 16 -kdfopt digest:SHA256 -kdfopt hexkey:aa..aa
 * -kdfopt salt:teegate -kdfopt 'info:dek fingerprint v1' HKDF`. */
static void fingerprint_known_key_gives_known_label(void **state)
{
    (void)state;
    uint8_t bytes[32], label[TG_KEY_FINGERPRINT_BYTES];
    tg_secret *key;
    assert_ok(tg_secret_copy(repeat(bytes, 0xaa, 32), &key));
    assert_ok(tg_key_fingerprint(key, label));
    tg_secret_free(key);
    assert_hex(label, sizeof label, "191cdb815f227b2d7402341e81218a36");
}

static int set_up(void **state)
{
    (void)state;
    return tg_crypto_init(1).code == TG_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(compute_rfc4231_vectors_agree),
        cmocka_unit_test(compute_parts_equal_the_whole),
        cmocka_unit_test(chosen_by_level_is_the_one_for_it),
        cmocka_unit_test(compute_every_length_agrees_with_libgcrypt),
        cmocka_unit_test(compute_many_equals_one_at_a_time),
        cmocka_unit_test(compute_between_fences_gives_the_same),
        cmocka_unit_test(compute_leaves_nothing_on_the_stack),
        cmocka_unit_test(hkdf_rfc5869_vectors_agree),
        cmocka_unit_test(hkdf_expand_longest_is_taken_and_one_over_refused),
        cmocka_unit_test(fingerprint_known_key_gives_known_label),
    };
    static const tg_hmac_ops *const all[] = {
        &tg_hmac_gcrypt,
#if TG_CPU_X86
        &tg_hmac_sha
#endif
    };
    int status = 0;
    for (size_t i = 0; i < (tg_cpu_has_sha() ? TG_COUNT(all) : 1); i++) {
        tested = all[i];
        status += cmocka_run_group_tests_name(tested->name, cases, set_up, NULL);
    }
    return status;
}
