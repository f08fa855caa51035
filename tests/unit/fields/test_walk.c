#include "support/case.h"

#include "fields/walk.h"
#include "support/tiny_graph.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_same_for_every_budget(tg_slice text, bool expected)
{
    static const tg_pii_root nowhere = {.graph = NULL, .state = TG_PII_NOWHERE, .defines_payload = true};
    size_t most = text.len < 300 ? text.len + 1 : 17;
    for (size_t budget = 0; budget <= most; budget++) {
        tg_walk walk;
        tg_walk_init(&walk, NULL, text, &nowhere, 0);
        tg_result result;
        while ((result = tg_walk_step(&walk, budget)).code == TG_ERR_AGAIN) {
        }
        assert_int_equal(tg_is_ok(result), expected);
        assert_int_equal(walk.fault.kind, expected ? TG_FAULT_NONE : TG_FAULT_BAD_REQUEST);
        assert_true(walk.fault.offset <= text.len);
    }
}

static void is_valid_json_test_suite_agrees(void **state)
{
    (void)state;
    DIR *dir = opendir(TG_TEST_VECTORS "/json/parsing");
    assert_non_null(dir);
    size_t num_accepted = 0, num_refused = 0, num_either = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char name[512];
        snprintf(name, sizeof name, "json/parsing/%s", entry->d_name);
        tg_slice file = tg_read_vector(name);
        uint8_t *exact = malloc(file.len > 0 ? file.len : 1);
        assert_non_null(exact);
        memcpy(exact, file.ptr, file.len);
        tg_slice text = tg_slice_of(exact, file.len);
        bool is_valid = tg_json_is_valid(text);
        if (entry->d_name[0] == 'i') {
            num_either++;
        } else if (is_valid != (entry->d_name[0] == 'y')) {
            fail_msg("%s is taken for %s", entry->d_name, is_valid ? "valid" : "invalid");
        }
        num_accepted += entry->d_name[0] == 'y';
        num_refused += entry->d_name[0] == 'n';
        assert_same_for_every_budget(text, is_valid);
        free(exact);
        free((char *)(uintptr_t)file.ptr);
    }
    closedir(dir);
    assert_int_equal(num_accepted, 95);
    assert_int_equal(num_refused, 188);
    assert_int_equal(num_either, 35);
}

static void is_valid_every_prefix_of_a_document_is_refused(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\":[1,-2.5e+3,true,false,null,\"\\u00e9\\n\xc3\xa9\"],\"b\":{\"c\":{}},\"d\":[[]]}";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        assert_false(tg_json_is_valid(tg_slice_of(whole, len)));
    }
    assert_true(tg_json_is_valid(tg_slice_of(whole, sizeof whole - 1)));
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        char broken[sizeof whole];
        memcpy(broken, whole, sizeof whole);
        broken[at] = 0;
        assert_false(tg_json_is_valid(tg_slice_of(broken, sizeof whole - 1)));
    }
}

static void is_valid_depth_512_is_taken_and_513_refused(void **state)
{
    (void)state;
    static char text[8 * 513];
    for (size_t depth = 511; depth <= 513; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(tg_json_is_valid(tg_slice_of(text, 2 * depth)), depth <= 512);
        size_t len = 0;
        for (size_t i = 0; i < depth; i++) {
            memcpy(text + len, i % 2 == 0 ? "{\"a\":" : "[", i % 2 == 0 ? 5 : 1);
            len += i % 2 == 0 ? 5 : 1;
        }
        text[len++] = '1';
        for (size_t i = depth; i-- > 0;) {
            text[len++] = i % 2 == 0 ? '}' : ']';
        }
        assert_int_equal(tg_json_is_valid(tg_slice_of(text, len)), depth <= 512);
    }
}

static void is_valid_unclosed_brackets_by_the_million_are_refused(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    char *text = malloc(MANY);
    assert_non_null(text);
    memset(text, '[', MANY);
    assert_false(tg_json_is_valid(tg_slice_of(text, MANY)));
    free(text);
}

/* Spans as text: kind letter, offset, `+`, length, blank. */
static void assert_spans(const char *graph, const char *text, const char *expected)
{
    tg_pii_root root = tg_tiny_root(graph, false);
    for (size_t budget = 1; budget <= strlen(text) + 1; budget++) {
        tg_arena arena;
        tg_walk walk;
        char found[512] = "";
        tg_arena_init(&arena, 1 << 20, true);
        tg_walk_init(&walk, &arena, tg_slice_str(text), &root, 100);
        tg_result result;
        while ((result = tg_walk_step(&walk, budget)).code == TG_ERR_AGAIN) {
        }
        assert_ok(result);
        for (size_t i = 0; i < walk.num_spans; i++) {
            const tg_span *span = &walk.first_chunk->spans[i];
            char one[48];
            snprintf(one, sizeof one, "%c%u+%u ", "SEVC"[span->kind], (unsigned)span -> at, (unsigned)span -> len);
            strncat(found, one, sizeof found - strlen(found) - 1);
        }
        assert_string_equal(found, expected);
        tg_arena_done(&arena);
    }
}

