#include "secrets/delivery.h"

#include "base/encode.h"
#include "base/text.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"

#include <stdlib.h>

enum { SIGNER_TEXT_BYTES = 87 };

typedef struct signer {
    tg_ec_key *key;
    char kid[TG_THUMBPRINT_BYTES + 1];
} signer;

struct tg_delivery {
    tg_delivery_options options;
    tg_secrets_store *store;
    tg_ec_key *key; /* NULL in open mode */
    char kid[TG_THUMBPRINT_BYTES + 1];
    signer signers[TG_MAX_SECRET_SIGNERS];
    size_t num_signers;
};

tg_result tg_delivery_signer_parse(tg_slice text, tg_ec_key **out_key)
{
    uint8_t point[TG_P256_PUBLIC_BYTES + 3];
    size_t len;
    if (text.len != SIGNER_TEXT_BYTES) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(tg_base64_decode(TG_BASE64_URL, text, point, &len));
    return tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(point, len), out_key);
}

static tg_result add_signers(tg_delivery *delivery)
{
    if (delivery->options.num_signers > TG_MAX_SECRET_SIGNERS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    for (size_t i = 0; i < delivery->options.num_signers; i++) {
        signer *added = &delivery->signers[i];
        TG_TRY(tg_delivery_signer_parse(tg_slice_str(delivery->options.signers[i]), &added->key));
        delivery->num_signers = i + 1;
        TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(added->key), added->kid));
    }
    return tg_ok();
}

static tg_result prepare_sealed(tg_delivery *delivery)
{
    TG_TRY(tg_ec_key_generate(TG_CURVE_P256, &delivery->key));
    TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(delivery->key), delivery->kid));
    return add_signers(delivery);
}

tg_result tg_delivery_new(const tg_delivery_options *options, tg_secrets_store *store, tg_delivery **out_delivery)
{
    tg_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    delivery->options = *options;
    delivery->store = store;
    tg_result result = options->is_sealed ? prepare_sealed(delivery) : tg_ok();
    if (!tg_is_ok(result)) {
        tg_delivery_free(delivery);
        return result;
    }
    *out_delivery = delivery;
    return tg_ok();
}

void tg_delivery_free(tg_delivery *delivery)
{
    if (delivery != NULL) {
        tg_ec_key_free(delivery->key);
        for (size_t i = 0; i < delivery->num_signers; i++) {
            tg_ec_key_free(delivery->signers[i].key);
        }
        free(delivery);
    }
}

tg_slice tg_delivery_point(const tg_delivery *delivery)
{
    return delivery->key != NULL ? tg_ec_key_public(delivery->key) : (tg_slice){NULL, 0};
}

size_t tg_delivery_max_bytes(const tg_delivery *delivery)
{
    return delivery->options.is_sealed ? TG_MAX_SEALED_BYTES : TG_MAX_DELIVERY_BYTES;
}

static tg_result refuse(tg_delivery_fault *fault, const char *code, const char *reason, tg_code result)
{
    fault->code = code;
    fault->detail.field[0] = 0; /* a member that an envelope's reason names, too */
    if (fault->detail.reason[0] == 0) {
        tg_detail_set_reason(&fault->detail, "%s", reason);
    }
    return tg_fail(result);
}

static const signer *find_signer(const tg_delivery *delivery, const char *kid)
{
    for (size_t i = 0; i < delivery->num_signers; i++) {
        if (strcmp(delivery->signers[i].kid, kid) == 0) {
            return &delivery->signers[i];
        }
    }
    return NULL;
}

static tg_result open_envelope(const tg_delivery *delivery, tg_slice text, tg_buf *signed_text,
                               tg_delivery_fault *fault)
{
    tg_jwe jwe;
    tg_result parsed = tg_jwe_parse(text, &jwe, &fault->detail);
    if (!tg_is_ok(parsed)) {
        tg_detail_set_remedy(&fault->detail, "send it with `teegate secrets send --sign KEY`");
        return refuse(fault, "not_sealed", "not a JWE", parsed.code);
    }
    if (strcmp(jwe.kid, delivery->kid) != 0) {
        return refuse(fault, "unknown_key", "sealed to another key: the enclave makes a new one when it starts",
                      TG_ERR_NOT_FOUND);
    }
    tg_result opened = tg_jwe_open(&jwe, delivery->key, signed_text);
    return tg_is_ok(opened) ? opened : refuse(fault, "bad_envelope", "does not open", opened.code);
}

static tg_result verify_signer(const tg_delivery *delivery, tg_slice signed_text, tg_buf *payload,
                               uint64_t *out_version, tg_delivery_fault *fault)
{
    tg_jws jws;
    tg_result parsed = tg_jws_parse(signed_text, &jws, &fault->detail);
    if (!tg_is_ok(parsed)) {
        return refuse(fault, "not_signed", "no JWS inside", parsed.code);
    }
    const signer *by = find_signer(delivery, jws.claims.kid);
    if (by == NULL) {
        return refuse(fault, "unknown_signer", "signed by a key that SECRETS_SIGNERS does not name", TG_ERR_DENIED);
    }
    tg_result verified = tg_jws_verify(&jws, by->key, payload);
    if (!tg_is_ok(verified)) {
        return refuse(fault, "bad_signature", "the signature does not verify", verified.code);
    }
    if (!jws.claims.has_version) {
        return refuse(fault, "not_newer", "the signed header has no `version`", TG_ERR_SYNTAX);
    }
    *out_version = jws.claims.version;
    return tg_ok();
}

