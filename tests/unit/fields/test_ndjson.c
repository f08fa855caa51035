#include "support/case.h"

#include "support/rewriting.h"
#include "support/tiny_graph.h"

#include "crypto/init.h"
#include "fields/ndjson.h"

#include <stdlib.h>

#define HELLO "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"

enum { MAX_LINE = 4096, MAX_OUT = 1 << 20 };

static tg_field_keys *ring;

/* What the stream becomes, fed in pieces of `step` bytes; the caller ends the buffer. */
static tg_buf run(tg_rewrite_mode mode, tg_slice input, size_t step, uint64_t expected_refused)
{
    tg_rewrite_options options = {.root = tg_tiny_root("{a:!,b:[!]}", false), .mode = mode, .max_fields = 3};
    tg_ndjson ndjson;
    tg_buf out;
    tg_ndjson_init(&ndjson, &options, MAX_LINE);
    tg_buf_init_wiped(&out, MAX_OUT);
    for (size_t at = 0; at < input.len; at += step) {
        assert_ok(tg_ndjson_feed(&ndjson, ring, tg_slice_first(tg_slice_from(input, at), step), &out));
    }
    assert_ok(tg_ndjson_end(&ndjson, ring, &out));
    assert_int_equal(ndjson.num_refused, expected_refused);
    tg_ndjson_done(&ndjson);
    return out;
}

static void assert_stream(tg_rewrite_mode mode, tg_slice input, tg_slice expected, uint64_t num_refused)
{
    for (size_t step = 1; step <= input.len + 1; step++) {
        tg_buf out = run(mode, input, step, num_refused);
        tg_assert_slice(tg_buf_slice(&out), expected, __FILE__, __LINE__);
        tg_buf_done(&out);
    }
}

static void feed_lines_of_any_cut_are_rewritten_in_order(void **state)
{
    (void)state;
    assert_stream(TG_REWRITE_ENCRYPT, TG_LIT("{\"a\":\"hello\"}\n{\"x\":1}\r\n\n \t\n[]\n{ \"b\" : [\"hello\"] }"),
                  TG_LIT("{\"a\":\"" HELLO "\"}\n{\"x\":1}\r\n\n \t\n"
                         "{\"error\":{\"code\":\"schema_mismatch\",\"message\":\"the schema has no array here, and PII "
                         "lies below\",\"pointer\":\"\",\"line\":5}}\n{ \"b\" : [\"" HELLO "\"] }"),
                  1);
    assert_stream(TG_REWRITE_DECRYPT, TG_LIT("{\"a\":\"" HELLO "\"}\n{\"b\":[\"" HELLO "\",null]}\n"),
                  TG_LIT("{\"a\":\"hello\"}\n{\"b\":[\"hello\",null]}\n"), 0);
    assert_stream(TG_REWRITE_ENCRYPT, TG_LIT(""), TG_LIT(""), 0);
    assert_stream(TG_REWRITE_ENCRYPT, TG_LIT("\n\n"), TG_LIT("\n\n"), 0);
}

static void feed_line_refused_is_answered_in_its_place(void **state)
{
    (void)state;
    assert_stream(
        TG_REWRITE_ENCRYPT, TG_LIT("{}\n{\"a\":\n{\"a\":\"hello\"} 1\n{\"b\":[1,2,3,4]}\n{}\n"),
        TG_LIT("{}\n"
               "{\"error\":{\"code\":\"bad_request\",\"message\":\"the body ends inside a JSON value\",\"line\":2}}\n"
               "{\"error\":{\"code\":\"bad_request\",\"message\":\"more bytes follow the JSON value\",\"line\":3}}\n"
               "{\"error\":{\"code\":\"payload_too_large\",\"message\":\"the document has more PII fields than "
               "are allowed\",\"pointer\":\"/b/3\",\"line\":4}}\n{}\n"),
        3);
    /* What was written of the line before the fault was met is taken back. */
    assert_stream(
        TG_REWRITE_DECRYPT, TG_LIT("{\"b\":[\"" HELLO "\",\"hello\"]}\n{\"a\":null}\n"),
        TG_LIT("{\"error\":{\"code\":\"not_a_token\",\"message\":\"no token stands where the schema has PII\","
               "\"pointer\":\"/b/1\",\"line\":1}}\n{\"a\":null}\n"),
        1);
}

