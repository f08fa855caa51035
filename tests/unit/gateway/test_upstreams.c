#include "unit/gateway/upstream_case.h"

#include "gateway/upstream_fault.h"
#include "support/logged.h"

#define PLAIN  "http://localhost:8080/process"
#define SECURE "https://backend.example:8443/process"

/* What the last call saw. */
static struct {
    unsigned num_done;
    tg_code code;
    unsigned status;
    tg_gateway_fault fault;
    char body[256];
} seen;

static void on_head(tg_http_call *call, const tg_http_answer *answer, void *owner)
{
    (void)call;
    (void)owner;
    seen.status = answer->status;
}

static void on_body(tg_http_call *call, tg_slice piece, void *owner)
{
    (void)call;
    (void)owner;
    assert_true(strlen(seen.body) + piece.len < sizeof seen.body);
    strncat(seen.body, (const char *)piece.ptr, piece.len);
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)call;
    (void)owner;
    seen.num_done++;
    seen.code = outcome->result.code;
    if (!tg_is_ok(outcome->result)) {
        seen.fault = tg_upstream_fault_of(outcome);
    }
}

static const tg_http_call_handlers handlers = {.on_head = on_head, .on_body = on_body, .on_done = on_done};

static tg_result find(const char *url, tg_upstream **out_upstream, tg_gateway_fault *fault)
{
    const tg_upstream_target target = {.url = tg_slice_str(url)};
    tg_slice path;
    return tg_upstreams_find(up.upstreams, &target, out_upstream, &path, fault);
}

static tg_upstream *must_find(const char *url)
{
    tg_upstream *upstream = NULL;
    tg_gateway_fault fault;
    assert_ok(find(url, &upstream, &fault));
    return upstream;
}

static void start(tg_upstream *upstream, tg_upstream_call *call)
{
    const tg_http_ask ask = {.method = TG_LIT("POST"), .target = TG_LIT("/process"), .body = TG_LIT("{}")};
    tg_gateway_fault fault;
    assert_ok(tg_upstream_call_start(upstream, &ask, &handlers, &seen, call, &fault));
}

/* One call to its end. */
static void ask(const char *url)
{
    tg_upstream_call call;
    unsigned before = seen.num_done;
    seen.body[0] = 0;
    start(must_find(url), &call);
    up_settle();
    assert_int_equal(seen.num_done, before + 1);
}

static void assert_fault(const char *url, tg_code code, unsigned status, const char *name, const char *part)
{
    tg_upstream *upstream;
    tg_gateway_fault fault;
    assert_code(find(url, &upstream, &fault), code);
    assert_string_equal(fault.code, name);
    assert_int_equal(fault.status, status);
    assert_non_null(strstr(fault.message, part));
}

static void call_start_answers_and_keeps_the_connection(void **state)
{
    (void)state;
    up_open(NULL);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    ask(PLAIN);
    assert_int_equal(seen.code, TG_OK);
    assert_int_equal(seen.status, 200);
    assert_string_equal(seen.body, "hi");
    assert_non_null(strstr(up.asked, "\r\nHost: localhost:8080\r\n"));
    ask(PLAIN);
    ask("http://LOCALHOST:8080/other"); /* the same origin */
    assert_int_equal(up.num_backends, 1);
    assert_int_equal(tg_upstreams_counts_of(up.upstreams).num_upstreams, 1);
    assert_slice(tg_upstream_authority(must_find(PLAIN)), "localhost:8080");
    up_close();
}

static void find_without_secrets_names_what_is_missing(void **state)
{
    const tg_upstream_target target = {.value_name = "ECS_WATERMARK_ENDPOINT"};
    tg_upstream *upstream;
    tg_gateway_fault fault;
    tg_slice path;
    (void)state;
    up_open(NULL);
    assert_fault(SECURE, TG_ERR_NOT_FOUND, 503, "secrets_missing", "MTLS_CLIENT_CERT_JSON ");
    assert_code(tg_upstreams_find(up.upstreams, &target, &upstream, &path, &fault), TG_ERR_NOT_FOUND);
    assert_non_null(strstr(fault.message, "ECS_WATERMARK_ENDPOINT "));
    assert_int_equal(fault.retry_after_s, 1);
    tg_secrets *secrets = up_secrets(NULL, 1, "https://backend.example/v1/process");
    tg_upstreams_set_secrets(up.upstreams, secrets);
    assert_code(tg_upstreams_find(up.upstreams, &target, &upstream, &path, &fault), TG_ERR_NOT_FOUND);
    assert_non_null(strstr(fault.message, "MTLS_CLIENT_CERT_JSON ")); /* where to, but as whom? */
    tg_secrets_unref(secrets);
    up_close();
}

