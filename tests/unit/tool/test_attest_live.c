#include "unit/tool/fake_enclave.h"
#include "unit/tool/tool_run.h"

/* `teegate attest verify` and `teegate dek pin` on a live endpoint, honest and not. */

static fake_enclave fake;

#define ALLOWED "--allow", "test-root", "--allow", "any-image"

static int set_up(void **state)
{
    fake = (fake_enclave){0};
    return tg_test_folder_set_up(state);
}

static int tear_down(void **state)
{
    fake_stop(&fake);
    return tg_test_folder_tear_down(state);
}

static void verify_live_endpoint_passes_with_its_nonce_and_key(void **state)
{
    (void)state;
    fake_start(&fake);
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED), TG_EXIT_OK);
    tool_assert_says(tool_out, "passed   nonce ");
    tool_assert_says(tool_out, "passed   tls_key ");
    tool_assert_says(tool_out, "passed   time ");
    assert_non_null(strstr(fake.server.heard, "GET /attestation?nonce="));
    assert_int_equal(TOOL("", "attest", "show", fake.server.url), TG_EXIT_OK);
    tool_assert_says(tool_out, "manifest    {");
}

static void verify_path_of_the_url_is_asked(void **state)
{
    (void)state;
    char url[128];
    fake_start(&fake);
    snprintf(url, sizeof url, "%s/attestation/of/it", fake.server.url);
    assert_int_equal(TOOL("", "attest", "verify", url, ALLOWED), TG_EXIT_OK);
    assert_non_null(strstr(fake.server.heard, "GET /attestation/of/it?nonce="));
}

static void verify_old_document_fails_by_its_nonce(void **state)
{
    (void)state;
    fake.is_other_nonce = true;
    fake_start(&fake);
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED), TG_EXIT_FINDINGS);
    tool_assert_says(tool_out, "failed   nonce ");
}

static void verify_connection_of_somebody_between_fails(void **state)
{
    (void)state;
    fake.is_other_key = true;
    fake_start(&fake);
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED), TG_EXIT_FINDINGS);
    tool_assert_says(tool_out, "failed   tls_key ");
    tool_assert_says(tool_out, "somebody is between");
}

static void verify_what_a_file_needs_is_refused_of_an_endpoint(void **state)
{
    (void)state;
    fake_start(&fake);
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED, "--nonce", "00"), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "--nonce: is for a document from a file");
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED, "--tls-spki", "00"), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "--tls-spki: is for a document from a file");
}

static void verify_refusals_are_said_with_their_status(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *text;
    } cases[] = {{404, "it answered 404: nothing attests there"},
                 {429, "it answered 429: too many ask just now"},
                 {421, "it answered 421: it does not answer to that name"},
                 {302, "it answered 302"},
                 {503, "it answered 503"}};
    fake_start(&fake);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        fake.status = cases[i].status;
        assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED), TG_EXIT_CANNOT);
        tool_assert_says(tool_err, cases[i].text);
        assert_string_equal(tool_out, "");
    }
    fake.status = 200;
    fake.answer = "<html>";
    assert_int_equal(TOOL("", "attest", "verify", fake.server.url, ALLOWED), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "not in base64");
}

static void pin_verified_endpoint_gives_its_fingerprints(void **state)
{
    (void)state;
    static const tg_manifest_dek two[] = {{{(const uint8_t *)"0123456789abcdef", 16}, "current"},
                                          {{(const uint8_t *)"abcdef0123456789", 16}, "retired"}};
    fake_start(&fake);
    fake.manifest.deks = two;
    fake.manifest.num_deks = 2;
    assert_int_equal(TOOL("", "dek", "pin", fake.server.url, ALLOWED), TG_EXIT_OK);
    assert_string_equal(tool_out, "DEK_FINGERPRINTS=30313233343536373839616263646566,"
                                  "61626364656630313233343536373839\n");
    fake.manifest.num_deks = 0;
    assert_int_equal(TOOL("", "dek", "pin", fake.server.url, ALLOWED), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "no data key is in force there");
}

static void pin_endpoint_that_is_not_verified_gives_nothing(void **state)
{
    (void)state;
    fake.is_other_key = true;
    fake_start(&fake);
    assert_int_equal(TOOL("", "dek", "pin", fake.server.url, ALLOWED), TG_EXIT_FINDINGS);
    assert_string_equal(tool_out, "");
    tool_assert_says(tool_err, "failed   tls_key ");
    tool_assert_says(tool_err, "NOT verified");
    assert_int_equal(TOOL("", "dek", "pin", fake.server.url, "--policy", tg_test_path("absent")), TG_EXIT_CANNOT);
    assert_int_equal(TOOL("", "dek", "pin", "https://127.0.0.1:1"), TG_EXIT_CANNOT);
    assert_string_equal(tool_out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verify_live_endpoint_passes_with_its_nonce_and_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_path_of_the_url_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_old_document_fails_by_its_nonce, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_connection_of_somebody_between_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_what_a_file_needs_is_refused_of_an_endpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_refusals_are_said_with_their_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pin_verified_endpoint_gives_its_fingerprints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pin_endpoint_that_is_not_verified_gives_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
