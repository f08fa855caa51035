#include "support/case.h"

#include "support/rewriting.h"
#include "support/tiny_graph.h"

#include <stdio.h>
#include <stdlib.h>

#define HELLO "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy"
#define EMPTY "v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw"
#define SSN   "v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"

static const tg_rewrite_setting encrypting = {TG_REWRITE_ENCRYPT, false, false, 10000, 1 << 26, 1 << 24};
static const tg_rewrite_setting decrypting = {TG_REWRITE_DECRYPT, false, false, 10000, 1 << 26, 1 << 24};
static const tg_rewrite_setting lenient = {TG_REWRITE_DECRYPT, true, false, 10000, 1 << 26, 1 << 24};

static tg_result run(const char *graph, tg_slice body, const tg_rewrite_setting *how, size_t budget, tg_rewriting *out)
{
    return tg_test_rewrite(tg_tiny_root(graph, how->defines_payload), body, how, budget, out);
}

/* The same for every budget, so that no cut of the work shows. */
static void assert_rewritten(const tg_rewrite_setting *how, const char *graph, tg_slice body, tg_slice expected)
{
    for (size_t budget = 0; budget <= body.len + 600; budget += budget > body.len ? 150 : 1) {
        tg_rewriting got;
        assert_ok(run(graph, body, how, budget, &got));
        tg_assert_slice(tg_buf_slice(&got.out), expected, __FILE__, __LINE__);
        tg_buf_done(&got.out);
    }
}

static void assert_encrypted(const char *graph, const char *body, const char *expected)
{
    assert_rewritten(&encrypting, graph, tg_slice_str(body), tg_slice_str(expected));
}

static void assert_decrypted(const char *graph, const char *body, const char *expected)
{
    assert_rewritten(&decrypting, graph, tg_slice_str(body), tg_slice_str(expected));
}

/* `pointer` NULL: none. */
static void assert_refused(const tg_rewrite_setting *how, const char *graph, tg_slice body, tg_fault_kind kind,
                           size_t offset, const char *pointer)
{
    for (size_t budget = 0; budget <= body.len + 600; budget += budget > 50 ? 100 : 1) {
        tg_rewriting got;
        assert_code(run(graph, body, how, budget, &got), TG_ERR_SYNTAX);
        assert_string_equal(tg_fault_name(got.fault.kind), tg_fault_name(kind));
        assert_int_equal(got.fault.offset, offset);
        assert_int_equal(got.fault.has_pointer, pointer != NULL);
        assert_string_equal(got.fault.pointer, pointer != NULL ? pointer : "");
        assert_non_null(got.fault.message);
        tg_buf_done(&got.out);
    }
}

/* `{"a":"<token>"}` with the token of a plaintext. */
static tg_slice document_with(tg_token_kind kind, tg_slice plaintext, uint8_t key_fill, char *memory, size_t cap)
{
    char *token = tg_test_token(kind, plaintext, key_fill);
    int len = snprintf(memory, cap, "{\"a\":\"%s\"}", token);
    free(token);
    assert_true(len > 0 && (size_t)len < cap);
    return tg_slice_of(memory, (size_t)len);
}

static void encrypt_strings_become_known_tokens(void **state)
{
    (void)state;
    assert_encrypted("{ssn:!}", "{\"ssn\":\"123-45-6789\"}", "{\"ssn\":\"" SSN "\"}");
    assert_encrypted("[!]", "[\"hello\",\"\", \"\\u0068ello\" , \"h\\u0065l\\u006co\"]",
                     "[\"" HELLO "\",\"" EMPTY "\", \"" HELLO "\" , \"" HELLO "\"]");
    assert_encrypted("!", "\"hello\"", "\"" HELLO "\"");
}

