#include "tool/fetch.h"

#include "base/num.h"
#include "io/peer.h"
#include "outbound/outbound.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>
#include <time.h>

enum { MAX_REQUEST_BYTES = 64 << 20, MS_IN_S = 1000 };

struct tg_fetch {
    tg_http_connector face; /* first: stands between the client and the outbound, and looks at each connection's key */
    tg_loop *loop;
    tg_outbound *outbound;
    tg_http_client *client;
    tg_address carrier;
    bool has_carrier;
    char *url;
    tg_slice path, target; /* within the URL */
    uint64_t timeout_ms, until_ms;
    bool has_key;
    uint8_t key[TG_FETCH_KEY_BYTES];
    /* The connection under way: the client has one at a time. */
    tg_http_connected_fn *connected;
    void *connected_owner;
    /* The question under way. */
    tg_fetched *fetched;
    tg_result result;
    tg_detail *detail;
    bool may_be_processed;
};

/* False where another connection had another key. */
static bool take_key(tg_fetch *self, const tg_peer_tls *tls)
{
    if (tls == NULL || !tls->has_key) {
        return false;
    }
    if (self->has_key) {
        return memcmp(self->key, tls->key_sha256, sizeof self->key) == 0;
    }
    memcpy(self->key, tls->key_sha256, sizeof self->key);
    self->has_key = true;
    return true;
}

static void on_connected(tg_stream *stream, const tg_http_connected *connected, void *owner)
{
    tg_fetch *self = owner;
    if (!tg_is_ok(connected->result) || take_key(self, tg_stream_peer(stream)->tls)) {
        self->connected(stream, connected, self->connected_owner);
        return;
    }
    const tg_http_connected refused = {.result = tg_fail(TG_ERR_MISMATCH),
                                       .stage = TG_HTTP_STAGE_HANDSHAKE,
                                       .reason = "the endpoint has another key than a moment ago"};
    tg_stream_close(stream);
    self->connected(NULL, &refused, self->connected_owner);
}

static tg_result connect_outbound(tg_http_connector *face, tg_loop *loop, tg_http_connected_fn *done, void *owner,
                                  tg_http_attempt **out_attempt)
{
    tg_fetch *self = TG_OBJECT_OF(face, tg_fetch, face);
    tg_http_connector *below = tg_outbound_connector(self->outbound);
    self->connected = done;
    self->connected_owner = owner;
    return below->connect(below, loop, on_connected, self, out_attempt);
}

static void cancel_outbound(tg_http_connector *face, tg_http_attempt *attempt)
{
    tg_http_connector *below = tg_outbound_connector(TG_OBJECT_OF(face, tg_fetch, face)->outbound);
    below->cancel(below, attempt);
}

static tg_result read_timeout(const tg_invocation *invocation, uint64_t *out_ms, tg_detail *detail)
{
    uint64_t seconds = TG_FETCH_TIMEOUT_S;
    const char *given = tg_invocation_value(invocation, "timeout");
    if (given != NULL &&
        (!tg_is_ok(tg_num_parse_u64(tg_slice_str(given), TG_MAX_FETCH_TIMEOUT_S, &seconds)) || seconds == 0)) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("--timeout"));
        tg_detail_set_reason(detail, "is a number of seconds from 1 to %d", TG_MAX_FETCH_TIMEOUT_S);
        return tg_fail(TG_ERR_RANGE);
    }
    *out_ms = seconds * MS_IN_S;
    return tg_ok();
}

static tg_result read_carrier(const tg_invocation *invocation, tg_fetch *self, tg_detail *detail)
{
    const char *given = tg_invocation_value(invocation, "connect-to");
    if (given == NULL) {
        return tg_ok();
    }
    TG_TRY(tg_address_parse(tg_slice_str(given), &self->carrier, detail));
    self->has_carrier = true;
    return tg_ok();
}

/* How the endpoint is reached from now on; identity: NULL, or who we are. */
static tg_result set_outbound(tg_fetch *self, tg_tls_identity *identity, tg_detail *detail)
{
    tg_slice url = tg_slice_str(self->url);
    const tg_tls_client_settings settings = {
        .is_unverified = true, .identity = identity, .key_sha256 = tg_fetch_key(self)};
    tg_outbound_settings outbound = {.url = tg_slice_first(url, tg_slice_find(url, '?')),
                                     .carrier = self->has_carrier ? &self->carrier : NULL,
                                     .dial_ms = self->timeout_ms,
                                     .handshake_ms = self->timeout_ms};
    tg_outbound *made = NULL;
    TG_TRY(tg_tls_context_new_client(&settings, &outbound.tls, detail));
    tg_result result = tg_outbound_new(&outbound, &made, detail);
    tg_tls_context_unref(outbound.tls);
    TG_TRY(result);
    tg_outbound_unref(self->outbound);
    self->outbound = made;
    return tg_ok();
}

