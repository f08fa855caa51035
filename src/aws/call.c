#include "aws/call.h"

#include "aws/json.h"
#include "aws/request.h"
#include "sys/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { OVERTIME_MS = 1000 }; /* of an attempt: the call's own deadline comes first, and says more */

typedef enum call_state { WAITING, ASKING, PAUSING, TELLING } call_state;

struct tg_aws_client {
    tg_aws_transport *transport;
    tg_aws_credentials *credentials;
    tg_link calls;
};

struct tg_aws_call {
    tg_link link;
    tg_aws_client *client;
    tg_aws_request request;
    tg_aws_call_fn *done;
    void (*release)(void *owner);
    void *owner;
    call_state state;
    unsigned num_attempts;
    uint64_t began_ms;
    uint64_t signed_s;
    tg_aws_wait wait;
    tg_aws_key_set *set; /* that the attempt is signed with */
    tg_http_call *http;
    tg_deadline whole;
    tg_deadline pause;
    tg_tick tick; /* the first step, and an end that is known at once */
    tg_aws_failure failure;
};

static tg_metric_family num_calls = {.name = "teegate_aws_calls_total",
                                     .help = "Calls of AWS, by service, operation and outcome (ok, or AWS's code).",
                                     .kind = TG_METRIC_COUNTER,
                                     .labels = {"service", "operation", "outcome"},
                                     .max_children = 256};
static tg_metric_family num_retries = {.name = "teegate_aws_retries_total",
                                       .help = "Attempts after the first one, by service.",
                                       .kind = TG_METRIC_COUNTER,
                                       .labels = {"service"}};
static tg_metric_family durations = {.name = "teegate_aws_call_seconds",
                                     .help = "How long calls of AWS took, attempts and pauses together, by service.",
                                     .kind = TG_METRIC_HISTOGRAM,
                                     .unit = TG_METRIC_IN_NANOSECONDS,
                                     .labels = {"service"}};

static tg_loop *loop_of(const tg_aws_client *client)
{
    return tg_aws_transport_loop(client->transport);
}

static void free_call(tg_aws_call *call)
{
    tg_link_remove(&call->link);
    tg_aws_credentials_leave(&call->wait);
    tg_http_call_cancel(call->http);
    tg_deadline_disarm(&call->whole);
    tg_deadline_disarm(&call->pause);
    tg_tick_cancel(&call->tick);
    tg_aws_key_set_unref(call->set);
    tg_aws_request_done(&call->request);
    if (call->release != NULL) {
        call->release(call->owner);
    }
    free(call);
}

static void count(const tg_aws_call *call, const tg_aws_failure *failure, uint64_t duration_ms)
{
    tg_slice service = tg_slice_str(tg_aws_service_name(call->request.ask.service));
    const char *outcome = failure == NULL         ? "ok"
                          : failure->code[0] != 0 ? failure->code
                          : failure->status > 0   ? "no_code"
                                                  : tg_code_name(failure->result.code);
    tg_metric_add(tg_metric_of(&num_calls, service, tg_slice_str(call->request.ask.operation), tg_slice_str(outcome)),
                  1);
    tg_metric_observe(tg_metric_of(&durations, service), duration_ms * 1000000);
}

static void tell(tg_aws_call *call, tg_aws_answer *answer)
{
    call->state = TELLING;
    answer->num_attempts = call->num_attempts;
    answer->duration_ms = tg_loop_now_ms(loop_of(call->client)) - call->began_ms;
    count(call, answer->failure, answer->duration_ms);
    call->done(call, answer, call->owner);
    free_call(call);
}

static void tell_failure(tg_aws_call *call)
{
    tg_aws_answer answer = {.failure = &call->failure,
                            .status = call->failure.status,
                            .request_id = tg_slice_str(call->failure.request_id)};
    tell(call, &answer);
}

static void attempt(tg_aws_call *call);

static uint32_t random_number(void)
{
    uint32_t number = 0;
    return getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number ? number : UINT32_MAX / 2;
}

static void pause_for(tg_aws_call *call, uint64_t ms)
{
    call->state = PAUSING;
    tg_metric_add(tg_metric_of(&num_retries, tg_slice_str(tg_aws_service_name(call->request.ask.service))), 1);
    tg_deadline_arm_in(loop_of(call->client), &call->pause, ms > 0 ? ms : 1);
}

