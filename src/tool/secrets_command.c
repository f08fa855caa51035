#include "base/encode.h"
#include "crypto/init.h"
#include "secrets/delivery.h"
#include "secrets/sender.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tool/attest_verify.h"
#include "tool/commands.h"
#include "tool/secrets_seal.h"

#include <time.h>

enum { NUM_TRIES = 5, BETWEEN_TRIES_S = 2, SEND_TIMEOUT_MS = 15000, MAX_KEY_BYTES = 65536 };

static const char template_text[] =
    "{\n"
    "  \"MTLS_CLIENT_CERT_JSON\": {\n"
    "    \"client_cert\": \"-----BEGIN CERTIFICATE-----\\n...\\n-----END CERTIFICATE-----\\n\",\n"
    "    \"client_key\": \"-----BEGIN PRIVATE KEY-----\\n...\\n-----END PRIVATE KEY-----\\n\",\n"
    "    \"ca_cert\": \"-----BEGIN CERTIFICATE-----\\n...\\n-----END CERTIFICATE-----\\n\"\n"
    "  },\n"
    "  \"ECS_WATERMARK_ENDPOINT\": \"https://watermark.example.org/v1\"\n"
    "}\n";

static int print_template(const tg_invocation *invocation, tg_console *console)
{
    (void)invocation;
    return tg_console_write(console, tg_slice_str(template_text));
}

static tg_result read_file(const char *path, const tg_console *console, tg_buf *out)
{
    return strcmp(path, "-") == 0 ? tg_file_read_fd(console->in_fd, out, NULL, NULL) : tg_file_read(path, out);
}

static tg_result read_key(const char *path, const tg_console *console, tg_ec_key **out_key, tg_detail *detail)
{
    tg_buf pem;
    TG_TRY(tg_crypto_init(1));
    tg_buf_init_wiped(&pem, MAX_KEY_BYTES);
    tg_result result = read_file(path, console, &pem);
    tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(result));
    } else {
        result = tg_ec_key_from_pem(tg_buf_slice(&pem), out_key);
        if (!tg_is_ok(result)) {
            tg_detail_set_reason(detail, "holds no key of P-256 (PEM, not encrypted)");
            tg_detail_set_remedy(detail, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY");
        }
    }
    tg_buf_done(&pem);
    return result;
}

static int print_signer(const tg_invocation *invocation, tg_console *console)
{
    tg_ec_key *key;
    tg_detail detail = {0};
    tg_buf text;
    if (!tg_is_ok(read_key(invocation->arguments[0], console, &key, &detail))) {
        return tg_console_fail(console, &detail);
    }
    tg_buf_init(&text, 256);
    tg_result result = tg_base64_append(&text, TG_BASE64_URL, tg_ec_key_public(key));
    if (tg_is_ok(result)) {
        result = tg_buf_append_byte(&text, '\n');
    }
    int status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&text))
                                  : tg_console_fail_result(console, "signer", result);
    tg_buf_done(&text);
    tg_ec_key_free(key);
    return status;
}

/* Verifies the enclave first: only then is anything sealed. */
static int seal_text(const tg_invocation *invocation, tg_console *console, tg_buf *text)
{
    const char *key_path = tg_invocation_value(invocation, "sign"),
               *url = tg_invocation_value(invocation, "attestation");
    tg_ec_key *key;
    tg_detail detail = {0};
    if (url == NULL) {
        return tg_console_fail_text(console, "--attestation URL is missing: whom to seal to is what it attests");
    }
    if (!tg_is_ok(read_key(key_path, console, &key, &detail))) {
        return tg_console_fail(console, &detail);
    }
    int status = tg_secrets_seal(invocation, url, key, console, text);
    tg_ec_key_free(key);
    return status;
}

/* What the enclave said: 0 where it took it. Its answer is shown as it is. */
static int show_answer(tg_console *console, const tg_buf *answer)
{
    tg_slice text = tg_buf_slice(answer);
    if (!tg_slice_starts(text, TG_LIT("{\"status\":\"ok\""))) {
        tg_console_say(console, text.len > 0 ? text : TG_LIT("teegate: nothing was answered\n"));
        return TG_EXIT_FINDINGS;
    }
    return tg_console_write(console, text);
}

