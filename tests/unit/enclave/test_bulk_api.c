#include "unit/enclave/site_case.h"

#include "enclave/bulk_api.h"
#include "sys/clock.h"
#include "sys/metric.h"

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

static void give_until_closed(fake_client *client, const char *text)
{
    assert_ok(tg_buf_append_str(&client->in, text));
    for (unsigned turns = 0; !client->is_closed; turns++) {
        assert_in_range(turns, 0, 100000);
        site_turn(client);
    }
}

static bool answer_ends(fake_client *client, const char *end)
{
    return tg_slice_ends(tg_buf_slice(&client->out), tg_slice_str(end));
}

/* Until the answer ends so: the work's own turns move nothing that site_settle sees. */
static void settle_to(fake_client *client, const char *end)
{
    for (unsigned turns = 0; !answer_ends(client, end); turns++) {
        assert_in_range(turns, 0, 100000);
        site_turn(client);
    }
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
    assert_int_equal(at.budget.used, TG_BULK_BASE_BYTES);
    site_leave(client);
    assert_int_equal(at.budget.used, 0);
    site_close();
}

/* What the one counter with these labels stands at. */
static uint64_t num_sealed(void)
{
    for (tg_metric_family *family = tg_metric_next_family(NULL); family != NULL;
         family = tg_metric_next_family(family)) {
        if (strcmp(family->name, "teegate_fields_total") == 0) {
            return tg_metric_counter(tg_metric_of(family, TG_LIT("encrypt"), TG_LIT("a")));
        }
    }
    return 0;
}

static void encrypt_stream_that_is_cancelled_counts_what_it_sealed(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    uint64_t before = num_sealed();
    fake_client *client = site_connect();
    give(client, HEAD "2c\r\n" LINE LINE "\r\n");
    site_leave(client);
    assert_int_equal(num_sealed(), before + 2);
    assert_int_equal(site_status(ask("/encrypt", LINE)), 200);
    assert_int_equal(num_sealed(), before + 3);
    site_close();
}

static void encrypt_lines_take_up_new_keys_and_schemas(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    give(client, HEAD "16\r\n" LINE "\r\n");
    assert_true(answer_ends(client, SEALED "\r\n"));
    site_set_ring("\xBB\xAA");
    tg_buf_clear(&client->out);
    give(client, "16\r\n" LINE "\r\n");
    assert_false(answer_ends(client, SEALED "\r\n"));
    assert_true(answer_ends(client, "\"}\n\r\n"));
    site_set_schema(SCHEMAS("P: {type: object, properties: {mail: {type: string, x-pii: true}}}"));
    give(client, "16\r\n" LINE "\r\n");
    assert_true(answer_ends(client, "16\r\n" LINE "\r\n"));
    site_leave(client);
    site_close();
}

static void encrypt_line_in_work_ends_with_the_keys_it_began_with(void **state)
{
    (void)state;
    enum { NUM = 2000 };
    site_open_ready(TEST_NO_ENVIRONMENT);
    site_set_schema(SCHEMAS("P: {type: object, properties: {ssn: {type: array, items: {type: string, x-pii: true}}}}"));
    fake_client *client = site_connect();
    assert_ok(tg_buf_append_str(&client->in, HEAD));
    assert_ok(tg_buf_printf(&client->in, "%x\r\n{\"ssn\":[\"\"", 10 + 3 * (NUM - 1) + 3));
    for (size_t i = 1; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&client->in, ",\"\""));
    }
    assert_ok(tg_buf_append_str(&client->in, "]}\n\r\n0\r\n\r\n"));
    for (size_t i = 0; i < 6; i++) { /* all is read, not all is sealed */
        site_turn(client);
    }
    assert_false(answer_ends(client, "\r\n0\r\n\r\n"));
    assert_int_equal(tg_buf_len(&client->in), 0);
    site_set_ring("\xBB");
    settle_to(client, "\r\n0\r\n\r\n");
    static const char sealed[] = "\"v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw\"";
    tg_slice rest = tg_buf_slice(&client->out);
    size_t num_sealed_so = 0;
    while (rest.len > 0) {
        bool is_one = tg_slice_starts(rest, tg_slice_str(sealed));
        num_sealed_so += is_one;
        rest = tg_slice_from(rest, is_one ? sizeof sealed - 1 : 1);
    }
    assert_in_range(num_sealed_so, NUM - 4, NUM); /* the chunks of the answer cut some apart */
    site_leave(client);
    site_close();
}

