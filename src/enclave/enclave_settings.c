#include "enclave/enclave_settings.h"

#include "aws/arn.h"
#include "aws/endpoint.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/text.h"
#include "enclave/gateway_settings.h"
#include "enclave/key_service.h"
#include "envelope/replay.h"
#include "gateway/upstream_guards.h"
#include "http/budget.h"
#include "io/address.h"
#include "secrets/delivery.h"
#include "settings/client_name.h"
#include "settings/settings_file.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define LOCAL_SCHEMA_DIR "examples/schemas"

static bool is_token_byte(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* field-name = token (RFC 9110 §5.1); fields that the server itself reads cannot carry the schema's name. */
static const char *check_header_name(tg_slice text)
{
    static const char *const taken[] = {"host",   "connection", "content-length", "content-type", "transfer-encoding",
                                        "expect", "te",         "trailer",        "upgrade",      "authorization",
                                        "cookie"};
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte(text.ptr[i])) {
            return "is no header name (RFC 9110 section 5.1)";
        }
    }
    for (size_t i = 0; i < TG_COUNT(taken); i++) {
        if (tg_text_equal_nocase(text, tg_slice_str(taken[i]))) {
            return "has a meaning of its own in HTTP";
        }
    }
    return text.len > 64 ? "is longer than 64 bytes" : NULL;
}

static const char *check_server_name(tg_slice text)
{
    if (text.len > 253 || text.ptr[0] == '.' || text.ptr[text.len - 1] == '.') {
        return "is no host name";
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && c != '-' && c != '.' && c != '_') {
            return c == '*' ? "is a pattern; each name is matched exactly" : "is no host name";
        }
    }
    return NULL;
}

static const char *check_address(tg_slice text)
{
    static _Thread_local char wrong[sizeof((tg_detail *)NULL)->reason + 32];
    tg_address address;
    tg_detail detail = {0};
    if (tg_is_ok(tg_address_parse(text, &address, &detail))) {
        return NULL;
    }
    snprintf(wrong, sizeof wrong, "is no address: %s", detail.reason);
    return wrong;
}

static const char *check_bucket(tg_slice text)
{
    return tg_aws_bucket_is_valid(text) ? NULL
                                        : "is no bucket's name (3 to 63 lower-case letters, digits, hyphens, dots)";
}

/* A leading slash would be a folder without a name. */
static const char *check_prefix(tg_slice text)
{
    if (text.len > 512 || !tg_utf8_is_valid(text)) {
        return "is longer than 512 bytes, or not UTF-8";
    }
    return text.len > 1 && text.ptr[0] == '/' ? "begins with a slash, as no key does" : NULL;
}

static const char *check_account(tg_slice text)
{
    return tg_aws_is_account(text) ? NULL : "is no account of 12 digits";
}

#ifdef TG_DEVELOPMENT
static const char *check_pcr(tg_slice text)
{
    uint8_t value[48];
    bool is_pcr = text.len == 2 * sizeof value && tg_is_ok(tg_hex_decode(text, value));
    return is_pcr ? NULL : "is not of 96 hexadecimal digits";
}
#endif

/* `off` is nowhere. */
static const char *check_address_or_off(tg_slice text)
{
    return tg_slice_equal(text, TG_LIT("off")) ? NULL : check_address(text);
}

static const char *check_secrets_dir(tg_slice text)
{
    bool is_good = text.ptr[0] == '/' || tg_slice_equal(text, TG_LIT("memory"));
    return is_good ? NULL : "is neither an absolute path nor `memory`";
}

static const char *check_signer(tg_slice text)
{
    tg_ec_key *key;
    if (!tg_is_ok(tg_delivery_signer_parse(text, &key))) {
        return "is no public key as `teegate secrets signer` shows it";
    }
    tg_ec_key_free(key);
    return NULL;
}

/* A name as a delivery's member has it. */
static const char *check_secret_name(tg_slice text)
{
    return tg_secret_name_is_valid(text) ? NULL : "is no name: at most 64 letters, digits and underscores";
}

