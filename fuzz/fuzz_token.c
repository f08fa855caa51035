// room: fields
/* Any text: tg_token_open and tg_token_inspect agree on what a token is, its length follows from the plaintext's, and
 * the input itself, sealed, opens again. */
#include "crypto/init.h"
#include "fields/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_field_keys *ring;

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    tg_secret *secrets[2];
    tg_field_key keys[2];
    need(tg_is_ok(tg_crypto_init(1)));
    for (size_t i = 0; i < 2; i++) {
        need(tg_is_ok(tg_secret_new(32, &secrets[i])));
        memset(tg_secret_fill(secrets[i]), i == 0 ? 0xaa : 0xbb, 32);
        keys[i] = (tg_field_key){TG_LIT("k"), secrets[i], i == 0};
    }
    need(tg_is_ok(tg_field_keys_new(keys, 2, &ring)));
    tg_secret_free(secrets[0]);
    tg_secret_free(secrets[1]);
}

static void seal_and_open(tg_slice plaintext, tg_token_kind kind)
{
    size_t token_len = tg_token_len(plaintext.len);
    uint8_t *token = malloc(token_len), *back = malloc(tg_token_open_room(token_len));
    need(token != NULL && back != NULL);
    tg_token_job job = {kind, plaintext, token};
    tg_opened opened;
    need(tg_is_ok(tg_token_seal(ring, &job, 1)));
    need(tg_is_ok(tg_token_open(ring, tg_slice_of(token, token_len), back, &opened)));
    need(opened.kind == kind && tg_slice_equal(tg_slice_of(back, opened.len), plaintext));
    free(token);
    free(back);
}

static void open_text(tg_slice text)
{
    uint8_t *back = malloc(tg_token_open_room(text.len));
    need(back != NULL);
    tg_opened opened;
    tg_token_facts facts;
    tg_detail detail = {0};
    tg_result result = tg_token_open(ring, text, back, &opened);
    bool is_token = tg_is_ok(tg_token_inspect(text, &facts, &detail));
    need(is_token == (result.code == TG_OK || result.code == TG_ERR_AUTH));
    need(is_token || detail.reason[0] != 0);
    need(!is_token || tg_token_len(facts.plaintext_bytes) == text.len);
    if (tg_is_ok(result)) {
        need(opened.len == facts.plaintext_bytes);
    }
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ring == NULL) {
        set_up();
    }
    open_text(tg_slice_of(data, size));
    seal_and_open(tg_slice_of(data, size), size % 2 == 0 ? TG_TOKEN_STRING : TG_TOKEN_JSON);
    return 0;
}
