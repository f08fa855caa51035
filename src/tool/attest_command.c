#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"
#include "tool/attest_verify.h"
#include "tool/commands.h"

#include <openssl/err.h>
#include <openssl/x509.h>

enum { MAX_OUTPUT_BYTES = 1 << 20 };

/* The manifest is given to who may believe it: whoever goes on from here takes keys from nowhere else. */
static tg_result append_json(const tg_attest_report *report, tg_slice manifest, tg_buf *out)
{
    TG_TRY(tg_buf_printf(out, "{\"verified\":%s,\"checks\":[", report->is_verified ? "true" : "false"));
    for (size_t i = 0; i < report->num_checks; i++) {
        const tg_attest_check *check = &report->checks[i];
        TG_TRY(tg_buf_printf(out, "%s\n  {\"check\":\"%s\",\"verdict\":\"%s\",\"text\":", i > 0 ? "," : "", check->name,
                             tg_verdict_name(check->verdict)));
        TG_TRY(tg_json_append_string(out, tg_slice_str(check->text)));
        TG_TRY(tg_buf_append_byte(out, '}'));
    }
    TG_TRY(tg_buf_append_str(out, "\n]"));
    if (report->is_verified && manifest.len > 0) {
        TG_TRY(tg_buf_append_str(out, ",\"manifest\":"));
        TG_TRY(tg_buf_append(out, manifest));
    }
    return tg_buf_append_str(out, "}\n");
}

static int print(tg_console *console, tg_result composed, const tg_buf *out)
{
    return tg_is_ok(composed) ? tg_console_write(console, tg_buf_slice(out))
                              : tg_console_fail_result(console, "there is no memory for the output", composed);
}

static int verify(const tg_invocation *invocation, tg_console *console)
{
    tg_attest_answer answer;
    tg_attest_report report = {.num_checks = 0};
    tg_buf out;
    tg_buf_init(&out, MAX_OUTPUT_BYTES);
    int status = tg_attest_load(invocation, invocation->arguments[0], console, &answer);
    if (status == TG_EXIT_OK) {
        status = tg_attest_examine(invocation, &answer, console, &report);
    }
    if (status == TG_EXIT_OK) {
        bool is_json = tg_invocation_has(invocation, "json");
        status = print(console,
                       is_json ? append_json(&report, tg_buf_slice(&answer.manifest), &out)
                               : tg_attest_report_append(&report, console->is_out_coloured, &out),
                       &out);
        status = status == TG_EXIT_OK && !report.is_verified ? TG_EXIT_FINDINGS : status;
    }
    tg_buf_done(&out);
    tg_attest_answer_done(&answer);
    return status;
}

static tg_result append_field(tg_buf *out, const char *name, tg_slice bytes)
{
    TG_TRY(tg_buf_printf(out, "%-12s", name));
    TG_TRY(bytes.ptr != NULL ? tg_hex_append(out, bytes) : tg_buf_append_str(out, "-"));
    return tg_buf_append_byte(out, '\n');
}

static tg_result append_certificate(tg_buf *out, const char *name, tg_slice der)
{
    const unsigned char *at = der.ptr;
    char subject[200] = "cannot be read";
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL) {
        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
    }
    X509_free(certificate);
    ERR_clear_error();
    TG_TRY(tg_buf_printf(out, "%-12s", name));
    TG_TRY(tg_text_append_printable(out, tg_slice_str(subject), SIZE_MAX));
    return tg_buf_append_byte(out, '\n');
}

static tg_result append_document(const tg_nitro_document *document, tg_slice manifest, tg_buf *out)
{
    char when[25], name[8];
    static const uint8_t zeros[TG_NITRO_PCR_BYTES];
    tg_clock_format(document->timestamp_unix_ms, when);
    TG_TRY(tg_buf_append_str(out, "module      "));
    TG_TRY(tg_text_append_printable(out, document->module_id, SIZE_MAX));
    TG_TRY(tg_buf_printf(out, "\ntime        %s\n", when));
    for (unsigned i = 0; i < TG_NITRO_NUM_PCRS; i++) {
        tg_slice value = document->pcrs[i];
        if (value.ptr != NULL && (i < 3 || memcmp(value.ptr, zeros, sizeof zeros) != 0)) {
            snprintf(name, sizeof name, "PCR%u", i);
            TG_TRY(append_field(out, name, value));
        }
    }
    TG_TRY(append_field(out, "nonce", document->nonce));
    TG_TRY(append_field(out, "user_data", document->user_data));
    TG_TRY(append_field(out, "public_key", document->public_key));
    for (size_t i = 0; i < document->num_bundle; i++) {
        TG_TRY(append_certificate(out, i == 0 ? "root" : "authority", document->bundle[i]));
    }
    TG_TRY(append_certificate(out, "signer", document->certificate));
    TG_TRY(tg_buf_append_str(out, "manifest    "));
    TG_TRY(manifest.len > 0 ? tg_text_append_printable(out, manifest, SIZE_MAX) : tg_buf_append_str(out, "-"));
    return tg_buf_append_byte(out, '\n');
}

