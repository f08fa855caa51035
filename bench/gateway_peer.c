/* room: outbound envelope
 * The client of the gateway's benchmark: calls one path over kept connections, and seals each request anew, since a
 * gateway takes an envelope once.
 *   gateway_peer PORT PATH ENVELOPE KEYS BODY FOLDER CONNECTIONS SECONDS
 * ENVELOPE  plain, jwe or ohttp. KEYS: of jwe KID,HEX of the point; of ohttp the file of application/ohttp-keys; else -
 * FOLDER    cert.pem (believed), client.pem and client.key (shown)
 * It prints `RESULT {"requests":...,"duration_us":...,"p50_us":...,"p99_us":...}`, or fails at the first answer that is
 * not 200. */
#include "base/encode.h"
#include "base/num.h"
#include "crypto/init.h"
#include "envelope/bhttp.h"
#include "envelope/jwe.h"
#include "envelope/ohttp.h"
#include "http/client.h"
#include "http/date.h"
#include "outbound/outbound.h"
#include "outbound/trust.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 256, MAX_BODY_BYTES = 1 << 20, MAX_SAMPLES = 1 << 22, MAX_ARGUMENT_BYTES = 4096 };

typedef enum envelope { PLAIN, JWE, OHTTP } envelope;

typedef struct asker {
    uint64_t began_us;
} asker;

static tg_loop *loop;
static tg_http_client *client;
static envelope kind;
static tg_slice path;
static tg_buf body;
static tg_jwe_recipient recipient;
static uint8_t point[TG_P256_PUBLIC_BYTES];
static tg_ohttp_config config;
static asker askers[MAX_CONNECTIONS];
static uint32_t samples[MAX_SAMPLES];
static size_t num_samples;
static size_t num_running;
static uint64_t until_us;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "gateway_peer: %s: %s\n", what, why);
    exit(1);
}

static void need(tg_result result, const char *what)
{
    if (!tg_is_ok(result)) {
        die(what, tg_code_name(result.code));
    }
}

static uint64_t now_us(void)
{
    return tg_clock_monotonic_ns() / 1000;
}

static void seal_ohttp(tg_buf *out)
{
    char date[TG_HTTP_DATE_LEN];
    tg_http_date_format(tg_clock_unix_ms() / 1000, date);
    const tg_bhttp_field fields[] = {{TG_LIT("content-type"), TG_LIT("application/json")},
                                     {TG_LIT("date"), tg_slice_of(date, sizeof date)}};
    const tg_bhttp message = {.is_request = true,
                              .method = TG_LIT("POST"),
                              .scheme = TG_LIT("https"),
                              .path = path,
                              .header = {fields, TG_COUNT(fields)},
                              .content = tg_buf_slice(&body)};
    tg_buf plain;
    tg_ohttp_reply reply;
    tg_buf_init_wiped(&plain, (size_t)2 * MAX_BODY_BYTES);
    need(tg_bhttp_append(&message, TG_BHTTP_KNOWN_LENGTH, &plain), "binary HTTP");
    need(tg_ohttp_request_seal(&config, tg_buf_slice(&plain), out, &reply), "ohttp");
    tg_ohttp_reply_done(&reply);
    tg_buf_done(&plain);
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner);

static void ask(asker *self)
{
    static const char *const types[] = {"application/json", "application/jose", "message/ohttp-req"};
    const tg_http_header headers[] = {{TG_LIT("Content-Type"), tg_slice_str(types[kind])},
                                      TG_HTTP_HEADER("X-Schema-Name", "record")};
    const tg_http_call_handlers handlers = {.on_done = on_done};
    tg_buf sealed;
    tg_buf_init(&sealed, (size_t)4 * MAX_BODY_BYTES);
    if (kind == JWE) {
        recipient.issued_unix_s = tg_clock_unix_ms() / 1000;
        need(tg_jwe_seal(&recipient, tg_buf_slice(&body), &sealed), "jwe");
    } else if (kind == OHTTP) {
        seal_ohttp(&sealed);
    }
    const tg_http_ask request = {.method = TG_LIT("POST"),
                                 .target = path,
                                 .headers = headers,
                                 .num_headers = TG_COUNT(headers),
                                 .body = kind == PLAIN ? tg_buf_slice(&body) : tg_buf_slice(&sealed)};
    self->began_us = now_us();
    need(tg_http_call_start(client, &request, &handlers, self, NULL), "call");
    tg_buf_done(&sealed);
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)call;
    asker *self = owner;
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
    if (!tg_is_ok(outcome->result)) {
        die("call", tg_http_outcome_format(outcome, text));
    }
    if (outcome->answer->status != 200) {
        fprintf(stderr, "gateway_peer: status %u: %.*s\n", outcome->answer->status, (int)outcome->answer->body.len,
                (const char *)outcome->answer->body.ptr);
        exit(1);
    }
    uint64_t now = now_us();
    if (num_samples < MAX_SAMPLES) {
        samples[num_samples++] = (uint32_t)(now - self->began_us);
    }
    if (now < until_us) {
        ask(self);
    } else if (--num_running == 0) {
        tg_loop_stop(loop);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t value;
    need(tg_num_parse_u64(tg_slice_str(text), max, &value), text);
    return value;
}

