#include "enclave/snapshot.h"
#include "unit/enclave/parts.h"

#include <pthread.h>

static tg_publisher *publisher;

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_publisher_new(&publisher)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_publisher_free(publisher);
    return 0;
}

static tg_tls_context *make_tls(void)
{
    tg_tls_identity *identity = NULL;
    tg_tls_context *tls = NULL;
    tg_detail detail = {0};
    assert_ok(tg_tls_identity_generate(NULL, 0, (int64_t)time(NULL), &identity, &detail));
    const tg_tls_server_settings settings = {.identity = identity};
    assert_ok(tg_tls_context_new_server(&settings, &tls, &detail));
    tg_tls_identity_unref(identity);
    return tls;
}

static void current_at_first_is_empty(void **state)
{
    (void)state;
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_null(tg_snapshot_schemas(snapshot));
    assert_null(tg_snapshot_ring(snapshot));
    assert_null(tg_snapshot_tls(snapshot));
    assert_int_equal(tg_snapshot_schemas_unix_ms(snapshot), 0);
    assert_int_equal(tg_snapshot_num_schemas(snapshot), 0);
    assert_false(tg_snapshot_is_ready(snapshot));
    tg_snapshot_unref(snapshot);
    tg_snapshot_unref(NULL);
}

static void set_one_part_keeps_the_others(void **state)
{
    (void)state;
    tg_key_ring *ring = test_ring("\xAA");
    tg_schema_set *schemas = tg_build_text(TEST_SCHEMA);
    tg_tls_context *tls = make_tls();
    assert_ok(tg_publisher_set_ring(publisher, ring));
    assert_ok(tg_publisher_set_schemas(publisher, schemas, 77));
    assert_ok(tg_publisher_set_tls(publisher, tls));
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_ptr_equal(tg_snapshot_ring(snapshot), ring);
    assert_ptr_equal(tg_snapshot_schemas(snapshot), schemas);
    assert_int_equal(tg_snapshot_schemas_unix_ms(snapshot), 77);
    assert_ptr_equal(tg_snapshot_tls(snapshot), tls);
    assert_int_equal(tg_snapshot_num_schemas(snapshot), 1);
    assert_true(tg_snapshot_is_ready(snapshot));
    tg_snapshot_unref(snapshot);
}

static void set_again_leaves_held_snapshots_as_they_were(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    tg_snapshot *old = tg_publisher_current(publisher);
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xBB")));
    tg_snapshot *now = tg_publisher_current(publisher);
    assert_int_equal(tg_secret_bytes(tg_key_ring_at(tg_snapshot_ring(old), 0)->key)[0], 0xAA);
    assert_int_equal(tg_secret_bytes(tg_key_ring_at(tg_snapshot_ring(now), 0)->key)[0], 0xBB);
    tg_snapshot_unref(tg_snapshot_ref(old));
    tg_snapshot_unref(old);
    tg_snapshot_unref(now);
}

static void is_ready_needs_a_key_and_a_schema(void **state)
{
    (void)state;
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), 1));
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    assert_false(tg_snapshot_is_ready(snapshot));
    tg_snapshot_unref(snapshot);
    assert_ok(tg_publisher_set_ring(publisher, test_ring("\xAA")));
    const schema_text none[] = {{NULL, NULL}};
    assert_ok(tg_publisher_set_schemas(publisher, tg_build_texts(none, NULL, NULL), 2));
    snapshot = tg_publisher_current(publisher);
    assert_int_equal(tg_snapshot_num_schemas(snapshot), 0);
    assert_false(tg_snapshot_is_ready(snapshot));
    tg_snapshot_unref(snapshot);
}

typedef struct listener {
    tg_loop *loop;
    pthread_t called_by;
    uint64_t seen_unix_ms;
} listener;

static void on_change(void *owner)
{
    listener *self = owner;
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    self->called_by = pthread_self();
    self->seen_unix_ms = tg_snapshot_schemas_unix_ms(snapshot);
    tg_snapshot_unref(snapshot);
    tg_loop_stop(self->loop);
}

static void *publish(void *argument)
{
    (void)argument;
    for (uint64_t i = 1; i <= 100; i++) {
        if (!tg_is_ok(tg_publisher_set_schemas(publisher, tg_build_text(TEST_SCHEMA), i))) {
            return publisher;
        }
    }
    return NULL;
}

static void subscribe_changes_from_another_thread_come_on_the_loop(void **state)
{
    (void)state;
    listener self = {0};
    assert_ok(tg_loop_new(&self.loop));
    tg_subscription subscription = {.loop = self.loop, .changed = on_change, .owner = &self};
    assert_ok(tg_publisher_subscribe(publisher, &subscription));
    pthread_t thread;
    void *failed = NULL;
    assert_int_equal(pthread_create(&thread, NULL, publish, NULL), 0);
    do {
        tg_loop_run(self.loop);
    } while (self.seen_unix_ms < 100);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_true(pthread_equal(self.called_by, pthread_self()) != 0);
    tg_loop_free(self.loop);
}

static void subscribe_one_past_the_limit_is_refused(void **state)
{
    (void)state;
    static tg_subscription subscriptions[TG_MAX_SUBSCRIBERS + 1];
    for (size_t i = 0; i < TG_MAX_SUBSCRIBERS; i++) {
        assert_ok(tg_publisher_subscribe(publisher, &subscriptions[i]));
    }
    assert_code(tg_publisher_subscribe(publisher, &subscriptions[TG_MAX_SUBSCRIBERS]), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(current_at_first_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(set_one_part_keeps_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(set_again_leaves_held_snapshots_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_ready_needs_a_key_and_a_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(subscribe_changes_from_another_thread_come_on_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(subscribe_one_past_the_limit_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
