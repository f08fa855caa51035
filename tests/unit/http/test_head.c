#include "support/case.h"

#include "http/head.h"

#include <stdlib.h>

static const tg_http_head_limits limits = {16384, 100, 8192};
static tg_http_head_parser parser;

static const char plain_request[] = "POST /encrypt?x=1 HTTP/1.1\r\n"
                                    "Host: tee.example\r\n"
                                    "X-Empty:\r\n"
                                    "X-Blank: \t \r\n"
                                    "Content-Length:  2\t\r\n"
                                    "\r\n"
                                    "{}";

static tg_result parse(tg_http_head_kind kind, tg_slice bytes, tg_http_head *out_head)
{
    tg_http_head_start(&parser, kind, &limits);
    return tg_http_head_parse(&parser, bytes, out_head);
}

static void check_plain_request(const tg_http_head *head)
{
    assert_slice(head->method, "POST");
    assert_slice(head->target, "/encrypt?x=1");
    assert_int_equal(head->minor_version, 1);
    assert_int_equal(head->num_headers, 4);
    assert_slice(head->headers[0].name, "Host");
    assert_slice(head->headers[0].value, "tee.example");
    assert_slice(head->headers[1].value, "");
    assert_slice(head->headers[2].value, "");
    assert_slice(head->headers[3].name, "Content-Length");
    assert_slice(head->headers[3].value, "2");
    assert_int_equal(head->len, sizeof plain_request - 1 - 2);
}

static void parse_whole_request_gives_its_parts(void **state)
{
    (void)state;
    tg_http_head head;
    assert_ok(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(plain_request, sizeof plain_request - 1), &head));
    check_plain_request(&head);
}

/* The bytes move between the calls, as they may. */
static void parse_every_split_gives_the_same(void **state)
{
    (void)state;
    tg_slice bytes = tg_slice_of(plain_request, sizeof plain_request - 1);
    size_t head_len = bytes.len - 2;
    for (size_t split = 0; split < head_len; split++) {
        tg_http_head head;
        uint8_t *first = malloc(split + 1);
        assert_non_null(first);
        memcpy(first, bytes.ptr, split);
        tg_http_head_start(&parser, TG_HTTP_REQUEST_HEAD, &limits);
        assert_code(tg_http_head_parse(&parser, tg_slice_of(first, split), &head), TG_ERR_AGAIN);
        free(first);
        assert_ok(tg_http_head_parse(&parser, bytes, &head));
        check_plain_request(&head);
    }
}

static void parse_one_byte_at_a_time_gives_the_same(void **state)
{
    (void)state;
    tg_slice bytes = tg_slice_of(plain_request, sizeof plain_request - 1);
    tg_http_head head;
    tg_http_head_start(&parser, TG_HTTP_REQUEST_HEAD, &limits);
    for (size_t len = 0; len < bytes.len - 2; len++) {
        assert_code(tg_http_head_parse(&parser, tg_slice_first(bytes, len), &head), TG_ERR_AGAIN);
    }
    assert_ok(tg_http_head_parse(&parser, tg_slice_first(bytes, bytes.len - 2), &head));
    check_plain_request(&head);
}