static void find_by_value_goes_where_the_secrets_say(void **state)
{
    const tg_upstream_target target = {.value_name = "ECS_WATERMARK_ENDPOINT"};
    test_parts parts = test_make_parts("enclave");
    tg_upstream *upstream;
    tg_gateway_fault fault;
    tg_slice path;
    (void)state;
    up_open(NULL);
    tg_secrets *secrets = up_secrets(&parts, 1, "https://backend.example/v1/process");
    tg_upstreams_set_secrets(up.upstreams, secrets);
    assert_ok(tg_upstreams_find(up.upstreams, &target, &upstream, &path, &fault));
    assert_slice(path, "/v1/process");
    assert_slice(tg_upstream_authority(upstream), "backend.example");
    tg_secrets_unref(secrets);
    up_close();
    test_parts_done(&parts);
}

static void find_refuses_what_guards_do_not_let_through(void **state)
{
    static const char *hosts[] = {"backend.example"};
    static const char *digests[] = {"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    test_parts parts = test_make_parts("enclave");
    tg_upstreams_settings settings = up_settings();
    (void)state;
    settings.plain = TG_OUTBOUND_TLS_ONLY;
    settings.allowed_hosts = (tg_setting_list){.items = hosts, .num_items = 1};
    up_open(&settings);
    tg_secrets *secrets = up_secrets(&parts, 1, NULL);
    tg_upstreams_set_secrets(up.upstreams, secrets);
    assert_fault("https://other.example/", TG_ERR_DENIED, 502, "upstream_denied", "UPSTREAM_ALLOWED_HOSTS");
    assert_fault("http://backend.example/", TG_ERR_DENIED, 502, "upstream_denied", "https://");
    assert_fault("https://user@backend.example/", TG_ERR_SYNTAX, 502, "upstream_denied", "https://HOST");
    assert_non_null(must_find(SECURE));
    up_close();
    settings.ca_sha256 = (tg_setting_list){.items = digests, .num_items = 1};
    up_open(&settings);
    tg_upstreams_set_secrets(up.upstreams, secrets);
    assert_fault(SECURE, TG_ERR_DENIED, 502, "upstream_denied", "UPSTREAM_CA_SHA256");
    tg_secrets_unref(secrets);
    up_close();
    test_parts_done(&parts);
}

static void find_keeps_apart_what_may_have_a_common_name(void **state)
{
    test_parts parts = test_make_parts("enclave");
    const tg_upstream_target target = {.url = tg_slice_str(SECURE), .may_be_common_name = true};
    tg_upstream *upstream;
    tg_gateway_fault fault;
    tg_slice path;
    (void)state;
    up_open(NULL);
    tg_secrets *secrets = up_secrets(&parts, 1, NULL);
    tg_upstreams_set_secrets(up.upstreams, secrets);
    assert_ok(tg_upstreams_find(up.upstreams, &target, &upstream, &path, &fault));
    assert_ptr_not_equal(upstream, must_find(SECURE));
    assert_int_equal(tg_upstreams_counts_of(up.upstreams).num_upstreams, 2);
    tg_secrets_unref(secrets);
    up_close();
    test_parts_done(&parts);
}

static void set_secrets_drains_the_old_pool_behind_its_last_call(void **state)
{
    test_parts parts = test_make_parts("enclave");
    tg_upstream_call slow;
    (void)state;
    up_open(NULL);
    tg_secrets *first = up_secrets(&parts, 1, NULL), *second = up_secrets(&parts, 2, NULL);
    tg_upstreams_set_secrets(up.upstreams, first);
    unsigned before = seen.num_done;
    start(must_find(SECURE), &slow);
    up_settle();
    tg_upstreams_set_secrets(up.upstreams, second);
    tg_upstreams_set_secrets(up.upstreams, second); /* says nothing new */
    up_settle();
    tg_upstreams_counts counts = tg_upstreams_counts_of(up.upstreams);
    assert_int_equal(counts.num_upstreams, 0);
    assert_int_equal(counts.num_retired, 1);
    assert_int_equal(seen.num_done, before); /* it goes on */
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    tg_buf_clear(&up.backends[0]->out);
    assert_ok(tg_buf_append(&up.backends[0]->in, tg_slice_str(up.answer)));
    up_settle();
    assert_int_equal(seen.num_done, before + 1);
    assert_int_equal(seen.code, TG_OK);
    assert_int_equal(tg_upstreams_counts_of(up.upstreams).num_retired, 0);
    assert_true(up.backends[0]->is_closed);
    ask(SECURE);
    assert_int_equal(up.num_backends, 2);
    tg_upstreams_set_secrets(up.upstreams, NULL);
    up_settle();
    assert_true(up.backends[1]->is_closed);
    tg_secrets_unref(first);
    tg_secrets_unref(second);
    up_close();
    test_parts_done(&parts);
}

static void call_start_failures_in_a_row_open_the_circuit(void **state)
{
    (void)state;
    up_open(NULL);
    tg_test_log_set_up(NULL);
    up.connect_code = TG_ERR_CLOSED;
    up.connect_stage = TG_HTTP_STAGE_DIAL;
    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        ask(PLAIN);
        assert_string_equal(seen.fault.code, "upstream_unreachable");
    }
    assert_fault(PLAIN, TG_ERR_AGAIN, 503, "circuit_open", "left alone");
    assert_non_null(strstr(tg_test_log(), "\"circuit_opened\""));
    assert_non_null(strstr(tg_test_log(), "localhost:8080"));
    up.connect_code = TG_OK;
    up.answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"; /* an answer is an answer */
    tg_upstream *upstream = NULL;
    tg_gateway_fault fault;
    for (unsigned i = 0; upstream == NULL && i < 4000; i++) { /* it is open for at most 1.25 s */
        usleep(1000);
        up_settle();
        (void)!tg_is_ok(find(PLAIN, &upstream, &fault));
    }
    ask(PLAIN);
    assert_int_equal(seen.status, 503);
    assert_non_null(strstr(tg_test_log(), "\"circuit_closed\""));
    tg_test_log_tear_down(NULL);
    up_close();
}

