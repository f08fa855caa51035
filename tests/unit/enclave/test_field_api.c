#include "unit/enclave/site_case.h"

#define KNOWN_IN    "{\"ssn\":\"123-45-6789\"}"
#define KNOWN_OUT   "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}"
#define DECRYPT_ENV "CLIENT_CA_PATH=/etc/ca.pem", "DECRYPT_ALLOWED_CLIENTS=app.example.org"

static const char *encrypt(const char *body)
{
    return site_post("/encrypt", SITE_JSON SITE_SCHEMA_A, body);
}

static const char *decrypt(const char *body)
{
    return site_post("/decrypt", SITE_JSON SITE_SCHEMA_A, body);
}

/* Whether the answer is this error, with this code. */
static bool is_error(const char *answer, unsigned status, const char *code)
{
    char start[64];
    snprintf(start, sizeof start, "{\"code\":\"%s\",\"message\":\"", code);
    return site_status(answer) == status && strncmp(site_body(answer), start, strlen(start)) == 0;
}

static void encrypt_known_answer(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    const char *answer = encrypt(KNOWN_IN);
    assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_answer(answer, 200, KNOWN_OUT);
    site_close();
}

static void encrypt_leaves_other_bytes_as_they_came(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    assert_answer(encrypt(" {\"x\" :\t1.50e0, \"ssn\":null}\n"), 200, " {\"x\" :\t1.50e0, \"ssn\":null}\n");
    site_close();
}

static void encrypt_component_narrows_the_root(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    assert_answer(site_post("/encrypt", SITE_JSON "X-Schema-Name: a#P\r\n", KNOWN_IN), 200, KNOWN_OUT);
    assert_true(is_error(site_post("/encrypt", SITE_JSON "X-Schema-Name: a#Q\r\n", KNOWN_IN), 400, "bad_request"));
    site_close();
}

static void decrypt_gives_back_what_was_sealed_also_by_an_old_key(void **state)
{
    (void)state;
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    site_client_is("app.example.org", INT64_MAX, "");
    assert_answer(decrypt(KNOWN_OUT), 200, KNOWN_IN);
    site_set_ring("\xBB\xAA");
    assert_answer(decrypt(KNOWN_OUT), 200, KNOWN_IN);
    site_set_ring("\xBB");
    assert_true(is_error(decrypt(KNOWN_OUT), 400, "bad_token"));
    site_close();
}

static void decrypt_nobody_may_unless_listed_and_certified(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    site_client_is("app.example.org", INT64_MAX, "");
    assert_true(is_error(decrypt(KNOWN_OUT), 403, "forbidden"));
    site_close();
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    assert_true(is_error(decrypt(KNOWN_OUT), 403, "forbidden"));
    site_client_is("other.example.org", INT64_MAX, "");
    assert_true(is_error(decrypt(KNOWN_OUT), 403, "forbidden"));
    site_client_is("app.example.org", 1000, ""); /* ended in 1970, while the connection lived on */
    assert_true(is_error(decrypt(KNOWN_OUT), 403, "forbidden"));
    site_close();
}

static void encrypt_with_a_list_is_for_those_listed(void **state)
{
    (void)state;
    const char *const environment[] = {"CLIENT_CA_PATH=/etc/ca.pem", "ENCRYPT_ALLOWED_CLIENTS=app.example.org", NULL};
    site_open_ready(environment);
    assert_true(is_error(encrypt(KNOWN_IN), 403, "forbidden"));
    site_client_is("app.example.org", INT64_MAX, "");
    assert_answer(encrypt(KNOWN_IN), 200, KNOWN_OUT);
    site_close();
}

static void head_media_type_must_be_json_without_coding(void **state)
{
    (void)state;
    static const char *const refused[] = {
        SITE_SCHEMA_A,
        SITE_SCHEMA_A "Content-Type: text/plain\r\n",
        SITE_SCHEMA_A "Content-Type: application/json; charset=latin1\r\n",
        SITE_SCHEMA_A SITE_JSON SITE_JSON,
        SITE_SCHEMA_A SITE_JSON "Content-Encoding: gzip\r\n",
    };
    site_open_ready(TEST_NO_ENVIRONMENT);
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        assert_true(is_error(site_post("/encrypt", refused[i], KNOWN_IN), 415, "unsupported_media_type"));
    }
    assert_answer(site_post("/encrypt", SITE_SCHEMA_A "Content-Type: application/x.y+json;charset=UTF-8\r\n", KNOWN_IN),
                  200, KNOWN_OUT);
    site_close();
}

