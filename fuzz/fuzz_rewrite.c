// room: fields
// lib: JANSSON
/* Three bytes choose graph, mode and budget; the rest is a body. The rewriter and jansson agree on what is valid JSON
 * (known differences aside); cutting the work changes nothing; what was encrypted decrypts, and encrypts to the same
 * bytes again. */
#include "base/text.h"
#include "crypto/init.h"
#include "fields/rewrite.h"
#include "fields/walk.h"

#include <jansson.h>
#include <stdlib.h>

#include "../tests/support/tiny_graph.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_field_keys *ring;

static const char *const graphs[] = {
    "{ssn:!,a:{b:[!]},list:[{ssn:!}]}", "~{ssn:!,a:~{b:~[!]},*:~[!]}", "!", ".", "[!,.|[!]]", "~{^s:!,a:.,^sl:~{a:!}}",
};

static void set_up(void)
{
    tg_secret *secret;
    need(tg_is_ok(tg_crypto_init(1)), "init");
    need(tg_is_ok(tg_secret_new(32, &secret)), "secret");
    memset(tg_secret_fill(secret), 0xaa, 32);
    tg_field_key key = {TG_LIT("k"), secret, true};
    need(tg_is_ok(tg_field_keys_new(&key, 1, &ring)), "keys");
    tg_secret_free(secret);
}

static tg_fault_kind rewrite(tg_pii_root root, tg_rewrite_mode mode, bool is_lenient, tg_slice body, size_t budget,
                             tg_buf *out)
{
    tg_arena arena;
    tg_rewrite *work;
    tg_rewrite_options options = {.root = root, .mode = mode, .is_lenient = is_lenient, .max_fields = 100};
    tg_arena_init(&arena, 1 << 22, true);
    tg_buf_init_wiped(out, 1 << 24);
    need(tg_is_ok(tg_rewrite_new(&arena, &options, body, &work)), "new");
    tg_result result;
    while ((result = tg_rewrite_plan(work, budget)).code == TG_ERR_AGAIN) {
    }
    if (tg_is_ok(result)) {
        while ((result = tg_rewrite_apply(work, ring, budget, out)).code == TG_ERR_AGAIN) {
        }
        need(!tg_is_ok(result) || tg_buf_len(out) <= tg_rewrite_output_max(work), "the bound is too low");
    }
    const tg_fault *fault = tg_rewrite_fault(work);
    tg_fault_kind kind = fault->kind;
    need(tg_is_ok(result) == (kind == TG_FAULT_NONE), "result and fault");
    need(fault->offset <= body.len && tg_utf8_is_valid(tg_slice_str(fault->pointer)), "fault");
    need(kind == TG_FAULT_NONE || fault->message != NULL, "message");
    tg_arena_done(&arena);
    return kind;
}

static size_t num_brackets(tg_slice body)
{
    size_t num = 0;
    for (size_t i = 0; i < body.len; i++) {
        num += body.ptr[i] == '[' || body.ptr[i] == '{';
    }
    return num;
}

static bool holds(tg_slice body, const char *text)
{
    return body.len > 0 && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

/* jansson refuses lone surrogates, NUL in names and numbers that no double holds; it nests to 2048, and passes over a
 * NUL byte behind a number. */
static void compare_validity(tg_slice body, bool is_valid)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)body.ptr, body.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (tree != NULL) {
        bool has_nul = tg_slice_find(body, 0) < body.len;
        need(is_valid || has_nul || num_brackets(body) > TG_MAX_JSON_DEPTH, "valid JSON is refused");
    } else if (is_valid) {
        bool is_known = json_error_code(&error) == json_error_numeric_overflow || holds(body, "\\ud") ||
                        holds(body, "\\uD") || holds(body, "\\u0000");
        need(is_known, "invalid JSON is accepted");
    }
    json_decref(tree);
}

static void check_round_trip(tg_pii_root root, tg_slice sealed, size_t budget)
{
    tg_buf opened, again;
    need(rewrite(root, TG_REWRITE_DECRYPT, false, sealed, budget, &opened) == TG_FAULT_NONE, "does not decrypt");
    need(rewrite(root, TG_REWRITE_ENCRYPT, false, tg_buf_slice(&opened), budget, &again) == TG_FAULT_NONE,
         "does not encrypt again");
    need(tg_slice_equal(tg_buf_slice(&again), sealed), "encrypts to other bytes");
    tg_buf_done(&opened);
    tg_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    if (ring == NULL) {
        set_up();
    }
    tg_pii_root root = tg_tiny_root(graphs[data[0] % TG_COUNT(graphs)], (data[1] & 1) != 0);
    tg_rewrite_mode mode = (data[1] & 2) != 0 ? TG_REWRITE_DECRYPT : TG_REWRITE_ENCRYPT;
    bool is_lenient = (data[1] & 4) != 0;
    tg_slice body = tg_slice_of(data + 3, size - 3);
    bool is_valid = tg_json_is_valid(body);
    compare_validity(body, is_valid);

    tg_buf whole, cut;
    tg_fault_kind kind = rewrite(root, mode, is_lenient, body, SIZE_MAX, &whole);
    need(rewrite(root, mode, is_lenient, body, (size_t)data[2] + 1, &cut) == kind, "the cut shows in the result");
    need(is_valid || kind != TG_FAULT_NONE, "invalid JSON is rewritten");
    if (kind == TG_FAULT_NONE) {
        tg_slice out = tg_buf_slice(&whole);
        need(tg_slice_equal(out, tg_buf_slice(&cut)), "the cut shows in the output");
        need(tg_json_is_valid(out) || (mode == TG_REWRITE_DECRYPT && num_brackets(out) > TG_MAX_JSON_DEPTH),
             "the output is no JSON");
        if (mode == TG_REWRITE_ENCRYPT) {
            check_round_trip(root, out, (size_t)data[2] + 1);
        }
    }
    tg_buf_done(&whole);
    tg_buf_done(&cut);
    return 0;
}