static const char *const secrets_modes[] = {"open", "sealed", NULL}; /* in the order of tg_secrets_mode */

/* In the order of tg_attestation_choice. */
static const char *const attestation_choices[] = {"auto", "nsm", "none",
#ifdef TG_DEVELOPMENT
                                                  "simulator",
#endif
                                                  NULL};

#define TEXT(m)        .type = TG_SETTING_TEXT, .offset = TG_SETTING_AT(tg_enclave_settings, m, const char *)
#define PATH(m)        .type = TG_SETTING_PATH, .offset = TG_SETTING_AT(tg_enclave_settings, m, const char *)
#define LIST(m)        .type = TG_SETTING_LIST, .offset = TG_SETTING_AT(tg_enclave_settings, m, tg_setting_list)
#define BOOL(m)        .type = TG_SETTING_BOOL, .offset = TG_SETTING_AT(tg_enclave_settings, m, bool)
#define LEVEL(m)       .type = TG_SETTING_LEVEL, .offset = TG_SETTING_AT(tg_enclave_settings, m, tg_log_level)
#define NUMBER(m)      .type = TG_SETTING_NUMBER, .offset = TG_SETTING_AT(tg_enclave_settings, m, uint64_t)
#define CHOICE(m)      .type = TG_SETTING_CHOICE, .offset = TG_SETTING_AT(tg_enclave_settings, m, size_t)
#define NOT_IN_USE(of) .type = TG_SETTING_NOT_IN_USE, .effect = of

#define ADDRESS_FORM "tcp:HOST:PORT, vsock:CID:PORT or unix:PATH"