static void encrypt_bytes_outside_pii_stay(void **state)
{
    (void)state;
    assert_encrypted("{ssn:!}",
                     "\t{ \"a\\/\" : 1.50e+1,\r\n\"\\ud800\":\"\\udfff\", \"ssn\":\"hello\" ,\"a\\/\":-0 }\n",
                     "\t{ \"a\\/\" : 1.50e+1,\r\n\"\\ud800\":\"\\udfff\", \"ssn\":\"" HELLO "\" ,\"a\\/\":-0 }\n");
}

static void encrypt_null_stays(void **state)
{
    (void)state;
    assert_encrypted("{a:!,b:!}", "{\"a\": null ,\"b\":\"hello\"}", "{\"a\": null ,\"b\":\"" HELLO "\"}");
    assert_encrypted("!", "null", "null");
}

static void encrypt_other_kinds_are_sealed_as_their_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"1.50", "true", "false", "{\"b\" : [1,\"x\"]}", "[ null ]", "-0e9", "{}"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        char body[256], expected[256];
        char *token = tg_test_token(TG_TOKEN_JSON, tg_slice_str(texts[i]), 0xaa);
        snprintf(body, sizeof body, "{\"a\": %s ,\"z\":0}", texts[i]);
        snprintf(expected, sizeof expected, "{\"a\": \"%s\" ,\"z\":0}", token);
        assert_encrypted("{a:!}", body, expected);
        assert_decrypted("{a:!}", expected, body);
        assert_encrypted("!", texts[i], strcat(strcat(strcpy(expected, "\""), token), "\""));
        free(token);
    }
}

static void encrypt_duplicate_and_escaped_keys_are_each_sealed(void **state)
{
    (void)state;
    assert_encrypted("{ssn:!}", "{\"ssn\":\"hello\",\"s\\u0073n\":\"hello\",\"SSN\":\"hello\"}",
                     "{\"ssn\":\"" HELLO "\",\"s\\u0073n\":\"" HELLO "\",\"SSN\":\"hello\"}");
}

static void encrypt_wrapper_is_kept_around_the_answer(void **state)
{
    (void)state;
    assert_encrypted("{ssn:!}", "{ \"payload\" : {\"ssn\":\"hello\"} }", "{ \"payload\" : {\"ssn\":\"" HELLO "\"} }");
    assert_encrypted("[!]", "{\"payl\\u006fad\":[\"hello\"]}", "{\"payl\\u006fad\":[\"" HELLO "\"]}");
    assert_encrypted("!", "{\"payload\":\"hello\"}", "{\"payload\":\"" HELLO "\"}");
    tg_rewrite_setting defined = encrypting;
    defined.defines_payload = true;
    assert_rewritten(&defined, "{payload:{ssn:!},a:!}", TG_LIT("{\"a\":\"hello\",\"payload\":{\"ssn\":\"hello\"}}"),
                     TG_LIT("{\"a\":\"" HELLO "\",\"payload\":{\"ssn\":\"" HELLO "\"}}"));
}

static void encrypt_member_beside_wrapper_is_refused(void **state)
{
    (void)state;
    assert_refused(&encrypting, "{ssn:!}", TG_LIT("{\"payload\":{},\"a\":1}"), TG_FAULT_BAD_REQUEST, 14, "/a");
    assert_refused(&encrypting, "{ssn:!}", TG_LIT("{\"a\":1,\"payload\":{}}"), TG_FAULT_BAD_REQUEST, 7, "/payload");
    assert_refused(&encrypting, "{ssn:!}", TG_LIT("{\"payload\":1,\"payload\":1}"), TG_FAULT_BAD_REQUEST, 13,
                   "/payload");
    assert_refused(&encrypting, ".", TG_LIT("{\"payload\":1,\"b\":1}"), TG_FAULT_BAD_REQUEST, 13, "/b");
    assert_refused(&encrypting, ".", TG_LIT("{\"b\":{},\"p\\u0061yload\":1}"), TG_FAULT_BAD_REQUEST, 8, "/payload");
    assert_refused(&encrypting, "!", TG_LIT("{\"b\":1,\"payload\":1}"), TG_FAULT_BAD_REQUEST, 7, "/payload");
}

