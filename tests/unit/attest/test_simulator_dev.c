#include "attest/nitro_document.h"
#include "attest/nitro_root.h"
#include "attest/simulator_dev.h"
#include "attest/simulator_root_dev.h"
#include "support/case.h"
#include "sys/clock.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>

static tg_attest_device *open_simulator(const tg_simulator_options *options)
{
    const tg_simulator_options none = {0};
    tg_attest_device *device = NULL;
    assert_ok(tg_simulator_open_dev(options != NULL ? options : &none, &device));
    return device;
}

static void attest_fields_verify_under_its_root_alone(void **state)
{
    (void)state;
    static const uint8_t longest[TG_MAX_ATTEST_FIELD_BYTES] = {1};
    tg_attest_device *device = open_simulator(NULL);
    const tg_attest_request request = {
        .nonce = TG_LIT("fresh"), .user_data = tg_slice_of(longest, sizeof longest), .public_key = TG_LIT("")};
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_NITRO_DOCUMENT_BYTES);
    assert_ok(tg_attest(device, &request, &bytes, NULL));
    tg_nitro_document document;
    tg_detail detail = {0};
    assert_ok(tg_nitro_document_parse(tg_buf_slice(&bytes), &document, &detail));
    assert_ok(tg_nitro_document_verify(&document, tg_simulator_root_dev(), &detail));
    assert_code(tg_nitro_document_verify(&document, tg_nitro_root(), &detail), TG_ERR_AUTH);
    assert_slice(document.nonce, "fresh");
    assert_true(tg_slice_equal(document.user_data, request.user_data));
    assert_true(document.public_key.ptr != NULL && document.public_key.len == 0);
    assert_true(tg_clock_unix_ms() - document.timestamp_unix_ms < 60000);
    assert_false(tg_nitro_document_is_debug(&document));
    assert_non_null(document.pcrs[15].ptr);
    assert_null(document.pcrs[16].ptr);
    assert_ok(tg_attest_lock_pcr(device, 16, &detail));
    tg_buf_clear(&bytes);
    assert_ok(tg_attest(device, &(tg_attest_request){0}, &bytes, NULL));
    assert_ok(tg_nitro_document_parse(tg_buf_slice(&bytes), &document, &detail));
    assert_ok(tg_nitro_document_verify(&document, tg_simulator_root_dev(), &detail));
    assert_null(document.nonce.ptr);
    assert_null(document.public_key.ptr);
    assert_non_null(document.pcrs[16].ptr);
    tg_buf_done(&bytes);
    tg_attest_device_close(device);
}

static void open_pcrs_given_stand_in_documents(void **state)
{
    (void)state;
    uint8_t value[TG_ATTEST_PCR_BYTES] = {0};
    tg_simulator_options options = {.pcrs = {tg_slice_of(value, sizeof value)}};
    tg_attest_device *device = open_simulator(&options);
    tg_buf bytes;
    tg_nitro_document document;
    tg_buf_init(&bytes, TG_MAX_NITRO_DOCUMENT_BYTES);
    assert_ok(tg_attest(device, &(tg_attest_request){0}, &bytes, NULL));
    assert_ok(tg_nitro_document_parse(tg_buf_slice(&bytes), &document, NULL));
    assert_true(tg_nitro_document_is_debug(&document));
    tg_buf_done(&bytes);
    tg_attest_device_close(device);
    options.pcrs[2] = TG_LIT("short");
    tg_attest_device *none = NULL;
    assert_code(tg_simulator_open_dev(&options, &none), TG_ERR_RANGE);
    assert_null(none);
}

