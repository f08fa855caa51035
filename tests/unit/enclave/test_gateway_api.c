#include "unit/enclave/site_case.h"

#include "enclave/gateway_api.h"
#include "support/folder.h"

#define KNOWN_CLEAR "{\"ssn\":\"123-45-6789\"}"
#define KNOWN_TOKEN "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}"
#define NOWHERE     "\"upstream\": {\"url\": \"http://127.0.0.1:1/process\", \"timeout_ms\": 5000}"
#define LISTED      "\"clients\": [\"app.example.org\"]"
#define ROUTES                                                                                                         \
    "{\"routes\": ["                                                                                                   \
    "{\"path\": \"/plain\", \"methods\": [\"GET\", \"POST\"], \"request\": {\"max_bytes\": 10}, " NOWHERE "},"         \
    "{\"path\": \"/fields\", " LISTED ", \"request\": {\"decrypt\": \"fields\"}, " NOWHERE "},"                        \
    "{\"path\": \"/named\", " LISTED ", \"request\": {\"decrypt\": \"fields\", \"schema\": \"b\"}, " NOWHERE "},"      \
    "{\"path\": \"/sealed\", \"response\": {\"encrypt\": \"fields\", \"schema\": \"b\"}, " NOWHERE "},"                \
    "{\"path\": \"/inside\", \"methods\": [\"GET\", \"PUT\"], \"request\": {\"decrypt\": \"ohttp\"},"                  \
    " \"response\": {\"encrypt\": \"ohttp\"}, " NOWHERE "},"                                                           \
    "{\"path\": \"/value\", \"upstream\": {\"value\": \"ECS_WATERMARK_ENDPOINT\", \"timeout_ms\": 600000}}]}"

static void open_gateway(void)
{
    static char path[300];
    const char *const environment[] = {path, "CLIENT_CA_PATH=/etc/ca.pem", "SECRETS_ADDRESS=vsock:any:7777", NULL};
    tg_test_write_file("routes.json", tg_slice_str(ROUTES));
    snprintf(path, sizeof path, "ROUTES_PATH=%s", tg_test_path("routes.json"));
    site_open_ready(environment);
    assert_ok(tg_gateway_new(&at.site, &at.site.gateway));
    assert_non_null(at.site.gateway);
    site_client_is("app.example.org", INT64_MAX, "");
}

static void close_gateway(void)
{
    tg_http_server_free(at.server);
    tg_gateway_free(TG_TAKE(at.site.gateway));
    tg_http_handlers handlers = tg_site_handlers(&at.site);
    assert_ok(tg_http_server_new(at.loop, NULL, &handlers, &at.budget, &at.server));
    site_close();
}

static bool is_error(const char *answer, unsigned status, const char *code)
{
    char start[64];
    snprintf(start, sizeof start, "{\"code\":\"%s\",\"message\":\"", code);
    return site_status(answer) == status && strncmp(site_body(answer), start, strlen(start)) == 0;
}

static void head_finds_routes_beside_the_apis_own_paths(void **state)
{
    (void)state;
    open_gateway();
    assert_int_equal(site_status(site_get("/live")), 200);
    assert_true(is_error(site_get("/elsewhere"), 404, "not_found"));
    assert_true(is_error(site_get("/plain"), 502, "upstream_unreachable"));
    const char *answer = site_get("/fields");
    assert_int_equal(site_status(answer), 405);
    assert_non_null(strstr(answer, "\r\nAllow: POST\r\n"));
    answer = site_get("/inside"); /* its methods are those of the sealed requests */
    assert_int_equal(site_status(answer), 405);
    assert_non_null(strstr(answer, "\r\nAllow: POST\r\n"));
    assert_true(is_error(site_post("/inside", SITE_JSON, "{}"), 415, "unsupported_media_type"));
    close_gateway();
}

