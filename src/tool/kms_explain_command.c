#include "attest/nitro_document.h"
#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tool/aws_refusal.h"
#include "tool/commands.h"
#include "tool/key_policy_lint.h"

enum { MAX_DOCUMENT_TEXT_BYTES = 65536, KMS_DOCUMENT_AGE_S = 300 };

typedef struct explanation {
    const tg_invocation *invocation;
    tg_console *console;
    tg_buf policy_bytes, document_bytes, decoded_bytes, refusal_bytes, out;
    tg_key_policy policy;
    tg_nitro_document document;
    tg_aws_refusal refusal;
    tg_policy_context context[TG_MAX_POLICY_CONTEXT];
    tg_policy_call call;
    size_t num_in_list;
    size_t num_findings;
    bool is_json;
    bool has_policy, has_document, has_refusal;
    bool is_refused;
} explanation;

static const char *const truth_names[] = {"no", "yes", "unknown"};
static const char *const truth_marks[] = {"FAILS", "holds", "open "};
static const tg_colour truth_colours[] = {TG_COLOUR_RED, TG_COLOUR_GREEN, TG_COLOUR_YELLOW};

static tg_result append_member(explanation *it, const char *name, tg_slice text)
{
    TG_TRY(tg_buf_printf(&it->out, ",\"%s\":", name));
    return tg_json_append_string(&it->out, text);
}

static tg_result begin_entry(explanation *it)
{
    return tg_buf_append_str(&it->out, it->num_in_list++ > 0 ? ",\n    {" : "\n    {");
}

static const char *part_name(const tg_policy_check *check)
{
    return check->part == TG_POLICY_PRINCIPAL   ? "principal"
           : check->part == TG_POLICY_ACTION    ? "action"
           : check->part == TG_POLICY_CONDITION ? check->key
                                                : "statement";
}

static tg_result append_check_json(explanation *it, const tg_policy_check *check)
{
    TG_TRY(begin_entry(it));
    TG_TRY(tg_buf_printf(&it->out, "\"statement\":%zu,\"effect\":\"%s\"", check->statement,
                         check->is_allow ? "Allow" : "Deny"));
    TG_TRY(append_member(it, "sid", tg_slice_str(check->sid)));
    TG_TRY(append_member(it, "part", tg_slice_str(part_name(check))));
    TG_TRY(append_member(it, "holds", tg_slice_str(truth_names[check->truth])));
    TG_TRY(append_member(it, "reason", tg_slice_str(check->reason)));
    return tg_buf_append_byte(&it->out, '}');
}

/* The parts stand above their statement's own line, which sums them up. */
static tg_result append_check(const tg_policy_check *check, void *owner)
{
    explanation *it = owner;
    if (it->is_json) {
        return append_check_json(it, check);
    }
    if (check->part == TG_POLICY_STATEMENT) {
        TG_TRY(tg_buf_printf(&it->out, "statement %zu", check->statement + 1));
        TG_TRY(check->sid[0] != 0 ? tg_buf_append_byte(&it->out, ' ') : tg_ok());
        TG_TRY(tg_text_append_printable(&it->out, tg_slice_str(check->sid), 128));
        return tg_buf_printf(&it->out, " (%s): %s\n", check->is_allow ? "Allow" : "Deny", check->reason);
    }
    TG_TRY(tg_buf_append_str(&it->out, "  "));
    TG_TRY(tg_colour_append(&it->out, it->console->is_out_coloured, truth_colours[check->truth],
                            truth_marks[check->truth]));
    TG_TRY(tg_buf_append_str(&it->out, "  "));
    TG_TRY(tg_text_append_printable(&it->out, tg_slice_str(part_name(check)), 256));
    return tg_buf_printf(&it->out, ": %s\n", check->reason);
}

static tg_result append_finding(const tg_policy_finding *finding, void *owner)
{
    explanation *it = owner;
    bool is_whole = finding->statement == SIZE_MAX;
    it->num_findings++;
    if (it->is_json) {
        TG_TRY(begin_entry(it));
        TG_TRY(tg_buf_printf(&it->out, "\"rule\":\"%s\"", finding->rule));
        TG_TRY(is_whole ? tg_ok() : tg_buf_printf(&it->out, ",\"statement\":%zu", finding->statement));
        TG_TRY(is_whole ? tg_ok() : append_member(it, "sid", tg_slice_str(finding->sid)));
        TG_TRY(append_member(it, "reason", tg_slice_str(finding->reason)));
        TG_TRY(append_member(it, "remedy", tg_slice_str(finding->remedy)));
        return tg_buf_append_byte(&it->out, '}');
    }
    TG_TRY(tg_colour_append(&it->out, it->console->is_out_coloured, TG_COLOUR_YELLOW, finding->rule));
    TG_TRY(is_whole ? tg_buf_append_str(&it->out, ": ")
                    : tg_buf_printf(&it->out, ": statement %zu ", finding->statement + 1));
    TG_TRY(tg_text_append_printable(&it->out, tg_slice_str(finding->sid), 128));
    TG_TRY(tg_buf_append_str(&it->out, !is_whole && finding->sid[0] != 0 ? ": " : ""));
    TG_TRY(tg_text_append_printable(&it->out, tg_slice_str(finding->reason), SIZE_MAX));
    return tg_buf_printf(&it->out, "\n    %s\n", finding->remedy);
}