static void extend_pcr_is_digest_of_old_and_bytes(void **state)
{
    (void)state;
    tg_attest_device *device = open_simulator(NULL);
    uint8_t value[TG_ATTEST_PCR_BYTES], expected[SHA384_DIGEST_LENGTH], text[TG_ATTEST_PCR_BYTES + 3] = {0};
    tg_attest_pcr pcr;
    tg_detail detail = {0};
    memcpy(text + TG_ATTEST_PCR_BYTES, "abc", 3);
    SHA384(text, sizeof text, expected);
    assert_ok(tg_attest_extend_pcr(device, 20, TG_LIT("abc"), value, NULL));
    assert_memory_equal(value, expected, sizeof value);
    assert_ok(tg_attest_describe_pcr(device, 20, &pcr, NULL));
    assert_false(pcr.is_locked);
    assert_memory_equal(pcr.value, expected, sizeof expected);
    assert_code(tg_attest_extend_pcr(device, 0, TG_LIT("abc"), value, &detail), TG_ERR_DENIED);
    assert_code(tg_attest_extend_pcr(device, 32, TG_LIT("abc"), value, &detail), TG_ERR_RANGE);
    assert_code(tg_attest_describe_pcr(device, 32, &pcr, &detail), TG_ERR_RANGE);
    assert_code(tg_attest_lock_pcr(device, 32, &detail), TG_ERR_RANGE);
    tg_attest_device_close(device);
}

static void random_two_draws_differ(void **state)
{
    (void)state;
    tg_attest_device *device = open_simulator(NULL);
    uint8_t first[32], second[32];
    assert_ok(tg_attest_random(device, first, sizeof first, NULL));
    assert_ok(tg_attest_random(device, second, sizeof second, NULL));
    assert_memory_not_equal(first, second, sizeof first);
    tg_attest_device_close(device);
}

/* Signed by a device before the host's clock, it holds for ours; the device's own does not hang on it. */
static void attest_signed_time_is_a_floor_of_the_clock(void **state)
{
    (void)state;
    enum { AHEAD_MS = 86400 * 1000 };
    tg_attest_device *device = open_simulator(&(tg_simulator_options){.ahead_ms = AHEAD_MS});
    for (int i = 0; i < 3; i++) {
        tg_buf bytes;
        tg_nitro_document document;
        tg_buf_init(&bytes, TG_MAX_NITRO_DOCUMENT_BYTES);
        assert_ok(tg_buf_append_str(&bytes, "what stands before it"));
        size_t len = tg_buf_len(&bytes);
        uint64_t host_ms = tg_clock_host_unix_ms();
        assert_ok(tg_attest(device, &(tg_attest_request){0}, &bytes, NULL));
        assert_ok(tg_nitro_document_parse(tg_slice_from(tg_buf_slice(&bytes), len), &document, NULL));
        assert_in_range(document.timestamp_unix_ms, host_ms + AHEAD_MS, host_ms + AHEAD_MS + 60000);
        assert_true(tg_clock_unix_ms() + 2 >= document.timestamp_unix_ms);
        tg_buf_done(&bytes);
    }
    tg_attest_device_close(device);
}

static void attest_buffer_too_small_appends_nothing(void **state)
{
    (void)state;
    tg_attest_device *device = open_simulator(NULL);
    tg_buf bytes;
    tg_detail detail = {0};
    tg_buf_init(&bytes, 2000);
    assert_code(tg_attest(device, &(tg_attest_request){0}, &bytes, &detail), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&bytes), 0);
    assert_true(detail.reason[0] != 0);
    tg_buf_done(&bytes);
    tg_attest_device_close(device);
}

/* The files that tests of others pin are what is built in. */
static void roots_built_in_are_the_files(void **state)
{
    (void)state;
    static const char *const names[] = {"nitro/simulator-root.pem", "nitro/AWS_NitroEnclaves_Root-G1.pem"};
    const tg_slice built_in[] = {tg_simulator_root_dev(), tg_nitro_root()};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        tg_slice pem = tg_read_vector(names[i]);
        BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        unsigned char *der = NULL;
        int len = i2d_X509(certificate, &der);
        assert_true(len > 0);
        assert_true(tg_slice_equal(tg_slice_of(der, (size_t)len), built_in[i]));
        OPENSSL_free(der);
        X509_free(certificate);
        BIO_free(bio);
        free((void *)(uintptr_t)pem.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attest_fields_verify_under_its_root_alone),
        cmocka_unit_test(open_pcrs_given_stand_in_documents),
        cmocka_unit_test(extend_pcr_is_digest_of_old_and_bytes),
        cmocka_unit_test(random_two_draws_differ),
        cmocka_unit_test(attest_buffer_too_small_appends_nothing),
        cmocka_unit_test(attest_signed_time_is_a_floor_of_the_clock),
        cmocka_unit_test(roots_built_in_are_the_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
