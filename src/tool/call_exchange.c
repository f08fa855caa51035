#include "tool/call_exchange.h"

#include "base/text.h"
#include "sys/clock.h"
#include "tool/attest_fetch.h"
#include "tool/attest_verify.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    MAX_SEALS = 15,
    UNAVAILABLE = 503,
    MAX_STEP_BYTES = 1024,
    NUM_KEY_TRIES = 2,
    MAX_OUTER_HEADERS = 40,
    MAX_CODE_SHOWN = 64,
    MAX_MESSAGE_SHOWN = 120
};

typedef struct calling {
    const tg_call_plan *plan;
    tg_console *console;
    tg_fetch *fetch;
    tg_call_keys keys;
    tg_call_outcome *outcome;
} calling;

const char *tg_call_end_name(tg_call_end end)
{
    static const char *const names[] = {
        [TG_CALL_ANSWERED] = "answered", [TG_CALL_NOT_VERIFIED] = "not_verified", [TG_CALL_NOT_DONE] = "not_done",
        [TG_CALL_REFUSED] = "refused",   [TG_CALL_ERROR_STATUS] = "error_status", [TG_CALL_NOT_SEALED] = "not_sealed"};
    return names[end];
}

__attribute__((format(printf, 3, 4))) static void step(const calling *self, const char *name, const char *format, ...)
{
    if (!self->plan->is_verbose) {
        return;
    }
    char text[MAX_STEP_BYTES];
    tg_buf line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tg_buf_init(&line, (size_t)8 * MAX_STEP_BYTES);
    if (tg_is_ok(tg_buf_printf(&line, "* %-11s ", name)) &&
        tg_is_ok(tg_text_append_printable(&line, tg_slice_str(text), SIZE_MAX)) &&
        tg_is_ok(tg_buf_append_byte(&line, '\n'))) {
        tg_console_say(self->console, tg_buf_slice(&line));
    }
    tg_buf_done(&line);
}

/* False, as what the step that failed gives back. */
static bool end(calling *self, tg_call_end how)
{
    self->outcome->end = how;
    return false;
}

