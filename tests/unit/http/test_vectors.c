/* The 251 messages of llhttp's tests, read as a strict server or client reads them: head, framing, body, next head. */
#include "support/case.h"

#include "base/num.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/target.h"

#include <stdio.h>
#include <stdlib.h>

static const tg_http_head_limits limits = {16384, 100, 8192};

typedef struct outcome {
    unsigned num_heads;
    unsigned num_messages;
    tg_http_refusal refusal;
    bool is_closed; /* the last message ended the connection */
} outcome;

/* llhttp does not ask for Host; it is put in where it misses, so that what the case is about shows. */
static tg_http_refusal frame_with_host(const tg_http_head *head, tg_http_framing *out_framing)
{
    tg_http_header headers[TG_HTTP_MAX_FIELDS + 1];
    tg_http_refusal refusal = tg_http_frame_request(head, out_framing);
    if (refusal != TG_HTTP_HOST_MISSING) {
        return refusal;
    }
    tg_http_head patched = *head;
    memcpy(headers, head->headers, head->num_headers * sizeof headers[0]);
    headers[patched.num_headers++] = TG_HTTP_HEADER("Host", "example.com");
    patched.headers = headers;
    return tg_http_frame_request(&patched, out_framing);
}

/* Reads the body; true where it is whole. */
static bool read_body(const tg_http_framing *framing, tg_slice *rest, outcome *at)
{
    if (framing->body == TG_HTTP_BODY_LENGTH) {
        bool is_whole = rest->len >= framing->length;
        *rest = tg_slice_from(*rest, (size_t)framing->length);
        return is_whole;
    }
    if (framing->body == TG_HTTP_BODY_CHUNKED) {
        tg_http_chunked decoder;
        tg_slice piece;
        tg_http_chunked_start(&decoder, 1 << 20);
        tg_result result = tg_ok();
        while (tg_is_ok(result)) {
            result = tg_http_chunked_next(&decoder, rest, &piece);
        }
        at->refusal = decoder.refusal;
        return result.code == TG_ERR_EOF;
    }
    return framing->body == TG_HTTP_BODY_NONE;
}

static outcome read_messages(tg_http_head_kind kind, tg_slice bytes)
{
    static tg_http_head_parser parser;
    outcome at = {0};
    while (bytes.len > 0) {
        tg_http_head head;
        tg_http_framing framing;
        tg_http_head_start(&parser, kind, &limits);
        if (!tg_is_ok(tg_http_head_parse(&parser, bytes, &head))) {
            at.refusal = parser.refusal;
            return at;
        }
        bytes = tg_slice_from(bytes, head.len);
        if (kind == TG_HTTP_REQUEST_HEAD) {
            tg_http_target target;
            at.refusal = tg_is_ok(tg_http_target_parse(head.target, head.method, &target))
                             ? frame_with_host(&head, &framing)
                             : TG_HTTP_BAD_TARGET;
        } else {
            at.refusal = tg_http_frame_response(&head, false, &framing);
        }
        if (at.refusal != TG_HTTP_NOT_REFUSED) {
            return at;
        }
        at.num_heads++;
        if (!read_body(&framing, &bytes, &at)) {
            return at;
        }
        at.num_messages++;
        if (!framing.keeps_alive) {
            at.is_closed = true;
            return at;
        }
    }
    return at;
}

/* Where we differ from llhttp, exactly how, and why. */
static const struct {
    const char *file;
    const char *outcome; /* heads/messages/refusal */
    const char *why;
} differences[] = {
    {"request_connection-004", "1/1/none", "the connection ends with the first message"},
    {"request_connection-005", "1/1/none", "the case states no outcome"},
    {"request_connection-009", "1/1/none", "the case states no outcome"},
    {"request_connection-010", "1/1/none", "the case states no outcome"},
    {"request_connection-011", "1/1/none", "the case states no outcome"},
    {"request_connection-014", "1/1/none", "Upgrade is not followed"},
    {"request_connection-018", "1/1/none", "Upgrade is not followed"},
    {"request_connection-019", "1/1/none", "Upgrade is not followed"},
    {"request_connection-020", "1/1/none", "Upgrade is not followed"},
    {"request_connection-021", "1/1/none", "Upgrade is not followed"},
    {"request_content-length-016", "1/0/none", "the case skips bodies, we do not"},
    {"request_invalid-004", "0/0/none", "every token is a method; its handler answers 405"},
    {"request_invalid-014", "0/0/none", "every token is a method; its handler answers 405"},
    {"request_method-005", "0/0/bad_target", "only OPTIONS takes the asterisk form"},
    {"request_method-012", "0/0/bad_version", "no other protocol is spoken"},
    {"request_method-013", "0/0/bad_version", "no other protocol is spoken"},
    {"request_method-014", "0/0/bad_version", "no other protocol is spoken"},
    {"request_sample-010", "0/0/bad_version", "HTTP/0.9 is not spoken"},
    {"request_transfer-encoding-020", "0/0/bad_target", "a fragment"},
    {"request_transfer-encoding-021", "0/0/bad_target", "a fragment"},
    {"request_uri-001", "0/0/bad_target", "a double quote (RFC 3986)"},
    {"request_uri-005", "0/0/bad_target", "a vertical bar (RFC 3986)"},
    {"request_uri-008", "0/0/bad_target", "a fragment"},
    {"request_uri-010", "0/0/bad_target", "user information"},
    {"response_connection-007", "1/1/none", "the connection ends with the first message"},
    {"response_connection-009", "1/1/none", "the connection ends with the first message"},
    {"response_connection-010", "1/1/none", "Upgrade is not followed"},
    {"response_connection-015", "1/1/bad_version", "no empty line before a response"},
    {"response_connection-017", "1/1/bad_version", "no empty line before a response"},
    {"response_content-length-003", "1/0/none", "the case skips bodies, we do not"},
    {"response_pipelining-001", "1/1/bad_version", "no empty line before a response"},
    {"response_sample-002", "0/0/bad_version", "no other protocol is spoken"},
    {"response_sample-003", "0/0/bad_version", "no other protocol is spoken"},
    {"response_sample-006", "1/0/none", "the case states no outcome"},
    {"response_sample-018", "0/0/version_unsupported", "HTTP/0.9 is not spoken"},
    {"response_sample-020", "0/0/bad_version", "no empty line before a response"},
    {"response_transfer-encoding-002", "0/0/coding_unsupported", "a coding that is not chunked alone"},
    {"response_transfer-encoding-003", "0/0/coding_unsupported", "a coding that is not chunked alone"},
    {"response_transfer-encoding-004", "0/0/coding_unsupported", "a coding that is not chunked alone"},
};

