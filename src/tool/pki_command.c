#include "base/num.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tool/commands.h"
#include "tool/pki.h"

#include <limits.h>
#include <stdio.h>

enum { MAX_PEM_BYTES = 65536, DEFAULT_DAYS = 365 };

/* What is made, in order: an authority before what it issues. */
typedef enum piece { BACKEND_CA, SERVER, CLIENT, CALLER_CA, CALLER, NUM_PIECES } piece;
static const struct {
    const char *file, *common_name, *option;
    const char *fallback; /* the name where the option is not given */
    tg_pki_role role;
    piece by; /* itself: self-signed */
} pieces[NUM_PIECES] = {
    {"backend-ca", "teegate backend authority", NULL, NULL, TG_PKI_AUTHORITY, BACKEND_CA},
    {"server", "backend", "server", NULL, TG_PKI_SERVER, BACKEND_CA},
    {"client", "teegate enclave", "client", "enclave.teegate.internal", TG_PKI_CLIENT, BACKEND_CA},
    {"caller-ca", "teegate caller authority", NULL, NULL, TG_PKI_AUTHORITY, CALLER_CA},
    {"caller", "caller", "caller", "caller.teegate.internal", TG_PKI_CLIENT, CALLER_CA},
};

typedef struct making {
    const tg_invocation *invocation;
    const char *folder;
    unsigned days;
    tg_pki_issued *issued[NUM_PIECES];
    tg_detail detail;
} making;

static size_t names_of(const making *self, piece which, const char *names[TG_MAX_PKI_NAMES])
{
    size_t num = 0;
    if (pieces[which].option == NULL) {
        return 0;
    }
    while (num < TG_MAX_PKI_NAMES &&
           (names[num] = tg_invocation_value_at(self->invocation, pieces[which].option, num)) != NULL) {
        num++;
    }
    if (num == 0 && pieces[which].fallback != NULL) {
        names[num++] = pieces[which].fallback;
    }
    return num;
}

static tg_result write_file(making *self, const char *name, const char *ending, unsigned mode, const tg_buf *content)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s%s", self->folder, name, ending);
    tg_result written = len > 0 && (size_t)len < sizeof path ? tg_file_write_new(path, mode, tg_buf_slice(content))
                                                             : tg_fail(TG_ERR_LIMIT);
    if (!tg_is_ok(written)) {
        tg_detail_set_place(&self->detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(&self->detail, "cannot be made: %s",
                             written.code == TG_ERR_EXISTS ? "it exists" : tg_log_error_text(written));
        tg_detail_set_remedy(&self->detail, "give an empty folder: no key is ever overwritten");
    }
    return written;
}

static tg_result write_piece(making *self, piece which)
{
    tg_buf pem;
    tg_buf_init_wiped(&pem, MAX_PEM_BYTES);
    tg_result result = tg_pki_append_key(self->issued[which], &pem);
    if (tg_is_ok(result)) {
        result = write_file(self, pieces[which].file, ".key", 0600, &pem);
    }
    tg_buf_clear(&pem);
    if (tg_is_ok(result)) {
        result = tg_pki_append_certificate(self->issued[which], &pem);
    }
    if (tg_is_ok(result)) {
        result = write_file(self, pieces[which].file, ".crt", 0644, &pem);
    }
    tg_buf_done(&pem);
    return result;
}

static tg_result make_piece(making *self, piece which)
{
    const char *names[TG_MAX_PKI_NAMES + 1];
    const tg_pki_request request = {.role = pieces[which].role,
                                    .common_name = pieces[which].common_name,
                                    .names = names,
                                    .num_names = names_of(self, which, names),
                                    .by = pieces[which].by != which ? self->issued[pieces[which].by] : NULL,
                                    .is_rsa = tg_invocation_has(self->invocation, "rsa"),
                                    .days = self->days,
                                    .now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000)};
    TG_TRY(tg_pki_issue(&request, &self->issued[which], &self->detail));
    return write_piece(self, which);
}

