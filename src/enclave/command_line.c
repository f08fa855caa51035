#include "enclave/command_line.h"

#include "enclave/enclave_settings.h"
#include "settings/settings_print.h"

static const struct {
    const char *name;
    tg_enclave_action action;
} actions[] = {
    {"--check-config", TG_ENCLAVE_CHECK_CONFIG},
    {"--print-config", TG_ENCLAVE_PRINT_CONFIG},
    {"--print-config=json", TG_ENCLAVE_PRINT_CONFIG_JSON},
    {"--help", TG_ENCLAVE_HELP},
    {"-h", TG_ENCLAVE_HELP},
    {"--version", TG_ENCLAVE_VERSION},
};

static tg_result refuse(tg_detail *detail, const char *argument, tg_code code, const char *reason, const char *remedy)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(argument));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

static bool find_action(const char *argument, tg_enclave_action *out_action)
{
    for (size_t i = 0; i < TG_COUNT(actions); i++) {
        if (strcmp(argument, actions[i].name) == 0) {
            *out_action = actions[i].action;
            return true;
        }
    }
    return false;
}

static tg_result set_local_mode(tg_enclave_command *command, const char *argument, tg_detail *detail)
{
#ifdef TG_DEVELOPMENT
    (void)argument;
    (void)detail;
    command->is_local_mode = true;
    return tg_ok();
#else
    (void)command;
    return refuse(detail, argument, TG_ERR_UNSUPPORTED, "is not in a production build", "use a development build");
#endif
}

tg_result tg_enclave_command_parse(int argc, char *const *argv, tg_enclave_command *out_command, tg_detail *detail)
{
    static const char config[] = "--config";
    tg_enclave_command command = {.action = TG_ENCLAVE_SERVE};
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (find_action(argument, &command.action)) {
            continue;
        }
        if (strcmp(argument, "--local-mode") == 0) {
            TG_TRY(set_local_mode(&command, argument, detail));
        } else if (strcmp(argument, config) == 0) {
            if (i + 1 == argc) {
                return refuse(detail, argument, TG_ERR_SYNTAX, "needs the path of a file", "say --config PATH");
            }
            command.config_path = argv[++i];
        } else if (strncmp(argument, "--config=", sizeof config) == 0) {
            command.config_path = argument + sizeof config;
        } else {
            return refuse(detail, argument, TG_ERR_SYNTAX, "is no option of teegate-enclave",
                          "teegate-enclave --help lists them");
        }
    }
    *out_command = command;
    return tg_ok();
}

tg_result tg_enclave_help_append(tg_buf *buf)
{
    size_t num_settings;
    const tg_setting *table = tg_enclave_settings_table(&num_settings);
    TG_TRY(tg_buf_append_str(
        buf, "Usage: teegate-enclave [OPTION...]\n"
             "\n"
             "The HTTPS service inside the TEE: encrypts and decrypts the PII fields of JSON bodies.\n"
             "\n"
             "Options:\n"
             "  --config PATH          the settings file; by default " TG_ENCLAVE_CONFIG_PATH " where it exists\n"
             "  --check-config         check settings, certificates, keys and schemas, report all faults, and end\n"
             "  --print-config[=json]  show every setting in force and where it came from, and end\n"));
#ifdef TG_DEVELOPMENT
    TG_TRY(tg_buf_append_str(
        buf, "  --local-mode           serve on this machine: loopback address, development data key\n"));
#endif
    TG_TRY(tg_buf_append_str(buf,
                             "  --version              show the version, and end\n"
                             "  -h, --help             show this, and end\n"
                             "\n"
                             "Signals: TERM and INT answer what was begun, then end; HUP reads schemas and\n"
                             "certificates again.\n"
                             "\n"
                             "Exit status: 0 in order; 1 settings or files at fault; 2 wrong usage; 3 the machine\n"
                             "refuses what is needed (addresses, memory, threads).\n"
                             "\n"
                             "Settings, as members of the file or as environment variables, which win. (M): measured,\n"
                             "decides trust, belongs in the image.\n"
                             "\n"));
    return tg_settings_append_help(table, num_settings, buf);
}
