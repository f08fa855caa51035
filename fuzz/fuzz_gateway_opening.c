// room: gateway
/* A request to a gateway's route: as it is, as a JWE's protected header, sealed as a JWE's content, sealed as what is
 * inside OHTTP. Refused with a static code, or opened; what is opened once is refused the second time, and both its
 * answer and an error can be sealed. */
#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/jwe.h"
#include "gateway/sealing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1763700000, MAX_ENTRIES = 1 << 10, MAX_BODY = 4096 };

static tg_envelope_context context;
static tg_gateway_route route = {
    .path = {(const uint8_t *)"/process", 8}, .methods = 1u << TG_HTTP_POST, .max_request_bytes = MAX_BODY};
static tg_ec_key *reply;
static tg_ohttp_config config;
static uint8_t point[TG_P256_PUBLIC_BYTES];
static char kid[TG_THUMBPRINT_BYTES + 1];

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void read_published_keys(void)
{
    tg_detail detail = {0};
    tg_buf text;
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    need(tg_is_ok(tg_envelope_keys_append_jwks(context.keys, &text)));
    json_t *jwks = json_loadb((const char *)tg_buf_slice(&text).ptr, tg_buf_len(&text), 0, NULL);
    need(tg_is_ok(tg_jwk_read_point(json_array_get(json_object_get(jwks, "keys"), 0), "jwk", point, &detail)));
    need(tg_is_ok(tg_jwk_thumbprint(tg_slice_of(point, sizeof point), kid)));
    json_decref(jwks);
    tg_buf_clear(&text);
    need(tg_is_ok(tg_envelope_keys_append_ohttp(context.keys, &text)));
    need(tg_is_ok(tg_ohttp_config_read(tg_buf_slice(&text), &config)));
    tg_buf_done(&text);
}

static void set_up(void)
{
    static const uint8_t material[32] = {7};
    tg_secret *source;
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_secret_copy(tg_slice_of(material, sizeof material), &source)));
    const tg_secret *const sources[] = {source};
    need(tg_is_ok(tg_envelope_keys_new(sources, 1, NOW, &context.keys)));
    tg_secret_free(source);
    need(tg_is_ok(tg_ec_key_generate(TG_CURVE_P256, &reply)));
    context.now_unix_s = NOW;
    context.own_authority = TG_LIT("tee.example.org");
    read_published_keys();
}

/* An empty cache for each input, so that an input alone decides. */
static void restart(void)
{
    const tg_replay_options options = {300, 5, MAX_ENTRIES, NOW - 1000};
    tg_replay_free(context.replay);
    context.replay = NULL;
    need(tg_is_ok(tg_replay_new(&options, &context.replay)));
}

static void seal_both(const tg_opened_request *opened)
{
    const tg_gateway_fault fault = {.status = 502, .code = "upstream_failed", .message = "it did not answer"};
    const tg_gateway_answer answer = {.status = 200,
                                      .content_type = opened->content_type,
                                      .headers = opened->headers,
                                      .num_headers = opened->num_headers,
                                      .body = opened->body};
    tg_buf out;
    tg_buf_init(&out, tg_sealing_max_bytes(opened, &answer));
    need(tg_is_ok(tg_sealing_answer(&context, opened, &answer, &out)));
    tg_buf_done(&out);
    tg_buf_init(&out, 65536);
    need(tg_is_ok(tg_sealing_fault(&context, opened, &fault, &out)));
    tg_buf_done(&out);
}

static bool open_once(bool is_jwe, tg_slice body)
{
    tg_opened_request opened;
    tg_gateway_fault fault = {.status = 0};
    tg_result result = is_jwe ? tg_opening_jwe(&context, &route, TG_LIT("application/jose"), body, &opened, &fault)
                              : tg_opening_ohttp(&context, &route, TG_LIT("message/ohttp-req"), body, &opened, &fault);
    if (tg_is_ok(result)) {
        need(opened.body.len <= MAX_BODY && fault.status == 0);
    } else {
        need(fault.status >= 400 && fault.status <= 503 && fault.code != NULL && fault.message != NULL);
    }
    if (opened.seals_answer) {
        seal_both(&opened);
    }
    tg_opened_request_done(&opened);
    return tg_is_ok(result);
}

static bool is_taken_once(bool is_jwe, tg_slice body)
{
    bool is_open = open_once(is_jwe, body);
    need(!is_open || !open_once(is_jwe, body));
    return is_open;
}

static void as_header(tg_slice input)
{
    tg_buf text;
    tg_buf_init(&text, 65536);
    if (tg_is_ok(tg_base64_append(&text, TG_BASE64_URL, input)) &&
        tg_is_ok(tg_buf_append_str(&text, "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"))) {
        need(!is_taken_once(true, tg_buf_slice(&text)));
    }
    tg_buf_done(&text);
}

static void as_content(tg_slice input)
{
    const tg_jwe_recipient recipient = {.point = tg_slice_of(point, sizeof point),
                                        .kid = kid,
                                        .path = "/process",
                                        .issued_unix_s = NOW,
                                        .reply = tg_ec_key_public(reply)};
    tg_buf text;
    tg_buf_init(&text, 2 * input.len + 8192);
    need(tg_is_ok(tg_jwe_seal(&recipient, input, &text)));
    need(is_taken_once(true, tg_buf_slice(&text)) == (input.len <= MAX_BODY));
    tg_buf_done(&text);
}

static void as_inside(tg_slice input)
{
    tg_ohttp_reply ignored;
    tg_buf text;
    tg_buf_init(&text, input.len + 256);
    need(tg_is_ok(tg_ohttp_request_seal(&config, input, &text, &ignored)));
    is_taken_once(false, tg_buf_slice(&text));
    tg_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice input = tg_slice_of(data, size);
    if (context.keys == NULL) {
        set_up();
    }
    restart();
    route.encrypt = size % 2 == 0 ? TG_CRYPTO_JWE : TG_CRYPTO_NONE;
    is_taken_once(true, input);
    is_taken_once(false, input);
    as_header(tg_slice_first(input, TG_MAX_JOSE_HEADER_BYTES));
    as_content(tg_slice_first(input, MAX_BODY + 1));
    as_inside(input);
    return 0;
}
