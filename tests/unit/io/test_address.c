#include "support/case.h"

#include "io/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static tg_result parse(const char *text, tg_address *address)
{
    tg_detail detail;
    tg_result result = tg_address_parse(tg_slice_str(text), address, &detail);
    if (!tg_is_ok(result)) {
        assert_true(detail.reason[0] != 0);
    }
    return result;
}

static void check_round_trip(const char *text, const char *canonical)
{
    tg_address first = {0};
    tg_address second = {0};
    char out[TG_MAX_ADDRESS_BYTES];
    assert_ok(parse(text, &first));
    assert_string_equal(tg_address_format(&first, out), canonical);
    assert_ok(parse(canonical, &second));
    assert_true(tg_address_equal(&first, &second));
}

static void parse_each_kind_round_trips(void **state)
{
    (void)state;
    check_round_trip("tcp:127.0.0.1:8443", "tcp:127.0.0.1:8443");
    check_round_trip("tcp:0.0.0.0:0", "tcp:0.0.0.0:0");
    check_round_trip("tcp:[::1]:65535", "tcp:[::1]:65535");
    check_round_trip("tcp:[0:0:0:0:0:0:0:1]:1", "tcp:[::1]:1");
    check_round_trip("tcp:[::ffff:127.0.0.1]:80", "tcp:[::ffff:127.0.0.1]:80");
    check_round_trip("tcp:kms.ap-south-1.example.org:443", "tcp:kms.ap-south-1.example.org:443");
    check_round_trip("tcp:a_b.example.:443", "tcp:a_b.example.:443");
    check_round_trip("tcp:1a:443", "tcp:1a:443");
    check_round_trip("vsock:16:8443", "vsock:16:8443");
    check_round_trip("vsock:any:4294967295", "vsock:any:4294967295");
    check_round_trip("vsock:parent:8000", "vsock:3:8000");
    check_round_trip("vsock:host:8000", "vsock:2:8000");
    check_round_trip("vsock:local:8000", "vsock:1:8000");
    check_round_trip("unix:/run/x.sock", "unix:/run/x.sock");
    check_round_trip("unix:@name:1", "unix:@name:1");
    check_round_trip("unix:x?cid=16", "unix:x?cid=16");
    check_round_trip("hvsock:/run/v.sock:5000", "hvsock:/run/v.sock:5000");
}

static void parse_what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tg_code code;
    } cases[] = {
        {"", TG_ERR_UNSUPPORTED},
        {"127.0.0.1:80", TG_ERR_UNSUPPORTED},
        {"TCP:127.0.0.1:80", TG_ERR_UNSUPPORTED},
        {" tcp:127.0.0.1:80", TG_ERR_UNSUPPORTED},
        {"udp:127.0.0.1:80", TG_ERR_UNSUPPORTED},
        {"tcp:", TG_ERR_SYNTAX},
        {"tcp:80", TG_ERR_SYNTAX},
        {"tcp::80", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1:", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1:http", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1:+80", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1: 80", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1:65536", TG_ERR_RANGE},
        {"tcp:127.0.0.1:00000000080", TG_ERR_RANGE},
        {"tcp:127.1:80", TG_ERR_SYNTAX},
        {"tcp:2130706433:80", TG_ERR_SYNTAX},
        {"tcp:0x7f000001:80", TG_ERR_SYNTAX},
        {"tcp:0177.0.0.1:80", TG_ERR_SYNTAX},
        {"tcp:127.0.0.1.:80", TG_ERR_SYNTAX},
        {"tcp:256.0.0.1:80", TG_ERR_SYNTAX},
        {"tcp:::1:80", TG_ERR_SYNTAX},
        {"tcp:[::1:80", TG_ERR_SYNTAX},
        {"tcp:[]:80", TG_ERR_SYNTAX},
        {"tcp:[::1%lo]:80", TG_ERR_SYNTAX},
        {"tcp:[127.0.0.1]:80", TG_ERR_SYNTAX},
        {"tcp:a..b:80", TG_ERR_SYNTAX},
        {"tcp:.:80", TG_ERR_SYNTAX},
        {"tcp:-a:80", TG_ERR_SYNTAX},
        {"tcp:a-:80", TG_ERR_SYNTAX},
        {"tcp:a b:80", TG_ERR_SYNTAX},
        {"tcp:a/b:80", TG_ERR_SYNTAX},
        {"tcp:user@a:80", TG_ERR_SYNTAX},
        {"tcp:b\xc3\xbc.example:80", TG_ERR_SYNTAX},
        {"vsock:16", TG_ERR_SYNTAX},
        {"vsock:Any:1", TG_ERR_SYNTAX},
        {"vsock::1", TG_ERR_SYNTAX},
        {"vsock:4294967296:1", TG_ERR_RANGE},
        {"vsock:16:4294967296", TG_ERR_RANGE},
        {"vsock:-1:1", TG_ERR_SYNTAX},
        {"unix:", TG_ERR_SYNTAX},
        {"unix:@", TG_ERR_SYNTAX},
        {"unix:/run/a b", TG_ERR_SYNTAX},
        {"unix:/run/a,b", TG_ERR_SYNTAX},
        {"unix:x?cid=", TG_ERR_SYNTAX},
        {"unix:x?CID=1", TG_ERR_SYNTAX},
        {"unix:x?cid=1?cid=2", TG_ERR_SYNTAX},
        {"unix:?cid=1", TG_ERR_SYNTAX},
        {"unix:x?cid=4294967296", TG_ERR_RANGE},
        {"hvsock:/run/v.sock", TG_ERR_SYNTAX},
        {"hvsock::5000", TG_ERR_SYNTAX},
        {"hvsock:/run/v.sock:x", TG_ERR_SYNTAX},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_address address = {.port = 7};
        tg_result result = parse(cases[i].text, &address);
        if (result.code != cases[i].code) {
            fail_msg("%s gives %s", cases[i].text, tg_code_name(result.code));
        }
        assert_int_equal(address.port, 7);
    }
}

