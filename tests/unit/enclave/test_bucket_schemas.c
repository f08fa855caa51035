/* Schemas of a bucket that the test plays: pages, etags, objects that change, vanish and cannot be read. */
#include "enclave/bucket_schemas.h"
#include "enclave/schema_refresh.h"
#include "support/logged.h"
#include "sys/clock.h"
#include "unit/enclave/parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_OBJECTS = TG_MAX_SCHEMA_FILES + 1, MAX_ASKED = 64, PATIENCE_MS = 20000 };

typedef struct object {
    char key[64];
    const char *long_key; /* instead, as listed */
    char etag[16];        /* as listed */
    char body_etag[16];   /* as read; "" for the same */
    const char *body;
    uint64_t size_bytes; /* as listed; 0: the body's */
    tg_code code;        /* of a read */
    bool is_unlisted;
} object;

typedef struct asked {
    tg_tick tick;
    tg_store_answer_fn *done;
    void *owner;
    tg_slice page_from; /* of a list */
    size_t first;
    object *object; /* of a read */
    char unless[16];
    uint64_t max_bytes;
    bool is_used;
} asked;

static struct bucket {
    tg_object_store store; /* first */
    tg_loop *loop;
    object objects[MAX_OBJECTS];
    size_t num_objects;
    size_t page_size;
    tg_code list_code; /* of the page list_fails_at */
    size_t list_fails_at;
    tg_code refuses_at_once;
    bool never_answers;
    bool never_ends;
    asked asked[MAX_ASKED];
    unsigned num_lists;
    unsigned num_gets;
    unsigned num_unchanged;
    unsigned num_running;
    unsigned max_running;
    unsigned num_cancels;
    uint64_t listed_ms; /* the loop's clock when the last page was asked for */
    char last_key[64];
} bucket;

static tg_bucket_schemas *schemas;
static tg_schema_source *source;
static tg_schema_reading reading;
static tg_faults faults;

static void on_list(tg_tick *tick)
{
    asked *each = TG_OBJECT_OF(tick, asked, tick);
    static tg_stored_object page[1000];
    static char token[16];
    tg_store_answer answer = {.reason = ""};
    each->is_used = false;
    if (bucket.list_code != TG_OK && bucket.num_lists > bucket.list_fails_at) {
        answer.result = tg_fail(bucket.list_code);
        answer.reason = "AccessDenied: no (HTTP 403)";
        each->done(&answer, each->owner);
        return;
    }
    size_t at = each->first;
    for (; at < bucket.num_objects && answer.num_objects < bucket.page_size; at++) {
        const object *from = &bucket.objects[at];
        if (!from->is_unlisted) {
            page[answer.num_objects++] = (tg_stored_object){
                tg_slice_str(from->long_key != NULL ? from->long_key : from->key), tg_slice_str(from->etag),
                from->size_bytes > 0 ? from->size_bytes : strlen(from->body)};
        }
    }
    snprintf(token, sizeof token, "%zu", at);
    answer.objects = page;
    answer.is_truncated = at < bucket.num_objects || bucket.never_ends;
    answer.next_token = tg_slice_str(token);
    each->done(&answer, each->owner);
}

static void on_get(tg_tick *tick)
{
    asked *each = TG_OBJECT_OF(tick, asked, tick);
    const object *from = each->object;
    const char *etag = from->body_etag[0] != 0 ? from->body_etag : from->etag;
    tg_store_answer answer = {.reason = "", .etag = tg_slice_str(etag)};
    tg_buf body;
    tg_buf_init(&body, 1 << 20);
    bucket.num_running--;
    each->is_used = false;
    if (from->code != TG_OK) {
        answer.result = tg_fail(from->code);
        answer.reason = "SlowDown: later (HTTP 503)";
    } else if (each->unless[0] != 0 && strcmp(each->unless, etag) == 0) {
        answer.is_unchanged = true;
        bucket.num_unchanged++;
    } else {
        assert_ok(tg_buf_append_str(&body, from->body));
        answer.body = &body;
    }
    each->done(&answer, each->owner);
    tg_buf_done(&body);
}