static void encrypt_container_of_the_wrong_kind_is_a_mismatch(void **state)
{
    (void)state;
    assert_refused(&encrypting, "{a:{b:!}}", TG_LIT("{\"a\":[1]}"), TG_FAULT_SCHEMA_MISMATCH, 5, "/a");
    assert_refused(&encrypting, "{a:[!]}", TG_LIT("{\"a\": {}}"), TG_FAULT_SCHEMA_MISMATCH, 6, "/a");
    assert_refused(&encrypting, "[!]", TG_LIT(" {}"), TG_FAULT_SCHEMA_MISMATCH, 1, "");
    assert_refused(&encrypting, "[!]", TG_LIT(" {\"a\":1}"), TG_FAULT_SCHEMA_MISMATCH, 1, "");
    assert_refused(&encrypting, "{a:!}", TG_LIT("[]"), TG_FAULT_SCHEMA_MISMATCH, 0, "");
    assert_refused(&encrypting, "[!]", TG_LIT("{\"payload\":{\"a\":1}}"), TG_FAULT_SCHEMA_MISMATCH, 11, "/payload");
    assert_refused(&encrypting, "[[{x/y:{b:!}}]]", TG_LIT("[[],[0,{\"x\\/y\":[]}]]"), TG_FAULT_SCHEMA_MISMATCH, 15,
                   "/1/1/x~1y");
    assert_refused(&decrypting, "{a:{b:!}}", TG_LIT("{\"a\":[]}"), TG_FAULT_SCHEMA_MISMATCH, 5, "/a");
    assert_encrypted("{a:{b:!}}", "{\"a\":\"neither\"}", "{\"a\":\"neither\"}");
}

static void encrypt_invalid_json_is_refused_whole(void **state)
{
    (void)state;
    assert_refused(&encrypting, "{a:!}", TG_LIT(""), TG_FAULT_BAD_REQUEST, 0, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("  "), TG_FAULT_BAD_REQUEST, 2, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":\"hello\"} x"), TG_FAULT_BAD_REQUEST, 14, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":\"hello\",}"), TG_FAULT_BAD_REQUEST, 13, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":\"hell\xc0\xaf\"}"), TG_FAULT_BAD_REQUEST, 10, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":\"hel\0lo\"}"), TG_FAULT_BAD_REQUEST, 9, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":tru}"), TG_FAULT_BAD_REQUEST, 5, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":nul"), TG_FAULT_BAD_REQUEST, 8, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\":01}"), TG_FAULT_BAD_REQUEST, 6, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("{\"a\" 1}"), TG_FAULT_BAD_REQUEST, 5, NULL);
    assert_refused(&encrypting, "{a:!}", TG_LIT("\xef\xbb\xbf{}"), TG_FAULT_BAD_REQUEST, 0, NULL);
}

static void encrypt_lone_surrogate_is_refused_only_where_pii_stands(void **state)
{
    (void)state;
    assert_refused(&encrypting, "{a:[!]}", TG_LIT("{\"a\":[\"x\",\"\\ud800\"]}"), TG_FAULT_BAD_REQUEST, 10, "/a/1");
    assert_refused(&encrypting, "!", TG_LIT("\"\\udc00\\ud800\""), TG_FAULT_BAD_REQUEST, 0, "");
    char *token = tg_test_token(TG_TOKEN_JSON, TG_LIT("[\"\\ud800\"]"), 0xaa);
    char expected[128];
    snprintf(expected, sizeof expected, "{\"a\":\"%s\"}", token);
    assert_encrypted("{a:!}", "{\"a\":[\"\\ud800\"]}", expected); /* inside a value sealed as its text it is grammar */
    free(token);
}

