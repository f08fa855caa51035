#include "support/case.h"

#include "http/response.h"

static tg_http_response_head plain_head(void)
{
    return (tg_http_response_head){.status = 200, .date = TG_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), .length = 5};
}

static void head_append_each_framing_and_option_is_written(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    const tg_http_header header = TG_HTTP_HEADER("X-A", "b\tc \xc3\xa4");
    tg_http_response_head head = plain_head();
    head.headers = &header;
    head.num_headers = 1;
    assert_ok(tg_http_response_head_append(&buf, &head));
    assert_slice(tg_buf_slice(&buf), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-A: b\tc \xc3\xa4\r\n"
                                     "Content-Length: 5\r\n\r\n");
    tg_buf_clear(&buf);
    head = plain_head();
    head.framing = TG_HTTP_SAYS_CHUNKED;
    head.connection = TG_HTTP_SAYS_KEEP_ALIVE;
    assert_ok(tg_http_response_head_append(&buf, &head));
    assert_slice(tg_buf_slice(&buf), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                     "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
    tg_buf_clear(&buf);
    head = plain_head();
    head.status = 299;
    head.framing = TG_HTTP_SAYS_NO_LENGTH;
    head.connection = TG_HTTP_SAYS_CLOSE;
    assert_ok(tg_http_response_head_append(&buf, &head));
    assert_slice(tg_buf_slice(&buf),
                 "HTTP/1.1 299 \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n");
    tg_buf_done(&buf);
}

/* The longest of everything that the server itself writes fits into what is reserved for it. */
static void head_append_longest_own_fields_fit(void **state)
{
    (void)state;
    for (unsigned status = 200; status < 600; status++) {
        tg_buf buf;
        tg_buf_init(&buf, 4096);
        tg_http_response_head head = plain_head();
        head.status = status;
        head.length = UINT64_MAX;
        head.connection = TG_HTTP_SAYS_KEEP_ALIVE;
        assert_ok(tg_http_response_head_append(&buf, &head));
        assert_true(tg_buf_len(&buf) <= 256);
        tg_buf_done(&buf);
    }
}

static void head_append_status_outside_range_or_full_buffer_changes_nothing(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 100);
    tg_http_response_head head = plain_head();
    assert_code(tg_http_response_head_append(&buf, &head), TG_ERR_LIMIT);
    head.status = 199;
    assert_code(tg_http_response_head_append(&buf, &head), TG_ERR_RANGE);
    head.status = 600;
    assert_code(tg_http_response_head_append(&buf, &head), TG_ERR_RANGE);
    assert_int_equal(tg_buf_len(&buf), 0);
    tg_buf_done(&buf);
}

static void error_append_foreign_pointer_is_escaped(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_http_error_append(&buf, "bad_request", "No.", TG_LIT("/a\"\\\n")));
    assert_slice(tg_buf_slice(&buf), "{\"code\":\"bad_request\",\"message\":\"No.\",\"pointer\":\"/a\\\"\\\\\\n\"}");
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(head_append_each_framing_and_option_is_written),
        cmocka_unit_test(head_append_longest_own_fields_fit),
        cmocka_unit_test(head_append_status_outside_range_or_full_buffer_changes_nothing),
        cmocka_unit_test(error_append_foreign_pointer_is_escaped),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
