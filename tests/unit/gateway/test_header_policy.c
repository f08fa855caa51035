#include "gateway/header_policy.h"

#include "crypto/init.h"
#include "support/case.h"

#include <stdio.h>
#include <string.h>

static tg_arena arena;
static tg_gateway_route route;
static tg_request_marks marks;
static const tg_slice as_it_came = {NULL, 0};

static int set_up(void **state)
{
    (void)state;
    tg_arena_init(&arena, 1 << 20, false);
    route = (tg_gateway_route){.decrypt = TG_CRYPTO_NONE};
    marks = (tg_request_marks){.request_id = "id-1", .traceparent = "tp"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_arena_done(&arena);
    return 0;
}

typedef tg_result policy_fn(const tg_gateway_route *route, tg_header_list headers, tg_slice content_type,
                            const tg_request_marks *marks, tg_arena *arena, tg_header_list *out_list);

/* The list as `Name: value|Name: value`. */
static void assert_passes(policy_fn *policy, const tg_http_header *headers, size_t num_headers, tg_slice content_type,
                          const char *expected)
{
    tg_header_list list;
    char text[1024] = "";
    size_t len = 0;
    assert_ok(policy(&route, (tg_header_list){headers, num_headers}, content_type, &marks, &arena, &list));
    for (size_t i = 0; i < list.num_headers; i++) {
        const tg_http_header *header = &list.headers[i];
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s%.*s: %.*s", i > 0 ? "|" : "", (int)header->name.len,
                             (const char *)header->name.ptr, (int)header->value.len, (const char *)header->value.ptr);
    }
    assert_string_equal(text, expected);
}

static tg_code code_of(policy_fn *policy, const tg_http_header *headers, size_t num_headers)
{
    tg_header_list list;
    return policy(&route, (tg_header_list){headers, num_headers}, as_it_came, &marks, &arena, &list).code;
}

static void request_what_is_not_listed_does_not_pass(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("Host", "a"),
                                      TG_HTTP_HEADER("Connection", "keep-alive"),
                                      TG_HTTP_HEADER("Keep-Alive", "5"),
                                      TG_HTTP_HEADER("TE", "trailers"),
                                      TG_HTTP_HEADER("Upgrade", "h2c"),
                                      TG_HTTP_HEADER("Content-Length", "5"),
                                      TG_HTTP_HEADER("Cookie", "a=b"),
                                      TG_HTTP_HEADER("Authorization", "Basic x"),
                                      TG_HTTP_HEADER("X-Forwarded-For", "1"),
                                      TG_HTTP_HEADER("Forwarded", "for=1"),
                                      TG_HTTP_HEADER("Via", "x"),
                                      TG_HTTP_HEADER("X-Schema-Name", "s"),
                                      TG_HTTP_HEADER("X-Request-Id", "other"),
                                      TG_HTTP_HEADER("traceparent", "other"),
                                      TG_HTTP_HEADER("tracestate", "other"),
                                      TG_HTTP_HEADER("Transfer-Encoding", "chunked"),
                                      TG_HTTP_HEADER("Expect", "100-continue"),
                                      TG_HTTP_HEADER("Range", "bytes=0-1")};
    assert_passes(tg_header_policy_request, headers, TG_COUNT(headers), as_it_came,
                  "X-Request-Id: id-1|traceparent: tp");
}

static void request_fixed_ones_pass(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("content-type", "text/plain"), TG_HTTP_HEADER("accept", "a/b"),
                                      TG_HTTP_HEADER("Accept", "c/d")};
    marks.tracestate = TG_LIT("k=v");
    assert_passes(tg_header_policy_request, headers, TG_COUNT(headers), as_it_came,
                  "Content-Type: text/plain|X-Request-Id: id-1|traceparent: tp|tracestate: k=v|accept: a/b|"
                  "Accept: c/d");
}

