#include "gateway/routes.h"

#include "support/case.h"

#include <stdio.h>
#include <string.h>

static tg_routes *routes;
static tg_faults faults;
static tg_route_guards guards;

static bool is_taken(tg_slice path)
{
    return tg_slice_equal(path, TG_LIT("/encrypt"));
}

static int set_up(void **state)
{
    (void)state;
    routes = NULL;
    tg_faults_init(&faults);
    guards = (tg_route_guards){.has_client_ca = true, .max_body_bytes = 10 << 20, .is_path_taken = is_taken};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_routes_unref(routes);
    tg_faults_done(&faults);
    return 0;
}

static tg_result parse_slice(tg_slice json)
{
    tg_faults_done(&faults);
    tg_faults_init(&faults);
    tg_routes_unref(routes);
    routes = NULL;
    return tg_routes_parse("r.json", json, &guards, &faults, &routes);
}

static tg_result parse(const char *json)
{
    return parse_slice(tg_slice_str(json));
}

/* `members` are one route's, beside an upstream. */
static const char *route_of(const char *members)
{
    static char text[4096];
    snprintf(text, sizeof text, "{\"routes\": [{%s,\n\"upstream\": {\"url\": \"https://b.example/x\"}}]}", members);
    return text;
}

/* One fault, at this line and pointer, whose reason or remedy holds the words. */
static void assert_fault(const char *json, unsigned line, const char *field, const char *words)
{
    assert_code(parse(json), TG_ERR_SYNTAX);
    assert_null(routes);
    if (faults.num_faults != 1) {
        fail_msg("%zu faults of %s; the first: %s", faults.num_faults, json,
                 faults.num_faults > 0 ? faults.faults[0].reason : "");
    }
    const tg_detail *fault = &faults.faults[0];
    assert_string_equal(fault->file, "r.json");
    assert_string_equal(fault->field, field);
    assert_int_equal(fault->line, line);
    if (strstr(fault->reason, words) == NULL && strstr(fault->remedy, words) == NULL) {
        fail_msg("no \"%s\" in \"%s\"; \"%s\"", words, fault->reason, fault->remedy);
    }
}

static const char whole[] =
    "{\"routes\": [\n"
    " {\"path\": \"/process\", \"methods\": [\"PUT\", \"POST\"], \"clients\": [\"a.example\", \"urn:b\"],\n"
    "  \"request\": {\"decrypt\": \"jwe\", \"headers\": [\"X-Tenant\", \"accept-language\"], \"max_bytes\": 1000},\n"
    "  \"upstream\": {\"value\": \"ECS_WATERMARK_ENDPOINT\", \"allow_common_name\": true, \"timeout_ms\": 1500},\n"
    "  \"response\": {\"encrypt\": \"jwe\", \"max_bytes\": 2000}},\n"
    " {\"path\": \"/a\", \"clients\": [\"a.example\"], \"request\": {\"decrypt\": \"fields\", \"schema\": \"in\"},\n"
    "  \"upstream\": {\"url\": \"https://b.example:8080/x\"},\n"
    "  \"response\": {\"encrypt\": \"fields\", \"schema\": \"out\", \"headers\": [\"X-Cost\"]}}]}";

