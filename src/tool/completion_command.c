#include "tool/commands.h"
#include "tool/completion.h"

static int run(const tg_invocation *invocation, tg_console *console)
{
    const char *shell = invocation->arguments[0];
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    tg_result result;
    if (strcmp(shell, "bash") == 0) {
        result = tg_completion_append_bash(&tg_program, &text);
    } else if (strcmp(shell, "zsh") == 0) {
        result = tg_completion_append_zsh(&tg_program, &text);
    } else {
        result = tg_completion_append_fish(&tg_program, &text);
    }
    int status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&text))
                                  : tg_console_fail_result(console, "completion", result);
    tg_buf_done(&text);
    return status;
}

const tg_command tg_completion_command = {
    .name = "completion",
    .summary = "Write a shell's completion script to standard output.",
    .arguments = "bash|zsh|fish",
    .words = "bash zsh fish",
    .completes = TG_COMPLETES_WORDS,
    .min_arguments = 1,
    .max_arguments = 1,
    .examples = "  source <(teegate completion bash)",
    .run = run,
};
