#include "proxy/egress_line.h"

#include "support/case.h"

#include <stdlib.h>

static tg_egress_target target;

#define assert_read(line, expected) assert_code(tg_egress_line_read(TG_LIT(line), &target), expected)

static void read_good_lines_gives_host_and_port(void **state)
{
    (void)state;
    assert_read("example.org:443\nrest", TG_OK);
    assert_slice(target.host, "example.org");
    assert_int_equal(target.port, 443);
    assert_int_equal(target.line_len, 16);
    assert_false(target.is_literal);
    assert_read("Example.ORG.:65535\n", TG_OK);
    assert_slice(target.host, "Example.ORG.");
    assert_read("169.254.169.254:80\n", TG_OK);
    assert_true(target.is_literal);
    assert_read("[::ffff:127.0.0.1]:80\n", TG_OK);
    assert_slice(target.host, "::ffff:127.0.0.1");
    assert_true(target.is_literal);
    assert_read("localhost:1\n", TG_OK);
    assert_read("0x7f.1:0001\n", TG_OK); /* for the resolver, whose answer is checked */
    assert_false(target.is_literal);
    assert_int_equal(target.port, 1);
}

static void read_bad_lines_are_refused(void **state)
{
    (void)state;
    assert_read("\n", TG_ERR_SYNTAX);
    assert_read("example.org\n", TG_ERR_SYNTAX);
    assert_read("example.org:\n", TG_ERR_SYNTAX);
    assert_read(":443\n", TG_ERR_SYNTAX);
    assert_read(".:443\n", TG_ERR_SYNTAX);
    assert_read("a..b:443\n", TG_ERR_SYNTAX);
    assert_read(".a:443\n", TG_ERR_SYNTAX);
    assert_read("a..:443\n", TG_ERR_SYNTAX);
    assert_read("example.org:443\r\n", TG_ERR_SYNTAX);
    assert_read("example.org:443 \n", TG_ERR_SYNTAX);
    assert_read("exam\0ple.org:443\n", TG_ERR_SYNTAX);
    assert_read("b\xc3\xbc"
                "cher.example:443\n",
                TG_ERR_SYNTAX);
    assert_read("user@example.org:443\n", TG_ERR_SYNTAX);
    assert_read("example.org:443:1\n", TG_ERR_SYNTAX);
    assert_read("example.org:-1\n", TG_ERR_SYNTAX);
    assert_read("example.org:4a\n", TG_ERR_SYNTAX);
    assert_read("example.org:0\n", TG_ERR_RANGE);
    assert_read("example.org:65536\n", TG_ERR_RANGE);
    assert_read("example.org:99999999999999999999\n", TG_ERR_RANGE);
    assert_read("::1:80\n", TG_ERR_SYNTAX);
    assert_read("[::1]80\n", TG_ERR_SYNTAX);
    assert_read("[::1]\n", TG_ERR_SYNTAX);
    assert_read("[::1:80\n", TG_ERR_SYNTAX);
    assert_read("[1.2.3.4]:80\n", TG_ERR_SYNTAX);
    assert_read("[example.org]:80\n", TG_ERR_SYNTAX);
    assert_read("[]:80\n", TG_ERR_SYNTAX);
    assert_read("[fe80::1%lo]:80\n", TG_ERR_SYNTAX);
}

static void read_refuses_a_bad_byte_before_the_newline(void **state)
{
    (void)state;
    assert_read("GET /", TG_ERR_SYNTAX);
    assert_read("\x16\x03\x01", TG_ERR_SYNTAX);
    assert_read("example.org:443\r", TG_ERR_SYNTAX);
}

static void read_byte_by_byte_wants_more_until_the_newline(void **state)
{
    (void)state;
    tg_slice whole = TG_LIT("[2001:db8::1]:8443\n");
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, whole.ptr, len);
        assert_code(tg_egress_line_read(tg_slice_of(exact, len), &target), TG_ERR_AGAIN);
        free(exact);
    }
    assert_ok(tg_egress_line_read(whole, &target));
}

static void read_line_at_the_limits(void **state)
{
    (void)state;
    static uint8_t bytes[TG_MAX_EGRESS_LINE_BYTES + 1];
    memset(bytes, 'a', sizeof bytes);
    assert_code(tg_egress_line_read(tg_slice_of(bytes, TG_MAX_EGRESS_LINE_BYTES - 1), &target), TG_ERR_AGAIN);
    assert_code(tg_egress_line_read(tg_slice_of(bytes, TG_MAX_EGRESS_LINE_BYTES), &target), TG_ERR_LIMIT);
    bytes[TG_MAX_EGRESS_LINE_BYTES] = '\n';
    assert_code(tg_egress_line_read(tg_slice_of(bytes, sizeof bytes), &target), TG_ERR_LIMIT);
    memset(bytes, '0', sizeof bytes); /* zeros before the port: the longest line that means something */
    memcpy(bytes, "a:", 2);
    memcpy(bytes + TG_MAX_EGRESS_LINE_BYTES - 3, "80\n", 3);
    assert_ok(tg_egress_line_read(tg_slice_of(bytes, TG_MAX_EGRESS_LINE_BYTES), &target));
    assert_int_equal(target.port, 80);
}

static void read_names_at_their_limits(void **state)
{
    (void)state;
    char line[300];
    for (size_t extra = 0; extra < 2; extra++) { /* 253 and 254 bytes */
        memset(line, 'a', sizeof line);
        line[63] = line[127] = line[191] = '.';
        memcpy(line + 253 + extra, ":1\n", 3);
        tg_result read = tg_egress_line_read(tg_slice_of(line, 256 + extra), &target);
        assert_code(read, extra == 0 ? TG_OK : TG_ERR_SYNTAX);
    }
    memset(line, 'a', 64); /* a label of 64 */
    memcpy(line + 64, ".b:1\n", 5);
    assert_code(tg_egress_line_read(tg_slice_of(line, 69), &target), TG_ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_good_lines_gives_host_and_port),
        cmocka_unit_test(read_bad_lines_are_refused),
        cmocka_unit_test(read_refuses_a_bad_byte_before_the_newline),
        cmocka_unit_test(read_byte_by_byte_wants_more_until_the_newline),
        cmocka_unit_test(read_line_at_the_limits),
        cmocka_unit_test(read_names_at_their_limits),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
