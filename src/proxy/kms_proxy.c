#include "proxy/kms_proxy.h"

#include "aws/arn.h"
#include "base/num.h"
#include "proxy/kms_backend.h"
#include "proxy/kms_rights.h"
#include "proxy/proxy_metrics.h"
#include "proxy/worker.h"
#include "sys/log.h"

#include <stdlib.h>

enum {
    READ_BYTES = 4096,
    MAX_INTAKE_BYTES = TG_KMS_MAX_REQUEST_BYTES + READ_BYTES,
    MAX_ANSWER_BYTES = 256 << 10,
    CALL_MS = 30000,
    LINGER_MS = 1000,
    LINGER_BYTES = 1 << 20
};

typedef enum kms_state { READING, CALLING, ANSWERING, LINGERING, OVER, NUM_STATES } kms_state;

typedef struct kms_visit {
    tg_proxy_visit visit;
    tg_stream *client;
    kms_state state;
    bool is_at_end; /* the caller has ended its side */
    bool is_last;   /* the connection ends with this answer */
    bool has_begun; /* a request's first byte has come */
    tg_buf intake;  /* wiped: an Encrypt holds plaintext */
    tg_buf answer;  /* wiped: a GenerateDataKey may */
    tg_kms_extent extent;
    tg_kms_request request; /* while CALLING */
    tg_kms_rights rights;
    tg_aws_call *call;
    uint64_t request_began_ms;
    size_t num_discarded;
    tg_deadline deadline;
    tg_tick tick; /* goes on with what was read already */
} kms_visit;

static tg_loop *loop_of(const kms_visit *kms)
{
    return kms->visit.worker->loop;
}

static void go(kms_visit *kms, kms_state next)
{
    static const uint8_t edges[NUM_STATES] = {
        [READING] = 1u << CALLING | 1u << ANSWERING | 1u << OVER,
        [CALLING] = 1u << ANSWERING | 1u << OVER,
        [ANSWERING] = 1u << READING | 1u << LINGERING | 1u << OVER,
        [LINGERING] = 1u << OVER,
    };
    if ((edges[kms->state] & 1u << next) == 0) {
        abort();
    }
    kms->state = next;
}

static void finish(kms_visit *kms, const char *outcome)
{
    tg_slice route = kms->rights.domain;
    go(kms, OVER);
    tg_aws_call_cancel(TG_TAKE(kms->call));
    tg_tick_cancel(&kms->tick);
    tg_deadline_disarm(&kms->deadline);
    tg_kms_request_done(&kms->request);
    tg_stream_close(TG_TAKE(kms->client));
    tg_buf_done(&kms->intake);
    tg_buf_done(&kms->answer);
    tg_proxy_visit_end(&kms->visit, route, outcome); /* the route's bytes are the configuration's: the last use */
    free(kms);
}

static void on_stop(tg_proxy_visit *visit, const char *outcome)
{
    finish(TG_OBJECT_OF(visit, kms_visit, visit), outcome);
}

static void on_drain(tg_proxy_visit *visit)
{
    kms_visit *kms = TG_OBJECT_OF(visit, kms_visit, visit);
    if (kms->state == READING && !kms->has_begun) {
        finish(kms, "drained");
    }
}

static unsigned readable(const kms_visit *kms)
{
    return !kms->is_at_end && tg_buf_space(&kms->intake) > 0 ? TG_STREAM_READ : 0;
}

/* A connection may last for days: each request is judged by the configuration in force when its first byte comes, so
 * that a right that was taken away is gone. */
static void renew(kms_visit *kms)
{
    tg_proxy_visit_renew(&kms->visit);
    kms->rights = tg_kms_rights_of(kms->visit.config, &kms->visit.peer);
}

/* The next request may be there already. */
static void await_request(kms_visit *kms)
{
    const tg_proxy_timeouts *timeouts = &kms->visit.config->timeouts;
    uint64_t in_ms = kms->has_begun ? timeouts->hello_ms : timeouts->keep_ms;
    if (in_ms > 0) {
        tg_deadline_arm_in(loop_of(kms), &kms->deadline, in_ms);
    }
    tg_stream_watch(kms->client, readable(kms));
    tg_loop_tick(loop_of(kms), &kms->tick);
}

