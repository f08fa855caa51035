#include "tool/dek_aws_command.h"

#include "aws/arn.h"
#include "sys/clock.h"
#include "tool/aws_session.h"
#include "tool/console.h"
#include "tool/dek_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { TOKEN_BYTES = 40, ID_BYTES = 32, DEK_BYTES = 32, MAX_OUTPUT_BYTES = 65536 };

/* What both commands go on. */
typedef struct dek_job {
    const tg_invocation *invocation;
    const char *secret, *key; /* names or ARNs */
    tg_aws_session *session;
    json_t *ring;
    bool is_new_secret; /* it does not exist yet */
} dek_job;

/* `20261121T081233.123Z`: sorts by age, and says when. */
static const char *id_of(const tg_invocation *invocation, char out[ID_BYTES])
{
    const char *given = tg_invocation_value(invocation, "id");
    char now[25];
    size_t len = 0;
    if (given != NULL) {
        return given;
    }
    tg_clock_format(tg_clock_unix_ms(), now);
    for (const char *c = now; *c != 0; c++) {
        if (*c != '-' && *c != ':') {
            out[len++] = *c;
        }
    }
    out[len] = 0;
    return out;
}

/* Secrets Manager takes a write once for each token. */
static tg_result make_token(char out[TOKEN_BYTES + 1])
{
    uint8_t random[TOKEN_BYTES / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return tg_fail(TG_ERR_LIBRARY);
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    }
    return tg_ok();
}

static tg_result call(dek_job *job, tg_aws_service service, const char *operation, json_t *body, json_t **out_answer,
                      tg_detail *detail)
{
    tg_result asked = body != NULL ? tg_aws_session_call(job->session, service, operation, body, out_answer, detail)
                                   : tg_fail(TG_ERR_MEMORY);
    json_decref(body);
    return asked;
}

/* The ring that the secret holds; none where it does not exist, or has no value yet. */
static tg_result read_ring(dek_job *job, tg_detail *detail)
{
    json_t *answer = NULL;
    tg_result read = call(job, TG_AWS_SECRETS_MANAGER, "GetSecretValue", json_pack("{s:s}", "SecretId", job->secret),
                          &answer, detail);
    if (read.code == TG_ERR_NOT_FOUND) {
        job->is_new_secret = true;
        return tg_ok();
    }
    TG_TRY(read);
    read = tg_dek_ring_read(answer, &job->ring, detail);
    json_decref(answer);
    return read;
}

/* A key that is sealed with another context than the enclaves give can never be opened: what is no pair is refused. */
static tg_result add_pair(json_t *context, const char *given, tg_detail *detail)
{
    const char *equals = strchr(given, '=');
    size_t len = equals != NULL ? (size_t)(equals - given) : 0;
    if (len == 0 || json_object_getn(context, given, len) != NULL) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("--context"));
        tg_detail_set_reason(detail, len == 0 ? "%s is no NAME=VALUE" : "%s names what stands there already", given);
        return tg_fail(TG_ERR_SYNTAX);
    }
    return json_object_setn_new(context, given, len, json_string(equals + 1)) == 0 ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

static tg_result read_context(const tg_invocation *invocation, json_t *context, tg_detail *detail)
{
    const char *given;
    for (size_t i = 0; (given = tg_invocation_value_at(invocation, "context", i)) != NULL; i++) {
        TG_TRY(add_pair(context, given, detail));
    }
    return tg_ok();
}

/* KMS makes the key and gives its ciphertext alone. */
static tg_result generate(dek_job *job, const char *state, tg_detail *detail)
{
    char id[ID_BYTES];
    json_t *answer = NULL, *context = json_object();
    tg_result read = context != NULL ? read_context(job->invocation, context, detail) : tg_fail(TG_ERR_MEMORY);
    if (!tg_is_ok(read)) {
        json_decref(context);
        return read;
    }
    TG_TRY(
        call(job, TG_AWS_KMS, "GenerateDataKeyWithoutPlaintext",
             json_pack("{s:s, s:i, s:o}", "KeyId", job->key, "NumberOfBytes", DEK_BYTES, "EncryptionContext", context),
             &answer, detail));
    const char *ciphertext = json_string_value(json_object_get(answer, "CiphertextBlob"));
    tg_result added = tg_fail(TG_ERR_SYNTAX);
    if (ciphertext == NULL) {
        tg_detail_set_reason(detail, "KMS answered without a ciphertext");
    } else {
        added = tg_dek_ring_add(job->ring, id_of(job->invocation, id), ciphertext, state, detail);
    }
    json_decref(answer);
    return added;
}