static void step_pii_of_every_kind_is_found(void **state)
{
    (void)state;
    assert_spans("{ssn:!}", "{\"ssn\":\"1\"}", "S7+3 ");
    assert_spans("{ssn:!}", "{\"a\":1, \"s\\u0073n\" : \"\\u0031\" }", "E21+8 ");
    assert_spans("{a:!,b:!,c:!,d:!,e:!}", "{\"a\":1.5,\"b\":true,\"c\":null,\"d\":{\"a\":\"x\"},\"e\":[1]}",
                 "V5+3 V13+4 C31+9 C45+3 ");
    assert_spans("!", "  -1.5e3 ", "V2+6 ");
    assert_spans("!", "\"\"", "S0+2 ");
    assert_spans("!", "{\"a\":{}}", "C0+8 ");
    assert_spans("!", "{}", "C0+2 ");
    assert_spans("!", "null", "");
    assert_spans(".", "{\"ssn\":\"1\"}", "");
}

static void step_graph_is_followed_through_containers(void **state)
{
    (void)state;
    assert_spans("{p:{n:!,l:[!]},q:.}", "{\"q\":{\"n\":\"x\"},\"p\":{\"l\":[\"a\",[\"b\"],null],\"n\":\"c\",\"z\":1}}",
                 "S25+3 C29+5 S45+3 ");
    assert_spans("[!,.|{x:!}]", "[1,2,{\"x\":3},{\"x\":4}]", "V1+1 V10+1 V18+1 ");
    assert_spans("{a:.,*:!}", "{\"a\":1,\"\":2,\"b\":3}", "V10+1 V16+1 ");
    assert_spans("{a:.,^x-:!,^x-y:{k:!}}", "{\"a\":1,\"x-1\":2,\"b\":3,\"x-y\":{\"k\":4}}", "V13+1 V32+1 ");
    assert_spans("~{a:~[!]}", "[{\"a\":1}]", "");
    assert_spans("~{a:~[!]}", "{\"a\":{\"a\":1}}", "");
    assert_spans("{a:{b:!}}", "{\"a\":\"scalar\"}", "");
    assert_spans("?{a:!}", "\"x\"", "S0+3 ");
    assert_spans("?~{a:!}", "[{\"a\":1}]", "");
    assert_spans("?{a:!}", "{\"a\":1,\"b\":2}", "V5+1 ");
    assert_spans("?{a:!}", "{\"payload\":7}", "V11+1 ");
}

static void step_duplicate_keys_are_each_found(void **state)
{
    (void)state;
    assert_spans("{ssn:!}", "{\"ssn\":1,\"ssn\":2,\"\\u0073sn\":3}", "V7+1 V15+1 V28+1 ");
}

static void step_wrapper_is_seen_through(void **state)
{
    (void)state;
    assert_spans("{ssn:!}", "{\"payload\":{\"ssn\":1}}", "V18+1 ");
    assert_spans("[!]", "{\"p\\u0061yload\":[1]}", "V17+1 ");
    assert_spans("!", "{\"payload\":7}", "V11+1 ");
    assert_spans("{ssn:!}", "{\"payload\":{\"payload\":{\"ssn\":1}}}", "");
    assert_spans("{payload:{ssn:!}}", "{\"payload\":{\"ssn\":1}}", ""); /* said not to define it: a wrapper */
    assert_spans(".", "{\"payload\":[]}", "");
}