/* The end is ours first, and the caller's bytes are read, so that it reads the answer and no reset. */
static void end_in_order(kms_visit *kms)
{
    if (kms->is_at_end || !tg_is_ok(tg_stream_shutdown(kms->client))) {
        finish(kms, "ended");
        return;
    }
    go(kms, LINGERING);
    tg_deadline_arm_in(loop_of(kms), &kms->deadline, LINGER_MS);
    tg_stream_watch(kms->client, TG_STREAM_READ);
}

static void write_answer(kms_visit *kms)
{
    while (tg_buf_len(&kms->answer) > 0) {
        size_t len;
        tg_result result = tg_stream_write(kms->client, tg_buf_slice(&kms->answer), &len);
        if (result.code == TG_ERR_AGAIN) {
            tg_stream_watch(kms->client, TG_STREAM_WRITE);
            return;
        }
        if (!tg_is_ok(result)) {
            finish(kms, "client_left");
            return;
        }
        tg_buf_consume(&kms->answer, len);
    }
    tg_buf_release(&kms->answer);
    bool has_more = tg_slice_trim(tg_buf_slice(&kms->intake), " \t\r\n").len > 0;
    if (kms->is_last || (kms->visit.worker->is_draining && !has_more) || (kms->is_at_end && !has_more)) {
        end_in_order(kms);
        return;
    }
    go(kms, READING);
    kms->has_begun = has_more;
    renew(kms);
    tg_proxy_visit_unsettle(&kms->visit);
    await_request(kms);
}

static void answer(kms_visit *kms, tg_result composed)
{
    const tg_proxy_timeouts *timeouts = &kms->visit.config->timeouts;
    tg_kms_request_done(&kms->request);
    if (!tg_is_ok(composed)) {
        finish(kms, "no_memory");
        return;
    }
    go(kms, ANSWERING);
    if (timeouts->idle_ms > 0) {
        tg_deadline_arm_in(loop_of(kms), &kms->deadline, timeouts->idle_ms);
    } else {
        tg_deadline_disarm(&kms->deadline);
    }
    write_answer(kms);
}

static void answer_error(kms_visit *kms, tg_slice code, tg_slice text)
{
    answer(kms, tg_kms_append_error(&kms->answer, code, text));
}

/* One of ours: logged as every refusal of the proxy, counted by its code. */
static void refuse(kms_visit *kms, const char *code, const char *reason, const char *remedy)
{
    tg_proxy_visit_refused(&kms->visit, "KMS call refused", tg_slice_str(code), tg_slice_str(reason), remedy);
    tg_proxy_count_kms(kms->rights.domain, "none", code, 0);
    answer_error(kms, tg_slice_str(code), tg_slice_str(reason));
}

/* The audit line: who had which key used for what, and how it ended. Never left out. */
static void log_call(const kms_visit *kms, const tg_aws_answer *came, const char *outcome)
{
    const char *operation = tg_kms_operation_name(kms->request.operation);
    uint64_t duration_ms = tg_loop_now_ms(loop_of(kms)) - kms->request_began_ms;
    tg_proxy_count_kms(kms->rights.domain, operation, outcome, duration_ms * 1000000);
    tg_log(came->failure == NULL ? TG_LOG_INFO : TG_LOG_WARN, "proxy", "kms call",
           TG_F_UINT("connection", kms->visit.id), TG_F_UINT("cid", kms->visit.peer.cid),
           TG_F_SLICE("domain", kms->rights.domain), TG_F_STR("operation", operation),
           TG_F_STR("key", kms->request.key != NULL ? kms->request.key : ""),
           TG_F_BOOL("sealed", kms->request.is_sealed), TG_F_STR("outcome", outcome),
           TG_F_STR("message", came->failure != NULL ? came->failure->message : ""),
           TG_F_SLICE("request_id", came->request_id), TG_F_UINT("attempts", came->num_attempts),
           TG_F_UINT("duration_ms", duration_ms));
}

static const char *code_of(const tg_aws_failure *failure)
{
    if (failure->code[0] != 0) {
        return failure->code;
    }
    return failure->result.code == TG_ERR_TIMEOUT ? "timeout" : "unavailable";
}

