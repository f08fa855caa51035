/* S3 as far as the enclave speaks it: the whole way from bucket_schemas to an HTTP server that plays the bucket. */
#include "aws/access.h"
#include "enclave/bucket_schemas.h"
#include "enclave/s3_store.h"
#include "http/server.h"
#include "io/bound.h"
#include "io/listener.h"
#include "support/case.h"

#include <stdio.h>

enum { MAX_SEEN = 16 };

typedef struct seen {
    char target[512];
    char owner[32];
    char unless[32];
    bool is_signed;
} seen;

static struct fixture {
    tg_loop *loop;
    tg_bound *bound;
    tg_listener *listener;
    tg_http_server *server;
    char url[64];
    const char *environment[8];
    tg_aws_access *access;
    tg_s3_store *store;
    tg_bucket_schemas *schemas;
    tg_faults faults;
    tg_schema_reading reading;

    /* the bucket */
    const char *list;   /* XML of the first page */
    const char *list_2; /* of the second */
    unsigned list_status;
    unsigned get_status;
    const char *get_error;
    bool never_answers;
    seen seen[MAX_SEEN];
    size_t num_seen;
} f;

#define LIST(contents, rest)                                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" \
    "<Name>bucket</Name><Prefix>schemas/</Prefix><EncodingType>url</EncodingType>" contents rest "</ListBucketResult>"
#define OBJECT(key, etag, size)                                                                                        \
    "<Contents><Key>" key "</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;" etag               \
    "&quot;</ETag><Size>" size "</Size><StorageClass>STANDARD</StorageClass></Contents>"
#define LAST "<IsTruncated>false</IsTruncated>"

static void copy_header(const tg_http_request *request, tg_slice name, char *out, size_t cap)
{
    tg_slice value = {NULL, 0};
    if (tg_is_ok(tg_http_request_header(request, name, &value))) {
        snprintf(out, cap, "%.*s", (int)value.len, (const char *)value.ptr);
    }
}

static void answer(tg_http_request *request, unsigned status, const char *body)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("ETag", "\"e1\""), TG_HTTP_HEADER("x-amz-request-id", "REQ1")};
    tg_http_respond_text(request, status, headers, 2, tg_slice_str(body));
}

static void on_request(tg_http_request *request, void *context)
{
    (void)context;
    tg_slice ignored;
    assert_true(f.num_seen < MAX_SEEN);
    seen *each = &f.seen[f.num_seen++];
    *each = (seen){.is_signed = tg_is_ok(tg_http_request_header(request, TG_LIT("Authorization"), &ignored))};
    snprintf(each->target, sizeof each->target, "%.*s?%.*s", (int)request->path.len, (const char *)request->path.ptr,
             (int)request->query.len, (const char *)request->query.ptr);
    copy_header(request, TG_LIT("x-amz-expected-bucket-owner"), each->owner, sizeof each->owner);
    copy_header(request, TG_LIT("If-None-Match"), each->unless, sizeof each->unless);
    bool is_list = tg_slice_equal(request->path, TG_LIT("/bucket/"));
    if (f.never_answers) {
        return;
    }
    if (is_list) {
        bool is_second = strstr(each->target, "continuation-token=") != NULL;
        answer(request, f.list_status, is_second ? f.list_2 : f.list);
    } else if (f.get_status != 200) {
        answer(request, f.get_status, f.get_error);
    } else if (strcmp(each->unless, "\"e1\"") == 0) {
        answer(request, 304, "");
    } else {
        answer(request, 200, "openapi: 3.1.0\n");
    }
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    (void)listener;
    (void)owner;
    assert_ok(tg_http_server_adopt(f.server, stream));
}

