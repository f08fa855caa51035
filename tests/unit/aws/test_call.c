/* Calls whose time runs out, over a way that fails and hangs. */
#include "aws/call.h"

#include "support/case.h"

#include <stdio.h>

struct tg_http_attempt {
    tg_tick tick;
    tg_http_connected_fn *done;
    void *owner;
};

/* The first attempts to connect fail, the others never end. */
static struct {
    tg_http_connector connector;
    struct tg_http_attempt attempt;
    unsigned num_failing;
    unsigned num_attempts;
    tg_loop *loop;
    tg_code code;
    char message[768];
} at;

static void on_attempt(tg_tick *tick)
{
    (void)tick;
    const tg_http_connected connected = {
        .result = tg_fail(TG_ERR_CLOSED), .stage = TG_HTTP_STAGE_DIAL, .reason = "nobody listens"};
    at.attempt.done(NULL, &connected, at.attempt.owner);
}

static tg_result connect_slowly(tg_http_connector *connector, tg_loop *loop, tg_http_connected_fn *done, void *owner,
                                tg_http_attempt **out_attempt)
{
    (void)connector;
    at.attempt = (struct tg_http_attempt){.tick = {.run = on_attempt}, .done = done, .owner = owner};
    if (at.num_attempts++ < at.num_failing) {
        tg_loop_tick(loop, &at.attempt.tick);
    }
    *out_attempt = &at.attempt;
    return tg_ok();
}

static void cancel(tg_http_connector *connector, tg_http_attempt *attempt)
{
    (void)connector;
    tg_tick_cancel(&attempt->tick);
}

static tg_result find_way(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector)
{
    (void)endpoint, (void)owner;
    at.connector = (tg_http_connector){.connect = connect_slowly, .cancel = cancel};
    *out_connector = &at.connector;
    return tg_ok();
}

static void on_answer(tg_aws_call *call, const tg_aws_answer *answer, void *owner)
{
    (void)call, (void)owner;
    assert_non_null(answer->failure);
    at.code = answer->failure->result.code;
    snprintf(at.message, sizeof at.message, "%s", answer->failure->message);
    tg_loop_stop(at.loop);
}

static void call_for(unsigned num_failing, uint64_t whole_ms)
{
    static const char *const environment[] = {"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=s", NULL};
    const tg_aws_transport_settings settings = {
        .region = TG_LIT("eu-west-1"), .environment = environment, .connect = find_way};
    const tg_aws_ask ask = {
        .service = TG_AWS_KMS, .operation = "GenerateRandom", .body = TG_LIT("{}"), .whole_ms = whole_ms};
    tg_aws_transport *transport;
    tg_aws_credentials *credentials;
    tg_aws_client *client;
    memset(&at, 0, sizeof at);
    at.num_failing = num_failing;
    assert_ok(tg_loop_new(&at.loop));
    assert_ok(tg_aws_transport_new(at.loop, &settings, &transport));
    assert_ok(tg_aws_credentials_new(transport, NULL, &credentials));
    assert_ok(tg_aws_client_new(transport, credentials, &client));
    while (tg_aws_credentials_now(credentials) == NULL) { /* so that a machine that stands still is no wait for them */
        tg_loop_turn(at.loop);
    }
    assert_ok(tg_aws_call_start(client, &ask, on_answer, NULL, NULL, NULL));
    tg_loop_run(at.loop);
    tg_aws_client_free(client);
    tg_aws_credentials_free(credentials);
    tg_aws_transport_free(transport);
    tg_loop_free(at.loop);
}

static void call_that_hangs_is_a_timeout(void **state)
{
    (void)state;
    call_for(0, 100);
    assert_int_equal(at.code, TG_ERR_TIMEOUT);
    assert_string_equal(at.message, "no answer in time");
    assert_int_equal(at.num_attempts, 1);
}

static void call_that_hangs_after_a_failure_says_both(void **state)
{
    (void)state;
    call_for(1, 3000); /* the pause before the second attempt is of 100 ms at most */
    assert_int_equal(at.code, TG_ERR_TIMEOUT);
    assert_string_equal(at.message, "no answer in time; the attempt before: dial: nobody listens");
    assert_int_equal(at.num_attempts, 2);
}

static void call_that_fails_each_time_says_how_it_failed_last(void **state)
{
    (void)state;
    call_for(UINT32_MAX, 60000);
    assert_int_equal(at.code, TG_ERR_CLOSED);
    assert_string_equal(at.message, "dial: nobody listens");
    assert_int_equal(at.num_attempts, TG_AWS_DEFAULT_ATTEMPTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_that_hangs_is_a_timeout),
        cmocka_unit_test(call_that_hangs_after_a_failure_says_both),
        cmocka_unit_test(call_that_fails_each_time_says_how_it_failed_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
