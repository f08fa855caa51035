#include "support/case.h"

#include "support/rewriting.h"
#include "support/tiny_graph.h"

#include "crypto/init.h"
#include "fields/ndjson.h"

#include <stdlib.h>

#define HELLO "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"

/* Of another key. */
#define STRANGE "v1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAA"

enum { MAX_LINE = 4096, MAX_OUT = 1 << 20 };

static tg_field_keys *ring;

static void begin(tg_ndjson *ndjson, tg_rewrite_mode mode, const char *graph, size_t max_fields, size_t max_line)
{
    tg_ndjson_options options = {
        .rewrite = {.root = tg_tiny_root(graph, false), .mode = mode, .max_fields = max_fields},
        .max_line_bytes = max_line};
    tg_ndjson_init(ndjson, &options);
}

/* Steps until all that was fed is used up, taking away what may be taken; how many steps that took. */
static size_t work_off(tg_ndjson *ndjson, size_t budget, tg_buf *out)
{
    tg_result result;
    tg_buf piece;
    size_t num_steps = 0;
    tg_buf_init_wiped(&piece, MAX_OUT);
    do {
        result = tg_ndjson_step(ndjson, ring, budget, &piece);
        assert_true(tg_is_ok(result) || result.code == TG_ERR_AGAIN);
        tg_slice done = tg_slice_first(tg_buf_slice(&piece), tg_buf_len(&piece) - ndjson->unfinished);
        assert_ok(tg_buf_append(out, done));
        tg_buf_consume(&piece, done.len);
        num_steps++;
    } while (!tg_is_ok(result));
    assert_int_equal(tg_buf_len(&piece), 0);
    assert_true(tg_ndjson_is_between_lines(ndjson));
    tg_buf_done(&piece);
    return num_steps;
}

/* What the stream becomes, fed in pieces of `step` bytes; the caller ends the buffer. */
static tg_buf run(tg_rewrite_mode mode, tg_slice input, size_t step, size_t budget, uint64_t expected_refused)
{
    tg_ndjson ndjson;
    tg_buf out;
    begin(&ndjson, mode, "{a:!,b:[!]}", 3, MAX_LINE);
    tg_buf_init_wiped(&out, MAX_OUT);
    for (size_t at = 0; at < input.len; at += step) {
        tg_ndjson_feed(&ndjson, tg_slice_first(tg_slice_from(input, at), step));
        work_off(&ndjson, budget, &out);
    }
    tg_ndjson_end(&ndjson);
    work_off(&ndjson, budget, &out);
    assert_int_equal(ndjson.num_refused, expected_refused);
    tg_ndjson_done(&ndjson);
    return out;
}

static void assert_stream(tg_rewrite_mode mode, tg_slice input, tg_slice expected, uint64_t num_refused)
{
    static const size_t budgets[] = {1, 100, SIZE_MAX};
    for (size_t step = 1; step <= input.len + 1; step++) {
        for (size_t i = 0; i < TG_COUNT(budgets); i++) {
            tg_buf out = run(mode, input, step, budgets[i], num_refused);
            tg_assert_slice(tg_buf_slice(&out), expected, __FILE__, __LINE__);
            tg_buf_done(&out);
        }
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
            tg_buf out = run(TG_REWRITE_ENCRYPT, tg_slice_of(input, len + 7), steps[i], 1000, is_taken ? 1 : 2);
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
        tg_buf out = run(TG_REWRITE_ENCRYPT, tg_slice_of(input, sizeof input), step, SIZE_MAX, 1);
        assert_slice(tg_buf_slice(&out), "{\"error\":{\"code\":\"payload_too_large\",\"message\":\"the line is longer "
                                         "than is allowed\",\"line\":1}}");
        tg_buf_done(&out);
    }
}

static void step_output_without_room_is_told(void **state)
{
    (void)state;
    for (size_t max = 0; max < 160; max++) {
        tg_ndjson ndjson;
        tg_buf out;
        begin(&ndjson, TG_REWRITE_ENCRYPT, "{a:!}", 3, MAX_LINE);
        tg_buf_init_wiped(&out, max);
        tg_ndjson_feed(&ndjson, TG_LIT("{\"a\":\"hello\"}\n"));
        tg_code code = tg_ndjson_step(&ndjson, ring, SIZE_MAX, &out).code;
        assert_true(code == TG_OK || code == TG_ERR_LIMIT);
        assert_int_equal(code == TG_OK && ndjson.num_refused == 0, max >= 57);
        tg_buf_done(&out);
        tg_ndjson_done(&ndjson);
    }
}

/* {"b":["hello","hello",...]} with a newline behind it. */
static void append_list(tg_buf *out, size_t num_values, const char *value)
{
    assert_ok(tg_buf_append_str(out, "{\"b\":["));
    for (size_t i = 0; i < num_values; i++) {
        assert_ok(tg_buf_append_str(out, i > 0 ? ",\"" : "\""));
        assert_ok(tg_buf_append_str(out, value));
        assert_ok(tg_buf_append_str(out, "\""));
    }
    assert_ok(tg_buf_append_str(out, "]}\n"));
}

