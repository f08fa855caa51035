#include "support/gateway_case.h"

#include "support/case.h"

#include "crypto/init.h"
#include "http/date.h"

#include <stdlib.h>
#include <string.h>

static const char key_problem[] = "https://iana.org/assignments/http-problem-types#ohttp-key";
static const char date_problem[] = "https://iana.org/assignments/http-problem-types#date";

static void send_inside(tg_gate *gate, const tg_bhttp *inside)
{
    tg_ohttp_reply reply;
    tg_gate_seal_ohttp(gate, inside, TG_BHTTP_KNOWN_LENGTH, &reply);
}

static void send_bytes(tg_gate *gate, tg_slice message)
{
    tg_ohttp_reply reply;
    tg_buf_clear(&gate->sealed);
    assert_ok(tg_ohttp_request_seal(&gate->config, message, &gate->sealed, &reply));
}

static void opening_ohttp_both_forms_and_aeads_give_the_inside(void **state)
{
    static const tg_bhttp_form forms[] = {TG_BHTTP_KNOWN_LENGTH, TG_BHTTP_INDETERMINATE_LENGTH};
    static const tg_hpke_aead aeads[] = {TG_HPKE_AES_128_GCM, TG_HPKE_AES_256_GCM};
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    for (size_t i = 0; i < 4; i++) {
        const tg_bhttp inside = tg_gate_inside(&gate);
        tg_ohttp_reply reply;
        gate.config.aead = aeads[i / 2];
        tg_gate_seal_ohttp(&gate, &inside, forms[i % 2], &reply);
        assert_ok(tg_gate_open_sealed(&gate));
        assert_slice(gate.opened.body, "a body");
        assert_slice(gate.opened.method, "POST");
        assert_slice(gate.opened.path, "/process");
        assert_slice(gate.opened.content_type, "text/plain");
        assert_int_equal(gate.opened.num_headers, 2);
        assert_slice(gate.opened.headers[0].name, "Date");
        assert_true(gate.opened.seals_answer);
        assert_memory_equal(gate.opened.ohttp_reply.secret, reply.secret, tg_hpke_key_len(gate.config.aead));
    }
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_each_inner_target_is_the_routes_or_refused(void **state)
{
    static const struct {
        const char *method, *scheme, *authority, *path;
        unsigned status;
        const char *code;
    } cases[] = {
        {"POST", "https", "tee.example.org", "/process", 0, NULL},
        {"PUT", "https", "", "/process", 0, NULL},
        {"POST", "https", "TEE.example.org:443", "/process", 0, NULL},
        {"POST", "https", "backend.internal:8080", "/work?mode=1", 0, NULL},
        {"POST", "https", "BACKEND.internal:8080", "/process", 0, NULL},
        {"POST", "https", "", "/work?mode=1", 400, "inner_path"},
        {"POST", "https", "tee.example.org", "/work?mode=1", 400, "inner_path"},
        {"GET", "https", "", "/process", 405, "inner_method"},
        {"post", "https", "", "/process", 405, "inner_method"},
        {"CONNECT", "https", "", "/process", 405, "inner_method"},
        {"POST", "http", "", "/process", 400, "inner_scheme"},
        {"POST", "HTTPS", "", "/process", 400, "inner_scheme"},
        {"POST", "https", "evil.example.org", "/process", 421, "inner_authority"},
        {"POST", "https", "backend.internal", "/work?mode=1", 421, "inner_authority"},
        {"POST", "https", "tee.example.org:8443", "/process", 421, "inner_authority"},
        {"POST", "https", "user@tee.example.org", "/process", 421, "inner_authority"},
        {"POST", "https", "[::1]", "/process", 421, "inner_authority"},
        {"POST", "https", "", "/", 400, "inner_path"},
        {"POST", "https", "", "/process/", 400, "inner_path"},
        {"POST", "https", "", "/process?x", 400, "inner_path"},
        {"POST", "https", "", "/%70rocess", 400, "inner_path"},
        {"POST", "https", "", "/work", 400, "inner_path"},
        {"POST", "https", "", "*", 400, "inner_path"},
    };
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_bhttp inside = tg_gate_inside(&gate);
        inside.method = tg_slice_str(cases[i].method);
        inside.scheme = tg_slice_str(cases[i].scheme);
        inside.authority = tg_slice_str(cases[i].authority);
        inside.path = tg_slice_str(cases[i].path);
        send_inside(&gate, &inside);
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), cases[i].code == NULL);
        assert_true(gate.opened.seals_answer);
        if (cases[i].code != NULL) {
            assert_gate_refused(&gate, cases[i].status, cases[i].code);
        }
    }
    /* Where the upstream is not known, only the route's own path and name are left. */
    gate.context.upstream_authority = gate.context.upstream_target = (tg_slice){NULL, 0};
    tg_bhttp inside = tg_gate_inside(&gate);
    inside.path = TG_LIT("/work?mode=1");
    send_inside(&gate, &inside);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 400, "inner_path");
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_each_inner_field_of_a_connection_is_refused(void **state)
{
    static const struct {
        tg_bhttp_field field;
        const char *code;
    } cases[] = {
        {{TG_LIT("connection"), TG_LIT("close")}, "inner_header"},
        {{TG_LIT("Connection"), TG_LIT("x-a")}, "inner_header"},
        {{TG_LIT("Host"), TG_LIT("tee.example.org")}, "inner_header"},
        {{TG_LIT("transfer-encoding"), TG_LIT("chunked")}, "inner_header"},
        {{TG_LIT("keep-alive"), TG_LIT("5")}, "inner_header"},
        {{TG_LIT("proxy-connection"), TG_LIT("close")}, "inner_header"},
        {{TG_LIT("te"), TG_LIT("trailers")}, "inner_header"},
        {{TG_LIT("upgrade"), TG_LIT("h2c")}, "inner_header"},
        {{TG_LIT("content-length"), TG_LIT("7")}, "inner_header"},
        {{TG_LIT("content-length"), TG_LIT("6, 6")}, "inner_header"},
        {{TG_LIT("content-length"), TG_LIT("6")}, NULL},
        {{TG_LIT("x-connection"), TG_LIT("close")}, NULL},
    };
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_bhttp inside = tg_gate_inside(&gate);
        const tg_bhttp_field fields[] = {inside.header.fields[0], cases[i].field};
        inside.header = (tg_bhttp_section){fields, TG_COUNT(fields)};
        send_inside(&gate, &inside);
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), cases[i].code == NULL);
        if (cases[i].code != NULL) {
            assert_gate_refused(&gate, 400, cases[i].code);
        } else {
            assert_int_equal(gate.opened.content_type.len, 0);
        }
    }
    tg_bhttp inside = tg_gate_inside(&gate);
    const tg_bhttp_field trailer = {TG_LIT("x-sum"), TG_LIT("1")};
    inside.trailer = (tg_bhttp_section){&trailer, 1};
    send_inside(&gate, &inside);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 400, "inner_trailers");
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_what_is_no_request_inside_is_refused_and_sealed(void **state)
{
    tg_gate gate;
    tg_bhttp_field fields[TG_MAX_BHTTP_FIELDS + 1];
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_slice messages[] = {TG_LIT(""), TG_LIT("\x00"), TG_LIT("\x05"), TG_LIT("{\"a\":1}"),
                                 TG_LIT("\x01\x40\xc8\x00\x05hello\x00") /* a response */};
    for (size_t i = 0; i < TG_COUNT(messages); i++) {
        send_bytes(&gate, messages[i]);
        assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
        assert_gate_refused(&gate, 400, "bad_bhttp");
        assert_true(gate.opened.seals_answer);
    }
    tg_bhttp inside = tg_gate_inside(&gate);
    for (size_t i = 0; i < TG_COUNT(fields); i++) {
        fields[i] = inside.header.fields[0];
    }
    inside.header = (tg_bhttp_section){fields, TG_COUNT(fields)};
    send_inside(&gate, &inside);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 431, "inner_headers_too_large");
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_other_keys_and_algorithms_are_refused_in_the_clear(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
        const char *code;
    } cases[] = {{0, 1, "unknown_key_id"},    {1, 1, "ohttp_algorithm"}, {2, 0x10, "ohttp_algorithm"},
                 {4, 2, "ohttp_algorithm"},   {6, 3, "ohttp_algorithm"}, {6, 0, "ohttp_algorithm"},
                 {5, 0xff, "ohttp_algorithm"}};
    tg_gate gate;
    tg_ec_key *other;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_bhttp inside = tg_gate_inside(&gate);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        send_inside(&gate, &inside);
        uint8_t *bytes = gate.sealed.ptr + gate.sealed.start;
        bytes[cases[i].at] = cases[i].at == 0 ? (uint8_t)(bytes[0] + 1) : cases[i].byte;
        assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
        assert_gate_refused(&gate, 400, cases[i].code);
        assert_string_equal(gate.fault.problem_type, key_problem);
        assert_false(gate.opened.seals_answer);
    }
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &other));
    memcpy(gate.config.public_key, tg_ec_key_public(other).ptr, sizeof gate.config.public_key);
    send_inside(&gate, &inside);
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_AUTH);
    assert_gate_refused(&gate, 400, "cannot_open");
    assert_string_equal(gate.fault.problem_type, key_problem);
    tg_ec_key_free(other);
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_changed_or_cut_anywhere_is_never_opened(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_bhttp inside = tg_gate_inside(&gate);
    send_inside(&gate, &inside);
    size_t len = tg_buf_len(&gate.sealed);
    uint8_t *changed = malloc(len);
    assert_non_null(changed);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, tg_buf_slice(&gate.sealed).ptr, len);
        changed[i] ^= (uint8_t)(1u << i % 8);
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_slice_of(changed, len))));
        assert_int_equal(gate.fault.status, 400);
        assert_false(gate.opened.seals_answer);
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_slice_of(tg_buf_slice(&gate.sealed).ptr, i))));
        assert_gate_refused(&gate, 400, i < TG_OHTTP_REQUEST_OVERHEAD_BYTES ? "bad_ohttp" : "cannot_open");
    }
    assert_int_equal(tg_replay_len(gate.context.replay), 0);
    assert_ok(tg_gate_open_sealed(&gate));
    free(changed);
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_twice_is_conflict_and_full_says_when(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_bhttp inside = tg_gate_inside(&gate);
    for (size_t i = 0; i < 16; i++) {
        send_inside(&gate, &inside);
        assert_ok(tg_gate_open_sealed(&gate));
    }
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 409, "replayed");
    send_inside(&gate, &inside);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 503, "replay_cache_full");
    assert_int_equal(gate.fault.retry_after_s, TG_GATE_WINDOW_S + TG_GATE_AHEAD_S + 1);
    assert_true(gate.opened.seals_answer);
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_date_is_there_once_and_in_its_window(void **state)
{
    char dates[4][TG_HTTP_DATE_LEN];
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    tg_http_date_format(TG_GATE_NOW - TG_GATE_WINDOW_S, dates[0]);
    tg_http_date_format(TG_GATE_NOW - TG_GATE_WINDOW_S - 1, dates[1]);
    tg_http_date_format(TG_GATE_NOW + TG_GATE_AHEAD_S, dates[2]);
    tg_http_date_format(TG_GATE_NOW + TG_GATE_AHEAD_S + 1, dates[3]);
    const struct {
        tg_slice date, second; /* ptr NULL: left out */
        const char *code;
    } cases[] = {{tg_slice_of(dates[0], TG_HTTP_DATE_LEN), {NULL, 0}, NULL},
                 {tg_slice_of(dates[1], TG_HTTP_DATE_LEN), {NULL, 0}, "date_too_old"},
                 {tg_slice_of(dates[2], TG_HTTP_DATE_LEN), {NULL, 0}, NULL},
                 {tg_slice_of(dates[3], TG_HTTP_DATE_LEN), {NULL, 0}, "date_in_future"},
                 {tg_slice_of(dates[0], TG_HTTP_DATE_LEN), tg_slice_of(dates[0], TG_HTTP_DATE_LEN), "bad_date"},
                 {{NULL, 0}, {NULL, 0}, "date_missing"},
                 {TG_LIT("now"), {NULL, 0}, "bad_date"},
                 {TG_LIT("Friday, 21-Nov-25 08:00:00 GMT"), {NULL, 0}, "bad_date"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_bhttp_field fields[] = {{TG_LIT("date"), cases[i].date}, {TG_LIT("Date"), cases[i].second}};
        tg_bhttp inside = tg_gate_inside(&gate);
        inside.header.fields = fields;
        inside.header.num_fields = (cases[i].date.ptr != NULL) + (size_t)(cases[i].second.ptr != NULL);
        send_inside(&gate, &inside);
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), cases[i].code == NULL);
        if (cases[i].code != NULL) {
            assert_gate_refused(&gate, 400, cases[i].code);
            assert_string_equal(gate.fault.problem_type, date_problem);
            assert_true(gate.opened.seals_answer);
        }
    }
    tg_gate_restart(&gate, TG_GATE_NOW);
    const tg_bhttp inside = tg_gate_inside(&gate);
    send_inside(&gate, &inside);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 503, "date_before_start");
    assert_int_equal(gate.fault.retry_after_s, TG_GATE_AHEAD_S);
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_content_at_the_routes_limit_and_one_over(void **state)
{
    enum { LARGE = 200000 };
    uint8_t *body = calloc(1, LARGE);
    tg_gate gate;
    tg_ohttp_reply reply;
    (void)state;
    assert_non_null(body);
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    tg_bhttp inside = tg_gate_inside(&gate);
    for (size_t len = TG_GATE_MAX_REQUEST; len <= TG_GATE_MAX_REQUEST + 1; len++) {
        inside.content = tg_slice_of(body, len);
        send_inside(&gate, &inside);
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), len == TG_GATE_MAX_REQUEST);
    }
    assert_gate_refused(&gate, 413, "payload_too_large");
    gate.route.max_request_bytes = LARGE;
    inside.content = tg_slice_of(body, LARGE);
    tg_gate_seal_ohttp(&gate, &inside, TG_BHTTP_INDETERMINATE_LENGTH, &reply);
    assert_ok(tg_gate_open_sealed(&gate));
    assert_int_equal(gate.opened.body.len, LARGE);
    assert_true(tg_buf_len(&gate.sealed) <= tg_opening_max_body(&gate.route));
    inside.content = (tg_slice){NULL, 0};
    send_inside(&gate, &inside);
    assert_ok(tg_gate_open_sealed(&gate));
    assert_int_equal(gate.opened.body.len, 0);
    free(body);
    tg_gate_tear_down(&gate);
}

