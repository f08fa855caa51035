#include "attest/cbor_write.h"
#include "attest/nsm_message.h"
#include "support/case.h"

/* As serde writes them for AWS's own library: checked against its types by hand. */
static void put_requests_each_kind_are_as_nsm_reads_them(void **state)
{
    (void)state;
    tg_buf buf;
    const tg_attest_request request = {.nonce = TG_LIT("n"), .public_key = TG_LIT("")};
    tg_buf_init(&buf, 4096);
    assert_ok(tg_nsm_put_attestation(&buf, &request));
    assert_slice(tg_buf_slice(&buf), "\xa1\x6b"
                                     "Attestation\xa3\x69user_data\xf6\x65nonce\x41n\x6apublic_key\x40");
    tg_buf_clear(&buf);
    assert_ok(tg_nsm_put_get_random(&buf));
    assert_slice(tg_buf_slice(&buf), "\x69GetRandom");
    tg_buf_clear(&buf);
    assert_ok(tg_nsm_put_pcr(&buf, "DescribePCR", 16));
    assert_slice(tg_buf_slice(&buf), "\xa1\x6b"
                                     "DescribePCR\xa1\x65index\x10");
    tg_buf_clear(&buf);
    assert_ok(tg_nsm_put_extend_pcr(&buf, 300, TG_LIT("xy")));
    assert_slice(tg_buf_slice(&buf), "\xa1\x69"
                                     "ExtendPCR\xa2\x65index\x19\x01\x2c\x64"
                                     "data\x42xy");
    tg_buf_done(&buf);
}

#define ANSWER(name) "\xa1" name
#define DOCUMENT                                                                                                       \
    ANSWER("\x6b"                                                                                                      \
           "Attestation")                                                                                              \
    "\xa1\x68"                                                                                                         \
    "document\x43"                                                                                                     \
    "abc"
#define DESCRIBED(is)                                                                                                  \
    ANSWER("\x6b"                                                                                                      \
           "DescribePCR")                                                                                              \
    "\xa2\x64lock" is "\x64"                                                                                           \
    "data\x42"                                                                                                         \
    "xy"

static void parse_good_answers_give_their_members(void **state)
{
    (void)state;
    tg_nsm_answer answer;
    tg_detail detail = {0};
    assert_ok(tg_nsm_answer_parse(TG_LIT(DOCUMENT), "Attestation", &answer, &detail));
    assert_slice(answer.document, "abc");
    assert_ok(tg_nsm_answer_parse(TG_LIT(DESCRIBED("\xf5")), "DescribePCR", &answer, &detail));
    assert_true(answer.is_locked);
    assert_slice(answer.data, "xy");
    assert_ok(tg_nsm_answer_parse(TG_LIT(DESCRIBED("\xf4")), "DescribePCR", &answer, &detail));
    assert_false(answer.is_locked);
    assert_ok(
        tg_nsm_answer_parse(TG_LIT(ANSWER("\x69GetRandom") "\xa1\x66random\x41r"), "GetRandom", &answer, &detail));
    assert_slice(answer.random, "r");
    assert_ok(tg_nsm_answer_parse(TG_LIT("\x67LockPCR"), "LockPCR", &answer, &detail));
}

static void parse_errors_told_are_results_that_name_them(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        tg_code code;
        const char *named;
    } cases[] = {{ANSWER("\x65"
                         "Error") "\x6cInvalidIndex",
                  TG_ERR_RANGE, "InvalidIndex"},
                 {ANSWER("\x65"
                         "Error") "\x6dReadOnlyIndex",
                  TG_ERR_DENIED, "ReadOnlyIndex"},
                 {ANSWER("\x65"
                         "Error") "\x6dInputTooLarge",
                  TG_ERR_LIMIT, "InputTooLarge"},
                 {ANSWER("\x65"
                         "Error") "\x6dInternalError",
                  TG_ERR_LIBRARY, "InternalError"},
                 {ANSWER("\x65"
                         "Error") "\x63New",
                  TG_ERR_LIBRARY, "not known"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_nsm_answer answer;
        tg_detail detail = {0};
        assert_code(tg_nsm_answer_parse(tg_slice_str(cases[i].bytes), "Attestation", &answer, &detail), cases[i].code);
        assert_non_null(strstr(detail.reason, cases[i].named));
    }
}

