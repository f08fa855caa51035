/* A gateway of one route without a network, and the clients that seal to it. */
#ifndef TG_TESTS_SUPPORT_GATEWAY_CASE_H
#define TG_TESTS_SUPPORT_GATEWAY_CASE_H

#include "envelope/bhttp.h"
#include "envelope/jwe.h"
#include "gateway/opening.h"

enum {
    TG_GATE_NOW = 1763700000,
    TG_GATE_WINDOW_S = 300,
    TG_GATE_AHEAD_S = 5,
    TG_GATE_START = TG_GATE_NOW - 1000,
    TG_GATE_MAX_REQUEST = 1000
};

/* A replay cache of 16 entries; a route /process of POST and PUT, to https://backend.internal:8080/work?mode=1 */
typedef struct tg_gate {
    tg_envelope_keys *keys;
    tg_envelope_context context;
    tg_gateway_route route;
    tg_ec_key *client; /* whose answer it is */
    char kid[TG_THUMBPRINT_BYTES + 1];
    uint8_t point[TG_P256_PUBLIC_BYTES];
    tg_ohttp_config config;
    tg_buf sealed; /* the last request */
    tg_opened_request opened;
    tg_gateway_fault fault;
} tg_gate;

void tg_gate_set_up(tg_gate *gate, tg_route_crypto kind);
/* At another time than TG_GATE_NOW. */
void tg_gate_set_up_at(tg_gate *gate, tg_route_crypto kind, uint64_t now_unix_s);
void tg_gate_tear_down(tg_gate *gate);

/* tg_gate_recipient is what a right JWE of this client says. tg_gate_inside is a right inner request. */
tg_jwe_recipient tg_gate_recipient(const tg_gate *gate);
tg_bhttp tg_gate_inside(const tg_gate *gate);

/* They leave the sealed request in gate->sealed. */
void tg_gate_seal_jwe(tg_gate *gate, const tg_jwe_recipient *recipient, tg_slice plaintext);
void tg_gate_seal_ohttp(tg_gate *gate, const tg_bhttp *inside, tg_bhttp_form form, tg_ohttp_reply *out_reply);

/* tg_gate_open opens any text after it has ended what was opened before; tg_gate_open_sealed gate->sealed. */
tg_result tg_gate_open(tg_gate *gate, tg_slice text);
tg_result tg_gate_open_sealed(tg_gate *gate);

/* tg_gate_restart replaces the cache by an empty one that started then. */
void tg_gate_restart(tg_gate *gate, uint64_t started_unix_s);

/* Fails the test unless the last opening failed so. */
#define assert_gate_refused(gate, status, code) tg_gate_assert_refused((gate), (status), (code), __FILE__, __LINE__)
void tg_gate_assert_refused(const tg_gate *gate, unsigned status, const char *code, const char *file, int line);

#endif
