#include "support/case.h"

#include "base/buf.h"
#include "http/chunked.h"

#include <stdio.h>

static tg_http_chunked decoder;

/* Decodes in steps of `step` bytes; the content goes to `content`, what is left behind the body to *out_left. */
static tg_result decode(tg_slice bytes, size_t step, tg_buf *content, size_t *out_left)
{
    tg_result result = tg_fail(TG_ERR_AGAIN);
    tg_buf_clear(content);
    for (size_t at = 0; at < bytes.len && result.code == TG_ERR_AGAIN;) {
        tg_slice rest = tg_slice_first(tg_slice_from(bytes, at), step);
        size_t len = rest.len;
        do {
            tg_slice piece;
            result = tg_http_chunked_next(&decoder, &rest, &piece);
            if (tg_is_ok(result)) {
                assert_true(piece.len > 0);
                assert_ok(tg_buf_append(content, piece));
            }
        } while (tg_is_ok(result));
        at += len - rest.len;
        *out_left = bytes.len - at;
    }
    return result;
}

static void next_every_step_gives_the_same_content(void **state)
{
    (void)state;
    tg_slice body =
        TG_LIT("5\r\nhello\r\n006;a;b=c;d=\"e;\\\"f\"\r\n, worl\r\n1\r\nd\r\n0;x\r\nTrailer: x\r\nB:\r\n\r\nGET /");
    tg_buf content;
    tg_buf_init(&content, 1000);
    for (size_t step = 1; step <= body.len; step++) {
        size_t left;
        tg_http_chunked_start(&decoder, 12);
        assert_code(decode(body, step, &content, &left), TG_ERR_EOF);
        assert_slice(tg_buf_slice(&content), "hello, world");
        assert_int_equal(left, 5);
    }
    tg_slice rest = TG_LIT("x");
    tg_slice piece;
    assert_code(tg_http_chunked_next(&decoder, &rest, &piece), TG_ERR_EOF);
    assert_int_equal(rest.len, 1);
    tg_buf_done(&content);
}

static void next_unfinished_body_asks_for_more(void **state)
{
    (void)state;
    tg_slice body = TG_LIT("5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n");
    tg_buf content;
    tg_buf_init(&content, 1000);
    for (size_t len = 1; len < body.len; len++) {
        size_t left;
        tg_http_chunked_start(&decoder, 100);
        assert_code(decode(tg_slice_first(body, len), len, &content, &left), TG_ERR_AGAIN);
        assert_int_equal(left, 0);
    }
    tg_buf_done(&content);
}

static void next_broken_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
#define BODY(text) {text, sizeof(text) - 1}
        BODY("\r\n"),
        BODY("g\r\n"),
        BODY(" 5\r\nhello\r\n"),
        BODY("5 \r\nhello\r\n"),
        BODY("+5\r\nhello\r\n"),
        BODY("0x5\r\nhello\r\n"),
        BODY("5\nhello\r\n"),
        BODY("5\rhello\r\n"),
        BODY("5\r\nhello\n"),
        BODY("5\r\nhello0\r\n\r\n"),
        BODY("5\r\nhello\r0\r\n"),
        BODY("5\r\nhelloo\r\n"),
        BODY("5;\r\nhello\r\n"),
        BODY("5;=a\r\n"),
        BODY("5; a\r\n"),
        BODY("5;a \r\n"),
        BODY("5;a=\r\n"),
        BODY("5;a=b \r\n"),
        BODY("5;a=\"b\r\n"),
        BODY("5;a=\"b\\\r\n"),
        BODY("5;a=\"b\"c\r\n"),
        BODY("5;a\n"),
        BODY("5;a\0\r\n"),
        BODY("5\0\r\n"),
        BODY("-1\r\n"),
        BODY("0\r\n\n"),
        BODY("0\r\nA\r\n\r\n"),
        BODY("0\r\nA : b\r\n\r\n"),
        BODY("0\r\n: b\r\n\r\n"),
        BODY("0\r\n b\r\n\r\n"),
        BODY("0\r\nA: b\n\r\n"),
        BODY("0\r\nA: \0\r\n\r\n"),
        BODY("0\r\nA: b\rc\r\n\r\n"),
        BODY("0\r\n\rx"),
    };
    tg_buf content;
    tg_buf_init(&content, 1000);
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        for (size_t step = 1; step <= wrong[i].len; step += wrong[i].len - 1) {
            size_t left;
            tg_http_chunked_start(&decoder, 100);
            tg_result result = decode(tg_slice_of(wrong[i].bytes, wrong[i].len), step, &content, &left);
            if (result.code != TG_ERR_SYNTAX || decoder.refusal != TG_HTTP_BAD_CHUNK) {
                fail_msg("%s in steps of %zu: %s", wrong[i].bytes, step, tg_code_name(result.code));
            }
        }
    }
    tg_slice rest = TG_LIT("5\r\n");
    tg_slice piece;
    assert_code(tg_http_chunked_next(&decoder, &rest, &piece), TG_ERR_SYNTAX);
    tg_buf_done(&content);
}