static void request_listed_ones_pass_as_often_as_they_came(void **state)
{
    (void)state;
    const tg_slice listed[] = {TG_LIT("x-tenant"), TG_LIT("accept")};
    const tg_http_header headers[] = {TG_HTTP_HEADER("X-Tenant", "a"), TG_HTTP_HEADER("X-Tenants", "b"),
                                      TG_HTTP_HEADER("accept", "c"), TG_HTTP_HEADER("x-TENANT", "d")};
    route.request_headers = listed;
    route.num_request_headers = TG_COUNT(listed);
    assert_passes(tg_header_policy_request, headers, TG_COUNT(headers), as_it_came,
                  "X-Request-Id: id-1|traceparent: tp|X-Tenant: a|accept: c|x-TENANT: d");
}

static void request_what_connection_names_does_not_pass(void **state)
{
    (void)state;
    const tg_slice listed[] = {TG_LIT("x-tenant"), TG_LIT("x-other")};
    const tg_http_header headers[] = {TG_HTTP_HEADER("Connection", "close, X-TENANT"),
                                      TG_HTTP_HEADER("Content-Type", "a/b"),
                                      TG_HTTP_HEADER("X-Tenant", "a"),
                                      TG_HTTP_HEADER("X-Other", "b"),
                                      TG_HTTP_HEADER("connection", "content-type,,accept"),
                                      TG_HTTP_HEADER("Accept", "c/d")};
    route.request_headers = listed;
    route.num_request_headers = TG_COUNT(listed);
    assert_passes(tg_header_policy_request, headers, TG_COUNT(headers), as_it_came,
                  "X-Request-Id: id-1|traceparent: tp|X-Other: b");
}

static void request_content_type_of_the_opened_body_replaces_the_outer(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/jose")};
    route.decrypt = TG_CRYPTO_JWE;
    assert_passes(tg_header_policy_request, headers, 1, TG_LIT("application/json"),
                  "Content-Type: application/json|X-Request-Id: id-1|traceparent: tp");
}

static void request_doubled_content_type_refused(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "a/b"), TG_HTTP_HEADER("content-type", "a/b"),
                                      TG_HTTP_HEADER("Content-Encoding", "gzip"),
                                      TG_HTTP_HEADER("Content-Encoding", "br")};
    assert_int_equal(code_of(tg_header_policy_request, headers, 2), TG_ERR_EXISTS);
    assert_int_equal(code_of(tg_header_policy_answer, headers, 2), TG_ERR_EXISTS);
    assert_int_equal(code_of(tg_header_policy_request, headers + 2, 2), TG_ERR_EXISTS);
}

static void request_content_coding_passes_only_with_an_untouched_body(void **state)
{
    (void)state;
    const tg_http_header coded[] = {TG_HTTP_HEADER("Content-Encoding", "gzip")};
    const tg_http_header twice[] = {TG_HTTP_HEADER("Content-Encoding", "identity"),
                                    TG_HTTP_HEADER("Content-Encoding", "identity")};
    assert_passes(tg_header_policy_request, coded, 1, as_it_came,
                  "Content-Encoding: gzip|X-Request-Id: id-1|traceparent: tp");
    route.encrypt = TG_CRYPTO_FIELDS;
    assert_int_equal(code_of(tg_header_policy_request, coded, 1), TG_OK);
    assert_int_equal(code_of(tg_header_policy_answer, coded, 1), TG_ERR_UNSUPPORTED);
    route.decrypt = TG_CRYPTO_FIELDS;
    assert_int_equal(code_of(tg_header_policy_request, coded, 1), TG_ERR_UNSUPPORTED);
    assert_int_equal(code_of(tg_header_policy_request, twice, 2), TG_ERR_UNSUPPORTED);
    assert_int_equal(code_of(tg_header_policy_request, twice, 1), TG_OK);
}

