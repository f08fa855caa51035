#include "aws/s3.h"

#include <stdlib.h>

enum { MAX_TARGET_BYTES = 16384, MAX_PAGE_BYTES = 4 << 20 };

typedef struct s3_call {
    tg_aws_s3_page_fn *page_done; /* one of the two */
    tg_aws_s3_content_fn *content_done;
    void *owner;
} s3_call;

static void on_page(tg_aws_call *call, const tg_aws_answer *came, void *owner)
{
    s3_call *own = owner;
    tg_aws_s3_page page;
    tg_aws_failure failure;
    tg_arena arena;
    (void)call;
    if (came->failure != NULL) {
        own->page_done(NULL, came->failure, own->owner);
        return;
    }
    tg_arena_init(&arena, MAX_PAGE_BYTES, false);
    tg_result result = tg_aws_s3_page_parse(came->body, &arena, &page);
    if (tg_is_ok(result)) {
        own->page_done(&page, NULL, own->owner);
    } else {
        tg_aws_failure_set(&failure, result, TG_AWS_GIVE_UP, TG_LIT("S3 answered no listing"));
        own->page_done(NULL, &failure, own->owner);
    }
    tg_arena_done(&arena);
}

static void on_content(tg_aws_call *call, const tg_aws_answer *came, void *owner)
{
    s3_call *own = owner;
    tg_aws_s3_content content = {.is_unchanged = came->status == 304, .body = came->body};
    (void)call;
    if (came->failure != NULL) {
        own->content_done(NULL, came->failure, own->owner);
        return;
    }
    (void)tg_http_headers_find(came->headers, came->num_headers, TG_LIT("etag"), &content.etag);
    own->content_done(&content, NULL, own->owner);
}

static tg_result start(tg_aws_client *client, tg_aws_ask *ask, const tg_aws_bucket *bucket, tg_slice etag,
                       const s3_call *shape, tg_aws_call **out_call)
{
    tg_http_header headers[2];
    s3_call *own = malloc(sizeof *own);
    if (own == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *own = *shape;
    ask->service = TG_AWS_S3;
    ask->method = TG_LIT("GET");
    ask->bucket = bucket->name;
    ask->headers = headers;
    if (bucket->owner.len > 0) {
        headers[ask->num_headers++] = (tg_http_header){TG_LIT("x-amz-expected-bucket-owner"), bucket->owner};
    }
    if (etag.len > 0) {
        headers[ask->num_headers++] = (tg_http_header){TG_LIT("If-None-Match"), etag};
    }
    tg_result result =
        tg_aws_call_start(client, ask, shape->page_done != NULL ? on_page : on_content, free, own, out_call);
    if (!tg_is_ok(result)) {
        free(own);
    }
    return result;
}

static tg_result append_query(tg_buf *buf, tg_slice prefix, tg_slice token)
{
    if (token.len > 0) {
        TG_TRY(tg_buf_append_str(buf, "continuation-token="));
        TG_TRY(tg_aws_uri_append(token, false, buf));
        TG_TRY(tg_buf_append_byte(buf, '&'));
    }
    TG_TRY(tg_buf_append_str(buf, "encoding-type=url&list-type=2&prefix="));
    return tg_aws_uri_append(prefix, false, buf);
}

tg_result tg_aws_s3_list_start(tg_aws_client *client, const tg_aws_bucket *bucket, tg_slice prefix, tg_slice token,
                               tg_aws_s3_page_fn *done, void *owner, tg_aws_call **out_call)
{
    const s3_call shape = {.page_done = done, .owner = owner};
    tg_buf query;
    tg_buf_init(&query, MAX_TARGET_BYTES);
    tg_result result = append_query(&query, prefix, token);
    if (tg_is_ok(result)) {
        tg_aws_ask ask = {
            .operation = "ListObjectsV2", .query = tg_buf_slice(&query), .max_answer_bytes = MAX_PAGE_BYTES};
        result = start(client, &ask, bucket, (tg_slice){NULL, 0}, &shape, out_call);
    }
    tg_buf_done(&query);
    return result;
}

tg_result tg_aws_s3_get_start(tg_aws_client *client, const tg_aws_bucket *bucket, tg_slice key, tg_slice etag,
                              uint64_t max_bytes, tg_aws_s3_content_fn *done, void *owner, tg_aws_call **out_call)
{
    const s3_call shape = {.content_done = done, .owner = owner};
    tg_buf path;
    tg_buf_init(&path, MAX_TARGET_BYTES);
    tg_result result = tg_buf_append_byte(&path, '/');
    result = tg_is_ok(result) ? tg_aws_uri_append(key, true, &path) : result;
    if (tg_is_ok(result)) {
        tg_aws_ask ask = {
            .operation = "GetObject", .path = tg_buf_slice(&path), .max_answer_bytes = max_bytes > 0 ? max_bytes : 1};
        result = start(client, &ask, bucket, etag, &shape, out_call);
    }
    tg_buf_done(&path);
    return result;
}