static void encrypt_depth_512_is_taken_and_513_refused(void **state)
{
    (void)state;
    static char body[2 * 513];
    for (size_t depth = 511; depth <= 513; depth++) {
        memset(body, '[', depth);
        memset(body + depth, ']', depth);
        tg_slice text = tg_slice_of(body, 2 * depth);
        tg_rewriting got;
        tg_result result = run("!", text, &encrypting, 100, &got);
        assert_int_equal(tg_is_ok(result), depth <= 512);
        assert_int_equal(got.fault.offset, depth <= 512 ? 0 : 512);
        tg_buf_done(&got.out);
    }
}

/* A graph that leads to itself, so that every level is followed. */
static void encrypt_depth_512_of_pii_paths_has_a_cut_pointer(void **state)
{
    (void)state;
    static tg_pii_state elements[1] = {1};
    tg_pii_node nodes[2] = {{.flags = 0}, {.flags = TG_PII_NO_OBJECT, .rest = 1}};
    tg_pii_graph graph = {.nodes = nodes, .states = elements, .num_nodes = 2};
    tg_rewrite_options options = {.root = {&graph, 1, false}, .mode = TG_REWRITE_ENCRYPT, .max_fields = 10};
    static char body[512];
    memset(body, '[', 511);
    body[511] = '{';
    tg_arena arena;
    tg_rewrite *rewrite;
    tg_arena_init(&arena, 1 << 20, true);
    assert_ok(tg_rewrite_new(&arena, &options, tg_slice_of(body, sizeof body), &rewrite));
    assert_code(tg_rewrite_plan(rewrite, SIZE_MAX), TG_ERR_SYNTAX);
    const tg_fault *fault = tg_rewrite_fault(rewrite);
    assert_int_equal(fault->kind, TG_FAULT_SCHEMA_MISMATCH);
    assert_int_equal(fault->offset, 511);
    assert_int_equal(strlen(fault->pointer), 255);
    assert_memory_equal(fault->pointer, "/0/0/0/0", 8);
    assert_string_equal(fault->pointer + 250, "/0...");
    tg_arena_done(&arena);
}

static void encrypt_pointer_one_character_too_long_is_cut(void **state)
{
    (void)state;
    for (size_t name_len = 250; name_len <= 256; name_len++) {
        char body[300], expected[300];
        memset(body, 'n', sizeof body);
        memcpy(body, "{\"", 2);
        memcpy(body + 2 + name_len, "\":{\"k\":1}}", 11);
        tg_rewriting got;
        assert_code(run("{*:[!]}", tg_slice_str(body), &encrypting, 0, &got), TG_ERR_SYNTAX);
        assert_int_equal(got.fault.kind, TG_FAULT_SCHEMA_MISMATCH);
        memset(expected, 'n', sizeof expected);
        expected[0] = '/';
        strcpy(expected + (name_len <= 251 ? name_len + 1 : 252), name_len <= 251 ? "" : "...");
        assert_string_equal(got.fault.pointer, expected);
        tg_buf_done(&got.out);
    }
}

static tg_slice many_ones(size_t num)
{
    char *body = malloc(2 * num + 2);
    assert_non_null(body);
    for (size_t i = 0; i < num; i++) {
        memcpy(body + 1 + 2 * i, "1,", 2);
    }
    body[0] = '[';
    body[2 * num] = ']';
    return tg_slice_of(body, 2 * num + 1);
}

static void encrypt_most_fields_are_taken_and_one_over_refused(void **state)
{
    (void)state;
    for (size_t num = 9999; num <= 10001; num++) {
        tg_slice body = many_ones(num);
        tg_rewriting got;
        tg_result result = run("[!]", body, &encrypting, 65536, &got);
        if (num <= 10000) {
            assert_ok(result);
            assert_int_equal(got.counts.num_fields, num);
            assert_int_equal(tg_buf_len(&got.out), num * (3 + tg_token_len(1)) + 1);
            assert_true(got.num_steps > 50);
        } else {
            assert_int_equal(got.fault.kind, TG_FAULT_PAYLOAD_TOO_LARGE);
            assert_string_equal(got.fault.pointer, "/10000");
        }
        tg_buf_done(&got.out);
        free((char *)(uintptr_t)body.ptr);
    }
}