static void locate_every_value_has_its_pointer(void **state)
{
    (void)state;
    static const char text[] = "{\"a/b\":[0,{\"~\":\"x\"}],\"\":[[\"y\"]],\"\\u00e9\\u0000\":\"z\"}";
    static const struct {
        size_t offset;
        const char *pointer;
    } values[] = {{15, "/a~1b/1/~0"}, {26, "//0/0"}, {47, "/\xc3\xa9\xef\xbf\xbd"}};
    tg_pii_root root = tg_tiny_root("{a/b:[{~:!}],:[[!]],*:!}", true);
    for (size_t i = 0; i < TG_COUNT(values); i++) {
        for (size_t budget = 1; budget < sizeof text; budget++) {
            tg_arena arena;
            tg_walk walk;
            tg_arena_init(&arena, 1 << 20, true);
            tg_walk_init(&walk, &arena, tg_slice_str(text), &root, 100);
            assert_ok(tg_walk_step(&walk, SIZE_MAX));
            tg_walk_locate(&walk, values[i].offset);
            tg_result result;
            while ((result = tg_walk_step(&walk, budget)).code == TG_ERR_AGAIN) {
            }
            assert_ok(result);
            tg_fault fault = {0};
            tg_walk_point(&walk, &fault);
            assert_true(fault.has_pointer);
            assert_string_equal(fault.pointer, values[i].pointer);
            tg_arena_done(&arena);
        }
    }
}

static void step_names_against_patterns_take_more_of_the_budget(void **state)
{
    (void)state;
    static char text[40001] = "{";
    size_t len = 1;
    while (len + 16 < sizeof text) {
        len += (size_t)snprintf(text + len, sizeof text - len, "\"other%03zu\":1,", len % 1000);
    }
    snprintf(text + len, sizeof text - len, "\"x-a\":1}");
    tg_pii_root root = tg_tiny_root("{^x-:!}", true);
    tg_pii_root plain = tg_tiny_root("{x-a:!}", true);
    tg_arena arena;
    tg_walk walk;
    tg_arena_init(&arena, 1 << 20, true);
    tg_walk_init(&walk, &arena, tg_slice_str(text), &plain, 10);
    assert_ok(tg_walk_step(&walk, sizeof text));
    tg_walk_init(&walk, &arena, tg_slice_str(text), &root, 10);
    assert_ok(tg_walk_step(&walk, SIZE_MAX));
    assert_int_equal(walk.num_spans, 1);
    size_t num_steps = 1;
    tg_walk_init(&walk, &arena, tg_slice_str(text), &root, 10);
    tg_result result;
    while ((result = tg_walk_step(&walk, sizeof text)).code == TG_ERR_AGAIN) {
        num_steps++;
    }
    assert_ok(result);
    assert_in_range(num_steps, 10, 100);
    assert_int_equal(walk.num_spans, 1);
    tg_arena_done(&arena);
}

static void step_arena_used_up_is_service_unavailable(void **state)
{
    (void)state;
    tg_pii_root root = tg_tiny_root("[!]", false), named = tg_tiny_root("{a:!}", false);
    static const char long_name[] =
        "{\"\\u0061aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}";
    tg_arena arena;
    tg_walk walk;
    tg_arena_init(&arena, 64, true);
    tg_walk_init(&walk, &arena, TG_LIT("[1]"), &root, 10);
    assert_code(tg_walk_step(&walk, 100), TG_ERR_SYNTAX);
    assert_int_equal(walk.fault.kind, TG_FAULT_SERVICE_UNAVAILABLE);
    tg_arena_done(&arena);
    tg_arena_init(&arena, 16 * sizeof(tg_walk_frame), true);
    tg_walk_init(&walk, &arena, TG_LIT("[1]"), &root, 10);
    assert_code(tg_walk_step(&walk, 100), TG_ERR_SYNTAX);
    assert_int_equal(walk.fault.kind, TG_FAULT_SERVICE_UNAVAILABLE);
    tg_arena_done(&arena);
    tg_arena_init(&arena, 16 * sizeof(tg_walk_frame), true);
    tg_walk_init(&walk, &arena, tg_slice_str(long_name), &named, 10);
    assert_code(tg_walk_step(&walk, 100), TG_ERR_SYNTAX);
    assert_int_equal(walk.fault.kind, TG_FAULT_SERVICE_UNAVAILABLE);
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(is_valid_json_test_suite_agrees),
        cmocka_unit_test(is_valid_every_prefix_of_a_document_is_refused),
        cmocka_unit_test(is_valid_depth_512_is_taken_and_513_refused),
        cmocka_unit_test(is_valid_unclosed_brackets_by_the_million_are_refused),
        cmocka_unit_test(step_pii_of_every_kind_is_found),
        cmocka_unit_test(step_graph_is_followed_through_containers),
        cmocka_unit_test(step_duplicate_keys_are_each_found),
        cmocka_unit_test(step_wrapper_is_seen_through),
        cmocka_unit_test(locate_every_value_has_its_pointer),
        cmocka_unit_test(step_names_against_patterns_take_more_of_the_budget),
        cmocka_unit_test(step_arena_used_up_is_service_unavailable),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
