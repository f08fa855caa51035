/* A server whose every request goes through one route to the backends of upstream_case.h. Included by one test program
 * at a time. */
#ifndef TG_TESTS_UNIT_GATEWAY_EXCHANGE_CASE_H
#define TG_TESTS_UNIT_GATEWAY_EXCHANGE_CASE_H

#include "unit/gateway/upstream_case.h"

#include "crypto/init.h"
#include "gateway/exchange.h"
#include "support/schema_case.h"

#define KNOWN_CLEAR "{\"ssn\":\"123-45-6789\"}"
#define KNOWN_TOKEN "{\"ssn\":\"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}"
#define TEST_SCHEMA SCHEMAS("P: {type: object, properties: {ssn: {type: string, x-pii: true}}}")
#define OK_JSON     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

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
    char refused[64]; /* inside an envelope */
    char text[1 << 20];
    size_t text_len;
} ex;

static inline void on_refuse(tg_http_request *request, const tg_gateway_fault *fault, tg_slice pointer, void *owner)
{
    (void)owner;
    snprintf(ex.pointer, sizeof ex.pointer, "%.*s", (int)pointer.len,
             pointer.ptr != NULL ? (const char *)pointer.ptr : "");
    tg_http_respond_error(request, fault->status, fault->code, fault->message, pointer);
}

static inline void on_refused(const tg_gateway_fault *fault, void *owner)
{
    (void)owner;
    snprintf(ex.refused, sizeof ex.refused, "%s", fault->code);
}

static inline void on_rewritten(const tg_schema *schema, bool is_encrypt, const tg_rewrite_counts *counts, void *owner)
{
    (void)owner;
    (void)is_encrypt;
    assert_non_null(schema);
    ex.num_rewritten += (unsigned)counts->num_fields;
}

static inline void on_missed_key(void *owner)
{
    (void)owner;
    ex.num_missed_keys++;
}

static const tg_exchange_calls calls = {
    .refuse = on_refuse, .refused = on_refused, .rewritten = on_rewritten, .missed_key = on_missed_key};

static inline void on_head(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange *exchange = tg_arena_zalloc(request->arena, 1, sizeof *exchange);
    assert_non_null(exchange);
    tg_exchange_init(exchange, &ex.site, &ex.route, &ex.parts, request);
    request->user = exchange;
}

static inline void on_request(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange_run(request->user);
}

static inline void on_cancel(tg_http_request *request, void *context)
{
    (void)context;
    tg_exchange_cancel(request->user);
}

static inline void on_end(const tg_http_record *record, void *context)
{
    (void)context;
    if (record->request->user != NULL) {
        tg_exchange_done(record->request->user);
    }
}

static inline void make_keys(void)
{
    tg_secret *secret;
    assert_ok(tg_secret_new(32, &secret));
    memset(tg_secret_fill(secret), 0xaa, 32);
    const tg_field_key key = {TG_LIT("now"), secret, true};
    assert_ok(tg_field_keys_new(&key, 1, &ex.keys));
    tg_secret_free(secret);
}

static inline void open_exchange(tg_route_crypto crypto)
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

static inline void close_exchange(void)
{
    tg_http_server_free(ex.server);
    assert_int_equal(atomic_load(&ex.budget.used), 0);
    tg_field_keys_free(ex.keys);
    tg_schema_set_unref(ex.schemas);
    up_close();
}

static inline fake_client *connect_client(const char *bytes)
{
    fake_client *client = fake_client_new();
    assert_ok(tg_http_server_adopt(ex.server, &client->stream));
    assert_ok(tg_buf_append(&client->in, tg_slice_str(bytes)));
    return client;
}

static inline void settle(fake_client *client)
{
    for (unsigned quiet = 0; quiet < 6;) {
        size_t before = up.num_backends;
        bool has_moved = fake_client_turn(client);
        has_moved = up_play() || has_moved;
        tg_loop_turn(up.loop);
        quiet = has_moved || up.num_backends != before ? 0 : quiet + 1;
    }
}

static inline void leave(fake_client *client)
{
    client->is_broken = true;
    tg_buf_clear(&client->in);
    settle(client);
    assert_true(client->is_closed);
    fake_client_free(client);
}

/* The whole answer to a request with this head and body; holds until the next. */
static inline const char *post_bytes(const char *method, const char *target, const char *headers, tg_slice body)
{
    static char head[4096];
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: tee.example\r\nContent-Length: %zu\r\n%s\r\n", method, target,
             body.len, headers);
    fake_client *client = connect_client(head);
    assert_ok(tg_buf_append(&client->in, body));
    for (unsigned i = 0; tg_buf_len(&client->out) == 0; i++) {
        assert_in_range(i, 0, 20000);
        settle(client);
        usleep(500);
    }
    tg_slice out = tg_buf_slice(&client->out);
    assert_true(out.len < sizeof ex.text);
    if (out.len > 0) {
        memcpy(ex.text, out.ptr, out.len);
    }
    ex.text[out.len] = 0;
    ex.text_len = out.len;
    leave(client);
    return ex.text;
}

static inline const char *post(const char *method, const char *target, const char *headers, const char *body)
{
    return post_bytes(method, target, headers, tg_slice_str(body));
}

static inline const char *ask(const char *body)
{
    return post("POST", "/r", "Content-Type: application/json\r\n", body);
}

#define assert_says(answer, part) assert_non_null(strstr((answer), (part)))
static inline void assert_refused_so(const char *answer, unsigned status, const char *code)
{
    char start[32], member[64];
    snprintf(start, sizeof start, "HTTP/1.1 %u ", status);
    snprintf(member, sizeof member, "{\"code\":\"%s\",", code);
    if (strncmp(answer, start, strlen(start)) != 0 || strstr(answer, member) == NULL) {
        fail_msg("expected %u %s, got %.400s", status, code, answer);
    }
}

#endif
