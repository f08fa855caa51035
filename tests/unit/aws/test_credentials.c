#include "aws/credentials.h"

#include "support/case.h"

#include <stdio.h>

/* A clock and a source of the test's. */
typedef struct bench {
    tg_loop *loop;
    tg_aws_transport *transport;
    tg_aws_credentials *credentials;
    uint64_t now_ms;
    uint64_t life_s; /* of the next set; 0: for ever */
    bool is_failing;
    bool is_empty; /* it has none, and others may be asked */
    uint64_t version;
    bool is_stale; /* the next set seems to have expired an hour ago */
    unsigned num_asked;
    unsigned num_told;
    unsigned num_expected;
    tg_code told_code; /* TG_OK: keys */
    char told[768];
} bench;

static uint64_t clock_of(const void *owner)
{
    return ((const bench *)owner)->now_ms;
}

static tg_result connect_nowhere(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector)
{
    (void)endpoint, (void)owner, (void)out_connector;
    return tg_fail(TG_ERR_UNSUPPORTED);
}

static uint64_t version_of(void *owner)
{
    return ((const bench *)owner)->version;
}

static tg_result source_of(void *owner, tg_aws_key_set **out_set)
{
    bench *own = owner;
    own->num_asked++;
    if (own->is_failing) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    if (own->is_empty) {
        return tg_ok();
    }
    uint64_t expires_s = own->is_stale     ? own->now_ms / 1000 - 3600
                         : own->life_s > 0 ? own->now_ms / 1000 + own->life_s
                                           : 0;
    return tg_aws_key_set_new(&(tg_aws_keys){TG_LIT("id"), TG_LIT("secret"), {NULL, 0}}, expires_s, out_set);
}

static void open_bench(bench *own, tg_result (*get)(void *, tg_aws_key_set **), const char *const *environment)
{
    *own = (bench){.now_ms = 1795248000000};
    assert_ok(tg_loop_new(&own->loop));
    const tg_aws_transport_settings settings = {.region = TG_LIT("eu-west-1"),
                                                .environment = environment,
                                                .connect = connect_nowhere,
                                                .owner = own,
                                                .clock_unix_ms = clock_of};
    assert_ok(tg_aws_transport_new(own->loop, &settings, &own->transport));
    const tg_aws_key_source source = {.get = get, .version = get != NULL ? version_of : NULL, .owner = own};
    assert_ok(tg_aws_credentials_new(own->transport, get != NULL ? &source : NULL, &own->credentials));
}

static void close_bench(bench *own)
{
    tg_aws_credentials_free(own->credentials);
    tg_aws_transport_free(own->transport);
    tg_loop_free(own->loop);
}

typedef struct waiter {
    tg_aws_wait wait;
    bench *own;
} waiter;

static void on_ready(tg_aws_wait *wait, tg_aws_key_set *set, const tg_aws_failure *failure)
{
    bench *own = TG_OBJECT_OF(wait, waiter, wait)->own;
    own->told_code = set != NULL ? TG_OK : failure->result.code;
    snprintf(own->told, sizeof own->told, "%s", set != NULL ? "" : failure->message);
    if (++own->num_told == own->num_expected) {
        tg_loop_stop(own->loop);
    }
}

static void wait_for(bench *own, waiter *waiters, unsigned num_waiters)
{
    own->num_told = 0;
    own->num_expected = num_waiters;
    for (unsigned i = 0; i < num_waiters; i++) {
        waiters[i] = (waiter){.wait = {.ready = on_ready}, .own = own};
        tg_aws_credentials_wait(own->credentials, &waiters[i].wait);
    }
    assert_int_equal(own->num_told, 0); /* never from inside the call */
    tg_loop_run(own->loop);
    assert_int_equal(own->num_told, num_waiters);
}

static void now_of_lasting_keys_asks_once(void **state)
{
    (void)state;
    bench own;
    open_bench(&own, source_of, NULL);
    assert_string_equal(tg_aws_credentials_source(own.credentials), "none");
    tg_aws_key_set *set = tg_aws_credentials_now(own.credentials);
    assert_non_null(set);
    own.now_ms += 1000ull * 86400 * 365;
    assert_ptr_equal(tg_aws_credentials_now(own.credentials), set);
    assert_int_equal(own.num_asked, 1);
    assert_string_equal(tg_aws_credentials_source(own.credentials), "callback");
    close_bench(&own);
}

static void now_renews_five_minutes_before_the_end(void **state)
{
    (void)state;
    bench own;
    open_bench(&own, source_of, NULL);
    own.life_s = 3600;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    own.now_ms += 1000ull * (3600 - TG_AWS_REFRESH_BEFORE_S - 1);
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 1);
    own.now_ms += 1000;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 2);
    close_bench(&own);
}