static void parse_damaged_answers_are_refused(void **state)
{
    (void)state;
    static const struct {
        tg_slice bytes;
        const char *name;
        tg_code code;
    } cases[] = {
        {{(const uint8_t *)"", 0}, "Attestation", TG_ERR_TRUNCATED},
        {TG_LIT(DOCUMENT "z"), "Attestation", TG_ERR_SYNTAX},
        {TG_LIT(DOCUMENT), "GetRandom", TG_ERR_MISMATCH},
        {TG_LIT("\x6b"
                "Attestation"),
         "Attestation", TG_ERR_MISMATCH},
        {TG_LIT(ANSWER("\x67LockPCR") "\xa0"), "LockPCR", TG_ERR_MISMATCH},
        {TG_LIT(ANSWER("\x6b"
                       "Attestation") "\xa0"),
         "Attestation", TG_ERR_NOT_FOUND},
        {TG_LIT(ANSWER("\x6b"
                       "Attestation") "\xa1\x66random\x41r"),
         "Attestation", TG_ERR_UNSUPPORTED},
        {TG_LIT(ANSWER("\x6b"
                       "Attestation") "\xa1\x65"
                                      "other\x41r"),
         "Attestation", TG_ERR_UNSUPPORTED},
        {TG_LIT(ANSWER("\x69GetRandom") "\xa2\x66random\x41r\x66random\x41r"), "GetRandom", TG_ERR_EXISTS},
        {TG_LIT(ANSWER("\x69GetRandom") "\xa1\x66random\x61r"), "GetRandom", TG_ERR_MISMATCH},
        {TG_LIT(DESCRIBED("\xf6")), "DescribePCR", TG_ERR_MISMATCH},
        {TG_LIT("\x01"), "LockPCR", TG_ERR_MISMATCH},
        {TG_LIT(ANSWER("\x65"
                       "Error") "\x01"),
         "LockPCR", TG_ERR_MISMATCH},
        {TG_LIT(ANSWER("\x01") "\xa0"), "LockPCR", TG_ERR_MISMATCH},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_nsm_answer answer = {.is_locked = true};
        tg_detail detail = {0};
        assert_code(tg_nsm_answer_parse(cases[i].bytes, cases[i].name, &answer, &detail), cases[i].code);
        assert_true(answer.is_locked);
        assert_true(detail.reason[0] != 0);
    }
}

static void parse_answer_every_prefix_is_refused(void **state)
{
    (void)state;
    const tg_slice whole = TG_LIT(DESCRIBED("\xf5"));
    for (size_t len = 0; len < whole.len; len++) {
        tg_nsm_answer answer;
        tg_detail detail = {0};
        tg_result parsed = tg_nsm_answer_parse(tg_slice_first(whole, len), "DescribePCR", &answer, &detail);
        assert_false(tg_is_ok(parsed));
    }
}

static void parse_answer_over_maximum_is_limit(void **state)
{
    (void)state;
    static uint8_t bytes[TG_MAX_NSM_ANSWER_BYTES + 1];
    tg_nsm_answer answer;
    assert_code(tg_nsm_answer_parse(tg_slice_of(bytes, sizeof bytes), "GetRandom", &answer, NULL), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_requests_each_kind_are_as_nsm_reads_them),
        cmocka_unit_test(parse_good_answers_give_their_members),
        cmocka_unit_test(parse_errors_told_are_results_that_name_them),
        cmocka_unit_test(parse_damaged_answers_are_refused),
        cmocka_unit_test(parse_answer_every_prefix_is_refused),
        cmocka_unit_test(parse_answer_over_maximum_is_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