static void head_schema_missing_twice_or_unknown_is_400(void **state)
{
    (void)state;
    static const char *const refused[] = {SITE_JSON, SITE_JSON SITE_SCHEMA_A SITE_SCHEMA_A,
                                          SITE_JSON "X-Schema-Name: b\r\n", SITE_JSON "X-Schema-Name:\r\n"};
    site_open_ready(TEST_NO_ENVIRONMENT);
    for (size_t i = 0; i < TG_COUNT(refused); i++) {
        assert_true(is_error(site_post("/encrypt", refused[i], KNOWN_IN), 400, "bad_request"));
    }
    site_close();
}

static void head_schema_header_has_the_name_that_is_set(void **state)
{
    (void)state;
    const char *const environment[] = {"SCHEMA_HEADER_NAME=X-Api", NULL};
    site_open_ready(environment);
    assert_true(is_error(encrypt(KNOWN_IN), 400, "bad_request"));
    assert_answer(site_post("/encrypt", SITE_JSON "x-api: a\r\n", KNOWN_IN), 200, KNOWN_OUT);
    site_close();
}

static void head_without_schemas_or_keys_is_503(void **state)
{
    (void)state;
    site_open(TEST_NO_ENVIRONMENT, false);
    site_set_ring("\xAA");
    const char *answer = encrypt(KNOWN_IN);
    assert_true(is_error(answer, 503, "service_unavailable"));
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    site_close();
    site_open(TEST_NO_ENVIRONMENT, false);
    site_set_schema(TEST_SCHEMA);
    assert_true(is_error(encrypt(KNOWN_IN), 503, "service_unavailable"));
    site_close();
}

static void fault_of_the_document_is_answered_with_its_pointer(void **state)
{
    (void)state;
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    site_client_is("app.example.org", INT64_MAX, "");
    const char *answer = decrypt("{\"ssn\":\"123-45-6789\"}");
    assert_true(is_error(answer, 400, "not_a_token"));
    assert_non_null(strstr(answer, "\"pointer\":\"/ssn\"}"));
    assert_null(strstr(answer, "6789"));
    answer = encrypt("[]");
    assert_true(is_error(answer, 400, "schema_mismatch"));
    assert_non_null(strstr(answer, "\"pointer\":\"\"}"));
    assert_true(is_error(encrypt("{"), 400, "bad_request"));
    assert_true(is_error(encrypt(""), 400, "bad_request"));
    site_close();
}

static void fields_at_the_limit_and_one_over(void **state)
{
    (void)state;
    const char *const environment[] = {"MAX_FIELDS_PER_REQUEST=1", NULL};
    site_open_ready(environment);
    assert_answer(encrypt(KNOWN_IN), 200, KNOWN_OUT);
    assert_true(is_error(encrypt("{\"ssn\":\"a\",\"age\":3}"), 413, "payload_too_large"));
    site_close();
}

static void decrypt_lenient_is_read_from_the_query(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned status;
    } queries[] = {
        {"/decrypt?lenient=1", 200},           {"/decrypt?lenient", 200},    {"/decrypt?a=b&lenient=1&c", 200},
        {"/decrypt?lenient=0", 400},           {"/decrypt?lenients=1", 400}, {"/decrypt?", 400},
        {"/decrypt?lenient=1&lenient=0", 400},
    };
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    site_client_is("app.example.org", INT64_MAX, "");
    for (size_t i = 0; i < TG_COUNT(queries); i++) {
        const char *answer = site_post(queries[i].path, SITE_JSON SITE_SCHEMA_A, KNOWN_IN);
        assert_int_equal(site_status(answer), queries[i].status);
        assert_true(queries[i].status == 200 || is_error(answer, 400, "not_a_token"));
    }
    assert_true(is_error(site_post("/decrypt?lenient=yes", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 400, "bad_request"));
    assert_true(is_error(site_post("/decrypt?lenient=", SITE_JSON SITE_SCHEMA_A, KNOWN_IN), 400, "bad_request"));
    site_close();
}

enum { LONG_BYTES = 900000 };

/* The request of a body that takes many turns. */
static void give_long_request(fake_client *client)
{
    assert_ok(tg_buf_printf(&client->in,
                            "POST /encrypt HTTP/1.1\r\nHost: h\r\n" SITE_JSON SITE_SCHEMA_A
                            "Content-Length: %d\r\n\r\n{\"ssn\":\"123-45-6789\",\"x\":\"",
                            LONG_BYTES + 28));
    for (size_t i = 0; i < LONG_BYTES; i++) {
        assert_ok(tg_buf_append_byte(&client->in, 'x'));
    }
    assert_ok(tg_buf_append_str(&client->in, "\"}"));
}