static void now_near_the_end_asks_once_in_ten_seconds(void **state)
{
    (void)state;
    bench own;
    open_bench(&own, source_of, NULL);
    own.life_s = 60; /* as a source gives that renews its own late */
    for (unsigned i = 0; i < 5; i++) {
        assert_non_null(tg_aws_credentials_now(own.credentials));
    }
    assert_int_equal(own.num_asked, 1);
    own.now_ms += 1000ull * TG_AWS_FRESH_S - 1000;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 1);
    own.now_ms += 1000;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 2);
    close_bench(&own);
}

static void wait_for_keys_that_seem_expired_gives_them(void **state)
{
    (void)state;
    bench own;
    waiter waiters[2];
    open_bench(&own, source_of, NULL);
    own.is_stale = true; /* the machine's clock may be an hour ahead: AWS's answer will tell */
    wait_for(&own, waiters, 2);
    assert_int_equal(own.told_code, TG_OK);
    assert_int_equal(own.num_asked, 1);
    own.now_ms += 1000ull * TG_AWS_FRESH_S;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 2);
    tg_aws_credentials_drop(own.credentials, tg_aws_credentials_now(own.credentials)); /* AWS: they have expired */
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 3);
    tg_aws_transport_set_now_s(own.transport, own.now_ms / 1000 - 7200); /* AWS: the clock was wrong */
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 3);
    close_bench(&own);
}

static void now_keeps_what_is_good_while_renewal_fails(void **state)
{
    (void)state;
    bench own;
    open_bench(&own, source_of, NULL);
    own.life_s = 3600;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    own.is_failing = true;
    own.now_ms += 1000ull * 3500;
    assert_non_null(tg_aws_credentials_now(own.credentials)); /* a hundred seconds are left */
    assert_int_equal(own.num_asked, 2);
    assert_non_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, 2); /* and it is not asked again at once */
    own.now_ms += 1000ull * 101;
    assert_null(tg_aws_credentials_now(own.credentials));
    close_bench(&own);
}

static void drop_has_others_fetched_and_ignores_former_ones(void **state)
{
    (void)state;
    bench own;
    open_bench(&own, source_of, NULL);
    tg_aws_key_set *first = tg_aws_key_set_ref(tg_aws_credentials_now(own.credentials));
    tg_aws_credentials_drop(own.credentials, first);
    tg_aws_key_set *second = tg_aws_credentials_now(own.credentials);
    assert_true(second != NULL && second != first);
    tg_aws_credentials_drop(own.credentials, first); /* too late: it was replaced */
    assert_ptr_equal(tg_aws_credentials_now(own.credentials), second);
    assert_int_equal(own.num_asked, 2);
    tg_aws_key_set_unref(first);
    close_bench(&own);
}

static void wait_tells_all_of_keys_or_of_the_failure(void **state)
{
    (void)state;
    bench own;
    waiter waiters[5];
    open_bench(&own, source_of, NULL);
    wait_for(&own, waiters, 5);
    assert_int_equal(own.told_code, TG_OK);
    assert_int_equal(own.num_asked, 1);
    own.is_failing = true;
    tg_aws_credentials_drop(own.credentials, tg_aws_credentials_now(own.credentials));
    wait_for(&own, waiters, 5);
    assert_int_equal(own.told_code, TG_ERR_NOT_FOUND);
    assert_int_equal(own.num_asked, 2);
    close_bench(&own);
}

static void leave_is_told_nothing(void **state)
{
    (void)state;
    bench own;
    waiter one = {.wait = {.ready = on_ready}, .own = &own}, other[1];
    open_bench(&own, source_of, NULL);
    tg_aws_credentials_wait(own.credentials, &one.wait);
    tg_aws_credentials_leave(&one.wait);
    wait_for(&own, other, 1);
    close_bench(&own);
}

static void wait_with_keys_of_the_environment_gives_them(void **state)
{
    (void)state;
    const char *const environment[] = {"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t", NULL};
    bench own;
    waiter waiters[1];
    open_bench(&own, NULL, environment);
    assert_null(tg_aws_credentials_now(own.credentials)); /* it looks first */
    wait_for(&own, waiters, 1);
    assert_int_equal(own.told_code, TG_OK);
    tg_aws_key_set *set = tg_aws_credentials_now(own.credentials);
    assert_slice(set->keys.session_token, "t");
    assert_string_equal(tg_aws_credentials_source(own.credentials), "environment");
    close_bench(&own);
}