/* One byte a chunk: what is longest beside its content, and has to be joined. */
static void opening_ohttp_content_in_many_chunks_is_joined(void **state)
{
    enum { NUM_CHUNKS = 50000 };
    tg_gate gate;
    tg_buf head, message;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    gate.route.max_request_bytes = NUM_CHUNKS;
    tg_buf_init(&head, 4096);
    tg_buf_init(&message, 1 << 20);
    tg_bhttp inside = tg_gate_inside(&gate);
    inside.content = (tg_slice){NULL, 0};
    assert_ok(tg_bhttp_append(&inside, TG_BHTTP_INDETERMINATE_LENGTH, &head)); /* ends with no content, no trailers */
    assert_ok(tg_buf_append(&message, tg_slice_first(tg_buf_slice(&head), tg_buf_len(&head) - 2)));
    for (size_t i = 0; i < NUM_CHUNKS; i++) {
        assert_ok(tg_buf_append(&message, TG_LIT("\x01x")));
    }
    assert_ok(tg_buf_append(&message, TG_LIT("\x00\x00")));
    send_bytes(&gate, tg_buf_slice(&message));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_int_equal(gate.opened.body.len, NUM_CHUNKS);
    assert_int_equal(gate.opened.body.ptr[NUM_CHUNKS - 1], 'x');
    tg_buf_done(&head);
    tg_buf_done(&message);
    tg_gate_tear_down(&gate);
}