static int send_text(const tg_address *address, tg_slice text, tg_console *console)
{
    tg_buf answer;
    tg_detail detail = {0};
    tg_result sent = tg_ok();
    tg_buf_init(&answer, TG_MAX_SEND_ANSWER_BYTES);
    for (unsigned number = 1; number <= NUM_TRIES; number++) {
        tg_buf_clear(&answer);
        tg_detail_clear(&detail);
        sent = tg_secrets_send(address, text, SEND_TIMEOUT_MS, &answer, &detail);
        bool is_busy = tg_slice_starts(tg_buf_slice(&answer), TG_LIT("{\"status\":\"error\",\"code\":\"busy\""));
        if ((tg_is_ok(sent) && !is_busy) || number == NUM_TRIES) {
            break;
        }
        const struct timespec pause = {.tv_sec = BETWEEN_TRIES_S};
        (void)nanosleep(&pause, NULL);
    }
    int status;
    if (tg_is_ok(sent)) {
        status = show_answer(console, &answer);
    } else {
        char place[TG_MAX_ADDRESS_BYTES];
        tg_detail_set_place(&detail, tg_slice_str(tg_address_format(address, place)), 0, (tg_slice){NULL, 0});
        tg_detail_set_remedy(&detail,
                             "tried 5 times, 2 s apart: does the enclave run, and is that its SECRETS_ADDRESS?");
        status = tg_console_fail(console, &detail);
    }
    tg_buf_done(&answer);
    return status;
}

static int run_send(const tg_invocation *invocation, tg_console *console)
{
    const char *path = invocation->num_arguments > 1 ? invocation->arguments[1] : "-";
    tg_address address;
    tg_detail detail = {0};
    if (!tg_is_ok(tg_address_parse(tg_slice_str(invocation->arguments[0]), &address, &detail))) {
        return tg_console_fail(console, &detail);
    }
    tg_buf text;
    tg_buf_init_wiped(&text, TG_MAX_DELIVERY_BYTES);
    int status = TG_EXIT_OK;
    tg_result read = read_file(path, console, &text);
    if (!tg_is_ok(read)) {
        status = tg_console_fail_result(console, read.code == TG_ERR_LIMIT ? "more than 1 MiB" : path, read);
    } else if (tg_invocation_has(invocation, "sign")) {
        status = seal_text(invocation, console, &text);
    }
    if (status == TG_EXIT_OK) {
        status = send_text(&address, tg_buf_slice(&text), console);
    }
    tg_buf_done(&text);
    return status;
}

static const tg_option send_options[] = {
    {.name = "sign",
     .argument = "KEY",
     .completes = TG_COMPLETES_FILES,
     .help = "sign with this P-256 key (PEM) and seal to the enclave, which is verified first"},
    {.name = "attestation", .argument = "URL", .help = "where the enclave attests itself; with --sign"},
    TG_ATTEST_OPTIONS,
    TG_FETCH_OPTIONS,
};

static const tg_command send_command = {
    .name = "send",
    .summary = "Deliver secrets to a running enclave.",
    .description =
        "Five tries, 2 s apart, until the enclave answers; its answer is shown. With --sign the host can neither\n"
        "read nor forge the delivery. Exit status 1: the enclave refuses it, or is not verified.",
    .arguments = "ADDRESS [FILE]",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = TG_COMPLETES_FILES,
    .options = send_options,
    .num_options = TG_COUNT(send_options),
    .examples = "  teegate secrets send vsock:16:7777 secrets.json\n"
                "  teegate secrets send vsock:16:7777 secrets.json --sign signer.pem \\\n"
                "    --attestation https://tee-k.example.org --policy policy.json",
    .run = run_send,
};

static const tg_command template_command = {
    .name = "template",
    .summary = "Show what a delivery holds.",
    .run = print_template,
};

static const tg_command signer_command = {
    .name = "signer",
    .summary = "Show a key as SECRETS_SIGNERS names it.",
    .arguments = "KEY",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .examples = "  teegate secrets signer signer.pem",
    .run = print_signer,
};

static const tg_command *const commands[] = {&send_command, &template_command, &signer_command};

const tg_command tg_secrets_command = {
    .name = "secrets",
    .summary = "Deliver secrets to a running enclave.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
