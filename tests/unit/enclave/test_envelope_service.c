#include "unit/enclave/site_case.h"

#include "enclave/enclave_manifest.h"
#include "enclave/envelope_service.h"

#include <jansson.h>
#include <string.h>

/* What the service does when it is told of a snapshot, without turning the loop by hand: it opens anew. */
static tg_envelope_service *open_service(void)
{
    tg_envelope_service *service = NULL;
    assert_ok(tg_envelope_service_open(at.publisher, at.loop, &service));
    site_take_up();
    return service;
}

static void close_service(tg_envelope_service *service)
{
    tg_publisher_end(at.publisher);
    tg_envelope_service_close(service);
}

static char *first_kid(const char *answer)
{
    json_t *jwks = json_loads(site_body(answer), JSON_REJECT_DUPLICATES, NULL);
    const char *kid = json_string_value(json_object_get(json_array_get(json_object_get(jwks, "keys"), 0), "kid"));
    assert_non_null(kid);
    char *copy = strdup(kid);
    json_decref(jwks);
    return copy;
}

static void jwks_follow_the_data_keys(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    tg_envelope_service *service = open_service();
    assert_int_equal(site_status(site_get("/.well-known/jwks.json")), 503);
    assert_int_equal(site_status(site_get("/.well-known/ohttp-gateway")), 503);
    site_set_ring("\xAA"); /* the service is told on its loop, which asking turns */
    assert_int_equal(site_status(site_get("/live")), 200);
    site_take_up();
    const char *answer = site_get("/.well-known/jwks.json");
    assert_int_equal(site_status(answer), 200);
    assert_non_null(strstr(answer, "application/jwk-set+json"));
    char *first = first_kid(answer);
    site_set_ring("\xBB\xAA");
    assert_int_equal(site_status(site_get("/live")), 200);
    site_take_up();
    char *second = first_kid(site_get("/.well-known/jwks.json"));
    assert_string_not_equal(first, second);
    const tg_envelope_keys *keys = tg_snapshot_envelope_keys(tg_serving_snapshot(at.site.serving));
    assert_non_null(tg_envelope_keys_find(keys, first)); /* what was sealed before the rotation still opens */
    answer = site_get("/.well-known/ohttp-gateway");
    assert_int_equal(site_status(answer), 200);
    assert_non_null(strstr(answer, "application/ohttp-keys"));
    free(first);
    free(second);
    close_service(service);
    site_close();
}

static void manifest_holds_what_the_endpoints_serve(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    for (int has_keys = 0; has_keys < 2; has_keys++) {
        tg_envelope_service *service = has_keys ? open_service() : NULL;
        tg_buf manifest;
        tg_buf_init(&manifest, 65536);
        assert_ok(tg_enclave_manifest_append(tg_serving_snapshot(at.site.serving), TG_LIT("{}"), (tg_slice){NULL, 0},
                                             &manifest));
        assert_ok(tg_buf_append_byte(&manifest, 0));
        const char *text = (const char *)tg_buf_slice(&manifest).ptr;
        assert_int_equal(strstr(text, "\"jwks\":null") == NULL, has_keys);
        assert_int_equal(strstr(text, "\"ohttp\":null") == NULL, has_keys);
        tg_buf_done(&manifest);
        close_service(service);
    }
    site_close();
}

static void publisher_ended_tells_nobody(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    tg_envelope_service *service = open_service();
    close_service(service);
    site_set_ring("\xAA"); /* would be told to what is gone */
    assert_int_equal(site_status(site_get("/live")), 200);
    assert_null(tg_snapshot_envelope_keys(tg_serving_snapshot(at.site.serving)));
    tg_envelope_service_close(NULL);
    site_close();
}

static void ignore(void *owner)
{
    (void)owner;
}

static void envelope_service_of_a_publisher_with_too_many_listeners_is_refused(void **state)
{
    static tg_subscription subscriptions[TG_MAX_SUBSCRIBERS];
    tg_envelope_service *service = NULL;
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    for (size_t i = 0; i < TG_COUNT(subscriptions); i++) {
        subscriptions[i] = (tg_subscription){.loop = at.loop, .changed = ignore};
        assert_ok(tg_publisher_subscribe(at.publisher, &subscriptions[i]));
    }
    assert_code(tg_envelope_service_open(at.publisher, at.loop, &service), TG_ERR_LIMIT);
    assert_null(service);
    site_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jwks_follow_the_data_keys),
        cmocka_unit_test(manifest_holds_what_the_endpoints_serve),
        cmocka_unit_test(publisher_ended_tells_nobody),
        cmocka_unit_test(envelope_service_of_a_publisher_with_too_many_listeners_is_refused),
    };
    return tg_is_ok(tg_crypto_init(2)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