/* What call->failure asks for. */
static void judge(tg_aws_call *call)
{
    tg_aws_failure *failure = &call->failure;
    call->http = NULL; /* it has ended */
    unsigned max = call->request.ask.max_attempts > 0 ? call->request.ask.max_attempts : TG_AWS_DEFAULT_ATTEMPTS;
    if (failure->advice == TG_AWS_CORRECT_TIME) {
        tg_aws_transport_set_now_s(call->client->transport, failure->date_unix_s);
    } else if (failure->advice == TG_AWS_RENEW_KEYS) {
        tg_aws_credentials_drop(call->client->credentials, call->set);
    }
    if (failure->advice == TG_AWS_GIVE_UP || call->num_attempts >= max) {
        tell_failure(call);
    } else if (failure->advice == TG_AWS_RETRY || failure->advice == TG_AWS_SLOW_DOWN) {
        pause_for(call, tg_aws_backoff_ms(failure->advice, call->num_attempts, random_number()));
    } else {
        pause_for(call, 0);
    }
}

static void fail(tg_aws_call *call, tg_result result, tg_aws_advice advice, const char *message)
{
    tg_aws_failure_set(&call->failure, result, advice, tg_slice_str(message));
    judge(call);
}

/* An answer of a JSON service: an object, and none that is an error in spite of its status. */
static void take_json(tg_aws_call *call, tg_aws_answer *answer)
{
    json_t *root;
    tg_slice type;
    if (!tg_is_ok(tg_aws_json_parse(answer->body, &root))) {
        fail(call, tg_fail(TG_ERR_SYNTAX), TG_AWS_RETRY, "an answer that is no JSON object");
        return;
    }
    if (tg_aws_json_text(root, "__type", &type)) {
        json_decref(root);
        tg_aws_failure_read(answer->status, answer->headers, answer->num_headers, answer->body, call->signed_s,
                            &call->failure);
        judge(call);
        return;
    }
    answer->json = root;
    tell(call, answer);
    json_decref(root);
}

static tg_aws_advice advice_of(const tg_http_outcome *outcome)
{
    bool is_final = outcome->result.code == TG_ERR_AUTH || outcome->result.code == TG_ERR_LIMIT ||
                    outcome->result.code == TG_ERR_DENIED || outcome->result.code == TG_ERR_MEMORY ||
                    outcome->result.code == TG_ERR_MISMATCH;
    return is_final ? TG_AWS_GIVE_UP : TG_AWS_RETRY;
}

static void on_answer(tg_http_call *http, const tg_http_outcome *outcome, void *owner)
{
    tg_aws_call *call = owner;
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
    (void)http;
    if (!tg_is_ok(outcome->result)) {
        fail(call, outcome->result, advice_of(outcome), tg_http_outcome_format(outcome, text));
        return;
    }
    const tg_http_answer *came = outcome->answer;
    tg_aws_answer answer = {.status = came->status,
                            .headers = came->headers,
                            .num_headers = came->num_headers,
                            .body = came->body,
                            .request_id = tg_aws_request_id(came->headers, came->num_headers)};
    bool is_good = came->status < 300 || (came->status == 304 && call->request.ask.service == TG_AWS_S3);
    if (!is_good) {
        tg_aws_failure_read(came->status, came->headers, came->num_headers, came->body, call->signed_s, &call->failure);
        judge(call);
    } else if (tg_aws_is_json_service(call->request.ask.service)) {
        take_json(call, &answer);
    } else {
        tell(call, &answer);
    }
}

static void send_signed(tg_aws_call *call, tg_aws_key_set *set)
{
    static const tg_http_call_handlers handlers = {.on_done = on_answer};
    tg_aws_transport *transport = call->client->transport;
    tg_aws_key_set *former = call->set;
    call->set = tg_aws_key_set_ref(set);
    tg_aws_key_set_unref(former);
    call->state = ASKING;
    call->num_attempts++;
    call->http = NULL;
    call->signed_s = tg_aws_transport_now_s(transport);
    uint64_t now_ms = tg_loop_now_ms(loop_of(call->client));
    uint64_t left_ms = (call->whole.at_ms > now_ms ? call->whole.at_ms - now_ms : 0) + OVERTIME_MS;
    tg_result result = tg_aws_request_send(&call->request, transport, &set->keys, call->signed_s, left_ms, &handlers,
                                           call, &call->http);
    if (!tg_is_ok(result)) {
        call->http = NULL;
        char text[64];
        snprintf(text, sizeof text, "the request could not be sent: %s", tg_code_name(result.code));
        tg_aws_failure_set(&call->failure, result, TG_AWS_GIVE_UP, tg_slice_str(text));
        tg_loop_tick(loop_of(call->client), &call->tick);
    }
}