static void head_decides_who_may_and_what(void **state)
{
    (void)state;
    open_gateway();
    assert_true(is_error(site_post("/fields", SITE_SCHEMA_A, KNOWN_TOKEN), 415, "unsupported_media_type"));
    assert_true(is_error(site_post("/fields", SITE_JSON, KNOWN_TOKEN), 400, "bad_request"));
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A SITE_SCHEMA_A, "{}"), 400, "bad_request"));
    assert_true(is_error(site_post("/fields", SITE_JSON "X-Schema-Name: b\r\n", "{}"), 400, "bad_request"));
    assert_true(is_error(site_post("/named", SITE_JSON, KNOWN_TOKEN), 503, "service_unavailable"));
    assert_true(is_error(site_post("/sealed", SITE_JSON, KNOWN_TOKEN), 503, "service_unavailable"));
    assert_true(is_error(site_post("/plain", SITE_JSON, "12345678901"), 413, "payload_too_large"));
    site_client_is("other.example.org", INT64_MAX, "");
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_TOKEN), 403, "forbidden"));
    close_gateway();
}

static void request_opens_and_calls(void **state)
{
    (void)state;
    open_gateway();
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_TOKEN), 502, "upstream_unreachable"));
    const char *answer = site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_CLEAR);
    assert_true(is_error(answer, 400, "not_a_token"));
    assert_non_null(strstr(answer, "\"pointer\":\"/ssn\""));
    site_set_ring("\xBB");
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_TOKEN), 400, "bad_token"));
    answer = site_post("/value", "", "");
    assert_true(is_error(answer, 503, "secrets_missing"));
    assert_non_null(strstr(answer, "ECS_WATERMARK_ENDPOINT"));
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    close_gateway();
}

static void cancel_before_and_within_the_call(void **state)
{
    (void)state;
    open_gateway();
    fake_client *client = site_connect();
    assert_ok(tg_buf_append(&client->in, TG_LIT("POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")));
    site_turn(client);
    site_turn(client);
    site_leave(client);
    client = site_connect();
    assert_ok(tg_buf_append(&client->in, TG_LIT("POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")));
    site_turn(client);
    site_leave(client);
    close_gateway();
}

static void new_without_keys_and_without_routes(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    struct tg_gateway *gateway = NULL;
    assert_ok(tg_gateway_new(&at.site, &gateway));
    assert_null(gateway);
    tg_gateway_set_secrets(gateway, NULL);
    tg_gateway_free(gateway);
    assert_int_equal(tg_gateway_longest_ms(NULL), 0);
    site_close();
    open_gateway();
    assert_int_equal(tg_gateway_longest_ms(at.settings.routes), 600000);
    tg_gateway_set_secrets(at.site.gateway, NULL);
    close_gateway();
}

static void head_without_a_data_key_opens_nothing(void **state)
{
    static char path[300];
    const char *const environment[] = {path, "CLIENT_CA_PATH=/etc/ca.pem", "SECRETS_ADDRESS=vsock:any:7777",
                                       "EGRESS_ADDRESS=vsock:parent:8444", NULL};
    (void)state;
    tg_test_write_file("routes.json", tg_slice_str(ROUTES));
    snprintf(path, sizeof path, "ROUTES_PATH=%s", tg_test_path("routes.json"));
    site_open(environment, false);
    assert_ok(tg_gateway_new(&at.site, &at.site.gateway));
    site_client_is("app.example.org", INT64_MAX, "");
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_TOKEN), 503, "service_unavailable"));
    site_set_ring("\xAA");
    assert_true(is_error(site_post("/fields", SITE_JSON SITE_SCHEMA_A, KNOWN_TOKEN), 503, "service_unavailable"));
    close_gateway();
}

static int folder_set_up(void **state)
{
    return test_crypto_set_up(state) == 0 ? tg_test_folder_set_up(state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_finds_routes_beside_the_apis_own_paths),
        cmocka_unit_test(head_decides_who_may_and_what),
        cmocka_unit_test(request_opens_and_calls),
        cmocka_unit_test(cancel_before_and_within_the_call),
        cmocka_unit_test(new_without_keys_and_without_routes),
        cmocka_unit_test(head_without_a_data_key_opens_nothing),
    };
    return cmocka_run_group_tests(tests, folder_set_up, tg_test_folder_tear_down);
}
