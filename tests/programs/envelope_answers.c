// room: envelope
/* Answers questions about envelopes, one a line, for tests that compare them with other implementations. Bytes are
 * hexadecimal, `-` stands for none:
 *   jwk PRIVATE -> the public P-256 key as JWK            kid PRIVATE -> its thumbprint
 *   jwe-seal PRIVATE PLAINTEXT -> JWE to that key          jwe-open PRIVATE JWE -> plaintext, or refused CODE
 *   jws-sign PRIVATE PAYLOAD -> JWS                        jws-open PRIVATE JWS -> payload, or refused CODE
 *   ohttp-keys PRIVATE -> its application/ohttp-keys       ohttp-ask PRIVATE PLAINTEXT -> sealed request to that key
 *   ohttp-open PRIVATE SEALED -> plaintext, or refused     ohttp-answer PRIVATE SEALED RESPONSE -> sealed response
 *   bhttp - MESSAGE -> the same in known length            bhttp-stream - MESSAGE -> in indeterminate length
 * The keys of ohttp- are of X25519, all others of P-256. */
#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/bhttp.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "envelope/ohttp.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_BYTES = 1 << 22 };

static void need(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "envelope_answers: %s\n", what);
        exit(1);
    }
}

static void from_hex(tg_slice text, tg_buf *out)
{
    uint8_t *bytes;
    tg_buf_clear(out);
    if (tg_slice_equal(text, TG_LIT("-"))) {
        return;
    }
    need(tg_is_ok(tg_buf_reserve(out, text.len / 2, &bytes)) && tg_is_ok(tg_hex_decode(text, bytes)), "no hexadecimal");
    tg_buf_commit(out, text.len / 2);
}

static void answer_bytes(tg_slice bytes, tg_result result)
{
    tg_buf text;
    if (!tg_is_ok(result)) {
        printf("refused %s\n", tg_code_name(result.code));
        return;
    }
    tg_buf_init(&text, (size_t)2 * MAX_BYTES);
    need(tg_is_ok(bytes.len > 0 ? tg_hex_append(&text, bytes) : tg_buf_append_byte(&text, '-')), "memory");
    printf("%.*s\n", (int)tg_buf_len(&text), (const char *)tg_buf_slice(&text).ptr);
    tg_buf_done(&text);
}

static void answer_text(const tg_buf *text)
{
    printf("%.*s\n", (int)tg_buf_len(text), (const char *)tg_buf_slice(text).ptr);
}

static tg_result open_jwe(tg_slice text, const tg_ec_key *key, tg_buf *out)
{
    tg_jwe jwe;
    tg_detail detail = {0};
    TG_TRY(tg_jwe_parse(text, &jwe, &detail));
    return tg_jwe_open(&jwe, key, out);
}

static tg_result open_jws(tg_slice text, const tg_ec_key *key, tg_buf *out)
{
    tg_jws jws;
    tg_detail detail = {0};
    TG_TRY(tg_jws_parse(text, &jws, &detail));
    return tg_jws_verify(&jws, key, out);
}

static tg_result open_ohttp(tg_slice sealed, const tg_ec_key *key, tg_buf *out, tg_ohttp_reply *reply)
{
    tg_ohttp_request request;
    TG_TRY(tg_ohttp_request_parse(sealed, &request));
    return tg_ohttp_request_open(&request, key, out, reply);
}

static void answer_ohttp(tg_slice question, tg_slice private_key, tg_slice operand, tg_slice response)
{
    tg_ec_key *key;
    tg_ohttp_reply reply;
    tg_buf in, out;
    tg_result result = tg_ok();
    tg_buf_init(&in, MAX_BYTES);
    tg_buf_init(&out, MAX_BYTES);
    from_hex(private_key, &in);
    need(tg_is_ok(tg_ec_key_from_private(TG_CURVE_X25519, tg_buf_slice(&in), &key)), "key");
    from_hex(operand, &in);
    if (tg_slice_equal(question, TG_LIT("ohttp-keys"))) {
        result = tg_ohttp_config_append(&out, 7, tg_ec_key_public(key));
    } else if (tg_slice_equal(question, TG_LIT("ohttp-ask"))) {
        tg_ohttp_config config = {.key_id = 7, .aead = TG_HPKE_AES_256_GCM};
        memcpy(config.public_key, tg_ec_key_public(key).ptr, sizeof config.public_key);
        result = tg_ohttp_request_seal(&config, tg_buf_slice(&in), &out, &reply);
    } else {
        result = open_ohttp(tg_buf_slice(&in), key, &out, &reply);
        if (tg_is_ok(result) && tg_slice_equal(question, TG_LIT("ohttp-answer"))) {
            tg_buf_clear(&out);
            from_hex(response, &in);
            result = tg_ohttp_response_seal(&reply, tg_buf_slice(&in), &out);
        }
    }
    answer_bytes(tg_buf_slice(&out), result);
    tg_ec_key_free(key);
    tg_buf_done(&in);
    tg_buf_done(&out);
}

