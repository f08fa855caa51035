#include "support/case.h"

#include "http/framing.h"

#include <stdio.h>

static tg_http_head_parser parser;

static tg_http_head parse(tg_http_head_kind kind, const char *start_line, const char *fields)
{
    static char text[4096];
    tg_http_head head;
    int len = snprintf(text, sizeof text, "%s\r\n%s\r\n", start_line, fields);
    tg_http_head_start(&parser, kind, &(tg_http_head_limits){16384, 100, 8192});
    assert_ok(tg_http_head_parse(&parser, tg_slice_of(text, (size_t)len), &head));
    return head;
}

static tg_http_refusal frame(const char *fields, tg_http_framing *out_framing)
{
    tg_http_head head = parse(TG_HTTP_REQUEST_HEAD, "POST / HTTP/1.1", fields);
    return tg_http_frame_request(&head, out_framing);
}

static tg_http_refusal frame_old(const char *fields, tg_http_framing *out_framing)
{
    tg_http_head head = parse(TG_HTTP_REQUEST_HEAD, "POST / HTTP/1.0", fields);
    return tg_http_frame_request(&head, out_framing);
}

static tg_http_refusal frame_answer(const char *status_line, const char *fields, bool answers_head,
                                    tg_http_framing *out_framing)
{
    tg_http_head head = parse(TG_HTTP_RESPONSE_HEAD, status_line, fields);
    return tg_http_frame_response(&head, answers_head, out_framing);
}