static asked *put(tg_store_answer_fn *done, void *owner, tg_tick_fn *run)
{
    for (size_t i = 0; i < MAX_ASKED; i++) {
        asked *each = &bucket.asked[i];
        if (!each->is_used) {
            *each = (asked){.tick = {.run = run}, .done = done, .owner = owner, .is_used = true};
            if (!bucket.never_answers) {
                tg_loop_tick(bucket.loop, &each->tick);
            }
            return each;
        }
    }
    fail();
    return NULL;
}

static tg_result bucket_list(tg_object_store *store, tg_slice prefix, tg_slice next_token, tg_store_answer_fn *done,
                             void *owner)
{
    assert_ptr_equal(store, &bucket.store);
    assert_slice(prefix, "schemas/");
    bucket.num_lists++;
    bucket.listed_ms = tg_loop_now_ms(bucket.loop);
    if (bucket.refuses_at_once != TG_OK) {
        return tg_fail(bucket.refuses_at_once);
    }
    asked *each = put(done, owner, on_list);
    each->first = next_token.len > 0 ? strtoul((const char *)next_token.ptr, NULL, 10) : 0;
    return tg_ok();
}

static tg_result bucket_get(tg_object_store *store, tg_slice key, tg_slice unless_etag, uint64_t max_bytes,
                            tg_store_answer_fn *done, void *owner)
{
    assert_ptr_equal(store, &bucket.store);
    bucket.num_gets++;
    snprintf(bucket.last_key, sizeof bucket.last_key, "%.*s", (int)key.len, (const char *)key.ptr);
    for (size_t i = 0; i < bucket.num_objects; i++) {
        if (tg_slice_equal(key, tg_slice_str(bucket.objects[i].key))) {
            if (bucket.objects[i].code == TG_ERR_MEMORY) {
                return tg_fail(TG_ERR_MEMORY);
            }
            asked *each = put(done, owner, on_get);
            each->object = &bucket.objects[i];
            each->max_bytes = max_bytes;
            snprintf(each->unless, sizeof each->unless, "%.*s", (int)unless_etag.len, (const char *)unless_etag.ptr);
            bucket.num_running++;
            bucket.max_running = bucket.num_running > bucket.max_running ? bucket.num_running : bucket.max_running;
            return tg_ok();
        }
    }
    fail_msg("%s was asked for", bucket.last_key);
    return tg_fail(TG_ERR_NOT_FOUND);
}

static void bucket_cancel(tg_object_store *store)
{
    assert_ptr_equal(store, &bucket.store);
    bucket.num_cancels++;
    bucket.num_running = 0;
    for (size_t i = 0; i < MAX_ASKED; i++) {
        tg_tick_cancel(&bucket.asked[i].tick);
        bucket.asked[i].is_used = false;
    }
}

static object *add(const char *key, const char *etag, const char *body)
{
    assert_true(bucket.num_objects < MAX_OBJECTS);
    object *each = &bucket.objects[bucket.num_objects++];
    snprintf(each->key, sizeof each->key, "schemas/%s", key);
    snprintf(each->etag, sizeof each->etag, "%s", etag);
    each->body = body;
    return each;
}

static int set_up(void **state)
{
    memset(&bucket, 0, sizeof bucket);
    bucket.store = (tg_object_store){bucket_list, bucket_get, bucket_cancel};
    bucket.page_size = 1000;
    tg_faults_init(&faults);
    assert_ok(tg_loop_new(&bucket.loop));
    assert_ok(
        tg_bucket_schemas_new(bucket.loop, &bucket.store, TG_LIT("schemas/"), TG_LIT("s3://b/schemas/"), &schemas));
    source = tg_bucket_schemas_source(schemas);
    assert_string_equal(source->name, "s3://b/schemas/");
    return tg_test_log_set_up(state);
}

static int tear_down(void **state)
{
    tg_bucket_schemas_free(schemas);
    tg_loop_free(bucket.loop);
    tg_faults_done(&faults);
    return tg_test_log_tear_down(state);
}

static tg_code read_all(void)
{
    tg_faults_done(&faults);
    tg_faults_init(&faults);
    bucket.num_gets = bucket.num_lists = bucket.num_unchanged = 0;
    tg_result result = source->read(source, &faults, &reading);
    if (tg_is_ok(result)) {
        source->end_reading(source);
    }
    return result.code;
}

static void assert_fault(size_t index, const char *file, const char *reason)
{
    assert_true(index < tg_faults_kept(&faults));
    assert_string_equal(faults.faults[index].file, file);
    assert_string_equal(faults.faults[index].reason, reason);
}