static void routes_parse_everything_is_read(void **state)
{
    (void)state;
    assert_ok(parse(whole));
    assert_int_equal(tg_routes_len(routes), 2);
    const tg_gateway_route *route = tg_routes_find(routes, TG_LIT("/process"));
    assert_ptr_equal(route, tg_routes_at(routes, 0));
    assert_slice(route->path, "/process");
    assert_string_equal(route->label, "/process");
    assert_string_equal(route->allow, "POST, PUT");
    assert_int_equal(route->methods, 1u << TG_HTTP_POST | 1u << TG_HTTP_PUT);
    assert_int_equal(route->clients.num_items, 2);
    assert_string_equal(route->clients.items[1], "urn:b");
    assert_int_equal(route->decrypt, TG_CRYPTO_JWE);
    assert_int_equal(route->encrypt, TG_CRYPTO_JWE);
    assert_slice(route->upstream_value, "ECS_WATERMARK_ENDPOINT");
    assert_int_equal(route->upstream_url.len, 0);
    assert_true(route->may_be_common_name);
    assert_int_equal(route->timeout_ms, 1500);
    assert_int_equal(route->max_request_bytes, 1000);
    assert_int_equal(route->max_answer_bytes, 2000);
    assert_int_equal(route->num_request_headers, 2);
    assert_slice(route->request_headers[0], "x-tenant");
    route = tg_routes_find(routes, TG_LIT("/a"));
    assert_int_equal(route->num_response_headers, 1);
    assert_slice(route->response_headers[0], "x-cost");
    assert_slice(route->request_schema, "in");
    assert_slice(route->response_schema, "out");
    assert_slice(route->upstream_url, "https://b.example:8080/x");
    size_t num_names;
    const char *const *names = tg_routes_value_names(routes, &num_names);
    assert_int_equal(num_names, 1);
    assert_string_equal(names[0], "ECS_WATERMARK_ENDPOINT");
    tg_assert_slice(tg_routes_text(routes), tg_slice_str(whole), __FILE__, __LINE__);
}

static void routes_parse_little_said_takes_defaults(void **state)
{
    (void)state;
    assert_ok(parse(route_of("\"path\": \"/x\"")));
    const tg_gateway_route *route = tg_routes_at(routes, 0);
    assert_string_equal(route->allow, "POST");
    assert_int_equal(route->clients.num_items, 0);
    assert_int_equal(route->decrypt, TG_CRYPTO_NONE);
    assert_int_equal(route->encrypt, TG_CRYPTO_NONE);
    assert_int_equal(route->timeout_ms, 30000);
    assert_int_equal(route->max_request_bytes, 10 << 20);
    assert_int_equal(route->max_answer_bytes, 10 << 20);
    assert_false(route->may_be_common_name);
    assert_int_equal(route->num_request_headers, 0);
}

static void routes_find_other_paths_are_not_found(void **state)
{
    (void)state;
    assert_ok(parse(whole));
    assert_null(tg_routes_find(routes, TG_LIT("/process/")));
    assert_null(tg_routes_find(routes, TG_LIT("/Process")));
    assert_null(tg_routes_find(routes, TG_LIT("/")));
    assert_null(tg_routes_find(routes, TG_LIT("/%70rocess")));
    assert_null(tg_routes_find(NULL, TG_LIT("/a")));
    assert_int_equal(tg_routes_len(NULL), 0);
    size_t num_names;
    assert_null(tg_routes_value_names(NULL, &num_names));
    assert_int_equal(num_names, 0);
    assert_ok(parse("{\"routes\": []}"));
    assert_null(tg_routes_find(routes, TG_LIT("/a")));
}

static void routes_parse_fields_without_clients_refused(void **state)
{
    (void)state;
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"decrypt\": \"fields\"}"), 1, "/routes/0", "no clients");
}

static void routes_parse_ways_that_do_not_fit_refused(void **state)
{
    (void)state;
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"encrypt\": \"jwe\"}"), 1, "/routes/0", "no key");
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"encrypt\": \"ohttp\"}"), 1, "/routes/0", "both ways");
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"decrypt\": \"ohttp\"}"), 1, "/routes/0", "both ways");
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"encrypt\": \"fields\"}"), 1, "/routes/0/response",
                 "without a schema");
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"schema\": \"a\"}"), 1, "/routes/0/response/schema",
                 "no use");
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"decrypt\": \"rot13\"}"), 1, "/routes/0/request/decrypt",
                 "jwe or ohttp");
    assert_fault(route_of("\"path\": \"/x\", \"methods\": [\"GET\"], \"request\": {\"decrypt\": \"jwe\"}"), 1,
                 "/routes/0", "GET has no body");
    assert_ok(parse(route_of("\"path\": \"/x\", \"methods\": [\"GET\"], \"request\": {\"decrypt\": \"ohttp\"}, "
                             "\"response\": {\"encrypt\": \"ohttp\"}")));
}

