#include "envelope/bhttp.h"
#include "gateway/admission.h"
#include "http/date.h"
#include "http/target.h"

#include "base/num.h"
#include "base/text.h"

#define KEY_PROBLEM  "https://iana.org/assignments/http-problem-types#ohttp-key" /* RFC 9458 §5.3 */
#define DATE_PROBLEM "https://iana.org/assignments/http-problem-types#date"      /* RFC 9458 §6.5.2 */

enum { DEFAULT_PORT = 443, SPARE_ARENA_BYTES = 65536 /* beside the content: sections, and the arena's own */ };

/* Several keys may have the id that a request names: it is one byte. */
static tg_result open_with_keys(const tg_envelope_context *context, const tg_ohttp_request *request,
                                tg_opened_request *opened, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault unknown_key = {
        .status = 400,
        .code = "unknown_key_id",
        .message = "no key has this id (any more): read /.well-known/ohttp-gateway again",
        .problem_type = KEY_PROBLEM};
    static const tg_gateway_fault unopened = {.status = 400,
                                              .code = "cannot_open",
                                              .message =
                                                  "not sealed to a key of the id that it names, or changed since",
                                              .problem_type = KEY_PROBLEM};
    tg_result result = tg_fail(TG_ERR_NOT_FOUND);
    const tg_ec_key *key;
    for (size_t i = 0; (key = tg_envelope_keys_find_ohttp(context->keys, request->key_id, i)) != NULL; i++) {
        result = tg_ohttp_request_open(request, key, &opened->plaintext, &opened->ohttp_reply);
        if (result.code != TG_ERR_AUTH) {
            break;
        }
    }
    switch ((int)result.code) {
    case TG_OK:
        return result;
    case TG_ERR_NOT_FOUND:
        return tg_opening_refuse(&unknown_key, result.code, out_fault);
    case TG_ERR_AUTH:
        return tg_opening_refuse(&unopened, result.code, out_fault);
    default:
        return tg_opening_fail(result, out_fault);
    }
}

static tg_result open_capsule(const tg_envelope_context *context, tg_slice body, tg_ohttp_request *out_request,
                              tg_opened_request *opened, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault truncated = {
        .status = 400, .code = "bad_ohttp", .message = "shorter than an encapsulated request can be"};
    static const tg_gateway_fault other_algorithm = {
        .status = 400,
        .code = "ohttp_algorithm",
        .message = "must be X25519, HKDF-SHA256 and AES-128-GCM or AES-256-GCM, as /.well-known/ohttp-gateway says",
        .problem_type = KEY_PROBLEM};
    tg_result result = tg_ohttp_request_parse(body, out_request);
    if (!tg_is_ok(result)) {
        return tg_opening_refuse(result.code == TG_ERR_UNSUPPORTED ? &other_algorithm : &truncated, result.code,
                                 out_fault);
    }
    tg_buf_init_wiped(&opened->plaintext, out_request->sealed.len);
    return open_with_keys(context, out_request, opened, out_fault);
}

static tg_result parse_inside(tg_opened_request *opened, tg_bhttp *out_inside, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault malformed = {
        .status = 400, .code = "bad_bhttp", .message = "what was sealed is no binary HTTP request (RFC 9292)"};
    static const tg_gateway_fault too_many = {.status = 431,
                                              .code = "inner_headers_too_large",
                                              .message = "too many or too long fields in the sealed request"};
    tg_arena_init(&opened->arena, tg_buf_len(&opened->plaintext) + SPARE_ARENA_BYTES, true);
    tg_result result = tg_bhttp_parse(tg_buf_slice(&opened->plaintext), &opened->arena, out_inside);
    if (result.code == TG_ERR_MEMORY) {
        return tg_opening_fail(result, out_fault);
    }
    if (result.code == TG_ERR_LIMIT) {
        return tg_opening_refuse(&too_many, result.code, out_fault);
    }
    if (!tg_is_ok(result) || !out_inside->is_request) {
        return tg_opening_refuse(&malformed, TG_ERR_SYNTAX, out_fault);
    }
    return tg_ok();
}

