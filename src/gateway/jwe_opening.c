#include "base/encode.h"
#include "envelope/jwe.h"
#include "gateway/admission.h"
#include "http/grammar.h"

/* Why a header is not taken, by its member. */
typedef struct member_fault {
    const char *member;
    tg_gateway_fault fault;
} member_fault;

static const member_fault member_faults[] = {
    {"alg", {400, "bad_alg", "the protected header's `alg` must be ECDH-ES", NULL, 0}},
    {"enc", {400, "bad_enc", "the protected header's `enc` must be A256GCM", NULL, 0}},
    {"kid", {400, "bad_kid", "the protected header's `kid` must name a key of /.well-known/jwks.json", NULL, 0}},
    {"epk", {400, "bad_epk", "the protected header's `epk` must be a public key of P-256", NULL, 0}},
    {"apu", {400, "bad_apu", "the protected header's `apu` must be base64url of at most 512 bytes", NULL, 0}},
    {"apv", {400, "bad_apv", "the protected header's `apv` must be base64url of at most 512 bytes", NULL, 0}},
    {"cty", {400, "bad_cty", "the protected header's `cty` must be a media type", NULL, 0}},
    {"path", {400, "bad_path", "the protected header's `path` must be a path", NULL, 0}},
    {"iat", {400, "bad_iat", "the protected header's `iat` must be whole seconds since 1970", NULL, 0}},
    {"reply_jwk", {400, "bad_reply_jwk", "the protected header's `reply_jwk` must be a public key of P-256", NULL, 0}},
    {"crit", {400, "crit_not_taken", "the protected header's `crit` is not taken", NULL, 0}},
    {"zip", {400, "zip_not_taken", "the protected header's `zip` is not taken", NULL, 0}},
    {"b64", {400, "b64_not_taken", "the protected header's `b64` is not taken", NULL, 0}},
};

static tg_result refuse_header(tg_result parsed, const tg_detail *detail, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault too_long = {
        .status = 431, .code = "jwe_header_too_large", .message = "the protected header is longer than 4096 bytes"};
    static const tg_gateway_fault malformed = {
        .status = 400, .code = "bad_jwe", .message = "not a JWE in compact form"};
    for (size_t i = 0; i < TG_COUNT(member_faults); i++) {
        if (strcmp(detail->field, member_faults[i].member) == 0) {
            return tg_opening_refuse(&member_faults[i].fault, parsed.code, out_fault);
        }
    }
    return tg_opening_refuse(parsed.code == TG_ERR_LIMIT ? &too_long : &malformed, parsed.code, out_fault);
}

/* What the route asks of a header beyond its form. */
static tg_result check_header(const tg_gateway_route *route, const tg_jwe *jwe, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault no_iat = {
        .status = 400, .code = "iat_missing", .message = "the protected header must say when it was made, in `iat`"};
    static const tg_gateway_fault no_reply = {
        .status = 400,
        .code = "reply_jwk_missing",
        .message = "the protected header must hold the key that the answer is sealed to, in `reply_jwk`"};
    static const tg_gateway_fault no_path = {
        .status = 400,
        .code = "path_missing",
        .message = "it asks for a sealed answer, and this route gives none: name the path, or leave `reply_jwk` out"};
    static const tg_gateway_fault other_path = {
        .status = 400, .code = "path_mismatch", .message = "the envelope was made for another path"};
    if (!jwe->has_issued) {
        return tg_opening_refuse(&no_iat, TG_ERR_NOT_FOUND, out_fault);
    }
    if (route->encrypt == TG_CRYPTO_JWE && !jwe->has_reply) {
        return tg_opening_refuse(&no_reply, TG_ERR_NOT_FOUND, out_fault);
    }
    /* Whoever relays it could choose this route so as to read the answer. */
    if (route->encrypt != TG_CRYPTO_JWE && jwe->has_reply && jwe->path[0] == 0) {
        return tg_opening_refuse(&no_path, TG_ERR_NOT_FOUND, out_fault);
    }
    if (jwe->path[0] != 0 && !tg_slice_equal(tg_slice_str(jwe->path), route->path)) {
        return tg_opening_refuse(&other_path, TG_ERR_MISMATCH, out_fault);
    }
    return tg_ok();
}

/* The only two that a changed or foreign envelope can lead to: its own key is no point of the curve, or all else. */
static tg_result refuse_unopened(const tg_jwe *jwe, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault off_curve = {
        .status = 400, .code = "epk_off_curve", .message = "the protected header's `epk` is no point of P-256"};
    static const tg_gateway_fault unopened = {
        .status = 400, .code = "cannot_open", .message = "not sealed to the key that it names, or changed since"};
    tg_ec_key *ephemeral;
    if (!tg_is_ok(
            tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(jwe->ephemeral, sizeof jwe->ephemeral), &ephemeral))) {
        return tg_opening_refuse(&off_curve, TG_ERR_AUTH, out_fault);
    }
    tg_ec_key_free(ephemeral);
    return tg_opening_refuse(&unopened, TG_ERR_AUTH, out_fault);
}