static void routes_parse_paths_that_are_none_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",    "/a?b",  "/a%20b", "/a b",     "//a",           "/a//b",
                                      "/./a", "/a/..", "/a#b",   "/encrypt", "/.well-known/x"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        char members[64];
        snprintf(members, sizeof members, "\"path\": \"%s\"", bad[i]);
        assert_fault(route_of(members), 1, "/routes/0/path", "write another path");
    }
    assert_ok(parse(route_of("\"path\": \"/a/\"")));
    assert_ok(parse(route_of("\"path\": \"/\"")));
}

static void routes_parse_a_path_twice_refused(void **state)
{
    (void)state;
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://a\"}},\n"
                 "{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\"}}]}",
                 2, "/routes/1", "/routes/0 has the path /x too");
}

static void routes_parse_upstreams_that_may_not_be_refused(void **state)
{
    (void)state;
    assert_fault("{\"routes\": [{\"path\": \"/x\"}]}", 1, "/routes/0", "no upstream");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {}}]}", 1, "/routes/0/upstream", "no url");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"http://b.example/\"}}]}", 1,
                 "/routes/0/upstream/url", "without TLS");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"http://127.0.0.1:8080/\"}}]}", 1,
                 "/routes/0/upstream/url", "without TLS");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"b.example/\"}}]}", 1,
                 "/routes/0/upstream/url", "no URL");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"value\": \"password\"}}]}", 1,
                 "/routes/0/upstream/value", "_ENDPOINT or _URL");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\", \"value\": \"A_URL\"}}]}", 1,
                 "/routes/0/upstream", "both");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\", \"timeout_ms\": 0}}]}", 1,
                 "/routes/0/upstream/timeout_ms", "1 to 600000");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\", \"timeout_ms\": 600001}}]}",
                 1, "/routes/0/upstream/timeout_ms", "1 to 600000");
    assert_ok(
        parse("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://b\", \"timeout_ms\": 600000}}]}"));
    guards.allows_plain_loopback = true;
    assert_ok(parse("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"http://127.0.0.1:8080/\"}}]}"));
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"http://b.example/\"}}]}", 1,
                 "/routes/0/upstream/url", "without TLS");
}

static void routes_parse_host_outside_the_allowed_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {"b.example:8080", "*.c.example"};
    guards.allowed_hosts = (tg_setting_list){hosts, 2};
    assert_ok(parse("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://B.example:8080/\"}}]}"));
    assert_ok(parse("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://d.c.example/\"}}]}"));
    assert_fault(route_of("\"path\": \"/x\""), 2, "/routes/0/upstream/url", "does not name b.example");
    assert_fault("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"url\": \"https://c.example/\"}}]}", 1,
                 "/routes/0/upstream/url", "UPSTREAM_ALLOWED_HOSTS");
}

static void routes_parse_clients_that_are_none_refused(void **state)
{
    (void)state;
    assert_fault(route_of("\"path\": \"/x\", \"clients\": []"), 1, "/routes/0/clients", "empty");
    assert_fault(route_of("\"path\": \"/x\", \"clients\": [\"*.a\"]"), 1, "/routes/0/clients/0", "pattern");
    assert_fault(route_of("\"path\": \"/x\", \"clients\": [\"a\", \"a\"]"), 1, "/routes/0/clients/1", "twice");
    assert_fault(route_of("\"path\": \"/x\", \"clients\": \"a\""), 1, "/routes/0/clients", "list");
    guards.has_client_ca = false;
    assert_fault(route_of("\"path\": \"/x\", \"clients\": [\"a\"]"), 1, "/routes/0/clients", "CLIENT_CA_PATH");
}