static void on_keys(tg_aws_wait *wait, tg_aws_key_set *set, const tg_aws_failure *failure)
{
    tg_aws_call *call = TG_OBJECT_OF(wait, tg_aws_call, wait);
    if (set != NULL) {
        send_signed(call, set);
    } else {
        call->failure = *failure;
        tell_failure(call);
    }
}

static void attempt(tg_aws_call *call)
{
    tg_aws_key_set *set = tg_aws_credentials_now(call->client->credentials);
    if (set != NULL) {
        send_signed(call, set);
        return;
    }
    call->state = WAITING;
    tg_aws_credentials_wait(call->client->credentials, &call->wait);
}

static void on_tick(tg_tick *tick)
{
    tell_failure(TG_OBJECT_OF(tick, tg_aws_call, tick));
}

static void on_pause(tg_deadline *deadline)
{
    attempt(TG_OBJECT_OF(deadline, tg_aws_call, pause));
}

/* The last attempt's failure says more than "timeout", where there was one. */
static void on_whole(tg_deadline *deadline)
{
    tg_aws_call *call = TG_OBJECT_OF(deadline, tg_aws_call, whole);
    if (call->state != PAUSING) {
        char text[sizeof call->failure.message + 64];
        const char *what = call->state == WAITING ? "no credentials in time" : "no answer in time";
        const char *before = call->failure.code[0] != 0 ? call->failure.code : call->failure.message;
        (void)snprintf(text, sizeof text, "%s%s%s", what, before[0] != 0 ? "; the attempt before: " : "", before);
        tg_aws_failure_set(&call->failure, tg_fail(TG_ERR_TIMEOUT), TG_AWS_GIVE_UP, tg_slice_str(text));
    }
    tell_failure(call);
}

tg_result tg_aws_client_new(tg_aws_transport *transport, tg_aws_credentials *credentials, tg_aws_client **out_client)
{
    tg_aws_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    client->transport = transport;
    client->credentials = credentials;
    tg_link_init_head(&client->calls);
    *out_client = client;
    return tg_ok();
}

void tg_aws_client_free(tg_aws_client *client)
{
    if (client == NULL) {
        return;
    }
    while (!tg_link_is_empty(&client->calls)) {
        free_call(TG_OBJECT_OF(client->calls.next, tg_aws_call, link));
    }
    free(client);
}

tg_aws_transport *tg_aws_client_transport(const tg_aws_client *client)
{
    return client->transport;
}

tg_result tg_aws_call_start(tg_aws_client *client, const tg_aws_ask *ask, tg_aws_call_fn *done,
                            void (*release)(void *owner), void *owner, tg_aws_call **out_call)
{
    tg_aws_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = tg_aws_request_init(client->transport, ask, &call->request);
    if (!tg_is_ok(result)) {
        free(call);
        return result;
    }
    call->client = client;
    call->done = done;
    call->release = release;
    call->owner = owner;
    call->began_ms = tg_loop_now_ms(loop_of(client));
    call->wait.ready = on_keys;
    call->whole.run = on_whole;
    call->pause.run = on_pause;
    call->tick.run = on_tick;
    tg_link_append(&client->calls, &call->link);
    tg_deadline_arm_in(loop_of(client), &call->whole, ask->whole_ms > 0 ? ask->whole_ms : TG_AWS_DEFAULT_WHOLE_MS);
    if (out_call != NULL) {
        *out_call = call;
    }
    attempt(call);
    return tg_ok();
}

void tg_aws_call_cancel(tg_aws_call *call)
{
    if (call != NULL && call->state != TELLING) {
        free_call(call);
    }
}

void tg_aws_call_take_body(tg_aws_call *call, tg_buf *out_body)
{
    if (call->http != NULL) {
        tg_http_call_take_body(call->http, out_body);
    } else {
        tg_buf_init_wiped(out_body, 0);
    }
}