static void read_takes_what_is_a_schema_by_its_ending(void **state)
{
    (void)state;
    add("", "\"0\"", "");
    add("bank/", "\"0\"", "");
    add("folder.yaml/", "\"0\"", "");
    add("bank/payments.yaml", "\"1\"", "one");
    add("README.md", "\"2\"", "two");
    add("a b.json", "\"3\"", "three");
    add("z\xc3\xbcrich.yml", "\"4\"", "four");
    add("../up.yaml", "\"5\"", "five");
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(faults.num_faults, 0);
    assert_int_equal(reading.num_files, 4); /* which names are fit is the set's to say */
    assert_slice(reading.files[0].name, "../up.yaml");
    assert_slice(reading.files[1].name, "a b.json");
    assert_slice(reading.files[1].bytes, "three");
    assert_slice(reading.files[2].name, "bank/payments.yaml");
    assert_slice(reading.files[3].name, "z\xc3\xbcrich.yml");
    assert_false(reading.is_same);
}

static void read_again_reads_only_what_has_another_etag(void **state)
{
    (void)state;
    add("a.yaml", "\"1\"", "one");
    object *b = add("b.yaml", "\"2\"", "two");
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_gets, 2);
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_gets, 0);
    assert_true(reading.is_same);
    assert_int_equal(reading.num_files, 2);
    assert_slice(reading.files[1].bytes, "two");
    strcpy(b->etag, "\"3\"");
    b->body = "new";
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_gets, 1);
    assert_string_equal(bucket.last_key, "schemas/b.yaml");
    assert_false(reading.is_same);
    assert_slice(reading.files[0].bytes, "one");
    assert_slice(reading.files[1].bytes, "new");
    b->is_unlisted = true;
    assert_int_equal(read_all(), TG_OK);
    assert_false(reading.is_same);
    assert_int_equal(reading.num_files, 1);
    assert_int_equal(bucket.num_gets, 0);
}

static void read_again_begins_by_the_clock_of_now(void **state)
{
    (void)state;
    add("a.yaml", "\"1\"", "one");
    assert_int_equal(read_all(), TG_OK);
    usleep(20000); /* the loop stands still between two readings: for minutes, by default */
    uint64_t begun_ms = tg_clock_monotonic_ms();
    assert_int_equal(read_all(), TG_OK);
    assert_true(bucket.listed_ms >= begun_ms); /* what a call's deadline is counted from */
}

static void read_pages_are_put_together(void **state)
{
    (void)state;
    static char names[2500][16];
    for (unsigned i = 0; i < 2500; i++) {
        snprintf(names[i], sizeof names[i], "%04u.yaml", 2499 - i);
        add(names[i], "\"1\"", "body");
    }
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_lists, 3);
    assert_int_equal(reading.num_files, 2500);
    assert_slice(reading.files[0].name, "0000.yaml");
    assert_slice(reading.files[2499].name, "2499.yaml");
    assert_int_equal(bucket.max_running, TG_MAX_PARALLEL_READS);
    assert_int_equal(read_all(), TG_OK);
    assert_true(reading.is_same);
}

static void read_name_listed_twice_counts_once(void **state)
{
    (void)state;
    add("a.yaml", "\"1\"", "one");
    add("a.yaml", "\"1\"", "one");
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(reading.num_files, 1);
}

static void read_object_that_changes_after_the_listing_is_taken_as_it_is(void **state)
{
    (void)state;
    object *a = add("a.yaml", "\"1\"", "newer");
    strcpy(a->body_etag, "\"2\"");
    assert_int_equal(read_all(), TG_OK);
    assert_slice(reading.files[0].bytes, "newer");
    strcpy(a->etag, "\"2\""); /* the next listing knows */
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_gets, 0);
    strcpy(a->etag, "\"3\""); /* one that lags: the object is still as it was read */
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_unchanged, 1);
    assert_slice(reading.files[0].bytes, "newer");
}