/* What stands behind the authority, of a URL that is one up to its query. */
static tg_result find_target(tg_fetch *self, tg_slice url, tg_detail *detail)
{
    size_t query_at = tg_slice_find(url, '?');
    tg_slice rest = tg_slice_from(url, tg_slice_find(url, ':') + 3);
    rest = tg_slice_from(rest, tg_slice_find(rest, '/'));
    if (query_at < url.len && (rest.len == 0 || rest.ptr > url.ptr + query_at)) {
        tg_detail_set_place(detail, url, 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "has a query and no path");
        return tg_fail(TG_ERR_SYNTAX);
    }
    self->target = rest.len > 0 ? rest : TG_LIT("/");
    self->path = tg_slice_first(self->target, tg_slice_find(self->target, '?'));
    return tg_ok();
}

static tg_result set_up(tg_fetch *self, const tg_invocation *invocation, tg_detail *detail)
{
    tg_http_client_limits limits;
    TG_TRY(read_timeout(invocation, &self->timeout_ms, detail));
    TG_TRY(read_carrier(invocation, self, detail));
    TG_TRY(set_outbound(self, NULL, detail));
    TG_TRY(find_target(self, tg_slice_str(self->url), detail));
    tg_http_client_limits_default(&limits);
    limits.num_connections = limits.num_kept = 1;
    limits.keep_ms = limits.max_age_ms = self->timeout_ms;
    limits.ask_body_bytes = MAX_REQUEST_BYTES;
    limits.deadlines = (tg_http_deadlines){.whole_ms = self->timeout_ms};
    TG_TRY(tg_loop_new(&self->loop));
    self->until_ms = tg_clock_monotonic_ms() + self->timeout_ms;
    return tg_http_client_new(self->loop, &self->face, tg_fetch_authority(self), &limits, &self->client);
}

tg_result tg_fetch_open(const tg_invocation *invocation, const char *url, tg_fetch **out_fetch, tg_detail *detail)
{
    tg_fetch *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    self->face = (tg_http_connector){.connect = connect_outbound, .cancel = cancel_outbound};
    self->url = strdup(url);
    tg_result made = self->url != NULL ? set_up(self, invocation, detail) : tg_fail(TG_ERR_MEMORY);
    if (!tg_is_ok(made)) {
        if (detail->reason[0] == 0) {
            tg_detail_set_reason(detail, "%s", tg_log_error_text(made));
        }
        tg_fetch_close(self);
        return made;
    }
    *out_fetch = self;
    return tg_ok();
}

void tg_fetch_close(tg_fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    tg_http_client_free(fetch->client);
    if (fetch->loop != NULL) {
        tg_loop_free(fetch->loop);
    }
    tg_outbound_unref(fetch->outbound);
    free(fetch->url);
    free(fetch);
}

tg_result tg_fetch_identify(tg_fetch *fetch, tg_tls_identity *identity, tg_detail *detail)
{
    tg_detail_set_place(detail, tg_slice_str(fetch->url), 0, (tg_slice){NULL, 0});
    TG_TRY(set_outbound(fetch, identity, detail));
    tg_http_client_close_kept(fetch->client);
    return tg_ok();
}

tg_slice tg_fetch_path(const tg_fetch *fetch)
{
    return fetch->path;
}

tg_slice tg_fetch_target(const tg_fetch *fetch)
{
    return fetch->target;
}

tg_slice tg_fetch_authority(const tg_fetch *fetch)
{
    return tg_slice_str(tg_outbound_origin(fetch->outbound)->authority);
}

bool tg_fetch_may_be_processed(const tg_fetch *fetch)
{
    return fetch->may_be_processed;
}

tg_slice tg_fetch_key(const tg_fetch *fetch)
{
    return fetch->has_key ? tg_slice_of(fetch->key, sizeof fetch->key) : (tg_slice){NULL, 0};
}

static void describe_late(const tg_fetch *self, const char *doing, tg_detail *detail)
{
    tg_detail_set_reason(detail, "not done within %llu s: %s", (unsigned long long)(self->timeout_ms / MS_IN_S), doing);
    tg_detail_set_remedy(detail, "--timeout SECONDS gives it longer");
}