static void answer_bhttp(tg_slice operand, tg_bhttp_form form)
{
    tg_bhttp message;
    tg_arena arena;
    tg_buf in, out;
    tg_buf_init(&in, MAX_BYTES);
    tg_buf_init(&out, MAX_BYTES);
    tg_arena_init(&arena, MAX_BYTES, true);
    from_hex(operand, &in);
    tg_result result = tg_bhttp_parse(tg_buf_slice(&in), &arena, &message);
    if (tg_is_ok(result)) {
        result = tg_bhttp_append(&message, form, &out);
    }
    answer_bytes(tg_buf_slice(&out), result);
    tg_arena_done(&arena);
    tg_buf_done(&in);
    tg_buf_done(&out);
}

static void answer_jose(tg_slice question, tg_slice private_key, tg_slice operand)
{
    tg_ec_key *key;
    tg_buf in, out;
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_buf_init(&in, MAX_BYTES);
    tg_buf_init(&out, MAX_BYTES);
    from_hex(private_key, &in);
    need(tg_is_ok(tg_ec_key_from_private(TG_CURVE_P256, tg_buf_slice(&in), &key)), "key");
    need(tg_is_ok(tg_jwk_thumbprint(tg_ec_key_public(key), kid)), "thumbprint");
    if (tg_slice_equal(question, TG_LIT("jwk"))) {
        need(tg_is_ok(tg_jwk_append(&out, tg_ec_key_public(key), "enc", "ECDH-ES", kid)), "memory");
        answer_text(&out);
    } else if (tg_slice_equal(question, TG_LIT("kid"))) {
        puts(kid);
    } else if (tg_slice_equal(question, TG_LIT("jwe-seal"))) {
        const tg_jwe_recipient recipient = {.point = tg_ec_key_public(key), .kid = kid};
        from_hex(operand, &in);
        need(tg_is_ok(tg_jwe_seal(&recipient, tg_buf_slice(&in), &out)), "jwe-seal");
        answer_text(&out);
    } else if (tg_slice_equal(question, TG_LIT("jws-sign"))) {
        tg_jws_claims claims = {.has_status = true, .status = 200};
        memcpy(claims.kid, kid, sizeof kid);
        from_hex(operand, &in);
        need(tg_is_ok(tg_jws_sign(key, &claims, tg_buf_slice(&in), &out)), "jws-sign");
        answer_text(&out);
    } else {
        need(tg_slice_equal(question, TG_LIT("jwe-open")) || tg_slice_equal(question, TG_LIT("jws-open")), "question");
        tg_result result =
            tg_slice_equal(question, TG_LIT("jwe-open")) ? open_jwe(operand, key, &out) : open_jws(operand, key, &out);
        answer_bytes(tg_buf_slice(&out), result);
    }
    tg_ec_key_free(key);
    tg_buf_done(&in);
    tg_buf_done(&out);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    need(tg_is_ok(tg_crypto_init(1)), "crypto");
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        tg_slice rest = tg_slice_trim(tg_slice_of(line, (size_t)len), "\n");
        tg_slice question = tg_slice_split(&rest, ' '), key = tg_slice_split(&rest, ' ');
        tg_slice operand = tg_slice_split(&rest, ' ');
        if (tg_slice_starts(question, TG_LIT("ohttp-"))) {
            answer_ohttp(question, key, operand, tg_slice_split(&rest, ' '));
        } else if (tg_slice_starts(question, TG_LIT("bhttp"))) {
            answer_bhttp(operand, question.len == 5 ? TG_BHTTP_KNOWN_LENGTH : TG_BHTTP_INDETERMINATE_LENGTH);
        } else {
            answer_jose(question, key, operand);
        }
    }
    free(line);
    return 0;
}
