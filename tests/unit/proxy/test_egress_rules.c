#include "proxy/egress_rules.h"

#include "support/case.h"

#include <stdlib.h>

static tg_arena arena;
static tg_egress_rule parsed[8];

static int set_up(void **state)
{
    (void)state;
    tg_arena_init(&arena, 1 << 16, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_arena_done(&arena);
    return 0;
}

/* Says what decides on `address` for `host:port` under rules separated by blanks (NULL: no list). */
static const char *decide(const char *texts, const char *host, uint16_t port, const char *address, bool is_own)
{
    static char answer[400];
    tg_egress_rules rules = {NULL, 0};
    tg_slice rest = tg_slice_str(texts);
    if (texts != NULL) {
        rules.rules = parsed;
    }
    while (rest.ptr != NULL && rest.len > 0) {
        assert_ok(tg_egress_rule_parse(tg_slice_split(&rest, ' '), &arena, &parsed[rules.num_rules++], NULL));
    }
    uint8_t bytes[16];
    size_t len;
    assert_ok(tg_ip_parse(tg_slice_str(address), bytes, &len));
    tg_slice ip = tg_slice_of(bytes, len), reason;
    bool is_allowed =
        tg_egress_check(&rules, tg_slice_str(host), port, ip, is_own ? TG_IP_OWN : tg_ip_class_of(ip), &reason);
    if (is_allowed) {
        assert_true(tg_egress_may_name(&rules, tg_slice_str(host), port));
    }
    answer[0] = is_allowed ? '+' : '-';
    memcpy(answer + 1, reason.ptr, reason.len);
    answer[1 + reason.len] = 0;
    return answer;
}

#define assert_decides(rules, host, port, address, answer)                                                             \
    assert_string_equal(decide(rules, host, port, address, false), answer)

static void check_without_a_list_allows_public_addresses(void **state)
{
    (void)state;
    assert_decides(NULL, "example.org", 443, "93.184.216.34", "+public");
    assert_decides(NULL, "example.org", 443, "2606:4700::1", "+public");
    assert_decides(NULL, "example.org", 443, "10.0.0.1", "-private");
    assert_decides(NULL, "169.254.169.254", 80, "169.254.169.254", "-metadata");
    assert_decides(NULL, "x", 80, "::ffff:127.0.0.1", "-translated");
    assert_decides(NULL, "localhost", 1, "127.0.0.1", "-loopback");
    assert_string_equal(decide(NULL, "me", 22, "93.184.216.34", true), "-own");
}

static void check_empty_list_allows_nothing(void **state)
{
    (void)state;
    assert_decides("", "example.org", 443, "93.184.216.34", "-no_rule");
    assert_false(tg_egress_may_name(&(tg_egress_rules){parsed, 0}, TG_LIT("a"), 1));
    assert_true(tg_egress_may_name(&(tg_egress_rules){NULL, 0}, TG_LIT("a"), 1));
}

static void check_host_rule_allows_its_name_and_private_addresses(void **state)
{
    (void)state;
    assert_decides("Api.Example.org:443", "api.example.org", 443, "93.184.216.34", "+Api.Example.org:443");
    assert_decides("api.example.org:443", "API.example.org.", 443, "93.184.216.34", "+api.example.org:443");
    assert_decides("api.example.org:443", "api.example.org", 444, "93.184.216.34", "-no_rule");
    assert_decides("api.example.org", "api.example.org", 444, "93.184.216.34", "+api.example.org");
    assert_decides("api.example.org:443", "x.api.example.org", 443, "93.184.216.34", "-no_rule");
    assert_decides("kms.x:443", "kms.x", 443, "10.1.2.3", "+kms.x:443");
    assert_decides("kms.x:443", "kms.x", 443, "100.64.1.2", "+kms.x:443");
    assert_decides("kms.x:443", "kms.x", 443, "127.0.0.1", "-loopback");
    assert_decides("kms.x:443", "kms.x", 443, "169.254.169.254", "-metadata");
    assert_string_equal(decide("kms.x:443", "kms.x", 443, "10.1.2.3", true), "-own");
}

static void check_wildcard_rule_allows_public_addresses_below_it(void **state)
{
    (void)state;
    assert_decides("*.example.org:443", "a.b.example.org", 443, "93.184.216.34", "+*.example.org:443");
    assert_decides("*.example.org:443", "example.org", 443, "93.184.216.34", "-no_rule");
    assert_decides("*.example.org:443", ".example.org", 443, "93.184.216.34", "-no_rule");
    assert_decides("*.example.org:443", "badexample.org", 443, "93.184.216.34", "-no_rule");
    assert_decides("*.example.org:443", "a.example.org", 443, "10.0.0.1", "-private");
    assert_decides("*:443", "anything", 443, "93.184.216.34", "+*:443");
    assert_decides("*", "anything", 1, "10.0.0.1", "-private");
}

static void check_block_opens_its_own_class_only(void **state)
{
    (void)state;
    assert_decides("10.0.0.0/8", "x", 22, "10.9.9.9", "+10.0.0.0/8");
    assert_decides("10.0.0.0/8:443", "x", 22, "10.9.9.9", "-private");
    assert_decides("10.0.0.0/8:443", "x", 443, "10.9.9.9", "+10.0.0.0/8:443");
    assert_decides("0.0.0.0/0", "x", 443, "93.184.216.34", "+0.0.0.0/0");
    assert_decides("0.0.0.0/0", "x", 443, "10.0.0.1", "-private");
    assert_decides("0.0.0.0/0", "x", 443, "0.0.0.0", "-unspecified");
    assert_decides("0.0.0.0/0", "x", 443, "127.0.0.1", "-loopback");
    assert_decides("169.254.0.0/16", "x", 80, "169.254.1.1", "+169.254.0.0/16");
    assert_decides("169.254.0.0/16", "x", 80, "169.254.169.254", "-metadata");
    assert_decides("169.254.169.254:80", "x", 80, "169.254.169.254", "+169.254.169.254:80");
    assert_decides("[fd00::/8]:443", "x", 443, "fd12::1", "+[fd00::/8]:443");
    assert_decides("fc00::/7", "x", 443, "fd12::1", "+fc00::/7");
    assert_decides("[::1]:80", "x", 80, "::1", "+[::1]:80");
    assert_decides("127.0.0.0/8", "x", 80, "::ffff:127.0.0.1", "-translated");
    assert_string_equal(decide("10.0.0.0/8", "x", 1, "10.0.0.1", true), "-own");
    assert_string_equal(decide("10.0.0.1", "x", 1, "10.0.0.1", true), "+10.0.0.1");
}

static void may_name_refuses_names_that_no_rule_can_match(void **state)
{
    (void)state;
    (void)decide("*.a:443 b:80", "b", 80, "1.1.1.1", false);
    tg_egress_rules rules = {parsed, 2};
    assert_true(tg_egress_may_name(&rules, TG_LIT("x.a"), 443));
    assert_false(tg_egress_may_name(&rules, TG_LIT("x.a"), 80));
    assert_false(tg_egress_may_name(&rules, TG_LIT("c"), 80));
    (void)decide("1.0.0.0/8:80", "b", 80, "1.1.1.1", false);
    rules.num_rules = 1;
    assert_true(tg_egress_may_name(&rules, TG_LIT("c"), 80));
    assert_false(tg_egress_may_name(&rules, TG_LIT("c"), 81));
}

static void parse_bad_rules_are_refused_with_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tg_code code;
    } cases[] = {
        {"", TG_ERR_SYNTAX},
        {":443", TG_ERR_SYNTAX},
        {"a:0", TG_ERR_RANGE},
        {"a:65536", TG_ERR_RANGE},
        {"a:b", TG_ERR_SYNTAX},
        {"a b:1", TG_ERR_SYNTAX},
        {"a.*:1", TG_ERR_SYNTAX},
        {"*a:1", TG_ERR_SYNTAX},
        {"*.:1", TG_ERR_SYNTAX},
        {"*..a:1", TG_ERR_SYNTAX},
        {"10.0.0.1/8", TG_ERR_MISMATCH},
        {"10.0.0.0/33", TG_ERR_RANGE},
        {"a/8", TG_ERR_SYNTAX},
        {"[fd00::/8", TG_ERR_SYNTAX},
        {"[fd00::/8]443", TG_ERR_SYNTAX},
        {"[fd00::/8]:x", TG_ERR_SYNTAX},
        {"fd00::x", TG_ERR_SYNTAX},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_egress_rule rule;
        tg_detail detail;
        tg_detail_clear(&detail);
        assert_code(tg_egress_rule_parse(tg_slice_str(cases[i].text), &arena, &rule, &detail), cases[i].code);
        assert_true(detail.reason[0] != 0);
        assert_true(detail.remedy[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(check_without_a_list_allows_public_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_empty_list_allows_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_host_rule_allows_its_name_and_private_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_wildcard_rule_allows_public_addresses_below_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_block_opens_its_own_class_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_name_refuses_names_that_no_rule_can_match, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_bad_rules_are_refused_with_remedy, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
