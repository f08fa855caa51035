#include "attest/cbor_write.h"
#include "attest/nsm.h"
#include "attest/nsm_message.h"
#include "support/case.h"

#include <errno.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* A module in memory, behind the ioctl: what it was asked, and what it answers. */
static struct {
    uint8_t asked[TG_MAX_NSM_REQUEST_BYTES];
    size_t asked_len;
    tg_slice answer;
    uint64_t told_len; /* in place of the answer's, where not 0 */
    int error;
    unsigned num_interrupts;
    unsigned num_calls;
    int credited_bits;
    uint8_t credited[TG_MAX_ENTROPY_BYTES];
} module;

static int play_module(int fd, unsigned long request, void *argument)
{
    assert_true(fd >= 0);
    module.num_calls++;
    if (module.num_interrupts > 0) {
        module.num_interrupts--;
        errno = EINTR;
        return -1;
    }
    if (request == RNDADDENTROPY) {
        struct rand_pool_info *pool = argument;
        if (module.error != 0) {
            errno = module.error;
            return -1;
        }
        module.credited_bits = pool->entropy_count;
        memcpy(module.credited, pool->buf, (size_t)pool->buf_size);
        return 0;
    }
    assert_true(request == 0xC0200A00);
    uint64_t numbers[4];
    memcpy(numbers, argument, sizeof numbers);
    assert_true(numbers[1] <= TG_MAX_NSM_REQUEST_BYTES && numbers[3] == TG_MAX_NSM_ANSWER_BYTES);
    memcpy(module.asked, (const void *)(uintptr_t)numbers[0], numbers[1]);
    module.asked_len = numbers[1];
    if (module.error != 0) {
        errno = module.error;
        return -1;
    }
    if (module.answer.len > 0) {
        memcpy((void *)(uintptr_t)numbers[2], module.answer.ptr, module.answer.len);
    }
    numbers[3] = module.told_len != 0 ? module.told_len : module.answer.len;
    memcpy(argument, numbers, sizeof numbers);
    return 0;
}

static tg_attest_device *open_device(tg_slice answer)
{
    tg_attest_device *device = NULL;
    memset(&module, 0, sizeof module);
    module.answer = answer;
    assert_ok(tg_nsm_open("/dev/null", play_module, &device, NULL));
    assert_string_equal(device->calls->name, "nsm");
    return device;
}

static void attest_document_is_appended(void **state)
{
    (void)state;
    tg_attest_device *device = open_device(TG_LIT("\xa1\x6b"
                                                  "Attestation\xa1\x68"
                                                  "document\x43"
                                                  "abc"));
    const tg_attest_request request = {.nonce = TG_LIT("nonce")};
    tg_buf document;
    tg_detail detail = {0};
    tg_buf_init(&document, 4);
    assert_ok(tg_buf_append(&document, TG_LIT("x")));
    module.num_interrupts = 2;
    assert_ok(tg_attest(device, &request, &document, &detail));
    assert_int_equal(module.num_calls, 3);
    assert_slice(tg_buf_slice(&document), "xabc");
    tg_assert_slice(tg_slice_first(tg_slice_of(module.asked, module.asked_len), 13),
                    TG_LIT("\xa1\x6b"
                           "Attestation"),
                    __FILE__, __LINE__);
    assert_code(tg_attest(device, &request, &document, &detail), TG_ERR_LIMIT); /* the buffer is full */
    assert_slice(tg_buf_slice(&document), "xabc");
    tg_buf_done(&document);
    tg_attest_device_close(device);
}

static void attest_fields_over_maximum_never_reach_device(void **state)
{
    (void)state;
    static const uint8_t bytes[TG_MAX_ATTEST_FIELD_BYTES + 1];
    const tg_slice longest = tg_slice_of(bytes, TG_MAX_ATTEST_FIELD_BYTES), over = tg_slice_of(bytes, sizeof bytes);
    tg_attest_device *device = open_device(TG_LIT("\xa1\x6b"
                                                  "Attestation\xa1\x68"
                                                  "document\x43"
                                                  "abc"));
    const tg_attest_request refused[] = {{.nonce = over}, {.user_data = over}, {.public_key = over}};
    const tg_attest_request full = {.nonce = longest, .user_data = longest, .public_key = longest};
    tg_buf document;
    tg_buf_init(&document, 16);
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        assert_code(tg_attest(device, &refused[i], &document, NULL), TG_ERR_LIMIT);
    }
    assert_int_equal(module.num_calls, 0);
    assert_ok(tg_attest(device, &full, &document, NULL));
    tg_buf_done(&document);
    tg_attest_device_close(device);
}

static void attest_refusals_are_told_with_reason(void **state)
{
    (void)state;
    tg_attest_device *device = open_device(TG_LIT("\xa1\x65"
                                                  "Error\x6dInternalError"));
    const tg_attest_request request = {0};
    tg_buf document;
    tg_detail detail = {0};
    tg_buf_init(&document, 16);
    assert_code(tg_attest(device, &request, &document, &detail), TG_ERR_LIBRARY);
    assert_non_null(strstr(detail.reason, "InternalError"));
    module.error = EPERM;
    tg_result refused = tg_attest(device, &request, &document, &detail);
    assert_code(refused, TG_ERR_SYSTEM);
    assert_int_equal(refused.os_error, EPERM);
    assert_non_null(strstr(detail.remedy, "CAP_SYS_ADMIN"));
    module.error = 0;
    module.told_len = TG_MAX_NSM_ANSWER_BYTES + 1;
    assert_code(tg_attest(device, &request, &document, &detail), TG_ERR_SYSTEM);
    assert_int_equal(tg_buf_len(&document), 0);
    tg_buf_done(&document);
    tg_attest_device_close(device);
}

