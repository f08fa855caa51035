/* A gateway's side of both envelopes behind a fake enclave: honest, or one of the ways in which somebody else might
 * answer. */
#ifndef TG_TESTS_UNIT_TOOL_FAKE_GATEWAY_H
#define TG_TESTS_UNIT_TOOL_FAKE_GATEWAY_H

#include "crypto/init.h"
#include "envelope/bhttp.h"
#include "envelope/envelope_keys.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "envelope/ohttp.h"
#include "http/date.h"
#include "unit/tool/fake_enclave.h"

#include <stdlib.h>
#include <time.h>

typedef enum fake_forgery {
    FAKE_HONEST,
    FAKE_OTHER_SIGNER,    /* another key under the enclave's kid */
    FAKE_UNKNOWN_SIGNER,  /* another key under its own kid */
    FAKE_OTHER_REQUEST,   /* `req` of something else */
    FAKE_NO_REQUEST,      /* none */
    FAKE_NO_STATUS,       /* none */
    FAKE_STATUS_RANGE,    /* 199 */
    FAKE_OLD,             /* `iat` an hour ago */
    FAKE_FUTURE,          /* in an hour */
    FAKE_NO_TIME,         /* none */
    FAKE_OTHER_RECIPIENT, /* sealed to somebody else */
    FAKE_OTHER_KID,       /* to us, under another name */
    FAKE_CHANGED,         /* a byte of the ciphertext */
    FAKE_REPLAY,          /* what was answered before */
    FAKE_UNSIGNED,        /* the body itself, sealed to reply_jwk: whoever saw the request can */
    FAKE_PLAIN,           /* in the clear, 200 */
    FAKE_PLAIN_ERROR,     /* in the clear, 403 */
    FAKE_PLAIN_EARLY,     /* in the clear, 503: seal it anew */
    FAKE_PLAIN_AS_SEALED, /* in the clear, under the envelope's type */
    FAKE_CUT_OFF,
    FAKE_NOT_BHTTP, /* of ohttp: what is sealed is none */
    FAKE_A_REQUEST  /* of ohttp: it is a request */
} fake_forgery;

typedef struct fake_gateway {
    fake_enclave enclave; /* first */
    tg_envelope_keys *keys, *other_keys;
    uint8_t jwks[32], ohttp[32];
    fake_forgery forgery;
    unsigned status;
    const char *answer_type;
    tg_slice answer_body;
    unsigned num_stale_keys; /* so often, other keys are published than the manifest binds */
    unsigned keys_status;    /* of the published keys; 0: 200 */
    unsigned num_too_early;  /* so often, sealed: from before the start */
    unsigned num_requests;
    /* What was opened last. */
    char method[32], path[256], authority[256], content_type[256], head[4096], inner_header[256];
    char body[65536];
    size_t body_len;
    bool has_issued;
    tg_buf last_answer;
} fake_gateway;

static inline fake_gateway *fake_gateway_of(fake_enclave *enclave)
{
    return (fake_gateway *)(void *)enclave;
}

static inline void fake_copy(tg_slice text, char *out, size_t cap)
{
    assert_true(text.len < cap);
    memcpy(out, text.len > 0 ? (const char *)text.ptr : "", text.len);
    out[text.len] = 0;
}

static inline uint64_t fake_iat(const fake_gateway *self)
{
    uint64_t now = (uint64_t)time(NULL);
    return self->forgery == FAKE_OLD ? now - 3600 : self->forgery == FAKE_FUTURE ? now + 3600 : now;
}

