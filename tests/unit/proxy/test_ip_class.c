#include "proxy/ip_class.h"

#include "support/case.h"

static tg_ip_class class_of(const char *text)
{
    uint8_t bytes[16];
    size_t len;
    assert_ok(tg_ip_parse(tg_slice_str(text), bytes, &len));
    return tg_ip_class_of(tg_slice_of(bytes, len));
}

static void class_of_each_block_at_its_edges_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        tg_ip_class class;
    } cases[] = {
        {"0.0.0.0", TG_IP_UNSPECIFIED},
        {"0.255.255.255", TG_IP_UNSPECIFIED},
        {"1.0.0.0", TG_IP_PUBLIC},
        {"9.255.255.255", TG_IP_PUBLIC},
        {"10.0.0.0", TG_IP_PRIVATE},
        {"10.255.255.255", TG_IP_PRIVATE},
        {"11.0.0.0", TG_IP_PUBLIC},
        {"100.63.255.255", TG_IP_PUBLIC},
        {"100.64.0.0", TG_IP_SHARED},
        {"100.127.255.255", TG_IP_SHARED},
        {"100.128.0.0", TG_IP_PUBLIC},
        {"100.100.100.200", TG_IP_METADATA},
        {"126.255.255.255", TG_IP_PUBLIC},
        {"127.0.0.0", TG_IP_LOOPBACK},
        {"127.255.255.255", TG_IP_LOOPBACK},
        {"128.0.0.0", TG_IP_PUBLIC},
        {"168.63.129.16", TG_IP_METADATA},
        {"168.63.129.17", TG_IP_PUBLIC},
        {"169.253.255.255", TG_IP_PUBLIC},
        {"169.254.0.0", TG_IP_LINK_LOCAL},
        {"169.254.169.253", TG_IP_LINK_LOCAL},
        {"169.254.169.254", TG_IP_METADATA},
        {"169.254.170.2", TG_IP_METADATA},
        {"169.254.170.23", TG_IP_METADATA},
        {"169.254.255.255", TG_IP_LINK_LOCAL},
        {"169.255.0.0", TG_IP_PUBLIC},
        {"172.15.255.255", TG_IP_PUBLIC},
        {"172.16.0.0", TG_IP_PRIVATE},
        {"172.31.255.255", TG_IP_PRIVATE},
        {"172.32.0.0", TG_IP_PUBLIC},
        {"192.0.0.0", TG_IP_RESERVED},
        {"192.0.0.192", TG_IP_METADATA},
        {"192.0.0.255", TG_IP_RESERVED},
        {"192.0.1.0", TG_IP_PUBLIC},
        {"192.0.2.0", TG_IP_DOCUMENTATION},
        {"192.0.2.255", TG_IP_DOCUMENTATION},
        {"192.0.3.0", TG_IP_PUBLIC},
        {"192.88.99.1", TG_IP_TRANSLATED},
        {"192.88.100.0", TG_IP_PUBLIC},
        {"192.167.255.255", TG_IP_PUBLIC},
        {"192.168.0.0", TG_IP_PRIVATE},
        {"192.168.255.255", TG_IP_PRIVATE},
        {"192.169.0.0", TG_IP_PUBLIC},
        {"198.17.255.255", TG_IP_PUBLIC},
        {"198.18.0.0", TG_IP_BENCHMARK},
        {"198.19.255.255", TG_IP_BENCHMARK},
        {"198.20.0.0", TG_IP_PUBLIC},
        {"198.51.100.7", TG_IP_DOCUMENTATION},
        {"203.0.113.255", TG_IP_DOCUMENTATION},
        {"203.0.114.0", TG_IP_PUBLIC},
        {"223.255.255.255", TG_IP_PUBLIC},
        {"224.0.0.0", TG_IP_MULTICAST},
        {"239.255.255.255", TG_IP_MULTICAST},
        {"240.0.0.0", TG_IP_RESERVED},
        {"255.255.255.254", TG_IP_RESERVED},
        {"255.255.255.255", TG_IP_BROADCAST},
        {"::", TG_IP_UNSPECIFIED},
        {"::1", TG_IP_LOOPBACK},
        {"::2", TG_IP_TRANSLATED},
        {"::127.0.0.1", TG_IP_TRANSLATED},
        {"::ffff:127.0.0.1", TG_IP_TRANSLATED},
        {"::ffff:8.8.8.8", TG_IP_TRANSLATED},
        {"::ffff:0:127.0.0.1", TG_IP_TRANSLATED},
        {"::1:0:0:0", TG_IP_RESERVED},
        {"64:ff9b::7f00:1", TG_IP_TRANSLATED},
        {"64:ff9b:0:0:0:1::", TG_IP_RESERVED},
        {"64:ff9b:1::", TG_IP_TRANSLATED},
        {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", TG_IP_TRANSLATED},
        {"64:ff9b:2::", TG_IP_RESERVED},
        {"100::1", TG_IP_RESERVED},
        {"1fff:ffff::", TG_IP_RESERVED},
        {"2000::", TG_IP_PUBLIC},
        {"2001::1", TG_IP_TRANSLATED},
        {"2001:0:ffff::", TG_IP_TRANSLATED},
        {"2001:1::1", TG_IP_RESERVED},
        {"2001:2::1", TG_IP_BENCHMARK},
        {"2001:2:1::", TG_IP_RESERVED},
        {"2001:20::", TG_IP_RESERVED},
        {"2001:1ff:ffff::", TG_IP_RESERVED},
        {"2001:200::", TG_IP_PUBLIC},
        {"2001:db7:ffff::", TG_IP_PUBLIC},
        {"2001:db8::1", TG_IP_DOCUMENTATION},
        {"2001:db9::", TG_IP_PUBLIC},
        {"2002:7f00:1::", TG_IP_TRANSLATED},
        {"2003::", TG_IP_PUBLIC},
        {"2606:4700::1111", TG_IP_PUBLIC},
        {"3ffe::", TG_IP_PUBLIC},
        {"3fff::", TG_IP_DOCUMENTATION},
        {"3fff:fff::", TG_IP_DOCUMENTATION},
        {"3fff:1000::", TG_IP_PUBLIC},
        {"4000::", TG_IP_RESERVED},
        {"5f00::1", TG_IP_RESERVED},
        {"fbff::", TG_IP_RESERVED},
        {"fc00::", TG_IP_PRIVATE},
        {"fd00:ec1::254", TG_IP_PRIVATE},
        {"fd00:ec2::254", TG_IP_METADATA},
        {"fd00:ec2::23", TG_IP_METADATA},
        {"fd20:ce::254", TG_IP_METADATA},
        {"fd20:ce::255", TG_IP_PRIVATE},
        {"fdff:ffff::", TG_IP_PRIVATE},
        {"fe00::", TG_IP_RESERVED},
        {"fe80::", TG_IP_LINK_LOCAL},
        {"febf:ffff::", TG_IP_LINK_LOCAL},
        {"fec0::", TG_IP_PRIVATE},
        {"ff00::", TG_IP_MULTICAST},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", TG_IP_MULTICAST},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        if (class_of(cases[i].address) != cases[i].class) {
            fail_msg("%s is %s", cases[i].address, tg_ip_class_name(class_of(cases[i].address)));
        }
    }
}

