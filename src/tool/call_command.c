#include "base/encode.h"
#include "base/text.h"
#include "crypto/init.h"
#include "http/grammar.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tool/attest_verify.h"
#include "tool/call_exchange.h"
#include "tool/commands.h"

#include <errno.h>
#include <unistd.h>

enum { MAX_HEADERS = 32, MAX_JSON_BYTES = 6 * TG_MAX_CALL_BODY_BYTES + 65536, OUTPUT_MODE = 0600 };

/* The command line, read. */
typedef struct wanted {
    tg_call_plan plan;
    tg_http_header headers[MAX_HEADERS];
    tg_buf body; /* wiped */
    const char *output;
    bool is_json;
} wanted;

static tg_result refuse(tg_detail *detail, const char *option, const char *reason)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(option));
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(TG_ERR_SYNTAX);
}

/* What the tool says itself, inside or outside. */
static bool is_own(tg_slice name)
{
    static const char *const names[] = {"connection", "content-length", "content-type",      "date",
                                        "expect",     "host",           "keep-alive",        "proxy-connection",
                                        "te",         "trailer",        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        if (tg_text_equal_nocase(name, tg_slice_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static tg_result read_header(const char *given, tg_http_header *out_header, tg_detail *detail)
{
    tg_slice rest = tg_slice_str(given);
    bool has_colon = tg_slice_find(rest, ':') < rest.len;
    tg_slice name = tg_slice_split(&rest, ':');
    tg_slice value = tg_slice_trim(rest, " \t");
    if (!has_colon || !tg_http_is_token(name) || !tg_http_is_value(value)) {
        return refuse(detail, "--header", "is written NAME: VALUE");
    }
    if (is_own(name)) {
        return refuse(detail, "--header", "names a field that the call itself sets (--content-type sets one)");
    }
    *out_header = (tg_http_header){name, value};
    return tg_ok();
}

static tg_result read_headers(const tg_invocation *invocation, wanted *to, tg_detail *detail)
{
    const char *given;
    to->plan.headers = to->headers;
    for (size_t i = 0; (given = tg_invocation_value_at(invocation, "header", i)) != NULL; i++) {
        if (i == MAX_HEADERS) {
            return refuse(detail, "--header", "is given more than 32 times");
        }
        TG_TRY(read_header(given, &to->headers[i], detail));
        to->plan.num_headers = i + 1;
    }
    return tg_ok();
}

/* TEXT, @FILE, or @- for standard input. */
static tg_result read_body(const tg_invocation *invocation, const tg_console *console, wanted *to, tg_detail *detail)
{
    const char *given = tg_invocation_value(invocation, "data");
    tg_result read;
    if (given == NULL) {
        return tg_ok();
    }
    if (given[0] != '@') {
        read = tg_buf_append_str(&to->body, given);
    } else if (strcmp(given, "@-") == 0) {
        read = tg_file_read_fd(console->in_fd, &to->body, NULL, NULL);
    } else {
        read = tg_file_read(given + 1, &to->body);
    }
    if (!tg_is_ok(read)) {
        tg_detail_set_place(detail, tg_slice_str(given[0] == '@' ? given + 1 : ""), 0, TG_LIT("--data"));
        tg_detail_set_reason(detail, "cannot be read: %s",
                             read.code == TG_ERR_LIMIT ? "more than 32 MiB" : tg_log_error_text(read));
        return read;
    }
    to->plan.body = tg_buf_slice(&to->body);
    return tg_ok();
}

/* Before anything is sent: a call that was made cannot be taken back for want of a place to put its answer. */
static tg_result read_output(const tg_invocation *invocation, wanted *to, tg_detail *detail)
{
    to->output = tg_invocation_value(invocation, "output");
    if (to->output != NULL && (access(to->output, F_OK) == 0 || errno != ENOENT)) {
        tg_detail_set_place(detail, tg_slice_str(to->output), 0, TG_LIT("--output"));
        tg_detail_set_reason(detail, "exists already, or cannot be made: nothing is overwritten");
        return tg_fail(TG_ERR_EXISTS);
    }
    return tg_ok();
}

static tg_result read_method(const tg_invocation *invocation, wanted *to, tg_detail *detail)
{
    const char *method = tg_invocation_value(invocation, "method");
    to->plan.method = method != NULL ? tg_slice_str(method) : TG_LIT("POST");
    return tg_http_is_token(to->plan.method) && !tg_slice_equal(to->plan.method, TG_LIT("CONNECT"))
               ? tg_ok()
               : refuse(detail, "--method", "is no method of HTTP");
}

static tg_result read_type(const tg_invocation *invocation, wanted *to, tg_detail *detail)
{
    const char *type = tg_invocation_value(invocation, "content-type");
    to->plan.content_type = type != NULL ? tg_slice_str(type) : TG_LIT("application/json");
    return tg_http_all_are(to->plan.content_type, TG_HTTP_VALUE) && tg_http_is_value(to->plan.content_type) &&
                   to->plan.content_type.len > 0 && to->plan.content_type.len <= TG_MAX_CTY_BYTES
               ? tg_ok()
               : refuse(detail, "--content-type", "is a media type of at most 128 characters");
}

static tg_result read_identity(const tg_invocation *invocation, wanted *to, tg_detail *detail)
{
    const char *certificate = tg_invocation_value(invocation, "cert"), *key = tg_invocation_value(invocation, "key");
    if (certificate == NULL) {
        return key == NULL ? tg_ok() : refuse(detail, "--key", "needs --cert");
    }
    return tg_tls_identity_load(certificate, key != NULL ? key : certificate, (int64_t)(tg_clock_unix_ms() / 1000),
                                &to->plan.identity, detail);
}

static tg_result read_wanted(const tg_invocation *invocation, const tg_console *console, wanted *to, tg_detail *detail)
{
    const char *envelope = tg_invocation_value(invocation, "envelope");
    to->plan.invocation = invocation;
    to->plan.url = invocation->arguments[0];
    to->plan.envelope = envelope != NULL && strcmp(envelope, "ohttp") == 0 ? TG_CALL_OHTTP : TG_CALL_JWE;
    to->plan.is_verbose = tg_invocation_has(invocation, "verbose");
    to->is_json = tg_invocation_has(invocation, "json");
    TG_TRY(read_method(invocation, to, detail));
    TG_TRY(read_type(invocation, to, detail));
    TG_TRY(read_headers(invocation, to, detail));
    TG_TRY(read_output(invocation, to, detail));
    TG_TRY(read_identity(invocation, to, detail));
    return read_body(invocation, console, to, detail);
}

static tg_result append_body(const tg_call_answer *answer, tg_buf *out)
{
    tg_slice body = tg_buf_slice(&answer->body);
    if (tg_utf8_is_valid(body)) {
        TG_TRY(tg_buf_append_str(out, ",\"body\":"));
        return tg_json_append_string(out, body);
    }
    TG_TRY(tg_buf_append_str(out, ",\"body_base64\":\""));
    TG_TRY(tg_base64_append(out, TG_BASE64_PADDED, body));
    return tg_buf_append_byte(out, '"');
}

static tg_result append_answer(const wanted *it, const tg_call_answer *answer, tg_buf *out)
{
    TG_TRY(tg_buf_printf(out, ",\"status\":%u,\"content_type\":", answer->status));
    TG_TRY(tg_json_append_string(out, tg_slice_str(answer->content_type)));
    if (answer->issued_unix_s > 0) {
        TG_TRY(tg_buf_printf(out, ",\"iat\":%llu", (unsigned long long)answer->issued_unix_s));
    }
    if (answer->signer_kid[0] != 0) {
        TG_TRY(tg_buf_append_str(out, ",\"kid\":"));
        TG_TRY(tg_json_append_string(out, tg_slice_str(answer->signer_kid)));
    }
    return it->output == NULL ? append_body(answer, out) : tg_ok();
}

static tg_result append_json(const wanted *it, const tg_call_outcome *outcome, tg_buf *out)
{
    bool is_verified = outcome->end == TG_CALL_ANSWERED || outcome->end == TG_CALL_ERROR_STATUS;
    TG_TRY(tg_buf_printf(out, "{\"end\":\"%s\",\"verified\":%s,\"may_be_processed\":%s", tg_call_end_name(outcome->end),
                         is_verified ? "true" : "false", outcome->may_be_processed ? "true" : "false"));
    if (is_verified) {
        TG_TRY(append_answer(it, &outcome->answer, out));
    } else if (outcome->detail.reason[0] != 0) {
        TG_TRY(tg_buf_append_str(out, ",\"reason\":"));
        TG_TRY(tg_json_append_string(out, tg_slice_str(outcome->detail.reason)));
    }
    return tg_buf_append_str(out, "}\n");
}

static int print_json(const wanted *it, const tg_call_outcome *outcome, tg_console *console)
{
    tg_buf out;
    tg_buf_init_wiped(&out, MAX_JSON_BYTES);
    tg_result put = append_json(it, outcome, &out);
    int status = tg_is_ok(put) ? tg_console_write(console, tg_buf_slice(&out))
                               : tg_console_fail_result(console, "there is no memory for the output", put);
    tg_buf_done(&out);
    return status;
}

static int write_output(const wanted *it, const tg_call_answer *answer, tg_console *console)
{
    tg_result written = tg_file_write_new(it->output, OUTPUT_MODE, tg_buf_slice(&answer->body));
    return tg_is_ok(written) ? TG_EXIT_OK : tg_console_fail_result(console, it->output, written);
}

static void say_status(const tg_call_outcome *outcome, tg_console *console)
{
    if (outcome->end == TG_CALL_ERROR_STATUS) {
        (void)tg_console_fail_text(console, "the enclave answered %u (verified)", outcome->answer.status);
    } else if (outcome->end != TG_CALL_ANSWERED && outcome->detail.reason[0] != 0) {
        (void)tg_console_fail(console, &outcome->detail);
    }
    if (outcome->end != TG_CALL_ANSWERED && outcome->end != TG_CALL_ERROR_STATUS && outcome->may_be_processed) {
        tg_console_say(console, TG_LIT("teegate: the request was sent, and may have been acted upon\n"));
    }
}

static int report(const wanted *it, const tg_call_outcome *outcome, tg_console *console)
{
    bool is_verified = outcome->end == TG_CALL_ANSWERED || outcome->end == TG_CALL_ERROR_STATUS;
    int status = TG_EXIT_OK;
    say_status(outcome, console);
    if (is_verified && it->output != NULL) {
        status = write_output(it, &outcome->answer, console);
    } else if (is_verified && !it->is_json) {
        status = tg_console_write(console, tg_buf_slice(&outcome->answer.body));
    }
    if (it->is_json && status == TG_EXIT_OK) {
        status = print_json(it, outcome, console);
    }
    return status == TG_EXIT_OK ? (int)outcome->end : status;
}

static int make_call(const wanted *it, tg_console *console)
{
    tg_call_outcome outcome;
    tg_result ready = tg_crypto_init(1);
    if (!tg_is_ok(ready)) {
        return tg_console_fail_result(console, "libgcrypt", ready);
    }
    tg_call_exchange(&it->plan, console, &outcome);
    int status = report(it, &outcome, console);
    if (outcome.end == TG_CALL_ANSWERED || outcome.end == TG_CALL_ERROR_STATUS) {
        tg_call_answer_done(&outcome.answer);
    }
    return status;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    wanted it = {.output = NULL};
    tg_detail detail = {0};
    tg_buf_init_wiped(&it.body, TG_MAX_CALL_BODY_BYTES);
    int status = tg_is_ok(read_wanted(invocation, console, &it, &detail)) ? make_call(&it, console)
                                                                          : tg_console_fail(console, &detail);
    tg_buf_done(&it.body);
    tg_tls_identity_unref(it.plan.identity);
    return status;
}

static const tg_option options[] = {
    {.name = "envelope",
     .argument = "KIND",
     .words = "jwe ohttp",
     .completes = TG_COMPLETES_WORDS,
     .help = "how the request is sealed: jwe (the default) or ohttp"},
    {.name = "data",
     .letter = 'd',
     .argument = "@FILE",
     .help = "the request's body: @FILE, @- for standard input, or TEXT, which the process list shows"},
    {.name = "content-type", .argument = "TYPE", .help = "of the body; application/json"},
    {.name = "method", .letter = 'X', .argument = "METHOD", .help = "POST"},
    {.name = "header",
     .letter = 'H',
     .argument = "NAME: VALUE",
     .is_repeatable = true,
     .help = "a field more: sealed with ohttp, beside the envelope with jwe"},
    {.name = "cert",
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "a client certificate and chain (PEM), for routes with `clients`; only the verified see it"},
    {.name = "key",
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "its key (PEM), where it is in another file"},
    {.name = "output",
     .letter = 'o',
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "write the answer's body there (mode 0600), not to standard output; overwrites nothing"},
    {.name = "json", .help = "one JSON object that says how it ended, with the body unless --output has it"},
    {.name = "verbose", .letter = 'v', .help = "say each step on standard error, without what is sealed"},
    TG_ATTEST_OPTIONS,
    TG_FETCH_OPTIONS,
};

const tg_command tg_call_command = {
    .name = "call",
    .summary = "Call an enclave's gateway so that only the enclave can read it.",
    .description =
        "Verifies the attestation of the URL's host as `attest verify` does, believes the keys that it publishes only\n"
        "where the attested manifest binds them, seals the request, sends it, and gives out the answer once it is\n"
        "verified to be the enclave's and to this request. Exit status: 0 answered with 2xx; 1 the enclave is not\n"
        "verified, nothing was sent; 2 it could not be done; 3 the answer is not verified; 4 a verified answer with\n"
        "another status; 5 an answer in the clear, for which nobody vouches.",
    .arguments = "URL",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  teegate call https://tee-k.example.org/process -d @request.json --policy policy.json\n"
                "  teegate call https://tee-k.example.org/process -d @- -o answer --envelope ohttp --pcr 0=b2c4... -v",
    .run = run,
};
