/* teegate-enclave: the HTTPS service inside the TEE. Wiring only. */
#include "enclave/command_line.h"
#include "enclave/enclave.h"
#include "enclave/pid1.h"
#include "settings/settings_print.h"
#include "sys/file.h"
#include "sys/harden.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 1 << 20, MAX_ROUTES_TABLE_BYTES = 64 << 20 };

static int print(tg_result composed, const tg_buf *text, int fd, int status)
{
    if (!tg_is_ok(composed) || !tg_is_ok(tg_file_write_all(fd, tg_buf_slice(text)))) {
        return TG_EXIT_MACHINE;
    }
    return status;
}

static int print_faults(const tg_faults *faults)
{
    tg_buf text;
    tg_buf_init(&text, MAX_TEXT_BYTES);
    int status = print(tg_faults_append(faults, &text), &text, STDERR_FILENO, TG_EXIT_CONFIGURATION);
    tg_buf_done(&text);
    return status;
}

static int print_settings(const tg_enclave_settings *settings, bool is_json)
{
    tg_buf text;
    tg_buf_init(&text, MAX_TEXT_BYTES);
    tg_result composed = is_json ? tg_settings_append_json(&settings->loaded, &text)
                                 : tg_settings_append_table(&settings->loaded, &text);
    int status = print(composed, &text, STDOUT_FILENO, TG_EXIT_IN_ORDER);
    tg_buf_done(&text);
    return status;
}

static int print_routes(const tg_routes *routes)
{
    tg_buf text;
    tg_buf_init(&text, MAX_ROUTES_TABLE_BYTES);
    fflush(stdout);
    int status = print(tg_routes_append_table(routes, &text), &text, STDOUT_FILENO, TG_EXIT_IN_ORDER);
    tg_buf_done(&text);
    return status;
}

static int print_help(void)
{
    tg_buf text;
    tg_buf_init(&text, MAX_TEXT_BYTES);
    int status = print(tg_enclave_help_append(&text), &text, STDOUT_FILENO, TG_EXIT_IN_ORDER);
    tg_buf_done(&text);
    return status;
}

static int check(const tg_enclave_settings *settings, tg_faults *faults)
{
    tg_log_set_level(TG_LOG_OFF); /* what is wrong is reported as faults, all together */
    if (!tg_is_ok(tg_enclave_check(settings, faults))) {
        fprintf(stderr, "teegate-enclave: the check could not be made: no memory, or no locked memory (ulimit -l)\n");
        return TG_EXIT_MACHINE;
    }
    if (faults->num_faults > 0) {
        return print_faults(faults);
    }
    printf("teegate-enclave: the configuration is good\n");
    return settings->routes != NULL ? print_routes(settings->routes) : TG_EXIT_IN_ORDER;
}

static int act(tg_enclave_action action, const tg_enclave_settings *settings, tg_faults *faults)
{
    switch (action) {
    case TG_ENCLAVE_PRINT_CONFIG:
    case TG_ENCLAVE_PRINT_CONFIG_JSON: {
        int status = print_settings(settings, action == TG_ENCLAVE_PRINT_CONFIG_JSON);
        return faults->num_faults > 0 ? print_faults(faults) : status;
    }
    case TG_ENCLAVE_CHECK_CONFIG:
        return faults->num_faults > 0 ? print_faults(faults) : check(settings, faults);
    case TG_ENCLAVE_SERVE:
    case TG_ENCLAVE_HELP:
    case TG_ENCLAVE_VERSION:
        break;
    }
    if (faults->num_faults > 0) {
        return print_faults(faults);
    }
    tg_log_set_level(settings->log_level);
    return tg_enclave_run(settings, (const char *const *)environ);
}

int main(int argc, char **argv)
{
    tg_detail detail = {0};
    tg_pid1_setup(&argc, argv);
    if (!tg_is_ok(tg_harden_process(&detail))) {
        fprintf(stderr, "teegate-enclave: %s: %s\n", detail.field, detail.reason);
        return TG_EXIT_MACHINE;
    }
    tg_harden_hold_hangup();
    tg_enclave_command command;
    if (!tg_is_ok(tg_enclave_command_parse(argc, argv, &command, &detail))) {
        fprintf(stderr, "teegate-enclave: %s: %s; %s\n", detail.field, detail.reason, detail.remedy);
        return TG_EXIT_USAGE;
    }
    if (command.action == TG_ENCLAVE_HELP) {
        return print_help();
    }
    if (command.action == TG_ENCLAVE_VERSION) {
        printf("teegate-enclave %s\n", TG_VERSION);
        return TG_EXIT_IN_ORDER;
    }
    const tg_enclave_settings_source source = {.config_path = command.config_path,
                                               .environment = (const char *const *)environ,
                                               .is_local_mode = command.is_local_mode};
    tg_enclave_settings settings = {0};
    tg_faults faults;
    tg_faults_init(&faults);
    int status = TG_EXIT_MACHINE;
    if (tg_is_ok(tg_enclave_settings_load(&settings, &source, &faults))) {
        status = act(command.action, &settings, &faults);
    }
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
    return status;
}