static void encrypt_output_bound_is_kept(void **state)
{
    (void)state;
    static const char body[] = "{\"a\":\"hello\",\"b\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}";
    size_t exact = strlen(body) - 5 + tg_token_len(5);
    for (size_t max = 0; max <= exact + 1; max++) {
        tg_rewrite_setting how = encrypting;
        how.max_output = max;
        tg_rewriting got;
        tg_result result = run("{a:!}", tg_slice_str(body), &how, 10, &got);
        assert_int_equal(tg_is_ok(result), max >= exact);
        assert_int_equal(got.fault.kind, max >= exact ? TG_FAULT_NONE : TG_FAULT_PAYLOAD_TOO_LARGE);
        assert_int_equal(got.output_max, exact);
        tg_buf_done(&got.out);
    }
}

static void encrypt_pattern_that_takes_too_long_is_refused(void **state)
{
    (void)state;
    assert_refused(&encrypting, "{a:!,^slow:!}", TG_LIT("{\"a\":1,\"b\":2}"), TG_FAULT_BAD_REQUEST, 7, "/b");
}

static void encrypt_arena_used_up_is_service_unavailable(void **state)
{
    (void)state;
    tg_rewrite_setting how = encrypting;
    tg_arena arena;
    tg_rewrite *rewrite;
    tg_rewrite_options options = {.root = tg_tiny_root("[!]", false), .max_fields = 10};
    tg_arena_init(&arena, 64, true);
    assert_code(tg_rewrite_new(&arena, &options, TG_LIT("[]"), &rewrite), TG_ERR_MEMORY);
    tg_arena_done(&arena);
    how.max_arena = 4096;
    tg_slice body = many_ones(1000);
    tg_rewriting got;
    assert_code(run("[!]", body, &how, 0, &got), TG_ERR_SYNTAX);
    assert_int_equal(got.fault.kind, TG_FAULT_SERVICE_UNAVAILABLE);
    tg_buf_done(&got.out);
    free((char *)(uintptr_t)body.ptr);
}

static void encrypt_budget_for_one_value_seals_one_a_step(void **state)
{
    (void)state;
    tg_slice body = many_ones(100);
    tg_rewriting got;
    assert_ok(run("[!]", body, &encrypting, 513, &got));
    assert_int_equal(got.num_steps, 100);
    tg_buf_done(&got.out);
    assert_ok(run("[!]", body, &encrypting, 513 * 16, &got));
    assert_in_range(got.num_steps, 6, 12);
    tg_buf_done(&got.out);
    free((char *)(uintptr_t)body.ptr);
}

static void encrypt_most_fields_fit_the_arena_that_is_said(void **state)
{
    (void)state;
    static const size_t nums[] = {1, 127, 128, 129, 10000};
    for (size_t i = 0; i < TG_COUNT(nums); i++) {
        tg_slice body = many_ones(nums[i]);
        tg_rewrite_setting how = encrypting;
        how.max_arena = 2 * tg_rewrite_arena_bytes(nums[i]);
        tg_rewriting got;
        assert_ok(run("[!]", body, &how, SIZE_MAX, &got));
        tg_buf_done(&got.out);
        free((char *)(uintptr_t)body.ptr);
    }
}

static void plan_body_over_4_gib_is_refused_unread(void **state)
{
    (void)state;
    tg_rewriting got;
    tg_slice claimed = tg_slice_of("1", (size_t)UINT32_MAX + 1);
    assert_code(run("!", claimed, &encrypting, 1, &got), TG_ERR_SYNTAX);
    assert_int_equal(got.fault.kind, TG_FAULT_PAYLOAD_TOO_LARGE);
}