static void read_keys(char *keys)
{
    tg_buf bytes;
    tg_buf_init(&bytes, MAX_ARGUMENT_BYTES);
    if (kind == JWE) {
        tg_slice rest = tg_slice_str(keys);
        tg_slice kid = tg_slice_split(&rest, ',');
        keys[kid.len] = 0;
        if (rest.len != (size_t)2 * sizeof point) {
            die("point", "not 65 bytes in hex");
        }
        need(tg_hex_decode(rest, point), "point");
        recipient = (tg_jwe_recipient){
            .point = tg_slice_of(point, sizeof point), .kid = keys, .reply = tg_slice_of(point, sizeof point)};
    } else if (kind == OHTTP) {
        need(tg_file_read(keys, &bytes), keys);
        need(tg_ohttp_config_read(tg_buf_slice(&bytes), &config), keys);
    }
    tg_buf_done(&bytes);
}

static tg_outbound *connector_to(const char *port, const char *folder)
{
    char url[64], carrier[64], ca[MAX_ARGUMENT_BYTES], chain[MAX_ARGUMENT_BYTES], key[MAX_ARGUMENT_BYTES];
    snprintf(url, sizeof url, "https://localhost:%s", port);
    snprintf(carrier, sizeof carrier, "tcp:127.0.0.1:%s", port);
    snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    snprintf(chain, sizeof chain, "%s/client.pem", folder);
    snprintf(key, sizeof key, "%s/client.key", folder);
    tg_detail detail = {0};
    tg_address address;
    tg_tls_identity *identity = NULL;
    tg_tls_context *tls = NULL;
    tg_outbound *outbound = NULL;
    int64_t now = (int64_t)(tg_clock_unix_ms() / 1000);
    need(tg_address_parse(tg_slice_str(carrier), &address, &detail), carrier);
    need(tg_tls_identity_load(chain, key, now, &identity, &detail), chain);
    const tg_trust_settings trust = {.ca_path = ca, .identity = identity, .now_unix_s = now};
    need(tg_trust_new(&trust, &tls, &detail), ca);
    const tg_outbound_settings settings = {.url = tg_slice_str(url), .carrier = &address, .tls = tls};
    need(tg_outbound_new(&settings, &outbound, &detail), url);
    tg_tls_context_unref(tls);
    tg_tls_identity_unref(identity);
    return outbound;
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        die("arguments", "PORT PATH ENVELOPE KEYS BODY FOLDER CONNECTIONS SECONDS");
    }
    need(tg_crypto_init(1), "crypto");
    path = tg_slice_str(argv[2]);
    kind = strcmp(argv[3], "jwe") == 0 ? JWE : strcmp(argv[3], "ohttp") == 0 ? OHTTP : PLAIN;
    read_keys(argv[4]);
    tg_buf_init(&body, MAX_BODY_BYTES);
    need(tg_file_read(argv[5], &body), argv[5]);
    need(tg_loop_new(&loop), "loop");
    tg_outbound *outbound = connector_to(argv[1], argv[6]);
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    num_running = (size_t)number(argv[7], MAX_CONNECTIONS);
    limits.num_connections = limits.num_kept = num_running;
    char authority[64];
    snprintf(authority, sizeof authority, "localhost:%s", argv[1]);
    need(tg_http_client_new(loop, tg_outbound_connector(outbound), tg_slice_str(authority), &limits, &client),
         "client");
    uint64_t began = now_us();
    until_us = began + number(argv[8], 3600) * 1000000;
    for (size_t i = 0, count = num_running; i < count; i++) {
        ask(&askers[i]);
    }
    tg_loop_run(loop);
    uint64_t took = now_us() - began;
    qsort(samples, num_samples, sizeof samples[0], by_value);
    printf("RESULT {\"requests\":%zu,\"duration_us\":%llu,\"p50_us\":%u,\"p99_us\":%u}\n", num_samples,
           (unsigned long long)took, samples[num_samples / 2], samples[num_samples * 99 / 100]);
    tg_http_client_free(client);
    tg_outbound_unref(outbound);
    tg_loop_free(loop);
    tg_buf_done(&body);
    return 0;
}
