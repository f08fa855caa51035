#include "unit/gateway/upstream_case.h"

#include "crypto/init.h"
#include "gateway/exchange.h"
#include "support/schema_case.h"

#define KNOWN_CLEAR "{\"ssn\":\"123-45-6789\"}"
#define KNOWN_TOKEN "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}"
#define TEST_SCHEMA SCHEMAS("P: {type: object, properties: {ssn: {type: string, x-pii: true}}}")
#define OK_JSON     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* A server whose every request goes through one route to the backends of upstream_case.h. */
static struct {
    tg_http_server *server;
    tg_http_budget budget;
    tg_exchange_site site;
    tg_gateway_route route;
    tg_exchange_parts parts;
    tg_field_keys *keys;
    tg_schema_set *schemas;
    unsigned num_rewritten, num_missed_keys;
    char pointer[64];
    char text[1 << 20];
} ex;

static void on_refuse(tg_http_request *request, const tg_gateway_fault *fault, tg_slice pointer, void *owner)
{
    (void)owner;
    snprintf(ex.pointer, sizeof ex.pointer, "%.*s", (int)pointer.len,
             pointer.ptr != NULL ? (const char *)pointer.ptr : "");
    tg_http_respond_error(request, fault->status, fault->code, fault->message, pointer);
}

static void on_rewritten(const tg_schema *schema, bool is_encrypt, const tg_rewrite_counts *counts, void *owner)
{
    (void)owner;
    (void)is_encrypt;
    assert_non_null(schema);
    ex.num_rewritten += (unsigned)counts->num_fields;
}

static void on_missed_key(void *owner)
{
    (void)owner;
    ex.num_missed_keys++;
}

static const tg_exchange_calls calls = {.refuse = on_refuse, .rewritten = on_rewritten, .missed_key = on_missed_key};

static void on_head(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange *exchange = tg_arena_zalloc(request->arena, 1, sizeof *exchange);
    assert_non_null(exchange);
    tg_exchange_init(exchange, &ex.site, &ex.route, &ex.parts, request);
    request->user = exchange;
}

static void on_request(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange_run(request->user);
}

static void on_cancel(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange_cancel(request->user);
}

static void on_end(const tg_http_record *record, void *context)
{
    (void)context;
    if (record->request->user != NULL) {
        tg_exchange_done(record->request->user);
    }
}

static void make_keys(void)
{
    tg_secret *secret;
    assert_ok(tg_secret_new(32, &secret));
    memset(tg_secret_fill(secret), 0xaa, 32);
    const tg_field_key key = {TG_LIT("now"), secret, true};
    assert_ok(tg_field_keys_new(&key, 1, &ex.keys));
    tg_secret_free(secret);
}

static void open_exchange(tg_route_crypto crypto)
{
    const tg_http_handlers handlers = {
        .on_head = on_head, .on_request = on_request, .on_cancel = on_cancel, .on_end = on_end};
    up_open(NULL);
    memset(&ex, 0, sizeof ex);
    tg_http_budget_init(&ex.budget, 4 << 20);
    ex.site = (tg_exchange_site){
        .loop = up.loop, .budget = &ex.budget, .upstreams = up.upstreams, .max_fields = 1000, .calls = &calls};
    ex.route = (tg_gateway_route){.path = TG_LIT("/r"),
                                  .label = "/r",
                                  .decrypt = crypto,
                                  .encrypt = crypto,
                                  .upstream_url = TG_LIT("http://localhost:8080/process"),
                                  .timeout_ms = 20000,
                                  .max_answer_bytes = 1 << 20};
    make_keys();
    ex.schemas = tg_build_text(TEST_SCHEMA);
    ex.parts.keys = ex.keys;
    assert_ok(tg_schema_set_find(ex.schemas, TG_LIT("a"), &ex.parts.request_root, &ex.parts.request_schema));
    ex.parts.answer_root = ex.parts.request_root;
    ex.parts.answer_schema = ex.parts.request_schema;
    assert_ok(tg_http_server_new(up.loop, NULL, &handlers, &ex.budget, &ex.server));
}

static void close_exchange(void)
{
    tg_http_server_free(ex.server);
    assert_int_equal(atomic_load(&ex.budget.used), 0);
    tg_field_keys_free(ex.keys);
    tg_schema_set_unref(ex.schemas);
    up_close();
}

static fake_client *connect_client(const char *bytes)
{
    fake_client *client = fake_client_new();
    assert_ok(tg_http_server_adopt(ex.server, &client->stream));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(bytes)));
    return client;
}

static void settle(fake_client *client)
{
    for (unsigned quiet = 0; quiet < 6;) {
        size_t before = up.num_backends;
        bool has_moved = fake_client_turn(client);
        has_moved = up_play() || has_moved;
        tg_loop_turn(up.loop);
        quiet = has_moved || up.num_backends != before ? 0 : quiet + 1;
    }
}

static void leave(fake_client *client)
{
    client->is_broken = true;
    tg_buf_clear(&client->in);
    settle(client);
    assert_true(client->is_closed);
    fake_client_free(client);
}

