#include "unit/tool/fake_gateway.h"
#include "unit/tool/tool_run.h"

#include "tool/call_exchange.h"

#include <sys/stat.h>

/* `teegate call` against a gateway that is honest, and against everybody else who might answer. */

static fake_gateway fake;

#define ALLOWED "--allow", "test-root", "--allow", "any-image"
static const char secret[] = "{\"iban\":\"DE02120300000000202051\"}";

static char url[128];

static int set_up(void **state)
{
    memset(&fake, 0, sizeof fake);
    return tg_test_folder_set_up(state);
}

static int tear_down(void **state)
{
    fake_gateway_stop(&fake);
    return tg_test_folder_tear_down(state);
}

static void begin(void)
{
    fake_gateway_start(&fake);
    snprintf(url, sizeof url, "%s/process", fake.enclave.server.url);
}

#define CALL_WITH(...)  (test_tls_meet(0), test_tls_meet(TOOL(secret, "call", url, "-d", "@-", __VA_ARGS__)))
#define CALL(...)       CALL_WITH(ALLOWED, __VA_ARGS__)
#define CALL_JWE()      CALL_WITH(ALLOWED)
#define CALL_OHTTP(...) CALL("--envelope", "ohttp", __VA_ARGS__)

/* Neither what was sent nor what came back without being believed. */
static void assert_nothing_out(void)
{
    assert_int_equal(tool_out_len, 0);
    assert_null(strstr(tool_err, "DE02120300000000202051"));
    assert_null(strstr(tool_err, "done"));
}

static void jwe_honest_answer_is_given_out(void **state)
{
    (void)state;
    begin();
    assert_int_equal(CALL_JWE(), TG_CALL_ANSWERED);
    assert_string_equal(tool_out, "{\"done\":true}");
    assert_string_equal(tool_err, "");
    assert_memory_equal(fake.body, secret, sizeof secret - 1);
    assert_int_equal(fake.body_len, sizeof secret - 1);
    assert_string_equal(fake.path, "/process");
    assert_string_equal(fake.content_type, "application/json");
    assert_true(fake.has_issued);
    assert_null(strstr(fake.enclave.server.heard, "DE0212"));
    assert_non_null(strstr(fake.head, "POST /process HTTP/1.1\r\n"));
}

static void jwe_what_the_command_line_says_is_sent(void **state)
{
    (void)state;
    begin();
    assert_int_equal(CALL("-X", "PUT", "--content-type", "text/plain", "-H", "X-Test: a b", "--header", "Accept:x"),
                     TG_CALL_ANSWERED);
    assert_non_null(strstr(fake.head, "PUT /process HTTP/1.1\r\n"));
    assert_non_null(strstr(fake.head, "\r\nX-Test: a b\r\n"));
    assert_non_null(strstr(fake.head, "\r\nAccept: x\r\n"));
    assert_string_equal(fake.content_type, "text/plain");
    assert_int_equal(TOOL("", "call", url, ALLOWED), TG_CALL_ANSWERED); /* nothing to send is a body of nothing */
    assert_int_equal(fake.body_len, 0);
    assert_int_equal(TOOL("", "call", url, "-d", "text", ALLOWED), TG_CALL_ANSWERED);
    assert_int_equal(fake.body_len, 4);
    assert_memory_equal(fake.body, "text", 4);
    tg_test_write_file("in", TG_LIT("of a file\0!"));
    char at[128];
    snprintf(at, sizeof at, "@%s", tg_test_path("in"));
    assert_int_equal(TOOL("", "call", url, "-d", at, ALLOWED), TG_CALL_ANSWERED);
    assert_memory_equal(fake.body, "of a file\0!", 11);
}