static tg_result append_member(making *self, const char *name, piece which, bool is_key, tg_buf *json)
{
    tg_buf pem;
    tg_buf_init_wiped(&pem, MAX_PEM_BYTES);
    tg_result result =
        is_key ? tg_pki_append_key(self->issued[which], &pem) : tg_pki_append_certificate(self->issued[which], &pem);
    if (tg_is_ok(result)) {
        result = tg_buf_printf(json, "    \"%s\": ", name);
    }
    if (tg_is_ok(result)) {
        result = tg_json_append_string(json, tg_buf_slice(&pem));
    }
    tg_buf_done(&pem);
    return result;
}

/* What an enclave is sent: its own certificate towards the backend, and whom to believe there. */
static tg_result append_secrets(making *self, tg_buf *json)
{
    TG_TRY(tg_buf_append_str(json, "{\n  \"MTLS_CLIENT_CERT_JSON\": {\n"));
    TG_TRY(append_member(self, "client_cert", CLIENT, false, json));
    TG_TRY(tg_buf_append_str(json, ",\n"));
    TG_TRY(append_member(self, "client_key", CLIENT, true, json));
    TG_TRY(tg_buf_append_str(json, ",\n"));
    TG_TRY(append_member(self, "ca_cert", BACKEND_CA, false, json));
    return tg_buf_append_str(json, "\n  }\n}\n");
}

static tg_result make_all(making *self)
{
    tg_buf json;
    for (piece which = 0; which < NUM_PIECES; which++) {
        TG_TRY(make_piece(self, which));
    }
    tg_buf_init_wiped(&json, MAX_PEM_BYTES);
    tg_result result = append_secrets(self, &json);
    if (tg_is_ok(result)) {
        result = write_file(self, "secrets", ".json", 0600, &json);
    }
    tg_buf_done(&json);
    return result;
}

static int init(const tg_invocation *invocation, tg_console *console)
{
    const char *days = tg_invocation_value(invocation, "days");
    uint64_t num_days = DEFAULT_DAYS;
    if (days != NULL &&
        (!tg_is_ok(tg_num_parse_u64(tg_slice_str(days), TG_MAX_PKI_DAYS, &num_days)) || num_days == 0)) {
        return tg_console_fail_text(console, "--days is a number from 1 to %d", TG_MAX_PKI_DAYS);
    }
    if (!tg_invocation_has(invocation, "server")) {
        return tg_console_fail_text(console, "--server NAME is missing: the host name that the enclave calls");
    }
    making self = {.invocation = invocation, .folder = invocation->arguments[0], .days = (unsigned)num_days};
    tg_result result = make_all(&self);
    for (size_t i = 0; i < NUM_PIECES; i++) {
        tg_pki_issued_free(self.issued[i]);
    }
    if (!tg_is_ok(result)) {
        return self.detail.reason[0] != 0 ? tg_console_fail(console, &self.detail)
                                          : tg_console_fail_result(console, "pki", result);
    }
    return tg_console_write(console,
                            TG_LIT("backend-ca  issues server (for the backend) and client (for the enclave)\n"
                                   "caller-ca   issues caller: set CLIENT_CA_PATH to its certificate\n"
                                   "secrets.json is for `teegate secrets send`; keep every .key file to yourself\n"));
}

static const tg_option init_options[] = {
    {.name = "server", .argument = "NAME", .is_repeatable = true, .help = "a name or IP address of the backend"},
    {.name = "client", .argument = "NAME", .is_repeatable = true, .help = "the enclave's name towards the backend"},
    {.name = "caller", .argument = "NAME", .is_repeatable = true, .help = "the name of a caller of the enclave"},
    {.name = "days", .argument = "DAYS", .help = "how long all of them are valid; 365"},
    {.name = "rsa", .help = "RSA keys of 3072 bits instead of P-256"},
};

static const tg_command init_command = {
    .name = "init",
    .summary = "Make the authorities and certificates of a first deployment.",
    .description =
        "One authority for the backend and the enclave's calls to it, one for those who call the enclave; every\n"
        "certificate with its names as SAN. FOLDER must be there; what exists is never overwritten.",
    .arguments = "FOLDER",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FOLDERS,
    .options = init_options,
    .num_options = TG_COUNT(init_options),
    .examples = "  teegate pki init pki --server backend.internal --caller ledger.example.org",
    .run = init,
};

static const tg_command *const commands[] = {&init_command};

const tg_command tg_pki_command = {
    .name = "pki",
    .summary = "Make certificates for a first deployment.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
