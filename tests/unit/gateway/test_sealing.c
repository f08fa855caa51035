#include "gateway/sealing.h"

#include "support/case.h"
#include "support/gateway_case.h"

#include "crypto/init.h"
#include "envelope/jws.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20 };

static void open_jwe_request(tg_gate *gate)
{
    const tg_jwe_recipient recipient = tg_gate_recipient(gate);
    tg_gate_seal_jwe(gate, &recipient, TG_LIT("{}"));
    assert_ok(tg_gate_open_sealed(gate));
}

/* What the client does with an answer: the JWS inside, checked by the published signer. */
static tg_result read_jwe_answer(const tg_gate *gate, tg_slice text, tg_jws_claims *out_claims, tg_buf *payload)
{
    tg_jwe jwe;
    tg_jws jws;
    tg_detail detail = {0};
    tg_buf inside;
    const char *kid;
    tg_buf_init_wiped(&inside, MAX_TEXT);
    assert_ok(tg_jwe_parse(text, &jwe, &detail));
    assert_string_equal(jwe.content_type, "jose");
    tg_result result = tg_jwe_open(&jwe, gate->client, &inside);
    if (tg_is_ok(result)) {
        const tg_ec_key *signer = tg_envelope_keys_signer(gate->keys, &kid);
        assert_ok(tg_jws_parse(tg_buf_slice(&inside), &jws, &detail));
        assert_string_equal(jws.claims.kid, kid);
        assert_ok(tg_jws_verify(&jws, signer, payload));
        *out_claims = jws.claims;
    }
    tg_buf_done(&inside);
    return result;
}

static void sealing_answer_jwe_is_signed_for_this_request_and_client(void **state)
{
    static const char *const types[][2] = {{"application/json", "application/json"}, {"", ""}, {"caf\xc3\xa9", ""}};
    const tg_slice bodies[] = {TG_LIT("{\"a\":2}"), TG_LIT(""), TG_LIT("\xff\x00x")};
    tg_gate gate;
    tg_buf out, payload;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    tg_buf_init(&out, MAX_TEXT);
    tg_buf_init_wiped(&payload, MAX_TEXT);
    for (size_t i = 0; i < TG_COUNT(bodies); i++) {
        const tg_gateway_answer answer = {
            .status = 201 + (unsigned)i, .content_type = tg_slice_str(types[i][0]), .body = bodies[i]};
        tg_jws_claims claims;
        open_jwe_request(&gate);
        tg_buf_clear(&out);
        tg_buf_clear(&payload);
        assert_ok(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out));
        assert_true(tg_buf_len(&out) <= tg_sealing_max_bytes(&gate.opened, &answer));
        assert_ok(read_jwe_answer(&gate, tg_buf_slice(&out), &claims, &payload));
        assert_true(tg_slice_equal(tg_buf_slice(&payload), bodies[i]));
        assert_true(claims.has_request && claims.has_status && claims.has_issued);
        assert_memory_equal(claims.request_sha256, gate.opened.request_sha256, TG_SHA256_BYTES);
        assert_int_equal(claims.status, 201 + i);
        assert_int_equal(claims.issued_unix_s, TG_GATE_NOW);
        assert_string_equal(claims.content_type, types[i][1]);
    }
    assert_int_equal(tg_sealing_outer_status(&gate.opened, 201), 201);
    assert_int_equal(tg_sealing_outer_status(&gate.opened, 404), 404);
    assert_int_equal(tg_sealing_outer_status(&gate.opened, 204), 200); /* it could not have the JWE as its body */
    assert_int_equal(tg_sealing_outer_status(&gate.opened, 304), 200);
    assert_string_equal(tg_sealing_content_type(&gate.opened), "application/jose");
    /* Another client cannot open it. */
    tg_ec_key *other, *own = gate.client;
    tg_jws_claims claims;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &other));
    gate.client = other;
    assert_code(read_jwe_answer(&gate, tg_buf_slice(&out), &claims, &payload), TG_ERR_AUTH);
    gate.client = own;
    tg_ec_key_free(other);
    tg_buf_done(&out);
    tg_buf_done(&payload);
    tg_gate_tear_down(&gate);
}

