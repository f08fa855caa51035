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

static void log_issuers(const tg_tls_authorities *issuers)
{
    tg_buf sha256;
    tg_buf_init(&sha256, (size_t)2 * TG_AUTHORITIES_SHA256_BYTES);
    if (tg_is_ok(tg_hex_append(&sha256, tg_tls_authorities_sha256(issuers)))) {
        tg_log(TG_LOG_INFO, "tls", "client_authorities", TG_F_UINT("certificates", tg_tls_authorities_num(issuers)),
               TG_F_SLICE("sha256", tg_buf_slice(&sha256)));
    }
    tg_buf_done(&sha256);
}

static tg_result generate(const tg_enclave_settings *settings, int64_t now_unix_s, tg_tls_identity **out_identity,
                          tg_detail *detail)
{
    tg_slice names[TG_MAX_GENERATED_NAMES];
    size_t num_names = settings->server_names.num_items;
    for (size_t i = 0; i < num_names && i < TG_MAX_GENERATED_NAMES; i++) {
        names[i] = tg_slice_str(settings->server_names.items[i]);
    }
    return tg_tls_identity_generate(names, num_names < TG_MAX_GENERATED_NAMES ? num_names : TG_MAX_GENERATED_NAMES,
                                    now_unix_s, out_identity, detail);
}

/* The certificate of now, or a reference of the one before. */
static tg_result load_certificate(const tg_enclave_identity *before, const tg_enclave_settings *settings,
                                  int64_t now_unix_s, tg_enclave_identity *next, tg_faults *faults)
{
    tg_detail detail = {0};
    tg_result loaded = tg_ok();
    if (before->delivered != NULL) {
        next->delivered = tg_tls_identity_ref(before->delivered);
        next->identity = tg_tls_identity_ref(before->delivered);
    } else if (settings->tls_cert_path != NULL) {
        loaded =
            tg_tls_identity_load(settings->tls_cert_path, settings->tls_key_path, now_unix_s, &next->identity, &detail);
    } else if (before->identity == NULL) {
        loaded = generate(settings, now_unix_s, &next->identity, &detail);
    }
    if (!tg_is_ok(loaded)) {
        *tg_faults_add(faults) = detail;
    }
    if (next->identity == NULL && before->identity != NULL) {
        next->identity = tg_tls_identity_ref(before->identity);
        next->is_certificate_kept = !tg_is_ok(loaded);
        return tg_ok();
    }
    return loaded;
}

static tg_result load_issuers(const tg_enclave_identity *before, const tg_enclave_settings *settings,
                              int64_t now_unix_s, tg_enclave_identity *next, tg_faults *faults)
{
    tg_detail detail = {0};
    if (settings->client_ca_path == NULL) {
        return tg_ok();
    }
    tg_result loaded = tg_tls_authorities_load(settings->client_ca_path, now_unix_s, &next->client_issuers, &detail);
    if (tg_is_ok(loaded)) {
        return loaded;
    }
    *tg_faults_add(faults) = detail;
    if (before->client_issuers != NULL) {
        next->client_issuers = tg_tls_authorities_ref(before->client_issuers);
        next->are_issuers_kept = true;
        return tg_ok();
    }
    return loaded;
}

static tg_result make_context(const tg_enclave_identity *next, tg_tls_tickets *tickets, tg_faults *faults,
                              tg_tls_context **out_tls)
{
    tg_detail detail = {0};
    const tg_tls_server_settings server = {.identity = next->identity,
                                           .client_issuers = next->client_issuers,
                                           .tickets = tickets,
                                           .protocols = protocols,
                                           .num_protocols = TG_COUNT(protocols)};
    tg_result made = tg_tls_context_new_server(&server, out_tls, &detail);
    if (!tg_is_ok(made)) {
        *tg_faults_add(faults) = detail;
    }
    return made;
}

static void log_changes(const tg_enclave_identity *before, const tg_enclave_identity *next)
{
    if (next->identity != before->identity) {
        log_identity(next->identity);
    }
    if (next->client_issuers != NULL && next->client_issuers != before->client_issuers) {
        log_issuers(next->client_issuers);
    }
}

tg_result tg_enclave_identity_load(tg_enclave_identity *identity, const tg_enclave_settings *settings,
                                   tg_tls_tickets *tickets, tg_faults *faults, tg_tls_context **out_tls)
{
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    tg_enclave_identity next = {0};
    tg_result loaded = load_certificate(identity, settings, now_unix_s, &next, faults);
    tg_result believed = load_issuers(identity, settings, now_unix_s, &next, faults);
    tg_result made = tg_is_ok(loaded) ? believed : loaded;
    if (tg_is_ok(made)) {
        made = make_context(&next, tickets, faults, out_tls);
    }
    if (!tg_is_ok(made)) {
        tg_enclave_identity_done(&next);
        return made;
    }
    log_changes(identity, &next);
    tg_enclave_identity_done(identity);
    *identity = next;
    return tg_ok();
}

void tg_enclave_identity_deliver(tg_enclave_identity *identity, tg_tls_identity *delivered)
{
    tg_tls_identity_unref(identity->delivered);
    identity->delivered = delivered != NULL ? tg_tls_identity_ref(delivered) : NULL;
}

void tg_enclave_identity_done(tg_enclave_identity *identity)
{
    tg_tls_identity_unref(identity->delivered);
    tg_tls_authorities_unref(identity->client_issuers);
    tg_tls_identity_unref(identity->identity);
    *identity = (tg_enclave_identity){0};
}
