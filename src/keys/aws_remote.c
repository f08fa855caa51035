#include "keys/aws_remote.h"

#include <stdlib.h>

enum { MAX_ANSWER_BYTES = 262144, WHOLE_MS = 30000 };

struct tg_aws_remote {
    tg_key_remote face; /* first */
    tg_aws_client *client;
    tg_aws_call *call; /* under way; NULL: none */
    tg_key_answer_fn *done;
    void *owner;
};

static void on_answer(tg_aws_call *call, const tg_aws_answer *answer, void *owner)
{
    tg_aws_remote *self = owner;
    const tg_aws_failure *failure = answer->failure;
    char request_id[128];
    (void)call;
    size_t len = answer->request_id.len < sizeof request_id - 1 ? answer->request_id.len : sizeof request_id - 1;
    if (len > 0) {
        memcpy(request_id, answer->request_id.ptr, len);
    }
    request_id[len] = 0;
    const tg_key_answer told = {.json = failure == NULL ? answer->json : NULL,
                                .status = answer->status,
                                .code = failure != NULL ? failure->code : "",
                                .message = failure != NULL ? failure->message : "its answer is no JSON object",
                                .request_id = failure != NULL ? failure->request_id : request_id};
    self->call = NULL;
    self->done(&told, self->owner);
}

static tg_result ask(tg_key_remote *remote, tg_key_operation operation, tg_slice body, tg_key_answer_fn *done,
                     void *owner)
{
    tg_aws_remote *self = (tg_aws_remote *)remote;
    bool is_secret = operation == TG_KEY_GET_SECRET;
    const tg_aws_ask asked = {.service = is_secret ? TG_AWS_SECRETS_MANAGER : TG_AWS_KMS,
                              .operation = is_secret ? "GetSecretValue" : "Decrypt",
                              .body = body,
                              .max_answer_bytes = MAX_ANSWER_BYTES,
                              .whole_ms = WHOLE_MS};
    self->done = done;
    self->owner = owner;
    return tg_aws_call_start(self->client, &asked, on_answer, NULL, self, &self->call);
}

static void cancel(tg_key_remote *remote)
{
    tg_aws_remote *self = (tg_aws_remote *)remote;
    tg_aws_call_cancel(TG_TAKE(self->call));
}

tg_result tg_aws_remote_new(tg_aws_client *client, tg_aws_remote **out_remote)
{
    tg_aws_remote *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    self->face = (tg_key_remote){.ask = ask, .cancel = cancel};
    self->client = client;
    *out_remote = self;
    return tg_ok();
}

void tg_aws_remote_free(tg_aws_remote *remote)
{
    if (remote != NULL) {
        cancel(&remote->face);
        free(remote);
    }
}

tg_key_remote *tg_aws_remote_face(tg_aws_remote *remote)
{
    return &remote->face;
}