static void stream_whose_schema_is_gone_breaks_off(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    give(client, HEAD "16\r\n" LINE "\r\n");
    const schema_text others[] = {{"b.yaml", TEST_SCHEMA}, {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_publisher_set_schemas(at.publisher, tg_build_texts(others, NULL, &faults), 2000));
    assert_int_equal(faults.num_faults, 0);
    tg_faults_done(&faults);
    site_take_up();
    tg_buf_clear(&client->out);
    give_until_closed(client, "16\r\n" LINE "\r\n");
    assert_int_equal(tg_buf_len(&client->out), 0);
    site_leave(client);
    site_close();
}

#define DECRYPT_HEAD                                                                                                   \
    "POST /decrypt HTTP/1.1\r\nHost: tee.example.org\r\nTransfer-Encoding: chunked\r\n" SITE_LINES SITE_SCHEMA_A "\r"  \
    "\n"

static void decrypt_stream_ends_with_its_clients_certificate(void **state)
{
    (void)state;
    const char *const environment[] = {DECRYPT_ENV, NULL};
    site_open_ready(environment);
    site_client_is("app.example.org", INT64_MAX, "");
    fake_client *client = site_connect();
    give(client, DECRYPT_HEAD "43\r\n" SEALED "\r\n");
    assert_true(answer_ends(client, LINE "\r\n"));
    at.tls.not_after_unix_s = (int64_t)(tg_clock_unix_ms() / 1000) - 1;
    tg_buf_clear(&client->out);
    give_until_closed(client, "43\r\n" SEALED "\r\n");
    assert_int_equal(tg_buf_len(&client->out), 0);
    site_leave(client);
    site_close();
}

static void long_line_is_counted_while_it_is_there(void **state)
{
    (void)state;
    enum { NUM = 50 };
    static char chunk[16384];
    site_open_ready(TEST_NO_ENVIRONMENT);
    fake_client *client = site_connect();
    memset(chunk, ' ', sizeof chunk);
    give(client, HEAD "1\r\n{\r\n");
    for (size_t i = 0; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&client->in, "4000\r\n"));
        assert_ok(tg_buf_append(&client->in, tg_slice_of(chunk, sizeof chunk)));
        assert_ok(tg_buf_append_str(&client->in, "\r\n"));
        site_settle(client);
    }
    assert_in_range(at.budget.used, NUM * sizeof chunk, 2 * NUM * sizeof chunk + TG_BULK_BASE_BYTES);
    give(client, "2\r\n}\n\r\n");
    settle_to(client, " }\n\r\n");
    assert_int_equal(at.budget.used, TG_BULK_BASE_BYTES);
    /* And where it may not be held, it is refused in its place. */
    size_t left = tg_http_budget_max((size_t)at.settings.max_inflight_bytes) - TG_BULK_BASE_BYTES;
    assert_true(tg_http_budget_take(&at.budget, left, 0));
    for (size_t i = 0; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&client->in, "4000\r\n"));
        assert_ok(tg_buf_append(&client->in, tg_slice_of(chunk, sizeof chunk)));
        assert_ok(tg_buf_append_str(&client->in, "\r\n"));
    }
    give(client, "1\r\n\n\r\n0\r\n\r\n");
    settle_to(client, "\"line\":2}}\n\r\n0\r\n\r\n");
    tg_http_budget_give(&at.budget, left);
    site_leave(client);
    site_close();
}

static void long_line_lets_others_be_served(void **state)
{
    (void)state;
    enum { NUM = 10000 };
    site_open_ready(TEST_NO_ENVIRONMENT);
    site_set_schema(SCHEMAS("P: {type: object, properties: {ssn: {type: array, items: {type: string, x-pii: true}}}}"));
    fake_client *client = site_connect(), *other = site_connect();
    assert_ok(tg_buf_append_str(&client->in, HEAD));
    assert_ok(tg_buf_printf(&client->in, "%x\r\n{\"ssn\":[\"\"", 10 + 3 * (NUM - 1) + 3));
    for (size_t i = 1; i < NUM; i++) {
        assert_ok(tg_buf_append_str(&client->in, ",\"\""));
    }
    assert_ok(tg_buf_append_str(&client->in, "]}\n\r\n0\r\n\r\n"));
    while (tg_buf_len(&client->in) > 0) {
        site_turn(client);
    }
    unsigned num_answered = 0;
    for (unsigned turns = 0; !answer_ends(client, "\r\n0\r\n\r\n"); turns++) {
        assert_in_range(turns, 0, 100000);
        if (turns % 8 == 0) {
            num_answered += tg_buf_len(&other->out) > 0;
            tg_buf_clear(&other->out);
            assert_ok(tg_buf_append_str(&other->in, "GET /live HTTP/1.1\r\nHost: tee.example.org\r\n\r\n"));
        }
        fake_client_turn(other);
        site_turn(client);
    }
    assert_in_range(num_answered, 5, 1000);
    site_leave(other);
    site_leave(client);
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
        cmocka_unit_test(encrypt_stream_that_is_cancelled_counts_what_it_sealed),
        cmocka_unit_test(encrypt_lines_take_up_new_keys_and_schemas),
        cmocka_unit_test(encrypt_line_in_work_ends_with_the_keys_it_began_with),
        cmocka_unit_test(stream_whose_schema_is_gone_breaks_off),
        cmocka_unit_test(decrypt_stream_ends_with_its_clients_certificate),
        cmocka_unit_test(long_line_is_counted_while_it_is_there),
        cmocka_unit_test(long_line_lets_others_be_served),
        cmocka_unit_test(stream_refused_by_its_head_has_a_status),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
