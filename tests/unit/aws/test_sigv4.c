#include "aws/sigv4.h"

#include "aws/digest.h"
#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const cases[] = {
    "get-header-key-duplicate",
    "get-header-value-order",
    "get-header-value-trim",
    "get-slash-normalized",
    "get-unreserved",
    "get-vanilla",
    "get-vanilla-query",
    "post-vanilla",
    "post-header-key-case",
    "get-vanilla-query-order-key-case",
    "get-vanilla-query-unreserved",
    "post-header-key-sort",
    "post-vanilla-query",
    "post-x-www-form-urlencoded",
};

/* 2015-08-30T12:36:00Z, as every case of the suite says. */
static const tg_sigv4_scope scope = {TG_LIT("us-east-1"), TG_LIT("service"), 1440938160};
static const tg_aws_keys keys = {TG_LIT("AKIDEXAMPLE"), TG_LIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {NULL, 0}};

static tg_slice load(const char *name, const char *file)
{
    char path[160];
    snprintf(path, sizeof path, "sigv4/%s/%s", name, file);
    return tg_read_vector(path);
}

static void drop(tg_slice text)
{
    free((void *)(uintptr_t)text.ptr);
}

typedef struct parsed {
    tg_sigv4_request request;
    tg_http_header headers[TG_SIGV4_MAX_HEADERS];
    char hash[65];
} parsed;

/* The suite's files: a request line, header lines, an empty line, the body; lines end with LF. */
static void parse(tg_slice text, parsed *out)
{
    tg_slice rest = text;
    tg_slice line = tg_slice_split(&rest, '\n');
    *out = (parsed){.request = {.method = tg_slice_split(&line, ' ')}};
    tg_slice target = tg_slice_split(&line, ' ');
    out->request.path = tg_slice_split(&target, '?');
    out->request.query = target;
    while (rest.len > 0) {
        line = tg_slice_split(&rest, '\n');
        if (line.len == 0) {
            break;
        }
        tg_slice name = tg_slice_split(&line, ':');
        out->headers[out->request.num_headers++] = (tg_http_header){name, line};
    }
    tg_buf hash;
    tg_buf_init(&hash, 64);
    assert_ok(tg_aws_sha256_append(rest, &hash));
    memcpy(out->hash, tg_buf_slice(&hash).ptr, 64);
    tg_buf_done(&hash);
    out->headers[out->request.num_headers++] = TG_HTTP_HEADER("X-Amz-Date", "20150830T123600Z");
    if (rest.len > 0) { /* the one case that signs its body */
        out->headers[out->request.num_headers++] =
            (tg_http_header){TG_LIT("x-amz-content-sha256"), tg_slice_str(out->hash)};
    }
    out->request.headers = out->headers;
    out->request.payload_hash = tg_slice_str(out->hash);
}

static void sign_cases_of_aws_give_their_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_slice text = load(cases[i], "request.txt"), canonical = load(cases[i], "header-canonical-request.txt");
        tg_slice string = load(cases[i], "header-string-to-sign.txt"),
                 signature = load(cases[i], "header-signature.txt");
        parsed found;
        tg_buf buf;
        tg_buf_init(&buf, 1 << 16);
        parse(text, &found);
        assert_ok(tg_sigv4_append_canonical(&found.request, &buf));
        tg_assert_slice(tg_buf_slice(&buf), canonical, __FILE__, __LINE__);
        tg_buf_clear(&buf);
        assert_ok(tg_sigv4_append_string_to_sign(&scope, canonical, &buf));
        tg_assert_slice(tg_buf_slice(&buf), string, __FILE__, __LINE__);
        tg_buf_clear(&buf);
        assert_ok(tg_sigv4_sign(&keys, &scope, &found.request, &buf));
        assert_true(tg_slice_starts(tg_buf_slice(&buf), TG_LIT("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/"
                                                               "us-east-1/service/aws4_request, SignedHeaders=")));
        assert_true(tg_slice_ends(tg_buf_slice(&buf), signature));
        tg_buf_done(&buf);
        drop(text), drop(canonical), drop(string), drop(signature);
    }
}

static tg_result canonical_path(const char *path, bool is_verbatim, tg_buf *buf)
{
    tg_sigv4_request request = {.method = TG_LIT("GET"), .path = tg_slice_str(path), .is_path_verbatim = is_verbatim};
    tg_buf_clear(buf);
    return tg_sigv4_append_canonical(&request, buf);
}

static void canonical_path_with_dots_is_normalized_and_encoded_again(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"/", "/"},     {"", "/"},           {"/a/./b", "/a/b"},     {"/a/../b", "/b"},   {"/../a", "/a"},
        {"/a/..", "/"}, {"/a//b/", "/a/b/"}, {"/a%20b", "/a%2520b"}, {"/a/b/.", "/a/b/"}, {"/..", "/"},
    };
    tg_buf buf;
    tg_buf_init(&buf, 256);
    for (size_t i = 0; i < TG_COUNT(paths); i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "GET\n%s\n\n\n\n", paths[i][1]);
        assert_ok(canonical_path(paths[i][0], false, &buf));
        tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(expected), __FILE__, __LINE__);
    }
    assert_ok(canonical_path("/a//b%20c/../d", true, &buf));
    assert_slice(tg_buf_slice(&buf), "GET\n/a//b%20c/../d\n\n\n\n");
    tg_buf_done(&buf);
}