static void routes_parse_headers_that_never_pass_refused(void **state)
{
    (void)state;
    static const char *const never[] = {"Connection",      "TE",        "Host",         "Content-Length",
                                        "X-Forwarded-For", "Forwarded", "a b",          "Content-Type",
                                        "tracestate",      "Cookie",    "Authorization"};
    for (size_t i = 0; i < TG_COUNT(never); i++) {
        char members[160];
        snprintf(members, sizeof members,
                 "\"path\": \"/x\", \"request\": {\"decrypt\": \"jwe\", \"headers\": [\"%s\"]}", never[i]);
        assert_fault(route_of(members), 1, "/routes/0/request/headers/0", "remove it");
    }
    assert_ok(parse(route_of("\"path\": \"/x\", \"request\": {\"headers\": [\"Cookie\", \"Accept-Encoding\"]}")));
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"headers\": [\"Transfer-Encoding\"]}"), 1,
                 "/routes/0/response/headers/0", "never passes");
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"decrypt\": \"jwe\"}, "
                          "\"response\": {\"encrypt\": \"jwe\", \"headers\": [\"X-Cost\"]}"),
                 1, "/routes/0/response/headers", "no headers");
}

static void routes_parse_unknown_members_refused(void **state)
{
    (void)state;
    assert_fault(route_of("\"path\": \"/x\", \"client\": [\"a\"]"), 1, "/routes/0/client", "did you mean clients?");
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"decyrpt\": \"jwe\"}"), 1, "/routes/0/request/decyrpt",
                 "did you mean decrypt?");
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"timeout\": 1}"), 1, "/routes/0/response/timeout",
                 "known here");
    assert_fault("{\"routes\": [], \"route\": []}", 1, "/route", "did you mean routes?");
}

static void routes_parse_numbers_at_their_limits(void **state)
{
    (void)state;
    assert_ok(parse(route_of("\"path\": \"/x\", \"request\": {\"max_bytes\": 10485760}")));
    assert_fault(route_of("\"path\": \"/x\", \"request\": {\"max_bytes\": 10485761}"), 1, "/routes/0/request/max_bytes",
                 "1 to 10485760");
    assert_ok(parse(route_of("\"path\": \"/x\", \"response\": {\"max_bytes\": 1073741824}")));
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"max_bytes\": 1073741825}"), 1,
                 "/routes/0/response/max_bytes", "1 to 1073741824");
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"max_bytes\": \"5\"}"), 1, "/routes/0/response/max_bytes",
                 "whole number");
    guards.max_answer_bytes = 5000;
    assert_ok(parse(route_of("\"path\": \"/x\"")));
    assert_int_equal(tg_routes_at(routes, 0)->max_answer_bytes, 5000);
    assert_ok(parse(route_of("\"path\": \"/x\", \"response\": {\"max_bytes\": 5000}")));
    assert_fault(route_of("\"path\": \"/x\", \"response\": {\"max_bytes\": 5001}"), 1, "/routes/0/response/max_bytes",
                 "1 to 5000");
}

static void make_many(char *text, size_t cap, unsigned num_routes)
{
    size_t len = (size_t)snprintf(text, cap, "{\"routes\": [");
    for (unsigned i = 0; i < num_routes; i++) {
        len += (size_t)snprintf(text + len, cap - len, "%s{\"path\": \"/%u\", \"upstream\": {\"url\": \"https://b\"}}",
                                i > 0 ? "," : "", i);
    }
    snprintf(text + len, cap - len, "]}");
}

static void routes_parse_as_many_as_there_may_be(void **state)
{
    (void)state;
    static char text[32768];
    make_many(text, sizeof text, TG_MAX_ROUTES);
    assert_ok(parse(text));
    for (unsigned i = 0; i < TG_MAX_ROUTES; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%u", i);
        assert_ptr_equal(tg_routes_find(routes, tg_slice_str(path)), tg_routes_at(routes, i));
    }
    make_many(text, sizeof text, TG_MAX_ROUTES + 1);
    assert_fault(text, 1, "/routes", "more than 256");
}