/* The whole answer to a request with this head and body; holds until the next. */
static const char *post(const char *method, const char *target, const char *headers, const char *body)
{
    static char request[1 << 20];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: tee.example\r\nContent-Length: %zu\r\n%s\r\n%s", method,
             target, strlen(body), headers, body);
    fake_client *client = connect_client(request);
    for (unsigned i = 0; tg_buf_len(&client->out) == 0; i++) {
        assert_in_range(i, 0, 20000);
        settle(client);
        usleep(500);
    }
    tg_slice out = tg_buf_slice(&client->out);
    assert_true(out.len < sizeof ex.text);
    memcpy(ex.text, out.ptr, out.len);
    ex.text[out.len] = 0;
    leave(client);
    return ex.text;
}

static const char *ask(const char *body)
{
    return post("POST", "/r", "Content-Type: application/json\r\n", body);
}

#define assert_says(answer, part) assert_non_null(strstr((answer), (part)))
static void assert_refused_so(const char *answer, unsigned status, const char *code)
{
    char start[32], member[64];
    snprintf(start, sizeof start, "HTTP/1.1 %u ", status);
    snprintf(member, sizeof member, "{\"code\":\"%s\",", code);
    if (strncmp(answer, start, strlen(start)) != 0 || strstr(answer, member) == NULL) {
        fail_msg("expected %u %s, got %.400s", status, code, answer);
    }
}

static void run_plain_hands_on_what_the_policy_lets_pass(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nContent-Length: 3\r\n\r\nyes";
    const char *answer = post("PUT", "/r?a=b", "Content-Type: text/x\r\nX-Request-Id: one\r\nCookie: b=2\r\n", "body");
    assert_says(answer, "HTTP/1.1 201 Created\r\n");
    assert_says(answer, "\r\nX-Request-Id: one\r\n");
    assert_says(answer, "\r\n\r\nyes");
    assert_null(strstr(answer, "Set-Cookie"));
    assert_int_equal(strncmp(up.asked, "PUT /process?a=b HTTP/1.1\r\n", 27), 0);
    assert_says(up.asked, "\r\nContent-Type: text/x\r\n");
    assert_says(up.asked, "\r\n\r\nbody");
    assert_null(strstr(up.asked, "Cookie"));
    close_exchange();
}

static void run_plain_empty_answers_and_head_pass(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_says(post("DELETE", "/r?", "", ""), "HTTP/1.1 204 ");
    assert_int_equal(strncmp(up.asked, "DELETE /process? HTTP/1.1\r\n", 27), 0);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n";
    assert_says(post("HEAD", "/r", "", ""), "HTTP/1.1 200 ");
    up.answer = "HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_says(post("GET", "/r", "", ""), "HTTP/1.1 304 ");
    up.answer = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";
    assert_says(post("GET", "/r", "", ""), "HTTP/1.1 500 ");
    close_exchange();
}

static void run_fields_opens_and_seals(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    const char *answer = ask(KNOWN_TOKEN);
    assert_says(answer, "HTTP/1.1 200 ");
    assert_says(answer, "\r\n\r\n" KNOWN_TOKEN);
    assert_says(up.asked, "\r\n\r\n" KNOWN_CLEAR);
    assert_int_equal(ex.num_rewritten, 2);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; /* nothing to seal */
    assert_says(ask(KNOWN_TOKEN), "HTTP/1.1 200 ");
    close_exchange();
}

static void run_fields_long_bodies_take_several_turns(void **state)
{
    static char long_body[400000];
    static char long_answer[sizeof long_body + 200];
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    size_t len = (size_t)snprintf(long_body, sizeof long_body, "{\"open\":\"");
    memset(long_body + len, 'x', 300000);
    snprintf(long_body + len + 300000, sizeof long_body - len - 300000, "\",\"ssn\":null}");
    snprintf(long_answer, sizeof long_answer, OK_JSON "Content-Length: %zu\r\n\r\n%s", strlen(long_body), long_body);
    up.answer = long_answer;
    const char *answer = ask(KNOWN_TOKEN);
    assert_says(answer, "HTTP/1.1 200 ");
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, long_body);
    up.answer = NULL;
    fake_client *client = connect_client("");
    char head[200];
    snprintf(head, sizeof head,
             "POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(long_body));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(head)));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(long_body)));
    settle(client);
    assert_int_equal(up.num_backends, 1);
    assert_true(tg_buf_len(&up.backends[0]->out) > 300000);
    leave(client);
    close_exchange();
}

