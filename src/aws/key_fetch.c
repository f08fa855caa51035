#include "aws/key_fetch.h"

#include "http/target.h"
#include "sys/environment.h"
#include "sys/file.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_FILE_BYTES = 256 << 10,
    MAX_ANSWER_BYTES = 64 << 10,
    MAX_ROLE_BYTES = 256,
    METADATA_TOKEN_S = 60,
    STS_MS = 15000,
    NEAR_MS = 5000 /* of what is on this machine, or nowhere */
};

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

/* Which answer is awaited. */
typedef enum fetch_step { STS, CONTAINER, METADATA_TOKEN, METADATA_ROLE, METADATA_KEYS } fetch_step;

struct tg_aws_key_fetch {
    tg_aws_transport *transport;
    tg_aws_key_fetch_fn *done;
    void *owner;
    fetch_step step;
    tg_aws_endpoint endpoint;
    tg_http_call *call;
    tg_buf target;
    tg_buf body;
    tg_buf token;       /* what authorizes the next request */
    const char *reason; /* why the source cannot be asked, where more is known than a code */
    tg_tick tick;
    tg_aws_key_set *set; /* for the tick */
    tg_aws_failure failure;
};

static const char *variable(const tg_aws_key_fetch *fetch, const char *name)
{
    const char *value = tg_environment_get(tg_aws_transport_environment(fetch->transport), name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

static void on_tick(tg_tick *tick)
{
    tg_aws_key_fetch *fetch = TG_OBJECT_OF(tick, tg_aws_key_fetch, tick);
    fetch->done(TG_TAKE(fetch->set), &fetch->failure, fetch->owner); /* the fetch is gone */
}

/* The owner is told in the next turn. */
static void finish(tg_aws_key_fetch *fetch, tg_result result, const char *source, const char *reason)
{
    char text[256];
    if (!tg_is_ok(result)) {
        snprintf(text, sizeof text, "credentials: %s: %s", source, reason);
        tg_aws_failure_set(&fetch->failure, result, TG_AWS_GIVE_UP, tg_slice_str(text));
    }
    tg_loop_tick(tg_aws_transport_loop(fetch->transport), &fetch->tick);
}

/* A failure with its reason. */
static tg_result explain(tg_aws_key_fetch *fetch, tg_result result, const char *reason)
{
    if (!tg_is_ok(result) && result.code != TG_ERR_MEMORY) {
        fetch->reason = reason;
    }
    return result;
}

static tg_result ask(tg_aws_key_fetch *fetch, const char *method, const tg_http_header *headers, size_t num_headers);

static const char *source_of(fetch_step step)
{
    return step == STS ? "STS" : step == CONTAINER ? "container endpoint" : "instance metadata";
}

static tg_result take_text(tg_slice body, size_t max, tg_buf *buf)
{
    tg_slice text = tg_slice_trim(body, " \t\r\n");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    tg_buf_clear(buf);
    return text.len > 0 && text.len <= max ? tg_buf_append(buf, text) : tg_fail(TG_ERR_SYNTAX);
}

/* With the session's token: the role's name, then its keys. */
static tg_result ask_metadata(tg_aws_key_fetch *fetch, tg_slice role)
{
    const tg_http_header header = {TG_LIT("X-aws-ec2-metadata-token"), tg_buf_slice(&fetch->token)};
    fetch->step = role.len > 0 ? METADATA_KEYS : METADATA_ROLE;
    tg_buf_clear(&fetch->target);
    TG_TRY(tg_buf_append_str(&fetch->target, role_path));
    TG_TRY(tg_aws_uri_append(role, false, &fetch->target));
    return ask(fetch, "GET", &header, 1);
}

/* What the answer of this step leads to. *out_is_over: the keys are there. */
static tg_result go_on(tg_aws_key_fetch *fetch, tg_slice body, bool *out_is_over)
{
    *out_is_over = false;
    switch (fetch->step) {
    case METADATA_TOKEN:
        TG_TRY(take_text(body, TG_AWS_MAX_TOKEN_BYTES, &fetch->token));
        return ask_metadata(fetch, (tg_slice){NULL, 0});
    case METADATA_ROLE:
        TG_TRY(take_text(body, MAX_ROLE_BYTES, &fetch->body));
        return ask_metadata(fetch, tg_buf_slice(&fetch->body));
    case STS:
        *out_is_over = true;
        return tg_aws_key_set_parse_sts(body, &fetch->set);
    case CONTAINER:
    case METADATA_KEYS:
        break;
    }
    *out_is_over = true;
    return tg_aws_key_set_parse_json(body, &fetch->set);
}

static void on_answer(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    tg_aws_key_fetch *fetch = owner;
    const tg_http_answer *answer = outcome->answer;
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
    const char *source = source_of(fetch->step);
    bool is_over;
    (void)call;
    fetch->call = NULL;
    if (!tg_is_ok(outcome->result)) {
        finish(fetch, outcome->result, source, tg_http_outcome_format(outcome, text));
        return;
    }
    if (answer->status == 404 && fetch->step == METADATA_ROLE) {
        finish(fetch, tg_fail(TG_ERR_NOT_FOUND), source, "the instance has no role (HTTP 404)");
        return;
    }
    if (answer->status != 200) {
        tg_aws_failure read;
        tg_buf said;
        tg_aws_failure_read(answer->status, answer->headers, answer->num_headers, answer->body,
                            tg_aws_transport_now_s(fetch->transport), &read);
        tg_buf_init(&said, 1024);
        tg_result result = tg_aws_failure_append(&read, &said);
        if (!tg_is_ok(result) || !tg_is_ok(tg_buf_append_byte(&said, 0))) {
            tg_buf_clear(&said);
        }
        finish(fetch, tg_fail(TG_ERR_DENIED), source, said.ptr != NULL ? (const char *)tg_buf_slice(&said).ptr : "");
        tg_buf_done(&said);
        return;
    }
    tg_result result = go_on(fetch, answer->body, &is_over);
    if (is_over || !tg_is_ok(result)) {
        finish(fetch, result, source, "it answered nothing that holds credentials");
    }
}

static tg_result ask(tg_aws_key_fetch *fetch, const char *method, const tg_http_header *headers, size_t num_headers)
{
    static const tg_http_call_handlers handlers = {.on_done = on_answer};
    const tg_http_deadlines deadlines = {.whole_ms = fetch->step == STS ? STS_MS : NEAR_MS};
    tg_http_client *client;
    tg_http_ask ask = {.method = tg_slice_str(method),
                       .target = tg_buf_slice(&fetch->target),
                       .headers = headers,
                       .num_headers = num_headers,
                       .body = tg_buf_slice(&fetch->body),
                       .max_answer_bytes = MAX_ANSWER_BYTES,
                       .deadlines = &deadlines};
    if (fetch->step != STS) {
        ask.body = (tg_slice){NULL, 0};
    }
    TG_TRY(tg_aws_transport_client(fetch->transport, &fetch->endpoint, &client));
    return tg_http_call_start(client, &ask, &handlers, fetch, &fetch->call);
}

/* The environment's own keys. */
static tg_result take_environment(tg_aws_key_fetch *fetch)
{
    const tg_aws_keys keys = {tg_slice_str(variable(fetch, "AWS_ACCESS_KEY_ID")),
                              tg_slice_str(variable(fetch, "AWS_SECRET_ACCESS_KEY")),
                              tg_slice_str(variable(fetch, "AWS_SESSION_TOKEN"))};
    return explain(fetch, tg_aws_key_set_new(&keys, 0, &fetch->set),
                   "AWS_SECRET_ACCESS_KEY is missing beside AWS_ACCESS_KEY_ID, or one of them is no key");
}

static tg_result append_parameter(tg_buf *buf, const char *name, tg_slice value)
{
    TG_TRY(tg_buf_append_byte(buf, '&'));
    TG_TRY(tg_buf_append_str(buf, name));
    TG_TRY(tg_buf_append_byte(buf, '='));
    return tg_aws_uri_append(value, false, buf);
}

/* POST of a form to STS, which no signature is needed for: the token is what authorizes. */
static tg_result ask_sts(tg_aws_key_fetch *fetch)
{
    static const tg_http_header header = {TG_LIT("Content-Type"), TG_LIT("application/x-www-form-urlencoded")};
    const char *name = variable(fetch, "AWS_ROLE_SESSION_NAME");
    fetch->step = STS;
    TG_TRY(explain(fetch, tg_file_read(variable(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE"), &fetch->token),
                   "the file that AWS_WEB_IDENTITY_TOKEN_FILE names cannot be read, or is too long"));
    TG_TRY(tg_buf_append_str(&fetch->body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"));
    TG_TRY(append_parameter(&fetch->body, "RoleArn", tg_slice_str(variable(fetch, "AWS_ROLE_ARN"))));
    TG_TRY(append_parameter(&fetch->body, "RoleSessionName", tg_slice_str(name != NULL ? name : "teegate")));
    TG_TRY(append_parameter(&fetch->body, "WebIdentityToken", tg_slice_trim(tg_buf_slice(&fetch->token), " \t\r\n")));
    TG_TRY(tg_buf_append_str(&fetch->target, "/"));
    TG_TRY(tg_aws_endpoint_find(TG_AWS_STS, tg_aws_transport_region(fetch->transport),
                                tg_aws_transport_environment(fetch->transport), &fetch->endpoint, NULL));
    return ask(fetch, "POST", &header, 1);
}

/* Where a container's token may be sent in plain text (AWS SDKs reference guide, "Container credential provider"). */
static bool may_be_plain(const tg_aws_endpoint *endpoint)
{
    static const char *const hosts[] = {"127.0.0.1",      "localhost",    "::1", "169.254.170.2",
                                        "169.254.170.23", "fd00:ec2::23", NULL};
    for (size_t i = 0; hosts[i] != NULL; i++) {
        if (strcmp(endpoint->host, hosts[i]) == 0) {
            return true;
        }
    }
    return endpoint->is_tls;
}

static tg_result find_container(tg_aws_key_fetch *fetch)
{
    const char *relative = variable(fetch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    if (relative != NULL) {
        TG_TRY(tg_buf_append_str(&fetch->target, relative));
        return tg_aws_endpoint_of(TG_AWS_CONTAINER, tg_aws_transport_region(fetch->transport), &fetch->endpoint);
    }
    tg_slice url = tg_slice_str(variable(fetch, "AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    size_t scheme = tg_slice_starts(url, TG_LIT("https://")) ? 8 : 7;
    size_t path = scheme + tg_slice_find(tg_slice_from(url, scheme), '/');
    TG_TRY(explain(fetch, tg_aws_endpoint_parse(TG_AWS_CONTAINER, tg_slice_first(url, path), &fetch->endpoint),
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL"));
    TG_TRY(path < url.len ? tg_buf_append(&fetch->target, tg_slice_from(url, path))
                          : tg_buf_append_str(&fetch->target, "/"));
    return explain(fetch, may_be_plain(&fetch->endpoint) ? tg_ok() : tg_fail(TG_ERR_DENIED),
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI may be http:// on loopback and the agents' addresses alone");
}

static tg_result ask_container(tg_aws_key_fetch *fetch)
{
    const char *file = variable(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = variable(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    fetch->step = CONTAINER;
    TG_TRY(find_container(fetch));
    if (file != NULL) {
        TG_TRY(explain(fetch, tg_file_read(file, &fetch->token),
                       "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be read, or is too long"));
    } else if (token != NULL) {
        TG_TRY(tg_buf_append_str(&fetch->token, token));
    }
    const tg_http_header header = {TG_LIT("Authorization"), tg_slice_trim(tg_buf_slice(&fetch->token), " \t\r\n")};
    return ask(fetch, "GET", &header, header.value.len > 0 ? 1 : 0);
}

static tg_result ask_instance(tg_aws_key_fetch *fetch)
{
    char seconds[16];
    const tg_http_header header = {
        TG_LIT("X-aws-ec2-metadata-token-ttl-seconds"),
        tg_slice_of(seconds, (size_t)snprintf(seconds, sizeof seconds, "%d", METADATA_TOKEN_S))};
    fetch->step = METADATA_TOKEN;
    TG_TRY(tg_aws_endpoint_find(TG_AWS_METADATA, tg_aws_transport_region(fetch->transport),
                                tg_aws_transport_environment(fetch->transport), &fetch->endpoint, NULL));
    TG_TRY(tg_buf_append_str(&fetch->target, "/latest/api/token"));
    return ask(fetch, "PUT", &header, 1);
}

static tg_result read_profile(tg_aws_key_fetch *fetch, const char *path, bool is_config)
{
    const char *profile = variable(fetch, "AWS_PROFILE");
    tg_buf text;
    tg_buf_init_wiped(&text, MAX_FILE_BYTES);
    tg_result result = tg_file_read(path, &text);
    if (tg_is_ok(result)) {
        result = tg_aws_key_set_parse_profile(tg_buf_slice(&text), tg_slice_str(profile != NULL ? profile : "default"),
                                              is_config, &fetch->set);
    } else if (result.code == TG_ERR_SYSTEM) {
        result = tg_fail(TG_ERR_NOT_FOUND); /* no such file, or not for us */
    }
    tg_buf_done(&text);
    return result;
}

/* err   TG_ERR_NOT_FOUND: there are no files, or they hold no keys */
static tg_result take_files(tg_aws_key_fetch *fetch)
{
    static const char *const variables[] = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"};
    static const char *const names[] = {"credentials", "config"};
    const char *home = variable(fetch, "HOME");
    tg_result result = tg_fail(TG_ERR_NOT_FOUND);
    for (size_t i = 0; i < TG_COUNT(names) && result.code == TG_ERR_NOT_FOUND; i++) {
        char path[4096];
        const char *named = variable(fetch, variables[i]);
        int len = named != NULL ? snprintf(path, sizeof path, "%s", named)
                                : snprintf(path, sizeof path, "%s/.aws/%s", home != NULL ? home : "", names[i]);
        if (len < (int)sizeof path && (named != NULL || home != NULL)) {
            result = read_profile(fetch, path, i == 1);
        }
    }
    return explain(fetch, result,
                   result.code == TG_ERR_NOT_FOUND
                       ? "the profile that AWS_PROFILE names holds no keys"
                       : "a line of a shared file is none of theirs, or one of two keys is missing");
}

/* The first source that is configured. */
static tg_result start(tg_aws_key_fetch *fetch, const char **out_source, bool *out_is_over)
{
    *out_is_over = true;
    *out_source = "environment";
    if (variable(fetch, "AWS_ACCESS_KEY_ID") != NULL) {
        return take_environment(fetch);
    }
    *out_is_over = false;
    *out_source = "web identity";
    if (variable(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL && variable(fetch, "AWS_ROLE_ARN") != NULL) {
        return ask_sts(fetch);
    }
    *out_source = "shared files";
    tg_result result = take_files(fetch);
    if (result.code != TG_ERR_NOT_FOUND ||
        variable(fetch, "AWS_PROFILE") != NULL) { /* whom it names, and nobody else */
        *out_is_over = true;
        return result;
    }
    fetch->reason = NULL;
    *out_source = "container";
    if (variable(fetch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
        variable(fetch, "AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL) {
        return ask_container(fetch);
    }
    *out_source = "instance";
    const char *disabled = variable(fetch, "AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcmp(disabled, "true") == 0) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    return ask_instance(fetch);
}

tg_result tg_aws_key_fetch_start(tg_aws_transport *transport, tg_aws_key_fetch_fn *done, void *owner,
                                 const char **out_source, tg_aws_key_fetch **out_fetch)
{
    tg_aws_key_fetch *fetch = calloc(1, sizeof *fetch);
    bool is_over;
    if (fetch == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    fetch->transport = transport;
    fetch->done = done;
    fetch->owner = owner;
    fetch->tick.run = on_tick;
    tg_buf_init(&fetch->target, MAX_FILE_BYTES);
    tg_buf_init_wiped(&fetch->body, MAX_FILE_BYTES);
    tg_buf_init_wiped(&fetch->token, TG_AWS_MAX_TOKEN_BYTES);
    *out_fetch = fetch;
    tg_result result = start(fetch, out_source, &is_over);
    if (is_over || !tg_is_ok(result)) {
        const char *reason = result.code == TG_ERR_NOT_FOUND ? "none are configured" : tg_code_name(result.code);
        finish(fetch, result, *out_source, fetch->reason != NULL ? fetch->reason : reason);
    }
    return tg_ok();
}

void tg_aws_key_fetch_free(tg_aws_key_fetch *fetch)
{
    if (fetch != NULL) {
        tg_tick_cancel(&fetch->tick);
        tg_http_call_cancel(fetch->call);
        tg_aws_key_set_unref(fetch->set);
        tg_buf_done(&fetch->target);
        tg_buf_done(&fetch->body);
        tg_buf_done(&fetch->token);
        free(fetch);
    }
}