static const tg_listener_calls calls = {.accepted = on_accepted};
static const tg_http_handlers handlers = {.on_request = on_request};

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    f.list = LIST("", LAST);
    f.list_status = f.get_status = 200;
    f.get_error = "";
    tg_address address;
    tg_faults_init(&f.faults);
    assert_ok(tg_address_parse(TG_LIT("tcp:127.0.0.1:0"), &address, NULL));
    assert_ok(tg_loop_new(&f.loop));
    assert_ok(tg_http_server_new(f.loop, NULL, &handlers, NULL, &f.server));
    assert_ok(tg_bound_open(&address, &(tg_bind_options){.backlog = 16}, &f.bound, NULL));
    assert_ok(tg_listener_open(f.loop, f.bound, &calls, NULL, &f.listener));
    snprintf(f.url, sizeof f.url, "AWS_ENDPOINT_URL_S3=http://127.0.0.1:%u", (unsigned)tg_bound_address(f.bound)->port);
    f.environment[0] = f.url;
    f.environment[1] = "AWS_ACCESS_KEY_ID=AKIDEXAMPLE";
    f.environment[2] = "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    f.environment[3] = "AWS_REGION=eu-west-1";
    const tg_aws_access_settings settings = {.proxy_cid = 3, .proxy_port = 8000, .environment = f.environment};
    assert_ok(tg_aws_access_new(f.loop, &settings, &f.access, NULL));
    assert_ok(tg_s3_store_new(tg_aws_access_client(f.access), TG_LIT("bucket"), TG_LIT("111122223333"), &f.store));
    assert_ok(tg_bucket_schemas_new(f.loop, tg_s3_store_face(f.store), TG_LIT("schemas/"), TG_LIT("s3://bucket"),
                                    &f.schemas));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_bucket_schemas_free(f.schemas);
    tg_s3_store_free(f.store);
    tg_aws_access_free(f.access);
    tg_listener_close(f.listener);
    tg_bound_close(f.bound);
    tg_http_server_free(f.server);
    tg_loop_free(f.loop);
    tg_faults_done(&f.faults);
    return 0;
}

static tg_code read_all(void)
{
    tg_schema_source *source = tg_bucket_schemas_source(f.schemas);
    tg_faults_done(&f.faults);
    tg_faults_init(&f.faults);
    f.num_seen = 0;
    return source->read(source, &f.faults, &f.reading).code;
}

static void assert_reason(const char *part)
{
    assert_true(f.faults.num_faults > 0);
    if (strstr(f.faults.faults[0].reason, part) == NULL) {
        fail_msg("'%s' does not hold '%s'", f.faults.faults[0].reason, part);
    }
}

static void list_and_get_are_asked_as_s3_takes_them(void **state)
{
    (void)state;
    f.list = LIST(OBJECT("schemas/a%20b%2Bz%C3%BC.yaml", "e1", "15"),
                  "<IsTruncated>true</IsTruncated><NextContinuationToken>1/ab+c=</NextContinuationToken>");
    f.list_2 = LIST(OBJECT("schemas/folder/", "e0", "0") OBJECT("schemas/../up.yaml", "e1", "15"), LAST);
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(f.faults.num_faults, 0);
    assert_int_equal(f.num_seen, 4);
    assert_string_equal(f.seen[0].target, "/bucket/?encoding-type=url&list-type=2&max-keys=1000&prefix=schemas%2F");
    assert_string_equal(f.seen[1].target, "/bucket/?continuation-token=1%2Fab%2Bc%3D&encoding-type=url&list-type=2&"
                                          "max-keys=1000&prefix=schemas%2F");
    for (size_t i = 0; i < f.num_seen; i++) {
        assert_true(f.seen[i].is_signed);
        assert_string_equal(f.seen[i].owner, "111122223333");
        assert_string_equal(f.seen[i].unless, "");
    }
    bool is_first = strcmp(f.seen[2].target, "/bucket/schemas/../up.yaml?") == 0;
    assert_string_equal(f.seen[is_first ? 3 : 2].target, "/bucket/schemas/a%20b%2Bz%C3%BC.yaml?");
    assert_int_equal(f.reading.num_files, 2);
    assert_slice(f.reading.files[1].name, "a b+z\xc3\xbc.yaml");
    assert_slice(f.reading.files[1].bytes, "openapi: 3.1.0\n");
    assert_int_equal(read_all(), TG_OK);
    assert_true(f.reading.is_same);
    assert_int_equal(f.num_seen, 2);
}

