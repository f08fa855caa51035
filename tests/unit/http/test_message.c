#include "support/case.h"

#include "http/budget.h"
#include "http/grammar.h"
#include "http/message.h"
#include "http/refusal.h"

#include <pthread.h>

static void method_of_names_are_told_apart_by_case(void **state)
{
    (void)state;
    assert_int_equal(tg_http_method_of(TG_LIT("GET")), TG_HTTP_GET);
    assert_int_equal(tg_http_method_of(TG_LIT("PATCH")), TG_HTTP_PATCH);
    assert_int_equal(tg_http_method_of(TG_LIT("get")), TG_HTTP_OTHER_METHOD);
    assert_int_equal(tg_http_method_of(TG_LIT("")), TG_HTTP_OTHER_METHOD);
}

static void reason_unknown_status_gives_empty_text(void **state)
{
    (void)state;
    assert_string_equal(tg_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(tg_http_reason(200), "OK");
    assert_string_equal(tg_http_reason(299), "");
}

static void headers_find_any_case_gives_first_and_only_refuses_second(void **state)
{
    (void)state;
    const tg_http_header headers[] = {TG_HTTP_HEADER("A", "1"), TG_HTTP_HEADER("B", "2"), TG_HTTP_HEADER("a", "3")};
    const tg_http_request request = {.headers = headers, .num_headers = 3};
    tg_slice value;
    assert_true(tg_http_headers_find(headers, 3, TG_LIT("a"), &value));
    assert_slice(value, "1");
    assert_false(tg_http_headers_find(headers, 3, TG_LIT("c"), &value));
    assert_ok(tg_http_request_header(&request, TG_LIT("b"), &value));
    assert_slice(value, "2");
    assert_code(tg_http_request_header(&request, TG_LIT("A"), &value), TG_ERR_EXISTS);
    assert_code(tg_http_request_header(&request, TG_LIT("C"), &value), TG_ERR_NOT_FOUND);
}

static void is_json_media_types_are_told_apart(void **state)
{
    (void)state;
    static const char *const right[] = {"application/json",
                                        "Application/JSON",
                                        "application/json; charset=utf-8",
                                        "application/json;charset=\"UTF-8\" ; x=y",
                                        "application/problem+json",
                                        "text/x+json",
                                        "application/json;"};
    static const char *const wrong[] = {"",
                                        "application",
                                        "text/json",
                                        "application/jsonx",
                                        "application/xml",
                                        "+json",
                                        "/+json",
                                        "application/+json",
                                        "application/ +json",
                                        "application/json, text/plain",
                                        "application/json; charset=latin1",
                                        "application/json; ch arset=utf-8",
                                        "application/json/x+json"};
    for (size_t i = 0; i < TG_COUNT(right); i++) {
        assert_true(tg_http_is_json(tg_slice_str(right[i])));
    }
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        if (tg_http_is_json(tg_slice_str(wrong[i]))) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
    assert_false(tg_http_is_json(TG_LIT("application/json\0")));
}

static void refusal_each_has_name_status_and_message(void **state)
{
    (void)state;
    for (unsigned i = 1; i < TG_HTTP_NUM_REFUSALS; i++) {
        assert_non_null(tg_http_refusal_name((tg_http_refusal)i));
        assert_true(tg_http_refusal_status((tg_http_refusal)i) >= 400);
        assert_true(strlen(tg_http_refusal_message((tg_http_refusal)i)) > 10);
        for (unsigned other = 0; other < i; other++) {
            assert_string_not_equal(tg_http_refusal_name((tg_http_refusal)i),
                                    tg_http_refusal_name((tg_http_refusal)other));
        }
    }
    assert_string_equal(tg_http_refusal_name(TG_HTTP_NUM_REFUSALS), "none");
}

static void error_code_follows_the_status(void **state)
{
    (void)state;
    assert_string_equal(tg_http_error_code(413), "payload_too_large");
    assert_string_equal(tg_http_error_code(431), "headers_too_large");
    assert_string_equal(tg_http_error_code(418), "bad_request");
    assert_string_equal(tg_http_error_code(599), "internal_error");
}

/* Each byte, in each of the eight places that one step of the check looks at. */
static void is_value_bytes_each_control_byte_is_found_anywhere(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        for (size_t at = 0; at < 19; at++) {
            uint8_t text[19];
            memset(text, at % 2 == 0 ? 'x' : 0xff, sizeof text);
            text[at] = (uint8_t)byte;
            assert_int_equal(tg_http_is_value_bytes(tg_slice_of(text, sizeof text)), is_allowed);
        }
    }
    assert_true(tg_http_is_value_bytes(TG_LIT("")));
    assert_true(tg_http_is_value_bytes(TG_LIT("a\tb\tc\td\te\t")));
}