static void ohttp_honest_answer_is_given_out(void **state)
{
    (void)state;
    char authority[64];
    begin();
    snprintf(authority, sizeof authority, "127.0.0.1:%u", fake.enclave.server.port);
    snprintf(url, sizeof url, "%s/process?of=it", fake.enclave.server.url);
    assert_int_equal(CALL_OHTTP("-X", "PATCH", "-H", "X-Test: inside", "--content-type", "a/b"), TG_CALL_ANSWERED);
    assert_string_equal(tool_out, "{\"done\":true}");
    assert_memory_equal(fake.body, secret, sizeof secret - 1);
    assert_non_null(strstr(fake.head, "POST /process HTTP/1.1\r\n"));
    assert_null(strstr(fake.head, "inside"));
    assert_string_equal(fake.method, "PATCH");
    assert_string_equal(fake.path, "/process?of=it");
    assert_string_equal(fake.authority, authority);
    assert_string_equal(fake.content_type, "a/b");
    assert_string_equal(fake.inner_header, "inside");
    assert_true(fake.has_issued);
}

static void both_verified_errors_are_given_out_with_their_own_status(void **state)
{
    (void)state;
    begin();
    fake.status = 422;
    fake.answer_body = TG_LIT("no such account");
    assert_int_equal(CALL_JWE(), TG_CALL_ERROR_STATUS);
    assert_string_equal(tool_out, "no such account");
    tool_assert_says(tool_err, "the enclave answered 422 (verified)");
    assert_int_equal(CALL_OHTTP("--timeout", "20"), TG_CALL_ERROR_STATUS);
    assert_string_equal(tool_out, "no such account");
    fake.status = 302;
    assert_int_equal(CALL_JWE(), TG_CALL_ERROR_STATUS);
    fake.status = 299;
    assert_int_equal(CALL_JWE(), TG_CALL_ANSWERED);
}

/* Sealed, the enclave's word; in the clear, a way to have a request made twice. */
static void both_envelope_from_before_the_start_is_sealed_anew(void **state)
{
    (void)state;
    begin();
    fake.num_too_early = 2;
    assert_int_equal(CALL("-v"), TG_CALL_ANSWERED);
    assert_string_equal(tool_out, "{\"done\":true}");
    tool_assert_says(tool_err, "* again ");
    assert_int_equal(fake.num_requests, 3);
    fake.num_too_early = 1;
    assert_int_equal(CALL_OHTTP("--json"), TG_CALL_ANSWERED);
    assert_int_equal(fake.num_requests, 5);
    fake.num_too_early = 100;
    assert_int_equal(CALL_OHTTP("--timeout", "2"), TG_CALL_ERROR_STATUS); /* and that is then the answer */
    tool_assert_says(tool_out, "_before_start");
    fake.num_too_early = 0;
    fake.num_requests = 0;
    fake.forgery = FAKE_PLAIN_EARLY;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_SEALED);
    assert_int_equal(fake.num_requests, 1);
}

static void both_certificate_is_shown_to_the_verified_enclave_alone(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "caller", .san = "DNS:caller.test"});
    tg_buf cert, key;
    tg_buf_init(&cert, 65536);
    tg_buf_init(&key, 65536);
    test_append_certificate(&made, &cert);
    test_append_key(&made, &key);
    tg_test_write_file("cert.pem", tg_buf_slice(&cert));
    tg_test_write_file("key.pem", tg_buf_slice(&key));
    assert_ok(tg_buf_append(&cert, tg_buf_slice(&key)));
    tg_test_write_file("both.pem", tg_buf_slice(&cert));
    begin();
    assert_int_equal(CALL("--cert", tg_test_path("cert.pem"), "--key", tg_test_path("key.pem"), "-v"),
                     TG_CALL_ANSWERED);
    assert_string_equal(fake.enclave.server.client_name, "/CN=caller");
    tool_assert_says(tool_err, "* identified ");
    assert_int_equal(CALL_OHTTP("--cert", tg_test_path("both.pem")), TG_CALL_ANSWERED);
    assert_string_equal(fake.enclave.server.client_name, "/CN=caller");
    fake.enclave.is_other_nonce = true;
    assert_int_equal(CALL("--cert", tg_test_path("both.pem")), TG_CALL_NOT_VERIFIED);
    assert_string_equal(fake.enclave.server.client_name, ""); /* the connection that attested itself saw none */
    assert_int_equal(CALL("--cert", tg_test_path("cert.pem")), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "cert.pem");
    assert_int_equal(CALL("--key", tg_test_path("key.pem")), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "--key: needs --cert");
    tg_buf_done(&cert);
    tg_buf_done(&key);
    test_certificate_done(&made);
}

