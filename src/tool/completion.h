/* Shell completion scripts, made from the command tables. */
#ifndef TG_TOOL_COMPLETION_H
#define TG_TOOL_COMPLETION_H

#include "base/buf.h"
#include "tool/options.h"

/* The scripts complete commands, options, option values and arguments of `program`. */
TG_MUST_USE tg_result tg_completion_append_bash(const tg_command *program, tg_buf *buf);
TG_MUST_USE tg_result tg_completion_append_zsh(const tg_command *program, tg_buf *buf);
TG_MUST_USE tg_result tg_completion_append_fish(const tg_command *program, tg_buf *buf);

#endif