static tg_result open_with_key(const tg_envelope_context *context, const tg_gateway_route *route, const tg_jwe *jwe,
                               tg_opened_request *opened, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault unknown_kid = {
        .status = 400,
        .code = "unknown_kid",
        .message = "no key has this `kid` (any more): read /.well-known/jwks.json again, and seal a new envelope"};
    const tg_ec_key *key = tg_envelope_keys_find(context->keys, jwe->kid);
    size_t max_text_len = tg_base64_encoded_len(TG_BASE64_URL, (size_t)route->max_request_bytes);
    if (key == NULL) {
        return tg_opening_refuse(&unknown_kid, TG_ERR_NOT_FOUND, out_fault);
    }
    if (jwe->ciphertext_text.len > max_text_len) {
        return tg_opening_refuse(&tg_opening_too_large, TG_ERR_LIMIT, out_fault);
    }
    tg_buf_init_wiped(&opened->plaintext, tg_base64_decoded_max(jwe->ciphertext_text.len));
    tg_result result = tg_jwe_open(jwe, key, &opened->plaintext);
    if (tg_is_ok(result)) {
        opened->body = tg_buf_slice(&opened->plaintext);
        return result;
    }
    return result.code == TG_ERR_MEMORY || result.code == TG_ERR_LIBRARY ? tg_opening_fail(result, out_fault)
                                                                         : refuse_unopened(jwe, out_fault);
}

/* `cty` without a slash leaves `application/` out (RFC 7515 §4.1.10). */
static tg_result set_content_type(const char *cty, tg_opened_request *opened)
{
    static const char prefix[] = "application/";
    tg_slice type = tg_slice_str(cty);
    if (type.len == 0) {
        opened->content_type = TG_LIT("application/json");
        return tg_ok();
    }
    size_t prefix_len = tg_slice_find(type, '/') == type.len ? sizeof prefix - 1 : 0;
    uint8_t *text = tg_arena_alloc(&opened->arena, prefix_len + type.len);
    if (text == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memcpy(text, prefix, prefix_len);
    memcpy(text + prefix_len, type.ptr, type.len);
    opened->content_type = tg_slice_of(text, prefix_len + type.len);
    return tg_ok();
}

/* What the answer needs. */
static tg_result keep(const tg_gateway_route *route, const tg_jwe *jwe, tg_slice text, tg_opened_request *opened)
{
    enum { MAX_ARENA_BYTES = 65536 };
    tg_arena_init(&opened->arena, MAX_ARENA_BYTES, true);
    TG_TRY(set_content_type(jwe->content_type, opened));
    TG_TRY(tg_sha256(text, opened->request_sha256));
    memcpy(opened->reply, jwe->reply, sizeof opened->reply);
    memcpy(opened->kid, jwe->kid, sizeof opened->kid);
    memcpy(opened->reply_kid, jwe->reply_kid, sizeof opened->reply_kid);
    if (jwe->has_reply && jwe->reply_kid[0] == 0) { /* a key without a name has its thumbprint (RFC 7638) */
        TG_TRY(tg_jwk_thumbprint(tg_slice_of(jwe->reply, sizeof jwe->reply), opened->reply_kid));
    }
    opened->seals_answer = route->encrypt == TG_CRYPTO_JWE;
    return tg_ok();
}

static tg_result admit(const tg_envelope_context *context, const tg_jwe *jwe, tg_gateway_fault *out_fault)
{
    static const tg_admission_faults faults = {
        .too_old = {.status = 400, .code = "iat_too_old", .message = "`iat` is too long ago: seal a new envelope"},
        .ahead = {.status = 400, .code = "iat_in_future", .message = "`iat` is in the future: set the sender's clock"},
        .before_start = {.status = 503,
                         .code = "iat_before_start",
                         .message = "made before this process started: seal a new envelope"}};
    return tg_opening_admit(context, tg_slice_of(jwe->ephemeral, sizeof jwe->ephemeral), jwe->issued_unix_s, &faults,
                            out_fault);
}

tg_result tg_opening_jwe(const tg_envelope_context *context, const tg_gateway_route *route, tg_slice content_type,
                         tg_slice body, tg_opened_request *out_opened, tg_gateway_fault *out_fault)
{
    tg_jwe jwe;
    tg_detail detail = {0};
    TG_TRY(tg_opening_begin(context, TG_CRYPTO_JWE, content_type, TG_LIT("application/jose"), out_opened, out_fault));
    tg_result result = tg_jwe_parse(body, &jwe, &detail);
    if (!tg_is_ok(result)) {
        return refuse_header(result, &detail, out_fault);
    }
    if (!tg_http_is_value(tg_slice_str(jwe.content_type))) {
        tg_detail_set_place(&detail, (tg_slice){NULL, 0}, 0, TG_LIT("cty"));
        return refuse_header(tg_fail(TG_ERR_SYNTAX), &detail, out_fault);
    }
    TG_TRY(check_header(route, &jwe, out_fault));
    TG_TRY(open_with_key(context, route, &jwe, out_opened, out_fault));
    result = keep(route, &jwe, body, out_opened);
    if (!tg_is_ok(result)) {
        return tg_opening_fail(result, out_fault);
    }
    return admit(context, &jwe, out_fault);
}