static void feed_line_too_long_is_refused_and_the_next_is_not(void **state)
{
    (void)state;
    static uint8_t input[3 * MAX_LINE];
    static const size_t steps[] = {1, 7, MAX_LINE, MAX_LINE + 1, sizeof input};
    for (size_t len = MAX_LINE; len <= MAX_LINE + 1; len++) { /* the longest that is taken, and one over */
        memset(input, ' ', sizeof input);
        memcpy(input, "{}", 2);
        input[len] = '\n';
        memcpy(input + len + 1, "[1]\n{}", 6);
        for (size_t i = 0; i < TG_COUNT(steps); i++) {
            bool is_taken = len == MAX_LINE;
            tg_buf out = run(TG_REWRITE_ENCRYPT, tg_slice_of(input, len + 7), steps[i], is_taken ? 1 : 2);
            tg_slice rest = tg_buf_slice(&out);
            tg_slice first = tg_slice_split(&rest, '\n');
            assert_true(tg_slice_starts(first, is_taken ? TG_LIT("{}   ")
                                                        : TG_LIT("{\"error\":{\"code\":\"payload_too_large\"")));
            assert_true(tg_slice_starts(rest, TG_LIT("{\"error\":{\"code\":\"schema_mismatch\"")));
            assert_true(tg_slice_ends(rest, TG_LIT("\n{}")));
            tg_buf_done(&out);
        }
    }
}

static void end_last_line_too_long_is_refused(void **state)
{
    (void)state;
    static uint8_t input[2 * MAX_LINE];
    memset(input, ' ', sizeof input);
    for (size_t step = 1; step <= sizeof input; step += 1023) {
        tg_buf out = run(TG_REWRITE_ENCRYPT, tg_slice_of(input, sizeof input), step, 1);
        assert_slice(tg_buf_slice(&out), "{\"error\":{\"code\":\"payload_too_large\",\"message\":\"the line is longer "
                                         "than is allowed\",\"line\":1}}");
        tg_buf_done(&out);
    }
}

static void feed_output_without_room_is_told(void **state)
{
    (void)state;
    tg_rewrite_options options = {.root = tg_tiny_root("{a:!}", false), .mode = TG_REWRITE_ENCRYPT, .max_fields = 3};
    for (size_t max = 0; max < 160; max++) {
        tg_ndjson ndjson;
        tg_buf out;
        tg_ndjson_init(&ndjson, &options, MAX_LINE);
        tg_buf_init_wiped(&out, max);
        tg_code code = tg_ndjson_feed(&ndjson, ring, TG_LIT("{\"a\":\"hello\"}\n"), &out).code;
        assert_true(code == TG_OK || code == TG_ERR_LIMIT);
        assert_int_equal(code == TG_OK && ndjson.num_refused == 0, max >= 57);
        tg_buf_done(&out);
        tg_ndjson_done(&ndjson);
    }
}

static int set_up(void **state)
{
    (void)state;
    tg_secret *secret;
    if (tg_crypto_init(1).code != TG_OK || tg_secret_new(32, &secret).code != TG_OK) {
        return -1;
    }
    memset(tg_secret_fill(secret), 0xaa, 32);
    tg_field_key key = {TG_LIT("k"), secret, true};
    int status = tg_field_keys_new(&key, 1, &ring).code == TG_OK ? 0 : -1;
    tg_secret_free(secret);
    return status;
}

static int tear_down(void **state)
{
    (void)state;
    tg_field_keys_free(ring);
    return 0;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(feed_lines_of_any_cut_are_rewritten_in_order),
        cmocka_unit_test(feed_line_refused_is_answered_in_its_place),
        cmocka_unit_test(feed_line_too_long_is_refused_and_the_next_is_not),
        cmocka_unit_test(end_last_line_too_long_is_refused),
        cmocka_unit_test(feed_output_without_room_is_told),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