static void frame_request_bodies_are_told_apart(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame("Host: a\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_NONE);
    assert_true(framing.keeps_alive);
    assert_slice(framing.host, "a");
    assert_int_equal(frame("hOST: a\r\ncontent-length: 007\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_LENGTH);
    assert_int_equal(framing.length, 7);
    assert_int_equal(frame("Host: a\r\nContent-Length: 0\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_NONE);
    assert_int_equal(frame("Host: a\r\nTransfer-Encoding: Chunked\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_CHUNKED);
    assert_int_equal(frame("Host: a\r\nContent-Length: 9223372036854775807\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_true(framing.length == INT64_MAX);
}

static void frame_request_smuggling_forms_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        tg_http_refusal refusal;
    } wrong[] = {
        {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", TG_HTTP_LENGTH_WITH_CODING},
        {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", TG_HTTP_LENGTH_WITH_CODING},
        {"Transfer-Encoding: identity\r\nContent-Length: 1\r\n", TG_HTTP_LENGTH_WITH_CODING},
        {"Transfer-Encoding:\r\nContent-Length: 1\r\n", TG_HTTP_LENGTH_WITH_CODING},
        {"Content-Length: 1\r\nContent-Length: 1\r\n", TG_HTTP_LENGTH_REPEATED},
        {"Content-Length: 1\r\nContent-Length: 2\r\n", TG_HTTP_LENGTH_REPEATED},
        {"Content-Length: 1, 1\r\n", TG_HTTP_LENGTH_REPEATED},
        {"Content-Length: 1,\r\n", TG_HTTP_LENGTH_REPEATED},
        {"Content-Length:\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: +1\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: -1\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: 0x1\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: 1 1\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: 1.0\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: 9223372036854775808\r\n", TG_HTTP_BAD_LENGTH},
        {"Content-Length: 18446744073709551617\r\n", TG_HTTP_BAD_LENGTH},
        {"Transfer-Encoding:\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: identity\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: gzip, chunked\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked, chunked\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked, identity\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked,\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked;q=1\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: \"chunked\"\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: xchunked\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", TG_HTTP_CODING_UNSUPPORTED},
        {"Host: a\r\n", TG_HTTP_HOST_REPEATED},
        {"Expect: 200-ok\r\n", TG_HTTP_BAD_EXPECTATION},
        {"Expect: 100-continue, x\r\n", TG_HTTP_BAD_EXPECTATION},
        {"Expect: 100-continue\r\nExpect: x\r\n", TG_HTTP_BAD_EXPECTATION},
    };
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        char fields[512];
        tg_http_framing framing;
        snprintf(fields, sizeof fields, "Host: a\r\n%s", wrong[i].fields);
        assert_string_equal(tg_http_refusal_name(frame(fields, &framing)), tg_http_refusal_name(wrong[i].refusal));
    }
}

static void frame_request_host_is_asked_for_and_checked(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame("", &framing), TG_HTTP_HOST_MISSING);
    assert_int_equal(frame("Host:\r\n", &framing), TG_HTTP_BAD_HOST);
    assert_int_equal(frame("Host: a b\r\n", &framing), TG_HTTP_BAD_HOST);
    assert_int_equal(frame("Host: u@a\r\n", &framing), TG_HTTP_BAD_HOST);
    assert_int_equal(frame("Host: a/b\r\n", &framing), TG_HTTP_BAD_HOST);
    assert_int_equal(frame_old("", &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(frame_old("Host: a\r\nHost: a\r\n", &framing), TG_HTTP_HOST_REPEATED);
    assert_int_equal(frame_old("Host: a b\r\n", &framing), TG_HTTP_BAD_HOST);
}

static void frame_request_connection_options_decide_what_follows(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame("Host: a\r\nConnection: x, ClosE , y\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_false(framing.keeps_alive);
    assert_true(framing.says_close);
    assert_int_equal(frame("Host: a\r\nConnection: closed\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_true(framing.keeps_alive);
    assert_int_equal(frame("Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n", &framing),
                     TG_HTTP_NOT_REFUSED);
    assert_false(framing.keeps_alive);
    assert_int_equal(frame_old("", &framing), TG_HTTP_NOT_REFUSED);
    assert_false(framing.keeps_alive);
    assert_false(framing.says_close);
    assert_int_equal(frame_old("Connection: Keep-Alive\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_true(framing.keeps_alive);
}

static void frame_request_expectation_counts_with_a_body_in_1_1(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame("Host: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_true(framing.expects_continue);
    assert_int_equal(frame("Host: a\r\nExpect: 100-continue\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_false(framing.expects_continue);
    assert_int_equal(frame_old("Expect: 100-continue\r\nContent-Length: 1\r\n", &framing), TG_HTTP_NOT_REFUSED);
    assert_false(framing.expects_continue);
    assert_int_equal(frame_old("Expect: other\r\n", &framing), TG_HTTP_NOT_REFUSED);
}

static void frame_request_coding_in_1_0_is_refused(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame_old("Transfer-Encoding: chunked\r\n", &framing), TG_HTTP_CODING_NOT_IN_1_0);
}

static void frame_response_bodies_are_told_apart(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(frame_answer("HTTP/1.1 200 OK", "Content-Length: 5\r\n", false, &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_LENGTH);
    assert_int_equal(frame_answer("HTTP/1.1 200 OK", "Content-Length: 5\r\n", true, &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_NONE);
    assert_true(framing.keeps_alive);
    assert_int_equal(frame_answer("HTTP/1.1 200 OK", "", false, &framing), TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_TO_END);
    assert_false(framing.keeps_alive);
    assert_int_equal(frame_answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", false, &framing),
                     TG_HTTP_NOT_REFUSED);
    assert_int_equal(framing.body, TG_HTTP_BODY_CHUNKED);
    static const char *const empty[] = {"HTTP/1.1 100 C", "HTTP/1.1 204 N", "HTTP/1.1 304 N"};
    for (size_t i = 0; i < TG_COUNT(empty); i++) {
        assert_int_equal(frame_answer(empty[i], "Content-Length: 5\r\n", false, &framing), TG_HTTP_NOT_REFUSED);
        assert_int_equal(framing.body, TG_HTTP_BODY_NONE);
        assert_true(framing.keeps_alive);
    }
}

static void frame_response_ambiguous_lengths_are_refused(void **state)
{
    (void)state;
    tg_http_framing framing;
    assert_int_equal(
        frame_answer("HTTP/1.1 200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", false, &framing),
        TG_HTTP_LENGTH_WITH_CODING);
    assert_int_equal(frame_answer("HTTP/1.1 200 OK", "Content-Length: 5\r\nContent-Length: 5\r\n", false, &framing),
                     TG_HTTP_LENGTH_REPEATED);
    assert_int_equal(frame_answer("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n", false, &framing),
                     TG_HTTP_CODING_NOT_IN_1_0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(frame_request_bodies_are_told_apart),
        cmocka_unit_test(frame_request_smuggling_forms_are_refused),
        cmocka_unit_test(frame_request_host_is_asked_for_and_checked),
        cmocka_unit_test(frame_request_connection_options_decide_what_follows),
        cmocka_unit_test(frame_request_expectation_counts_with_a_body_in_1_1),
        cmocka_unit_test(frame_request_coding_in_1_0_is_refused),
        cmocka_unit_test(frame_response_bodies_are_told_apart),
        cmocka_unit_test(frame_response_ambiguous_lengths_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
