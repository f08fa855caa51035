#include "support/case.h"

#include "http/target.h"

#include <stdio.h>

static tg_result parse(const char *text, tg_http_target *out_target)
{
    return tg_http_target_parse(tg_slice_str(text), TG_LIT("GET"), out_target);
}

static void parse_path_form_gives_path_and_query(void **state)
{
    (void)state;
    tg_http_target target;
    assert_ok(parse("/a/b%20c?x=1&y=?/", &target));
    assert_int_equal(target.form, TG_HTTP_TARGET_PATH);
    assert_slice(target.path, "/a/b%20c");
    assert_slice(target.query, "x=1&y=?/");
    assert_true(target.has_query);
    assert_slice(target.authority, "");
    assert_ok(parse("/?", &target));
    assert_slice(target.query, "");
    assert_true(target.has_query);
    assert_ok(parse("/", &target));
    assert_false(target.has_query);
}

static void parse_absolute_form_gives_scheme_and_authority(void **state)
{
    (void)state;
    tg_http_target target;
    assert_ok(parse("HTTPS://tee.example:8443/a?b", &target));
    assert_int_equal(target.form, TG_HTTP_TARGET_ABSOLUTE);
    assert_slice(target.scheme, "HTTPS");
    assert_slice(target.authority, "tee.example:8443");
    assert_slice(target.path, "/a");
    assert_slice(target.query, "b");
    assert_ok(parse("http://[::1]", &target));
    assert_slice(target.authority, "[::1]");
    assert_slice(target.path, "/");
    assert_ok(parse("http://a?q", &target));
    assert_slice(target.path, "/");
    assert_ok(tg_http_target_parse(TG_LIT("http://a"), TG_LIT("OPTIONS"), &target));
    assert_slice(target.path, "*");
    assert_ok(tg_http_target_parse(TG_LIT("http://a?q"), TG_LIT("OPTIONS"), &target));
    assert_slice(target.path, "/");
}

static void parse_forms_belong_to_their_methods(void **state)
{
    (void)state;
    tg_http_target target;
    assert_ok(tg_http_target_parse(TG_LIT("*"), TG_LIT("OPTIONS"), &target));
    assert_int_equal(target.form, TG_HTTP_TARGET_SERVER);
    assert_code(parse("*", &target), TG_ERR_SYNTAX);
    assert_ok(tg_http_target_parse(TG_LIT("a.example:443"), TG_LIT("CONNECT"), &target));
    assert_int_equal(target.form, TG_HTTP_TARGET_AUTHORITY);
    assert_code(tg_http_target_parse(TG_LIT("a.example"), TG_LIT("CONNECT"), &target), TG_ERR_SYNTAX);
    assert_code(tg_http_target_parse(TG_LIT("/"), TG_LIT("CONNECT"), &target), TG_ERR_SYNTAX);
    assert_code(parse("a.example:443", &target), TG_ERR_SYNTAX);
}

static void parse_wrong_targets_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "a",
        "a/b",
        "?q",
        "/%",
        "/%4",
        "/%g0",
        "/%0g",
        "/?%",
        "/a#b",
        "/a\"",
        "/a|b",
        "/a\\b",
        "/a b",
        "/{x}",
        "/[x]",
        "/?[x]",
        "/?\xc3\xa4",
        "http:/a",
        "http:///a",
        "http://",
        "ftp://a/",
        "http://u@a/",
        "http://a:b/",
        "http://a:/",
        "http://a:0/",
        "http://a:65536/",
        "http://a%41/",
        "//a#",
        "http://a\\b",
        "ws://a/",
        "http://[::1/",
        "http://[::1]x/",
    };
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        tg_http_target target;
        if (tg_is_ok(parse(wrong[i], &target))) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
    tg_http_target target;
    assert_code(tg_http_target_parse(TG_LIT("/a\0b"), TG_LIT("GET"), &target), TG_ERR_SYNTAX);
}

static void authority_parse_right_ones_give_host_and_port(void **state)
{
    (void)state;
    tg_http_authority authority;
    assert_ok(tg_http_authority_parse(TG_LIT("Tee.example"), &authority));
    assert_slice(authority.host, "Tee.example");
    assert_int_equal(authority.port, 0);
    assert_ok(tg_http_authority_parse(TG_LIT("10.0.0.1:1"), &authority));
    assert_slice(authority.host, "10.0.0.1");
    assert_int_equal(authority.port, 1);
    assert_ok(tg_http_authority_parse(TG_LIT("[2001:db8::1]:65535"), &authority));
    assert_slice(authority.host, "2001:db8::1");
    assert_true(authority.is_ipv6);
    assert_int_equal(authority.port, 65535);
    assert_ok(tg_http_authority_parse(TG_LIT("[::ffff:10.0.0.1]"), &authority));
    assert_ok(tg_http_authority_parse(TG_LIT("a_b-c~d"), &authority));
}