static void on_called(tg_aws_call *call, const tg_aws_answer *came, void *owner)
{
    kms_visit *kms = owner;
    (void)call;
    kms->call = NULL;
    if (came->failure != NULL) {
        const char *code = code_of(came->failure);
        log_call(kms, came, code);
        answer_error(kms, tg_slice_str(code), tg_slice_str(came->failure->message));
        return;
    }
    if (kms->request.is_sealed && tg_kms_shows_plaintext(came->json)) {
        log_call(kms, came, "plaintext_shown"); /* KMS never does */
        answer_error(kms, TG_LIT("unavailable"), TG_LIT("KMS answered plaintext in spite of Recipient"));
        return;
    }
    log_call(kms, came, "ok");
    answer(kms, tg_kms_append_answer(&kms->answer, came->json, kms->request.spelling));
}

/* The key's own region, else the configuration's. */
static tg_slice region_of(const kms_visit *kms)
{
    tg_aws_arn arn;
    bool is_arn = tg_is_ok(tg_aws_arn_parse(kms->rights.key, &arn));
    return is_arn && arn.region.len > 0 ? arn.region : kms->visit.config->region;
}

static tg_result start_call(kms_visit *kms)
{
    tg_aws_client *client;
    tg_buf body;
    TG_TRY(tg_kms_backend_client(kms->visit.worker->kms, region_of(kms), &client));
    tg_buf_init_wiped(&body, MAX_INTAKE_BYTES + TG_AWS_MAX_ARN_BYTES);
    tg_result result = tg_kms_append_json(&body, kms->request.input);
    if (tg_is_ok(result)) {
        const tg_aws_ask ask = {.service = TG_AWS_KMS,
                                .operation = tg_kms_operation_name(kms->request.operation),
                                .body = tg_buf_slice(&body),
                                .max_answer_bytes = MAX_ANSWER_BYTES / 2,
                                .whole_ms = CALL_MS};
        result = tg_aws_call_start(client, &ask, on_called, NULL, kms, &kms->call);
    }
    tg_buf_done(&body);
    return result;
}

static void call_kms(kms_visit *kms)
{
    tg_proxy_visit_settle(&kms->visit);
    go(kms, CALLING);
    tg_deadline_disarm(&kms->deadline); /* the call has its own */
    tg_stream_watch(kms->client, readable(kms));
    tg_result result = start_call(kms);
    if (result.code == TG_ERR_SYNTAX) {
        refuse(kms, "no_region", "the host knows no region for the key",
               "set \"aws\": {\"region\": ...} or AWS_REGION");
    } else if (!tg_is_ok(result)) {
        refuse(kms, "unavailable", "the host cannot call KMS now", NULL);
    }
}

/* A whole request. */
static void take_request(kms_visit *kms, size_t len)
{
    tg_detail detail;
    tg_detail_clear(&detail);
    kms->request_began_ms = tg_loop_now_ms(loop_of(kms));
    tg_result result = tg_kms_request_parse(tg_slice_first(tg_buf_slice(&kms->intake), len), &kms->request, &detail);
    tg_buf_consume(&kms->intake, len);
    kms->extent = (tg_kms_extent){.depth = 0};
    if (tg_is_ok(result)) {
        result = tg_kms_rights_apply(&kms->rights, &kms->request, &detail);
    }
    if (tg_is_ok(result)) {
        call_kms(kms);
    } else if (detail.field[0] != 0) {
        refuse(kms, detail.field, detail.reason, detail.remedy[0] != 0 ? detail.remedy : NULL);
    } else {
        finish(kms, "no_memory");
    }
}

static void refuse_for_good(kms_visit *kms, const char *code, const char *reason)
{
    kms->is_last = true;
    tg_buf_clear(&kms->intake);
    refuse(kms, code, reason, NULL);
}