/* Long strings, numbers and blanks are scanned in pieces, and long gaps copied in pieces. */
static void encrypt_long_tokens_are_cut_by_the_budget(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    static const char *const forms[][3] = {
        {"[\"", "x", "\"]"}, {"[\"", "\\n", "\"]"}, {"[", "7", "]"}, {"[1,", " ", "2]"}, {"[\"", "\xc3\xa9", "\"]"}};
    for (size_t form = 0; form < TG_COUNT(forms); form++) {
        tg_buf text;
        tg_buf_init(&text, LONG + 64);
        assert_ok(tg_buf_append_str(&text, forms[form][0]));
        while (tg_buf_len(&text) < LONG) {
            assert_ok(tg_buf_append_str(&text, forms[form][1]));
        }
        assert_ok(tg_buf_append_str(&text, forms[form][2]));
        tg_rewriting in_pieces, at_once, back;
        assert_ok(run("[!]", tg_buf_slice(&text), &encrypting, 1000, &in_pieces));
        assert_ok(run("[!]", tg_buf_slice(&text), &encrypting, SIZE_MAX, &at_once));
        assert_true(in_pieces.num_steps >= LONG / 1010);
        assert_true(tg_slice_equal(tg_buf_slice(&in_pieces.out), tg_buf_slice(&at_once.out)));
        assert_ok(run("[!]", tg_buf_slice(&at_once.out), &decrypting, 1000, &back));
        assert_true(tg_slice_equal(tg_buf_slice(&back.out), tg_buf_slice(&text)));
        tg_buf_done(&in_pieces.out);
        tg_buf_done(&at_once.out);
        tg_buf_done(&back.out);
        tg_buf_done(&text);
    }
}

static void decrypt_known_tokens_become_strings(void **state)
{
    (void)state;
    assert_decrypted("{ssn:!}", "{ \"ssn\" :\"" SSN "\" }", "{ \"ssn\" :\"123-45-6789\" }");
    assert_decrypted("[!]", "[\"" HELLO "\",\"" EMPTY "\",null]", "[\"hello\",\"\",null]");
    assert_decrypted("!", "{\"payload\":\"" HELLO "\"}", "{\"payload\":\"hello\"}");
}

static void decrypt_escaped_spelling_of_a_token_is_read(void **state)
{
    (void)state;
    assert_decrypted("[!]", "[\"\\u0076\\u0031.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBw\\u0079\"]", "[\"hello\"]");
}

/* It is unescaped and decoded in the same scratch memory. */
static void decrypt_escaped_spelling_of_a_long_token_is_read(void **state)
{
    (void)state;
    enum { LEN = 90000 };
    char *plaintext = malloc(LEN), *body = malloc(2 * LEN), *expected = malloc(2 * LEN);
    memset(plaintext, 'p', LEN);
    char *token = tg_test_token(TG_TOKEN_STRING, tg_slice_of(plaintext, LEN), 0xaa);
    assert_int_equal(token[0], 'v');
    int body_len = snprintf(body, (size_t)2 * LEN, "[\"\\u0076%s\"]", token + 1);
    int expected_len = snprintf(expected, (size_t)2 * LEN, "[\"%.*s\"]", LEN, plaintext);
    tg_rewriting got;
    assert_ok(run("[!]", tg_slice_of(body, (size_t)body_len), &decrypting, SIZE_MAX, &got));
    tg_assert_slice(tg_buf_slice(&got.out), tg_slice_of(expected, (size_t)expected_len), __FILE__, __LINE__);
    tg_buf_done(&got.out);
    free(token);
    free(plaintext);
    free(body);
    free(expected);
}