static const tg_setting table[] = {
    {"SCHEMA_DIR", PATH(schema_dir), .form = "a folder of OpenAPI files (.yaml, .yml, .json)",
     .effect = "where schemas are read from"},
    {"S3_BUCKET", TEXT(s3_bucket), .check = check_bucket, .form = "a bucket's name",
     .effect = "where schemas are read from, instead of SCHEMA_DIR"},
    {"S3_PREFIX", TEXT(s3_prefix), .fallback = "schemas/", .check = check_prefix, .form = "a folder of the bucket",
     .effect = "below which schemas are read; / is the whole bucket"},
    {"S3_BUCKET_OWNER", TEXT(s3_bucket_owner), .flags = TG_SETTING_MEASURED, .check = check_account,
     .form = "an account of 12 digits",
     .effect = "the account that the bucket must belong to; by default SECRET_ARN's"},
    {"SECRET_ARN", TEXT(secret_arn), .flags = TG_SETTING_MEASURED, .form = "the ARN of a secret in Secrets Manager",
     .effect = "where the data keys stand, sealed by KMS"},
    {"KMS_KEY_ID", TEXT(kms_key_id), .flags = TG_SETTING_MEASURED, .form = "a KMS key's ARN, or its id",
     .effect = "the only key that may have sealed them; by default any of SECRET_ARN's account and region"},
    {"KMS_ENCRYPTION_CONTEXT", LIST(kms_encryption_context), .flags = TG_SETTING_MEASURED, .form = "NAME=VALUE pairs",
     .effect = "the context that they were sealed with"},
    {"DEK_FINGERPRINTS", LIST(dek_fingerprints), .flags = TG_SETTING_MEASURED, .form = "32 hexadecimal digits each",
     .effect = "the only data keys that are taken; any by default"},
    {"DEK_ROTATION_INTERVAL_SECS", NUMBER(dek_rotation_interval_s), .unit = TG_UNIT_S, .fallback = "3600", .min = 1,
     .max = 604800, .effect = "how often SECRET_ARN is read again, and how long a new key waits before it seals"},
    {"VSOCK_PROXY_CID", NUMBER(vsock_proxy_cid), .unit = TG_UNIT_COUNT, .fallback = "3", .min = 1,
     .max = UINT32_MAX - 1, .effect = "the host whose forwards lead to AWS"},
    {"VSOCK_PROXY_PORT", NUMBER(vsock_proxy_port), .unit = TG_UNIT_COUNT, .fallback = "8000", .min = 0,
     .max = UINT32_MAX - 16,
     .effect = "the base port of its forwards: +1 KMS, +2 Secrets Manager, +3 S3, +4 instance metadata, +5 STS, "
               "+6 container credentials; 0: AWS is dialled directly"},
    {"SCHEMA_HEADER_NAME", TEXT(schema_header_name), .fallback = "X-Schema-Name", .check = check_header_name,
     .form = "a header name", .effect = "the request header that names the schema"},
    {"SCHEMA_REFRESH_INTERVAL_SECS", NUMBER(schema_refresh_interval_s), .unit = TG_UNIT_S, .fallback = "300", .min = 1,
     .max = 86400, .effect = "how often schemas are read again (SIGHUP does it at once)"},
    {"SCHEMA_ALLOW_REMOVAL", BOOL(schema_allow_removal), .fallback = "false",
     .effect = "true lets a refresh remove PII paths or schemas"},
    {"TLS_PORT", NUMBER(tls_port), .unit = TG_UNIT_PORT, .fallback = "443", .min = 1, .max = 65535,
     .effect = "the port of LISTEN_ADDRESS's default"},
    {"LISTEN_ADDRESS", LIST(listen_addresses), .fallback = "vsock:any:443,vsock:any:8443", .check = check_address,
     .form = ADDRESS_FORM, .effect = "where HTTPS is served"},
    {"ADMIN_ADDRESS", TEXT(admin_address), .check = check_address, .form = ADDRESS_FORM,
     .effect = "where /metrics, /version and /status are served, without TLS; nowhere by default"},
    {"TLS_CERT_PATH", PATH(tls_cert_path), .form = "a PEM file, the server's certificate first",
     .effect = "the certificate chain; without it a self-signed one is made at start"},
    {"TLS_KEY_PATH", PATH(tls_key_path), .form = "a PEM file", .effect = "the certificate's private key"},
    {"CLIENT_CA_PATH", PATH(client_ca_path), .flags = TG_SETTING_MEASURED, .form = "a PEM file",
     .effect = "the authorities whose client certificates count"},
    {"ENCRYPT_ALLOWED_CLIENTS", LIST(encrypt_allowed_clients), .flags = TG_SETTING_MEASURED,
     .check = tg_client_name_fault, .form = "names (DNS, URI or e-mail) as client certificates hold them",
     .effect = "who may call /encrypt; anybody by default"},
    {"DECRYPT_ALLOWED_CLIENTS", LIST(decrypt_allowed_clients), .flags = TG_SETTING_MEASURED,
     .check = tg_client_name_fault, .form = "names (DNS, URI or e-mail) as client certificates hold them",
     .effect = "who may call /decrypt; nobody by default"},
    {"SERVER_NAMES", LIST(server_names), .flags = TG_SETTING_MEASURED, .check = check_server_name, .form = "host names",
     .effect = "the names answered to (SNI and Host); any by default"},
    {"ATTESTATION_DEVICE", CHOICE(attestation_device), .fallback = "auto", .choices = attestation_choices,
     .effect = "what signs attestation documents: auto takes /dev/nsm where it is there"},
#ifdef TG_DEVELOPMENT
    {"SIMULATOR_PCRS", LIST(simulator_pcrs), .check = check_pcr, .form = "PCR0, PCR1, PCR2 in hexadecimal",
     .effect = "what the simulator of attestation says was measured"},
    {"SIMULATOR_AHEAD_SECS", NUMBER(simulator_ahead_s), .unit = TG_UNIT_S, .fallback = "0", .min = 0, .max = 315360000,
     .effect = "how far the simulator's clock is before the machine's"},
    {"DEK_FILE", PATH(dek_file), .form = "a file of exactly 32 bytes",
     .effect = "the data key, for local mode and tests"},
    {"STATE_DIR", PATH(state_dir), .form = "a folder", .effect = "where local mode keeps what it makes"},
#else
    {"SIMULATOR_PCRS", NOT_IN_USE("development builds")},
    {"SIMULATOR_AHEAD_SECS", NOT_IN_USE("development builds")},
    {"DEK_FILE", NOT_IN_USE("development builds: this one takes no key from a file")},
    {"STATE_DIR", NOT_IN_USE("development builds")},
#endif
    {"SECRETS_ADDRESS", TEXT(secrets_address), .check = check_address_or_off, .form = ADDRESS_FORM ", or off",
     .effect = "where secrets are delivered"},
    {"SECRETS_MODE", CHOICE(secrets_mode), .flags = TG_SETTING_MEASURED, .fallback = "open", .choices = secrets_modes,
     .effect = "who may deliver: open takes them from anyone, sealed from SECRETS_SIGNERS alone"},
    {"SECRETS_SIGNERS", LIST(secrets_signers), .flags = TG_SETTING_MEASURED, .check = check_signer,
     .form = "public keys as `teegate secrets signer` shows them", .effect = "who signs sealed deliveries"},
    {"SECRETS_VALUES", LIST(secrets_values), .check = check_secret_name, .form = "names",
     .effect = "named values that a delivery may hold beside the known ones"},
    {"SECRETS_DIR", TEXT(secrets_dir), .fallback = "/opt/enclave/certs", .check = check_secrets_dir,
     .form = "an absolute path, or memory", .effect = "where a delivered client identity is kept as files"},
    {"ROUTES_PATH", PATH(routes_path), .flags = TG_SETTING_MEASURED, .form = "a JSON file of routes",
     .effect = "the gateway's routes: what is opened, handed to backends and sealed again; none by default"},
    {"UPSTREAM_ALLOWED_HOSTS", LIST(upstream_allowed_hosts), .flags = TG_SETTING_MEASURED,
     .check = tg_upstream_host_fault, .form = "HOST, HOST:PORT or *.DOMAIN",
     .effect = "the only backends that routes may call; by default any that a route names"},
    {"UPSTREAM_CA_SHA256", LIST(upstream_ca_sha256), .flags = TG_SETTING_MEASURED, .check = tg_upstream_ca_fault,
     .form = "64 hexadecimal digits each, as openssl x509 -fingerprint -sha256 shows them",
     .effect = "the only delivered authorities that are believed about a backend's name; any by default"},
    {"EGRESS_ADDRESS", TEXT(egress_address), .check = check_address_or_off, .form = ADDRESS_FORM ", or off",
     .effect = "the egress proxy that backends are called through; off: they are dialled directly"},
    {"LISTEN_PROXY_ADDRESS", LIST(proxied_addresses), .check = check_address, .form = ADDRESS_FORM,
     .effect = "like LISTEN_ADDRESS, for sidecars: each connection begins with a PROXY header, version 2"},
    {"FORWARD_SCHEMAS", LIST(forward_schemas), .flags = TG_SETTING_MEASURED, .check = tg_forward_fault,
     .form = "PATH=SCHEMA[|SCHEMA...]", .effect = "paths that are sealed by a schema and sent on to the application"},
    {"FORWARD_HEADERS", LIST(forward_headers), .flags = TG_SETTING_MEASURED, .check = tg_forward_header_fault,
     .form = "names of headers", .effect = "headers that pass to the application and back beside the usual ones"},
    {"APP_ENDPOINT", TEXT(app_endpoint), .check = check_address, .form = ADDRESS_FORM,
     .effect = "the application of connections that told no return port over vsock"},
    {"REPLAY_WINDOW_SECS", NUMBER(replay_window_s), .unit = TG_UNIT_S, .fallback = "300", .min = 1, .max = 86400,
     .effect = "how old a sealed request may be: so long it is remembered, and taken once"},
    {"REPLAY_AHEAD_SECS", NUMBER(replay_ahead_s), .unit = TG_UNIT_S, .fallback = "5", .min = 0, .max = 3600,
     .effect = "how far its sender's clock may be ahead; so long after a start sealed requests are refused"},
    {"REPLAY_ENTRIES", NUMBER(replay_entries), .unit = TG_UNIT_COUNT, .fallback = "262144",
     .min = TG_MIN_REPLAY_ENTRIES, .max = TG_MAX_REPLAY_ENTRIES,
     .effect = "sealed requests taken in that time; beyond it they get 503"},
    {"LOG_LEVEL", LEVEL(log_level), .fallback = "info",
     .effect = "the least level logged: debug, info, warn, error, off"},
    {"WORKERS", NUMBER(num_workers), .unit = TG_UNIT_COUNT, .fallback = "1", .min = 1, .max = 256,
     .effect = "threads that serve connections; by default as many as the process may use cores"},
    {"MAX_CONNECTIONS", NUMBER(max_connections), .unit = TG_UNIT_COUNT, .fallback = "10000", .min = 1, .max = 1000000,
     .effect = "connections at one time, of all workers"},
    {"MAX_BODY_BYTES", NUMBER(max_body_bytes), .unit = TG_UNIT_BYTES, .fallback = "10MiB", .min = 1024,
     .max = UINT64_C(1) << 30, .effect = "the longest request body"},
    {"MAX_INFLIGHT_BYTES", NUMBER(max_inflight_bytes), .unit = TG_UNIT_BYTES, .fallback = "256MiB", .min = 65536,
     .max = UINT64_C(1) << 40, .effect = "bytes of all bodies being handled; beyond it requests get 503"},
    {"MAX_FIELDS_PER_REQUEST", NUMBER(max_fields_per_request), .unit = TG_UNIT_COUNT, .fallback = "10000", .min = 1,
     .max = 100000, .effect = "values that one request may have sealed or opened"},
    {"MIN_BODY_BYTES_PER_SEC", NUMBER(min_body_bytes_per_s), .unit = TG_UNIT_BYTES_PER_S, .fallback = "1024", .min = 0,
     .max = UINT64_C(1) << 30, .effect = "how fast a body must arrive and an answer be taken; 0: no floor"},
    {"HEAD_TIMEOUT_SECS", NUMBER(head_timeout_s), .unit = TG_UNIT_S, .fallback = "10", .min = 1, .max = 3600,
     .effect = "how long a TLS handshake and a request's head may take"},
    {"IDLE_TIMEOUT_SECS", NUMBER(idle_timeout_s), .unit = TG_UNIT_S, .fallback = "60", .min = 1, .max = 86400,
     .effect = "how long a connection may rest between requests, or an answer wait for its reader to take a byte"},
    {"DRAIN_TIMEOUT_SECS", NUMBER(drain_timeout_s), .unit = TG_UNIT_S, .fallback = "30", .min = 0, .max = 3600,
     .effect = "how long SIGTERM waits for requests under way"},

    {"OTEL_EXPORTER_OTLP_ENDPOINT", NOT_IN_USE("telemetry export")},
};

