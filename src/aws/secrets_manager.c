#include "aws/secrets_manager.h"

#include "aws/json.h"
#include "aws/reader.h"

enum { MAX_ASK_BYTES = 256 << 10 };

typedef struct secret_call {
    tg_aws_reader reader; /* first */
    bool is_read;
    tg_aws_secret secret;
    tg_aws_secret_fn *done;
    void *owner;
} secret_call;

tg_result tg_aws_secret_read(const json_t *json, bool is_read, tg_buf *bytes, tg_aws_secret *out_secret)
{
    tg_aws_secret secret = {.is_binary = false};
    tg_slice text;
    size_t start = tg_buf_len(bytes);
    if (!tg_aws_json_text(json, "ARN", &secret.arn) || !tg_aws_json_text(json, "VersionId", &secret.version_id)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    bool has_text = tg_aws_json_text(json, "SecretString", &text);
    if (is_read && has_text) {
        TG_TRY(tg_buf_append(bytes, text));
    } else if (is_read) {
        tg_result result = tg_aws_json_bytes(json, "SecretBinary", bytes);
        TG_TRY(result.code == TG_ERR_NOT_FOUND ? tg_fail(TG_ERR_SYNTAX) : result);
        secret.is_binary = true;
    }
    secret.value = tg_slice_from(tg_buf_slice(bytes), start);
    *out_secret = secret;
    return tg_ok();
}

static tg_result read_call(tg_aws_reader *reader, const tg_aws_answer *came, tg_buf *bytes)
{
    secret_call *own = (secret_call *)reader;
    TG_TRY(tg_aws_secret_read(came->json, own->is_read, bytes, &own->secret));
    own->secret.request_id = came->request_id;
    return tg_ok();
}

static void tell(const tg_aws_reader *reader, const tg_aws_failure *failure)
{
    const secret_call *own = (const secret_call *)reader;
    own->done(failure == NULL ? &own->secret : NULL, failure, own->owner);
}

static tg_result start(tg_aws_client *client, bool is_read, tg_buf *body, tg_aws_secret_fn *done, void *owner,
                       tg_aws_call **out_call)
{
    const secret_call own = {
        .reader = {TG_AWS_MAX_SECRET_BYTES + 4, "Secrets Manager's answer holds no secret", read_call, tell},
        .is_read = is_read,
        .done = done,
        .owner = owner};
    TG_TRY(tg_buf_append_byte(body, '}'));
    const tg_aws_ask ask = {.service = TG_AWS_SECRETS_MANAGER,
                            .operation = is_read ? "GetSecretValue" : "PutSecretValue",
                            .body = tg_buf_slice(body)};
    return tg_aws_reader_start(client, &ask, &own.reader, sizeof own, out_call);
}

tg_result tg_aws_secret_get(tg_aws_client *client, tg_slice secret_id, tg_aws_secret_fn *done, void *owner,
                            tg_aws_call **out_call)
{
    tg_buf body;
    tg_buf_init(&body, MAX_ASK_BYTES);
    tg_result result = tg_buf_append_byte(&body, '{');
    result = tg_is_ok(result) ? tg_aws_json_append_text(&body, "SecretId", secret_id) : result;
    result = tg_is_ok(result) ? start(client, true, &body, done, owner, out_call) : result;
    tg_buf_done(&body);
    return result;
}

static tg_result append_put(tg_buf *body, tg_slice secret_id, tg_slice value, bool is_binary, tg_slice token)
{
    TG_TRY(tg_buf_append_byte(body, '{'));
    TG_TRY(tg_aws_json_append_text(body, "SecretId", secret_id));
    TG_TRY(tg_aws_json_append_text(body, "ClientRequestToken", token));
    return is_binary ? tg_aws_json_append_bytes(body, "SecretBinary", value)
                     : tg_aws_json_append_text(body, "SecretString", value);
}

tg_result tg_aws_secret_put(tg_aws_client *client, tg_slice secret_id, tg_slice value, bool is_binary, tg_slice token,
                            tg_aws_secret_fn *done, void *owner, tg_aws_call **out_call)
{
    tg_buf body;
    if (value.len > TG_AWS_MAX_SECRET_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_buf_init_wiped(&body, MAX_ASK_BYTES);
    tg_result result = append_put(&body, secret_id, value, is_binary, token);
    result = tg_is_ok(result) ? start(client, false, &body, done, owner, out_call) : result;
    tg_buf_done(&body);
    return result;
}