static void work_long_body_lets_others_be_answered_meanwhile(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *slow = site_connect();
    give_long_request(slow);
    while (at.site.budget->used < LONG_BYTES + 28 || tg_buf_len(&slow->in) > 0) {
        site_turn(slow);
    }
    assert_int_equal(tg_buf_len(&slow->out), 0);
    assert_int_equal(site_status(site_get("/live")), 200);
    assert_int_equal(tg_buf_len(&slow->out), 0);
    site_set_ring("\xBB"); /* the request keeps the key that it began with */
    site_settle(slow);
    static char out[LONG_BYTES + 1024];
    tg_slice bytes = tg_buf_slice(&slow->out);
    assert_in_range(bytes.len, LONG_BYTES, sizeof out - 1);
    memcpy(out, bytes.ptr, bytes.len);
    assert_int_equal(site_status(out), 200);
    assert_int_equal(strncmp(site_body(out), KNOWN_OUT, sizeof KNOWN_OUT - 2), 0);
    site_leave(slow);
    site_close();
}

static void cancel_client_gone_during_the_work_gives_everything_back(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    give_long_request(client);
    while (at.site.budget->used < LONG_BYTES + 28 || tg_buf_len(&client->in) > 0) {
        site_turn(client);
    }
    site_leave(client);
    assert_int_equal(atomic_load(&at.budget.used), 0);
    client = site_connect(); /* and one that goes before its body is whole */
    assert_ok(tg_buf_append_str(&client->in, "POST /encrypt HTTP/1.1\r\nHost: h\r\n" SITE_JSON SITE_SCHEMA_A
                                             "Content-Length: 10\r\n\r\n{"));
    while (tg_buf_len(&client->in) > 0) {
        site_turn(client);
    }
    site_leave(client);
    assert_answer(encrypt(KNOWN_IN), 200, KNOWN_OUT);
    site_close();
}

static void budget_while_a_slow_reader_takes_its_answer_is_the_answers_alone(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    client->window = 100;
    give_long_request(client);
    for (unsigned quiet = 0; quiet < 3 || tg_buf_len(&client->out) == 0;) {
        quiet = site_turn(client) ? 0 : quiet + 1;
    }
    assert_in_range(atomic_load(&at.budget.used), LONG_BYTES, LONG_BYTES + 40000);
    site_leave(client);
    site_close();
}

static void budget_without_room_for_the_answer_is_503(void **state)
{
    (void)state;
    const char *const environment[] = {"MAX_INFLIGHT_BYTES=64KiB", "MAX_BODY_BYTES=64KiB", NULL};
    static char body[60000];
    memset(body, ' ', sizeof body - 1);
    memcpy(body, KNOWN_IN, sizeof KNOWN_IN - 1);
    site_open_ready(environment);
    assert_true(is_error(encrypt(body), 503, "service_unavailable"));
    assert_int_equal(atomic_load(&at.budget.used), 0);
    body[20000] = 0;
    assert_int_equal(site_status(encrypt(body)), 200);
    site_close();
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(encrypt_known_answer),
        cmocka_unit_test(encrypt_leaves_other_bytes_as_they_came),
        cmocka_unit_test(encrypt_component_narrows_the_root),
        cmocka_unit_test(decrypt_gives_back_what_was_sealed_also_by_an_old_key),
        cmocka_unit_test(decrypt_nobody_may_unless_listed_and_certified),
        cmocka_unit_test(encrypt_with_a_list_is_for_those_listed),
        cmocka_unit_test(head_media_type_must_be_json_without_coding),
        cmocka_unit_test(head_schema_missing_twice_or_unknown_is_400),
        cmocka_unit_test(head_schema_header_has_the_name_that_is_set),
        cmocka_unit_test(head_without_schemas_or_keys_is_503),
        cmocka_unit_test(fault_of_the_document_is_answered_with_its_pointer),
        cmocka_unit_test(fields_at_the_limit_and_one_over),
        cmocka_unit_test(decrypt_lenient_is_read_from_the_query),
        cmocka_unit_test(work_long_body_lets_others_be_answered_meanwhile),
        cmocka_unit_test(cancel_client_gone_during_the_work_gives_everything_back),
        cmocka_unit_test(budget_while_a_slow_reader_takes_its_answer_is_the_answers_alone),
        cmocka_unit_test(budget_without_room_for_the_answer_is_503),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
