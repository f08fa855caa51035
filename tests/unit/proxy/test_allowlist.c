#include "proxy/allowlist.h"

#include "support/case.h"

#include <stdlib.h>

static tg_arena arena;
static tg_faults faults;
static tg_egress_rules rules;

static int set_up(void **state)
{
    (void)state;
    tg_arena_init(&arena, 1 << 24, false);
    tg_faults_init(&faults);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_arena_done(&arena);
    tg_faults_done(&faults);
    return 0;
}

static tg_result parse(const char *yaml)
{
    return tg_allowlist_parse("a.yaml", tg_slice_str(yaml), &arena, &faults, &rules);
}

static void parse_aws_own_form_gives_rules(void **state)
{
    (void)state;
    assert_ok(parse("# comment\nallowlist:\n- {address: kms.us-east-1.amazonaws.com, port: 443}\n"
                    "- address: \"10.0.0.1\"\n  port: 5432\n- {port: 80, address: 'fd00::1'}\n"));
    assert_int_equal(rules.num_rules, 3);
    assert_slice(rules.rules[0].text, "kms.us-east-1.amazonaws.com:443");
    assert_int_equal(rules.rules[1].kind, TG_RULE_CIDR);
    assert_slice(rules.rules[2].text, "[fd00::1]:80");
    assert_ok(parse("{\"allowlist\": []}"));
    assert_int_equal(rules.num_rules, 0);
    assert_non_null(rules.rules);
}

static void parse_faults_have_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        unsigned line;
    } cases[] = {
        {"", 1},
        {"\n\nallow:\n- {address: a, port: 1}", 3},
        {"allowlist: 5", 1},
        {"- {address: a, port: 1}", 1},
        {"allowlist:\n- {address: a}", 2},
        {"allowlist:\n- {address: a, port: 1}\n- {port: 1}", 3},
        {"allowlist:\n- {address: a, port: x}", 2},
        {"allowlist:\n- {address: a, port: 0}", 2},
        {"allowlist:\n- {address: a, port: 65536}", 2},
        {"allowlist:\n- {address: a, port: 1, name: b}", 2},
        {"allowlist:\n- {address: a,\n   address: b, port: 1}", 3},
        {"allowlist:\n- {address: 'a b', port: 1}", 2},
        {"allowlist:\n- {address: '*.a', port: 1}", 2},
        {"allowlist:\n- {address: '', port: 1}", 2},
        {"allowlist:\n- [a, 1]", 2},
        {"allowlist:\n- a:1", 2},
        {"allowlist:\n- {address: [a], port: 1}", 2},
        {"allowlist:\n- {address: &x a, port: 1}\n- *x", 3},
        {"allowlist: []\nallowlist: []", 2},
        {"allowlist: []\n---\nallowlist: []", 2},
        {"allowlist: [", 2},
        {"allowlist:\n  a\n b: c", 2},
        {"allowlist: []\n# \x01", 2},
        {"{allowlist: {}}", 1},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_faults_done(&faults);
        assert_code(parse(cases[i].yaml), TG_ERR_SYNTAX);
        assert_int_equal(faults.num_faults, 1);
        if (faults.faults[0].line != cases[i].line) {
            fail_msg("%s: line %u: %s", cases[i].yaml, faults.faults[0].line, faults.faults[0].reason);
        }
    }
}

static void parse_at_most_1024_entries(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        tg_buf yaml;
        tg_buf_init(&yaml, 1 << 20);
        assert_ok(tg_buf_append_str(&yaml, "allowlist:\n"));
        for (int i = 0; i < TG_MAX_ALLOWLIST_ENTRIES + extra; i++) {
            assert_ok(tg_buf_printf(&yaml, "- {address: h%d, port: 1}\n", i));
        }
        tg_result read = tg_allowlist_parse("a.yaml", tg_buf_slice(&yaml), &arena, &faults, &rules);
        assert_code(read, extra == 0 ? TG_OK : TG_ERR_SYNTAX);
        tg_buf_done(&yaml);
    }
}

static void parse_deep_nesting_ends_at_once(void **state)
{
    (void)state;
    static char deep[100001];
    memset(deep, '[', sizeof deep - 1);
    assert_code(parse(deep), TG_ERR_SYNTAX);
}

static void read_missing_file_is_a_fault(void **state)
{
    (void)state;
    assert_code(tg_allowlist_read("/nonexistent/a.yaml", &arena, &faults, &rules), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(parse_aws_own_form_gives_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_faults_have_their_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_at_most_1024_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_deep_nesting_ends_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_missing_file_is_a_fault, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
