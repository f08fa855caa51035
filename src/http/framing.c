#include "http/framing.h"

#include "base/num.h"
#include "base/text.h"
#include "http/grammar.h"
#include "http/target.h"

/* The field lines that framing looks at, as they were found. */
typedef struct field_set {
    unsigned num_hosts;
    unsigned num_lengths;
    unsigned num_codings;
    tg_slice host;
    tg_slice length;
    tg_slice coding;
    bool says_close;
    bool says_keep_alive;
    bool expects_continue;
    bool has_bad_expectation;
} field_set;

/* Connection = #connection-option */
static void read_connection(field_set *fields, tg_slice value)
{
    for (tg_slice option; tg_http_list_next(&value, &option);) {
        fields->says_close = fields->says_close || tg_text_equal_nocase(option, TG_LIT("close"));
        fields->says_keep_alive = fields->says_keep_alive || tg_text_equal_nocase(option, TG_LIT("keep-alive"));
    }
}

static field_set read_fields(const tg_http_head *head)
{
    field_set fields = {0};
    for (size_t i = 0; i < head->num_headers; i++) {
        tg_slice name = head->headers[i].name;
        tg_slice value = head->headers[i].value;
        switch (name.len) { /* most names are told apart by their length */
        case sizeof "Host" - 1:
            if (tg_text_equal_nocase(name, TG_LIT("Host"))) {
                fields.num_hosts++;
                fields.host = value;
            }
            break;
        case sizeof "Expect" - 1:
            if (tg_text_equal_nocase(name, TG_LIT("Expect"))) {
                bool is_known = tg_text_equal_nocase(value, TG_LIT("100-continue"));
                fields.expects_continue = fields.expects_continue || is_known;
                fields.has_bad_expectation = fields.has_bad_expectation || !is_known;
            }
            break;
        case sizeof "Connection" - 1:
            if (tg_text_equal_nocase(name, TG_LIT("Connection"))) {
                read_connection(&fields, value);
            }
            break;
        case sizeof "Content-Length" - 1:
            if (tg_text_equal_nocase(name, TG_LIT("Content-Length"))) {
                fields.num_lengths++;
                fields.length = value;
            }
            break;
        case sizeof "Transfer-Encoding" - 1:
            if (tg_text_equal_nocase(name, TG_LIT("Transfer-Encoding"))) {
                fields.num_codings++;
                fields.coding = value;
            }
            break;
        default:
            break;
        }
    }
    return fields;
}

/* Content-Length = 1*DIGIT; Transfer-Encoding = #transfer-coding, of which we take `chunked` alone */
static tg_http_refusal frame_body(const field_set *fields, const tg_http_head *head, tg_http_framing *framing)
{
    if (fields->num_codings > 0) {
        if (fields->num_lengths > 0) {
            return TG_HTTP_LENGTH_WITH_CODING;
        }
        if (head->minor_version == 0) {
            return TG_HTTP_CODING_NOT_IN_1_0;
        }
        if (fields->num_codings > 1 || !tg_text_equal_nocase(fields->coding, TG_LIT("chunked"))) {
            return TG_HTTP_CODING_UNSUPPORTED;
        }
        framing->body = TG_HTTP_BODY_CHUNKED;
        return TG_HTTP_NOT_REFUSED;
    }
    if (fields->num_lengths > 1 || tg_slice_find(fields->length, ',') < fields->length.len) {
        return TG_HTTP_LENGTH_REPEATED;
    }
    if (fields->num_lengths == 1) {
        if (!tg_is_ok(tg_num_parse_u64(fields->length, INT64_MAX, &framing->length))) {
            return TG_HTTP_BAD_LENGTH;
        }
        framing->body = framing->length > 0 ? TG_HTTP_BODY_LENGTH : TG_HTTP_BODY_NONE;
    }
    return TG_HTTP_NOT_REFUSED;
}

static bool keeps_alive(const field_set *fields, const tg_http_head *head)
{
    return !fields->says_close && (head->minor_version > 0 || fields->says_keep_alive);
}

tg_http_refusal tg_http_frame_request(const tg_http_head *head, tg_http_framing *out_framing)
{
    field_set fields = read_fields(head);
    tg_http_framing framing = {.body = TG_HTTP_BODY_NONE, .host = fields.host};
    if (fields.num_hosts > 1) {
        return TG_HTTP_HOST_REPEATED;
    }
    if (fields.num_hosts == 0 && head->minor_version > 0) {
        return TG_HTTP_HOST_MISSING;
    }
    tg_http_authority authority;
    if (fields.num_hosts == 1 && !tg_is_ok(tg_http_authority_parse(fields.host, &authority))) {
        return TG_HTTP_BAD_HOST;
    }
    tg_http_refusal refusal = frame_body(&fields, head, &framing);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        return refusal;
    }
    if (head->minor_version > 0) { /* RFC 9110 §10.1.1: an HTTP/1.0 client's expectation is ignored */
        if (fields.has_bad_expectation) {
            return TG_HTTP_BAD_EXPECTATION;
        }
        framing.expects_continue = fields.expects_continue && framing.body != TG_HTTP_BODY_NONE;
    }
    framing.keeps_alive = keeps_alive(&fields, head);
    framing.says_close = fields.says_close;
    *out_framing = framing;
    return TG_HTTP_NOT_REFUSED;
}

tg_http_refusal tg_http_frame_response(const tg_http_head *head, bool answers_head, tg_http_framing *out_framing)
{
    field_set fields = read_fields(head);
    tg_http_framing framing = {.body = TG_HTTP_BODY_NONE};
    tg_http_refusal refusal = frame_body(&fields, head, &framing);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        return refusal;
    }
    if (answers_head || head->status < 200 || head->status == 204 || head->status == 304) {
        framing.body = TG_HTTP_BODY_NONE; /* RFC 9112 §6.3: whatever the fields say */
        framing.length = 0;
    } else if (fields.num_codings == 0 && fields.num_lengths == 0) {
        framing.body = TG_HTTP_BODY_TO_END;
    }
    framing.keeps_alive = keeps_alive(&fields, head) && framing.body != TG_HTTP_BODY_TO_END;
    framing.says_close = fields.says_close;
    *out_framing = framing;
    return TG_HTTP_NOT_REFUSED;
}
