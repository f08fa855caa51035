#include "aws/request.h"

#include "aws/digest.h"

#include <stdio.h>

enum {
    MAX_ARENA_BYTES = 1 << 20,
    MAX_AUTHORIZATION_BYTES = 2048,
    MAX_TARGET_BYTES = 16384,
    DEFAULT_ANSWER_BYTES = 1 << 20,
    OWN_HEADERS = 8,
    HEAD_MS = 10000 /* one that is lost on its way is asked again within the whole */
};

bool tg_aws_is_json_service(tg_aws_service service)
{
    return service == TG_AWS_KMS || service == TG_AWS_SECRETS_MANAGER;
}

static tg_result copy_headers(tg_aws_request *request, const tg_aws_ask *ask)
{
    tg_http_header *headers = tg_arena_zalloc(&request->arena, ask->num_headers + 1, sizeof *headers);
    if (headers == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < ask->num_headers; i++) {
        TG_TRY(tg_arena_copy(&request->arena, ask->headers[i].name, &headers[i].name));
        TG_TRY(tg_arena_copy(&request->arena, ask->headers[i].value, &headers[i].value));
    }
    request->ask.headers = headers;
    return tg_ok();
}

/* `/BUCKET/KEY` or, at the bucket's own host, `/KEY`. */
static tg_result find_path(tg_aws_request *request, const tg_aws_ask *ask)
{
    tg_slice path = ask->path.len > 0 ? ask->path : TG_LIT("/");
    tg_buf joined;
    if (ask->service != TG_AWS_S3) {
        return tg_arena_copy(&request->arena, path, &request->path);
    }
    if (!tg_aws_bucket_is_valid(ask->bucket)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (tg_aws_endpoint_of_bucket(&request->endpoint, ask->bucket)) {
        return tg_arena_copy(&request->arena, path, &request->path);
    }
    tg_buf_init(&joined, MAX_TARGET_BYTES);
    tg_result result = tg_buf_append_byte(&joined, '/');
    result = tg_is_ok(result) ? tg_buf_append(&joined, ask->bucket) : result;
    result = tg_is_ok(result) ? tg_buf_append(&joined, path) : result;
    result = tg_is_ok(result) ? tg_arena_copy(&request->arena, tg_buf_slice(&joined), &request->path) : result;
    tg_buf_done(&joined);
    return result;
}

static tg_result fill(tg_aws_request *request, const tg_aws_transport *transport, const tg_aws_ask *ask)
{
    tg_buf hash;
    TG_TRY(tg_aws_endpoint_find(ask->service, tg_aws_transport_region(transport),
                                tg_aws_transport_environment(transport), &request->endpoint, NULL));
    TG_TRY(find_path(request, ask));
    TG_TRY(copy_headers(request, ask));
    TG_TRY(tg_arena_copy(&request->arena, ask->method.len > 0 ? ask->method : TG_LIT("POST"), &request->ask.method));
    TG_TRY(tg_arena_copy(&request->arena, ask->query, &request->ask.query));
    TG_TRY(tg_arena_copy(&request->arena, ask->body, &request->ask.body));
    tg_buf_init(&hash, sizeof request->payload_hash - 1);
    tg_result result = tg_aws_sha256_append(ask->body, &hash);
    if (tg_is_ok(result) && tg_buf_slice(&hash).ptr != NULL) {
        memcpy(request->payload_hash, tg_buf_slice(&hash).ptr, sizeof request->payload_hash - 1);
    }
    tg_buf_done(&hash);
    return result;
}

tg_result tg_aws_request_init(const tg_aws_transport *transport, const tg_aws_ask *ask, tg_aws_request *out_request)
{
    if (ask->num_headers > TG_AWS_MAX_CALL_HEADERS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_aws_request request = {.ask = *ask};
    request.ask.path = request.ask.bucket = (tg_slice){NULL, 0}; /* find_path joins them */
    request.ask.max_answer_bytes = ask->max_answer_bytes > 0 ? ask->max_answer_bytes : DEFAULT_ANSWER_BYTES;
    tg_arena_init(&request.arena, MAX_ARENA_BYTES, true);
    tg_result result = fill(&request, transport, ask);
    if (!tg_is_ok(result)) {
        tg_arena_done(&request.arena);
        return result;
    }
    *out_request = request;
    return tg_ok();
}

void tg_aws_request_done(tg_aws_request *request)
{
    tg_arena_done(&request->arena);
}

/* The texts of one attempt. */
typedef struct signed_parts {
    char date[TG_SIGV4_DATE_BYTES];
    char operation[96]; /* X-Amz-Target */
    tg_http_header headers[TG_AWS_MAX_CALL_HEADERS + OWN_HEADERS];
    size_t num_headers;
} signed_parts;

static void add(signed_parts *parts, tg_slice name, tg_slice value)
{
    parts->headers[parts->num_headers++] = (tg_http_header){name, value};
}

/* Host stands first: it is signed, and the HTTP client writes its own. */
static void collect(const tg_aws_request *request, const tg_aws_keys *keys, signed_parts *parts)
{
    const tg_aws_ask *ask = &request->ask;
    add(parts, TG_LIT("host"), tg_slice_str(request->endpoint.authority));
    add(parts, TG_LIT("X-Amz-Date"), tg_slice_str(parts->date));
    if (keys->session_token.len > 0) {
        add(parts, TG_LIT("X-Amz-Security-Token"), keys->session_token);
    }
    if (ask->service == TG_AWS_S3) {
        add(parts, TG_LIT("X-Amz-Content-Sha256"), tg_slice_str(request->payload_hash));
    }
    if (tg_aws_is_json_service(ask->service)) {
        const char *prefix = ask->service == TG_AWS_KMS ? "TrentService" : "secretsmanager";
        snprintf(parts->operation, sizeof parts->operation, "%s.%s", prefix, ask->operation);
        add(parts, TG_LIT("Content-Type"), TG_LIT("application/x-amz-json-1.1"));
        add(parts, TG_LIT("X-Amz-Target"), tg_slice_str(parts->operation));
    }
    for (size_t i = 0; i < ask->num_headers; i++) {
        add(parts, ask->headers[i].name, ask->headers[i].value);
    }
}

static tg_result sign(const tg_aws_request *request, const tg_aws_transport *transport, const tg_aws_keys *keys,
                      uint64_t unix_s, const signed_parts *parts, tg_buf *buf)
{
    const tg_sigv4_scope scope = {.region = tg_aws_transport_region(transport),
                                  .service = tg_slice_str(tg_aws_service_name(request->ask.service)),
                                  .unix_s = unix_s};
    const tg_sigv4_request asked = {.method = request->ask.method,
                                    .path = request->path,
                                    .query = request->ask.query,
                                    .headers = parts->headers,
                                    .num_headers = parts->num_headers,
                                    .payload_hash = tg_slice_str(request->payload_hash),
                                    .is_path_verbatim = request->ask.service == TG_AWS_S3};
    return tg_sigv4_sign(keys, &scope, &asked, buf);
}

static tg_result append_target(const tg_aws_request *request, tg_buf *buf)
{
    TG_TRY(tg_buf_append(buf, request->path));
    TG_TRY(tg_buf_append_str(buf, request->ask.query.len > 0 ? "?" : ""));
    return tg_buf_append(buf, request->ask.query);
}

tg_result tg_aws_request_send(tg_aws_request *request, tg_aws_transport *transport, const tg_aws_keys *keys,
                              uint64_t unix_s, uint64_t whole_ms, const tg_http_call_handlers *handlers, void *owner,
                              tg_http_call **out_call)
{
    signed_parts parts = {.num_headers = 0};
    tg_buf authorization, target;
    tg_http_client *client;
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    tg_http_deadlines deadlines = limits.deadlines;
    deadlines.whole_ms = whole_ms;
    deadlines.head_ms = HEAD_MS;
    tg_sigv4_format_date(unix_s, parts.date);
    tg_buf_init(&authorization, MAX_AUTHORIZATION_BYTES);
    tg_buf_init(&target, MAX_TARGET_BYTES);
    collect(request, keys, &parts);
    tg_result result = sign(request, transport, keys, unix_s, &parts, &authorization);
    result = tg_is_ok(result) ? append_target(request, &target) : result;
    result = tg_is_ok(result) ? tg_aws_transport_client(transport, &request->endpoint, &client) : result;
    if (tg_is_ok(result)) {
        add(&parts, TG_LIT("Authorization"), tg_buf_slice(&authorization));
        const tg_http_ask ask = {.method = request->ask.method,
                                 .target = tg_buf_slice(&target),
                                 .headers = parts.headers + 1,
                                 .num_headers = parts.num_headers - 1,
                                 .body = request->ask.body,
                                 .max_answer_bytes = request->ask.max_answer_bytes,
                                 .deadlines = &deadlines};
        result = tg_http_call_start(client, &ask, handlers, owner, out_call);
    }
    tg_buf_done(&authorization);
    tg_buf_done(&target);
    return result;
}