static void canonical_query_is_sorted_and_keeps_its_encoding(void **state)
{
    (void)state;
    tg_sigv4_request request = {.method = TG_LIT("GET"),
                                .path = TG_LIT("/"),
                                .query = TG_LIT("b=2&a&b=1&A=%2F"),
                                .payload_hash = TG_SIGV4_UNSIGNED_PAYLOAD};
    tg_buf buf;
    tg_buf_init(&buf, 256);
    assert_ok(tg_sigv4_append_canonical(&request, &buf));
    assert_slice(tg_buf_slice(&buf), "GET\n/\nA=%2F&a=&b=1&b=2\n\n\nUNSIGNED-PAYLOAD");
    tg_buf_done(&buf);
}

static void sign_with_as_much_as_allowed_succeeds_and_one_more_is_refused(void **state)
{
    (void)state;
    tg_http_header headers[TG_SIGV4_MAX_HEADERS + 1];
    char query[2 * (TG_SIGV4_MAX_PARAMETERS + 1)];
    for (size_t i = 0; i < TG_COUNT(headers); i++) {
        headers[i] = TG_HTTP_HEADER("a", "b");
    }
    for (size_t i = 0; i < sizeof query; i++) {
        query[i] = i % 2 == 0 ? 'a' : '&';
    }
    tg_sigv4_request request = {.method = TG_LIT("GET"),
                                .path = TG_LIT("/"),
                                .query = tg_slice_of(query, 2 * TG_SIGV4_MAX_PARAMETERS - 1),
                                .headers = headers,
                                .num_headers = TG_SIGV4_MAX_HEADERS,
                                .payload_hash = TG_SIGV4_EMPTY_PAYLOAD};
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_sigv4_sign(&keys, &scope, &request, &buf));
    request.num_headers++;
    assert_code(tg_sigv4_sign(&keys, &scope, &request, &buf), TG_ERR_LIMIT);
    assert_code(tg_sigv4_append_signed_names(&request, &buf), TG_ERR_LIMIT);
    request.num_headers--;
    request.query.len += 2;
    assert_code(tg_sigv4_sign(&keys, &scope, &request, &buf), TG_ERR_LIMIT);
    tg_buf_done(&buf);
    tg_buf small;
    tg_buf_init(&small, 10);
    request.query.len = 0;
    assert_code(tg_sigv4_sign(&keys, &scope, &request, &small), TG_ERR_LIMIT);
    tg_aws_keys odd = keys;
    static char secret[257];
    odd.secret_access_key = tg_slice_of(secret, sizeof secret);
    assert_code(tg_sigv4_sign(&odd, &scope, &request, &small), TG_ERR_LIMIT);
    tg_buf_done(&small);
}

static void format_date_of_seconds_is_basic_iso(void **state)
{
    (void)state;
    char text[TG_SIGV4_DATE_BYTES];
    tg_sigv4_format_date(1440938160, text);
    assert_string_equal(text, "20150830T123600Z");
    tg_sigv4_format_date(UINT64_MAX, text);
    assert_string_equal(text, "99991231T235959Z");
}

static void uri_append_encodes_all_but_unreserved(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 256);
    assert_ok(tg_aws_uri_append(TG_LIT("aZ0-._~ /+\xc3\xa9\0"), true, &buf));
    assert_slice(tg_buf_slice(&buf), "aZ0-._~%20/%2B%C3%A9%00");
    tg_buf_clear(&buf);
    assert_ok(tg_aws_uri_append(TG_LIT("a/b"), false, &buf));
    assert_slice(tg_buf_slice(&buf), "a%2Fb");
    tg_buf_done(&buf);
}

/* RFC 4231 §4.2 and §4.7. */
static void hmac_of_known_keys_gives_known_macs(void **state)
{
    (void)state;
    uint8_t mac[TG_AWS_DIGEST_BYTES], key[131];
    memset(key, 0x0b, sizeof key);
    assert_ok(tg_aws_hmac(tg_slice_of(key, 20), TG_LIT("Hi There"), mac));
    assert_memory_equal(mac, "\xb0\x34\x4c\x61\xd8\xdb\x38\x53", 8);
    memset(key, 0xaa, sizeof key);
    assert_ok(tg_aws_hmac(tg_slice_of(key, sizeof key),
                          TG_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), mac));
    assert_memory_equal(mac, "\x60\xe4\x31\x59\x1e\xe0\xb6\x7f", 8);
    assert_ok(tg_aws_hmac(TG_LIT(""), TG_LIT(""), mac));
    assert_memory_equal(mac, "\xb6\x13\x67\x9a\x08\x14\xd9\xec", 8);
    assert_code(tg_aws_hmac(tg_slice_of(key, 65537), TG_LIT(""), mac), TG_ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign_cases_of_aws_give_their_signatures),
        cmocka_unit_test(canonical_path_with_dots_is_normalized_and_encoded_again),
        cmocka_unit_test(canonical_query_is_sorted_and_keeps_its_encoding),
        cmocka_unit_test(sign_with_as_much_as_allowed_succeeds_and_one_more_is_refused),
        cmocka_unit_test(format_date_of_seconds_is_basic_iso),
        cmocka_unit_test(uri_append_encodes_all_but_unreserved),
        cmocka_unit_test(hmac_of_known_keys_gives_known_macs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
