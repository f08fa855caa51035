/* The two calls of AWS that keys are read by, behind a face of our own: keys/aws_remote.h has the real ones. One call
 * at a time, on one loop. */
#ifndef TG_KEYS_REMOTE_H
#define TG_KEYS_REMOTE_H

#include "base/result.h"
#include "base/slice.h"

#include <jansson.h>

typedef enum tg_key_operation {
    TG_KEY_GET_SECRET, /* Secrets Manager: GetSecretValue */
    TG_KEY_DECRYPT     /* KMS: Decrypt */
} tg_key_operation;

/* How a call ended; texts live until the callback returns. */
typedef struct tg_key_answer {
    const json_t *json;     /* NULL: AWS refused, or did not answer */
    unsigned status;        /* HTTP's, 0 without an answer */
    const char *code;       /* AWS's own, "" without */
    const char *message;    /* AWS's own, or what broke */
    const char *request_id; /* "" without */
} tg_key_answer;

/* Called once from the loop, never inside ask, unless the call is cancelled before. */
typedef void tg_key_answer_fn(const tg_key_answer *answer, void *owner);

typedef struct tg_key_remote tg_key_remote;
struct tg_key_remote {
    /* body: the operation's JSON, copied. err: TG_ERR_MEMORY, or what is known at once; no callback follows */
    tg_result (*ask)(tg_key_remote *remote, tg_key_operation operation, tg_slice body, tg_key_answer_fn *done,
                     void *owner);
    /* gives up the call under way, if there is one */
    void (*cancel)(tg_key_remote *remote);
};

#endif