static void routes_parse_text_cut_anywhere_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len + 1 < sizeof whole; len++) {
        assert_code(parse_slice(tg_slice_of(whole, len)), TG_ERR_SYNTAX);
        assert_int_equal(faults.num_faults, 1);
    }
    assert_code(parse_slice(TG_LIT("{\"routes\": [\0]}")), TG_ERR_SYNTAX);
    assert_fault("{\"routes\": [],\n\"routes\": []}", 2, "", "twice");
    assert_fault("[]", 0, "", "no object");
    assert_fault("{\"routes\": 5}", 1, "/routes", "a list");
    assert_fault("{\"routes\": [5]}", 1, "/routes/0", "an object");
    assert_fault("{}", 1, "", "no routes");
}

static void routes_parse_all_faults_are_told_at_once(void **state)
{
    (void)state;
    assert_code(parse("{\"routes\": [{\"path\": \"x\"},\n{\"upstream\": {\"url\": \"\"}, \"a\": 1}]}"), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 5);
}

static void routes_read_file_that_is_not_there_reported(void **state)
{
    (void)state;
    assert_code(tg_routes_read("/nowhere/routes.json", &guards, &faults, &routes), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].file, "/nowhere/routes.json");
    assert_non_null(strstr(faults.faults[0].remedy, "ROUTES_PATH"));
}

static void assert_table(const char *expected)
{
    tg_buf text;
    tg_buf_init(&text, 65536);
    assert_ok(tg_routes_append_table(routes, &text));
    tg_assert_slice(tg_buf_slice(&text), tg_slice_str(expected), __FILE__, __LINE__);
    tg_buf_done(&text);
}

static void routes_append_table_says_who_sees_what(void **state)
{
    (void)state;
    guards.are_deliveries_sealed = true;
    assert_ok(parse(whole));
    assert_table("path      methods    clients          backend gets         backend"
                 "                                     client gets\n"
                 "/process  POST, PUT  a.example,urn:b  plaintext of jwe     ECS_WATERMARK_ENDPOINT (delivered) (by CN)"
                 "  sealed by jwe\n"
                 "/a        POST       a.example        plaintext of fields  https://b.example:8080/x"
                 "                    tokens of fields\n");
}

static void routes_append_table_says_what_the_host_decides(void **state)
{
    (void)state;
    assert_ok(parse("{\"routes\": [{\"path\": \"/x\", \"upstream\": {\"value\": \"B_URL\"}}]}"));
    assert_table("path  methods  clients  backend gets  backend            client gets\n"
                 "/x    POST     anybody  as sent       B_URL (delivered)  as answered\n"
                 "note: /x: whoever delivers B_URL decides where this route calls; set UPSTREAM_ALLOWED_HOSTS, or "
                 "SECRETS_MODE=sealed\n"
                 "note: whoever delivers the authorities decides which backend is believed; set UPSTREAM_CA_SHA256, or "
                 "SECRETS_MODE=sealed\n");
}

static void routes_ref_another_owner_keeps_them(void **state)
{
    (void)state;
    assert_ok(parse(whole));
    tg_routes *other = tg_routes_ref(routes);
    tg_routes_unref(routes);
    routes = NULL;
    assert_int_equal(tg_routes_len(other), 2);
    tg_routes_unref(other);
    tg_routes_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(routes_parse_everything_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_little_said_takes_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_find_other_paths_are_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_fields_without_clients_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_ways_that_do_not_fit_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_paths_that_are_none_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_a_path_twice_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_upstreams_that_may_not_be_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_host_outside_the_allowed_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_clients_that_are_none_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_headers_that_never_pass_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_unknown_members_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_numbers_at_their_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_as_many_as_there_may_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_text_cut_anywhere_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_parse_all_faults_are_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_read_file_that_is_not_there_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_append_table_says_who_sees_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_append_table_says_what_the_host_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_ref_another_owner_keeps_them, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