/* A policy of one set: the registers that name an image. PCR3 and PCR4 name the parent's role and the instance. */
static tg_result append_pcrs(const tg_nitro_document *document, tg_slice name, tg_buf *out)
{
    static const unsigned of_image[] = {0, 1, 2, 8};
    static const uint8_t zeros[TG_NITRO_PCR_BYTES];
    const char *separator = "";
    TG_TRY(tg_buf_append_str(out, "{\"pcr_sets\": [{\"name\": "));
    TG_TRY(tg_json_append_string(out, name));
    TG_TRY(tg_buf_append_str(out, ", \"pcrs\": {"));
    for (size_t i = 0; i < TG_COUNT(of_image); i++) {
        tg_slice value = document->pcrs[of_image[i]];
        if (value.ptr != NULL && (i < 3 || memcmp(value.ptr, zeros, sizeof zeros) != 0)) {
            TG_TRY(tg_buf_printf(out, "%s\n  \"%u\": \"", separator, of_image[i]));
            TG_TRY(tg_hex_append(out, value));
            TG_TRY(tg_buf_append_byte(out, '"'));
            separator = ",";
        }
    }
    return tg_buf_append_str(out, "}}]}\n");
}

static int describe(const tg_invocation *invocation, tg_console *console, bool is_policy)
{
    tg_attest_answer answer;
    tg_nitro_document document;
    tg_detail detail = {0};
    tg_buf out;
    tg_buf_init(&out, MAX_OUTPUT_BYTES);
    int status = tg_attest_load(invocation, invocation->arguments[0], console, &answer);
    if (status == TG_EXIT_OK &&
        !tg_is_ok(tg_nitro_document_parse(tg_buf_slice(&answer.document), &document, &detail))) {
        status = tg_console_fail(console, &detail);
    } else if (status == TG_EXIT_OK && is_policy) {
        const char *name = tg_invocation_value(invocation, "name");
        status = print(console, append_pcrs(&document, tg_slice_str(name != NULL ? name : "image"), &out), &out);
    } else if (status == TG_EXIT_OK) {
        status = print(console, append_document(&document, tg_buf_slice(&answer.manifest), &out), &out);
    }
    if (status == TG_EXIT_OK && is_policy && tg_nitro_document_is_debug(&document)) {
        tg_console_say(console, TG_LIT("teegate: these are zeros: the enclave runs in debug mode\n"));
    }
    tg_buf_done(&out);
    tg_attest_answer_done(&answer);
    return status;
}

static int show(const tg_invocation *invocation, tg_console *console)
{
    return describe(invocation, console, false);
}

static int print_pcrs(const tg_invocation *invocation, tg_console *console)
{
    return describe(invocation, console, true);
}

static const tg_option verify_options[] = {
    TG_ATTEST_OPTIONS,
    TG_ATTEST_FILE_OPTIONS,
    TG_FETCH_OPTIONS,
    {.name = "json", .help = "one JSON object instead of a table"},
};

static const tg_command verify_command = {
    .name = "verify",
    .summary = "Check that an endpoint is the enclave that it should be.",
    .description =
        "A URL is asked with a fresh nonce, and its connection's own key compared; its certificate counts for\n"
        "nothing. A file (- is standard input) is what GET /attestation answered, or a document alone, in CBOR or\n"
        "base64. Every check is shown; what is weak fails unless --allow names it. Exit status 1: not verified.",
    .arguments = "URL|FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .options = verify_options,
    .num_options = TG_COUNT(verify_options),
    .examples = "  teegate attest verify https://tee-k.example.org --policy policy.json\n"
                "  teegate attest verify https://tee-k.example.org --pcr 0=b2c4... --json",
    .run = verify,
};

static const tg_option show_options[] = {TG_FETCH_OPTIONS};

static const tg_command show_command = {
    .name = "show",
    .summary = "Show what a document says, without believing it.",
    .arguments = "URL|FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .options = show_options,
    .num_options = TG_COUNT(show_options),
    .examples = "  teegate attest show https://tee-k.example.org",
    .run = show,
};

static const tg_option pcrs_options[] = {
    {.name = "name", .argument = "NAME", .help = "what the policy calls the image"}, TG_FETCH_OPTIONS};

static const tg_command pcrs_command = {
    .name = "pcrs",
    .summary = "Write a policy that allows the image of a document.",
    .description =
        "PCR0, PCR1, PCR2, and PCR8 where the image is signed. Nothing is verified: take them from an enclave that\n"
        "you trust, and compare them with what the image's build said.",
    .arguments = "URL|FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .options = pcrs_options,
    .num_options = TG_COUNT(pcrs_options),
    .examples = "  teegate attest pcrs https://tee-k.example.org --name v1 > policy.json",
    .run = print_pcrs,
};

static const tg_command *const commands[] = {&verify_command, &show_command, &pcrs_command};

const tg_command tg_attest_command = {
    .name = "attest",
    .summary = "Verify enclaves by their attestation documents.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
