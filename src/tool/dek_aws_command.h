/* `teegate dek create`, `rotate` and `pin`: data keys that only the attested enclave can open. For tool/dek_command.c.
 */
#ifndef TG_TOOL_DEK_AWS_COMMAND_H
#define TG_TOOL_DEK_AWS_COMMAND_H

#include "tool/options.h"

extern const tg_command tg_dek_create_command;
extern const tg_command tg_dek_rotate_command;
extern const tg_command tg_dek_pin_command;

#endif