static tg_result apply(tg_delivery *delivery, tg_slice text, uint64_t version, int64_t now_unix_s, tg_bundle *bundle,
                       tg_delivery_fault *fault)
{
    const tg_bundle_rules rules = {.is_sealed = delivery->options.is_sealed,
                                   .names = delivery->options.names,
                                   .num_names = delivery->options.num_names,
                                   .now_unix_s = now_unix_s};
    TG_TRY(tg_bundle_parse(text, &rules, bundle, fault));
    return tg_bundle_is_empty(bundle) ? tg_ok() : tg_secrets_store_apply(delivery->store, bundle, version, fault);
}

static tg_result take_sealed(tg_delivery *delivery, tg_slice text, int64_t now_unix_s, tg_bundle *bundle,
                             tg_delivery_fault *fault)
{
    tg_buf signed_text, payload;
    uint64_t version = 0;
    tg_buf_init_wiped(&signed_text, TG_MAX_SEALED_BYTES);
    tg_buf_init_wiped(&payload, TG_MAX_SEALED_BYTES);
    tg_result result = open_envelope(delivery, text, &signed_text, fault);
    if (tg_is_ok(result)) {
        result = verify_signer(delivery, tg_buf_slice(&signed_text), &payload, &version, fault);
    }
    if (tg_is_ok(result)) {
        result = apply(delivery, tg_buf_slice(&payload), version, now_unix_s, bundle, fault);
    }
    tg_buf_done(&signed_text);
    tg_buf_done(&payload);
    return result;
}

static tg_result append_applied(const tg_bundle *bundle, tg_buf *answer)
{
    const char *separator = "";
    if (bundle->client != NULL) {
        TG_TRY(tg_buf_append_str(answer, "\"MTLS_CLIENT_CERT_JSON\""));
        separator = ",";
    }
    if (bundle->server != NULL) {
        TG_TRY(tg_buf_printf(answer, "%s\"TLS_CERT_JSON\"", separator));
        separator = ",";
    }
    for (size_t i = 0; i < bundle->num_values; i++) {
        TG_TRY(tg_buf_printf(answer, "%s\"%s\"", separator, bundle->values[i].name));
        separator = ",";
    }
    return tg_ok();
}

static tg_result append_ok(const tg_bundle *bundle, uint64_t version, tg_buf *answer)
{
    TG_TRY(tg_buf_append_str(answer, "{\"status\":\"ok\",\"applied\":["));
    TG_TRY(append_applied(bundle, answer));
    TG_TRY(tg_buf_append_str(answer, "],\"version\":"));
    TG_TRY(tg_buf_append_u64(answer, version));
    return tg_buf_append_str(answer, "}\n");
}

tg_result tg_delivery_append_error(const tg_delivery_fault *fault, tg_buf *answer)
{
    tg_buf message;
    tg_buf_init(&message, TG_MAX_DELIVERY_ANSWER_BYTES / 4);
    tg_result result = tg_detail_append(&fault->detail, &message);
    if (tg_is_ok(result)) {
        result = tg_buf_printf(answer, "{\"status\":\"error\",\"code\":\"%s\",\"message\":", fault->code);
    }
    if (tg_is_ok(result)) {
        result = tg_json_append_string(answer, tg_buf_slice(&message));
    }
    tg_buf_done(&message);
    TG_TRY(result);
    return tg_buf_append_str(answer, "}\n");
}

tg_result tg_delivery_take(tg_delivery *delivery, tg_slice text, int64_t now_unix_s, tg_buf *answer,
                           tg_delivery_outcome *out_outcome)
{
    tg_bundle bundle = {0};
    tg_delivery_fault fault = {.code = "internal_error"};
    tg_slice trimmed = tg_slice_trim(text, " \t\r\n");
    bool is_sealed = delivery->options.is_sealed && trimmed.len > 0 && !tg_slice_equal(trimmed, TG_LIT("test")) &&
                     !tg_slice_equal(trimmed, TG_LIT("{}"));
    uint64_t next = tg_secrets_version(tg_secrets_store_current(delivery->store)) + 1;
    tg_result result = is_sealed ? take_sealed(delivery, trimmed, now_unix_s, &bundle, &fault)
                                 : apply(delivery, text, next, now_unix_s, &bundle, &fault);
    *out_outcome =
        (tg_delivery_outcome){.fault = fault, .version = tg_secrets_version(tg_secrets_store_current(delivery->store))};
    if (tg_is_ok(result)) {
        out_outcome->fault.code = "ok";
        out_outcome->num_applied =
            (size_t)(bundle.client != NULL) + (size_t)(bundle.server != NULL) + bundle.num_values;
        result = append_ok(&bundle, out_outcome->version, answer);
    } else {
        result = tg_delivery_append_error(&fault, answer);
    }
    tg_bundle_done(&bundle);
    return result;
}