/* The JWS that such an answer would be. */
static inline void fake_sign(const fake_gateway *self, tg_slice request, tg_buf *jws)
{
    const char *kid, *other_kid;
    const tg_ec_key *signer = tg_envelope_keys_signer(self->keys, &kid);
    const tg_ec_key *other = tg_envelope_keys_signer(self->other_keys, &other_kid);
    bool is_other = self->forgery == FAKE_OTHER_SIGNER || self->forgery == FAKE_UNKNOWN_SIGNER;
    tg_jws_claims claims = {.has_request = self->forgery != FAKE_NO_REQUEST,
                            .has_status = self->forgery != FAKE_NO_STATUS,
                            .status = self->forgery == FAKE_STATUS_RANGE ? 199 : self->status,
                            .has_issued = self->forgery != FAKE_NO_TIME,
                            .issued_unix_s = fake_iat(self)};
    snprintf(claims.kid, sizeof claims.kid, "%s", self->forgery == FAKE_UNKNOWN_SIGNER ? other_kid : kid);
    snprintf(claims.content_type, sizeof claims.content_type, "%s", self->answer_type);
    assert_ok(tg_sha256(request, claims.request_sha256));
    claims.request_sha256[31] ^= self->forgery == FAKE_OTHER_REQUEST;
    assert_ok(tg_jws_sign(is_other ? other : signer, &claims, self->answer_body, jws));
}

static inline void fake_seal_jwe(const fake_gateway *self, const tg_jwe *request, tg_slice text, tg_buf *out)
{
    const char *kid;
    tg_buf jws;
    tg_buf_init(&jws, 1 << 20);
    if (self->forgery == FAKE_UNSIGNED) {
        assert_ok(tg_buf_append(&jws, self->answer_body));
    } else {
        fake_sign(self, text, &jws);
    }
    tg_jwe_recipient recipient = {.point = tg_slice_of(request->reply, sizeof request->reply),
                                  .kid = self->forgery == FAKE_OTHER_KID ? "another" : request->reply_kid,
                                  .content_type = "jose"};
    if (self->forgery == FAKE_OTHER_RECIPIENT) {
        recipient.point = tg_ec_key_public(tg_envelope_keys_signer(self->other_keys, &kid));
    }
    assert_ok(tg_jwe_seal(&recipient, tg_buf_slice(&jws), out));
    tg_buf_done(&jws);
}

static inline void fake_answer_jwe(fake_gateway *self, tg_slice text, tg_buf *out)
{
    tg_jwe jwe;
    tg_buf plaintext;
    tg_detail detail = {0};
    tg_buf_init(&plaintext, sizeof self->body);
    assert_ok(tg_jwe_parse(text, &jwe, &detail));
    const tg_ec_key *key = tg_envelope_keys_find(self->keys, jwe.kid);
    assert_non_null(key);
    assert_ok(tg_jwe_open(&jwe, key, &plaintext));
    memcpy(self->body, tg_buf_slice(&plaintext).ptr, tg_buf_len(&plaintext));
    self->body_len = tg_buf_len(&plaintext);
    self->has_issued = jwe.has_issued;
    fake_copy(tg_slice_str(jwe.path), self->path, sizeof self->path);
    fake_copy(tg_slice_str(jwe.content_type), self->content_type, sizeof self->content_type);
    tg_buf_done(&plaintext);
    assert_true(jwe.has_reply && jwe.reply_kid[0] != 0);
    fake_seal_jwe(self, &jwe, text, out);
}

static inline void fake_note_request(fake_gateway *self, const tg_bhttp *inside)
{
    char date[TG_HTTP_DATE_LEN];
    tg_slice at = tg_bhttp_find(&inside->header, TG_LIT("date"));
    uint64_t made;
    self->has_issued = at.len == sizeof date && tg_is_ok(tg_http_date_parse(at, &made));
    fake_copy(inside->method, self->method, sizeof self->method);
    fake_copy(inside->path, self->path, sizeof self->path);
    fake_copy(inside->authority, self->authority, sizeof self->authority);
    fake_copy(tg_bhttp_find(&inside->header, TG_LIT("content-type")), self->content_type, sizeof self->content_type);
    fake_copy(tg_bhttp_find(&inside->header, TG_LIT("x-test")), self->inner_header, sizeof self->inner_header);
    assert_true(inside->content.len < sizeof self->body);
    memcpy(self->body, inside->content.len > 0 ? (const char *)inside->content.ptr : "", inside->content.len);
    self->body_len = inside->content.len;
}