static void parse_embedded_nul_is_refused(void **state)
{
    (void)state;
    tg_address address;
    assert_code(tg_address_parse(TG_LIT("tcp:127.0.0.1\0x:80"), &address, NULL), TG_ERR_SYNTAX);
    assert_code(tg_address_parse(TG_LIT("tcp:a\0b:80"), &address, NULL), TG_ERR_SYNTAX);
    assert_code(tg_address_parse(TG_LIT("unix:/run/a\0b"), &address, NULL), TG_ERR_SYNTAX);
    assert_code(tg_address_parse(TG_LIT("vsock:1\0:80"), &address, NULL), TG_ERR_SYNTAX);
}

static void parse_every_prefix_reads_nothing_past_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"tcp:[2001:db8::1]:8443", "vsock:parent:8000", "unix:@a?cid=16", "hvsock:/a:1"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        for (size_t len = 0; len < strlen(texts[i]); len++) {
            uint8_t exact[64];
            memset(exact, '9', sizeof exact); /* what would change the result if it were read */
            memcpy(exact, texts[i], len);
            tg_address address = {0};
            tg_address cut = {0};
            char copy[64] = {0};
            memcpy(copy, texts[i], len);
            tg_code code = tg_address_parse(tg_slice_of(exact, len), &address, NULL).code;
            assert_int_equal(code, tg_address_parse(tg_slice_str(copy), &cut, NULL).code);
            assert_memory_equal(&address, &cut, sizeof cut);
        }
    }
}

static void parse_lengths_at_the_limit_and_one_over(void **state)
{
    (void)state;
    char text[512];
    tg_address address;
    char host[300] = {0};
    for (int i = 0; i < 253; i++) {
        host[i] = i % 50 == 49 ? '.' : 'a';
    }
    snprintf(text, sizeof text, "tcp:%s:443", host);
    assert_ok(parse(text, &address));
    host[253] = 'a';
    snprintf(text, sizeof text, "tcp:%s:443", host);
    assert_code(parse(text, &address), TG_ERR_LIMIT);
    memset(host, 'a', 63);
    host[63] = 0;
    snprintf(text, sizeof text, "tcp:%s:443", host);
    assert_ok(parse(text, &address));
    host[63] = 'a';
    host[64] = 0;
    snprintf(text, sizeof text, "tcp:%s:443", host);
    assert_code(parse(text, &address), TG_ERR_SYNTAX);
    memset(host, 'p', 107);
    host[107] = 0;
    snprintf(text, sizeof text, "unix:%s", host);
    assert_ok(parse(text, &address));
    host[107] = 'p';
    host[108] = 0;
    snprintf(text, sizeof text, "unix:%s", host);
    assert_code(parse(text, &address), TG_ERR_LIMIT);
}

static void parse_host_port_takes_host_and_port_alone(void **state)
{
    (void)state;
    tg_address address;
    assert_ok(tg_address_parse_host_port(TG_LIT("api.example.org:443"), &address, NULL));
    assert_int_equal(address.kind, TG_ADDRESS_TCP);
    assert_false(address.is_numeric);
    assert_ok(tg_address_parse_host_port(TG_LIT("[::ffff:127.0.0.1]:80"), &address, NULL));
    assert_true(address.is_numeric);
    assert_code(tg_address_parse_host_port(TG_LIT("api.example.org:0"), &address, NULL), TG_ERR_RANGE);
    assert_code(tg_address_parse_host_port(TG_LIT("api.example.org"), &address, NULL), TG_ERR_SYNTAX);
    assert_code(tg_address_parse_host_port(TG_LIT(""), &address, NULL), TG_ERR_SYNTAX);
}

