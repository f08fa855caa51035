#include "proxy/proxy_settings.h"

#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { MAX_WORKERS = 256 };

static const char *check_port(tg_slice text)
{
    uint64_t port;
    if (tg_slice_starts(text, TG_LIT("tcp://"))) {
        return "is what a service link of Kubernetes puts there: set enableServiceLinks: false in the pod's spec";
    }
    bool is_port = tg_is_ok(tg_num_parse_u64(text, UINT16_MAX, &port)) && port > 0;
    return is_port ? NULL : "is no port from 1 to 65535";
}

static const char *check_vsock_port(tg_slice text)
{
    uint64_t port;
    if (tg_slice_starts(text, TG_LIT("tcp://"))) {
        return check_port(text);
    }
    bool is_port = tg_is_ok(tg_num_parse_u64(text, UINT32_MAX - 1, &port)) && port > 0;
    return is_port ? NULL : "is no vsock port";
}

static const char *check_cid(tg_slice text)
{
    uint64_t cid;
    bool is_cid = tg_is_ok(tg_num_parse_u64(text, UINT32_MAX - 1, &cid)) && cid > 0;
    return is_cid ? NULL : "is no CID (a number: 16)";
}

static const char *check_address(tg_slice text)
{
    tg_address address;
    if (tg_slice_starts(text, TG_LIT("tcp://"))) {
        return check_port(text);
    }
    return tg_is_ok(tg_address_parse(text, &address, NULL)) ? NULL : "is no address";
}

/* The application is often given as HOST:PORT alone. */
static const char *check_application(tg_slice text)
{
    tg_address address;
    return tg_is_ok(tg_address_parse_host_port(text, &address, NULL)) ? NULL : check_address(text);
}

#define TEXT(label, member, preset, checker, form_text, text)                                                          \
    {                                                                                                                  \
        .name = label, .type = TG_SETTING_TEXT, .offset = TG_SETTING_AT(tg_proxy_settings, member, const char *),      \
        .fallback = preset, .check = checker, .form = form_text, .effect = text                                        \
    }

static const char address_form[] = "tcp:HOST:PORT, vsock:CID:PORT, unix:PATH or hvsock:PATH:PORT";

static const tg_setting table[] = {
    {.name = "PROXY_CONFIG",
     .type = TG_SETTING_PATH,
     .offset = TG_SETTING_AT(tg_proxy_settings, config_path, const char *),
     .effect = "the configuration file; without it proxy-config.json, unless ENCLAVE_CID makes this a sidecar alone"},
    {.name = "PROXY_LOG_LEVEL",
     .type = TG_SETTING_LEVEL,
     .offset = TG_SETTING_AT(tg_proxy_settings, log_level, tg_log_level),
     .fallback = "info",
     .effect = "debug, info, warn, error or off"},
    {.name = "LOG_LEVEL",
     .type = TG_SETTING_LEVEL,
     .offset = TG_SETTING_AT(tg_proxy_settings, plain_log_level, tg_log_level),
     .fallback = "info",
     .effect = "the same, where PROXY_LOG_LEVEL is not set"},
    {.name = "WORKERS",
     .type = TG_SETTING_NUMBER,
     .unit = TG_UNIT_COUNT,
     .offset = TG_SETTING_AT(tg_proxy_settings, num_workers, uint64_t),
     .fallback = "0",
     .max = MAX_WORKERS,
     .effect = "threads that carry traffic; 0: one a core"},
    TEXT("PROXY_USER", user, NULL, NULL, "a user's name or number",
         "the user to become once it listens, where it was started as root"),
    TEXT("ADMIN_ADDRESS", admin_address, NULL, check_address, address_form,
         "where metrics and health are served, where the configuration has no `admin`"),
    TEXT("LISTEN_PORT", listen_port, "8443", check_port, "a port number, 1 to 65535",
         "sidecar: the TCP port that the pod's clients use"),
    TEXT("ENCLAVE_CID", enclave_cid, NULL, check_cid, "a CID: 16", "sidecar: the enclave's CID; makes this a sidecar"),
    TEXT("ENCLAVE_PORT", enclave_port, "443", check_vsock_port, "a vsock port", "sidecar: the enclave's vsock port"),
    TEXT("ENCLAVE_ADDRESS", enclave_address, NULL, check_address, address_form,
         "sidecar: the enclave's address, in place of the two above"),
    TEXT("MAIN_APP_ADDR", main_app_address, NULL, check_application, "tcp:HOST:PORT, HOST:PORT or unix:PATH",
         "sidecar: the application that the enclave may reach through it"),
    TEXT("RETURN_ADDRESS", return_address, NULL, check_address, address_form,
         "sidecar: where the enclave dials back, in place of a vsock port that the kernel chooses"),
};