static void decrypt_text_is_escaped_no_more_than_it_must(void **state)
{
    (void)state;
    char body[512];
    tg_slice text = document_with(TG_TOKEN_STRING, TG_LIT("\"\\/\n\r\t\b\f\x1f\x7f\0\xc3\xa9\xf0\x9f\x98\x80"), 0xaa,
                                  body, sizeof body);
    assert_rewritten(&decrypting, "{a:!}", text,
                     TG_LIT("{\"a\":\"\\\"\\\\/\\n\\r\\t\\u0008\\u000c\\u001f\x7f\\u0000\xc3\xa9\xf0\x9f\x98\x80\"}"));
}

static void decrypt_old_key_is_tried_and_counted(void **state)
{
    (void)state;
    char body[256];
    tg_slice text = document_with(TG_TOKEN_JSON, TG_LIT("[1, 2]"), 0xbb, body, sizeof body);
    tg_rewriting got;
    assert_ok(run("{a:!}", text, &decrypting, 0, &got));
    assert_slice(tg_buf_slice(&got.out), "{\"a\":[1, 2]}");
    assert_int_equal(got.counts.num_old_key, 1);
    tg_buf_done(&got.out);
}

static void decrypt_what_is_no_token_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t offset;
        const char *pointer;
    } cases[] = {
        {"{\"a\":\"plain\"}", 5, "/a"}, {"{\"a\":\"\"}", 5, "/a"},         {"{\"a\":1}", 5, "/a"},
        {"{\"a\":true}", 5, "/a"},      {"{\"a\":[\"x\"]}", 5, "/a"},      {"{\"a\":{\"b\":1}}", 5, "/a"},
        {"{\"a\":\"v1.\"}", 5, "/a"},   {"{\"a\":\"\\u0076x\"}", 5, "/a"}, {"{\"a\":\"" HELLO "=\"}", 5, "/a"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_refused(&decrypting, "{a:!}", tg_slice_str(cases[i].body), TG_FAULT_NOT_A_TOKEN, cases[i].offset,
                       cases[i].pointer);
        assert_rewritten(&lenient, "{a:!}", tg_slice_str(cases[i].body), tg_slice_str(cases[i].body));
    }
    assert_refused(&decrypting, "{a:[{b:!}]}", TG_LIT("{\"a\":[{\"b\":\"" HELLO "\"},{\"b\":\"x\"}]}"),
                   TG_FAULT_NOT_A_TOKEN, 68, "/a/1/b");
}

static void decrypt_lenient_opens_tokens_and_counts_the_rest(void **state)
{
    (void)state;
    tg_rewriting got;
    assert_ok(run("[!]", TG_LIT("[\"" HELLO "\",\"x\", 7 ,null]"), &lenient, 0, &got));
    assert_slice(tg_buf_slice(&got.out), "[\"hello\",\"x\", 7 ,null]");
    assert_int_equal(got.counts.num_fields, 3);
    assert_int_equal(got.counts.num_not_tokens, 2);
    tg_buf_done(&got.out);
}

static void decrypt_token_of_a_strange_key_is_bad(void **state)
{
    (void)state;
    char body[256];
    tg_slice text = document_with(TG_TOKEN_STRING, TG_LIT("hello"), 0xcc, body, sizeof body);
    assert_refused(&decrypting, "{a:!}", text, TG_FAULT_BAD_TOKEN, 5, "/a");
    assert_refused(&lenient, "{a:!}", text, TG_FAULT_BAD_TOKEN, 5, "/a");
}

static void decrypt_contents_that_cannot_stand_there_are_bad(void **state)
{
    (void)state;
    static const struct {
        tg_token_kind kind;
        const char *plaintext;
    } cases[] = {
        {TG_TOKEN_STRING, "\xff\xfe"}, {TG_TOKEN_STRING, "abc\xc3"}, {TG_TOKEN_STRING, "\n\xed\xa0\x80"},
        {TG_TOKEN_JSON, ""},           {TG_TOKEN_JSON, "1,\"x\":2"}, {TG_TOKEN_JSON, "{\"a\":1}}"},
        {TG_TOKEN_JSON, "[1"},         {TG_TOKEN_JSON, "hello"},     {TG_TOKEN_JSON, "\"\xff\""},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char body[256];
        tg_slice text = document_with(cases[i].kind, tg_slice_str(cases[i].plaintext), 0xaa, body, sizeof body);
        assert_refused(&decrypting, "{a:!}", text, TG_FAULT_BAD_TOKEN, 5, "/a");
    }
}