static void get_of_a_known_object_is_conditional(void **state)
{
    (void)state;
    f.list = LIST(OBJECT("schemas/a.yaml", "e1", "15"), LAST);
    assert_int_equal(read_all(), TG_OK);
    f.list = LIST(OBJECT("schemas/a.yaml", "e2", "15"), LAST);
    assert_int_equal(read_all(), TG_OK);
    assert_string_equal(f.seen[1].unless, "\"e1\"");
    assert_int_equal(f.reading.num_files, 1);
    assert_slice(f.reading.files[0].bytes, "openapi: 3.1.0\n");
}

static void list_refused_says_what_aws_says(void **state)
{
    (void)state;
    f.list_status = 403;
    f.list = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
             "<RequestId>REQ1</RequestId></Error>";
    assert_int_equal(read_all(), TG_ERR_DENIED);
    assert_reason("the bucket cannot be listed: AccessDenied: Access Denied (HTTP 403");
    assert_reason("REQ1");
}

static void list_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "<html><body>It works</body></html>",
        "",
        "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>m</Message></Error>", /* 200, and an error */
        LIST(OBJECT("schemas/a.yaml", "e1", "minus one"), LAST),
        LIST("", "<IsTruncated>true</IsTruncated>"),
    };
    for (size_t i = 0; i < TG_COUNT(bodies); i++) {
        f.list = bodies[i];
        assert_int_equal(read_all(), TG_ERR_SYNTAX);
        assert_reason("the answer is no listing of S3's");
    }
}

static void get_refused_is_a_fault_of_that_object_alone(void **state)
{
    (void)state;
    f.list = LIST(OBJECT("schemas/a.yaml", "e1", "15"), LAST);
    f.get_status = 403;
    f.get_error = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(f.reading.num_files, 0);
    assert_reason("cannot be read: AccessDenied");
    f.get_status = 404;
    f.get_error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    assert_int_equal(read_all(), TG_OK);
    assert_reason("was deleted while the bucket was read");
    f.get_error = "<Error><Code>NoSuchBucket</Code><Message>No</Message></Error>";
    assert_int_equal(read_all(), TG_OK);
    assert_reason("cannot be read: NoSuchBucket");
    f.get_status = 304;
    f.get_error = "";
    assert_int_equal(read_all(), TG_OK);
    assert_reason("cannot be read: S3 answered 304 to no condition");
}

static void interrupt_by(tg_deadline *deadline)
{
    (void)deadline;
    tg_schema_source *source = tg_bucket_schemas_source(f.schemas);
    source->interrupt(source);
}

static void cancel_leaves_no_call(void **state)
{
    (void)state;
    tg_deadline deadline = {.run = interrupt_by};
    f.never_answers = true;
    tg_deadline_arm_in(f.loop, &deadline, 30);
    assert_int_equal(read_all(), TG_ERR_CANCELLED);
}

static void store_new_bucket_that_is_none_is_refused(void **state)
{
    (void)state;
    tg_s3_store *store = NULL;
    assert_code(tg_s3_store_new(NULL, TG_LIT("A_B"), TG_LIT(""), &store), TG_ERR_SYNTAX);
    assert_code(tg_s3_store_new(NULL, TG_LIT("bucket"), TG_LIT("1111222233334"), &store), TG_ERR_SYNTAX);
    assert_null(store);
    tg_s3_store_free(NULL);
}

static void store_new_without_owner_asks_for_none(void **state)
{
    (void)state;
    tg_bucket_schemas_free(f.schemas);
    tg_s3_store_free(f.store);
    assert_ok(tg_s3_store_new(tg_aws_access_client(f.access), TG_LIT("bucket"), TG_LIT(""), &f.store));
    assert_ok(tg_bucket_schemas_new(f.loop, tg_s3_store_face(f.store), TG_LIT("schemas/"), TG_LIT("s3://bucket"),
                                    &f.schemas));
    assert_int_equal(read_all(), TG_OK);
    assert_string_equal(f.seen[0].owner, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(list_and_get_are_asked_as_s3_takes_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(get_of_a_known_object_is_conditional, set_up, tear_down),
        cmocka_unit_test_setup_teardown(list_refused_says_what_aws_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(list_that_is_none_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(get_refused_is_a_fault_of_that_object_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_leaves_no_call, set_up, tear_down),
        cmocka_unit_test(store_new_bucket_that_is_none_is_refused),
        cmocka_unit_test_setup_teardown(store_new_without_owner_asks_for_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
