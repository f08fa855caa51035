#include "enclave/forward_settings.h"

#include "unit/enclave/parts.h"

static void forward_fault_names_what_is_wrong(void **state)
{
    static const struct {
        const char *item, *words; /* NULL: good */
    } cases[] = {
        {"/orders=order", NULL},
        {"/=a|b#C|d/e", NULL},
        {"/orders", "names no schema"},
        {"/orders=", "empty"},
        {"/orders=a||b", "empty"},
        {"/orders=a|", "empty"},
        {"orders=a", "does not begin with a path"},
        {"=a", "does not begin with a path"},
        {"/a?b=c", "does not begin with a path"},
        {"/a%20=c", "does not begin with a path"},
        {"/a b=c", "does not begin with a path"},
        {"/a\x7f=c", "does not begin with a path"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const char *fault = tg_forward_fault(tg_slice_str(cases[i].item));
        if (cases[i].words == NULL ? fault != NULL : fault == NULL || strstr(fault, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].item, fault != NULL ? fault : "taken");
        }
    }
}

static void forward_fault_at_the_limits(void **state)
{
    char text[2048];
    (void)state;
    for (size_t len = TG_MAX_ROUTE_PATH_BYTES; len <= TG_MAX_ROUTE_PATH_BYTES + 1; len++) {
        memset(text, 'a', len);
        text[0] = '/';
        memcpy(text + len, "=s", 3);
        assert_int_equal(tg_forward_fault(tg_slice_str(text)) == NULL, len == TG_MAX_ROUTE_PATH_BYTES);
    }
    for (size_t len = 512; len <= 513; len++) {
        memcpy(text, "/=", 2);
        memset(text + 2, 's', len);
        text[2 + len] = 0;
        assert_int_equal(tg_forward_fault(tg_slice_str(text)) == NULL, len == 512);
    }
    for (size_t num = 64; num <= 65; num++) {
        memcpy(text, "/=", 2);
        for (size_t i = 0; i < num; i++) {
            memcpy(text + 2 + 2 * i, "s|", 2);
        }
        text[1 + 2 * num] = 0;
        assert_int_equal(tg_forward_fault(tg_slice_str(text)) == NULL, num == 64);
    }
}

static void forward_header_fault_lets_credentials_pass_where_named(void **state)
{
    char name[70];
    (void)state;
    assert_null(tg_forward_header_fault(TG_LIT("Authorization")));
    assert_null(tg_forward_header_fault(TG_LIT("X-App")));
    assert_non_null(tg_forward_header_fault(TG_LIT("Host")));
    assert_non_null(tg_forward_header_fault(TG_LIT("Transfer-Encoding")));
    assert_non_null(tg_forward_header_fault(TG_LIT("X Y")));
    memset(name, 'a', sizeof name);
    assert_null(tg_forward_header_fault(tg_slice_of(name, TG_MAX_ROUTE_HEADER_BYTES)));
    assert_non_null(tg_forward_header_fault(tg_slice_of(name, TG_MAX_ROUTE_HEADER_BYTES + 1)));
}

static void settings_load_makes_paths_with_their_schemas(void **state)
{
    const char *const environment[] = {"FORWARD_SCHEMAS=/orders=order|order#Line,/users=user", "FORWARD_HEADERS=X-App",
                                       "APP_ENDPOINT=tcp:127.0.0.1:3000", NULL};
    tg_enclave_settings settings;
    (void)state;
    test_settings(&settings, environment);
    const tg_forwards *forwards = settings.forwards;
    assert_non_null(forwards);
    assert_int_equal(forwards->num_paths, 2);
    assert_true(forwards->has_application);
    assert_int_equal(forwards->application.port, 3000);
    const tg_forward *orders = tg_forwards_find(forwards, TG_LIT("/orders"));
    assert_non_null(orders);
    assert_int_equal(orders->schemas.num_items, 2);
    assert_string_equal(orders->schemas.items[1], "order#Line");
    assert_null(tg_forwards_find(forwards, TG_LIT("/orders/")));
    assert_null(tg_forwards_find(NULL, TG_LIT("/orders")));
    assert_int_equal(forwards->policy.num_request_headers, 2);
    assert_int_equal(forwards->policy.num_response_headers, 1);
    tg_enclave_settings_done(&settings);
    test_settings(&settings, TEST_NO_ENVIRONMENT);
    assert_null(settings.forwards);
    tg_enclave_settings_done(&settings);
}

static void settings_load_that_leads_nowhere_is_a_fault(void **state)
{
    static const struct {
        const char *environment[3], *setting, *words;
    } cases[] = {
        {{"FORWARD_SCHEMAS=/orders=order", NULL}, "FORWARD_SCHEMAS", "leads nowhere"},
        {{"APP_ENDPOINT=tcp:127.0.0.1:3000", NULL}, "APP_ENDPOINT", "nothing is forwarded"},
        {{"FORWARD_HEADERS=X-App", NULL}, "FORWARD_HEADERS", "nothing is forwarded"},
        {{"FORWARD_SCHEMAS=/encrypt=a", "APP_ENDPOINT=tcp:127.0.0.1:1", NULL}, "FORWARD_SCHEMAS", "own API"},
        {{"FORWARD_SCHEMAS=/a=a,/a=b", "APP_ENDPOINT=tcp:127.0.0.1:1", NULL}, "FORWARD_SCHEMAS", "one path twice"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_enclave_settings_source source = {.environment = cases[i].environment, .is_local_mode = true};
        tg_enclave_settings settings;
        tg_faults faults;
        tg_faults_init(&faults);
        assert_ok(tg_enclave_settings_load(&settings, &source, &faults));
        assert_int_equal(faults.num_faults, 1);
        assert_string_equal(faults.faults[0].field, cases[i].setting);
        assert_non_null(strstr(faults.faults[0].reason, cases[i].words));
        tg_faults_done(&faults);
        tg_enclave_settings_done(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_fault_names_what_is_wrong),
        cmocka_unit_test(forward_fault_at_the_limits),
        cmocka_unit_test(forward_header_fault_lets_credentials_pass_where_named),
        cmocka_unit_test(settings_load_makes_paths_with_their_schemas),
        cmocka_unit_test(settings_load_that_leads_nowhere_is_a_fault),
    };
    return cmocka_run_group_tests(tests, test_crypto_set_up, NULL);
}
