#include "unit/gateway/exchange_case.h"

#include "envelope/jws.h"
#include "support/gateway_case.h"
#include "sys/clock.h"

#define JOSE  "Content-Type: application/jose\r\nX-Request-Id: r1\r\n"
#define OHTTP "Content-Type: message/ohttp-req\r\n"

static tg_gate gate;

/* A route to the backends of exchange_case.h that opens and seals envelopes. */
static void open_gate(tg_route_crypto kind)
{
    open_exchange(kind);
    tg_gate_set_up_at(&gate, kind, tg_clock_unix_ms() / 1000);
    ex.route = gate.route;
    ex.route.label = "/process";
    ex.route.upstream_url = TG_LIT("http://localhost:8080/work");
    ex.route.timeout_ms = 20000;
    ex.route.max_answer_bytes = 1 << 20;
    ex.site.replay = gate.context.replay;
    ex.parts.envelope_keys = gate.keys;
}

static void close_gate(void)
{
    close_exchange();
    tg_gate_tear_down(&gate);
}

static const char *send_sealed(const char *target, const char *headers)
{
    return post_bytes("POST", target, headers, tg_buf_slice(&gate.sealed));
}

static void seal_jwe(const char *body)
{
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    tg_gate_seal_jwe(&gate, &recipient, tg_slice_str(body));
}

static tg_slice body_of_answer(void)
{
    const char *end = strstr(ex.text, "\r\n\r\n");
    assert_non_null(end);
    return tg_slice_from(tg_slice_of(ex.text, ex.text_len), (size_t)(end + 4 - ex.text));
}

/* What the last answer says inside; the status is its claim. */
static unsigned read_jwe(tg_buf *payload)
{
    tg_jwe jwe;
    tg_jws jws;
    tg_detail detail = {0};
    tg_buf inside;
    const char *kid;
    tg_buf_init_wiped(&inside, 1 << 20);
    tg_buf_clear(payload);
    assert_ok(tg_jwe_parse(body_of_answer(), &jwe, &detail));
    assert_ok(tg_jwe_open(&jwe, gate.client, &inside));
    assert_ok(tg_jws_parse(tg_buf_slice(&inside), &jws, &detail));
    assert_ok(tg_jws_verify(&jws, tg_envelope_keys_signer(gate.keys, &kid), payload));
    tg_buf_done(&inside);
    return (unsigned)jws.claims.status;
}

static void step_jwe_hands_on_the_inside_and_seals_what_comes_back(void **state)
{
    tg_buf payload;
    (void)state;
    open_gate(TG_CRYPTO_JWE);
    tg_buf_init_wiped(&payload, 1 << 20);
    up.answer = "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nyes";
    seal_jwe("{\"a\":1}");
    const char *answer = send_sealed("/process", JOSE);
    assert_says(answer, "HTTP/1.1 201 Created\r\n");
    assert_says(answer, "\r\nContent-Type: application/jose\r\n");
    assert_says(answer, "\r\nCache-Control: no-store\r\n");
    assert_says(answer, "\r\nX-Request-Id: r1\r\n");
    assert_int_equal(read_jwe(&payload), 201);
    assert_slice(tg_buf_slice(&payload), "yes");
    assert_int_equal(strncmp(up.asked, "POST /work HTTP/1.1\r\n", 21), 0);
    assert_says(up.asked, "\r\nContent-Type: application/json\r\n");
    assert_says(up.asked, "\r\n\r\n{\"a\":1}");
    up.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    seal_jwe("");
    assert_says(send_sealed("/process", JOSE), "HTTP/1.1 200 ");
    assert_int_equal(read_jwe(&payload), 204);
    assert_int_equal(tg_buf_len(&payload), 0);
    tg_buf_done(&payload);
    close_gate();
}