static void now_of_a_source_that_changed_asks_again(void **state)
{
    (void)state;
    bench own;
    const char *const environment[] = {"AWS_ACCESS_KEY_ID=of-the-environment", "AWS_SECRET_ACCESS_KEY=s", NULL};
    open_bench(&own, source_of, environment);
    own.is_empty = true;
    waiter waiters[1];
    wait_for(&own, waiters, 1);
    tg_aws_key_set *set = tg_aws_credentials_now(own.credentials);
    tg_assert_slice(set->keys.access_key_id, TG_LIT("of-the-environment"), __FILE__, __LINE__);
    assert_string_equal(tg_aws_credentials_source(own.credentials), "environment");
    own.is_empty = false; /* keys are delivered, and take effect at the next call */
    own.version = 1;
    set = tg_aws_credentials_now(own.credentials);
    tg_assert_slice(set->keys.access_key_id, TG_LIT("id"), __FILE__, __LINE__);
    assert_string_equal(tg_aws_credentials_source(own.credentials), "callback");
    unsigned num_asked = own.num_asked;
    assert_ptr_equal(tg_aws_credentials_now(own.credentials), set);
    assert_int_equal(own.num_asked, num_asked);
    own.version = 2;
    own.is_failing = true; /* nobody else is asked then, and the old ones are gone */
    assert_null(tg_aws_credentials_now(own.credentials));
    assert_null(tg_aws_credentials_now(own.credentials));
    assert_int_equal(own.num_asked, num_asked + 1);
    own.version = 3; /* the pause after a failure does not hold the new ones back */
    own.is_failing = false;
    assert_non_null(tg_aws_credentials_now(own.credentials));
    close_bench(&own);
}

static void wait_without_any_source_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *variables[4];
        const char *source;
        tg_code code;
        const char *said;
    } cases[] = {
        {{"AWS_EC2_METADATA_DISABLED=true", NULL}, "instance", TG_ERR_NOT_FOUND, "none are configured"},
        {{"HOME=/nonexistent", NULL}, "instance", TG_ERR_UNSUPPORTED, "instance"}, /* the test has no way there */
        {{"AWS_ACCESS_KEY_ID=id", NULL}, "environment", TG_ERR_SYNTAX, "AWS_SECRET_ACCESS_KEY is missing"},
        {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", NULL}, "container", TG_ERR_UNSUPPORTED, "container"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.org/x", NULL},
         "container",
         TG_ERR_DENIED,
         "may be http://"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
          "AWS_CONTAINER_AUTHORIZATION_TOKEN=x", NULL},
         "container",
         TG_ERR_UNSUPPORTED,
         "container"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://example.org", NULL},
         "container",
         TG_ERR_UNSUPPORTED,
         "container"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=ftp://x", NULL}, "container", TG_ERR_UNSUPPORTED, "FULL_URI is no URL"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x",
          "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nonexistent", NULL},
         "container",
         TG_ERR_SYSTEM,
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be read"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent", "AWS_ROLE_ARN=arn", NULL},
         "web identity",
         TG_ERR_SYSTEM,
         "AWS_WEB_IDENTITY_TOKEN_FILE names cannot be read"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE=/proc/version", "AWS_ROLE_ARN=arn", NULL},
         "web identity",
         TG_ERR_UNSUPPORTED,
         "web identity"},
        {{"AWS_SHARED_CREDENTIALS_FILE=/proc/version", NULL}, "instance", TG_ERR_UNSUPPORTED, "instance"},
        {{"AWS_SHARED_CREDENTIALS_FILE=/proc/version", "AWS_PROFILE=tee", NULL},
         "shared files",
         TG_ERR_NOT_FOUND,
         "AWS_PROFILE names holds no keys"},
        {{"HOME=/nonexistent", "AWS_PROFILE=tee", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", NULL},
         "shared files",
         TG_ERR_NOT_FOUND,
         "AWS_PROFILE names holds no keys"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        bench own;
        waiter waiters[1];
        open_bench(&own, NULL, cases[i].variables);
        wait_for(&own, waiters, 1);
        assert_string_equal(tg_code_name(own.told_code), tg_code_name(cases[i].code));
        assert_string_equal(tg_aws_credentials_source(own.credentials), cases[i].source);
        if (strstr(own.told, cases[i].said) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", own.told, cases[i].said);
        }
        close_bench(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_of_lasting_keys_asks_once),
        cmocka_unit_test(now_renews_five_minutes_before_the_end),
        cmocka_unit_test(now_near_the_end_asks_once_in_ten_seconds),
        cmocka_unit_test(wait_for_keys_that_seem_expired_gives_them),
        cmocka_unit_test(now_keeps_what_is_good_while_renewal_fails),
        cmocka_unit_test(drop_has_others_fetched_and_ignores_former_ones),
        cmocka_unit_test(wait_tells_all_of_keys_or_of_the_failure),
        cmocka_unit_test(leave_is_told_nothing),
        cmocka_unit_test(wait_with_keys_of_the_environment_gives_them),
        cmocka_unit_test(now_of_a_source_that_changed_asks_again),
        cmocka_unit_test(wait_without_any_source_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