static void set_secrets_closes_an_open_circuit(void **state)
{
    test_parts parts = test_make_parts("enclave");
    (void)state;
    up_open(NULL);
    tg_secrets *first = up_secrets(&parts, 1, NULL), *second = up_secrets(&parts, 2, NULL);
    tg_upstreams_set_secrets(up.upstreams, first);
    up.connect_code = TG_ERR_AUTH;
    up.connect_stage = TG_HTTP_STAGE_HANDSHAKE;
    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        ask(SECURE);
        assert_string_equal(seen.fault.code, "upstream_tls");
    }
    assert_fault(SECURE, TG_ERR_AGAIN, 503, "circuit_open", "");
    tg_upstreams_set_secrets(up.upstreams, second);
    assert_non_null(must_find(SECURE));
    tg_secrets_unref(first);
    tg_secrets_unref(second);
    up_close();
    test_parts_done(&parts);
}

static void call_cancel_ends_it_without_a_word(void **state)
{
    tg_upstream_call call;
    (void)state;
    up_open(NULL);
    unsigned before = seen.num_done;
    start(must_find(PLAIN), &call);
    up_settle();
    tg_upstream_call_cancel(&call);
    tg_upstream_call_cancel(&call);
    up_settle();
    assert_int_equal(seen.num_done, before);
    start(must_find(PLAIN), &call); /* one that the end of all finds under way */
    up_close();
    assert_int_equal(seen.num_done, before + 1);
    assert_int_equal(seen.code, TG_ERR_CANCELLED);
}

static void call_start_that_cannot_says_why(void **state)
{
    tg_upstream_call call;
    tg_gateway_fault fault;
    const tg_http_ask bad = {.method = TG_LIT("POST"), .target = TG_LIT("no path")};
    tg_upstreams_settings settings = up_settings();
    (void)state;
    settings.max_ask_bytes = 1;
    up_open(&settings);
    const tg_http_ask too_long = {.method = TG_LIT("POST"), .target = TG_LIT("/"), .body = TG_LIT("{}")};
    assert_code(tg_upstream_call_start(must_find(PLAIN), &bad, &handlers, NULL, &call, &fault), TG_ERR_SYNTAX);
    assert_int_equal(fault.status, 503);
    assert_code(tg_upstream_call_start(must_find(PLAIN), &too_long, &handlers, NULL, &call, &fault), TG_ERR_LIMIT);
    assert_string_equal(fault.code, "upstream_busy");
    tg_upstream_call_cancel(&call);
    up_close();
}

