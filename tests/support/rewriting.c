#include "support/rewriting.h"

#include "crypto/init.h"
#include "support/case.h"

#include <stdlib.h>

static tg_field_keys *ring;

static tg_secret *secret_of(uint8_t fill)
{
    tg_secret *secret;
    assert_ok(tg_secret_new(32, &secret));
    memset(tg_secret_fill(secret), fill, 32);
    return secret;
}

int tg_test_keys_set_up(void **state)
{
    (void)state;
    assert_ok(tg_crypto_init(4));
    tg_secret *now = secret_of(0xaa), *old = secret_of(0xbb);
    const tg_field_key keys[] = {{TG_LIT("old"), old, false}, {TG_LIT("now"), now, true}};
    assert_ok(tg_field_keys_new(keys, 2, &ring));
    tg_secret_free(now);
    tg_secret_free(old);
    return 0;
}

int tg_test_keys_tear_down(void **state)
{
    (void)state;
    tg_field_keys_free(ring);
    return 0;
}

tg_result tg_test_rewrite(tg_pii_root root, tg_slice body, const tg_rewrite_setting *how, size_t budget,
                          tg_rewriting *out)
{
    tg_arena arena;
    tg_rewrite *rewrite;
    tg_rewrite_options options = {
        .root = root, .mode = how->mode, .is_lenient = how->is_lenient, .max_fields = how->max_fields};
    memset(out, 0, sizeof *out);
    tg_arena_init(&arena, how->max_arena, true);
    tg_buf_init_wiped(&out->out, how->max_output);
    assert_ok(tg_rewrite_new(&arena, &options, body, &rewrite));
    tg_result result;
    while ((result = tg_rewrite_plan(rewrite, budget)).code == TG_ERR_AGAIN) {
        out->num_steps++;
    }
    if (tg_is_ok(result)) {
        out->output_max = tg_rewrite_output_max(rewrite);
        while ((result = tg_rewrite_apply(rewrite, ring, budget, &out->out)).code == TG_ERR_AGAIN) {
            out->num_steps++;
        }
        assert_int_equal(tg_rewrite_apply(rewrite, ring, budget, &out->out).code, result.code);
    }
    assert_int_equal(tg_rewrite_plan(rewrite, budget).code, result.code);
    out->fault = *tg_rewrite_fault(rewrite);
    out->counts = tg_rewrite_get_counts(rewrite);
    assert_true(tg_is_ok(result) || result.code == TG_ERR_SYNTAX);
    assert_int_equal(tg_is_ok(result), out->fault.kind == TG_FAULT_NONE);
    assert_true(!tg_is_ok(result) || tg_buf_len(&out->out) <= out->output_max);
    tg_arena_done(&arena);
    return result;
}

char *tg_test_token(tg_token_kind kind, tg_slice plaintext, uint8_t key_fill)
{
    tg_field_keys *keys;
    tg_secret *secret = secret_of(key_fill);
    tg_field_key key = {TG_LIT(""), secret, true};
    assert_ok(tg_field_keys_new(&key, 1, &keys));
    char *text = calloc(1, tg_token_len(plaintext.len) + 1);
    assert_non_null(text);
    tg_token_job job = {kind, plaintext, (uint8_t *)text};
    assert_ok(tg_token_seal(keys, &job, 1));
    tg_field_keys_free(keys);
    tg_secret_free(secret);
    return text;
}