/* Whether both say the same host and port; the scheme is https, whose port may be left out. */
static bool is_same_authority(tg_slice a, tg_slice b)
{
    tg_http_authority one, other;
    if (!tg_is_ok(tg_http_authority_parse(a, &one)) || !tg_is_ok(tg_http_authority_parse(b, &other))) {
        return false;
    }
    unsigned one_port = one.port != 0 ? one.port : DEFAULT_PORT,
             other_port = other.port != 0 ? other.port : DEFAULT_PORT;
    return one.is_ipv6 == other.is_ipv6 && one_port == other_port && tg_text_equal_nocase(one.host, other.host);
}

/* A request goes where the route leads, whatever it says; one that says another place was made for another gateway. */
static tg_result check_target(const tg_envelope_context *context, const tg_gateway_route *route, const tg_bhttp *inside,
                              tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault other_method = {
        .status = 405, .code = "inner_method", .message = "the route does not take the sealed request's method"};
    static const tg_gateway_fault other_scheme = {
        .status = 400, .code = "inner_scheme", .message = "the sealed request's scheme must be https"};
    static const tg_gateway_fault other_authority = {
        .status = 421,
        .code = "inner_authority",
        .message = "the sealed request's authority is neither this enclave nor the backend of the route"};
    static const tg_gateway_fault other_path = {
        .status = 400,
        .code = "inner_path",
        .message = "the sealed request's path is neither the route's nor, beside its name, the backend's"};
    if ((route->methods & 1u << tg_http_method_of(inside->method)) == 0) {
        return tg_opening_refuse(&other_method, TG_ERR_DENIED, out_fault);
    }
    if (!tg_slice_equal(inside->scheme, TG_LIT("https"))) {
        return tg_opening_refuse(&other_scheme, TG_ERR_UNSUPPORTED, out_fault);
    }
    bool names_upstream = is_same_authority(inside->authority, context->upstream_authority);
    if (inside->authority.len > 0 && !names_upstream && !is_same_authority(inside->authority, context->own_authority)) {
        return tg_opening_refuse(&other_authority, TG_ERR_MISMATCH, out_fault);
    }
    /* The backends of two routes may have equal paths: without the name of one, a relay could choose between them. */
    bool is_upstreams = names_upstream && tg_slice_equal(inside->path, context->upstream_target);
    if (!is_upstreams && !tg_slice_equal(inside->path, route->path)) {
        return tg_opening_refuse(&other_path, TG_ERR_MISMATCH, out_fault);
    }
    return tg_ok();
}

/* Fields that belong to a connection (RFC 9110 §7.6.1), or that say again what the message itself says. */
static bool is_forbidden(const tg_bhttp_field *field, size_t content_len)
{
    static const char *const names[] = {"connection",        "keep-alive", "proxy-connection", "te", "upgrade",
                                        "transfer-encoding", "host"};
    uint64_t length;
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        if (tg_text_equal_nocase(field->name, tg_slice_str(names[i]))) {
            return true;
        }
    }
    return tg_text_equal_nocase(field->name, TG_LIT("content-length")) &&
           (!tg_is_ok(tg_num_parse_u64(field->value, SIZE_MAX, &length)) || length != content_len);
}

static tg_result check_content(const tg_gateway_route *route, const tg_bhttp *inside, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault has_trailers = {
        .status = 400, .code = "inner_trailers", .message = "the sealed request has trailers, which are not passed on"};
    static const tg_gateway_fault forbidden = {
        .status = 400,
        .code = "inner_header",
        .message = "the sealed request has a field that belongs to a connection, Host, or a wrong Content-Length"};
    if (inside->trailer.num_fields > 0) {
        return tg_opening_refuse(&has_trailers, TG_ERR_UNSUPPORTED, out_fault);
    }
    for (size_t i = 0; i < inside->header.num_fields; i++) {
        if (is_forbidden(&inside->header.fields[i], inside->content.len)) {
            return tg_opening_refuse(&forbidden, TG_ERR_DENIED, out_fault);
        }
    }
    return inside->content.len <= route->max_request_bytes
               ? tg_ok()
               : tg_opening_refuse(&tg_opening_too_large, TG_ERR_LIMIT, out_fault);
}