static void step_line_of_many_values_takes_many_steps(void **state)
{
    (void)state;
    enum { NUM = 3000, BUDGET = 65536 };
    tg_buf lines, expected, out;
    tg_ndjson ndjson;
    tg_buf_init(&lines, MAX_OUT);
    tg_buf_init(&expected, MAX_OUT);
    tg_buf_init(&out, MAX_OUT);
    append_list(&lines, NUM, "hello");
    append_list(&expected, NUM, HELLO);
    begin(&ndjson, TG_REWRITE_ENCRYPT, "{b:[!]}", NUM, MAX_OUT);
    tg_ndjson_feed(&ndjson, tg_buf_slice(&lines));
    assert_true(work_off(&ndjson, BUDGET, &out) > (size_t)NUM * 512 / BUDGET);
    tg_assert_slice(tg_buf_slice(&out), tg_buf_slice(&expected), __FILE__, __LINE__);
    assert_int_equal(ndjson.num_fields, NUM);
    tg_ndjson_done(&ndjson);
    tg_buf_done(&lines);
    tg_buf_done(&expected);
    tg_buf_done(&out);
}

static void step_output_that_fills_up_ends_the_step(void **state)
{
    (void)state;
    enum { NUM = 10000 };
    tg_buf lines, out;
    tg_ndjson ndjson;
    tg_buf_init(&lines, MAX_OUT);
    tg_buf_init(&out, MAX_OUT);
    for (size_t i = 0; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&lines, "{\"a\":\"hello\"}\n"));
    }
    begin(&ndjson, TG_REWRITE_ENCRYPT, "{a:!}", 1, MAX_LINE);
    tg_ndjson_feed(&ndjson, tg_buf_slice(&lines));
    size_t num_steps = 1;
    for (; tg_ndjson_step(&ndjson, ring, SIZE_MAX, &out).code == TG_ERR_AGAIN; num_steps++) {
        assert_in_range(tg_buf_len(&out), 65536, 65536 + 100);
        assert_int_equal(ndjson.unfinished, 0);
        tg_buf_clear(&out);
    }
    assert_int_equal(num_steps, NUM * 57 / 65536 + 1);
    assert_int_equal(ndjson.num_lines, NUM);
    tg_ndjson_done(&ndjson);
    tg_buf_done(&lines);
    tg_buf_done(&out);
}

/* How much may be held, and the most that was asked for and granted. */
typedef struct allowance {
    size_t max, granted;
} allowance;

static bool grant(void *owner, size_t num_bytes)
{
    allowance *given = owner;
    if (num_bytes > given->max) {
        return false;
    }
    given->granted = num_bytes > given->granted ? num_bytes : given->granted;
    return true;
}

static void step_line_for_which_nothing_may_be_held_is_refused(void **state)
{
    (void)state;
    enum { NUM = 8000, LINE = 1 << 20 };
    tg_buf lines, out;
    tg_buf_init(&lines, MAX_OUT);
    append_list(&lines, NUM, "a rather long value that takes its room, of which there is not enough");
    assert_ok(tg_buf_append_str(&lines, "{\"b\":[\"hello\"]}\n"));
    uint64_t num_refused = 1;
    for (size_t max = TG_NDJSON_SMALL_BYTES; max < 4 * LINE; max += 50000) {
        allowance given = {.max = max};
        tg_ndjson ndjson;
        tg_ndjson_options options = {.rewrite = {.root = tg_tiny_root("{b:[!]}", false), .max_fields = NUM},
                                     .max_line_bytes = LINE,
                                     .may_hold = grant,
                                     .owner = &given};
        tg_ndjson_init(&ndjson, &options);
        tg_buf_init_wiped(&out, 1 << 24);
        for (size_t at = 0; at < tg_buf_len(&lines); at += 16384) { /* as it is read: no piece has the line whole */
            tg_ndjson_feed(&ndjson, tg_slice_first(tg_slice_from(tg_buf_slice(&lines), at), 16384));
            tg_code code;
            do {
                code = tg_ndjson_step(&ndjson, ring, 65536, &out).code;
                size_t held = tg_ndjson_held(&ndjson) + out.cap;
                assert_true(held <= TG_NDJSON_SMALL_BYTES || held <= given.granted);
                if (ndjson.unfinished == 0 && tg_buf_len(&out) >= 65536) {
                    tg_buf_clear(&out);
                }
            } while (code == TG_ERR_AGAIN);
            assert_int_equal(code, TG_OK);
        }
        assert_true(tg_slice_ends(tg_buf_slice(&out), TG_LIT("{\"b\":[\"" HELLO "\"]}\n")));
        if (ndjson.num_refused > 0) {
            assert_true(tg_slice_starts(tg_buf_slice(&out), TG_LIT("{\"error\":{\"code\":\"service_unavailable\"")));
        } else {
            assert_int_equal(ndjson.num_fields, NUM + 1);
        }
        assert_true(ndjson.num_refused <= num_refused); /* what is allowed is made use of */
        num_refused = ndjson.num_refused;
        tg_buf_done(&out);
        tg_ndjson_done(&ndjson);
    }
    assert_int_equal(num_refused, 0);
    tg_buf_done(&lines);
}