static void request_connection_at_its_limit(void **state)
{
    (void)state;
    char options[4 * (TG_MAX_CONNECTION_OPTIONS + 1)] = "";
    for (size_t i = 0; i < TG_MAX_CONNECTION_OPTIONS; i++) {
        snprintf(options + 2 * i, sizeof options - 2 * i, "%s", "a,");
    }
    tg_http_header header = {TG_LIT("Connection"), tg_slice_str(options)};
    assert_int_equal(code_of(tg_header_policy_request, &header, 1), TG_OK);
    options[(size_t)2 * TG_MAX_CONNECTION_OPTIONS] = 'b';
    header.value = tg_slice_of(options, 2 * TG_MAX_CONNECTION_OPTIONS + 1);
    assert_int_equal(code_of(tg_header_policy_request, &header, 1), TG_ERR_LIMIT);
}

static void answer_what_is_not_listed_does_not_pass(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "a/b"), TG_HTTP_HEADER("Set-Cookie", "a=b"),
                                      TG_HTTP_HEADER("Server", "x"),         TG_HTTP_HEADER("Location", "/y"),
                                      TG_HTTP_HEADER("Connection", "close"), TG_HTTP_HEADER("Content-Length", "3"),
                                      TG_HTTP_HEADER("X-Request-Id", "o"),   TG_HTTP_HEADER("Cache-Control", "public"),
                                      TG_HTTP_HEADER("Alt-Svc", "h3"),       TG_HTTP_HEADER("X-Cost", "3")};
    assert_passes(tg_header_policy_answer, headers, TG_COUNT(headers), as_it_came,
                  "Content-Type: a/b|X-Request-Id: id-1|Cache-Control: no-store");
}

static void answer_listed_ones_pass(void **state)
{
    (void)state;
    const tg_slice listed[] = {TG_LIT("x-cost"), TG_LIT("cache-control"), TG_LIT("set-cookie"), TG_LIT("date")};
    const tg_http_header headers[] = {
        TG_HTTP_HEADER("DATE", "the server's"), TG_HTTP_HEADER("Set-Cookie", "a=b"),
        TG_HTTP_HEADER("Set-Cookie", "c=d"),    TG_HTTP_HEADER("Cache-Control", "private"),
        TG_HTTP_HEADER("Connection", "x-cost"), TG_HTTP_HEADER("X-Cost", "3")};
    route.response_headers = listed;
    route.num_response_headers = TG_COUNT(listed);
    assert_passes(tg_header_policy_answer, headers, TG_COUNT(headers), TG_LIT("application/jose"),
                  "Content-Type: application/jose|X-Request-Id: id-1|Set-Cookie: a=b|Set-Cookie: c=d|"
                  "Cache-Control: private");
}

static void answer_without_memory_refused(void **state)
{
    (void)state;
    tg_arena none;
    tg_header_list list;
    tg_arena_init(&none, 0, false);
    assert_code(tg_header_policy_answer(&route, (tg_header_list){NULL, 0}, as_it_came, &marks, &none, &list),
                TG_ERR_MEMORY);
    tg_arena_done(&none);
}

static void take(const char *name, const char *value)
{
    const tg_http_header header = {tg_slice_str(name), tg_slice_str(value)};
    assert_ok(tg_request_marks_take(&header, 1, &marks));
}

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void marks_take_usable_ones_are_passed_on(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("X-Request-ID", "7b7e0d3c-1a/b:c=@"),
                                      TG_HTTP_HEADER("Traceparent", PARENT), TG_HTTP_HEADER("TraceState", "k=v,l=w")};
    assert_ok(tg_request_marks_take(headers, TG_COUNT(headers), &marks));
    assert_string_equal(marks.request_id, "7b7e0d3c-1a/b:c=@");
    assert_string_equal(marks.traceparent, PARENT);
    assert_slice(marks.tracestate, "k=v,l=w");
}