static tg_result keep(const tg_bhttp *inside, tg_opened_request *opened, tg_gateway_fault *out_fault)
{
    size_t num = inside->header.num_fields;
    tg_http_header *headers = tg_arena_zalloc(&opened->arena, num + 1, sizeof *headers);
    if (headers == NULL) {
        return tg_opening_fail(tg_fail(TG_ERR_MEMORY), out_fault);
    }
    for (size_t i = 0; i < num; i++) {
        headers[i] = (tg_http_header){inside->header.fields[i].name, inside->header.fields[i].value};
    }
    opened->headers = headers;
    opened->num_headers = num;
    opened->method = inside->method;
    opened->path = inside->path;
    opened->body = inside->content;
    opened->content_type = tg_bhttp_find(&inside->header, TG_LIT("content-type"));
    return tg_ok();
}

/* Its Date, once and well-formed. */
static tg_result read_date(const tg_opened_request *opened, uint64_t *out_unix_s, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault no_date = {.status = 400,
                                             .code = "date_missing",
                                             .message = "the sealed request must have a Date",
                                             .problem_type = DATE_PROBLEM};
    static const tg_gateway_fault bad_date = {.status = 400,
                                              .code = "bad_date",
                                              .message =
                                                  "the sealed request's Date is no IMF-fixdate, or stands there twice",
                                              .problem_type = DATE_PROBLEM};
    tg_slice text;
    tg_result result = tg_http_headers_find_only(opened->headers, opened->num_headers, TG_LIT("Date"), &text);
    if (result.code == TG_ERR_NOT_FOUND) {
        return tg_opening_refuse(&no_date, result.code, out_fault);
    }
    if (tg_is_ok(result)) {
        result = tg_http_date_parse(text, out_unix_s);
    }
    return tg_is_ok(result) ? result : tg_opening_refuse(&bad_date, TG_ERR_SYNTAX, out_fault);
}

static tg_result admit(const tg_envelope_context *context, tg_slice enc, const tg_opened_request *opened,
                       tg_gateway_fault *out_fault)
{
    static const tg_admission_faults faults = {
        .too_old = {.status = 400,
                    .code = "date_too_old",
                    .message = "the sealed request's Date is too long ago: seal a new one",
                    .problem_type = DATE_PROBLEM},
        .ahead = {.status = 400,
                  .code = "date_in_future",
                  .message = "the sealed request's Date is in the future: set the sender's clock",
                  .problem_type = DATE_PROBLEM},
        .before_start = {.status = 503,
                         .code = "date_before_start",
                         .message = "made before this process started: seal a new request",
                         .problem_type = DATE_PROBLEM}};
    uint64_t issued_unix_s = 0;
    TG_TRY(read_date(opened, &issued_unix_s, out_fault));
    return tg_opening_admit(context, enc, issued_unix_s, &faults, out_fault);
}

tg_result tg_opening_ohttp(const tg_envelope_context *context, const tg_gateway_route *route, tg_slice content_type,
                           tg_slice body, tg_opened_request *out_opened, tg_gateway_fault *out_fault)
{
    tg_ohttp_request request;
    tg_bhttp inside;
    TG_TRY(
        tg_opening_begin(context, TG_CRYPTO_OHTTP, content_type, TG_LIT("message/ohttp-req"), out_opened, out_fault));
    TG_TRY(open_capsule(context, body, &request, out_opened, out_fault));
    out_opened->seals_answer = true;
    TG_TRY(parse_inside(out_opened, &inside, out_fault));
    TG_TRY(check_target(context, route, &inside, out_fault));
    TG_TRY(check_content(route, &inside, out_fault));
    TG_TRY(keep(&inside, out_opened, out_fault));
    return admit(context, request.enc, out_opened, out_fault);
}