static void step_jwe_errors_are_plain_before_and_sealed_behind_the_opening(void **state)
{
    tg_buf payload;
    (void)state;
    open_gate(TG_CRYPTO_JWE);
    tg_buf_init_wiped(&payload, 1 << 20);
    seal_jwe("{}");
    assert_refused_so(send_sealed("/process?x=1", JOSE), 400, "query_not_sealed");
    assert_refused_so(send_sealed("/process", "Content-Type: text/plain\r\n"), 415, "unsupported_media_type");
    assert_refused_so(send_sealed("/process", ""), 415, "unsupported_media_type");
    assert_refused_so(post("POST", "/process", JOSE, "no envelope"), 400, "bad_jwe");
    assert_string_equal(ex.refused, "");
    up.answer = "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n";
    assert_says(send_sealed("/process", JOSE), "HTTP/1.1 502 ");
    assert_int_equal(read_jwe(&payload), 502);
    assert_string_equal(ex.refused, "upstream_redirect");
    assert_says(send_sealed("/process", JOSE), "HTTP/1.1 409 ");
    assert_string_equal(ex.refused, "replayed");
    for (unsigned i = 0; i < 16; i++) {
        seal_jwe("{}");
        assert_says(send_sealed("/process", JOSE), i < 15 ? "HTTP/1.1 502 " : "HTTP/1.1 503 ");
    }
    assert_string_equal(ex.refused, "replay_cache_full");
    assert_says(ex.text, "\r\nRetry-After: 30");
    assert_int_equal(read_jwe(&payload), 503);
    ex.parts.envelope_keys = NULL;
    assert_refused_so(send_sealed("/process", JOSE), 503, "no_envelope_key");
    tg_buf_done(&payload);
    close_gate();
}

static void step_jwe_without_budget_is_refused(void **state)
{
    tg_buf payload;
    (void)state;
    open_gate(TG_CRYPTO_JWE);
    tg_buf_init_wiped(&payload, 1 << 20);
    up.answer = OK_JSON "Content-Length: 2\r\n\r\n{}";
    seal_jwe("{}");
    tg_http_budget few;
    tg_http_budget_init(&few, 64);
    ex.site.budget = &few;
    assert_refused_so(send_sealed("/process", JOSE), 503, "service_unavailable");
    tg_http_budget_init(&few, tg_buf_len(&gate.sealed) + 200); /* for what came, not for what goes */
    assert_says(send_sealed("/process", JOSE), "HTTP/1.1 503 ");
    assert_int_equal(read_jwe(&payload), 503);
    assert_string_equal(ex.refused, "service_unavailable");
    assert_int_equal(atomic_load(&few.used), 0);
    tg_buf_done(&payload);
    close_gate();
}

static void step_ohttp_hands_on_method_and_headers_from_the_inside(void **state)
{
    tg_ohttp_reply reply;
    tg_buf inside;
    tg_arena arena;
    tg_bhttp message;
    (void)state;
    open_gate(TG_CRYPTO_OHTTP);
    tg_buf_init_wiped(&inside, 1 << 20);
    tg_arena_init(&arena, 1 << 20, true);
    up.answer = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno";
    tg_bhttp request = tg_gate_inside(&gate);
    const tg_bhttp_field fields[] = {
        request.header.fields[0], request.header.fields[1], {TG_LIT("x-request-id"), TG_LIT("inner")}};
    request.header = (tg_bhttp_section){fields, TG_COUNT(fields)};
    request.method = TG_LIT("PUT");
    request.authority = TG_LIT("tee.example");
    tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &reply);
    const char *answer = send_sealed("/process", OHTTP "X-Request-Id: outer\r\n");
    assert_says(answer, "HTTP/1.1 200 OK\r\n");
    assert_says(answer, "\r\nContent-Type: message/ohttp-res\r\n");
    assert_says(answer, "\r\nX-Request-Id: outer\r\n");
    assert_int_equal(strncmp(up.asked, "PUT /work HTTP/1.1\r\n", 20), 0);
    assert_says(up.asked, "\r\nX-Request-Id: inner\r\n");
    assert_says(up.asked, "\r\n\r\na body");
    assert_ok(tg_ohttp_response_open(&reply, body_of_answer(), &inside));
    assert_ok(tg_bhttp_parse(tg_buf_slice(&inside), &arena, &message));
    assert_int_equal(message.status, 404);
    assert_slice(message.content, "no");
    assert_slice(tg_bhttp_find(&message.header, TG_LIT("content-type")), "text/plain");
    assert_slice(tg_bhttp_find(&message.header, TG_LIT("x-request-id")), "inner");
    /* A path of another route: sealed, as all that is known by opening. */
    request.path = TG_LIT("/other");
    tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &reply);
    assert_says(send_sealed("/process", OHTTP), "HTTP/1.1 200 OK\r\n");
    assert_string_equal(ex.refused, "inner_path");
    assert_null(strstr(ex.text, "Retry-After"));
    tg_arena_done(&arena);
    tg_buf_done(&inside);
    close_gate();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_jwe_hands_on_the_inside_and_seals_what_comes_back),
        cmocka_unit_test(step_jwe_errors_are_plain_before_and_sealed_behind_the_opening),
        cmocka_unit_test(step_jwe_without_budget_is_refused),
        cmocka_unit_test(step_ohttp_hands_on_method_and_headers_from_the_inside),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
