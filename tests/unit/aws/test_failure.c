#include "aws/failure.h"

#include "support/case.h"

#include <stdio.h>

static const uint64_t now_s = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
static const tg_http_header headers[] = {
    {TG_LIT("Date"), TG_LIT("Sun, 06 Nov 1994 08:49:37 GMT")},
    {TG_LIT("x-amzn-RequestId"), TG_LIT("id-1")},
};

static void read(unsigned status, const char *body, tg_aws_failure *out)
{
    tg_aws_failure_read(status, headers, TG_COUNT(headers), tg_slice_str(body), now_s, out);
}

static void assert_text(const tg_aws_failure *failure, const char *expected)
{
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_aws_failure_append(failure, &buf));
    tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(expected), __FILE__, __LINE__);
    tg_buf_done(&buf);
}

static void read_refusals_of_kms_gives_code_message_and_request(void **state)
{
    (void)state;
    tg_aws_failure failure;
    read(400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"not \\u00e9 yours\"}", &failure);
    assert_code(failure.result, TG_ERR_DENIED);
    assert_int_equal(failure.status, 400);
    assert_int_equal(failure.date_unix_s, now_s);
    assert_int_equal(failure.advice, TG_AWS_GIVE_UP);
    assert_text(&failure, "AccessDeniedException: not ?? yours (HTTP 400, request id-1)");
    read(400, "{\"__type\":\"com.amazonaws.kms#NotFoundException\",\"message\":\"first\\nsecond\"}", &failure);
    assert_text(&failure, "NotFoundException: first (HTTP 400, request id-1)");
    read(400, "{\"__type\":\"InvalidCiphertextException\"}", &failure);
    assert_text(&failure, "InvalidCiphertextException (HTTP 400, request id-1)");
}

static void read_refusals_of_s3_and_sts_gives_code_message_and_request(void **state)
{
    (void)state;
    tg_aws_failure failure;
    const char *body = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The key &amp; more</Message>"
                       "<Key>a</Key><RequestId>id-2</RequestId></Error>";
    tg_aws_failure_read(404, NULL, 0, tg_slice_str(body), now_s, &failure);
    assert_text(&failure, "NoSuchKey: The key & more (HTTP 404, request id-2)");
    body = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>no</Message>"
           "</Error><RequestId>id-3</RequestId></ErrorResponse>";
    tg_aws_failure_read(400, NULL, 0, tg_slice_str(body), now_s, &failure);
    assert_text(&failure, "InvalidIdentityToken: no (HTTP 400, request id-3)");
}

static void read_what_is_none_of_aws_keeps_the_status(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "", "{", "[]", "<html><body><h1>503</h1></body></html>", "{}", "<Error><Message>cut", "{\"__type\":7}", "<a/>"};
    for (size_t i = 0; i < TG_COUNT(bodies); i++) {
        tg_aws_failure failure;
        read(503, bodies[i], &failure);
        assert_int_equal(failure.advice, TG_AWS_RETRY);
        assert_text(&failure, "no error of AWS's, but HTTP 503 Service Unavailable (HTTP 503, request id-1)");
    }
    const tg_http_header typed[] = {{TG_LIT("x-amzn-errortype"), TG_LIT("ThrottlingException:http://x/")},
                                    {TG_LIT("date"), TG_LIT("yesterday")}};
    tg_aws_failure failure;
    tg_aws_failure_read(400, typed, 2, TG_LIT("{}"), now_s, &failure);
    assert_int_equal(failure.advice, TG_AWS_SLOW_DOWN);
    assert_int_equal(failure.date_unix_s, 0);
    assert_text(&failure, "ThrottlingException (HTTP 400)");
}

static void read_gives_the_advice_that_the_code_asks_for(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *code;
        tg_aws_advice advice;
    } cases[] = {
        {400, "ThrottlingException", TG_AWS_SLOW_DOWN},
        {503, "SlowDown", TG_AWS_SLOW_DOWN},
        {429, "Anything", TG_AWS_SLOW_DOWN},
        {500, "Anything", TG_AWS_RETRY},
        {501, "Anything", TG_AWS_GIVE_UP},
        {502, "Anything", TG_AWS_RETRY},
        {504, "Anything", TG_AWS_RETRY},
        {400, "KMSInternalException", TG_AWS_RETRY},
        {400, "ExpiredTokenException", TG_AWS_RENEW_KEYS},
        {400, "ExpiredToken", TG_AWS_RENEW_KEYS},
        {400, "InvalidSignatureException", TG_AWS_GIVE_UP},
        {403, "AccessDenied", TG_AWS_GIVE_UP},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char body[128];
        tg_aws_failure failure;
        snprintf(body, sizeof body, "{\"__type\":\"%s\"}", cases[i].code);
        read(cases[i].status, body, &failure);
        assert_int_equal(failure.advice, cases[i].advice);
    }
}

static void read_of_a_clock_apart_asks_to_correct_it(void **state)
{
    (void)state;
    tg_aws_failure failure;
    tg_slice body = TG_LIT("{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired\"}");
    tg_aws_failure_read(400, headers, TG_COUNT(headers), body, now_s - 241, &failure);
    assert_int_equal(failure.advice, TG_AWS_CORRECT_TIME);
    tg_aws_failure_read(400, headers, TG_COUNT(headers), body, now_s + 241, &failure);
    assert_int_equal(failure.advice, TG_AWS_CORRECT_TIME);
    tg_aws_failure_read(400, headers, TG_COUNT(headers), body, now_s + 240, &failure);
    assert_int_equal(failure.advice, TG_AWS_GIVE_UP);
    tg_aws_failure_read(400, NULL, 0, body, now_s + 9999, &failure);
    assert_int_equal(failure.advice, TG_AWS_GIVE_UP);
}

static void set_and_long_texts_are_cut(void **state)
{
    (void)state;
    tg_aws_failure failure;
    char text[2000];
    memset(text, 'a', sizeof text);
    tg_aws_failure_set(&failure, tg_fail(TG_ERR_TIMEOUT), TG_AWS_RETRY, tg_slice_of(text, sizeof text));
    assert_int_equal(strlen(failure.message), sizeof failure.message - 1);
    tg_aws_failure_set(&failure, tg_fail(TG_ERR_TIMEOUT), TG_AWS_RETRY, TG_LIT("dial"));
    assert_text(&failure, "timeout: dial");
}

static void backoff_is_spread_below_a_doubling_bound(void **state)
{
    (void)state;
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_RETRY, 1, 0), 0);
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_RETRY, 1, UINT32_MAX), 100);
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_RETRY, 2, UINT32_MAX), 200);
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_SLOW_DOWN, 1, UINT32_MAX), 500);
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_RETRY, 1, UINT32_MAX / 2), 50);
    assert_int_equal(tg_aws_backoff_ms(TG_AWS_SLOW_DOWN, 1000, UINT32_MAX), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_refusals_of_kms_gives_code_message_and_request),
        cmocka_unit_test(read_refusals_of_s3_and_sts_gives_code_message_and_request),
        cmocka_unit_test(read_what_is_none_of_aws_keeps_the_status),
        cmocka_unit_test(read_gives_the_advice_that_the_code_asks_for),
        cmocka_unit_test(read_of_a_clock_apart_asks_to_correct_it),
        cmocka_unit_test(set_and_long_texts_are_cut),
        cmocka_unit_test(backoff_is_spread_below_a_doubling_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