static void step_token_that_no_key_opens_is_counted(void **state)
{
    (void)state;
    tg_ndjson ndjson;
    tg_buf out;
    begin(&ndjson, TG_REWRITE_DECRYPT, "{a:!}", 3, MAX_LINE);
    tg_buf_init_wiped(&out, MAX_OUT);
    tg_ndjson_feed(&ndjson, TG_LIT("{\"a\":\"hello\"}\n{\"a\":\"" STRANGE "\"}\n{\"a\":\"" HELLO "\"}\n"));
    work_off(&ndjson, 1000, &out);
    assert_int_equal(ndjson.num_refused, 2);
    assert_int_equal(ndjson.num_bad_tokens, 1);
    assert_int_equal(ndjson.num_fields, 1);
    tg_buf_done(&out);
    tg_ndjson_done(&ndjson);
}

static void set_root_lines_behind_it_follow_another_schema(void **state)
{
    (void)state;
    tg_ndjson ndjson;
    tg_buf out;
    tg_pii_root root = tg_tiny_root("{b:!}", false);
    begin(&ndjson, TG_REWRITE_ENCRYPT, "{a:!}", 3, MAX_LINE);
    tg_buf_init_wiped(&out, MAX_OUT);
    tg_ndjson_feed(&ndjson, TG_LIT("{\"a\":\"hello\"}\n{\"b\":\"he"));
    work_off(&ndjson, SIZE_MAX, &out);
    tg_ndjson_set_root(&ndjson, &root);
    tg_ndjson_feed(&ndjson, TG_LIT("llo\"}\n"));
    work_off(&ndjson, SIZE_MAX, &out);
    assert_slice(tg_buf_slice(&out), "{\"a\":\"" HELLO "\"}\n{\"b\":\"" HELLO "\"}\n");
    tg_buf_done(&out);
    tg_ndjson_done(&ndjson);
}

/* Values of several lines are sealed together: also of those with escapes between, and of those that are cut off. */
static void step_lines_sealed_together_keep_their_places(void **state)
{
    (void)state;
    static const char one[] = "{\"a\":\"hello\"}\n", other[] = "{\"a\":\"h\\u0065llo\"}\n",
                      bad[] = "{\"b\":[\"hello\",\"hello\",\"\\ud800\"]}\n",
                      refusal[] = "{\"error\":{\"code\":\"bad_request\",\"message\":\"a string holds half of a "
                                  "surrogate pair\",\"pointer\":\"/b/2\",\"line\":";
    tg_buf lines, expected;
    tg_buf_init(&lines, MAX_OUT);
    tg_buf_init(&expected, MAX_OUT);
    uint64_t num_refused = 0;
    for (uint64_t i = 1; i <= 120; i++) {
        const char *line = i % 7 == 0 ? bad : i % 5 == 0 ? other : one;
        assert_ok(tg_buf_append_str(&lines, line));
        if (line == bad) {
            num_refused++;
            assert_ok(tg_buf_append_str(&expected, refusal));
            assert_ok(tg_buf_append_u64(&expected, i));
            assert_ok(tg_buf_append_str(&expected, "}}\n"));
        } else {
            assert_ok(tg_buf_append_str(&expected, "{\"a\":\"" HELLO "\"}\n"));
        }
    }
    for (size_t step = 1; step < tg_buf_len(&lines) + 97; step += 97) {
        tg_buf out = run(TG_REWRITE_ENCRYPT, tg_buf_slice(&lines), step, step % 3000 + 1, num_refused);
        tg_assert_slice(tg_buf_slice(&out), tg_buf_slice(&expected), __FILE__, __LINE__);
        tg_buf_done(&out);
    }
    tg_buf_done(&lines);
    tg_buf_done(&expected);
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
        cmocka_unit_test(step_output_without_room_is_told),
        cmocka_unit_test(step_line_of_many_values_takes_many_steps),
        cmocka_unit_test(step_output_that_fills_up_ends_the_step),
        cmocka_unit_test(step_line_for_which_nothing_may_be_held_is_refused),
        cmocka_unit_test(step_token_that_no_key_opens_is_counted),
        cmocka_unit_test(set_root_lines_behind_it_follow_another_schema),
        cmocka_unit_test(step_lines_sealed_together_keep_their_places),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