static bool attest(calling *self, tg_attest_answer *answer)
{
    tg_call_outcome *outcome = self->outcome;
    if (!tg_is_ok(tg_attest_fetch(self->fetch, (tg_slice){NULL, 0}, answer, &outcome->detail))) {
        return end(self, TG_CALL_NOT_DONE);
    }
    step(self, "attestation", "a document of %zu bytes and its manifest, for a nonce of ours",
         tg_buf_len(&answer->document));
    int status = tg_attest_demand(self->plan->invocation, answer, self->plan->is_verbose, self->console);
    if (status == TG_EXIT_OK) {
        return true;
    }
    tg_detail_clear(&outcome->detail);
    if (status == TG_EXIT_FINDINGS) {
        tg_detail_set_place(&outcome->detail, tg_slice_str(self->plan->url), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(&outcome->detail, "is not the enclave that it should be: nothing was sent");
    }
    return end(self, status == TG_EXIT_FINDINGS ? TG_CALL_NOT_VERIFIED : TG_CALL_NOT_DONE);
}

static tg_result read_keys(calling *self, const tg_fetched *fetched, tg_slice manifest)
{
    tg_detail *detail = &self->outcome->detail;
    if (fetched->status != 200) {
        tg_detail_set_place(detail, tg_call_keys_path(self->plan->envelope), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "it answered %u%s", fetched->status,
                             fetched->status == 503 ? ": the enclave has no data key yet" : "");
        return tg_fail(TG_ERR_DENIED);
    }
    return tg_call_keys_read(self->plan->envelope, tg_buf_slice(&fetched->body), manifest, &self->keys, detail);
}

/* One attestation, and the keys that it binds.
 * *out_is_stale  they are others than the manifest's: they may have been renewed between the two */
static bool learn_once(calling *self, tg_attest_answer *answer, bool *out_is_stale)
{
    tg_fetched fetched;
    const tg_http_ask ask = {.method = TG_LIT("GET"),
                             .target = tg_call_keys_path(self->plan->envelope),
                             .max_answer_bytes = TG_MAX_CALL_KEYS_BYTES};
    *out_is_stale = false;
    if (!attest(self, answer)) {
        return false;
    }
    if (!tg_is_ok(tg_fetch_ask(self->fetch, &ask, &fetched, &self->outcome->detail))) {
        return end(self, TG_CALL_NOT_DONE);
    }
    tg_result read = read_keys(self, &fetched, tg_buf_slice(&answer->manifest));
    tg_fetched_done(&fetched);
    *out_is_stale = read.code == TG_ERR_MISMATCH;
    if (!tg_is_ok(read)) {
        bool is_absent = read.code == TG_ERR_DENIED || read.code == TG_ERR_NOT_FOUND;
        return end(self, is_absent ? TG_CALL_NOT_DONE : TG_CALL_NOT_VERIFIED);
    }
    return true;
}

static bool learn(calling *self)
{
    bool is_learnt = false, is_stale = true;
    for (unsigned i = 0; i < NUM_KEY_TRIES && is_stale; i++) {
        tg_attest_answer answer;
        tg_attest_answer_init(&answer);
        tg_detail_clear(&self->outcome->detail);
        is_learnt = learn_once(self, &answer, &is_stale);
        tg_attest_answer_done(&answer);
        if (is_stale) {
            step(self, "keys", "not those of the manifest%s", i + 1 < NUM_KEY_TRIES ? ": asked again" : "");
        }
    }
    if (is_learnt) {
        bool is_jwe = self->plan->envelope == TG_CALL_JWE;
        tg_slice path = tg_call_keys_path(self->plan->envelope);
        step(self, "keys", "%.*s is what the manifest binds; %s %s", (int)path.len, (const char *)path.ptr,
             is_jwe ? "sealed to kid" : "HPKE with X25519", is_jwe ? self->keys.recipient.kid : "");
    }
    return is_learnt;
}

static bool identify(calling *self)
{
    tg_tls_identity *identity = self->plan->identity;
    if (identity == NULL) {
        return true;
    }
    step(self, "identified", "by the certificate of --cert, to the attested key alone");
    return tg_is_ok(tg_fetch_identify(self->fetch, identity, &self->outcome->detail)) || end(self, TG_CALL_NOT_DONE);
}

static bool seal(calling *self, tg_call_sealed *sealed)
{
    const tg_call_plan *plan = self->plan;
    bool is_jwe = plan->envelope == TG_CALL_JWE;
    const tg_call_request request = {.method = plan->method,
                                     .path = is_jwe ? tg_fetch_path(self->fetch) : tg_fetch_target(self->fetch),
                                     .authority = tg_fetch_authority(self->fetch),
                                     .content_type = plan->content_type,
                                     .headers = plan->headers,
                                     .num_headers = plan->num_headers,
                                     .body = plan->body};
    if (!tg_is_ok(tg_call_seal(&self->keys, &request, tg_clock_unix_ms() / 1000, sealed, &self->outcome->detail))) {
        return end(self, TG_CALL_NOT_DONE);
    }
    step(self, "sealed", "%zu bytes into %zu of %s", plan->body.len, tg_buf_len(&sealed->body), sealed->content_type);
    return true;
}

/* Of ohttp all is inside: what is outside says only that something is sent. */
static bool send(calling *self, const tg_call_sealed *sealed, tg_fetched *out_fetched)
{
    const tg_call_plan *plan = self->plan;
    bool is_jwe = plan->envelope == TG_CALL_JWE;
    tg_http_header headers[MAX_OUTER_HEADERS] = {{TG_LIT("Content-Type"), tg_slice_str(sealed->content_type)}};
    size_t num_headers = 1;
    for (size_t i = 0; is_jwe && i < plan->num_headers && num_headers < MAX_OUTER_HEADERS; i++) {
        headers[num_headers++] = plan->headers[i];
    }
    const tg_http_ask ask = {.method = is_jwe ? plan->method : TG_LIT("POST"),
                             .target = is_jwe ? tg_fetch_target(self->fetch) : tg_fetch_path(self->fetch),
                             .headers = headers,
                             .num_headers = num_headers,
                             .body = tg_buf_slice(&sealed->body),
                             .max_answer_bytes = TG_MAX_CALL_SEALED_BYTES};
    step(self, "sent", "%.*s %.*s over the attested TLS key", (int)ask.method.len, (const char *)ask.method.ptr,
         (int)ask.target.len, (const char *)ask.target.ptr);
    bool is_answered = tg_is_ok(tg_fetch_ask(self->fetch, &ask, out_fetched, &self->outcome->detail));
    self->outcome->may_be_processed = tg_fetch_may_be_processed(self->fetch);
    return is_answered || end(self, TG_CALL_NOT_DONE);
}

/* What somebody says in the clear, as far as it looks like an error of ours. */
static void describe_plain(const tg_fetched *fetched, tg_detail *detail)
{
    tg_slice body = tg_buf_slice(&fetched->body);
    json_t *tree = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    const char *code = json_string_value(json_object_get(tree, "code"));
    const char *message = json_string_value(json_object_get(tree, "message"));
    tg_detail_set_reason(detail, "was answered %u in the clear, for which nobody vouches%s%.*s%s%.*s", fetched->status,
                         code != NULL ? ": " : "", MAX_CODE_SHOWN, code != NULL ? code : "",
                         message != NULL ? ": " : "", MAX_MESSAGE_SHOWN, message != NULL ? message : "");
    tg_detail_set_remedy(detail, fetched->status >= 200 && fetched->status < 300
                                     ? "does that route encrypt its answers so?"
                                     : "the enclave says so before it can open an envelope, or the host says it");
    json_decref(tree);
}

static bool open_answer(calling *self, const tg_call_sealed *sealed, const tg_fetched *fetched)
{
    tg_call_outcome *outcome = self->outcome;
    step(self, "answered", "%u, %zu bytes of %s", fetched->status, tg_buf_len(&fetched->body),
         fetched->content_type[0] != 0 ? fetched->content_type : "no type");
    tg_detail_clear(&outcome->detail);
    tg_result opened =
        tg_call_open(sealed, &self->keys, tg_slice_str(fetched->content_type), tg_buf_slice(&fetched->body),
                     tg_clock_unix_ms() / 1000, &outcome->answer, &outcome->detail);
    tg_detail_set_place(&outcome->detail, tg_slice_str(self->plan->url), 0, (tg_slice){NULL, 0});
    if (opened.code == TG_ERR_UNSUPPORTED) {
        describe_plain(fetched, &outcome->detail);
        return end(self, TG_CALL_NOT_SEALED);
    }
    if (!tg_is_ok(opened)) {
        return end(self,
                   opened.code == TG_ERR_MEMORY || opened.code == TG_ERR_LIMIT ? TG_CALL_NOT_DONE : TG_CALL_REFUSED);
    }
    const tg_call_answer *answer = &outcome->answer;
    step(self, "verified", "status %u, %zu bytes%s%s, for this request alone", answer->status,
         tg_buf_len(&answer->body), answer->signer_kid[0] != 0 ? ", signed by " : "", answer->signer_kid);
    outcome->end = answer->status < 300 ? TG_CALL_ANSWERED : TG_CALL_ERROR_STATUS;
    return true;
}

/* An enclave that has just started takes no envelope that may be older than it (one before it may have taken that):
 * it has not acted upon this one, and says so under its seal. In the clear anybody could say it, to have a request
 * made twice. */
static bool is_too_early(const tg_call_outcome *outcome)
{
    tg_slice body = tg_buf_slice(&outcome->answer.body);
    if (outcome->end != TG_CALL_ERROR_STATUS || outcome->answer.status != UNAVAILABLE) {
        return false;
    }
    json_t *tree = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    const char *code = json_string_value(json_object_get(tree, "code"));
    bool is_early = code != NULL && (strcmp(code, "iat_before_start") == 0 || strcmp(code, "date_before_start") == 0);
    json_decref(tree);
    return is_early;
}

static void call_once(calling *self)
{
    tg_call_sealed sealed;
    tg_fetched fetched;
    if (seal(self, &sealed) && send(self, &sealed, &fetched)) {
        (void)open_answer(self, &sealed, &fetched);
        tg_fetched_done(&fetched);
    }
    tg_call_sealed_done(&sealed);
}

/* A query of jwe would travel beside the envelope, where whoever carries it could write one. */
static bool check_target(calling *self)
{
    if (self->plan->envelope == TG_CALL_OHTTP || tg_fetch_target(self->fetch).len == tg_fetch_path(self->fetch).len) {
        return true;
    }
    tg_detail_set_place(&self->outcome->detail, tg_slice_str(self->plan->url), 0, (tg_slice){NULL, 0});
    tg_detail_set_reason(&self->outcome->detail, "has a query, which jwe does not seal");
    tg_detail_set_remedy(&self->outcome->detail, "put it into the body, or use a route of ohttp");
    return end(self, TG_CALL_NOT_DONE);
}

static void call(calling *self)
{
    tg_detail ignored = {0};
    if (!check_target(self) || !learn(self) || !identify(self)) {
        return;
    }
    call_once(self);
    for (unsigned i = 1; i < MAX_SEALS && is_too_early(self->outcome); i++) {
        if (!tg_is_ok(tg_fetch_pause(self->fetch, &ignored))) {
            return;
        }
        step(self, "again", "the enclave has just started, and takes only what was sealed since");
        tg_call_answer_done(&self->outcome->answer);
        self->outcome->end = TG_CALL_NOT_DONE;
        call_once(self);
    }
}

void tg_call_exchange(const tg_call_plan *plan, tg_console *console, tg_call_outcome *out_outcome)
{
    *out_outcome = (tg_call_outcome){.end = TG_CALL_NOT_DONE};
    calling self = {.plan = plan, .console = console, .outcome = out_outcome};
    if (tg_is_ok(tg_fetch_open(plan->invocation, plan->url, &self.fetch, &out_outcome->detail))) {
        call(&self);
        tg_fetch_close(self.fetch);
    }
}
