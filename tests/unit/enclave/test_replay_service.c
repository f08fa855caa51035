#include "enclave/replay_service.h"

#include "support/case.h"

#include "crypto/init.h"
#include "sys/clock.h"
#include "telemetry/prometheus.h"

#include <string.h>

/* Whether the export holds this text. */
static bool exports(const char *text)
{
    tg_buf buf;
    tg_buf_init(&buf, 1 << 20);
    assert_ok(tg_prometheus_append(&buf));
    assert_ok(tg_buf_append_byte(&buf, 0));
    bool is_there = strstr((const char *)tg_buf_slice(&buf).ptr, text) != NULL;
    tg_buf_done(&buf);
    return is_there;
}

static tg_enclave_settings settings_of(const char *decrypt)
{
    static const tg_route_guards guards = {.max_body_bytes = 1 << 20};
    tg_enclave_settings settings = {.replay_window_s = 300, .replay_ahead_s = 0, .replay_entries = 16};
    tg_faults faults;
    tg_buf json;
    tg_faults_init(&faults);
    tg_buf_init(&json, 4096);
    assert_ok(tg_buf_printf(&json,
                            "{\"routes\":[{\"path\":\"/process\",\"request\":{\"decrypt\":\"%s\"},"
                            "\"response\":{\"encrypt\":\"%s\"},\"upstream\":{\"url\":\"https://b.example\"}}]}",
                            decrypt, decrypt));
    assert_ok(tg_routes_parse("routes.json", tg_buf_slice(&json), &guards, &faults, &settings.routes));
    tg_buf_done(&json);
    tg_faults_done(&faults);
    return settings;
}

static void open_without_a_route_that_needs_it_makes_none(void **state)
{
    tg_enclave_settings settings = settings_of("none");
    tg_replay *replay = NULL;
    (void)state;
    assert_ok(tg_replay_service_open(&settings, &replay));
    assert_null(replay);
    tg_replay_service_close(replay);
    tg_routes_unref(settings.routes);
    settings.routes = NULL;
    assert_ok(tg_replay_service_open(&settings, &replay));
    assert_null(replay);
    assert_false(exports("teegate_replay_room"));
}

static void open_for_sealed_requests_admits_what_is_sealed_from_now_on(void **state)
{
    static const char *const kinds[] = {"jwe", "ohttp"};
    static const uint8_t digest[TG_REPLAY_DIGEST_BYTES] = {1};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(kinds); i++) {
        tg_enclave_settings settings = settings_of(kinds[i]);
        uint64_t now = tg_clock_unix_ms() / 1000, wait_s;
        tg_replay *replay = NULL;
        assert_ok(tg_replay_service_open(&settings, &replay));
        assert_non_null(replay);
        assert_int_equal(tg_replay_admit(replay, digest, now, now, &wait_s), TG_REPLAY_BEFORE_START);
        assert_int_equal(tg_replay_admit(replay, digest, now + 2, now + 2, &wait_s), TG_REPLAY_ADMITTED);
        assert_true(exports("\nteegate_replay_remembered 1\n"));
        assert_true(exports("\nteegate_replay_room 15\n"));
        tg_replay_service_close(replay);
        assert_true(exports("\nteegate_replay_room 15\n")); /* as it was last, and nothing that is gone is read */
        tg_routes_unref(settings.routes);
    }
}

static void open_outside_its_bounds_is_refused(void **state)
{
    tg_enclave_settings settings = settings_of("jwe");
    tg_replay *replay = NULL;
    (void)state;
    settings.replay_entries = 1;
    assert_code(tg_replay_service_open(&settings, &replay), TG_ERR_RANGE);
    assert_null(replay);
    tg_routes_unref(settings.routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_without_a_route_that_needs_it_makes_none),
        cmocka_unit_test(open_for_sealed_requests_admits_what_is_sealed_from_now_on),
        cmocka_unit_test(open_outside_its_bounds_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