static tg_result write_ring(dek_job *job, tg_detail *detail)
{
    char token[TOKEN_BYTES + 1];
    json_t *answer = NULL;
    char *text = json_dumps(job->ring, JSON_COMPACT);
    tg_result written = text != NULL ? make_token(token) : tg_fail(TG_ERR_MEMORY);
    bool is_created = job->is_new_secret && strncmp(job->secret, "arn:", 4) != 0;
    if (tg_is_ok(written) && is_created) {
        written =
            call(job, TG_AWS_SECRETS_MANAGER, "CreateSecret",
                 json_pack("{s:s, s:s, s:s}", "Name", job->secret, "SecretString", text, "ClientRequestToken", token),
                 &answer, detail);
    }
    if (tg_is_ok(written) ? !is_created : written.code == TG_ERR_EXISTS) {
        written = call(
            job, TG_AWS_SECRETS_MANAGER, "PutSecretValue",
            json_pack("{s:s, s:s, s:s}", "SecretId", job->secret, "SecretString", text, "ClientRequestToken", token),
            &answer, detail);
    }
    free(text);
    if (tg_is_ok(written)) {
        json_object_set(job->ring, "arn", json_object_get(answer, "ARN"));
        json_decref(answer);
    }
    return written;
}

static int print_ring(const dek_job *job, tg_console *console)
{
    tg_buf out;
    size_t i = 0;
    json_t *entry = NULL;
    const char *arn = json_string_value(json_object_get(job->ring, "arn"));
    tg_buf_init(&out, MAX_OUTPUT_BYTES);
    tg_result put = tg_buf_printf(&out, "SECRET_ARN=%s\n", arn != NULL ? arn : job->secret);
    json_array_foreach(json_object_get(job->ring, "keys"), i, entry)
    {
        put = tg_is_ok(put) ? tg_buf_printf(&out, "%-8s %s\n", json_string_value(json_object_get(entry, "state")),
                                            json_string_value(json_object_get(entry, "id")))
                            : put;
    }
    int status = tg_is_ok(put) ? tg_console_write(console, tg_buf_slice(&out))
                               : tg_console_fail_result(console, "the ring cannot be shown", put);
    tg_buf_done(&out);
    return status;
}

static tg_result create(dek_job *job, tg_detail *detail)
{
    TG_TRY(read_ring(job, detail));
    if (job->ring != NULL) {
        tg_detail_set_reason(detail, "the secret holds data keys already");
        tg_detail_set_remedy(detail, "`teegate dek rotate` adds one; nothing is overwritten");
        return tg_fail(TG_ERR_EXISTS);
    }
    job->ring = json_pack("{s:[]}", "keys");
    TG_TRY(job->ring != NULL ? generate(job, "current", detail) : tg_fail(TG_ERR_MEMORY));
    return write_ring(job, detail);
}