static void opening_ohttp_without_keys_or_of_another_type_is_refused(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_OHTTP);
    const tg_bhttp inside = tg_gate_inside(&gate);
    send_inside(&gate, &inside);
    assert_code(tg_opening_ohttp(&gate.context, &gate.route, TG_LIT("message/bhttp"), tg_buf_slice(&gate.sealed),
                                 &gate.opened, &gate.fault),
                TG_ERR_UNSUPPORTED);
    assert_gate_refused(&gate, 415, "unsupported_media_type");
    gate.context.keys = NULL;
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_NOT_FOUND);
    assert_gate_refused(&gate, 503, "no_envelope_key");
    tg_gate_tear_down(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_ohttp_both_forms_and_aeads_give_the_inside),
        cmocka_unit_test(opening_ohttp_each_inner_target_is_the_routes_or_refused),
        cmocka_unit_test(opening_ohttp_each_inner_field_of_a_connection_is_refused),
        cmocka_unit_test(opening_ohttp_what_is_no_request_inside_is_refused_and_sealed),
        cmocka_unit_test(opening_ohttp_other_keys_and_algorithms_are_refused_in_the_clear),
        cmocka_unit_test(opening_ohttp_changed_or_cut_anywhere_is_never_opened),
        cmocka_unit_test(opening_ohttp_twice_is_conflict_and_full_says_when),
        cmocka_unit_test(opening_ohttp_date_is_there_once_and_in_its_window),
        cmocka_unit_test(opening_ohttp_content_at_the_routes_limit_and_one_over),
        cmocka_unit_test(opening_ohttp_content_in_many_chunks_is_joined),
        cmocka_unit_test(opening_ohttp_without_keys_or_of_another_type_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
