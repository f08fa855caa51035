#include "tool/commands.h"

#include "tool/completion.h"
#include "tool/usage.h"

enum { MAX_HELP_BYTES = 1 << 20 };

static const tg_command *const schema_commands[] = {&tg_schema_lint_command, &tg_schema_diff_command};
static const tg_command schema_command = {
    .name = "schema",
    .summary = "Look at OpenAPI schemas as the enclave sees them.",
    .commands = schema_commands,
    .num_commands = TG_COUNT(schema_commands),
};

static const tg_command *const commands[] = {
    &tg_encrypt_command,    &tg_decrypt_command, &tg_token_command,   &schema_command, &tg_dek_command,
    &tg_attest_command,     &tg_kms_command,     &tg_secrets_command, &tg_pki_command, &tg_call_command,
#ifdef TG_DEVELOPMENT
    &tg_dev_command,
#endif
    &tg_completion_command,
};

static const tg_option program_options[] = {{.name = "version", .letter = 'V', .help = "show the version and end"}};

const tg_command tg_program = {
    .name = "teegate",
    .summary = "Tokens, schemas and keys of a teegate enclave.",
    .description = "Exit status: 0 done, 1 something was found or a document is refused, 2 it could not be done.",
    .options = program_options,
    .num_options = TG_COUNT(program_options),
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};

static int show_help(const tg_invocation *invocation, tg_console *console)
{
    tg_buf text;
    tg_buf_init(&text, MAX_HELP_BYTES);
    tg_result result = tg_usage_append(invocation, &text);
    int status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&text))
                                  : tg_console_fail_result(console, "help", result);
    tg_buf_done(&text);
    return status;
}

static int refuse_usage(const tg_invocation *invocation, const tg_detail *fault, tg_console *console)
{
    int status = tg_console_fail(console, fault);
    tg_buf text;
    tg_buf_init(&text, 4096);
    if (tg_is_ok(tg_usage_append_synopsis(invocation, &text))) {
        tg_console_say(console, tg_buf_slice(&text));
    }
    tg_buf_done(&text);
    return status;
}

/* `help` is a word that people try: `teegate help schema lint` is `teegate schema lint --help`. */
static size_t turn_help_around(size_t argc, const char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "help") == 0) {
        memmove(argv + 1, argv + 2, (argc - 2) * sizeof *argv);
        argv[argc - 1] = "--help";
    }
    return argc;
}

int tg_tool_main(size_t argc, const char **argv, tg_console *console)
{
    tg_invocation invocation = {.commands = {&tg_program}, .depth = 1};
    tg_detail fault = {0};
    argc = turn_help_around(argc, argv);
    if (!tg_is_ok(tg_options_parse(&tg_program, argc, argv, &invocation, &fault))) {
        return refuse_usage(&invocation, &fault, console);
    }
    const tg_command *command = tg_invocation_command(&invocation);
    if (invocation.is_help) {
        return show_help(&invocation, console);
    }
    if (command == &tg_program && tg_invocation_has(&invocation, "version")) {
        return tg_console_write(console, TG_LIT("teegate " TG_VERSION "\n"));
    }
    if (command->num_commands > 0) {
        tg_detail_set_reason(&fault, "a command is missing");
        tg_detail_set_remedy(&fault, "--help lists the commands");
        return refuse_usage(&invocation, &fault, console);
    }
    return command->run(&invocation, console);
}
