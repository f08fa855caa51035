#include "gateway/fault.h"

#include "support/case.h"

static void fault_append_json_with_and_without_a_problem_type(void **state)
{
    tg_gateway_fault fault = {.status = 400, .code = "bad_x", .message = "the \"x\" is bad"};
    tg_buf out;
    (void)state;
    tg_buf_init(&out, 4096);
    assert_ok(tg_gateway_fault_append_json(&fault, &out));
    assert_slice(tg_buf_slice(&out), "{\"code\":\"bad_x\",\"message\":\"the \\\"x\\\" is bad\"}");
    assert_string_equal(tg_gateway_fault_content_type(&fault), "application/json");
    tg_buf_clear(&out);
    fault.problem_type = "https://example.org/#p";
    assert_ok(tg_gateway_fault_append_json(&fault, &out));
    assert_slice(tg_buf_slice(&out), "{\"type\":\"https://example.org/#p\",\"status\":400,\"title\":\"the \\\"x\\\" is "
                                     "bad\",\"code\":\"bad_x\",\"message\":\"the \\\"x\\\" is bad\"}");
    assert_string_equal(tg_gateway_fault_content_type(&fault), "application/problem+json");
    tg_buf_done(&out);
    tg_buf_init(&out, 10);
    assert_code(tg_gateway_fault_append_json(&fault, &out), TG_ERR_LIMIT);
    tg_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fault_append_json_with_and_without_a_problem_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
