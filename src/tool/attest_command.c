#include "attest/nitro_root.h"
#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tool/attest_checks.h"
#include "tool/attest_fetch.h"
#include "tool/attest_verify.h"
#include "tool/commands.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { MAX_OUTPUT_BYTES = 1 << 20, LIVE_MAX_AGE_S = 300, MAX_ROOT_PEM_BYTES = 65536, MAX_ROOT_DER_BYTES = 4096 };

static bool is_url(const char *where)
{
    return tg_slice_starts(tg_slice_str(where), TG_LIT("https://"));
}

static tg_result read_file(const char *path, const tg_console *console, tg_attest_answer *answer, tg_detail *detail)
{
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_ATTEST_ANSWER_BYTES);
    tg_result read =
        strcmp(path, "-") == 0 ? tg_file_read_fd(console->in_fd, &bytes, NULL, NULL) : tg_file_read(path, &bytes);
    tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    if (!tg_is_ok(read)) {
        tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(read));
    } else {
        read = tg_attest_answer_parse(tg_buf_slice(&bytes), answer, detail);
    }
    tg_buf_done(&bytes);
    return read;
}

static int load(const tg_invocation *invocation, tg_console *console, tg_attest_answer *answer)
{
    const char *where = invocation->arguments[0];
    tg_detail detail = {0};
    tg_attest_answer_init(answer);
    tg_result loaded =
        is_url(where) ? tg_attest_fetch(where, answer, &detail) : read_file(where, console, answer, &detail);
    return tg_is_ok(loaded) ? TG_EXIT_OK : tg_console_fail(console, &detail);
}

/* The first certificate of a PEM file, in DER. */
static tg_result read_root(const char *path, tg_buf *der)
{
    tg_buf pem;
    unsigned char *bytes = NULL;
    tg_buf_init(&pem, MAX_ROOT_PEM_BYTES);
    tg_result read = tg_file_read(path, &pem);
    BIO *bio = tg_is_ok(read) ? BIO_new_mem_buf(tg_buf_slice(&pem).ptr, (int)tg_buf_len(&pem)) : NULL;
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int len = certificate != NULL ? i2d_X509(certificate, &bytes) : -1;
    if (tg_is_ok(read)) {
        read = len > 0 ? tg_buf_append(der, tg_slice_of(bytes, (size_t)len)) : tg_fail(TG_ERR_SYNTAX);
    }
    OPENSSL_free(bytes);
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    tg_buf_done(&pem);
    return read;
}

/* What the command line says the document must hold; the bytes stand in `storage`. */
typedef struct given {
    uint8_t nonce[TG_MAX_NITRO_FIELD_BYTES];
    uint8_t spki[TG_ATTEST_SPKI_BYTES];
    tg_buf root;
} given;

static tg_result read_hex(const char *text, size_t min, size_t max, uint8_t *out, tg_slice *out_bytes,
                          const char *option, tg_detail *detail)
{
    size_t len = strlen(text);
    if (len % 2 != 0 || len / 2 < min || len / 2 > max || !tg_is_ok(tg_hex_decode(tg_slice_str(text), out))) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(option));
        tg_detail_set_reason(detail, "is of %zu to %zu bytes in hexadecimal", min, max);
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_bytes = tg_slice_of(out, len / 2);
    return tg_ok();
}

static tg_result expect(const tg_invocation *invocation, const tg_attest_answer *answer, given *storage,
                        tg_attest_expected *out_expected, tg_detail *detail)
{
    const char *nonce = tg_invocation_value(invocation, "nonce"), *spki = tg_invocation_value(invocation, "tls-spki");
    const char *root = tg_invocation_value(invocation, "root");
    tg_attest_expected expected = {.now_unix_ms = tg_clock_unix_ms()};
    if (answer->is_live) {
        expected.nonce = tg_slice_of(answer->nonce, sizeof answer->nonce);
        expected.spki_sha256 = tg_slice_of(answer->spki_sha256, sizeof answer->spki_sha256);
    }
    TG_TRY(nonce != NULL ? read_hex(nonce, 1, sizeof storage->nonce, storage->nonce, &expected.nonce, "--nonce", detail)
                         : tg_ok());
    TG_TRY(spki != NULL ? read_hex(spki, sizeof storage->spki, sizeof storage->spki, storage->spki,
                                   &expected.spki_sha256, "--tls-spki", detail)
                        : tg_ok());
    if (root != NULL) {
        tg_result read = read_root(root, &storage->root);
        if (!tg_is_ok(read)) {
            tg_detail_set_place(detail, tg_slice_str(root), 0, (tg_slice){NULL, 0});
            tg_detail_set_reason(detail, "holds no certificate that can be read (PEM)");
            return read;
        }
        expected.root_der = tg_buf_slice(&storage->root);
    }
    *out_expected = expected;
    return tg_ok();
}

tg_result tg_attest_report_append(const tg_attest_report *report, bool is_coloured, tg_buf *out)
{
    static const tg_colour colours[] = {TG_COLOUR_GREEN, TG_COLOUR_YELLOW, TG_COLOUR_DIM, TG_COLOUR_RED};
    for (size_t i = 0; i < report->num_checks; i++) {
        const tg_attest_check *check = &report->checks[i];
        TG_TRY(tg_colour_append(out, is_coloured, colours[check->verdict], tg_verdict_name(check->verdict)));
        TG_TRY(tg_buf_printf(out, "%s  %-15s ",
                             check->verdict == TG_CHECK_PASSED || check->verdict == TG_CHECK_FAILED ? " " : "",
                             check->name));
        TG_TRY(tg_text_append_printable(out, tg_slice_str(check->text), SIZE_MAX));
        TG_TRY(tg_buf_append_byte(out, '\n'));
    }
    return tg_buf_printf(out, "%s\n", report->is_verified ? "verified" : "NOT verified");
}