static tg_result append_refusal(explanation *it)
{
    const tg_aws_refusal *refusal = &it->refusal;
    const char *who = refusal->is_explicit_deny ? "an explicit Deny applies"
                      : refusal->is_by_identity
                          ? "no IAM policy of the caller allows it, and the key policy leaves the question to IAM"
                          : "the key policy does not allow it";
    bool is_denied = tg_slice_equal(refusal->code, TG_LIT("AccessDeniedException"));
    if (it->is_json) {
        TG_TRY(tg_buf_append_str(&it->out, "{\"code\":"));
        TG_TRY(tg_json_append_string(&it->out, refusal->code));
        TG_TRY(append_member(it, "meaning", tg_slice_str(refusal->meaning)));
        TG_TRY(append_member(it, "principal", refusal->principal));
        TG_TRY(append_member(it, "action", refusal->action));
        TG_TRY(append_member(it, "resource", refusal->resource));
        return tg_buf_printf(&it->out, ",\"explicit_deny\":%s}", refusal->is_explicit_deny ? "true" : "false");
    }
    TG_TRY(tg_text_append_printable(&it->out, refusal->code, 64));
    TG_TRY(tg_buf_printf(&it->out, ": %s\n", refusal->meaning));
    TG_TRY(is_denied ? tg_buf_printf(&it->out, "  AWS says: %s\n", who) : tg_ok());
    return is_denied && !it->has_policy
               ? tg_buf_append_str(&it->out, "  --policy FILE (aws kms get-key-policy) and --document FILE tell which "
                                             "condition does not hold\n")
               : tg_ok();
}

static const char *verdict_text(tg_policy_verdict verdict)
{
    static const char *const texts[] = {"the key policy allows the call", "a Deny applies: nothing else counts",
                                        "no Allow applies",
                                        "what is open above decides: IAM policies, or what was not given here"};
    return texts[verdict];
}

/* What KMS looks at before any policy. */
static tg_result append_document_notes(explanation *it)
{
    if (!it->has_document || it->is_json) {
        return tg_ok();
    }
    uint64_t now_ms = tg_clock_unix_ms(), then_ms = it->document.timestamp_unix_ms;
    if (now_ms > then_ms && now_ms - then_ms > (uint64_t)KMS_DOCUMENT_AGE_S * 1000) {
        TG_TRY(tg_buf_printf(&it->out, "note: the document is %llu minutes old; KMS takes none older than five\n",
                             (unsigned long long)((now_ms - then_ms) / 60000)));
    }
    if (it->document.public_key.ptr == NULL) {
        TG_TRY(tg_buf_append_str(&it->out, "note: the document has no public_key; KMS needs one to answer to\n"));
    }
    return tg_nitro_document_is_debug(&it->document)
               ? tg_buf_append_str(&it->out, "note: PCR0 is all zeros: this enclave runs in debug mode, whose PCRs no "
                                             "policy should name\n")
               : tg_ok();
}

static tg_result append_judgement(explanation *it)
{
    tg_policy_verdict verdict;
    it->num_in_list = 0;
    TG_TRY(it->is_json ? tg_buf_append_str(&it->out, "{\"checks\":[") : append_document_notes(it));
    TG_TRY(tg_key_policy_judge(&it->policy, &it->call, append_check, it, &verdict));
    it->is_refused = verdict != TG_POLICY_ALLOWED;
    if (it->is_json) {
        return tg_buf_printf(&it->out, "],\"verdict\":\"%s\"}", tg_policy_verdict_name(verdict));
    }
    TG_TRY(tg_buf_append_str(&it->out, "verdict: "));
    TG_TRY(tg_colour_append(&it->out, it->console->is_out_coloured, it->is_refused ? TG_COLOUR_RED : TG_COLOUR_GREEN,
                            tg_policy_verdict_name(verdict)));
    return tg_buf_printf(&it->out, ": %s\n", verdict_text(verdict));
}

