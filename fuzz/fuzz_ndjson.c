// room: fields
/* Any bytes as a stream of lines, the first two saying how they are cut: as many newlines come out as go in, the cut
 * changes nothing, and what was sealed opens again to the same lines, but for those that are refused. */
#include "crypto/init.h"
#include "fields/ndjson.h"

#include <stdlib.h>

#include "../tests/support/tiny_graph.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LINE = 2000 };

static tg_field_keys *ring;

static void must(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    tg_secret *secret;
    must(tg_is_ok(tg_crypto_init(1)));
    must(tg_is_ok(tg_secret_new(32, &secret)));
    memset(tg_secret_fill(secret), 0xaa, 32);
    tg_field_key key = {TG_LIT("k"), secret, true};
    must(tg_is_ok(tg_field_keys_new(&key, 1, &ring)));
    tg_secret_free(secret);
}

/* Feeds pieces of `step` bytes, does `budget` of work at a time and takes away what may be taken after each. */
static uint64_t run(tg_rewrite_mode mode, size_t max_line, tg_slice input, size_t step, size_t budget, tg_buf *out)
{
    tg_ndjson_options options = {
        .rewrite = {.root = tg_tiny_root("{a:!,b:[!]}", false), .mode = mode, .max_fields = 20},
        .max_line_bytes = max_line};
    tg_ndjson ndjson;
    tg_buf piece;
    tg_ndjson_init(&ndjson, &options);
    tg_buf_init_wiped(out, 1 << 24);
    tg_buf_init_wiped(&piece, 1 << 24);
    for (size_t at = 0; !ndjson.is_at_end; at += step) {
        if (at < input.len) {
            tg_ndjson_feed(&ndjson, tg_slice_first(tg_slice_from(input, at), step));
        } else {
            tg_ndjson_end(&ndjson);
        }
        tg_result result;
        do {
            result = tg_ndjson_step(&ndjson, ring, budget, &piece);
            must(tg_is_ok(result) || result.code == TG_ERR_AGAIN);
            tg_slice done = tg_slice_first(tg_buf_slice(&piece), tg_buf_len(&piece) - ndjson.unfinished);
            must(tg_is_ok(tg_buf_append(out, done)));
            tg_buf_consume(&piece, done.len);
        } while (!tg_is_ok(result));
    }
    must(tg_buf_len(&piece) == 0);
    uint64_t num_refused = ndjson.num_refused;
    must(num_refused <= ndjson.num_lines);
    tg_ndjson_done(&ndjson);
    tg_buf_done(&piece);
    return num_refused;
}

static size_t num_newlines(tg_slice bytes)
{
    size_t num = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        num += bytes.ptr[i] == '\n';
    }
    return num;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ring == NULL) {
        set_up();
    }
    if (size < 2) {
        return 0;
    }
    tg_slice input = tg_slice_of(data + 2, size - 2);
    tg_buf whole, cut, back, again;
    uint64_t num_refused = run(TG_REWRITE_ENCRYPT, MAX_LINE, input, SIZE_MAX / 2, SIZE_MAX, &whole);
    must(run(TG_REWRITE_ENCRYPT, MAX_LINE, input, 1 + data[0], 1 + data[1], &cut) == num_refused);
    must(tg_slice_equal(tg_buf_slice(&whole), tg_buf_slice(&cut)));
    must(num_newlines(tg_buf_slice(&whole)) == num_newlines(input));
    if (num_refused == 0) {
        must(run(TG_REWRITE_DECRYPT, 1 << 20, tg_buf_slice(&whole), 1 + data[1], 1 + data[0], &back) == 0);
        must(run(TG_REWRITE_ENCRYPT, 1 << 20, tg_buf_slice(&back), SIZE_MAX / 2, SIZE_MAX, &again) == 0);
        must(tg_slice_equal(tg_buf_slice(&whole), tg_buf_slice(&again)));
        tg_buf_done(&back);
        tg_buf_done(&again);
    }
    tg_buf_done(&whole);
    tg_buf_done(&cut);
    return 0;
}
