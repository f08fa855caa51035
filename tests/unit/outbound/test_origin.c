#include "support/case.h"

#include "outbound/origin.h"

static void origin_parse_urls_give_host_port_and_authority(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *name;
        unsigned port;
        const char *authority;
        const char *path;
        bool is_tls;
        bool is_literal;
    } cases[] = {
        {"https://kms.eu-west-1.amazonaws.com", "kms.eu-west-1.amazonaws.com", 443, "kms.eu-west-1.amazonaws.com", "/",
         true, false},
        {"HTTPS://Api.Test:8443/a%20b/c", "api.test", 8443, "api.test:8443", "/a%20b/c", true, false},
        {"https://api.test:443/", "api.test", 443, "api.test", "/", true, false},
        {"http://127.0.0.1:4566", "127.0.0.1", 4566, "127.0.0.1:4566", "/", false, true},
        {"http://localhost/x", "localhost", 80, "localhost", "/x", false, false},
        {"https://[2001:DB8::1]:444", "2001:db8::1", 444, "[2001:db8::1]:444", "/", true, true},
        {"https://[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]", "/", true, true},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_origin origin;
        tg_detail detail;
        assert_ok(tg_origin_parse(tg_slice_str(cases[i].url), &origin, &detail));
        assert_string_equal(origin.target.name, cases[i].name);
        assert_int_equal(origin.target.port, cases[i].port);
        assert_string_equal(origin.authority, cases[i].authority);
        tg_assert_slice(origin.path, tg_slice_str(cases[i].path), __FILE__, __LINE__);
        assert_int_equal(origin.is_tls, cases[i].is_tls);
        assert_int_equal(origin.is_literal, cases[i].is_literal);
    }
}

static void origin_parse_other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "/",
        "api.test",
        "api.test:443",
        "ftp://api.test",
        "https://",
        "https:///x",
        "https://user@api.test/",
        "https://user:secret@api.test/",
        "https://api.test/?a=b",
        "https://api.test/#a",
        "https://api.test:0/",
        "https://api.test:65536/",
        "https://api.test:/",
        "https://a b/",
        "https://[::1/",
        "https://[1.2.3.4]/",
        "https://api..test/",
        "https://1.2.3/",
        "https://01.2.3.4/",
        " https://api.test",
        "https://api.test/\n",
    };
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        tg_origin origin;
        tg_detail detail = {.line = 0};
        assert_false(tg_is_ok(tg_origin_parse(tg_slice_str(texts[i]), &origin, &detail)));
        assert_true(detail.reason[0] != 0);
    }
    tg_origin origin;
    assert_false(tg_is_ok(tg_origin_parse(TG_LIT("https://api\0.test/"), &origin, NULL)));
}

static void origin_parse_longest_host_is_taken_and_one_more_refused(void **state)
{
    (void)state;
    char text[400] = "https://";
    tg_origin origin;
    for (size_t i = 0; i < 253; i++) {
        text[8 + i] = i % 50 == 49 ? '.' : 'a';
    }
    memcpy(text + 8 + 253, ":65535", 7);
    assert_ok(tg_origin_parse(tg_slice_str(text), &origin, NULL));
    assert_int_equal(strlen(origin.authority), 253 + 6);
    memcpy(text + 8 + 253, "a:65535", 8);
    assert_code(tg_origin_parse(tg_slice_str(text), &origin, NULL), TG_ERR_LIMIT);
}

static void origin_parse_addresses_of_this_machine_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_loopback;
        bool is_on_link;
    } cases[] = {
        {"http://localhost", true, false},       {"http://127.255.0.9", true, false},
        {"http://[::1]", true, false},           {"http://169.254.169.254", false, true},
        {"http://169.254.170.2", false, true},   {"http://[fd00:ec2::254]", false, true},
        {"http://[fd00:ec2::23]", false, true},  {"http://[fe80::1]", false, true},
        {"http://128.0.0.1", false, false},      {"http://169.253.0.1", false, false},
        {"http://[fd00:ec3::1]", false, false},  {"http://localhost.test", false, false},
        {"http://127.0.0.1.test", false, false}, {"http://[::ffff:127.0.0.1]", false, false},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_origin origin;
        assert_ok(tg_origin_parse(tg_slice_str(cases[i].url), &origin, NULL));
        assert_int_equal(origin.is_loopback, cases[i].is_loopback);
        assert_int_equal(origin.is_on_link, cases[i].is_on_link);
    }
}

static void origin_append_host_port_writes_the_egress_form(void **state)
{
    (void)state;
    tg_origin origin;
    tg_buf buf;
    tg_buf_init(&buf, 300);
    assert_ok(tg_origin_parse(TG_LIT("https://Api.Test"), &origin, NULL));
    assert_ok(tg_origin_append_host_port(&origin, &buf));
    assert_ok(tg_origin_parse(TG_LIT("https://[::2]:99"), &origin, NULL));
    assert_ok(tg_buf_append_byte(&buf, ' '));
    assert_ok(tg_origin_append_host_port(&origin, &buf));
    assert_slice(tg_buf_slice(&buf), "api.test:443 [::2]:99");
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origin_parse_urls_give_host_port_and_authority),
        cmocka_unit_test(origin_parse_other_texts_are_refused),
        cmocka_unit_test(origin_parse_longest_host_is_taken_and_one_more_refused),
        cmocka_unit_test(origin_parse_addresses_of_this_machine_are_known),
        cmocka_unit_test(origin_append_host_port_writes_the_egress_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