static inline void fake_answer_ohttp(fake_gateway *self, tg_slice message, tg_buf *out)
{
    tg_ohttp_request request;
    tg_ohttp_reply reply = {0};
    tg_bhttp inside;
    tg_arena arena;
    tg_buf plaintext;
    tg_arena_init(&arena, 1 << 20, true);
    tg_buf_init(&plaintext, 1 << 20);
    assert_ok(tg_ohttp_request_parse(message, &request));
    const tg_ec_key *key = tg_envelope_keys_find_ohttp(self->keys, request.key_id, 0);
    assert_non_null(key);
    assert_ok(tg_ohttp_request_open(&request, key, &plaintext, &reply));
    assert_ok(tg_bhttp_parse(tg_buf_slice(&plaintext), &arena, &inside));
    assert_true(inside.is_request);
    fake_note_request(self, &inside);
    char date[TG_HTTP_DATE_LEN];
    tg_http_date_format(fake_iat(self), date);
    const tg_bhttp_field fields[] = {{TG_LIT("content-type"), tg_slice_str(self->answer_type)},
                                     {TG_LIT("date"), tg_slice_of(date, sizeof date)}};
    tg_bhttp answer = {.status = self->status, .header = {fields, 2}, .content = self->answer_body};
    if (self->forgery == FAKE_A_REQUEST) {
        answer = inside;
    }
    tg_buf sealed;
    tg_buf_init(&sealed, 1 << 20);
    if (self->forgery == FAKE_NOT_BHTTP) {
        assert_ok(tg_buf_append_str(&sealed, "none"));
    } else {
        assert_ok(tg_bhttp_append(&answer, TG_BHTTP_INDETERMINATE_LENGTH, &sealed));
    }
    reply.secret[0] ^= self->forgery == FAKE_OTHER_RECIPIENT;
    assert_ok(tg_ohttp_response_seal(&reply, tg_buf_slice(&sealed), out));
    tg_buf_done(&sealed);
    tg_ohttp_reply_done(&reply);
    tg_buf_done(&plaintext);
    tg_arena_done(&arena);
}

static inline void fake_gateway_publish(fake_gateway *self, SSL *ssl, bool is_jwe)
{
    tg_buf text;
    const tg_envelope_keys *keys = self->num_stale_keys > 0 ? self->other_keys : self->keys;
    self->num_stale_keys -= self->num_stale_keys > 0;
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    assert_ok(is_jwe ? tg_envelope_keys_append_jwks(keys, &text) : tg_envelope_keys_append_ohttp(keys, &text));
    test_tls_answer(ssl, self->keys_status != 0 ? self->keys_status : 200, "x/y", tg_buf_slice(&text).ptr,
                    tg_buf_len(&text));
    tg_buf_done(&text);
}

static inline void fake_gateway_say(fake_gateway *self, SSL *ssl, bool is_jwe, unsigned status, tg_buf *out)
{
    const char *type = is_jwe ? "application/jose" : "message/ohttp-res; x=y";
    static const char early[] = "{\"code\":\"iat_before_start\",\"message\":\"no\"}";
    static const char error[] = "{\"code\":\"forbidden\",\"message\":\"no\"}";
    if (self->forgery == FAKE_PLAIN || self->forgery == FAKE_PLAIN_ERROR) {
        test_tls_answer(ssl, self->forgery == FAKE_PLAIN ? 200 : 403, "application/json", error, sizeof error - 1);
        return;
    }
    if (self->forgery == FAKE_PLAIN_EARLY) {
        test_tls_answer(ssl, 503, "application/json", early, sizeof early - 1);
        return;
    }
    if (self->forgery == FAKE_PLAIN_AS_SEALED) {
        test_tls_answer(ssl, 200, type, error, sizeof error - 1);
        return;
    }
    if (self->forgery == FAKE_REPLAY && tg_buf_len(&self->last_answer) > 0) {
        test_tls_answer(ssl, 200, type, tg_buf_slice(&self->last_answer).ptr, tg_buf_len(&self->last_answer));
        return;
    }
    tg_slice bytes = tg_buf_slice(out);
    size_t changed_at = bytes.len - 30; /* within the ciphertext, of both */
    uint8_t changed = bytes.ptr[changed_at];
    if (self->forgery == FAKE_CHANGED) {
        changed = changed == 'A' ? 'B' : 'A';
    }
    tg_buf_clear(&self->last_answer);
    assert_ok(tg_buf_append(&self->last_answer, tg_slice_first(bytes, changed_at)));
    assert_ok(tg_buf_append_byte(&self->last_answer, changed));
    assert_ok(tg_buf_append(&self->last_answer, tg_slice_from(bytes, changed_at + 1)));
    size_t len = self->forgery == FAKE_CUT_OFF ? bytes.len - 1 : bytes.len;
    test_tls_answer(ssl, is_jwe ? status : 200, type, tg_buf_slice(&self->last_answer).ptr, len);
}