static void marks_take_absent_ones_are_made(void **state)
{
    (void)state;
    tg_request_marks other;
    assert_ok(tg_request_marks_take(NULL, 0, &marks));
    assert_ok(tg_request_marks_take(NULL, 0, &other));
    assert_int_equal(strlen(marks.request_id), 32);
    assert_int_equal(strlen(marks.traceparent), TG_TRACEPARENT_BYTES);
    assert_int_equal(strspn(marks.request_id, "0123456789abcdef"), 32);
    assert_string_not_equal(marks.request_id, other.request_id);
    assert_string_not_equal(marks.traceparent, other.traceparent);
    assert_int_equal(marks.tracestate.len, 0);
    char made[TG_TRACEPARENT_BYTES + 1];
    memcpy(made, marks.traceparent, sizeof made);
    take("traceparent", made); /* of our own grammar */
    assert_string_equal(marks.traceparent, made);
}

static void marks_take_unusable_ids_are_made_anew(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "a\"b", "a,b", "a;b", "a\\b", "\xc3\xa4"};
    char longest[TG_MAX_REQUEST_ID_BYTES + 2];
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        take("x-request-id", bad[i]);
        assert_int_equal(strlen(marks.request_id), 32);
    }
    memset(longest, 'a', sizeof longest);
    longest[TG_MAX_REQUEST_ID_BYTES + 1] = 0;
    take("x-request-id", longest);
    assert_int_equal(strlen(marks.request_id), 32);
    take("x-request-id", longest + 1);
    assert_string_equal(marks.request_id, longest + 1);
    const tg_http_header nul = {TG_LIT("x-request-id"), TG_LIT("a\0b")};
    assert_ok(tg_request_marks_take(&nul, 1, &marks));
    assert_int_equal(strlen(marks.request_id), 32);
    const tg_http_header twice[] = {TG_HTTP_HEADER("X-Request-Id", "a"), TG_HTTP_HEADER("X-Request-Id", "a")};
    assert_ok(tg_request_marks_take(twice, 2, &marks));
    assert_int_equal(strlen(marks.request_id), 32);
}

static void marks_take_unusable_trace_contexts_are_made_anew(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
                                      "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                      "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                                      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        const tg_http_header headers[] = {{TG_LIT("traceparent"), tg_slice_str(bad[i])},
                                          TG_HTTP_HEADER("tracestate", "k=v")};
        assert_ok(tg_request_marks_take(headers, 2, &marks));
        assert_string_not_equal(marks.traceparent, bad[i]);
        assert_int_equal(strlen(marks.traceparent), TG_TRACEPARENT_BYTES);
        assert_int_equal(marks.tracestate.len, 0);
    }
}

static void marks_take_long_trace_state_is_dropped(void **state)
{
    (void)state;
    char members[TG_MAX_TRACESTATE_BYTES + 1];
    memset(members, 'a', sizeof members);
    tg_http_header headers[] = {TG_HTTP_HEADER("traceparent", PARENT),
                                {TG_LIT("tracestate"), tg_slice_of(members, TG_MAX_TRACESTATE_BYTES)}};
    assert_ok(tg_request_marks_take(headers, 2, &marks));
    assert_int_equal(marks.tracestate.len, TG_MAX_TRACESTATE_BYTES);
    headers[1].value.len++;
    assert_ok(tg_request_marks_take(headers, 2, &marks));
    assert_int_equal(marks.tracestate.len, 0);
    assert_string_equal(marks.traceparent, PARENT);
}

static int group_set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(request_what_is_not_listed_does_not_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_fixed_ones_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_listed_ones_pass_as_often_as_they_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_what_connection_names_does_not_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_content_type_of_the_opened_body_replaces_the_outer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_doubled_content_type_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_content_coding_passes_only_with_an_untouched_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_connection_at_its_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_what_is_not_listed_does_not_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_listed_ones_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_without_memory_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_take_usable_ones_are_passed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_take_absent_ones_are_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_take_unusable_ids_are_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_take_unusable_trace_contexts_are_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_take_long_trace_state_is_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, group_set_up, NULL);
}