static void next_content_at_limit_is_taken_and_one_over_refused_by_its_size(void **state)
{
    (void)state;
    tg_buf content;
    size_t left;
    tg_buf_init(&content, 1000);
    tg_http_chunked_start(&decoder, 7);
    assert_code(decode(TG_LIT("5\r\nhello\r\n2\r\nab\r\n0\r\n\r\n"), 100, &content, &left), TG_ERR_EOF);
    tg_http_chunked_start(&decoder, 6);
    assert_code(decode(TG_LIT("5\r\nhello\r\n2\r\n"), 100, &content, &left), TG_ERR_LIMIT);
    assert_int_equal(decoder.refusal, TG_HTTP_BODY_TOO_LARGE);
    tg_http_chunked_start(&decoder, UINT64_MAX);
    assert_code(decode(TG_LIT("ffffffffffffffff\r\nab"), 100, &content, &left), TG_ERR_AGAIN);
    tg_http_chunked_start(&decoder, UINT64_MAX);
    assert_code(decode(TG_LIT("00000000000000001\r\nab"), 100, &content, &left), TG_ERR_LIMIT);
    assert_int_equal(decoder.refusal, TG_HTTP_CHUNK_TOO_LARGE);
    tg_buf_done(&content);
}

static tg_result decode_filled(const char *begin, size_t num_filling, const char *end)
{
    tg_buf text;
    tg_buf content;
    size_t left;
    tg_buf_init(&text, 100000);
    tg_buf_init(&content, 1000);
    assert_ok(tg_buf_append_str(&text, begin));
    for (size_t i = 0; i < num_filling; i++) {
        assert_ok(tg_buf_append_byte(&text, 'a'));
    }
    assert_ok(tg_buf_append_str(&text, end));
    tg_http_chunked_start(&decoder, 100);
    tg_result result = decode(tg_buf_slice(&text), 100000, &content, &left);
    tg_buf_done(&text);
    tg_buf_done(&content);
    return result;
}

static void next_extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    /* the CR counts, the first semicolon does not */
    assert_code(decode_filled("0;", TG_HTTP_MAX_CHUNK_EXTENSION_BYTES - 1, "\r\n\r\n"), TG_ERR_EOF);
    assert_code(decode_filled("0;", TG_HTTP_MAX_CHUNK_EXTENSION_BYTES, "\r\n\r\n"), TG_ERR_LIMIT);
    assert_int_equal(decoder.refusal, TG_HTTP_CHUNK_TOO_LARGE);
    /* "a:" and two CRLF */
    assert_code(decode_filled("0\r\na:", TG_HTTP_MAX_TRAILER_BYTES - 6, "\r\n\r\n"), TG_ERR_EOF);
    assert_code(decode_filled("0\r\na:", TG_HTTP_MAX_TRAILER_BYTES - 5, "\r\n\r\n"), TG_ERR_LIMIT);
    assert_int_equal(decoder.refusal, TG_HTTP_CHUNK_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(next_every_step_gives_the_same_content),
        cmocka_unit_test(next_unfinished_body_asks_for_more),
        cmocka_unit_test(next_broken_bodies_are_refused),
        cmocka_unit_test(next_content_at_limit_is_taken_and_one_over_refused_by_its_size),
        cmocka_unit_test(next_extensions_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
