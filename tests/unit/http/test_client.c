#include "client_case.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 5\r\n\r\nhello"
#define GET_HEAD "GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n"

static void call_start_get_sends_the_head_and_collects_the_answer(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    assert_slice(heard(at, 0), GET_HEAD);
    assert_int_equal(at->num_done, 0);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(at->status, 200);
    assert_string_equal(at->header, "yes");
    assert_string_equal(at->text, "done");
    assert_slice(tg_buf_slice(&at->body), "hello");
    assert_true(at->may_be_processed);
    close_case(at);
}

static void call_start_post_sends_the_body_with_its_length(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    const tg_http_header type = TG_HTTP_HEADER("Content-Type", "application/x-amz-json-1.1");
    ask_with(at, &(tg_http_ask){.method = TG_LIT("POST"),
                                .target = TG_LIT("/a?b=c"),
                                .headers = &type,
                                .num_headers = 1,
                                .body = TG_LIT("{}")});
    case_settle(at);
    assert_slice(heard(at, 0), "POST /a?b=c HTTP/1.1\r\nHost: api.test:8443\r\n"
                               "Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}");
    close_case(at);
    assert_int_equal(the_case.code, TG_ERR_CANCELLED);
}

static void call_start_what_no_request_may_hold_is_refused(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    const struct {
        tg_slice method;
        tg_slice target;
        tg_http_header header;
        tg_code code;
    } cases[] = {
        {TG_LIT(""), TG_LIT("/"), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("G T"), TG_LIT("/"), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("CONNECT"), TG_LIT("/"), TG_HTTP_HEADER("A", "b"), TG_ERR_UNSUPPORTED},
        {TG_LIT("GET"), TG_LIT("/a b"), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT(""), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("http://x/"), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/\r\nX: y"), TG_HTTP_HEADER("A", "b"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("A\r\nB", "b"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("A", "b\r\nC: d"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("host", "evil"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("Content-length", "3"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("Transfer-Encoding", "chunked"), TG_ERR_SYNTAX},
        {TG_LIT("GET"), TG_LIT("/"), TG_HTTP_HEADER("Expect", "100-continue"), TG_ERR_SYNTAX},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_http_ask ask = {
            .method = cases[i].method, .target = cases[i].target, .headers = &cases[i].header, .num_headers = 1};
        assert_code(tg_http_call_start(at->client, &ask, &collecting, at, NULL), cases[i].code);
    }
    assert_int_equal(tg_http_client_counts_of(at->client).num_calls, 0);
    close_case(at);
}

static void client_new_authority_that_is_none_is_refused(void **state)
{
    (void)state;
    tg_http_client *client = NULL;
    assert_code(tg_http_client_new(NULL, NULL, TG_LIT("a b"), NULL, &client), TG_ERR_SYNTAX);
    assert_code(tg_http_client_new(NULL, NULL, TG_LIT(""), NULL, &client), TG_ERR_SYNTAX);
    assert_null(client);
    tg_http_client_free(NULL);
    tg_http_call_cancel(NULL);
}

static void call_start_answer_in_single_bytes_is_the_same(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->step = 1;
    get(at);
    say(at, 0,
        TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Test: 1\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_OK);
    assert_string_equal(at->header, "1");
    assert_slice(tg_buf_slice(&at->body), "hello");
    assert_int_equal(tg_http_client_counts_of(at->client).num_kept, 1);
    close_case(at);
}

static void call_start_second_call_goes_over_the_kept_connection(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->asks_again = true; /* the first's handler already finds its connection */
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    say(at, 0, TG_LIT(OK_HELLO));
    get(at);
    say(at, 0, TG_LIT(OK_HELLO));
    assert_int_equal(at->num_done, 3);
    assert_int_equal(at->num_origins, 1);
    assert_true(at->is_reused);
    assert_slice(heard(at, 0), GET_HEAD "GET /again HTTP/1.1\r\nHost: api.test:8443\r\n\r\n" GET_HEAD);
    tg_http_client_counts counts = tg_http_client_counts_of(at->client);
    assert_int_equal(counts.num_reused, 2);
    assert_int_equal(counts.num_connected, 1);
    assert_int_equal(counts.num_connections, 1);
    close_case(at);
}

/* Each answer is right, and the connection must not be used behind it. */
static void call_start_doubtful_connection_is_not_used_again(void **state)
{
    (void)state;
    static const tg_slice answers[] = {
        TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
        TG_LIT("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n"),
        TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n0"),
        TG_LIT("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n"),
        TG_LIT("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
        TG_LIT("HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nok"),
    };
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        client_case *at = open_case(NULL);
        get(at);
        say(at, 0, answers[i]);
        assert_int_equal(at->num_done, 1);
        assert_int_equal(at->code, TG_OK);
        assert_true(at->origins[0]->is_closed);
        get(at);
        assert_int_equal(at->num_origins, 2);
        say(at, 1, TG_LIT(OK_HELLO));
        assert_slice(tg_buf_slice(&at->body), "hello");
        assert_false(at->is_reused);
        close_case(at);
    }
}

static void call_start_answer_without_length_goes_to_the_end(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\n\r\nall of "));
    assert_int_equal(at->num_done, 0);
    say_last(at, 0, TG_LIT("this"));
    assert_int_equal(at->code, TG_OK);
    assert_slice(tg_buf_slice(&at->body), "all of this");
    assert_int_equal(tg_http_client_counts_of(at->client).num_connections, 0);
    close_case(at);
}

/* A reset, or over TLS an end without close_notify: nobody knows how much is missing. */
static void call_start_answer_without_length_that_breaks_is_not_whole(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\n\r\nall of "));
    at->origins[0]->is_broken = true;
    case_settle(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_ERR_CLOSED);
    assert_int_equal(at->stage, TG_HTTP_STAGE_BODY);
    assert_slice(tg_buf_slice(&at->body), "all of ");
    close_case(at);
}

static void call_start_answers_without_body_end_at_the_head(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    ask_with(at, &(tg_http_ask){.method = TG_LIT("HEAD"), .target = TG_LIT("/")});
    case_settle(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    assert_int_equal(at->num_done, 1);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n"));
    assert_int_equal(at->num_done, 2);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_int_equal(at->num_done, 3);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert_int_equal(at->num_done, 4);
    assert_int_equal(at->num_origins, 1);
    close_case(at);
}

static void call_start_interim_answers_are_passed_over(void **state)
{
    (void)state;
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_interim = 2;
    client_case *at = open_case(&limits);
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_HELLO));
    assert_int_equal(at->code, TG_OK);
    assert_int_equal(at->num_heads, 1);
    assert_slice(tg_buf_slice(&at->body), "hello");
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 100 A\r\n\r\nHTTP/1.1 102 B\r\n\r\nHTTP/1.1 103 C\r\n\r\n" OK_HELLO));
    assert_int_equal(at->num_done, 2);
    assert_int_equal(at->code, TG_ERR_LIMIT);
    get(at);
    say(at, 1, TG_LIT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"));
    assert_int_equal(at->code, TG_ERR_UNSUPPORTED);
    assert_int_equal(at->stage, TG_HTTP_STAGE_HEAD);
    close_case(at);
}

static void call_start_answers_that_can_be_read_twice_are_refused(void **state)
{
    (void)state;
    static const struct {
        tg_slice answer;
        tg_code code;
        tg_http_refusal refusal;
    } cases[] = {
        {TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), TG_ERR_SYNTAX,
         TG_HTTP_LENGTH_WITH_CODING},
        {TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"), TG_ERR_SYNTAX,
         TG_HTTP_LENGTH_REPEATED},
        {TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"), TG_ERR_SYNTAX, TG_HTTP_BAD_LENGTH},
        {TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), TG_ERR_UNSUPPORTED,
         TG_HTTP_CODING_UNSUPPORTED},
        {TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok"), TG_ERR_SYNTAX, TG_HTTP_BAD_CHUNK},
        {TG_LIT("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), TG_ERR_SYNTAX, TG_HTTP_BARE_LF},
        {TG_LIT("HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n"), TG_ERR_SYNTAX, TG_HTTP_FOLDED_LINE},
        {TG_LIT("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), TG_ERR_SYNTAX, TG_HTTP_BAD_BYTE},
        {TG_LIT("HTTP/2.0 200 OK\r\n\r\n"), TG_ERR_UNSUPPORTED, TG_HTTP_VERSION_UNSUPPORTED},
        {TG_LIT("<html><body>It works</body></html>\r\n"), TG_ERR_SYNTAX, TG_HTTP_BAD_VERSION},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        client_case *at = open_case(NULL);
        get(at);
        say(at, 0, cases[i].answer);
        assert_int_equal(at->num_done, 1);
        assert_int_equal(at->code, cases[i].code);
        assert_int_equal(at->refusal, cases[i].refusal);
        assert_true(at->may_be_processed);
        assert_true(at->origins[0]->is_closed);
        close_case(at);
    }
}

static void call_start_answer_cut_at_every_byte_is_never_whole(void **state)
{
    (void)state;
    static const tg_slice answers[] = {
        TG_LIT("HTTP/1.1 100 C\r\n\r\n" OK_HELLO),
        TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=\"y\"\r\nlo\r\n0\r\nA: b\r\n\r\n"),
    };
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        for (size_t len = 0; len <= answers[i].len; len++) {
            for (unsigned is_reset = 0; is_reset < 2; is_reset++) {
                client_case *at = open_case(NULL);
                get(at);
                at->origins[0]->is_broken = is_reset != 0;
                say_last(at, 0, tg_slice_first(answers[i], len));
                assert_int_equal(at->num_done, 1);
                assert_int_equal(at->code == TG_OK, len == answers[i].len);
                assert_true(len == answers[i].len || at->code == TG_ERR_TRUNCATED || at->code == TG_ERR_CLOSED);
                assert_int_equal(at->num_origins, 1); /* never asked twice */
                close_case(at);
            }
        }
    }
}

static void call_start_cut_answer_shows_its_status(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    get(at);
    say_last(at, 0, TG_LIT("HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhel"));
    assert_int_equal(at->code, TG_ERR_TRUNCATED);
    assert_int_equal(at->status, 503);
    assert_int_equal(at->stage, TG_HTTP_STAGE_BODY);
    assert_string_equal(at->text, "body: the answer ends within its body: as the test wanted");
    close_case(at);
}

static void call_start_limits_of_the_answer_are_kept(void **state)
{
    (void)state;
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.body_bytes = 5;
    limits.head_bytes = 128;
    limits.num_fields = 2;
    static const struct {
        tg_slice answer;
        bool is_fine;
    } cases[] = {
        {TG_LIT(OK_HELLO), true},
        {TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"), false},
        {TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"), false},
        {TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), true},
        {TG_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n"), false},
        {TG_LIT("HTTP/1.1 200 OK\r\n\r\nhello"), true},
        {TG_LIT("HTTP/1.1 200 OK\r\n\r\nhello!"), false},
        {TG_LIT("HTTP/1.1 200 OK\r\nA: b\r\nB: c\r\nContent-Length: 0\r\n\r\n"), false},
        {TG_LIT("HTTP/1.1 200 OK\r\nA: 0123456789012345678901234567890123456789012345678901234567890123456789"
                "0123456789012345678901234567890123456789\r\n\r\n"),
         false},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        client_case *at = open_case(&limits);
        get(at);
        say_last(at, 0, cases[i].answer);
        assert_int_equal(at->num_done, 1);
        assert_int_equal(at->code, cases[i].is_fine ? TG_OK : TG_ERR_LIMIT);
        close_case(at);
    }
}

static void call_start_hundred_megabytes_are_refused_early(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    static uint8_t piece[65536];
    get(at);
    say(at, 0, TG_LIT("HTTP/1.1 200 OK\r\n\r\n"));
    for (unsigned i = 0; i < 1600 && at->num_done == 0; i++) {
        say(at, 0, tg_slice_of(piece, sizeof piece));
    }
    assert_int_equal(at->code, TG_ERR_LIMIT);
    assert_int_equal(at->refusal, TG_HTTP_BODY_TOO_LARGE);
    assert_true(tg_buf_len(&at->origins[0]->out) > 0);
    close_case(at);
}

static void call_start_origin_that_speaks_first_is_refused(void **state)
{
    (void)state;
    client_case *at = open_case(NULL);
    at->greeting = TG_LIT(OK_HELLO);
    at->window = 0;
    get(at);
    assert_int_equal(at->num_done, 1);
    assert_int_equal(at->code, TG_ERR_SYNTAX);
    assert_false(at->may_be_processed);
    close_case(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_start_get_sends_the_head_and_collects_the_answer),
        cmocka_unit_test(call_start_post_sends_the_body_with_its_length),
        cmocka_unit_test(call_start_what_no_request_may_hold_is_refused),
        cmocka_unit_test(client_new_authority_that_is_none_is_refused),
        cmocka_unit_test(call_start_answer_in_single_bytes_is_the_same),
        cmocka_unit_test(call_start_second_call_goes_over_the_kept_connection),
        cmocka_unit_test(call_start_doubtful_connection_is_not_used_again),
        cmocka_unit_test(call_start_answer_without_length_goes_to_the_end),
        cmocka_unit_test(call_start_answer_without_length_that_breaks_is_not_whole),
        cmocka_unit_test(call_start_answers_without_body_end_at_the_head),
        cmocka_unit_test(call_start_interim_answers_are_passed_over),
        cmocka_unit_test(call_start_answers_that_can_be_read_twice_are_refused),
        cmocka_unit_test(call_start_answer_cut_at_every_byte_is_never_whole),
        cmocka_unit_test(call_start_cut_answer_shows_its_status),
        cmocka_unit_test(call_start_limits_of_the_answer_are_kept),
        cmocka_unit_test(call_start_hundred_megabytes_are_refused_early),
        cmocka_unit_test(call_start_origin_that_speaks_first_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