/* The connection that the certificate goes to is another one: somebody else might be at its end. */
static void both_certificate_is_not_shown_to_another_key(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "caller"});
    tg_buf both;
    tg_buf_init(&both, 65536);
    test_append_certificate(&made, &both);
    test_append_key(&made, &both);
    tg_test_write_file("both.pem", tg_buf_slice(&both));
    fake.enclave.server.changes_its_key = true;
    begin();
    assert_int_equal(CALL("--cert", tg_test_path("both.pem")), TG_CALL_NOT_DONE);
    tool_assert_says(tool_err, "it has another key than is asked for");
    assert_string_equal(fake.head, "");
    assert_string_equal(fake.enclave.server.client_name, "");
    tg_buf_done(&both);
    test_certificate_done(&made);
}

static void jwe_forged_answers_are_refused(void **state)
{
    (void)state;
    static const struct {
        fake_forgery forgery;
        const char *reason;
    } cases[] = {{FAKE_OTHER_SIGNER, "signature is not by the enclave's key"},
                 {FAKE_UNKNOWN_SIGNER, "signed by a key that is not the enclave's"},
                 {FAKE_OTHER_REQUEST, "to another request (req)"},
                 {FAKE_NO_REQUEST, "to another request (req)"},
                 {FAKE_NO_STATUS, "has no status"},
                 {FAKE_STATUS_RANGE, "has no status"},
                 {FAKE_OLD, "not of now (iat)"},
                 {FAKE_FUTURE, "not of now (iat)"},
                 {FAKE_NO_TIME, "not of now (iat)"},
                 {FAKE_OTHER_RECIPIENT, "not sealed to this request's reply_jwk"},
                 {FAKE_OTHER_KID, "not sealed to this request's reply_jwk"},
                 {FAKE_CHANGED, "not sealed to this request's reply_jwk"},
                 {FAKE_REPLAY, "not sealed to this request's reply_jwk"},
                 {FAKE_UNSIGNED, ""},
                 {FAKE_PLAIN_AS_SEALED, ""},
                 {FAKE_CUT_OFF, ""}};
    begin();
    assert_int_equal(CALL_JWE(), TG_CALL_ANSWERED); /* something to replay */
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        fake.forgery = cases[i].forgery;
        int status = CALL_JWE();
        if (status != TG_CALL_REFUSED) {
            fail_msg("%zu: %d %s", i, status, tool_err);
        }
        assert_nothing_out();
        tool_assert_says(tool_err, cases[i].reason);
        tool_assert_says(tool_err, "may have been acted upon");
    }
}

static void ohttp_forged_answers_are_refused(void **state)
{
    (void)state;
    static const fake_forgery cases[] = {FAKE_OTHER_RECIPIENT, FAKE_CHANGED,   FAKE_REPLAY,   FAKE_PLAIN_AS_SEALED,
                                         FAKE_CUT_OFF,         FAKE_NOT_BHTTP, FAKE_A_REQUEST};
    begin();
    assert_int_equal(CALL_OHTTP("-v"), TG_CALL_ANSWERED);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        fake.forgery = cases[i];
        int status = CALL_OHTTP("--timeout", "20");
        if (status != TG_CALL_REFUSED) {
            fail_msg("%zu: %d %s", i, status, tool_err);
        }
        assert_nothing_out();
    }
}

static void both_answers_in_the_clear_are_nobodys(void **state)
{
    (void)state;
    static const fake_forgery cases[] = {FAKE_PLAIN, FAKE_PLAIN_ERROR};
    begin();
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        fake.forgery = cases[i];
        assert_int_equal(CALL_JWE(), TG_CALL_NOT_SEALED);
        assert_int_equal(tool_out_len, 0);
        tool_assert_says(tool_err, "in the clear, for which nobody vouches: forbidden: no; ");
        assert_int_equal(CALL_OHTTP("--json"), TG_CALL_NOT_SEALED);
        tool_assert_says(tool_out,
                         "{\"end\":\"not_sealed\",\"verified\":false,\"may_be_processed\":true,\"reason\":\"");
    }
}