static const char *known_difference(tg_slice file)
{
    for (size_t i = 0; i < TG_COUNT(differences); i++) {
        tg_slice name = tg_slice_str(differences[i].file);
        if (tg_slice_starts(file, name) && file.len == name.len + 4) {
            return differences[i].outcome;
        }
    }
    return NULL;
}

/* One line of cases.txt: file | type | heads complete | messages complete | error or - | title */
typedef struct llhttp_case {
    tg_slice file;
    bool is_request;
    bool is_lenient;
    bool is_refused;
    unsigned num_heads;
    unsigned num_messages;
    tg_slice raw;
} llhttp_case;

static unsigned read_number(tg_slice text)
{
    uint64_t value;
    assert_ok(tg_num_parse_u64(text, 1000, &value));
    return (unsigned)value;
}

static llhttp_case read_case(tg_slice line)
{
    tg_slice part[5];
    char path[256];
    for (size_t i = 0; i < TG_COUNT(part); i++) {
        part[i] = tg_slice_trim(tg_slice_split(&line, '|'), " ");
    }
    snprintf(path, sizeof path, "http1/%.*s", (int)part[0].len, (const char *)part[0].ptr);
    llhttp_case found = {.file = part[0], .raw = tg_read_vector(path)};
    found.is_request = tg_slice_starts(part[1], TG_LIT("request"));
    found.is_lenient =
        tg_slice_starts(part[1], TG_LIT("request-lenient")) || tg_slice_starts(part[1], TG_LIT("response-lenient"));
    found.num_heads = read_number(part[2]);
    found.num_messages = read_number(part[3]);
    found.is_refused = !tg_slice_equal(part[4], TG_LIT("-"));
    return found;
}

/* The same bytes with an end of the head behind them: some cases stop right behind what llhttp refuses. */
static outcome read_with_end(tg_http_head_kind kind, tg_slice raw)
{
    uint8_t *longer = malloc(raw.len + 4);
    assert_non_null(longer);
    memcpy(longer, raw.ptr, raw.len);
    memcpy(longer + raw.len, "\r\n\r\n", 4);
    outcome at = read_messages(kind, tg_slice_of(longer, raw.len + 4));
    free(longer);
    return at;
}

static bool is_as_expected(const llhttp_case *of, outcome at)
{
    char text[128];
    const char *difference = known_difference(of->file);
    snprintf(text, sizeof text, "%u/%u/%s", at.num_heads, at.num_messages, tg_http_refusal_name(at.refusal));
    if (difference != NULL) {
        return strcmp(difference, text) == 0;
    }
    if (of->is_lenient || of->is_refused) {
        tg_http_head_kind kind = of->is_request ? TG_HTTP_REQUEST_HEAD : TG_HTTP_RESPONSE_HEAD;
        bool is_refused = at.refusal != TG_HTTP_NOT_REFUSED || at.is_closed ||
                          read_with_end(kind, of->raw).refusal != TG_HTTP_NOT_REFUSED;
        return is_refused && (of->is_lenient || (at.num_heads <= of->num_heads && at.num_messages <= of->num_messages));
    }
    return at.refusal == TG_HTTP_NOT_REFUSED && at.num_heads == of->num_heads && at.num_messages == of->num_messages;
}

static void read_messages_llhttp_vectors_are_taken_or_refused(void **state)
{
    (void)state;
    unsigned num_cases = 0;
    unsigned num_wrong = 0;
    tg_slice list = tg_read_vector("http1/cases.txt");
    for (tg_slice rest = list; rest.len > 0;) {
        tg_slice line = tg_slice_split(&rest, '\n');
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        llhttp_case of = read_case(line);
        outcome at = read_messages(of.is_request ? TG_HTTP_REQUEST_HEAD : TG_HTTP_RESPONSE_HEAD, of.raw);
        num_cases++;
        if (!is_as_expected(&of, at)) {
            num_wrong++;
            print_error("%.*s: %u heads, %u messages, %s; llhttp: %u, %u%s\n", (int)of.file.len,
                        (const char *)of.file.ptr, at.num_heads, at.num_messages, tg_http_refusal_name(at.refusal),
                        of.num_heads, of.num_messages, of.is_refused ? ", refused" : "");
        }
        free((void *)(uintptr_t)of.raw.ptr);
    }
    free((void *)(uintptr_t)list.ptr);
    assert_int_equal(num_cases, 251);
    assert_int_equal(num_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_messages_llhttp_vectors_are_taken_or_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