static void parse_empty_lines_before_request_are_skipped_up_to_two(void **state)
{
    (void)state;
    tg_http_head head;
    assert_ok(parse(TG_HTTP_REQUEST_HEAD, TG_LIT("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), &head));
    assert_slice(head.method, "GET");
    assert_int_equal(head.minor_version, 0);
    assert_int_equal(head.len, 22);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, TG_LIT("\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n"), &head), TG_ERR_SYNTAX);
    assert_code(parse(TG_HTTP_RESPONSE_HEAD, TG_LIT("\r\nHTTP/1.1 200 OK\r\n\r\n"), &head), TG_ERR_SYNTAX);
}

static void parse_response_gives_status_and_reason(void **state)
{
    (void)state;
    tg_http_head head;
    assert_ok(parse(TG_HTTP_RESPONSE_HEAD, TG_LIT("HTTP/1.1 404 Not \xc3\xa0 Found\r\nA: b\r\n\r\n"), &head));
    assert_int_equal(head.status, 404);
    assert_slice(head.reason, "Not \xc3\xa0 Found");
    assert_slice(head.headers[0].value, "b");
    assert_ok(parse(TG_HTTP_RESPONSE_HEAD, TG_LIT("HTTP/1.0 200 \r\n\r\n"), &head));
    assert_slice(head.reason, "");
    assert_ok(parse(TG_HTTP_RESPONSE_HEAD, TG_LIT("HTTP/1.0 599\r\n\r\n"), &head));
    assert_int_equal(head.status, 599);
}

/* Each is refused for this reason when seen whole, and refused too when it comes byte by byte. */
static const struct {
    tg_http_head_kind kind;
    tg_http_refusal refusal;
    tg_slice bytes;
} refused[] = {
#define REQUEST(refusal, text)                                                                                         \
    {                                                                                                                  \
        TG_HTTP_REQUEST_HEAD, refusal,                                                                                 \
        {                                                                                                              \
            (const uint8_t *)(text), sizeof(text) - 1                                                                  \
        }                                                                                                              \
    }
#define RESPONSE(refusal, text)                                                                                        \
    {                                                                                                                  \
        TG_HTTP_RESPONSE_HEAD, refusal,                                                                                \
        {                                                                                                              \
            (const uint8_t *)(text), sizeof(text) - 1                                                                  \
        }                                                                                                              \
    }
    REQUEST(TG_HTTP_BARE_LF, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    REQUEST(TG_HTTP_BARE_LF, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    REQUEST(TG_HTTP_BARE_LF, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    REQUEST(TG_HTTP_BARE_LF, "\nGET / HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_BYTE, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_BYTE, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_BYTE, "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_BYTE, "GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_BYTE, "GET / HTTP/1.1\r\nX: 0123456789\x01 0123456789\r\n\r\n"),
    REQUEST(TG_HTTP_FOLDED_LINE, "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
    REQUEST(TG_HTTP_FOLDED_LINE, "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\n: a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\nHost\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\nH\0st: a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\nH\xc3\xb6st: a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_FIELD_NAME, "GET / HTTP/1.1\r\nHost(a): a\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_METHOD, " GET / HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_METHOD, "GE(T / HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_METHOD, "GET\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_METHOD, "\x16\x03\x01\x02\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_TARGET, "GET  / HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_TARGET, "GET /\xc3\xa4 HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_TARGET, "GET /\t HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_TARGET, "GET /\0 HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET /\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET / \r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET /  HTTP/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET / HTTP/1.1 \r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET / http/1.1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET / HTTP/1,1\r\n\r\n"),
    REQUEST(TG_HTTP_BAD_VERSION, "GET / HTTP/11.1\r\n\r\n"),
    REQUEST(TG_HTTP_VERSION_UNSUPPORTED, "GET / HTTP/1.2\r\n\r\n"),
    REQUEST(TG_HTTP_VERSION_UNSUPPORTED, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    REQUEST(TG_HTTP_VERSION_UNSUPPORTED, "GET / HTTP/0.9\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_VERSION, "HTP/1.1 200 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_VERSION, "HTTP\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_VERSION, "\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1  200 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1\t200 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1 20 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1 2000 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1 099 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1 600 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_STATUS, "HTTP/1.1 -20 OK\r\n\r\n"),
    RESPONSE(TG_HTTP_BAD_BYTE, "HTTP/1.1 200 O\x01K\r\n\r\n"),
};

static void parse_broken_heads_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        tg_http_head head;
        tg_result result = parse(refused[i].kind, refused[i].bytes, &head);
        assert_false(tg_is_ok(result) || result.code == TG_ERR_AGAIN);
        assert_string_equal(tg_http_refusal_name(parser.refusal), tg_http_refusal_name(refused[i].refusal));
        assert_int_equal(tg_http_head_parse(&parser, refused[i].bytes, &head).code, result.code);
    }
}

static void parse_broken_heads_byte_by_byte_are_refused_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        tg_http_head head;
        tg_result result = tg_fail(TG_ERR_AGAIN);
        tg_http_head_start(&parser, refused[i].kind, &limits);
        for (size_t len = 1; len <= refused[i].bytes.len && result.code == TG_ERR_AGAIN; len++) {
            result = tg_http_head_parse(&parser, tg_slice_first(refused[i].bytes, len), &head);
        }
        assert_false(tg_is_ok(result) || result.code == TG_ERR_AGAIN);
        assert_int_equal(tg_http_refusal_status(parser.refusal), tg_http_refusal_status(refused[i].refusal));
    }
}

static void parse_control_byte_in_unfinished_line_is_refused_at_once(void **state)
{
    (void)state;
    tg_http_head head;
    assert_code(parse(TG_HTTP_REQUEST_HEAD, TG_LIT("\x16\x03\x01"), &head), TG_ERR_SYNTAX);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, TG_LIT("GET / HTTP/1.1\r\nA: b\rc"), &head), TG_ERR_SYNTAX);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, TG_LIT("GET / HTTP/1.1\r\nA: b\r"), &head), TG_ERR_AGAIN);
}

/* A head of exactly `len` bytes. */
static size_t make_head(char *out, size_t len)
{
    const char *begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    size_t at = strlen(begin);
    memcpy(out, begin, at);
    memset(out + at, 'x', len - at - 4);
    memcpy(out + len - 4, "\r\n\r\n", 4);
    return len;
}

static void parse_head_at_limit_is_taken_and_one_over_refused(void **state)
{
    (void)state;
    static char text[16385];
    tg_http_head head;
    assert_ok(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, make_head(text, 16384)), &head));
    assert_int_equal(head.len, 16384);
    make_head(text, 16385);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 16385), &head), TG_ERR_LIMIT);
    assert_int_equal(parser.refusal, TG_HTTP_HEAD_TOO_LARGE);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 16384), &head), TG_ERR_LIMIT);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 16383), &head), TG_ERR_AGAIN);
}

