/* A call of AWS: signed, sent, judged, and sent again where AWS's answer asks for that. */
#ifndef TG_AWS_CALL_H
#define TG_AWS_CALL_H

#include "aws/credentials.h"

#include <jansson.h>

typedef struct tg_aws_client tg_aws_client;
typedef struct tg_aws_call tg_aws_call;

/* tg_aws_client_new makes a client; it holds nothing but what it is given, all of one loop, and the calls under way.
 * err   TG_ERR_MEMORY. keep: transport and credentials outlive it
 */
TG_MUST_USE tg_result tg_aws_client_new(tg_aws_transport *transport, tg_aws_credentials *credentials,
                                        tg_aws_client **out_client);
/* tg_aws_client_free gives up every call: nobody is told. NULL is fine. */
void tg_aws_client_free(tg_aws_client *client);
tg_aws_transport *tg_aws_client_transport(const tg_aws_client *client);

enum { TG_AWS_DEFAULT_WHOLE_MS = 60000, TG_AWS_DEFAULT_ATTEMPTS = 4, TG_AWS_MAX_CALL_HEADERS = 8 };

/* The slices need to live until tg_aws_call_start returns. */
typedef struct tg_aws_ask {
    tg_aws_service service;
    const char *operation;         /* AWS's name of it; static. KMS and Secrets Manager: the target is made of it */
    tg_slice bucket;               /* S3: whose endpoint; empty for others */
    tg_slice method;               /* empty: POST */
    tg_slice path;                 /* percent-encoded; empty: "/" */
    tg_slice query;                /* percent-encoded, without the question mark */
    const tg_http_header *headers; /* signed as well; at most TG_AWS_MAX_CALL_HEADERS */
    size_t num_headers;
    tg_slice body;             /* copied, wiped afterwards */
    uint64_t max_answer_bytes; /* 0: 1 MiB */
    uint64_t whole_ms;         /* attempts, pauses and waits for credentials together; 0: TG_AWS_DEFAULT_WHOLE_MS */
    unsigned max_attempts;     /* 0: TG_AWS_DEFAULT_ATTEMPTS */
} tg_aws_ask;

/* How it ended. Slices live until done returns. */
typedef struct tg_aws_answer {
    const tg_aws_failure *failure; /* NULL: AWS did what was asked (2xx, or 304 of a conditional read) */
    unsigned status;
    const tg_http_header *headers;
    size_t num_headers;
    tg_slice body;
    const json_t *json; /* of KMS and Secrets Manager: the body's object */
    tg_slice request_id;
    unsigned num_attempts;
    uint64_t duration_ms; /* from tg_aws_call_start on */
} tg_aws_answer;

/* Called once, from the loop, unless the call is cancelled before; the call is gone when it returns. */
typedef void tg_aws_call_fn(tg_aws_call *call, const tg_aws_answer *answer, void *owner);

/* tg_aws_call_start asks.
 * in    release: NULL, or called with owner when the call is gone, whether it was told or cancelled
 * err   TG_ERR_LIMIT: too many headers; TG_ERR_SYNTAX: S3 without a good bucket; TG_ERR_MEMORY. Neither done nor
 * release is called then
 */
TG_MUST_USE tg_result tg_aws_call_start(tg_aws_client *client, const tg_aws_ask *ask, tg_aws_call_fn *done,
                                        void (*release)(void *owner), void *owner, tg_aws_call **out_call);

/* tg_aws_call_cancel gives up: done does not follow. Inside done it does nothing. NULL is fine. */
void tg_aws_call_cancel(tg_aws_call *call);

/* tg_aws_call_take_body gives the answer's body away, in done: *out_body (not initialised before) is wiped, the
 * caller's. */
void tg_aws_call_take_body(tg_aws_call *call, tg_buf *out_body);

#endif
