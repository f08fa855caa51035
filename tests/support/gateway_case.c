#include "support/gateway_case.h"

#include "support/case.h"

#include "http/date.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEALED_BYTES = 1 << 20, NUM_ENTRIES = 16 };

static char date_text[TG_HTTP_DATE_LEN];

static void read_jwks(tg_gate *gate)
{
    tg_buf text;
    tg_detail detail = {0};
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    assert_ok(tg_envelope_keys_append_jwks(gate->keys, &text));
    json_t *jwks = json_loadb((const char *)tg_buf_slice(&text).ptr, tg_buf_len(&text), 0, NULL);
    const json_t *jwk = json_array_get(json_object_get(jwks, "keys"), 0);
    assert_ok(tg_jwk_read_point(jwk, "jwk", gate->point, &detail));
    assert_int_equal(json_string_length(json_object_get(jwk, "kid")), TG_THUMBPRINT_BYTES);
    memcpy(gate->kid, json_string_value(json_object_get(jwk, "kid")), sizeof gate->kid);
    json_decref(jwks);
    tg_buf_clear(&text);
    assert_ok(tg_envelope_keys_append_ohttp(gate->keys, &text));
    assert_ok(tg_ohttp_config_read(tg_buf_slice(&text), &gate->config));
    tg_buf_done(&text);
}

void tg_gate_restart(tg_gate *gate, uint64_t started_unix_s)
{
    const tg_replay_options options = {TG_GATE_WINDOW_S, TG_GATE_AHEAD_S, NUM_ENTRIES, started_unix_s};
    tg_replay_free(gate->context.replay);
    assert_ok(tg_replay_new(&options, &gate->context.replay));
}

void tg_gate_set_up(tg_gate *gate, tg_route_crypto kind)
{
    tg_gate_set_up_at(gate, kind, TG_GATE_NOW);
}

void tg_gate_set_up_at(tg_gate *gate, tg_route_crypto kind, uint64_t now_unix_s)
{
    static const uint8_t key_bytes[32] = {0xaa};
    tg_secret *source;
    *gate = (tg_gate){.route = {.path = TG_LIT("/process"),
                                .methods = 1u << TG_HTTP_POST | 1u << TG_HTTP_PUT,
                                .decrypt = kind,
                                .encrypt = kind,
                                .max_request_bytes = TG_GATE_MAX_REQUEST}};
    assert_ok(tg_secret_copy(tg_slice_of(key_bytes, sizeof key_bytes), &source));
    const tg_secret *const sources[] = {source};
    assert_ok(tg_envelope_keys_new(sources, 1, now_unix_s, &gate->keys));
    tg_secret_free(source);
    gate->context = (tg_envelope_context){.keys = gate->keys,
                                          .now_unix_s = now_unix_s,
                                          .own_authority = TG_LIT("tee.example.org"),
                                          .upstream_authority = TG_LIT("backend.internal:8080"),
                                          .upstream_target = TG_LIT("/work?mode=1")};
    tg_gate_restart(gate, now_unix_s - (TG_GATE_NOW - TG_GATE_START));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &gate->client));
    read_jwks(gate);
    tg_buf_init(&gate->sealed, MAX_SEALED_BYTES);
}

void tg_gate_tear_down(tg_gate *gate)
{
    tg_opened_request_done(&gate->opened);
    tg_buf_done(&gate->sealed);
    tg_replay_free(gate->context.replay);
    tg_envelope_keys_unref(gate->keys);
    tg_ec_key_free(gate->client);
}

tg_jwe_recipient tg_gate_recipient(const tg_gate *gate)
{
    return (tg_jwe_recipient){.point = tg_slice_of(gate->point, sizeof gate->point),
                              .kid = gate->kid,
                              .issued_unix_s = gate->context.now_unix_s,
                              .reply = tg_ec_key_public(gate->client)};
}

tg_bhttp tg_gate_inside(const tg_gate *gate)
{
    static tg_bhttp_field fields[2];
    tg_http_date_format(gate->context.now_unix_s, date_text);
    fields[0] = (tg_bhttp_field){TG_LIT("Date"), tg_slice_of(date_text, sizeof date_text)};
    fields[1] = (tg_bhttp_field){TG_LIT("content-type"), TG_LIT("text/plain")};
    return (tg_bhttp){.is_request = true,
                      .method = TG_LIT("POST"),
                      .scheme = TG_LIT("https"),
                      .authority = TG_LIT("tee.example.org"),
                      .path = TG_LIT("/process"),
                      .header = {fields, TG_COUNT(fields)},
                      .content = TG_LIT("a body")};
}

void tg_gate_seal_jwe(tg_gate *gate, const tg_jwe_recipient *recipient, tg_slice plaintext)
{
    tg_buf_clear(&gate->sealed);
    assert_ok(tg_jwe_seal(recipient, plaintext, &gate->sealed));
}

void tg_gate_seal_ohttp(tg_gate *gate, const tg_bhttp *inside, tg_bhttp_form form, tg_ohttp_reply *out_reply)
{
    tg_buf message;
    tg_buf_init(&message, MAX_SEALED_BYTES);
    assert_ok(tg_bhttp_append(inside, form, &message));
    tg_buf_clear(&gate->sealed);
    assert_ok(tg_ohttp_request_seal(&gate->config, tg_buf_slice(&message), &gate->sealed, out_reply));
    tg_buf_done(&message);
}

tg_result tg_gate_open(tg_gate *gate, tg_slice text)
{
    tg_opened_request_done(&gate->opened);
    gate->fault = (tg_gateway_fault){.status = 0};
    return gate->route.decrypt == TG_CRYPTO_JWE
               ? tg_opening_jwe(&gate->context, &gate->route, TG_LIT("application/jose"), text, &gate->opened,
                                &gate->fault)
               : tg_opening_ohttp(&gate->context, &gate->route, TG_LIT("message/ohttp-req"), text, &gate->opened,
                                  &gate->fault);
}

tg_result tg_gate_open_sealed(tg_gate *gate)
{
    return tg_gate_open(gate, tg_buf_slice(&gate->sealed));
}

void tg_gate_assert_refused(const tg_gate *gate, unsigned status, const char *code, const char *file, int line)
{
    if (gate->fault.code == NULL || strcmp(gate->fault.code, code) != 0 || gate->fault.status != status) {
        print_error("refused with %u %s, not %u %s\n", gate->fault.status,
                    gate->fault.code != NULL ? gate->fault.code : "nothing", status, code);
        _fail(file, line);
    }
    if (gate->fault.message == NULL || gate->fault.message[0] == 0) {
        print_error("%s has no message\n", code);
        _fail(file, line);
    }
}