const tg_setting *tg_enclave_settings_table(size_t *out_num_settings)
{
    *out_num_settings = TG_COUNT(table);
    return table;
}

static tg_result set_worker_default(tg_settings *loaded)
{
    cpu_set_t allowed;
    unsigned num_cores = 1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        num_cores = (unsigned)CPU_COUNT(&allowed);
    }
    char text[16];
    snprintf(text, sizeof text, "%u", num_cores > 256 ? 256 : num_cores > 0 ? num_cores : 1);
    return tg_settings_set_default(loaded, "WORKERS", text, "default (cores)");
}

static tg_result set_local_defaults(tg_settings *loaded)
{
    TG_TRY(tg_settings_set_default(loaded, "TLS_PORT", "8443", "local mode"));
    TG_TRY(tg_settings_set_default(loaded, "REPLAY_AHEAD_SECS", "0", "local mode"));
    return tg_settings_set_default(loaded, "VSOCK_PROXY_PORT", "0", "local mode");
}

/* Where schemas come from in local mode, unless they come from a bucket. */
static tg_result set_schema_default(tg_enclave_settings *settings)
{
    bool is_needed = settings->is_local_mode && settings->s3_bucket == NULL;
    return is_needed ? tg_settings_set_default(&settings->loaded, "SCHEMA_DIR", LOCAL_SCHEMA_DIR, "local mode")
                     : tg_ok();
}