static inline void fake_gateway_serve(fake_enclave *enclave, SSL *ssl)
{
    fake_gateway *self = fake_gateway_of(enclave);
    const char *heard = enclave->server.heard, *body = enclave->server.body;
    size_t head_len = (size_t)(body - heard);
    tg_buf out;
    if (strncmp(heard, "GET /.well-known/", 17) == 0) {
        fake_gateway_publish(self, ssl, strncmp(heard + 17, "jwks.json ", 10) == 0);
        return;
    }
    fake_copy(tg_slice_of(heard, head_len), self->head, sizeof self->head);
    bool is_jwe = strstr(self->head, "Content-Type: application/jose\r\n") != NULL;
    assert_true(is_jwe || strstr(self->head, "Content-Type: message/ohttp-req\r\n") != NULL);
    tg_buf_init(&out, 1 << 20);
    tg_slice content = tg_slice_of(body, enclave->server.heard_len - head_len), honest = self->answer_body;
    unsigned status = self->status;
    self->num_requests++;
    if (self->num_too_early > 0) {
        self->num_too_early--;
        self->status = 503;
        self->answer_body = is_jwe ? TG_LIT("{\"code\":\"iat_before_start\",\"message\":\"x\"}")
                                   : TG_LIT("{\"type\":\"x\",\"code\":\"date_before_start\"}");
    }
    if (is_jwe) {
        fake_answer_jwe(self, content, &out);
    } else {
        fake_answer_ohttp(self, content, &out);
    }
    unsigned said = self->status;
    self->answer_body = honest; /* before the answer: behind it, the fake is the test's again */
    self->status = status;
    fake_gateway_say(self, ssl, is_jwe, said, &out);
    tg_buf_done(&out);
}

static inline tg_envelope_keys *fake_keys(uint8_t fill)
{
    uint8_t bytes[32];
    tg_secret *secret;
    tg_envelope_keys *keys;
    memset(bytes, fill, sizeof bytes);
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &secret));
    const tg_secret *const sources[] = {secret};
    assert_ok(tg_envelope_keys_new(sources, 1, (uint64_t)time(NULL), &keys));
    tg_secret_free(secret);
    return keys;
}

static inline void fake_gateway_start(fake_gateway *self)
{
    tg_buf text;
    assert_ok(tg_crypto_init(1));
    tg_buf_init(&self->last_answer, 1 << 20);
    self->keys = fake_keys(0xaa);
    self->other_keys = fake_keys(0xbb);
    self->status = 200;
    self->answer_type = "application/json";
    self->answer_body = TG_LIT("{\"done\":true}");
    self->enclave.other = fake_gateway_serve;
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    assert_ok(tg_envelope_keys_append_jwks(self->keys, &text));
    assert_ok(tg_sha256(tg_buf_slice(&text), self->jwks));
    tg_buf_clear(&text);
    assert_ok(tg_envelope_keys_append_ohttp(self->keys, &text));
    assert_ok(tg_sha256(tg_buf_slice(&text), self->ohttp));
    tg_buf_done(&text);
    self->enclave.manifest.jwks = tg_slice_of(self->jwks, sizeof self->jwks);
    self->enclave.manifest.ohttp = tg_slice_of(self->ohttp, sizeof self->ohttp);
    fake_start(&self->enclave);
}

static inline void fake_gateway_stop(fake_gateway *self)
{
    fake_stop(&self->enclave);
    tg_envelope_keys_unref(self->keys);
    tg_envelope_keys_unref(self->other_keys);
    tg_buf_done(&self->last_answer);
}

#endif