static void parse_list_sixteen_are_taken_and_seventeen_refused(void **state)
{
    (void)state;
    char text[512] = "tcp:a:1";
    tg_address_list list = {0};
    tg_detail detail;
    assert_ok(tg_address_parse_list(tg_slice_str(text), &list, &detail));
    assert_int_equal(list.num_addresses, 1);
    size_t len = strlen(text);
    for (size_t i = 1; i < 16; i++) {
        memcpy(text + len, ",unix:b", 8);
        len += 7;
    }
    assert_ok(tg_address_parse_list(tg_slice_str(text), &list, &detail));
    assert_int_equal(list.num_addresses, 16);
    assert_string_equal(list.addresses[15].name, "b");
    memcpy(text + len, ",unix:b", 8);
    assert_code(tg_address_parse_list(tg_slice_str(text), &list, &detail), TG_ERR_LIMIT);
    assert_code(tg_address_parse_list(TG_LIT("tcp:a:1,"), &list, &detail), TG_ERR_UNSUPPORTED);
    assert_code(tg_address_parse_list(TG_LIT("tcp:a:1, tcp:b:1"), &list, &detail), TG_ERR_UNSUPPORTED);
    assert_string_equal(detail.field, " tcp:b:1");
}

static void to_sockaddr_each_kind_is_what_the_kernel_takes(void **state)
{
    (void)state;
    tg_address address;
    tg_sockaddr to;
    assert_ok(parse("tcp:192.0.2.1:8443", &address));
    assert_ok(tg_address_to_sockaddr(&address, false, &to));
    assert_int_equal(to.in.sin_family, AF_INET);
    assert_int_equal(ntohs(to.in.sin_port), 8443);
    assert_int_equal(ntohl(to.in.sin_addr.s_addr), 0xc0000201);
    assert_ok(parse("tcp:[2001:db8::1]:1", &address));
    assert_ok(tg_address_to_sockaddr(&address, false, &to));
    assert_int_equal(to.in6.sin6_family, AF_INET6);
    assert_int_equal(to.len, sizeof(struct sockaddr_in6));
    assert_ok(parse("tcp:name:1", &address));
    assert_code(tg_address_to_sockaddr(&address, false, &to), TG_ERR_UNSUPPORTED);
    assert_ok(parse("vsock:any:5", &address));
    assert_ok(tg_address_to_sockaddr(&address, true, &to));
    assert_int_equal(to.vm.svm_cid, VMADDR_CID_ANY);
    assert_ok(parse("unix:@ab", &address));
    assert_ok(tg_address_to_sockaddr(&address, true, &to));
    assert_int_equal(to.len, offsetof(struct sockaddr_un, sun_path) + 3);
    assert_memory_equal(to.un.sun_path, "\0ab", 3);
    assert_ok(parse("hvsock:/v:52", &address));
    assert_ok(tg_address_to_sockaddr(&address, true, &to));
    assert_string_equal(to.un.sun_path, "/v_52");
    assert_ok(tg_address_to_sockaddr(&address, false, &to));
    assert_string_equal(to.un.sun_path, "/v");
    char text[200] = "hvsock:";
    memset(text + 7, 'p', 104);
    memcpy(text + 111, ":123", 5);
    assert_ok(parse(text, &address));
    assert_code(tg_address_to_sockaddr(&address, true, &to), TG_ERR_LIMIT);
}

static void equal_case_matters_only_in_paths(void **state)
{
    (void)state;
    tg_address a;
    tg_address b;
    assert_ok(parse("tcp:Example.org:1", &a));
    assert_ok(parse("tcp:example.ORG:1", &b));
    assert_true(tg_address_equal(&a, &b));
    assert_ok(parse("unix:A", &a));
    assert_ok(parse("unix:a", &b));
    assert_false(tg_address_equal(&a, &b));
    assert_ok(parse("unix:a?cid=0", &a));
    assert_false(tg_address_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_each_kind_round_trips),
        cmocka_unit_test(parse_what_is_no_address_is_refused),
        cmocka_unit_test(parse_embedded_nul_is_refused),
        cmocka_unit_test(parse_every_prefix_reads_nothing_past_it),
        cmocka_unit_test(parse_lengths_at_the_limit_and_one_over),
        cmocka_unit_test(parse_host_port_takes_host_and_port_alone),
        cmocka_unit_test(parse_list_sixteen_are_taken_and_seventeen_refused),
        cmocka_unit_test(to_sockaddr_each_kind_is_what_the_kernel_takes),
        cmocka_unit_test(equal_case_matters_only_in_paths),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