tg_result tg_proxy_settings_read(const char *const *environment, tg_faults *faults, tg_settings *out_settings,
                                 tg_proxy_settings *out_values)
{
    *out_values = (tg_proxy_settings){.config_path = NULL};
    size_t num_before = faults->num_faults;
    TG_TRY(tg_settings_init(out_settings, table, TG_COUNT(table), out_values));
    TG_TRY(tg_settings_read_environment(out_settings, environment, faults));
    if (tg_settings_is_default(out_settings, "PROXY_LOG_LEVEL")) {
        out_values->log_level = out_values->plain_log_level;
    }
    return faults->num_faults == num_before ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

tg_result tg_proxy_settings_append_help(tg_buf *buf)
{
    for (size_t i = 0; i < TG_COUNT(table); i++) {
        TG_TRY(tg_buf_printf(buf, "  %-16s [%s] %s\n", table[i].name,
                             table[i].fallback != NULL ? table[i].fallback : "none", table[i].effect));
    }
    return tg_buf_append_str(buf, "  AWS_REGION       [none] the region, where the configuration has none\n"
                                  "  TEE_K_KMS_KEY    [none] the KMS key of the domain whose first label is tee-k; "
                                  "TEE_T_KMS_KEY and others likewise\n"
                                  "  AWS_*            [none] credentials and endpoints of the KMS proxy, as AWS's own "
                                  "programs take them\n");
}

bool tg_proxy_settings_is_sidecar(const tg_proxy_settings *values)
{
    return values->enclave_cid != NULL || values->enclave_address != NULL;
}

static uint32_t number_of(const char *text)
{
    uint64_t number = 0;
    (void)!tg_is_ok(tg_num_parse_u64(tg_slice_str(text), UINT32_MAX, &number)); /* the table has checked it */
    return (uint32_t)number;
}

static void parse_address(const char *text, tg_address *out_address)
{
    if (!tg_is_ok(tg_address_parse(tg_slice_str(text), out_address, NULL))) { /* checked, too: HOST:PORT is left */
        (void)!tg_is_ok(tg_address_parse_host_port(tg_slice_str(text), out_address, NULL));
    }
}

static void refuse(tg_faults *faults, const char *name, const char *reason, const char *remedy)
{
    tg_detail *fault = tg_faults_add(faults);
    tg_detail_set_place(fault, TG_LIT(""), 0, tg_slice_str(name));
    tg_detail_set_reason(fault, "%s", reason);
    tg_detail_set_remedy(fault, "%s", remedy);
}

tg_result tg_proxy_settings_sidecar(const tg_proxy_settings *values, tg_faults *faults, tg_proxy_sidecar *out_sidecar)
{
    tg_proxy_sidecar sidecar = {.has_application = values->main_app_address != NULL};
    if (values->enclave_cid != NULL && values->enclave_address != NULL) {
        refuse(faults, "ENCLAVE_ADDRESS", "ENCLAVE_CID is set as well", "set one of them");
        return tg_fail(TG_ERR_SYNTAX);
    }
    sidecar.listen = (tg_address){.kind = TG_ADDRESS_TCP, .port = number_of(values->listen_port), .is_numeric = true};
    memcpy(sidecar.listen.name, "0.0.0.0", sizeof "0.0.0.0");
    if (values->enclave_address != NULL) {
        parse_address(values->enclave_address, &sidecar.enclave);
    } else {
        sidecar.enclave = (tg_address){
            .kind = TG_ADDRESS_VSOCK, .cid = number_of(values->enclave_cid), .port = number_of(values->enclave_port)};
    }
    sidecar.return_listen = (tg_address){.kind = TG_ADDRESS_VSOCK, .cid = UINT32_MAX, .port = TG_VSOCK_PORT_ANY};
    if (values->return_address != NULL) {
        parse_address(values->return_address, &sidecar.return_listen);
    }
    if (sidecar.has_application) {
        parse_address(values->main_app_address, &sidecar.application);
    }
    if (getrandom(sidecar.return_port.token, sizeof sidecar.return_port.token, 0) !=
        (ssize_t)sizeof sidecar.return_port.token) {
        return tg_fail_os(errno);
    }
    *out_sidecar = sidecar;
    return tg_ok();
}