static void read_object_that_fails_takes_no_other_along(void **state)
{
    (void)state;
    object *a = add("a.yaml", "\"1\"", "one");
    add("b.yaml", "\"2\"", "two");
    a->code = TG_ERR_DENIED;
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(reading.num_files, 1);
    assert_fault(0, "a.yaml", "cannot be read: SlowDown: later (HTTP 503)");
    a->code = TG_OK;
    assert_int_equal(read_all(), TG_OK); /* tried again, though its etag is the same */
    assert_int_equal(reading.num_files, 2);
    assert_int_equal(faults.num_faults, 0);
    a->code = TG_ERR_MEMORY; /* at once */
    strcpy(a->etag, "\"9\"");
    a->body = "newer";
    assert_int_equal(read_all(), TG_OK);
    assert_slice(reading.files[0].bytes, "one"); /* what was read before still serves */
    assert_int_equal(faults.num_faults, 1);
    a->code = TG_OK;
    assert_int_equal(read_all(), TG_OK);
    assert_slice(reading.files[0].bytes, "newer");
}

static void read_object_deleted_meanwhile_is_told(void **state)
{
    (void)state;
    object *a = add("a.yaml", "\"1\"", "one");
    assert_int_equal(read_all(), TG_OK);
    strcpy(a->etag, "\"2\"");
    a->code = TG_ERR_NOT_FOUND;
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(reading.num_files, 0);
    assert_fault(0, "a.yaml", "was deleted while the bucket was read");
}

static void read_listing_that_fails_changes_nothing(void **state)
{
    (void)state;
    add("a.yaml", "\"1\"", "one");
    add("b.yaml", "\"2\"", "two");
    assert_int_equal(read_all(), TG_OK);
    bucket.page_size = 1;
    bucket.list_code = TG_ERR_DENIED;
    bucket.list_fails_at = 1; /* the second page */
    assert_int_equal(read_all(), TG_ERR_DENIED);
    assert_fault(0, "s3://b/schemas/", "the bucket cannot be listed: AccessDenied: no (HTTP 403)");
    bucket.list_code = TG_OK;
    bucket.refuses_at_once = TG_ERR_MEMORY;
    assert_int_equal(read_all(), TG_ERR_MEMORY);
    bucket.refuses_at_once = TG_OK;
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.num_gets, 0);
    assert_true(reading.is_same);
    assert_int_equal(reading.num_files, 2);
}

static void read_bounds_are_kept(void **state)
{
    (void)state;
    object *a = add("a.yaml", "\"1\"", "one");
    add("b.yaml", "\"2\"", "two");
    a->size_bytes = TG_MAX_SCHEMA_FILE_BYTES + 1;
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(reading.num_files, 1);
    assert_fault(0, "a.yaml", "is larger than 64 MiB");
    bucket.never_ends = true;
    assert_int_equal(read_all(), TG_ERR_LIMIT);
    bucket.never_ends = false;
    strcpy(a->key, "elsewhere/a.yaml");
    assert_int_equal(read_all(), TG_ERR_SYNTAX);
    assert_fault(0, "s3://b/schemas/", "the listing names an object that is not below the prefix");
    char longest[1026];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "schemas/", strlen("schemas/"));
    strcpy(longest + 1025 - strlen(".yaml"), ".yaml"); /* one more than S3's keys have */
    a->long_key = longest;
    assert_int_equal(read_all(), TG_ERR_SYNTAX);
}

static void read_files_at_their_limit_and_one_over(void **state)
{
    (void)state;
    static char names[TG_MAX_SCHEMA_FILES][16];
    for (unsigned i = 0; i < TG_MAX_SCHEMA_FILES; i++) {
        snprintf(names[i], sizeof names[i], "%05u.yaml", i);
        add(names[i], "\"1\"", "");
    }
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(reading.num_files, TG_MAX_SCHEMA_FILES);
    add("z.yaml", "\"1\"", "");
    assert_int_equal(read_all(), TG_ERR_LIMIT);
    assert_fault(0, "s3://b/schemas/", "more than 10000 schema files");
}

static void read_longest_object_leaves_room_for_growth(void **state)
{
    (void)state;
    add("a.yaml", "\"1\"", "one");
    assert_int_equal(read_all(), TG_OK);
    assert_int_equal(bucket.asked[0].max_bytes, 3 + (1 << 20));
}

static void *interrupt_soon(void *argument)
{
    usleep(20000);
    source->interrupt(source);
    return argument;
}