static void parse_fields_at_limit_are_taken_and_one_over_refused(void **state)
{
    (void)state;
    char text[2048] = "GET / HTTP/1.1\r\n";
    size_t len = strlen(text);
    for (size_t i = 0; i < 100; i++) {
        memcpy(text + len, "A: b\r\n", 6);
        len += 6;
    }
    memcpy(text + len, "\r\n", 2);
    tg_http_head head;
    assert_ok(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, len + 2), &head));
    assert_int_equal(head.num_headers, 100);
    memcpy(text + len, "A: b\r\n\r\n", 8);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, len + 8), &head), TG_ERR_LIMIT);
    assert_int_equal(parser.refusal, TG_HTTP_TOO_MANY_FIELDS);
}

static void parse_target_at_limit_is_taken_and_one_over_refused(void **state)
{
    (void)state;
    static char text[9000] = "GET /";
    tg_http_head head;
    memset(text + 5, 'a', 8191);
    memcpy(text + 5 + 8191, " HTTP/1.1\r\n\r\n", 13);
    assert_ok(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 5 + 8191 + 13), &head));
    assert_int_equal(head.target.len, 8192);
    memset(text + 5, 'a', 8192);
    memcpy(text + 5 + 8192, " HTTP/1.1\r\n\r\n", 13);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 5 + 8192 + 13), &head), TG_ERR_LIMIT);
    assert_int_equal(parser.refusal, TG_HTTP_TARGET_TOO_LONG);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 4 + 8192), &head), TG_ERR_AGAIN);
    assert_code(parse(TG_HTTP_REQUEST_HEAD, tg_slice_of(text, 4 + 8193), &head), TG_ERR_LIMIT);
}

static void start_limits_above_storage_are_lowered(void **state)
{
    (void)state;
    tg_http_head_start(&parser, TG_HTTP_REQUEST_HEAD, &(tg_http_head_limits){UINT32_MAX, UINT32_MAX, UINT32_MAX});
    assert_int_equal(parser.limits.head_bytes, TG_HTTP_MAX_HEAD_BYTES);
    assert_int_equal(parser.limits.num_fields, TG_HTTP_MAX_FIELDS);
    assert_int_equal(parser.limits.target_bytes, TG_HTTP_MAX_HEAD_BYTES);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_whole_request_gives_its_parts),
        cmocka_unit_test(parse_every_split_gives_the_same),
        cmocka_unit_test(parse_one_byte_at_a_time_gives_the_same),
        cmocka_unit_test(parse_empty_lines_before_request_are_skipped_up_to_two),
        cmocka_unit_test(parse_response_gives_status_and_reason),
        cmocka_unit_test(parse_broken_heads_are_refused_by_name),
        cmocka_unit_test(parse_broken_heads_byte_by_byte_are_refused_alike),
        cmocka_unit_test(parse_control_byte_in_unfinished_line_is_refused_at_once),
        cmocka_unit_test(parse_head_at_limit_is_taken_and_one_over_refused),
        cmocka_unit_test(parse_fields_at_limit_are_taken_and_one_over_refused),
        cmocka_unit_test(parse_target_at_limit_is_taken_and_one_over_refused),
        cmocka_unit_test(start_limits_above_storage_are_lowered),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
