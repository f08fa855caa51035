// room: fields
/* Answers questions about GCM-SIV and tokens, one a line, for tests that compare them with another implementation:
 *   siv KEY NONCE AAD PLAINTEXT -> ciphertext and tag        token KEY string|json PLAINTEXT -> the token
 *   open KEY TOKEN -> string|json PLAINTEXT, or refused
 * Everything but tokens is hexadecimal; `-` stands for no bytes. */
#include "base/encode.h"
#include "crypto/init.h"
#include "fields/token.h"

#include <stdio.h>
#include <stdlib.h>

static void need(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "siv_answers: %s\n", what);
        exit(1);
    }
}

static tg_slice from_hex(tg_slice text)
{
    uint8_t *bytes = malloc(text.len / 2 + 1);
    need(bytes != NULL, "memory");
    if (tg_slice_equal(text, TG_LIT("-"))) {
        return tg_slice_of(bytes, 0);
    }
    need(tg_is_ok(tg_hex_decode(text, bytes)), "no hexadecimal text");
    return tg_slice_of(bytes, text.len / 2);
}

static void release(tg_slice bytes)
{
    free((void *)(uintptr_t)bytes.ptr);
}

static void append_hex(tg_buf *out, tg_slice bytes)
{
    need(tg_is_ok(bytes.len > 0 ? tg_hex_append(out, bytes) : tg_buf_append_byte(out, '-')), "memory");
}

static tg_secret *read_key(tg_slice text)
{
    tg_secret *key;
    tg_slice bytes = from_hex(text);
    need(tg_is_ok(tg_secret_copy(bytes, &key)), "key");
    release(bytes);
    return key;
}

static tg_field_keys *read_ring(tg_slice text)
{
    tg_secret *secret = read_key(text);
    tg_field_keys *ring;
    tg_field_key key = {TG_LIT(""), secret, true};
    need(tg_is_ok(tg_field_keys_new(&key, 1, &ring)), "ring");
    tg_secret_free(secret);
    return ring;
}

static void answer_siv(tg_slice key_text, tg_slice rest, tg_buf *out)
{
    tg_secret *key = read_key(key_text);
    tg_siv *siv;
    need(tg_is_ok(tg_siv_new(key, &siv)), "cipher");
    tg_slice nonce = from_hex(tg_slice_split(&rest, ' '));
    tg_slice aad = from_hex(tg_slice_split(&rest, ' '));
    tg_slice plaintext = from_hex(rest);
    uint8_t *sealed = malloc(plaintext.len + TG_SIV_TAG_BYTES);
    need(sealed != NULL && nonce.len == TG_SIV_NONCE_BYTES, "nonce");
    tg_siv_job job = {nonce.ptr, aad, plaintext, sealed};
    need(tg_is_ok(tg_siv_seal(siv, &job, 1)), "seal");
    append_hex(out, tg_slice_of(sealed, plaintext.len + TG_SIV_TAG_BYTES));
    free(sealed);
    release(nonce);
    release(aad);
    release(plaintext);
    tg_siv_free(siv);
    tg_secret_free(key);
}

static void answer_token(tg_field_keys *ring, tg_slice rest, tg_buf *out)
{
    tg_slice kind = tg_slice_split(&rest, ' ');
    tg_slice plaintext = from_hex(rest);
    uint8_t *at;
    need(tg_is_ok(tg_buf_reserve(out, tg_token_len(plaintext.len), &at)), "memory");
    tg_token_job job = {tg_slice_equal(kind, TG_LIT("json")) ? TG_TOKEN_JSON : TG_TOKEN_STRING, plaintext, at};
    need(tg_is_ok(tg_token_seal(ring, &job, 1)), "seal");
    tg_buf_commit(out, tg_token_len(plaintext.len));
    release(plaintext);
}

static void answer_open(tg_field_keys *ring, tg_slice token, tg_buf *out)
{
    uint8_t *plaintext = malloc(tg_token_open_room(token.len));
    tg_opened opened;
    need(plaintext != NULL, "memory");
    if (tg_is_ok(tg_token_open(ring, token, plaintext, &opened))) {
        need(tg_is_ok(tg_buf_append_str(out, opened.kind == TG_TOKEN_JSON ? "json " : "string ")), "memory");
        append_hex(out, tg_slice_of(plaintext, opened.len));
    } else {
        need(tg_is_ok(tg_buf_append_str(out, "refused")), "memory");
    }
    free(plaintext);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    need(tg_is_ok(tg_crypto_init(1)), "init");
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        tg_slice rest = tg_slice_trim(tg_slice_of(line, (size_t)len), "\n");
        tg_slice what = tg_slice_split(&rest, ' '), key = tg_slice_split(&rest, ' ');
        tg_buf out;
        tg_buf_init(&out, 1 << 24);
        if (tg_slice_equal(what, TG_LIT("siv"))) {
            answer_siv(key, rest, &out);
        } else {
            tg_field_keys *ring = read_ring(key);
            if (tg_slice_equal(what, TG_LIT("token"))) {
                answer_token(ring, rest, &out);
            } else {
                answer_open(ring, rest, &out);
            }
            tg_field_keys_free(ring);
        }
        printf("%.*s\n", (int)tg_buf_len(&out), (const char *)tg_buf_slice(&out).ptr);
        tg_buf_done(&out);
    }
    free(line);
    return 0;
}
