#include "tool/usage.h"

enum { NAME_COLUMN = 28 };

static tg_result append_names(const tg_invocation *invocation, tg_buf *buf)
{
    for (size_t i = 0; i < invocation->depth; i++) {
        TG_TRY(tg_buf_printf(buf, "%s%s", i > 0 ? " " : "", invocation->commands[i]->name));
    }
    return tg_ok();
}

tg_result tg_usage_append_synopsis(const tg_invocation *invocation, tg_buf *buf)
{
    const tg_command *command = tg_invocation_command(invocation);
    TG_TRY(tg_buf_append_str(buf, "usage: "));
    TG_TRY(append_names(invocation, buf));
    TG_TRY(command->num_commands > 0 ? tg_buf_append_str(buf, " COMMAND") : tg_ok());
    TG_TRY(command->num_options > 0 ? tg_buf_append_str(buf, " [OPTION...]") : tg_ok());
    TG_TRY(command->arguments != NULL ? tg_buf_printf(buf, " %s", command->arguments) : tg_ok());
    return tg_buf_append_byte(buf, '\n');
}

/* `  name   help`, the help on a line of its own where the name is long. */
static tg_result append_entry(tg_buf *buf, size_t before, const char *help)
{
    size_t width = tg_buf_len(buf) - before;
    if (width + 2 > NAME_COLUMN) {
        return tg_buf_printf(buf, "\n%*s%s\n", NAME_COLUMN, "", help);
    }
    return tg_buf_printf(buf, "%*s%s\n", (int)(NAME_COLUMN - width), "", help);
}

static tg_result append_option(const tg_option *option, tg_buf *buf)
{
    size_t before = tg_buf_len(buf);
    if (option->letter != 0) {
        TG_TRY(tg_buf_printf(buf, "  -%c, --%s", option->letter, option->name));
    } else {
        TG_TRY(tg_buf_printf(buf, "      --%s", option->name));
    }
    TG_TRY(option->argument != NULL ? tg_buf_printf(buf, " %s", option->argument) : tg_ok());
    return append_entry(buf, before, option->help);
}

static tg_result append_commands(const tg_command *command, tg_buf *buf)
{
    TG_TRY(tg_buf_append_str(buf, "\nCommands:\n"));
    for (size_t i = 0; i < command->num_commands; i++) {
        size_t before = tg_buf_len(buf);
        TG_TRY(tg_buf_printf(buf, "  %s", command->commands[i]->name));
        TG_TRY(append_entry(buf, before, command->commands[i]->summary));
    }
    return tg_ok();
}

tg_result tg_usage_append(const tg_invocation *invocation, tg_buf *buf)
{
    static const tg_option help_option = {.name = "help", .letter = 'h', .help = "show this and end"};
    const tg_command *command = tg_invocation_command(invocation);
    TG_TRY(tg_usage_append_synopsis(invocation, buf));
    TG_TRY(tg_buf_printf(buf, "\n%s\n", command->summary));
    TG_TRY(command->description != NULL ? tg_buf_printf(buf, "\n%s\n", command->description) : tg_ok());
    TG_TRY(command->num_commands > 0 ? append_commands(command, buf) : tg_ok());
    TG_TRY(tg_buf_append_str(buf, "\nOptions:\n"));
    for (size_t i = 0; i < command->num_options; i++) {
        TG_TRY(append_option(&command->options[i], buf));
    }
    TG_TRY(append_option(&help_option, buf));
    return command->examples != NULL ? tg_buf_printf(buf, "\nExamples:\n%s\n", command->examples) : tg_ok();
}
