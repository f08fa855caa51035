/* Runs the rewriter in a test, with the key 32 x 0xAA and, as an old one, 32 x 0xBB. */
#ifndef TG_TESTS_SUPPORT_REWRITING_H
#define TG_TESTS_SUPPORT_REWRITING_H

#include "fields/rewrite.h"
#include "fields/token.h"

typedef struct tg_rewrite_setting {
    tg_rewrite_mode mode;
    bool is_lenient;
    bool defines_payload;
    size_t max_fields;
    size_t max_output;
    size_t max_arena;
} tg_rewrite_setting;

typedef struct tg_rewriting {
    tg_buf out; /* the caller ends it */
    tg_fault fault;
    tg_rewrite_counts counts;
    size_t output_max;
    size_t num_steps;
} tg_rewriting;

/* Group fixtures: the ring of keys that the functions below use. */
int tg_test_keys_set_up(void **state);
int tg_test_keys_tear_down(void **state);

/* tg_test_rewrite plans and applies with every step's budget as given, and checks that fault, result and bound agree:
 * TG_OK or TG_ERR_SYNTAX. */
tg_result tg_test_rewrite(tg_pii_root root, tg_slice body, const tg_rewrite_setting *how, size_t budget,
                          tg_rewriting *out);

/* tg_test_token is a token under the key 32 x `key_fill`, NUL-terminated; the caller frees it. */
char *tg_test_token(tg_token_kind kind, tg_slice plaintext, uint8_t key_fill);

#endif
