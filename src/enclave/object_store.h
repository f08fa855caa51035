/* What bucket_schemas needs of a store of objects: lists and reads, asynchronous, on one loop. S3 implements it
 * (s3_store.h). */
#ifndef TG_ENCLAVE_OBJECT_STORE_H
#define TG_ENCLAVE_OBJECT_STORE_H

#include "base/buf.h"
#include "io/loop.h"

typedef struct tg_stored_object {
    tg_slice key;
    tg_slice etag; /* with its quotes */
    uint64_t size_bytes;
} tg_stored_object;

/* How a list or a read ended. Everything lives until the callback returns. */
typedef struct tg_store_answer {
    tg_result result;   /* TG_ERR_NOT_FOUND: there is no such object */
    const char *reason; /* in words, where it failed */

    /* of a list */
    const tg_stored_object *objects;
    size_t num_objects;
    bool is_truncated;
    tg_slice next_token; /* of the next page, where is_truncated */

    /* of a read */
    bool is_unchanged; /* the object still has the etag that was named: no body */
    tg_slice etag;     /* of the body; empty where the store says none */
    tg_buf *body;      /* may be taken, by leaving an initialised buffer */
} tg_store_answer;

/* Called once, from the loop, unless all is given up before. */
typedef void tg_store_answer_fn(const tg_store_answer *answer, void *owner);

typedef struct tg_object_store tg_object_store;
struct tg_object_store {
    /* A page of the objects below the prefix; next_token empty: the first. err: nothing was asked */
    tg_result (*list)(tg_object_store *store, tg_slice prefix, tg_slice next_token, tg_store_answer_fn *done,
                      void *owner);
    /* One object of at most max_bytes; unless_etag not empty: only where it has another by now. */
    tg_result (*get)(tg_object_store *store, tg_slice key, tg_slice unless_etag, uint64_t max_bytes,
                     tg_store_answer_fn *done, void *owner);
    /* Gives up what is under way. */
    void (*cancel)(tg_object_store *store);
};

#endif
