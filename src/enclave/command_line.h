/* What teegate-enclave was asked to do. Settings come from the image's file and environment, not from here. */
#ifndef TG_ENCLAVE_COMMAND_LINE_H
#define TG_ENCLAVE_COMMAND_LINE_H

#include "base/detail.h"

typedef enum tg_enclave_action {
    TG_ENCLAVE_SERVE,
    TG_ENCLAVE_CHECK_CONFIG,
    TG_ENCLAVE_PRINT_CONFIG,
    TG_ENCLAVE_PRINT_CONFIG_JSON,
    TG_ENCLAVE_HELP,
    TG_ENCLAVE_VERSION
} tg_enclave_action;

typedef struct tg_enclave_command {
    tg_enclave_action action;
    const char *config_path; /* NULL: the default */
    bool is_local_mode;
} tg_enclave_command;

/* tg_enclave_command_parse reads the arguments.
 * err   TG_ERR_SYNTAX with detail: an unknown option, a missing or surplus value; TG_ERR_UNSUPPORTED: --local-mode in a
 *       production build
 */
TG_MUST_USE tg_result tg_enclave_command_parse(int argc, char *const *argv, tg_enclave_command *out_command,
                                               tg_detail *detail);

/* tg_enclave_help_append writes the help: options, then every setting. err: those of tg_buf_append */
TG_MUST_USE tg_result tg_enclave_help_append(tg_buf *buf);

#endif