static void fault_names_and_statuses_are_the_apis(void **state)
{
    (void)state;
    assert_string_equal(tg_fault_name(TG_FAULT_SCHEMA_MISMATCH), "schema_mismatch");
    assert_int_equal(tg_fault_status(TG_FAULT_SCHEMA_MISMATCH), 400);
    assert_string_equal(tg_fault_name(TG_FAULT_PAYLOAD_TOO_LARGE), "payload_too_large");
    assert_int_equal(tg_fault_status(TG_FAULT_PAYLOAD_TOO_LARGE), 413);
    assert_int_equal(tg_fault_status((tg_fault_kind)99), 500);
    assert_string_equal(tg_fault_name((tg_fault_kind)99), "internal_error");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(encrypt_strings_become_known_tokens),
        cmocka_unit_test(encrypt_bytes_outside_pii_stay),
        cmocka_unit_test(encrypt_null_stays),
        cmocka_unit_test(encrypt_other_kinds_are_sealed_as_their_text),
        cmocka_unit_test(encrypt_duplicate_and_escaped_keys_are_each_sealed),
        cmocka_unit_test(encrypt_wrapper_is_kept_around_the_answer),
        cmocka_unit_test(encrypt_member_beside_wrapper_is_refused),
        cmocka_unit_test(encrypt_container_of_the_wrong_kind_is_a_mismatch),
        cmocka_unit_test(encrypt_invalid_json_is_refused_whole),
        cmocka_unit_test(encrypt_lone_surrogate_is_refused_only_where_pii_stands),
        cmocka_unit_test(encrypt_depth_512_is_taken_and_513_refused),
        cmocka_unit_test(encrypt_depth_512_of_pii_paths_has_a_cut_pointer),
        cmocka_unit_test(encrypt_pointer_one_character_too_long_is_cut),
        cmocka_unit_test(encrypt_most_fields_are_taken_and_one_over_refused),
        cmocka_unit_test(encrypt_output_bound_is_kept),
        cmocka_unit_test(encrypt_pattern_that_takes_too_long_is_refused),
        cmocka_unit_test(encrypt_arena_used_up_is_service_unavailable),
        cmocka_unit_test(encrypt_budget_for_one_value_seals_one_a_step),
        cmocka_unit_test(encrypt_most_fields_fit_the_arena_that_is_said),
        cmocka_unit_test(plan_body_over_4_gib_is_refused_unread),
        cmocka_unit_test(encrypt_long_tokens_are_cut_by_the_budget),
        cmocka_unit_test(decrypt_known_tokens_become_strings),
        cmocka_unit_test(decrypt_escaped_spelling_of_a_token_is_read),
        cmocka_unit_test(decrypt_escaped_spelling_of_a_long_token_is_read),
        cmocka_unit_test(decrypt_text_is_escaped_no_more_than_it_must),
        cmocka_unit_test(decrypt_old_key_is_tried_and_counted),
        cmocka_unit_test(decrypt_what_is_no_token_is_refused),
        cmocka_unit_test(decrypt_lenient_opens_tokens_and_counts_the_rest),
        cmocka_unit_test(decrypt_token_of_a_strange_key_is_bad),
        cmocka_unit_test(decrypt_contents_that_cannot_stand_there_are_bad),
        cmocka_unit_test(fault_names_and_statuses_are_the_apis),
    };
    return cmocka_run_group_tests(cases, tg_test_keys_set_up, tg_test_keys_tear_down);
}