/* LISTEN_ADDRESS's default follows TLS_PORT, so it is known only when everything has been read. */
static tg_result set_listen_default(tg_enclave_settings *settings)
{
    char text[96];
    unsigned port = (unsigned)settings->tls_port;
    if (settings->is_local_mode) {
        snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
        return tg_settings_set_default(&settings->loaded, "LISTEN_ADDRESS", text, "local mode");
    }
    snprintf(text, sizeof text, port == 8443 ? "vsock:any:%u" : "vsock:any:%u,vsock:any:8443", port);
    return tg_settings_set_default(&settings->loaded, "LISTEN_ADDRESS", text, NULL);
}

static void check_identity(const tg_enclave_settings *settings, tg_faults *faults)
{
    if ((settings->tls_cert_path == NULL) != (settings->tls_key_path == NULL)) {
        const char *present = settings->tls_cert_path != NULL ? "TLS_CERT_PATH" : "TLS_KEY_PATH";
        const char *absent = settings->tls_cert_path != NULL ? "TLS_KEY_PATH" : "TLS_CERT_PATH";
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, present, faults);
        tg_detail_set_reason(fault, "is set, but %s is not", absent);
        tg_detail_set_remedy(fault, "set both, or neither for a self-signed certificate");
    }
}

static void check_clients(const tg_enclave_settings *settings, const char *name, const tg_setting_list *clients,
                          tg_faults *faults)
{
    if (clients->num_items > 0 && settings->client_ca_path == NULL) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, name, faults);
        tg_detail_set_reason(fault, "names clients, but CLIENT_CA_PATH is not set: no client can prove its name");
        tg_detail_set_remedy(fault, "set CLIENT_CA_PATH to the authorities of the clients' certificates");
    }
}