static bool is_call_given(const explanation *it)
{
    const tg_invocation *invocation = it->invocation;
    return it->has_document || it->has_refusal || tg_invocation_has(invocation, "principal") ||
           tg_invocation_has(invocation, "action") || tg_invocation_has(invocation, "context");
}

static tg_result explain(explanation *it)
{
    if (it->is_json) {
        TG_TRY(tg_buf_append_str(&it->out, "{\"refusal\":"));
        TG_TRY(it->has_refusal ? append_refusal(it) : tg_buf_append_str(&it->out, "null"));
        TG_TRY(tg_buf_append_str(&it->out, ",\n  \"judgement\":"));
        TG_TRY(it->has_policy && is_call_given(it) ? append_judgement(it) : tg_buf_append_str(&it->out, "null"));
        TG_TRY(tg_buf_append_str(&it->out, ",\n  \"findings\":["));
        it->num_in_list = 0;
        TG_TRY(it->has_policy ? tg_key_policy_lint(&it->policy, append_finding, it) : tg_ok());
        return tg_buf_append_str(&it->out, "]}\n");
    }
    TG_TRY(it->has_refusal ? append_refusal(it) : tg_ok());
    TG_TRY(it->has_policy && is_call_given(it) ? append_judgement(it) : tg_ok());
    TG_TRY(it->has_policy ? tg_key_policy_lint(&it->policy, append_finding, it) : tg_ok());
    return it->has_policy && it->num_findings == 0 ? tg_buf_append_str(&it->out, "the policy has the guards it needs\n")
                                                   : tg_ok();
}

static int read_input(explanation *it, const char *name, tg_buf *bytes)
{
    const char *path = tg_invocation_value(it->invocation, name);
    tg_result result =
        strcmp(path, "-") == 0 ? tg_file_read_fd(it->console->in_fd, bytes, NULL, NULL) : tg_file_read(path, bytes);
    return tg_is_ok(result) ? TG_EXIT_OK : tg_console_fail_result(it->console, path, result);
}

static int fail_in(explanation *it, const char *name, tg_detail *detail)
{
    tg_slice path = tg_slice_str(tg_invocation_value(it->invocation, name));
    tg_detail placed = *detail;
    tg_detail_set_place(&placed, path, detail->line, tg_slice_str(detail->field));
    return tg_console_fail(it->console, &placed);
}

static int load_policy(explanation *it)
{
    tg_detail detail = {.line = 0};
    int status = read_input(it, "policy", &it->policy_bytes);
    if (status != TG_EXIT_OK) {
        return status;
    }
    if (!tg_is_ok(tg_key_policy_parse(tg_buf_slice(&it->policy_bytes), &it->policy, &detail))) {
        return fail_in(it, "policy", &detail);
    }
    it->has_policy = true;
    return TG_EXIT_OK;
}

/* The document itself, or its base64 as KMS is sent it. */
static int load_document(explanation *it)
{
    tg_detail detail = {.line = 0};
    size_t len;
    int status = read_input(it, "document", &it->document_bytes);
    if (status != TG_EXIT_OK) {
        return status;
    }
    tg_slice bytes = tg_buf_slice(&it->document_bytes), text = tg_slice_trim(bytes, " \t\r\n");
    uint8_t *decoded;
    tg_result room = tg_buf_reserve(&it->decoded_bytes, tg_base64_decoded_max(text.len), &decoded);
    if (!tg_is_ok(room)) {
        return tg_console_fail_result(it->console, "the document", room);
    }
    if (text.len > 0 && tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, text, decoded, &len))) {
        bytes = tg_slice_of(decoded, len);
    }
    if (!tg_is_ok(tg_nitro_document_parse(bytes, &it->document, &detail))) {
        return fail_in(it, "document", &detail);
    }
    it->has_document = true;
    return TG_EXIT_OK;
}

static int load_refusal(explanation *it)
{
    int status = read_input(it, "refusal", &it->refusal_bytes);
    if (status != TG_EXIT_OK) {
        return status;
    }
    it->has_refusal = tg_aws_refusal_read(tg_buf_slice(&it->refusal_bytes), &it->refusal);
    return it->has_refusal
               ? TG_EXIT_OK
               : tg_console_fail_text(it->console, "%.150s holds no error code of AWS KMS that is known here",
                                      tg_invocation_value(it->invocation, "refusal"));
}

