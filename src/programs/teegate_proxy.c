/* teegate-proxy: wiring only. */
#include "aws/json.h"
#include "proxy/config_parts.h"
#include "proxy/proxy.h"
#include "proxy/proxy_settings.h"
#include "sys/file.h"
#include "sys/harden.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, MAX_OUTPUT_BYTES = 4 << 20 };

typedef enum run_mode { SERVE, CHECK, PRINT } run_mode;

static void put(tg_buf *text, int fd)
{
    (void)!tg_is_ok(tg_file_write_all(fd, tg_buf_slice(text)));
    tg_buf_done(text);
}

static int show_help(void)
{
    tg_buf text;
    tg_buf_init(&text, MAX_OUTPUT_BYTES);
    bool is_good =
        tg_is_ok(tg_buf_append_str(
            &text, "teegate-proxy: routes to enclaves by Host and SNI, and carries their way out\n\n"
                   "  teegate-proxy                  serve\n"
                   "  teegate-proxy --check-config   check environment and configuration, all faults at once\n"
                   "  teegate-proxy --print-config   check, then print the effective configuration\n"
                   "  teegate-proxy --help | --version\n\n"
                   "SIGHUP reads the configuration again, SIGTERM drains. Exit status: 0 in order, 1 it could not "
                   "start,\n2 wrong usage or configuration.\n\nEnvironment:\n")) &&
        tg_is_ok(tg_proxy_settings_append_help(&text)) &&
        tg_is_ok(
            tg_buf_append_str(&text, "\nLimits and timeouts of the configuration (docs/proxy.md has the rest):\n")) &&
        tg_is_ok(tg_config_append_limits_help(&text));
    put(&text, STDOUT_FILENO);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int report(const tg_faults *faults, tg_result result)
{
    tg_buf text;
    tg_buf_init(&text, MAX_OUTPUT_BYTES);
    for (size_t i = 0; i < tg_faults_kept(faults); i++) {
        (void)!(tg_is_ok(tg_buf_append_str(&text, "teegate-proxy: ")) &&
                tg_is_ok(tg_detail_append(&faults->faults[i], &text)) && tg_is_ok(tg_buf_append_byte(&text, '\n')));
    }
    if (faults->num_faults == 0) {
        (void)!tg_is_ok(tg_buf_printf(&text, "teegate-proxy: %s\n", tg_log_error_text(result)));
    }
    put(&text, STDERR_FILENO);
    return faults->num_faults > 0 ? EXIT_USAGE : EXIT_FAILURE;
}

static int print_config(const tg_proxy_config *config)
{
    tg_buf text;
    tg_buf_init(&text, MAX_OUTPUT_BYTES);
    bool is_good = tg_is_ok(tg_proxy_config_append(config, &text));
    put(&text, STDOUT_FILENO);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static tg_result serve(const tg_proxy_options *options, tg_proxy_config *config, tg_faults *faults)
{
    tg_proxy *proxy = NULL;
    tg_detail detail;
    tg_detail_clear(&detail);
    TG_TRY(tg_proxy_new(options, config, faults, &proxy));
    tg_result result = tg_proxy_confine_itself(proxy, &detail);
    if (tg_is_ok(result)) {
        result = tg_proxy_run(proxy);
    } else if (detail.reason[0] != 0) {
        *tg_faults_add(faults) = detail;
    }
    tg_proxy_free(proxy);
    return result;
}

/* First of all, while the descriptors are those that the service manager left open. */
static tg_result take_activation(tg_proxy_options *options, tg_activation *activation, tg_faults *faults)
{
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_result result = tg_activation_read(options->environment, activation, &detail);
    if (!tg_is_ok(result)) {
        *tg_faults_add(faults) = detail;
    }
    options->activation = activation;
    return result;
}

/* The configuration: the file that is named, the usual one, or none for a sidecar alone. */
static tg_result read_config(const tg_proxy_settings *values, tg_proxy_options *options, tg_faults *faults,
                             tg_proxy_config **out_config)
{
    options->config_path = values->config_path;
    if (options->config_path == NULL && !tg_proxy_settings_is_sidecar(values)) {
        options->config_path = "proxy-config.json";
    }
    if (options->config_path == NULL) {
        return tg_proxy_config_empty(out_config);
    }
    return tg_proxy_config_read(options->config_path, options->environment, faults, out_config);
}

static int run(run_mode mode, tg_faults *faults, tg_settings *settings)
{
    tg_proxy_settings values;
    tg_proxy_sidecar sidecar;
    tg_address admin;
    tg_proxy_config *config = NULL;
    tg_activation activation = {.num_sockets = 0};
    tg_proxy_options options = {.environment = (const char *const *)environ};
    if (mode == SERVE && !tg_is_ok(take_activation(&options, &activation, faults))) {
        return report(faults, tg_fail(TG_ERR_SYNTAX));
    }
    tg_result result = tg_proxy_settings_read(options.environment, faults, settings, &values);
    if (result.code == TG_ERR_MEMORY) {
        return report(faults, result);
    }
    tg_log_set_level(values.log_level);
    options.num_workers = values.num_workers;
    options.user = values.user;
    tg_result read = read_config(&values, &options, faults, &config); /* its faults are told together with those */
    result = tg_is_ok(result) ? read : result;
    if (tg_is_ok(result) && tg_proxy_settings_is_sidecar(&values)) {
        result = tg_proxy_settings_sidecar(&values, faults, &sidecar);
        options.sidecar = &sidecar;
    }
    if (tg_is_ok(result) && values.admin_address != NULL) {
        result = tg_address_parse(tg_slice_str(values.admin_address), &admin, NULL);
        options.admin = &admin;
    }
    int status = EXIT_SUCCESS;
    if (tg_is_ok(result) && mode == SERVE) {
        result = serve(&options, config, faults);
    } else if (tg_is_ok(result) && mode == PRINT) {
        status = print_config(config);
    } else if (tg_is_ok(result)) {
        fprintf(stderr, "teegate-proxy: the configuration is good\n");
    }
    tg_proxy_config_unref(config);
    tg_activation_close(&activation);
    return tg_is_ok(result) ? status : report(faults, result);
}

int main(int argc, char **argv)
{
    run_mode mode = SERVE;
    if (argc > 2) {
        fprintf(stderr, "teegate-proxy: one argument at most; see --help\n");
        return EXIT_USAGE;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return show_help();
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("teegate-proxy %s\n", TG_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--check-config") == 0) {
        mode = CHECK;
    } else if (argc == 2 && strcmp(argv[1], "--print-config") == 0) {
        mode = PRINT;
    } else if (argc == 2) {
        fprintf(stderr, "teegate-proxy: unknown argument %s; see --help\n", argv[1]);
        return EXIT_USAGE;
    }
    tg_detail detail;
    if (!tg_is_ok(tg_harden_process(&detail))) {
        fprintf(stderr, "teegate-proxy: %s: %s\n", detail.field, detail.reason);
        return EXIT_FAILURE;
    }
    tg_harden_hold_hangup();
    tg_aws_json_wipe();
    tg_faults faults;
    tg_settings settings = {.table = NULL};
    tg_faults_init(&faults);
    int status = run(mode, &faults, &settings);
    tg_settings_done(&settings);
    tg_faults_done(&faults);
    return status;
}