static void check_schemas(const tg_enclave_settings *settings, tg_faults *faults)
{
    if (settings->schema_dir == NULL && settings->s3_bucket == NULL) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SCHEMA_DIR", faults);
        tg_detail_set_reason(fault, "is required and not set, nor is S3_BUCKET");
        tg_detail_set_remedy(fault, "set it to a folder of OpenAPI files, or S3_BUCKET to a bucket of them");
    } else if (settings->schema_dir != NULL && settings->s3_bucket != NULL) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "S3_BUCKET", faults);
        tg_detail_set_reason(fault, "is set, and SCHEMA_DIR too: schemas come from one place");
        tg_detail_set_remedy(fault, "remove one of the two");
    }
    bool has_owner = settings->s3_bucket_owner != NULL || settings->secret_arn != NULL;
    if (settings->s3_bucket != NULL && !has_owner && !settings->is_local_mode) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "S3_BUCKET_OWNER", faults);
        tg_detail_set_reason(fault, "is not set, nor is SECRET_ARN: anybody's bucket of that name would do");
        tg_detail_set_remedy(fault, "set it to the account that owns S3_BUCKET");
    }
}

/* Only when everything has been read is it known whether anybody asked for an address. */
static tg_result set_secrets_default(tg_enclave_settings *settings)
{
    settings->is_secrets_address_default = settings->secrets_address == NULL;
    if (settings->is_secrets_address_default) {
        const char *text = settings->is_local_mode ? "off" : "vsock:any:7777";
        TG_TRY(tg_settings_set_default(&settings->loaded, "SECRETS_ADDRESS", text,
                                       settings->is_local_mode ? "local mode" : NULL));
    }
    if (settings->secrets_address != NULL && strcmp(settings->secrets_address, "off") == 0) {
        settings->secrets_address = NULL;
    }
    if (settings->secrets_dir != NULL && strcmp(settings->secrets_dir, "memory") == 0) {
        settings->secrets_dir = NULL;
    }
    return tg_ok();
}

