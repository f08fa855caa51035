#include "base/text.h"
#include "fields/token.h"
#include "sys/file.h"
#include "tool/commands.h"

enum { MAX_INPUT_BYTES = 64 << 20, MAX_SHOWN_BYTES = 40 };

typedef struct inspection {
    tg_buf out;
    bool is_json;
    bool is_first;
    size_t num_refused;
} inspection;

/* The nonce as the token spells it: the part between its dots. */
static tg_slice nonce_text(tg_slice token)
{
    tg_slice rest = token;
    tg_slice_split(&rest, '.');
    return tg_slice_split(&rest, '.');
}

static tg_result append_facts(inspection *it, tg_slice token, const tg_token_facts *facts)
{
    tg_slice nonce = nonce_text(token);
    if (it->is_json) {
        TG_TRY(tg_buf_printf(&it->out,
                             "%s{\"is_token\":true,\"version\":%u,\"nonce\":\"%.*s\",\"plaintext_bytes\":%zu,",
                             it->is_first ? "" : ",\n", facts->version, (int)nonce.len, (const char *)nonce.ptr,
                             facts->plaintext_bytes));
        return tg_buf_printf(&it->out, "\"tag_bytes\":%zu,\"token_bytes\":%zu}", facts->tag_bytes, token.len);
    }
    return tg_buf_printf(&it->out,
                         "%sversion    v%u\nnonce      %.*s (%zu bytes)\nplaintext  %zu bytes\ntag        %zu bytes\n"
                         "token      %zu characters\n",
                         it->is_first ? "" : "\n", facts->version, (int)nonce.len, (const char *)nonce.ptr,
                         facts->nonce_bytes, facts->plaintext_bytes, facts->tag_bytes, token.len);
}

/* The text itself may be what somebody wanted to keep secret: it is not repeated. */
static tg_result append_refusal(inspection *it, tg_slice text, const tg_detail *why)
{
    it->num_refused++;
    if (it->is_json) {
        TG_TRY(tg_buf_printf(
            &it->out, "%s{\"is_token\":false,\"token_bytes\":%zu,\"reason\":", it->is_first ? "" : ",\n", text.len));
        TG_TRY(tg_json_append_string(&it->out, tg_slice_str(why->reason)));
        return tg_buf_append_byte(&it->out, '}');
    }
    return tg_buf_printf(&it->out, "%sno token   %s\ntext       %zu characters\n", it->is_first ? "" : "\n",
                         why->reason, text.len);
}

static tg_result inspect(inspection *it, tg_slice text)
{
    tg_token_facts facts = {0};
    tg_detail why = {0};
    tg_result result = tg_token_inspect(text, &facts, &why);
    TG_TRY(tg_is_ok(result) ? append_facts(it, text, &facts) : append_refusal(it, text, &why));
    it->is_first = false;
    return tg_ok();
}

/* One token a line; a token may stand in a JSON string's quotes. */
static tg_result inspect_lines(inspection *it, tg_slice lines)
{
    while (lines.ptr != NULL) {
        tg_slice line = tg_slice_trim(tg_slice_split(&lines, '\n'), " \t\r");
        bool is_quoted = line.len >= 2 && line.ptr[0] == '"' && line.ptr[line.len - 1] == '"';
        if (line.len > 0) {
            TG_TRY(inspect(it, is_quoted ? tg_slice_of(line.ptr + 1, line.len - 2) : line));
        }
    }
    return tg_ok();
}

static tg_result inspect_all(inspection *it, const tg_invocation *invocation, tg_console *console)
{
    for (size_t i = 0; i < invocation->num_arguments; i++) {
        TG_TRY(inspect(it, tg_slice_str(invocation->arguments[i])));
    }
    if (invocation->num_arguments > 0) {
        return tg_ok();
    }
    tg_buf in;
    tg_buf_init(&in, MAX_INPUT_BYTES);
    tg_result result = tg_file_read_fd(console->in_fd, &in, NULL, NULL);
    if (tg_is_ok(result)) {
        result = inspect_lines(it, tg_buf_slice(&in));
    }
    tg_buf_done(&in);
    return result;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    inspection it = {.is_json = tg_invocation_has(invocation, "json"), .is_first = true};
    tg_buf_init(&it.out, SIZE_MAX / 2);
    tg_result result = it.is_json ? tg_buf_append_byte(&it.out, '[') : tg_ok();
    if (tg_is_ok(result)) {
        result = inspect_all(&it, invocation, console);
    }
    if (tg_is_ok(result) && it.is_json) {
        result = tg_buf_append_str(&it.out, "]\n");
    }
    int status;
    if (!tg_is_ok(result)) {
        status = tg_console_fail_result(console, "the tokens cannot be read", result);
    } else if (it.is_first) {
        status = tg_console_fail_text(console, "there is no token to inspect");
    } else {
        status = tg_console_write(console, tg_buf_slice(&it.out));
    }
    tg_buf_done(&it.out);
    return status == TG_EXIT_OK && it.num_refused > 0 ? TG_EXIT_FINDINGS : status;
}

static const tg_option inspect_options[] = {{.name = "json", .help = "an array of objects instead of lines"}};

static const tg_command inspect_command = {
    .name = "inspect",
    .summary = "Say what a token shows without any key.",
    .description =
        "Tokens are arguments, or lines of standard input. Nothing is decrypted. Equal nonces mean equal values\n"
        "under one key; the plaintext's length shows. Exit status 1: one of them is no token.",
    .arguments = "[TOKEN...]",
    .max_arguments = SIZE_MAX,
    .options = inspect_options,
    .num_options = TG_COUNT(inspect_options),
    .examples = "  teegate token inspect v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy",
    .run = run,
};

static const tg_command *const commands[] = {&inspect_command};

const tg_command tg_token_command = {
    .name = "token",
    .summary = "Look at tokens.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