static void random_short_answers_are_asked_again(void **state)
{
    (void)state;
    tg_attest_device *device = open_device(TG_LIT("\xa1\x69GetRandom\xa1\x66random\x43"
                                                  "abc"));
    uint8_t bytes[7];
    assert_ok(tg_attest_random(device, bytes, sizeof bytes, NULL));
    assert_slice(tg_slice_of(bytes, sizeof bytes), "abcabca");
    assert_int_equal(module.num_calls, 3);
    module.answer = TG_LIT("\xa1\x69GetRandom\xa1\x66random\x40");
    assert_code(tg_attest_random(device, bytes, sizeof bytes, NULL), TG_ERR_LIBRARY);
    tg_attest_device_close(device);
}

#define ZEROS16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void pcr_calls_each_are_asked_and_read(void **state)
{
    (void)state;
    tg_attest_pcr pcr;
    uint8_t value[TG_ATTEST_PCR_BYTES];
    static const uint8_t zeros[TG_MAX_ATTEST_EXTENSION_BYTES + 1];
    tg_attest_device *device = open_device(TG_LIT("\xa1\x6b"
                                                  "DescribePCR\xa2\x64lock\xf5\x64"
                                                  "data\x58\x30" ZEROS16 ZEROS16 ZEROS16));
    assert_ok(tg_attest_describe_pcr(device, 3, &pcr, NULL));
    assert_true(pcr.is_locked);
    assert_memory_equal(pcr.value, zeros, sizeof pcr.value);
    module.answer = TG_LIT("\xa1\x69"
                           "ExtendPCR\xa1\x64"
                           "data\x58\x30" ZEROS16 ZEROS16 ZEROS16);
    assert_ok(tg_attest_extend_pcr(device, 16, TG_LIT("x"), value, NULL));
    assert_memory_equal(value, zeros, sizeof value);
    assert_code(tg_attest_extend_pcr(device, 16, tg_slice_of(zeros, sizeof zeros), value, NULL), TG_ERR_LIMIT);
    module.answer = TG_LIT("\xa1\x69"
                           "ExtendPCR\xa1\x64"
                           "data\x41x");
    assert_code(tg_attest_extend_pcr(device, 16, TG_LIT("x"), value, NULL), TG_ERR_RANGE);
    module.answer = TG_LIT("\x67LockPCR");
    assert_ok(tg_attest_lock_pcr(device, 16, NULL));
    module.answer = TG_LIT("\xa1\x65"
                           "Error\x6dReadOnlyIndex");
    assert_code(tg_attest_lock_pcr(device, 16, NULL), TG_ERR_DENIED);
    tg_attest_device_close(device);
}

static void open_missing_device_says_what_to_do(void **state)
{
    (void)state;
    tg_attest_device *device = NULL;
    tg_detail detail = {0};
    assert_code(tg_nsm_open("/dev/no-such-module", NULL, &device, &detail), TG_ERR_NOT_FOUND);
    assert_non_null(strstr(detail.remedy, "Nitro enclave"));
    assert_code(tg_nsm_open("/dev", NULL, &device, &detail), TG_ERR_SYSTEM);
    assert_null(device);
    assert_ok(tg_nsm_open("/dev/null", NULL, &device, &detail)); /* no such ioctl there */
    const tg_attest_request request = {0};
    tg_buf document;
    tg_buf_init(&document, 16);
    assert_code(tg_attest(device, &request, &document, &detail), TG_ERR_SYSTEM);
    tg_buf_done(&document);
    tg_attest_device_close(device);
    tg_attest_device_close(NULL);
}

static void entropy_credited_is_the_devices(void **state)
{
    (void)state;
    tg_detail detail = {0};
    tg_attest_device *device = open_device(TG_LIT("\xa1\x69GetRandom\xa1\x66random\x44"
                                                  "abcd"));
    assert_ok(tg_entropy_credit(device, 6, "/dev/null", play_module, &detail));
    assert_int_equal(module.credited_bits, 48);
    assert_memory_equal(module.credited, "abcdab", 6);
    assert_code(tg_entropy_credit(device, 0, "/dev/null", play_module, &detail), TG_ERR_RANGE);
    assert_code(tg_entropy_credit(device, TG_MAX_ENTROPY_BYTES + 1, "/dev/null", play_module, &detail), TG_ERR_RANGE);
    assert_code(tg_entropy_credit(device, 6, "/dev/no-such-file", play_module, &detail), TG_ERR_SYSTEM);
    assert_non_null(strstr(detail.file, "no-such-file"));
    module.answer = TG_LIT("\xa1\x65"
                           "Error\x6dInternalError");
    assert_code(tg_entropy_credit(device, 6, "/dev/null", play_module, &detail), TG_ERR_LIBRARY);
    tg_attest_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attest_document_is_appended),
        cmocka_unit_test(attest_fields_over_maximum_never_reach_device),
        cmocka_unit_test(attest_refusals_are_told_with_reason),
        cmocka_unit_test(random_short_answers_are_asked_again),
        cmocka_unit_test(pcr_calls_each_are_asked_and_read),
        cmocka_unit_test(open_missing_device_says_what_to_do),
        cmocka_unit_test(entropy_credited_is_the_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
