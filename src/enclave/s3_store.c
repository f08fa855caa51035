#include "enclave/s3_store.h"

#include "aws/s3_page.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_OWNER_BYTES = 12,
    MAX_TEXT_BYTES = 8192,    /* of a query or a path: a key of 1024 bytes, percent-encoded, and more */
    MAX_PAGE_BYTES = 8 << 20, /* 1000 objects, their keys encoded */
    MAX_PAGE_ARENA = 16 << 20,
    REASON_BYTES = 1024
};

struct tg_s3_store {
    tg_object_store face; /* first */
    tg_aws_client *client;
    tg_link asked;
    char bucket[TG_AWS_MAX_BUCKET_BYTES + 1];
    char owner[MAX_OWNER_BYTES + 1];
};

/* One call under way. */
typedef struct asked {
    tg_link link;
    tg_aws_call *call;
    tg_store_answer_fn *done;
    void *owner;
    bool is_conditional;
} asked;

static void on_release(void *owner)
{
    asked *each = owner;
    tg_link_remove(&each->link);
    free(each);
}

static bool says_failure(const asked *each, const tg_aws_answer *answer)
{
    char text[REASON_BYTES + 1] = "";
    const tg_aws_failure *failure = answer->failure;
    if (failure == NULL) {
        return false;
    }
    tg_buf reason;
    tg_buf_init(&reason, REASON_BYTES);
    if (tg_is_ok(tg_aws_failure_append(failure, &reason))) {
        tg_slice said = tg_buf_slice(&reason);
        (void)snprintf(text, sizeof text, "%.*s", (int)said.len, said.len > 0 ? (const char *)said.ptr : "");
    }
    tg_buf_done(&reason);
    bool is_missing = failure->status == 404 && strcmp(failure->code, "NoSuchKey") == 0;
    const tg_store_answer told = {.result = is_missing ? tg_fail(TG_ERR_NOT_FOUND) : failure->result, .reason = text};
    each->done(&told, each->owner);
    return true;
}

static tg_result take_page(const tg_aws_s3_page *page, tg_arena *arena, tg_store_answer *told)
{
    tg_stored_object *objects = tg_arena_zalloc(arena, page->num_objects + 1, sizeof *objects);
    if (objects == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < page->num_objects; i++) {
        const tg_aws_s3_object *from = &page->objects[i];
        objects[i] = (tg_stored_object){from->key, from->etag, from->size_bytes};
    }
    *told = (tg_store_answer){.reason = "",
                              .objects = objects,
                              .num_objects = page->num_objects,
                              .is_truncated = page->is_truncated,
                              .next_token = page->next_token};
    return tg_ok();
}

static void on_page(tg_aws_call *call, const tg_aws_answer *answer, void *owner)
{
    (void)call;
    const asked *each = owner;
    tg_arena arena;
    tg_aws_s3_page page;
    tg_store_answer told = {.reason = "the answer is no listing of S3's"};
    if (says_failure(each, answer)) {
        return;
    }
    tg_arena_init(&arena, MAX_PAGE_ARENA, false);
    told.result = tg_aws_s3_page_parse(answer->body, &arena, &page);
    if (tg_is_ok(told.result)) {
        told.result = take_page(&page, &arena, &told);
    }
    each->done(&told, each->owner);
    tg_arena_done(&arena);
}

static void on_object(tg_aws_call *call, const tg_aws_answer *answer, void *owner)
{
    const asked *each = owner;
    tg_buf body;
    tg_store_answer told = {.result = tg_ok(), .reason = "", .is_unchanged = answer->status == 304, .body = &body};
    if (says_failure(each, answer)) {
        return;
    }
    if (told.is_unchanged && !each->is_conditional) {
        const tg_store_answer odd = {.result = tg_fail(TG_ERR_SYNTAX), .reason = "S3 answered 304 to no condition"};
        each->done(&odd, each->owner);
        return;
    }
    (void)tg_http_headers_find(answer->headers, answer->num_headers, TG_LIT("ETag"), &told.etag);
    tg_aws_call_take_body(call, &body);
    each->done(&told, each->owner);
    tg_buf_done(&body);
}