static tg_result append_json(const tg_attest_report *report, tg_buf *out)
{
    TG_TRY(tg_buf_printf(out, "{\"verified\":%s,\"checks\":[", report->is_verified ? "true" : "false"));
    for (size_t i = 0; i < report->num_checks; i++) {
        const tg_attest_check *check = &report->checks[i];
        TG_TRY(tg_buf_printf(out, "%s\n  {\"check\":\"%s\",\"verdict\":\"%s\",\"text\":", i > 0 ? "," : "", check->name,
                             tg_verdict_name(check->verdict)));
        TG_TRY(tg_json_append_string(out, tg_slice_str(check->text)));
        TG_TRY(tg_buf_append_byte(out, '}'));
    }
    return tg_buf_append_str(out, "\n]}\n");
}

static int print(tg_console *console, tg_result composed, const tg_buf *out)
{
    return tg_is_ok(composed) ? tg_console_write(console, tg_buf_slice(out))
                              : tg_console_fail_result(console, "there is no memory for the output", composed);
}

static int check(const tg_invocation *invocation, const tg_attest_answer *answer, tg_attest_policy *policy,
                 tg_console *console, tg_attest_report *out_report)
{
    tg_detail detail = {0};
    tg_attest_expected expected;
    given storage;
    tg_buf_init(&storage.root, MAX_ROOT_DER_BYTES);
    int status = TG_EXIT_OK;
    if (!tg_is_ok(expect(invocation, answer, &storage, &expected, &detail))) {
        status = tg_console_fail(console, &detail);
    } else {
        policy->max_age_s = policy->max_age_s == 0 && answer->is_live ? LIVE_MAX_AGE_S : policy->max_age_s;
        tg_attest_check_all(answer, policy, &expected, out_report);
    }
    tg_buf_done(&storage.root);
    return status;
}

int tg_attest_verify_argument(const tg_invocation *invocation, tg_console *console, tg_attest_answer *answer,
                              tg_attest_report *out_report)
{
    static tg_attest_policy policy; /* large; the tool does one thing and ends */
    tg_detail detail = {0};
    tg_attest_answer_init(answer);
    if (!tg_is_ok(tg_attest_policy_load(invocation, &policy, &detail))) {
        tg_attest_policy_done(&policy);
        return tg_console_fail(console, &detail);
    }
    int status = load(invocation, console, answer);
    if (status == TG_EXIT_OK) {
        status = check(invocation, answer, &policy, console, out_report);
    }
    tg_attest_policy_done(&policy);
    return status;
}

static int verify(const tg_invocation *invocation, tg_console *console)
{
    tg_attest_answer answer;
    tg_attest_report report = {.num_checks = 0};
    tg_buf out;
    tg_buf_init(&out, MAX_OUTPUT_BYTES);
    int status = tg_attest_verify_argument(invocation, console, &answer, &report);
    if (status == TG_EXIT_OK) {
        bool is_json = tg_invocation_has(invocation, "json");
        status = print(console,
                       is_json ? append_json(&report, &out)
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
    int status = load(invocation, console, &answer);
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

const tg_option tg_attest_verify_options[TG_NUM_ATTEST_VERIFY_OPTIONS] = {
    {.name = "policy",
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "what is expected: pcr_sets, dek_fingerprints, schemas, max_age_s (JSON)"},
    {.name = "pcr", .argument = "N=HEX", .is_repeatable = true, .help = "a register's value; all given are one image"},
    {.name = "allow",
     .argument = "WEAKNESS",
     .is_repeatable = true,
     .words = TG_ATTEST_ALLOW_WORDS,
     .completes = TG_COMPLETES_WORDS,
     .help = "let this weakness pass, and say so in the table"},
    {.name = "root",
     .argument = "FILE",
     .completes = TG_COMPLETES_FILES,
     .help = "believe this root (PEM) instead of AWS's"},
    {.name = "nonce", .argument = "HEX", .help = "the nonce that a document from a file must hold"},
    {.name = "tls-spki", .argument = "HEX", .help = "SHA-256 of the TLS key that its manifest must name"},
    {.name = "max-age", .argument = "SECONDS", .help = "how old the document may be; 300 for a URL"},
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
    .options = tg_attest_verify_options,
    .num_options = TG_NUM_ATTEST_VERIFY_OPTIONS,
    .examples = "  teegate attest verify https://tee-k.example.org --policy policy.json\n"
                "  teegate attest verify https://tee-k.example.org --pcr 0=b2c4... --json",
    .run = verify,
};

static const tg_command show_command = {
    .name = "show",
    .summary = "Show what a document says, without believing it.",
    .arguments = "URL|FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .examples = "  teegate attest show https://tee-k.example.org",
    .run = show,
};

static const tg_option pcrs_options[] = {
    {.name = "name", .argument = "NAME", .help = "what the policy calls the image"}};

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