static void interrupt_ends_a_reading_and_later_ones(void **state)
{
    (void)state;
    pthread_t thread;
    add("a.yaml", "\"1\"", "one");
    bucket.never_answers = true;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
    assert_int_equal(read_all(), TG_ERR_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(bucket.num_cancels, 1);
    bucket.never_answers = false;
    assert_int_equal(read_all(), TG_ERR_CANCELLED);
    assert_int_equal(bucket.num_lists, 0);
}

/* With the refresh that asks it. */

static uint64_t wait_for_reading(tg_publisher *publisher, uint64_t after_unix_ms, size_t *out_num)
{
    uint64_t until_ms = tg_clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        tg_snapshot *snapshot = tg_publisher_current(publisher);
        uint64_t unix_ms = tg_snapshot_schemas_unix_ms(snapshot);
        *out_num = tg_snapshot_num_schemas(snapshot);
        tg_snapshot_unref(snapshot);
        if (unix_ms > after_unix_ms) {
            return unix_ms;
        }
        assert_true(tg_clock_monotonic_ms() < until_ms);
        usleep(1000);
    }
}

static void refresh_of_a_source_compiles_once_and_refuses_single_files(void **state)
{
    (void)state;
    tg_publisher *publisher;
    tg_schema_refresh *refresh;
    size_t num;
    add("a.yaml", "\"1\"", TEST_SCHEMA);
    add("b c.yaml", "\"1\"", TEST_SCHEMA);
    add("../d.yaml", "\"1\"", TEST_SCHEMA);
    const tg_schema_refresh_options options = {.interval_s = 1, .source = source};
    assert_ok(tg_publisher_new(&publisher));
    assert_ok(tg_schema_refresh_start(&options, publisher, &refresh));
    uint64_t read_ms = wait_for_reading(publisher, 0, &num);
    assert_int_equal(num, 1);
    assert_true(tg_test_log_says("holds a blank"));
    assert_true(tg_test_log_says("begins with a dot"));
    assert_true(tg_test_log_says("\"event\":\"schemas_loaded\",\"schemas\":1,\"kept\":0,\"refused\":2"));
    tg_test_log_forget();
    wait_for_reading(publisher, read_ms, &num); /* the same again */
    assert_int_equal(num, 1);
    tg_schema_refresh_stop(refresh);
    assert_string_equal(tg_test_log(), "");
    tg_publisher_free(publisher);
}

static void refresh_of_a_source_holds_weaker_sets_back(void **state)
{
    (void)state;
    tg_publisher *publisher;
    tg_schema_refresh *refresh;
    size_t num;
    add("a.yaml", "\"2\"", SCHEMAS("P: {type: object, properties: {ssn: {type: string}}}"));
    const tg_schema_refresh_options options = {.interval_s = 3600, .source = source};
    assert_ok(tg_publisher_new(&publisher));
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 5));
    assert_ok(tg_schema_refresh_start(&options, publisher, &refresh));
    wait_for_reading(publisher, 5, &num);
    assert_int_equal(num, 1);
    assert_true(tg_test_log_says("\"event\":\"schemas_loaded\",\"schemas\":1,\"kept\":1"));
    tg_schema_refresh_stop(refresh);
    tg_publisher_free(publisher);
}

static void refresh_of_a_source_that_fails_is_said(void **state)
{
    (void)state;
    tg_publisher *publisher;
    tg_schema_refresh *refresh;
    bucket.list_code = TG_ERR_DENIED;
    const tg_schema_refresh_options options = {.interval_s = 3600, .source = source};
    assert_ok(tg_publisher_new(&publisher));
    assert_ok(tg_schema_refresh_start(&options, publisher, &refresh));
    assert_true(tg_test_log_says("\"event\":\"schemas_not_read\",\"source\":\"s3://b/schemas/\""));
    assert_true(tg_test_log_says("AccessDenied: no (HTTP 403)"));
    tg_schema_refresh_stop(refresh);
    tg_publisher_free(publisher);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(read_takes_what_is_a_schema_by_its_ending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_again_reads_only_what_has_another_etag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_again_begins_by_the_clock_of_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_pages_are_put_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_name_listed_twice_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_object_that_changes_after_the_listing_is_taken_as_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(read_object_that_fails_takes_no_other_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_object_deleted_meanwhile_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_listing_that_fails_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_bounds_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_files_at_their_limit_and_one_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_longest_object_leaves_room_for_growth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupt_ends_a_reading_and_later_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refresh_of_a_source_compiles_once_and_refuses_single_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refresh_of_a_source_holds_weaker_sets_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refresh_of_a_source_that_fails_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