static void check_secrets(const tg_enclave_settings *settings, tg_faults *faults)
{
    bool is_sealed = settings->secrets_mode == TG_SECRETS_SEALED;
    if (is_sealed && settings->secrets_signers.num_items == 0) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SECRETS_MODE", faults);
        tg_detail_set_reason(fault, "is sealed, but SECRETS_SIGNERS names nobody: nothing could be delivered");
        tg_detail_set_remedy(fault, "set SECRETS_SIGNERS to what `teegate secrets signer KEY` shows");
    }
    if (!is_sealed && settings->secrets_signers.num_items > 0) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SECRETS_SIGNERS", faults);
        tg_detail_set_reason(fault, "names signers, but SECRETS_MODE is open: anybody could deliver");
        tg_detail_set_remedy(fault, "set SECRETS_MODE to sealed, or leave the signers out");
    }
    if (settings->secrets_signers.num_items > TG_MAX_SECRET_SIGNERS) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SECRETS_SIGNERS", faults);
        tg_detail_set_reason(fault, "names more than %d signers", TG_MAX_SECRET_SIGNERS);
    }
}

static void check_together(const tg_enclave_settings *settings, tg_faults *faults)
{
    check_identity(settings, faults);
    check_secrets(settings, faults);
    check_clients(settings, "ENCRYPT_ALLOWED_CLIENTS", &settings->encrypt_allowed_clients, faults);
    check_clients(settings, "DECRYPT_ALLOWED_CLIENTS", &settings->decrypt_allowed_clients, faults);
    if (settings->simulator_pcrs.num_items > 3) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SIMULATOR_PCRS", faults);
        tg_detail_set_reason(fault, "names more than three registers");
        tg_detail_set_remedy(fault, "give PCR0, PCR1 and PCR2");
    }
    check_schemas(settings, faults);
    tg_key_settings_check(settings, faults);
    if (settings->max_body_bytes > tg_http_budget_max((size_t)settings->max_inflight_bytes)) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "MAX_BODY_BYTES", faults);
        tg_detail_set_reason(fault,
                             "is more than seven eighths of MAX_INFLIGHT_BYTES: such a body could never be taken");
        tg_detail_set_remedy(fault, "lower it, or raise MAX_INFLIGHT_BYTES");
    }
}

tg_result tg_enclave_settings_load(tg_enclave_settings *settings, const tg_enclave_settings_source *source,
                                   tg_faults *faults)
{
    *settings = (tg_enclave_settings){.is_local_mode = source->is_local_mode, .environment = source->environment};
    tg_settings *loaded = &settings->loaded;
    TG_TRY(tg_settings_init(loaded, table, TG_COUNT(table), settings));
    TG_TRY(set_worker_default(loaded));
    TG_TRY(source->is_local_mode ? set_local_defaults(loaded) : tg_ok());
    if (source->config_path != NULL) {
        TG_TRY(tg_settings_read_file(loaded, source->config_path, faults));
    } else if (access(TG_ENCLAVE_CONFIG_PATH, F_OK) == 0) {
        TG_TRY(tg_settings_read_file(loaded, TG_ENCLAVE_CONFIG_PATH, faults));
    }
    TG_TRY(tg_settings_read_environment(loaded, source->environment, faults));
    TG_TRY(set_schema_default(settings));
    TG_TRY(set_listen_default(settings));
    TG_TRY(set_secrets_default(settings));
    TG_TRY(tg_gateway_settings_set_default(settings));
    tg_settings_check_required(loaded, faults);
    check_together(settings, faults);
    TG_TRY(tg_gateway_settings_load(settings, faults));
    return tg_forward_settings_load(settings, faults);
}

void tg_enclave_settings_done(tg_enclave_settings *settings)
{
    tg_routes_unref(settings->routes);
    tg_settings_done(&settings->loaded);
    *settings = (tg_enclave_settings){0};
}