static tg_result rotate(dek_job *job, tg_detail *detail)
{
    const char *dropped = tg_invocation_value(job->invocation, "drop");
    TG_TRY(read_ring(job, detail));
    if (job->ring == NULL) {
        tg_detail_set_reason(detail, "the secret holds no data key");
        tg_detail_set_remedy(detail, "`teegate dek create` makes the first");
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    TG_TRY(dropped != NULL ? tg_dek_ring_drop(job->ring, dropped, detail) : tg_ok());
    if (tg_invocation_has(job->invocation, "finish")) {
        TG_TRY(tg_dek_ring_finish(job->ring, detail));
    } else if (dropped == NULL) {
        TG_TRY(generate(job, "pending", detail));
    }
    return write_ring(job, detail);
}

/* The region that the secret's or the key's ARN names; else the environment's. */
static tg_slice region_of(const dek_job *job)
{
    const char *given = tg_invocation_value(job->invocation, "region");
    const char *const named[] = {job->secret, job->key};
    tg_aws_arn arn;
    for (size_t i = 0; given == NULL && i < TG_COUNT(named); i++) {
        if (named[i] != NULL && tg_is_ok(tg_aws_arn_parse(tg_slice_str(named[i]), &arn)) && arn.region.len > 0) {
            return arn.region;
        }
    }
    return tg_slice_str(given);
}

static int run(const tg_invocation *invocation, tg_console *console, bool needs_key,
               tg_result (*work)(dek_job *job, tg_detail *detail))
{
    dek_job job = {.invocation = invocation,
                   .secret = tg_invocation_value(invocation, "secret"),
                   .key = tg_invocation_value(invocation, "kms-key")};
    tg_detail detail = {0};
    if (job.secret == NULL) {
        return tg_console_fail_text(console, "--secret NAME|ARN is missing");
    }
    if (needs_key && job.key == NULL) {
        return tg_console_fail_text(console, "--kms-key KEY is missing");
    }
    tg_result done = tg_aws_session_open(region_of(&job), &job.session, &detail);
    if (tg_is_ok(done)) {
        done = work(&job, &detail);
    }
    int status = tg_is_ok(done) ? print_ring(&job, console) : tg_console_fail(console, &detail);
    json_decref(job.ring);
    tg_aws_session_close(job.session);
    return status;
}

static int run_create(const tg_invocation *invocation, tg_console *console)
{
    return run(invocation, console, true, create);
}

static int run_rotate(const tg_invocation *invocation, tg_console *console)
{
    bool is_adding = !tg_invocation_has(invocation, "finish") && tg_invocation_value(invocation, "drop") == NULL;
    return run(invocation, console, is_adding, rotate);
}

#define SECRET_OPTION                                                                                                  \
    {                                                                                                                  \
        .name = "secret", .argument = "NAME|ARN", .help = "the secret that holds the sealed keys"                      \
    }
#define KEY_OPTION                                                                                                     \
    {                                                                                                                  \
        .name = "kms-key", .argument = "KEY", .help = "the KMS key that seals: its ARN, id or alias"                   \
    }
#define CONTEXT_OPTION                                                                                                 \
    {                                                                                                                  \
        .name = "context", .argument = "NAME=VALUE", .is_repeatable = true, .help = "KMS's encryption context"         \
    }
#define ID_OPTION                                                                                                      \
    {                                                                                                                  \
        .name = "id", .argument = "ID", .help = "the key's id; the time by default"                                    \
    }
#define REGION_OPTION                                                                                                  \
    {                                                                                                                  \
        .name = "region", .argument = "REGION", .help = "where no ARN and no AWS_REGION says it"                       \
    }

static const tg_option create_options[] = {SECRET_OPTION, KEY_OPTION, CONTEXT_OPTION, ID_OPTION, REGION_OPTION};
static const tg_option rotate_options[] = {
    SECRET_OPTION,
    KEY_OPTION,
    CONTEXT_OPTION,
    ID_OPTION,
    REGION_OPTION,
    {.name = "finish", .help = "make the pending key current, an interval after it was added"},
    {.name = "drop", .argument = "ID", .help = "remove a retired key: what it sealed can never be opened again"},
};

const tg_command tg_dek_create_command = {
    .name = "create",
    .summary = "Make the first data key of a secret, by KMS.",
    .description =
        "KMS makes the key and gives its ciphertext alone: neither this program nor any person sees it. Only what\n"
        "the KMS key's policy allows can open it. Nothing is overwritten. AWS is reached with the credentials,\n"
        "region and endpoints that AWS's own programs use.",
    .options = create_options,
    .num_options = TG_COUNT(create_options),
    .examples =
        "  teegate dek create --secret tee/dek --kms-key arn:aws:kms:eu-west-1:111122223333:key/... --context app=tee",
    .run = run_create,
};

const tg_command tg_dek_rotate_command = {
    .name = "rotate",
    .summary = "Add a data key to a secret, and make it the one that seals.",
    .description =
        "Without --finish a key is added as pending: enclaves open with it. An interval later\n"
        "(DEK_ROTATION_INTERVAL_SECS), --finish makes it current; the key before stays, retired, for old tokens.",
    .options = rotate_options,
    .num_options = TG_COUNT(rotate_options),
    .examples = "  teegate dek rotate --secret tee/dek --kms-key arn:aws:kms:eu-west-1:111122223333:key/...\n"
                "  teegate dek rotate --secret tee/dek --finish",
    .run = run_rotate,
};