static void fault_of_tells_who_was_at_fault(void **state)
{
    static const tg_http_answer answer = {.status = 200};
    static const struct {
        tg_code code;
        tg_http_stage stage;
        const char *reason;
        const tg_http_answer *answer;
        unsigned status;
        const char *name;
    } cases[] = {
        {TG_ERR_TIMEOUT, TG_HTTP_STAGE_QUEUE, "", NULL, 503, "upstream_busy"},
        {TG_ERR_TIMEOUT, TG_HTTP_STAGE_DIAL, "", NULL, 504, "upstream_timeout"},
        {TG_ERR_TIMEOUT, TG_HTTP_STAGE_BODY, "", &answer, 504, "upstream_timeout"},
        {TG_ERR_MEMORY, TG_HTTP_STAGE_HEAD, "", NULL, 503, "service_unavailable"},
        {TG_ERR_CLOSED, TG_HTTP_STAGE_EGRESS, "", NULL, 502, "upstream_unreachable"},
        {TG_ERR_AUTH, TG_HTTP_STAGE_HANDSHAKE, "tls: unknown ca", NULL, 502, "upstream_tls"},
        {TG_ERR_AUTH, TG_HTTP_STAGE_HANDSHAKE, "verify failed: hostname mismatch", NULL, 502, "upstream_name"},
        {TG_ERR_AUTH, TG_HTTP_STAGE_HANDSHAKE, "IP address mismatch", NULL, 502, "upstream_name"},
        {TG_ERR_AUTH, TG_HTTP_STAGE_HANDSHAKE, "tls: certificate has expired", NULL, 502, "upstream_expired"},
        {TG_ERR_CLOSED, TG_HTTP_STAGE_HEAD, "closed: tls: tlsv1 alert unknown ca", NULL, 502, "upstream_refused"},
        {TG_ERR_CLOSED, TG_HTTP_STAGE_HEAD, "closed: tls alert", &answer, 502, "upstream_broken"},
        {TG_ERR_AUTH, TG_HTTP_STAGE_HANDSHAKE, "certificate is not yet valid", NULL, 502, "upstream_expired"},
        {TG_ERR_DENIED, TG_HTTP_STAGE_HANDSHAKE, "", NULL, 502, "upstream_not_mutual"},
        {TG_ERR_CLOSED, TG_HTTP_STAGE_SEND, "", NULL, 502, "upstream_closed"},
        {TG_ERR_TRUNCATED, TG_HTTP_STAGE_BODY, "", &answer, 502, "upstream_broken"},
        {TG_ERR_LIMIT, TG_HTTP_STAGE_BODY, "", &answer, 502, "upstream_too_large"},
        {TG_ERR_SYNTAX, TG_HTTP_STAGE_HEAD, "", NULL, 502, "upstream_bad_answer"},
        {TG_ERR_UNSUPPORTED, TG_HTTP_STAGE_HEAD, "", NULL, 502, "upstream_bad_answer"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_http_outcome outcome = {.result = tg_fail(cases[i].code),
                                         .stage = cases[i].stage,
                                         .reason = cases[i].reason,
                                         .answer = cases[i].answer};
        tg_gateway_fault fault = tg_upstream_fault_of(&outcome);
        assert_string_equal(fault.code, cases[i].name);
        assert_int_equal(fault.status, cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_start_answers_and_keeps_the_connection),
        cmocka_unit_test(find_without_secrets_names_what_is_missing),
        cmocka_unit_test(find_by_value_goes_where_the_secrets_say),
        cmocka_unit_test(find_refuses_what_guards_do_not_let_through),
        cmocka_unit_test(find_keeps_apart_what_may_have_a_common_name),
        cmocka_unit_test(set_secrets_drains_the_old_pool_behind_its_last_call),
        cmocka_unit_test(call_start_failures_in_a_row_open_the_circuit),
        cmocka_unit_test(set_secrets_closes_an_open_circuit),
        cmocka_unit_test(call_cancel_ends_it_without_a_word),
        cmocka_unit_test(call_start_that_cannot_says_why),
        cmocka_unit_test(fault_of_tells_who_was_at_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