static void describe(const tg_fetch *self, const tg_http_outcome *outcome, tg_detail *detail)
{
    static const char not_connected[] = "no connection can be made";
    static const char is_enclave[] = "is this an enclave's endpoint?";
    static const struct {
        const char *what, *remedy, *doing;
    } stages[TG_HTTP_NUM_STAGES] = {
        [TG_HTTP_STAGE_QUEUE] = {not_connected, "", "connecting"},
        [TG_HTTP_STAGE_DIAL] = {not_connected, "is it up, and is that its address?", "connecting"},
        [TG_HTTP_STAGE_EGRESS] = {not_connected, "", "connecting"},
        [TG_HTTP_STAGE_HANDSHAKE] = {"no TLS connection can be made", "does it speak TLS, and answer to that name?",
                                     "connecting"},
        [TG_HTTP_STAGE_SEND] = {"the request cannot be sent", "try again", "sending the request"},
        [TG_HTTP_STAGE_HEAD] = {"it gives no HTTP answer", is_enclave, "waiting for the answer"},
        [TG_HTTP_STAGE_BODY] = {"its answer cannot be taken", is_enclave, "reading the answer"},
        [TG_HTTP_STAGE_DONE] = {"its answer cannot be taken", "", "reading the answer"},
    };
    if (outcome->result.code == TG_ERR_TIMEOUT) {
        describe_late(self, stages[outcome->stage].doing, detail);
        return;
    }
    const char *why = outcome->reason[0] != 0 ? outcome->reason : tg_log_error_text(outcome->result);
    tg_detail_set_reason(detail, "%s: %s", stages[outcome->stage].what, why);
    tg_detail_set_remedy(detail, "%s", stages[outcome->stage].remedy);
}

static void take_type(const tg_http_answer *answer, tg_fetched *fetched)
{
    tg_slice type;
    if (tg_is_ok(tg_http_headers_find_only(answer->headers, answer->num_headers, TG_LIT("Content-Type"), &type)) &&
        type.len < sizeof fetched->content_type) {
        memcpy(fetched->content_type, type.len > 0 ? (const char *)type.ptr : "", type.len);
    }
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    tg_fetch *self = owner;
    self->result = outcome->result;
    self->may_be_processed = outcome->may_be_processed;
    if (tg_is_ok(outcome->result)) {
        *self->fetched = (tg_fetched){.status = outcome->answer->status};
        take_type(outcome->answer, self->fetched);
        tg_http_call_take_body(call, &self->fetched->body);
    } else {
        describe(self, outcome, self->detail);
    }
    tg_loop_stop(self->loop);
}

tg_result tg_fetch_ask(tg_fetch *fetch, const tg_http_ask *ask, tg_fetched *out_fetched, tg_detail *detail)
{
    tg_loop_turn(fetch->loop); /* its clock stood still between two questions */
    uint64_t now_ms = tg_loop_now_ms(fetch->loop);
    tg_http_ask bounded = *ask;
    tg_detail_set_place(detail, tg_slice_str(fetch->url), 0, (tg_slice){NULL, 0});
    if (now_ms >= fetch->until_ms) {
        describe_late(fetch, "no time is left to ask", detail);
        return tg_fail(TG_ERR_TIMEOUT);
    }
    const tg_http_deadlines deadlines = {.whole_ms = fetch->until_ms - now_ms};
    bounded.deadlines = &deadlines;
    fetch->may_be_processed = false;
    fetch->fetched = out_fetched;
    fetch->detail = detail;
    tg_result started =
        tg_http_call_start(fetch->client, &bounded, &(tg_http_call_handlers){.on_done = on_done}, fetch, NULL);
    if (!tg_is_ok(started)) {
        tg_detail_set_reason(detail, "cannot be asked: %s", tg_log_error_text(started));
        return started;
    }
    tg_loop_run(fetch->loop);
    return fetch->result;
}

tg_result tg_fetch_pause(const tg_fetch *fetch, tg_detail *detail)
{
    const struct timespec pause = {.tv_sec = 1};
    if (tg_clock_monotonic_ms() + MS_IN_S >= fetch->until_ms) {
        describe_late(fetch, "no time is left to ask again", detail);
        return tg_fail(TG_ERR_TIMEOUT);
    }
    (void)nanosleep(&pause, NULL);
    return tg_ok();
}

void tg_fetched_done(tg_fetched *fetched)
{
    tg_buf_done(&fetched->body);
}