static void authority_parse_wrong_ones_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",        ":80",
                                        "a:",      "a:+1",
                                        "a:1x",    "a:0",
                                        "a:65536", "a b",
                                        "a/b",     "u@a",
                                        "a?b",     "%61",
                                        "[]",      "[::1",
                                        "[::1]80", "[::g]",
                                        "[1:2]",   "[10.0.0.1]",
                                        "a:1:2",   "::1",
                                        "a\tb",    "[v1.a]",
                                        "[::1%1]", "a\"b",
                                        "[::1]:",  "a:99999999999999999999"};
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        tg_http_authority authority;
        if (tg_is_ok(tg_http_authority_parse(tg_slice_str(wrong[i]), &authority))) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
    tg_http_authority authority;
    assert_code(tg_http_authority_parse(TG_LIT("a\0b"), &authority), TG_ERR_SYNTAX);
}

static void authority_parse_host_at_limit_is_taken_and_one_over_refused(void **state)
{
    (void)state;
    char host[TG_HTTP_MAX_HOST_BYTES + 1];
    tg_http_authority authority;
    memset(host, 'a', sizeof host);
    assert_ok(tg_http_authority_parse(tg_slice_of(host, TG_HTTP_MAX_HOST_BYTES), &authority));
    assert_code(tg_http_authority_parse(tg_slice_of(host, sizeof host), &authority), TG_ERR_LIMIT);
}

static void percent_decode_escapes_become_bytes(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t len;
    assert_ok(tg_http_percent_decode(TG_LIT("a%20%4a%4A%00+"), out, &len));
    assert_slice(tg_slice_of(out, len), "a JJ\0+");
    assert_ok(tg_http_percent_decode(TG_LIT(""), out, &len));
    assert_int_equal(len, 0);
    assert_code(tg_http_percent_decode(TG_LIT("a%2"), out, &len), TG_ERR_SYNTAX);
    assert_code(tg_http_percent_decode(TG_LIT("%zz"), out, &len), TG_ERR_SYNTAX);
}

static void path_decode_ambiguous_paths_are_denied(void **state)
{
    (void)state;
    static const char *const denied[] = {"/a/../b", "/..",   "/.",     "/a/%2e%2E", "/a%2fb",
                                         "/a%5cb",  "/a%00", "/%2e/a", "/%0a"};
    tg_arena arena;
    tg_slice path;
    tg_arena_init(&arena, 65536, true);
    for (size_t i = 0; i < TG_COUNT(denied); i++) {
        assert_code(tg_http_path_decode(&arena, tg_slice_str(denied[i]), &path), TG_ERR_DENIED);
    }
    assert_ok(tg_http_path_decode(&arena, TG_LIT("/a%20b/...//c%c3%a4"), &path));
    assert_slice(path, "/a b/...//c\xc3\xa4");
    assert_code(tg_http_path_decode(&arena, TG_LIT("/%"), &path), TG_ERR_SYNTAX);
    tg_arena_done(&arena);
    tg_arena_init(&arena, 1, true);
    assert_code(tg_http_path_decode(&arena, TG_LIT("/a"), &path), TG_ERR_MEMORY);
    tg_arena_done(&arena);
}

static void query_get_parameters_are_found_decoded(void **state)
{
    (void)state;
    tg_arena arena;
    tg_slice value;
    tg_arena_init(&arena, 65536, true);
    tg_slice query = TG_LIT("lenient=1&nonce=%41b&empty&dup=1&d%75p=2&=x");
    assert_ok(tg_http_query_get(&arena, query, TG_LIT("lenient"), &value));
    assert_slice(value, "1");
    assert_ok(tg_http_query_get(&arena, query, TG_LIT("nonce"), &value));
    assert_slice(value, "Ab");
    assert_ok(tg_http_query_get(&arena, query, TG_LIT("empty"), &value));
    assert_slice(value, "");
    assert_code(tg_http_query_get(&arena, query, TG_LIT("dup"), &value), TG_ERR_EXISTS);
    assert_code(tg_http_query_get(&arena, query, TG_LIT("du"), &value), TG_ERR_NOT_FOUND);
    assert_code(tg_http_query_get(&arena, query, TG_LIT("dupp"), &value), TG_ERR_NOT_FOUND);
    assert_code(tg_http_query_get(&arena, TG_LIT(""), TG_LIT("a"), &value), TG_ERR_NOT_FOUND);
    assert_code(tg_http_query_get(&arena, TG_LIT("a=%1"), TG_LIT("a"), &value), TG_ERR_SYNTAX);
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_path_form_gives_path_and_query),
        cmocka_unit_test(parse_absolute_form_gives_scheme_and_authority),
        cmocka_unit_test(parse_forms_belong_to_their_methods),
        cmocka_unit_test(parse_wrong_targets_are_refused),
        cmocka_unit_test(authority_parse_right_ones_give_host_and_port),
        cmocka_unit_test(authority_parse_wrong_ones_are_refused),
        cmocka_unit_test(authority_parse_host_at_limit_is_taken_and_one_over_refused),
        cmocka_unit_test(percent_decode_escapes_become_bytes),
        cmocka_unit_test(path_decode_ambiguous_paths_are_denied),
        cmocka_unit_test(query_get_parameters_are_found_decoded),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