static void look(kms_visit *kms)
{
    size_t len;
    tg_result result = tg_kms_extent_find(&kms->extent, tg_buf_slice(&kms->intake), &len);
    if (tg_is_ok(result)) {
        take_request(kms, len);
    } else if (result.code == TG_ERR_LIMIT) {
        refuse_for_good(kms, "request_too_large", "a request is at most 64 KiB long and 32 levels deep");
    } else if (result.code == TG_ERR_SYNTAX) {
        refuse_for_good(kms, "bad_request", "no JSON object begins here");
    } else if (kms->extent.depth == 0) { /* blanks between requests */
        tg_buf_clear(&kms->intake);
        kms->extent = (tg_kms_extent){.depth = 0};
        if (kms->is_at_end) {
            finish(kms, "ended");
        }
    } else if (kms->is_at_end) {
        refuse_for_good(kms, "bad_request", "the connection ended inside a request");
    } else if (!kms->has_begun) {
        kms->has_begun = true;
        await_request(kms);
    } else {
        tg_stream_watch(kms->client, readable(kms));
    }
}

static void on_tick(tg_tick *tick)
{
    kms_visit *kms = TG_OBJECT_OF(tick, kms_visit, tick);
    if (kms->state == READING && (tg_buf_len(&kms->intake) > kms->extent.looked_at || kms->is_at_end)) {
        look(kms);
    }
}

static void discard(kms_visit *kms)
{
    uint8_t bytes[READ_BYTES];
    size_t len;
    tg_result result = tg_stream_read(kms->client, bytes, sizeof bytes, &len);
    if (tg_is_ok(result)) {
        kms->num_discarded += len;
    }
    tg_wipe(bytes, sizeof bytes);
    if ((!tg_is_ok(result) && result.code != TG_ERR_AGAIN) || kms->num_discarded > LINGER_BYTES) {
        finish(kms, "ended");
    }
}

/* While a call is under way too: a caller that broke off is noticed, and what it sends ahead is kept. */
static void read_more(kms_visit *kms)
{
    uint8_t *at;
    size_t len, cap = tg_size_min(READ_BYTES, tg_buf_space(&kms->intake));
    if (!tg_is_ok(tg_buf_reserve(&kms->intake, cap, &at))) {
        finish(kms, "no_memory");
        return;
    }
    tg_result result = tg_stream_read(kms->client, at, cap, &len);
    if (result.code == TG_ERR_AGAIN) {
        return;
    }
    if (!tg_is_ok(result) && result.code != TG_ERR_EOF) {
        finish(kms, "client_left");
        return;
    }
    if (tg_is_ok(result)) {
        if (kms->state == READING && !kms->has_begun) {
            renew(kms);
        }
        tg_buf_commit(&kms->intake, len);
    } else {
        kms->is_at_end = true;
    }
    tg_stream_watch(kms->client, readable(kms));
    if (kms->state == READING) {
        look(kms);
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    kms_visit *kms = owner;
    (void)stream;
    (void)events;
    if (kms->state == ANSWERING) {
        write_answer(kms);
    } else if (kms->state == LINGERING) {
        discard(kms);
    } else {
        read_more(kms);
    }
}

static void on_deadline(tg_deadline *deadline)
{
    kms_visit *kms = TG_OBJECT_OF(deadline, kms_visit, deadline);
    if (kms->state == READING && kms->has_begun) {
        tg_proxy_visit_refused(&kms->visit, "client too slow", TG_LIT("hello_ms"), TG_LIT(""), NULL);
        finish(kms, "hello_timeout");
    } else {
        finish(kms, kms->state == LINGERING ? "ended" : "idle");
    }
}

void tg_proxy_kms_open(tg_proxy_worker *worker, const tg_proxy_door *door, tg_stream *stream)
{
    kms_visit *kms = calloc(1, sizeof *kms);
    if (kms == NULL || !tg_proxy_visit_begin(&kms->visit, worker, door, stream)) {
        free(kms);
        tg_stream_close(stream);
        return;
    }
    kms->visit.stop = on_stop;
    kms->visit.drain = on_drain;
    kms->client = stream;
    kms->rights.domain = TG_LIT("none");
    kms->deadline.run = on_deadline;
    kms->tick.run = on_tick;
    tg_buf_init_wiped(&kms->intake, MAX_INTAKE_BYTES);
    tg_buf_init_wiped(&kms->answer, MAX_ANSWER_BYTES);
    tg_stream_own(stream, on_ready, kms);
    await_request(kms);
}