static void both_enclave_that_is_not_verified_is_sent_nothing(void **state)
{
    (void)state;
    begin();
    assert_int_equal(TOOL(secret, "call", url, "-d", "@-", "--allow", "any-image"), TG_CALL_NOT_VERIFIED);
    tool_assert_says(tool_err, "failed   root ");
    tool_assert_says(tool_err, "nothing was sent");
    fake.enclave.is_other_nonce = true;
    assert_int_equal(CALL("--json"), TG_CALL_NOT_VERIFIED);
    assert_string_equal(tool_out, "{\"end\":\"not_verified\",\"verified\":false,\"may_be_processed\":false,\"reason\":"
                                  "\"is not the enclave that it should be: nothing was sent\"}\n");
    fake.enclave.is_other_nonce = false;
    fake.enclave.spki[5] ^= 1;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_VERIFIED);
    tool_assert_says(tool_err, "somebody is between");
    fake.enclave.spki[5] ^= 1;
    fake.enclave.status = 404;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_DONE);
    assert_int_equal(fake.enclave.num_others, 0);
}

static void both_keys_that_the_manifest_does_not_bind_are_not_sealed_to(void **state)
{
    (void)state;
    begin();
    fake.num_stale_keys = 2;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_VERIFIED);
    tool_assert_says(tool_err, "not those that the attested manifest names");
    fake.num_stale_keys = 2;
    assert_int_equal(CALL_OHTTP("--json"), TG_CALL_NOT_VERIFIED);
    assert_string_equal(fake.head, ""); /* no request came */
    fake.num_stale_keys = 1;            /* renewed between the two answers: asked again */
    assert_int_equal(CALL("-v"), TG_CALL_ANSWERED);
    tool_assert_says(tool_err, "not those of the manifest: asked again");
}

static void both_enclave_without_keys_cannot_be_called(void **state)
{
    (void)state;
    begin();
    fake.keys_status = 503;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_DONE);
    tool_assert_says(tool_err, "it answered 503: the enclave has no data key yet");
    fake.keys_status = 0;
    fake.enclave.manifest.jwks = (tg_slice){NULL, 0};
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_DONE);
    tool_assert_says(tool_err, "its manifest names none");
}

static void output_goes_to_a_new_file_of_mode_600(void **state)
{
    (void)state;
    struct stat made;
    begin();
    umask(0);
    const char *path = tg_test_path("out");
    assert_int_equal(CALL("-o", path, "--json"), TG_CALL_ANSWERED);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0600);
    assert_int_equal(made.st_size, 13);
    assert_null(strstr(tool_out, "done"));
    fake.head[0] = 0;
    assert_int_equal(CALL("-o", path), TG_EXIT_CANNOT); /* and nothing is sent */
    tool_assert_says(tool_err, "nothing is overwritten");
    assert_string_equal(fake.head, "");
    const char *refused = tg_test_path("refused");
    fake.forgery = FAKE_OTHER_SIGNER;
    assert_int_equal(CALL("-o", refused), TG_CALL_REFUSED);
    assert_int_equal(access(refused, F_OK), -1);
}

static void json_holds_the_answer_in_one_form_or_the_other(void **state)
{
    (void)state;
    begin();
    assert_int_equal(CALL("--json"), TG_CALL_ANSWERED);
    tool_assert_says(tool_out, "{\"end\":\"answered\",\"verified\":true,\"may_be_processed\":true,\"status\":200,"
                               "\"content_type\":\"application/json\",\"iat\":");
    tool_assert_says(tool_out, "\"body\":\"{\\\"done\\\":true}\"}\n");
    tool_assert_says(tool_out, "\"kid\":\"");
    fake.answer_body = TG_LIT("\xff\x00\x01");
    assert_int_equal(CALL_OHTTP("--json"), TG_CALL_ANSWERED);
    tool_assert_says(tool_out, "\"body_base64\":\"/wAB\"}\n");
    assert_null(strstr(tool_out, "\"kid\""));
}

static void verbose_says_the_steps_and_no_plaintext(void **state)
{
    (void)state;
    static const char *const steps[] = {"* attestation ", "verified\n",  "* keys ",    "* sealed ",
                                        "* sent ",        "* answered ", "* verified "};
    begin();
    assert_int_equal(CALL("--verbose"), TG_CALL_ANSWERED);
    const char *at = tool_err;
    for (size_t i = 0; i < TG_COUNT(steps); i++) {
        at = strstr(at, steps[i]);
        assert_non_null(at);
    }
    assert_null(strstr(tool_err, "DE0212"));
    assert_null(strstr(tool_err, "done"));
}

