/* The enclave's settings: /etc/teegate/enclave.json, overridden by the environment. Those marked (M) decide trust and
 * belong to the measured image. A setting of the design that this program does not implement yet is refused. */
#ifndef TG_ENCLAVE_ENCLAVE_SETTINGS_H
#define TG_ENCLAVE_ENCLAVE_SETTINGS_H

#include "enclave/forward_settings.h"
#include "gateway/routes.h"
#include "settings/settings.h"

#define TG_ENCLAVE_CONFIG_PATH "/etc/teegate/enclave.json"

/* ATTESTATION_DEVICE, by its place among the choices. */
typedef enum tg_attestation_choice {
    TG_ATTEST_BY_WHAT_IS_THERE, /* nsm where /dev/nsm is; else in local mode the simulator, and nothing otherwise */
    TG_ATTEST_BY_NSM,
    TG_ATTEST_BY_NOTHING,
    TG_ATTEST_BY_SIMULATOR /* never in a build without development parts */
} tg_attestation_choice;

typedef enum tg_secrets_mode { TG_SECRETS_OPEN, TG_SECRETS_SEALED } tg_secrets_mode;

/* A path is NULL and a list empty where it is not set. */
typedef struct tg_enclave_settings {
    const char *schema_header_name;
    const char *schema_dir; /* or s3_bucket: never both, never neither */
    const char *s3_bucket;
    const char *s3_prefix;       /* "/": the whole bucket */
    const char *s3_bucket_owner; /* NULL: secret_arn's account */
    const char *secret_arn;      /* NULL: no data key comes from AWS */
    const char *kms_key_id;
    tg_setting_list kms_encryption_context;
    tg_setting_list dek_fingerprints;
    uint64_t dek_rotation_interval_s;
    uint64_t vsock_proxy_cid;
    uint64_t vsock_proxy_port; /* 0: AWS is dialled directly */
    uint64_t schema_refresh_interval_s;
    bool schema_allow_removal;

    uint64_t tls_port;
    tg_setting_list listen_addresses;  /* never empty */
    tg_setting_list proxied_addresses; /* where each connection begins with a PROXY header (enclave/prefaces.h) */
    const char *admin_address;
    const char *tls_cert_path; /* with tls_key_path, or neither: then self-signed at start */
    const char *tls_key_path;
    const char *client_ca_path;
    tg_setting_list encrypt_allowed_clients; /* empty: /encrypt is open */
    tg_setting_list decrypt_allowed_clients; /* empty: /decrypt is 403 */
    tg_setting_list server_names;            /* empty: any name is answered */

    size_t attestation_device;      /* tg_attestation_choice */
    tg_setting_list simulator_pcrs; /* PCR0 to PCR2 in hexadecimal; always empty in a build without development parts */
    uint64_t simulator_ahead_s;     /* always 0 in such a build */

    const char *secrets_address;     /* NULL: nothing is delivered */
    bool is_secrets_address_default; /* nobody asked for it: where it cannot be opened, serving goes on without */
    size_t secrets_mode;             /* tg_secrets_mode */
    tg_setting_list secrets_signers; /* sealed: public keys (secrets/delivery.h) */
    tg_setting_list secrets_values;  /* further names that a delivery may hold */
    const char *secrets_dir;         /* NULL: in memory alone */

    const char *routes_path;                /* NULL: there is no gateway */
    tg_setting_list upstream_allowed_hosts; /* gateway/upstream_guards.h */
    tg_setting_list upstream_ca_sha256;
    const char *egress_address;       /* the egress proxy that calls of backends go through; NULL: they are dialled */
    tg_routes *routes;                /* what the file of routes_path says; NULL where it is not set, or at fault */
    tg_setting_list delivered_values; /* secrets_values, and those that routes refer to */

    tg_setting_list forward_schemas; /* enclave/forward_settings.h, as the two below */
    tg_setting_list forward_headers;
    const char *app_endpoint;
    const tg_forwards *forwards; /* NULL: nothing is forwarded */

    const char *dek_file; /* always NULL in a build without development parts */
    const char *state_dir;
    tg_log_level log_level;
    uint64_t num_workers;

    uint64_t replay_window_s; /* the options of envelope/replay.h */
    uint64_t replay_ahead_s;
    uint64_t replay_entries;

    uint64_t max_connections;
    uint64_t max_body_bytes;
    uint64_t max_inflight_bytes;
    uint64_t max_fields_per_request;
    uint64_t min_body_bytes_per_s;
    uint64_t head_timeout_s;
    uint64_t idle_timeout_s;
    uint64_t drain_timeout_s;

    bool is_local_mode;
    const char *const *environment; /* as it was given: AWS's own variables stand there */
    tg_settings loaded;             /* for --print-config; holds the text of the members above */
} tg_enclave_settings;

typedef struct tg_enclave_settings_source {
    const char *config_path;        /* NULL: TG_ENCLAVE_CONFIG_PATH where that exists */
    const char *const *environment; /* as environ */
    bool is_local_mode;             /* other defaults: a loopback address, examples/schemas */
} tg_enclave_settings_source;

/* tg_enclave_settings_load reads and checks all settings; what is wrong becomes faults, all of them.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM. With faults the settings are not to be used, but for printing.
 * keep  the caller ends them with tg_enclave_settings_done, after a failure too
 */
TG_MUST_USE tg_result tg_enclave_settings_load(tg_enclave_settings *settings, const tg_enclave_settings_source *source,
                                               tg_faults *faults);
void tg_enclave_settings_done(tg_enclave_settings *settings);

/* The table, for --help (tg_settings_append_help). */
const tg_setting *tg_enclave_settings_table(size_t *out_num_settings);

#endif