static void class_of_other_lengths_is_reserved(void **state)
{
    (void)state;
    assert_int_equal(tg_ip_class_of(TG_LIT("")), TG_IP_RESERVED);
    assert_int_equal(tg_ip_class_of(TG_LIT("\x08\x08\x08")), TG_IP_RESERVED);
    assert_int_equal(tg_ip_class_of(TG_LIT("\x08\x08\x08\x08\x08")), TG_IP_RESERVED);
}

static void class_names_are_all_there(void **state)
{
    (void)state;
    for (int class = 0; class < TG_NUM_IP_CLASSES; class ++) {
        assert_non_null(tg_ip_class_name((tg_ip_class) class));
    }
    assert_string_equal(tg_ip_class_name(TG_NUM_IP_CLASSES), "unknown");
    assert_string_equal(tg_ip_class_name(TG_IP_LINK_LOCAL), "link_local");
}

static void parse_takes_only_the_standard_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "01.2.3.4",
                                      "0x7f.0.0.1",
                                      "256.1.1.1",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "1.2.3.-4",
                                      "::1%lo",
                                      "[::1]",
                                      ":::",
                                      "1:2:3:4:5:6:7",
                                      "g::",
                                      "::1/128",
                                      "127.0.0.1\n",
                                      "::ffff:1.2.3",
                                      "1111:2222:3333:4444:5555:6666:255.255.255.2555"};
    uint8_t bytes[16] = {7};
    size_t len = 99;
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_ip_parse(tg_slice_str(bad[i]), bytes, &len), TG_ERR_SYNTAX);
    }
    assert_code(tg_ip_parse(TG_LIT("1.2.3.4\0"), bytes, &len), TG_ERR_SYNTAX);
    assert_int_equal(len, 99);
    assert_int_equal(bytes[0], 7);
    assert_ok(tg_ip_parse(TG_LIT("1.2.3.4"), bytes, &len));
    assert_slice(tg_slice_of(bytes, len), "\x01\x02\x03\x04");
    assert_ok(tg_ip_parse(TG_LIT("1111:2222:3333:4444:5555:6666:255.255.255.255"), bytes, &len));
    assert_int_equal(len, 16);
}