static void options_that_cannot_be_are_said_before_anything_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *option, *value, *reason;
    } cases[] = {{"--envelope", "pgp", "it takes one of: jwe ohttp"},
                 {"-X", "GE T", "no method"},
                 {"-X", "CONNECT", "no method"},
                 {"-X", "", "no method"},
                 {"-H", "nothing", "NAME: VALUE"},
                 {"-H", "a b: c", "NAME: VALUE"},
                 {"-H", "a: b\nc: d", "NAME: VALUE"},
                 {"-H", "Host: elsewhere", "the call itself sets"},
                 {"-H", "content-type: x", "the call itself sets"},
                 {"--content-type", "", "media type"},
                 {"--content-type", "a\r\nb", "media type"},
                 {"-d", "@/nowhere/at/all", "cannot be read"},
                 {"-o", "/dev/null", "nothing is overwritten"},
                 {"-o", "/dev/null/x", "cannot be made"},
                 {"--timeout", "0", "from 1 to 3600"},
                 {"--connect-to", "nowhere", ""},
                 {"--max-age", "0", "above 0"},
                 {"--policy", "/nowhere/at/all", "cannot be read"}};
    begin();
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_int_equal(TOOL("", "call", url, cases[i].option, cases[i].value), TG_EXIT_CANNOT);
        tool_assert_says(tool_err, cases[i].reason);
        assert_int_equal(tool_out_len, 0);
    }
    assert_int_equal(TOOL("", "call", "http://h/x"), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "http:// is not taken here");
    assert_int_equal(TOOL("", "call", "https://h/x?y=z"), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "has a query, which jwe does not seal");
    assert_int_equal(TOOL("", "call"), TG_EXIT_CANNOT);
    assert_int_equal(TOOL("", "call", "https://127.0.0.1:1/x"), TG_CALL_NOT_DONE);
    assert_int_equal(fake.enclave.num_others, 0);
}

static void input_over_32_mib_is_refused(void **state)
{
    (void)state;
    begin();
    tg_test_write_file("large", (tg_slice){NULL, 0});
    assert_int_equal(truncate(tg_test_path("large"), (off_t)TG_MAX_CALL_BODY_BYTES + 1), 0);
    char at[128];
    snprintf(at, sizeof at, "@%s", tg_test_path("large"));
    assert_int_equal(TOOL("", "call", url, "-d", at, ALLOWED), TG_EXIT_CANNOT);
    tool_assert_says(tool_err, "more than 32 MiB");
}

static void connection_cut_off_behind_each_answer_is_made_anew(void **state)
{
    (void)state;
    fake.enclave.is_cut_off_then = true;
    begin();
    assert_int_equal(CALL_JWE(), TG_CALL_ANSWERED);
    fake.enclave.server.changes_its_key = true; /* and then somebody else answers */
    fake.head[0] = 0;
    assert_int_equal(CALL_JWE(), TG_CALL_NOT_VERIFIED); /* another key than the manifest's, from the beginning */
    assert_string_equal(fake.head, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jwe_honest_answer_is_given_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jwe_what_the_command_line_says_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ohttp_honest_answer_is_given_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_verified_errors_are_given_out_with_their_own_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_envelope_from_before_the_start_is_sealed_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_certificate_is_shown_to_the_verified_enclave_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_certificate_is_not_shown_to_another_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jwe_forged_answers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ohttp_forged_answers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_answers_in_the_clear_are_nobodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_enclave_that_is_not_verified_is_sent_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_keys_that_the_manifest_does_not_bind_are_not_sealed_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_enclave_without_keys_cannot_be_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(output_goes_to_a_new_file_of_mode_600, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_holds_the_answer_in_one_form_or_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verbose_says_the_steps_and_no_plaintext, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_that_cannot_be_are_said_before_anything_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(input_over_32_mib_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connection_cut_off_behind_each_answer_is_made_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