static void run_fields_refuses_what_cannot_be_opened(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    assert_refused_so(ask("{\"ssn\":\"123\"}"), 400, "not_a_token");
    assert_string_equal(ex.pointer, "/ssn");
    assert_refused_so(ask("{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU4\"}"), 400, "bad_token");
    assert_int_equal(ex.num_missed_keys, 1);
    assert_refused_so(ask("{"), 400, "bad_request");
    assert_refused_so(post("POST", "/r", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", KNOWN_TOKEN),
                      415, "unsupported_media_type");
    assert_refused_so(post("POST", "/r", "Content-Type: a/b\r\nContent-Type: a/c\r\n", KNOWN_TOKEN), 400,
                      "bad_request");
    assert_int_equal(up.num_backends, 0);
    close_exchange();
}

static void run_fields_refuses_answers_that_cannot_be_sealed(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_media_type");
    up.answer = OK_JSON "Content-Encoding: gzip\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_media_type");
    up.answer = OK_JSON "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n" KNOWN_CLEAR;
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_bad_answer");
    up.answer = OK_JSON "Content-Length: 1\r\n\r\n{";
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_schema");
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    ex.site.max_fields = 0;
    assert_refused_so(ask("{}"), 502, "upstream_too_large");
    ex.site.max_fields = 1000;
    up.answer = "HTTP/1.1 304 Not Modified\r\n\r\n";
    assert_refused_so(ask(KNOWN_TOKEN), 502, "upstream_redirect");
    assert_null(strstr(ex.text, "123-45"));
    close_exchange();
}

static void run_follows_no_redirect(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n";
    assert_refused_so(ask("{}"), 502, "upstream_redirect");
    assert_null(strstr(ex.text, "elsewhere"));
    close_exchange();
}

static void run_what_breaks_is_never_a_short_answer(void **state)
{
    static const struct {
        const char *answer;
        const char *code;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "upstream_broken"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", "upstream_broken"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortXX5\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshorts", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Le", "upstream_closed"},
        {"", "upstream_closed"},
        {"nonsense\r\n\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "upstream_bad_answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "upstream_too_large"},
    };
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        open_exchange(TG_CRYPTO_NONE);
        up.answer = cases[i].answer;
        up.ends = true;
        assert_refused_so(ask("{}"), 502, cases[i].code);
        close_exchange();
    }
}

static void run_interim_answers_are_passed_over(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    up.answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    assert_says(ask("{}"), "\r\n\r\nhi");
    close_exchange();
}

static void run_too_slow_is_504(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    ex.route.timeout_ms = 50;
    assert_refused_so(ask("{}"), 504, "upstream_timeout");
    up.never_connects = true;
    assert_refused_so(ask("{}"), 504, "upstream_timeout");
    close_exchange();
}

static void run_without_the_budget_is_503(void **state)
{
    static char answer[200000];
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    ex.budget.max = 100000;
    up.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    assert_refused_so(ask("{}"), 503, "service_unavailable");
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1d4c0\r\n%0120000d\r\n0\r\n\r\n", 1);
    up.answer = answer;
    assert_refused_so(ask("{}"), 503, "service_unavailable");
    close_exchange();
    open_exchange(TG_CRYPTO_FIELDS);
    up.answer = OK_JSON "Content-Length: 21\r\n\r\n" KNOWN_CLEAR;
    ex.budget.max = 1000;
    assert_refused_so(ask(KNOWN_TOKEN), 503, "service_unavailable");
    close_exchange();
}

static void run_without_secrets_opens_nothing(void **state)
{
    (void)state;
    open_exchange(TG_CRYPTO_FIELDS);
    ex.route.upstream_url = TG_LIT("https://backend.example/");
    assert_refused_so(ask(KNOWN_TOKEN), 503, "secrets_missing");
    assert_int_equal(ex.num_rewritten, 0);
    close_exchange();
}

static void cancel_ends_the_call(void **state)
{
    static const char request[] =
        "POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    (void)state;
    open_exchange(TG_CRYPTO_NONE);
    fake_client *client = connect_client(request);
    settle(client);
    assert_int_equal(up.num_backends, 1);
    assert_false(up.backends[0]->is_closed);
    leave(client);
    assert_true(up.backends[0]->is_closed);
    up.step = 7; /* within the answer's body */
    client = connect_client(request);
    settle(client);
    assert_ok(tg_buf_append(&up.backends[1]->in, TG_LIT("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")));
    settle(client);
    assert_int_equal(tg_buf_len(&client->out), 0);
    leave(client);
    assert_true(up.backends[1]->is_closed);
    close_exchange();
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(4)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_plain_hands_on_what_the_policy_lets_pass),
        cmocka_unit_test(run_plain_empty_answers_and_head_pass),
        cmocka_unit_test(run_fields_opens_and_seals),
        cmocka_unit_test(run_fields_long_bodies_take_several_turns),
        cmocka_unit_test(run_fields_refuses_what_cannot_be_opened),
        cmocka_unit_test(run_fields_refuses_answers_that_cannot_be_sealed),
        cmocka_unit_test(run_follows_no_redirect),
        cmocka_unit_test(run_what_breaks_is_never_a_short_answer),
        cmocka_unit_test(run_interim_answers_are_passed_over),
        cmocka_unit_test(run_too_slow_is_504),
        cmocka_unit_test(run_without_the_budget_is_503),
        cmocka_unit_test(run_without_secrets_opens_nothing),
        cmocka_unit_test(cancel_ends_the_call),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