static tg_result start(tg_s3_store *store, const tg_aws_ask *ask, tg_aws_call_fn *answered, tg_store_answer_fn *done,
                       void *owner)
{
    tg_slice etag;
    asked *each = calloc(1, sizeof *each);
    if (each == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    each->is_conditional = tg_http_headers_find(ask->headers, ask->num_headers, TG_LIT("If-None-Match"), &etag);
    each->done = done;
    each->owner = owner;
    tg_link_append(&store->asked, &each->link);
    tg_result result = tg_aws_call_start(store->client, ask, answered, on_release, each, &each->call);
    if (!tg_is_ok(result)) {
        on_release(each);
    }
    return result;
}

static size_t put_owner(const tg_s3_store *store, tg_http_header *header)
{
    if (store->owner[0] == 0) {
        return 0;
    }
    *header = (tg_http_header){TG_LIT("x-amz-expected-bucket-owner"), tg_slice_str(store->owner)};
    return 1;
}

/* GET /?list-type=2&... : parameters in the order of their names, as they are signed. */
static tg_result append_query(tg_slice prefix, tg_slice next_token, tg_buf *buf)
{
    if (next_token.len > 0) {
        TG_TRY(tg_buf_append_str(buf, "continuation-token="));
        TG_TRY(tg_aws_uri_append(next_token, false, buf));
        TG_TRY(tg_buf_append_byte(buf, '&'));
    }
    TG_TRY(tg_buf_append_str(buf, "encoding-type=url&list-type=2&max-keys=1000&prefix="));
    return tg_aws_uri_append(prefix, false, buf);
}

static tg_result list(tg_object_store *face, tg_slice prefix, tg_slice next_token, tg_store_answer_fn *done,
                      void *owner)
{
    tg_s3_store *store = (tg_s3_store *)(void *)face;
    tg_http_header header;
    tg_buf query;
    tg_buf_init(&query, MAX_TEXT_BYTES);
    tg_result result = append_query(prefix, next_token, &query);
    if (tg_is_ok(result)) {
        const tg_aws_ask ask = {.service = TG_AWS_S3,
                                .operation = "ListObjectsV2",
                                .bucket = tg_slice_str(store->bucket),
                                .method = TG_LIT("GET"),
                                .query = tg_buf_slice(&query),
                                .headers = &header,
                                .num_headers = put_owner(store, &header),
                                .max_answer_bytes = MAX_PAGE_BYTES};
        result = start(store, &ask, on_page, done, owner);
    }
    tg_buf_done(&query);
    return result;
}

static tg_result get(tg_object_store *face, tg_slice key, tg_slice unless_etag, uint64_t max_bytes,
                     tg_store_answer_fn *done, void *owner)
{
    tg_s3_store *store = (tg_s3_store *)(void *)face;
    tg_http_header headers[2];
    tg_buf path;
    tg_buf_init(&path, MAX_TEXT_BYTES);
    size_t num_headers = put_owner(store, headers);
    if (unless_etag.len > 0) {
        headers[num_headers++] = (tg_http_header){TG_LIT("If-None-Match"), unless_etag};
    }
    tg_result result = tg_buf_append_byte(&path, '/');
    if (tg_is_ok(result)) {
        result = tg_aws_uri_append(key, true, &path);
    }
    if (tg_is_ok(result)) {
        const tg_aws_ask ask = {.service = TG_AWS_S3,
                                .operation = "GetObject",
                                .bucket = tg_slice_str(store->bucket),
                                .method = TG_LIT("GET"),
                                .path = tg_buf_slice(&path),
                                .headers = headers,
                                .num_headers = num_headers,
                                .max_answer_bytes = max_bytes};
        result = start(store, &ask, on_object, done, owner);
    }
    tg_buf_done(&path);
    return result;
}

static void cancel(tg_object_store *face)
{
    tg_s3_store *store = (tg_s3_store *)(void *)face;
    while (!tg_link_is_empty(&store->asked)) {
        asked *each = TG_OBJECT_OF(store->asked.next, asked, link);
        tg_link_remove(&each->link);
        tg_aws_call_cancel(each->call); /* releases it */
    }
}

tg_result tg_s3_store_new(tg_aws_client *client, tg_slice bucket, tg_slice owner, tg_s3_store **out_store)
{
    if (!tg_aws_bucket_is_valid(bucket) || owner.len > MAX_OWNER_BYTES) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_s3_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    store->face = (tg_object_store){.list = list, .get = get, .cancel = cancel};
    store->client = client;
    tg_link_init_head(&store->asked);
    (void)snprintf(store->bucket, sizeof store->bucket, "%.*s", (int)bucket.len, (const char *)bucket.ptr);
    (void)snprintf(store->owner, sizeof store->owner, "%.*s", (int)owner.len,
                   owner.len > 0 ? (const char *)owner.ptr : "");
    *out_store = store;
    return tg_ok();
}

void tg_s3_store_free(tg_s3_store *store)
{
    if (store != NULL) {
        cancel(&store->face);
        free(store);
    }
}

tg_object_store *tg_s3_store_face(tg_s3_store *store)
{
    return &store->face;
}