static bool holds(const char *block, const char *address)
{
    tg_cidr cidr;
    uint8_t bytes[16];
    size_t len;
    assert_ok(tg_cidr_parse(tg_slice_str(block), &cidr));
    assert_ok(tg_ip_parse(tg_slice_str(address), bytes, &len));
    return tg_cidr_holds(&cidr, tg_slice_of(bytes, len));
}

static void cidr_holds_what_lies_under_its_prefix(void **state)
{
    (void)state;
    assert_true(holds("0.0.0.0/0", "255.1.2.3"));
    assert_false(holds("0.0.0.0/0", "::ffff:1.2.3.4"));
    assert_true(holds("::/0", "fe80::1"));
    assert_true(holds("10.0.0.0/9", "10.127.255.255"));
    assert_false(holds("10.0.0.0/9", "10.128.0.0"));
    assert_true(holds("10.0.0.1", "10.0.0.1"));
    assert_false(holds("10.0.0.1/32", "10.0.0.2"));
    assert_true(holds("10.0.0.0/31", "10.0.0.1"));
    assert_true(holds("fd00::/8", "fdff::"));
    assert_false(holds("fd00::/8", "fc00::"));
}

static void cidr_parse_faults_are_named(void **state)
{
    (void)state;
    tg_cidr cidr;
    assert_code(tg_cidr_parse(TG_LIT("10.0.0.0/33"), &cidr), TG_ERR_RANGE);
    assert_code(tg_cidr_parse(TG_LIT("::/129"), &cidr), TG_ERR_RANGE);
    assert_code(tg_cidr_parse(TG_LIT("10.0.0.0/"), &cidr), TG_ERR_SYNTAX);
    assert_code(tg_cidr_parse(TG_LIT("10.0.0.0/+8"), &cidr), TG_ERR_SYNTAX);
    assert_code(tg_cidr_parse(TG_LIT("10/8"), &cidr), TG_ERR_SYNTAX);
    assert_code(tg_cidr_parse(TG_LIT("10.0.0.1/8"), &cidr), TG_ERR_MISMATCH);
    assert_code(tg_cidr_parse(TG_LIT("fd00::1/127"), &cidr), TG_ERR_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(class_of_each_block_at_its_edges_is_right),
        cmocka_unit_test(class_of_other_lengths_is_reserved),
        cmocka_unit_test(class_names_are_all_there),
        cmocka_unit_test(parse_takes_only_the_standard_forms),
        cmocka_unit_test(cidr_holds_what_lies_under_its_prefix),
        cmocka_unit_test(cidr_parse_faults_are_named),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
