#include "tool/aws_session.h"

#include "aws/access.h"

#include <stdlib.h>
#include <unistd.h>

enum { WHOLE_MS = 30000 };

struct tg_aws_session {
    tg_loop *loop;
    tg_aws_access *access;
    /* The call under way. */
    tg_result result;
    json_t *answer;
    tg_detail *detail;
};

static tg_result set_up(tg_aws_session *self, tg_slice region, tg_detail *detail)
{
    static const tg_aws_service called[] = {TG_AWS_SECRETS_MANAGER, TG_AWS_KMS};
    TG_TRY(tg_aws_access_check(called, TG_COUNT(called), (const char *const *)environ, detail));
    const tg_aws_access_settings settings = {.region = region, .environment = (const char *const *)environ};
    TG_TRY(tg_loop_new(&self->loop));
    return tg_aws_access_new(self->loop, &settings, &self->access, detail);
}

tg_result tg_aws_session_open(tg_slice region, tg_aws_session **out_session, tg_detail *detail)
{
    tg_aws_session *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result made = set_up(self, region, detail);
    if (!tg_is_ok(made)) {
        tg_aws_session_close(self);
        return made;
    }
    *out_session = self;
    return tg_ok();
}

void tg_aws_session_close(tg_aws_session *session)
{
    if (session == NULL) {
        return;
    }
    tg_aws_access_free(session->access);
    if (session->loop != NULL) {
        tg_loop_free(session->loop);
    }
    free(session);
}

static tg_result result_of(const tg_aws_failure *failure)
{
    if (strcmp(failure->code, "ResourceNotFoundException") == 0) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    return strcmp(failure->code, "ResourceExistsException") == 0 ? tg_fail(TG_ERR_EXISTS) : failure->result;
}

static void on_answer(tg_aws_call *call, const tg_aws_answer *answer, void *owner)
{
    tg_aws_session *self = owner;
    (void)call;
    if (answer->failure != NULL) {
        const tg_aws_failure *failure = answer->failure;
        self->result = result_of(failure);
        tg_detail_set_reason(self->detail, "%s%s%s", failure->code, failure->code[0] != 0 ? ": " : "",
                             failure->message);
        if (failure->request_id[0] != 0) {
            tg_detail_set_remedy(self->detail, "AWS's request id is %s", failure->request_id);
        }
    } else {
        self->answer = json_deep_copy(answer->json);
        self->result = self->answer != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    }
    tg_loop_stop(self->loop);
}

tg_result tg_aws_session_call(tg_aws_session *session, tg_aws_service service, const char *operation,
                              const json_t *body, json_t **out_answer, tg_detail *detail)
{
    char *text = json_dumps(body, JSON_COMPACT);
    if (text == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    const tg_aws_ask ask = {
        .service = service, .operation = operation, .body = tg_slice_str(text), .whole_ms = WHOLE_MS};
    session->detail = detail;
    session->answer = NULL;
    tg_detail_set_place(detail, tg_slice_str(operation), 0, (tg_slice){NULL, 0});
    tg_result asked = tg_aws_call_start(tg_aws_access_client(session->access), &ask, on_answer, NULL, session, NULL);
    free(text);
    TG_TRY(asked);
    tg_loop_run(session->loop);
    TG_TRY(session->result);
    *out_answer = session->answer;
    return tg_ok();
}