static tg_bhttp read_ohttp_answer(const tg_ohttp_reply *reply, tg_slice text, tg_arena *arena, tg_buf *inside)
{
    tg_bhttp message;
    tg_buf_clear(inside);
    assert_ok(tg_ohttp_response_open(reply, text, inside));
    assert_ok(tg_bhttp_parse(tg_buf_slice(inside), arena, &message));
    assert_false(message.is_request);
    return message;
}

static void sealing_answer_ohttp_hides_status_fields_and_body(void **state)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("X-Request-Id", "r1"), TG_HTTP_HEADER("Date", "upstream's"),
                                      TG_HTTP_HEADER("Content-Type", "another")};
    const tg_gateway_answer answer = {.status = 404,
                                      .content_type = TG_LIT("text/plain"),
                                      .headers = headers,
                                      .num_headers = TG_COUNT(headers),
                                      .body = TG_LIT("not there")};
    tg_gate gate;
    tg_ohttp_reply reply, other;
    tg_buf out, inside;
    tg_arena arena;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    tg_buf_init(&out, MAX_TEXT);
    tg_buf_init_wiped(&inside, MAX_TEXT);
    tg_arena_init(&arena, MAX_TEXT, true);
    const tg_bhttp request = tg_gate_inside(&gate);
    tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &other);
    tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &reply);
    assert_ok(tg_gate_open_sealed(&gate));
    tg_opened_request_forget(&gate.opened); /* what came is not needed for it */
    assert_int_equal(gate.opened.body.len + gate.opened.num_headers + gate.opened.path.len, 0);
    assert_ok(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out));
    assert_true(tg_buf_len(&out) <= tg_sealing_max_bytes(&gate.opened, &answer));
    const tg_bhttp message = read_ohttp_answer(&reply, tg_buf_slice(&out), &arena, &inside);
    assert_int_equal(message.status, 404);
    assert_slice(message.content, "not there");
    assert_int_equal(message.header.num_fields, 3);
    assert_slice(message.header.fields[0].name, "date");
    assert_slice(message.header.fields[0].value, "Fri, 21 Nov 2025 04:40:00 GMT");
    assert_slice(message.header.fields[1].name, "content-type");
    assert_slice(message.header.fields[2].name, "x-request-id");
    assert_slice(message.header.fields[2].value, "r1");
    /* It is no answer to another request. */
    assert_code(tg_ohttp_response_open(&other, tg_buf_slice(&out), &inside), TG_ERR_AUTH);
    assert_int_equal(tg_sealing_outer_status(&gate.opened, 404), 200);
    assert_string_equal(tg_sealing_content_type(&gate.opened), "message/ohttp-res");
    tg_arena_done(&arena);
    tg_buf_done(&out);
    tg_buf_done(&inside);
    tg_gate_tear_down(&gate);
}