static void is_value_blanks_at_the_ends_are_refused(void **state)
{
    (void)state;
    assert_true(tg_http_is_value(TG_LIT("")));
    assert_true(tg_http_is_value(TG_LIT("a b")));
    assert_false(tg_http_is_value(TG_LIT(" a")));
    assert_false(tg_http_is_value(TG_LIT("a\t")));
    assert_false(tg_http_is_value(TG_LIT("a\r\nb")));
    assert_true(tg_http_is_token(TG_LIT("X-A_1")));
    assert_false(tg_http_is_token(TG_LIT("")));
    assert_false(tg_http_is_token(TG_LIT("a:b")));
}

static void list_next_empty_elements_are_skipped(void **state)
{
    (void)state;
    tg_slice rest = TG_LIT(" , a ,, b\t,");
    tg_slice element;
    assert_true(tg_http_list_next(&rest, &element));
    assert_slice(element, "a");
    assert_true(tg_http_list_next(&rest, &element));
    assert_slice(element, "b");
    assert_false(tg_http_list_next(&rest, &element));
    rest = TG_LIT("");
    assert_false(tg_http_list_next(&rest, &element));
}

static void budget_take_at_the_end_is_taken_and_one_over_refused(void **state)
{
    (void)state;
    tg_http_budget budget;
    tg_http_budget_init(&budget, 10);
    assert_true(tg_http_budget_take(&budget, 4, 0));
    assert_true(tg_http_budget_take(&budget, 6, 0));
    assert_false(tg_http_budget_take(&budget, 1, 0));
    tg_http_budget_give(&budget, 1);
    assert_true(tg_http_budget_take(&budget, 1, 0));
    assert_false(tg_http_budget_take(&budget, SIZE_MAX, 0));
    assert_true(tg_http_budget_take(NULL, SIZE_MAX, 0));
    tg_http_budget_give(NULL, 1);
}

static void budget_take_long_leaves_an_eighth_to_short_ones(void **state)
{
    (void)state;
    enum { MAX = 8 * TG_HTTP_SHORT_BYTES };
    tg_http_budget budget;
    tg_http_budget_init(&budget, MAX);
    assert_int_equal(tg_http_budget_max(MAX), 7 * TG_HTTP_SHORT_BYTES);
    assert_int_equal(tg_http_budget_max(TG_HTTP_SHORT_BYTES), TG_HTTP_SHORT_BYTES);
    assert_int_equal(tg_http_budget_max(10), 10);
    assert_false(tg_http_budget_take(&budget, 7 * TG_HTTP_SHORT_BYTES + 1, 0));
    assert_true(tg_http_budget_take(&budget, 7 * TG_HTTP_SHORT_BYTES, 0));
    assert_false(tg_http_budget_take(&budget, 1, TG_HTTP_SHORT_BYTES)); /* grown out of being short */
    assert_false(tg_http_budget_take(&budget, TG_HTTP_SHORT_BYTES + 1, 0));
    assert_true(tg_http_budget_take(&budget, TG_HTTP_SHORT_BYTES - 1, 0));
    assert_true(tg_http_budget_take(&budget, 1, TG_HTTP_SHORT_BYTES - 1));
    assert_false(tg_http_budget_take(&budget, 1, 0));
    tg_http_budget_give(&budget, MAX);
    assert_int_equal(budget.used, 0);
}

static void *ask_for_too_much(void *argument)
{
    tg_http_budget *budget = argument;
    for (size_t i = 0; i < 1000000; i++) {
        if (tg_http_budget_take(budget, budget->max + 1, 0)) {
            return argument;
        }
    }
    return NULL;
}

static void budget_take_refused_to_one_thread_costs_another_nothing(void **state)
{
    (void)state;
    tg_http_budget budget;
    pthread_t greedy;
    void *was_given;
    tg_http_budget_init(&budget, 10);
    assert_int_equal(pthread_create(&greedy, NULL, ask_for_too_much, &budget), 0);
    for (size_t i = 0; i < 1000000; i++) {
        assert_true(tg_http_budget_take(&budget, 10, 0));
        tg_http_budget_give(&budget, 10);
    }
    assert_int_equal(pthread_join(greedy, &was_given), 0);
    assert_null(was_given);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(method_of_names_are_told_apart_by_case),
        cmocka_unit_test(reason_unknown_status_gives_empty_text),
        cmocka_unit_test(headers_find_any_case_gives_first_and_only_refuses_second),
        cmocka_unit_test(is_json_media_types_are_told_apart),
        cmocka_unit_test(refusal_each_has_name_status_and_message),
        cmocka_unit_test(error_code_follows_the_status),
        cmocka_unit_test(is_value_bytes_each_control_byte_is_found_anywhere),
        cmocka_unit_test(is_value_blanks_at_the_ends_are_refused),
        cmocka_unit_test(list_next_empty_elements_are_skipped),
        cmocka_unit_test(budget_take_at_the_end_is_taken_and_one_over_refused),
        cmocka_unit_test(budget_take_long_leaves_an_eighth_to_short_ones),
        cmocka_unit_test(budget_take_refused_to_one_thread_costs_another_nothing),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
