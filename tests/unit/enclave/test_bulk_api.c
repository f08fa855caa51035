#include "unit/enclave/site_case.h"

#include "enclave/bulk_api.h"

#define SITE_LINES "Content-Type: application/x-ndjson\r\n"
#define LINE       "{\"ssn\":\"123-45-6789\"}\n"
#define SEALED     "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}\n"
#define HEAD                                                                                                           \
    "POST /encrypt HTTP/1.1\r\nHost: tee.example.org\r\nTransfer-Encoding: chunked\r\n" SITE_LINES SITE_SCHEMA_A "\r"  \
    "\n"
#define DECRYPT_ENV "CLIENT_CA_PATH=/etc/ca.pem", "DECRYPT_ALLOWED_CLIENTS=app.example.org"

static const char *ask(const char *path, const char *body)
{
    return site_post(path, SITE_LINES SITE_SCHEMA_A, body);
}

static void give(fake_client *client, const char *text)
{
    assert_ok(tg_buf_append_str(&client->in, text));
    site_settle(client);
}

static bool answer_ends(fake_client *client, const char *end)
{
    return tg_slice_ends(tg_buf_slice(&client->out), tg_slice_str(end));
}

static void is_asked_by_its_type_alone(void **state)
{
    (void)state;
    static const char *const yes[] = {"application/x-ndjson", "Application/X-NDJSON ",
                                      "application/x-ndjson;charset=utf-8", "application/x-ndjson ; charset=UTF-8"};
    static const char *const no[] = {"",
                                     "application/json",
                                     "application/x-ndjson+json",
                                     "application/x-ndjson; charset=latin1",
                                     "application/x-ndjson;",
                                     "x-ndjson"};
    for (size_t i = 0; i < TG_COUNT(yes); i++) {
        assert_true(tg_bulk_is_asked(tg_slice_str(yes[i])));
    }
    for (size_t i = 0; i < TG_COUNT(no); i++) {
        assert_false(tg_bulk_is_asked(tg_slice_str(no[i])));
    }
}

static void encrypt_lines_are_answered_in_chunks(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    const char *answer = ask("/encrypt", LINE "x\n" LINE);
    assert_int_equal(site_status(answer), 200);
    assert_non_null(strstr(answer, "\r\nContent-Type: application/x-ndjson\r\n"));
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(answer, SEALED "{\"error\":{\"code\":\"bad_request\","));
    assert_non_null(strstr(answer, "\"line\":2}}\n" SEALED));
    assert_string_equal(answer + strlen(answer) - 7, "\r\n0\r\n\r\n");
    assert_int_equal(site_status(ask("/encrypt", "")), 200);
    site_close();
}

static void encrypt_line_is_answered_before_the_next_comes(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    give(client, HEAD "16\r\n" LINE "\r\n");
    assert_true(answer_ends(client, "43\r\n" SEALED "\r\n"));
    give(client, "15\r\n{\"ssn\":\"123-45-6789\"}\r\n0\r\n\r\n");
    assert_true(answer_ends(client, "}\r\n0\r\n\r\n"));
    site_leave(client);
    site_close();
}

static void encrypt_client_that_does_not_read_is_waited_for(void **state)
{
    (void)state;
    enum { NUM = 9000 };
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    client->window = 100;
    assert_ok(tg_buf_append_str(&client->in, HEAD));
    for (size_t i = 0; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&client->in, "16\r\n" LINE "\r\n"));
    }
    assert_ok(tg_buf_append_str(&client->in, "0\r\n\r\n"));
    site_settle(client);
    assert_true(tg_buf_len(&client->in) > NUM * sizeof LINE / 4); /* most of it was not read */
    for (size_t i = 0; i < 4000 && !answer_ends(client, "\r\n0\r\n\r\n"); i++) {
        client->window = 1000;
        site_settle(client);
    }
    assert_true(answer_ends(client, "\r\n0\r\n\r\n"));
    assert_int_equal(tg_buf_len(&client->in), 0);
    site_leave(client);
    site_close();
}

static void encrypt_client_that_leaves_amid_gives_all_back(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    give(client, HEAD "18\r\n" LINE "{\"\r\n");
    assert_int_equal(at.budget.used, TG_BULK_BUDGET_BYTES);
    site_leave(client);
    assert_int_equal(at.budget.used, 0);
    site_close();
}

static void stream_refused_by_its_head_has_a_status(void **state)
{
    (void)state;
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    assert_int_equal(site_status(ask("/decrypt", SEALED)), 403);
    site_client_is("app.example.org", INT64_MAX, "");
    assert_int_equal(site_status(ask("/decrypt?lenient=2", SEALED)), 400);
    assert_int_equal(site_status(site_post("/encrypt", SITE_LINES, LINE)), 400);
    assert_non_null(strstr(ask("/decrypt", SEALED), LINE));
    assert_non_null(strstr(ask("/decrypt", LINE), "\"code\":\"not_a_token\""));
    assert_non_null(strstr(ask("/decrypt?lenient", LINE), LINE));
    size_t max = tg_http_budget_max((size_t)at.settings.max_inflight_bytes);
    assert_true(tg_http_budget_take(&at.budget, max, 0));
    assert_int_equal(site_status(ask("/encrypt", LINE)), 503);
    tg_http_budget_give(&at.budget, max);
    site_close();
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(is_asked_by_its_type_alone),
        cmocka_unit_test(encrypt_lines_are_answered_in_chunks),
        cmocka_unit_test(encrypt_line_is_answered_before_the_next_comes),
        cmocka_unit_test(encrypt_client_that_does_not_read_is_waited_for),
        cmocka_unit_test(encrypt_client_that_leaves_amid_gives_all_back),
        cmocka_unit_test(stream_refused_by_its_head_has_a_status),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