static void sealing_fault_of_both_kinds_says_it_inside(void **state)
{
    const tg_gateway_fault full = {.status = 503, .code = "c", .message = "m", .retry_after_s = 17};
    const tg_gateway_fault date = {.status = 400, .code = "c", .message = "m", .problem_type = "https://x/#date"};
    tg_gate gate;
    tg_ohttp_reply reply;
    tg_jws_claims claims;
    tg_buf out, inside;
    tg_arena arena;
    (void)state;
    tg_buf_init(&out, MAX_TEXT);
    tg_buf_init_wiped(&inside, MAX_TEXT);
    tg_arena_init(&arena, MAX_TEXT, true);
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_bhttp request = tg_gate_inside(&gate);
    tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &reply);
    assert_ok(tg_gate_open_sealed(&gate));
    assert_ok(tg_sealing_fault(&gate.context, &gate.opened, &full, &out));
    tg_bhttp message = read_ohttp_answer(&reply, tg_buf_slice(&out), &arena, &inside);
    assert_int_equal(message.status, 503);
    assert_slice(message.content, "{\"code\":\"c\",\"message\":\"m\"}");
    assert_slice(tg_bhttp_find(&message.header, TG_LIT("retry-after")), "17");
    assert_slice(tg_bhttp_find(&message.header, TG_LIT("content-type")), "application/json");
    tg_buf_clear(&out);
    assert_ok(tg_sealing_fault(&gate.context, &gate.opened, &date, &out));
    message = read_ohttp_answer(&reply, tg_buf_slice(&out), &arena, &inside);
    assert_int_equal(message.status, 400);
    assert_slice(tg_bhttp_find(&message.header, TG_LIT("content-type")), "application/problem+json");
    assert_null(tg_bhttp_find(&message.header, TG_LIT("retry-after")).ptr);
    tg_gate_tear_down(&gate);
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    open_jwe_request(&gate);
    tg_buf_clear(&out);
    tg_buf_clear(&inside);
    assert_ok(tg_sealing_fault(&gate.context, &gate.opened, &full, &out));
    assert_ok(read_jwe_answer(&gate, tg_buf_slice(&out), &claims, &inside));
    assert_int_equal(claims.status, 503);
    assert_slice(tg_buf_slice(&inside), "{\"code\":\"c\",\"message\":\"m\"}");
    tg_gate_tear_down(&gate);
    tg_arena_done(&arena);
    tg_buf_done(&out);
    tg_buf_done(&inside);
}

static void sealing_answer_bound_holds_and_less_leaves_the_buffer_as_it_was(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 3, 100, 16383, 16384, 100000};
    static const tg_route_crypto kinds[] = {TG_CRYPTO_JWE, TG_CRYPTO_OHTTP};
    uint8_t *body = calloc(1, lengths[TG_COUNT(lengths) - 1]);
    (void)state;
    assert_non_null(body);
    for (size_t kind = 0; kind < TG_COUNT(kinds); kind++) {
        tg_gate gate;
        tg_buf out;
        tg_ohttp_reply reply;
        tg_gate_set_up(&gate, kinds[kind]);
        if (kinds[kind] == TG_CRYPTO_JWE) {
            open_jwe_request(&gate);
        } else {
            const tg_bhttp request = tg_gate_inside(&gate);
            tg_gate_seal_ohttp(&gate, &request, TG_BHTTP_KNOWN_LENGTH, &reply);
            assert_ok(tg_gate_open_sealed(&gate));
        }
        for (size_t i = 0; i < TG_COUNT(lengths); i++) {
            tg_gateway_answer answer = {
                .status = 200, .content_type = TG_LIT("a/b"), .body = tg_slice_of(body, lengths[i])};
            tg_buf_init(&out, tg_sealing_max_bytes(&gate.opened, &answer));
            assert_ok(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out));
            size_t len = tg_buf_len(&out);
            tg_buf_done(&out);
            tg_buf_init(&out, len);
            assert_ok(tg_buf_append_byte(&out, 'x'));
            assert_code(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out), TG_ERR_LIMIT);
            assert_slice(tg_buf_slice(&out), "x");
            answer.status = 600;
            assert_code(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out), TG_ERR_RANGE);
            answer.status = 199;
            assert_code(tg_sealing_answer(&gate.context, &gate.opened, &answer, &out), TG_ERR_RANGE);
            tg_buf_done(&out);
        }
        tg_gate_tear_down(&gate);
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_answer_jwe_is_signed_for_this_request_and_client),
        cmocka_unit_test(sealing_answer_ohttp_hides_status_fields_and_body),
        cmocka_unit_test(sealing_fault_of_both_kinds_says_it_inside),
        cmocka_unit_test(sealing_answer_bound_holds_and_less_leaves_the_buffer_as_it_was),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