static int take_call(explanation *it)
{
    const char *action = tg_invocation_value(it->invocation, "action");
    const char *principal = tg_invocation_value(it->invocation, "principal");
    it->call = (tg_policy_call){.action = tg_slice_str(action != NULL ? action : "kms:Decrypt"),
                                .principal = tg_slice_str(principal),
                                .document = it->has_document ? &it->document : NULL,
                                .context = it->context};
    if (action == NULL && it->refusal.action.len > 0) {
        it->call.action = it->refusal.action;
    }
    if (principal == NULL) {
        it->call.principal = it->refusal.principal;
    }
    const char *pair;
    for (size_t i = 0; (pair = tg_invocation_value_at(it->invocation, "context", i)) != NULL; i++) {
        tg_slice value = tg_slice_str(pair), name = tg_slice_split(&value, '=');
        if (value.ptr == NULL || name.len == 0 || i == TG_MAX_POLICY_CONTEXT) {
            return tg_console_fail_text(it->console, "--context takes NAME=VALUE, at most %d times",
                                        TG_MAX_POLICY_CONTEXT);
        }
        it->context[it->call.num_context++] = (tg_policy_context){name, value};
    }
    return TG_EXIT_OK;
}

static int load(explanation *it)
{
    static const struct {
        const char *name;
        int (*load)(explanation *it);
    } inputs[] = {{"policy", load_policy}, {"document", load_document}, {"refusal", load_refusal}};
    for (size_t i = 0; i < TG_COUNT(inputs); i++) {
        int status = tg_invocation_has(it->invocation, inputs[i].name) ? inputs[i].load(it) : TG_EXIT_OK;
        if (status != TG_EXIT_OK) {
            return status;
        }
    }
    if (!it->has_policy && !it->has_refusal) { /* a document alone explains nothing */
        return tg_console_fail_text(it->console, "--policy FILE or --refusal FILE is missing");
    }
    return take_call(it);
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    explanation it = {.invocation = invocation, .console = console, .is_json = tg_invocation_has(invocation, "json")};
    tg_buf_init(&it.policy_bytes, TG_MAX_KEY_POLICY_BYTES + 1);
    tg_buf_init(&it.document_bytes, MAX_DOCUMENT_TEXT_BYTES);
    tg_buf_init(&it.decoded_bytes, MAX_DOCUMENT_TEXT_BYTES);
    tg_buf_init(&it.refusal_bytes, TG_MAX_REFUSAL_BYTES);
    tg_buf_init(&it.out, SIZE_MAX / 2);
    int status = load(&it);
    if (status == TG_EXIT_OK) {
        tg_result result = explain(&it);
        status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&it.out))
                                  : tg_console_fail_result(console, "the policy cannot be explained", result);
    }
    if (it.has_policy) {
        tg_key_policy_done(&it.policy);
    }
    tg_buf_done(&it.policy_bytes);
    tg_buf_done(&it.document_bytes);
    tg_buf_done(&it.decoded_bytes);
    tg_buf_done(&it.refusal_bytes);
    tg_buf_done(&it.out);
    return status == TG_EXIT_OK && (it.num_findings > 0 || it.is_refused || it.has_refusal) ? TG_EXIT_FINDINGS : status;
}

static const tg_option options[] = {
    {.name = "policy",
     .letter = 'p',
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "the key policy, as `aws kms get-key-policy` prints it; - is standard input"},
    {.name = "document",
     .letter = 'd',
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "an attestation document, bytes or base64: its PCRs are held against the policy"},
    {.name = "refusal",
     .letter = 'r',
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "what AWS said: JSON, the line of the AWS CLI, or a line of the log"},
    {.name = "principal", .argument = "ARN", .help = "who calls; taken from the refusal where that says it"},
    {.name = "action", .argument = "NAME", .help = "the operation [kms:Decrypt]"},
    {.name = "context", .argument = "NAME=VALUE", .is_repeatable = true, .help = "a pair of the encryption context"},
    {.name = "json", .help = "one JSON object instead of lines"},
};

static const tg_command explain_command = {
    .name = "explain",
    .summary = "Say why KMS refuses, and what a key policy lacks.",
    .description =
        "Judges a call against each statement of the key policy: principal, attestation conditions (ImageSha384, PCR0\n"
        "and so on), encryption context; and looks whether the policy keeps others from putting a key of theirs in "
        "the\n"
        "place of yours. Nothing is sent anywhere. IAM policies and grants are not seen: where they decide, it says "
        "so.\n"
        "Exit status: 0 allowed and nothing found, 1 refused or found, 2 something cannot be read.",
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  aws kms get-key-policy --key-id KEY --output json | teegate kms explain --policy -\n"
                "  teegate kms explain --policy policy.json --document doc.bin --principal ARN\n"
                "  journalctl -u teegate-proxy | grep kms | teegate kms explain --refusal -",
    .run = run,
};

static const tg_command *const commands[] = {&explain_command};

const tg_command tg_kms_command = {
    .name = "kms",
    .summary = "Look at KMS key policies and refusals.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
