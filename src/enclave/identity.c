#include "enclave/identity.h"

#include "base/encode.h"
#include "sys/clock.h"

/* ALPN (RFC 7301 §6): HTTP/1.0 is served too, and clients that are told to speak it offer nothing else. */
static const tg_slice protocols[] = {{(const uint8_t *)"http/1.1", 8}, {(const uint8_t *)"http/1.0", 8}};

static void log_identity(const tg_tls_identity *identity)
{
    char until[25];
    tg_buf spki;
    tg_buf_init(&spki, (size_t)2 * TG_SPKI_SHA256_BYTES);
    tg_clock_format((uint64_t)tg_tls_identity_not_after_unix_s(identity) * 1000, until);
    if (tg_is_ok(tg_hex_append(&spki, tg_tls_identity_spki_sha256(identity)))) {
        tg_log(TG_LOG_INFO, "tls", "identity",
               TG_F_STR("origin", tg_tls_identity_is_generated(identity) ? "generated" : "files"),
               TG_F_SLICE("spki_sha256", tg_buf_slice(&spki)), TG_F_STR("valid_until", until));
    }
    tg_buf_done(&spki);
}

static tg_result load_identity(const tg_enclave_settings *settings, int64_t now_unix_s, tg_tls_identity **out_identity,
                               tg_detail *detail)
{
    if (settings->tls_cert_path != NULL) {
        return tg_tls_identity_load(settings->tls_cert_path, settings->tls_key_path, now_unix_s, out_identity, detail);
    }
    tg_slice names[TG_MAX_GENERATED_NAMES];
    size_t num_names = settings->server_names.num_items;
    for (size_t i = 0; i < num_names && i < TG_MAX_GENERATED_NAMES; i++) {
        names[i] = tg_slice_str(settings->server_names.items[i]);
    }
    return tg_tls_identity_generate(names, num_names < TG_MAX_GENERATED_NAMES ? num_names : TG_MAX_GENERATED_NAMES,
                                    now_unix_s, out_identity, detail);
}

tg_result tg_enclave_identity_load(const tg_enclave_settings *settings, tg_tls_tickets *tickets, tg_faults *faults,
                                   tg_tls_context **out_tls)
{
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    tg_tls_identity *identity = NULL;
    tg_tls_authorities *issuers = NULL;
    tg_detail detail = {0};
    tg_result loaded = load_identity(settings, now_unix_s, &identity, &detail);
    if (!tg_is_ok(loaded)) {
        *tg_faults_add(faults) = detail;
    }
    tg_result believed = tg_ok();
    if (settings->client_ca_path != NULL) {
        believed = tg_tls_authorities_load(settings->client_ca_path, now_unix_s, &issuers, &detail);
        if (!tg_is_ok(believed)) {
            *tg_faults_add(faults) = detail;
        }
    }
    tg_result made = tg_is_ok(loaded) ? believed : loaded;
    if (tg_is_ok(made)) {
        const tg_tls_server_settings server = {.identity = identity,
                                               .client_issuers = issuers,
                                               .tickets = tickets,
                                               .protocols = protocols,
                                               .num_protocols = TG_COUNT(protocols)};
        made = tg_tls_context_new_server(&server, out_tls, &detail);
        if (tg_is_ok(made)) {
            log_identity(identity);
        } else {
            *tg_faults_add(faults) = detail;
        }
    }
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    return made;
}
