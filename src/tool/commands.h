/* The tool's commands: each file named *_command.c holds one table entry and the function that it runs. */
#ifndef TG_TOOL_COMMANDS_H
#define TG_TOOL_COMMANDS_H

#include "tool/console.h"
#include "tool/options.h"

extern const tg_command tg_program; /* `teegate` itself, above all commands */

extern const tg_command tg_encrypt_command;
extern const tg_command tg_decrypt_command;
extern const tg_command tg_token_command;
extern const tg_command tg_schema_lint_command;
extern const tg_command tg_schema_diff_command;
extern const tg_command tg_dek_command;
extern const tg_command tg_attest_command;
extern const tg_command tg_secrets_command;
extern const tg_command tg_call_command;
extern const tg_command tg_pki_command;
extern const tg_command tg_kms_command;
extern const tg_command tg_completion_command;
#ifdef TG_DEVELOPMENT
extern const tg_command tg_dev_command;
#endif

/* tg_tool_main parses the command line and runs the command.
 * in    argv   as main has it; its order is changed
 * out   the exit status
 */
int tg_tool_main(size_t argc, const char **argv, tg_console *console);

#endif
