#include "http/refusal.h"

#include "base/result.h"

#include <stddef.h>

static const struct {
    const char *name;
    unsigned status;
    const char *message;
} texts[TG_HTTP_NUM_REFUSALS] = {
    [TG_HTTP_NOT_REFUSED] = {"none", 200, ""},
    [TG_HTTP_BAD_METHOD] = {"bad_method", 400, "The request line does not begin with a method."},
    [TG_HTTP_BAD_TARGET] = {"bad_target", 400, "The request target is not of a form that this method takes."},
    [TG_HTTP_TARGET_TOO_LONG] = {"target_too_long", 414, "The request target is too long."},
    [TG_HTTP_BAD_VERSION] = {"bad_version", 400, "The request line does not end with an HTTP version."},
    [TG_HTTP_VERSION_UNSUPPORTED] = {"version_unsupported", 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."},
    [TG_HTTP_BAD_STATUS] = {"bad_status", 400, "The status is not a number from 100 to 599."},
    [TG_HTTP_BARE_LF] = {"bare_lf", 400, "A line ends without a carriage return."},
    [TG_HTTP_BAD_BYTE] = {"bad_byte", 400, "The head holds a control character."},
    [TG_HTTP_FOLDED_LINE] = {"folded_line", 400, "A header line begins with a blank."},
    [TG_HTTP_BAD_FIELD_NAME] = {"bad_field_name", 400, "A header name is empty or not a token."},
    [TG_HTTP_HEAD_TOO_LARGE] = {"head_too_large", 431, "The request head is too large."},
    [TG_HTTP_TOO_MANY_FIELDS] = {"too_many_fields", 431, "The request has too many headers."},
    [TG_HTTP_HOST_MISSING] = {"host_missing", 400, "The request has no Host header."},
    [TG_HTTP_HOST_REPEATED] = {"host_repeated", 400, "The request has more than one Host header."},
    [TG_HTTP_BAD_HOST] = {"bad_host", 400,
                          "The Host header is not a host with an optional port, or contradicts the target."},
    [TG_HTTP_BAD_LENGTH] = {"bad_length", 400, "Content-Length is not a number."},
    [TG_HTTP_LENGTH_REPEATED] = {"length_repeated", 400, "Content-Length is given more than once."},
    [TG_HTTP_LENGTH_WITH_CODING] = {"length_with_coding", 400,
                                    "Content-Length and Transfer-Encoding stand in one request."},
    [TG_HTTP_CODING_UNSUPPORTED] = {"coding_unsupported", 400, "The only transfer coding taken is chunked, once."},
    [TG_HTTP_CODING_NOT_IN_1_0] = {"coding_not_in_1_0", 400, "HTTP/1.0 has no Transfer-Encoding."},
    [TG_HTTP_BAD_EXPECTATION] = {"bad_expectation", 417, "The only expectation met is 100-continue."},
    [TG_HTTP_BAD_CHUNK] = {"bad_chunk", 400, "The chunked body is malformed."},
    [TG_HTTP_CHUNK_TOO_LARGE] = {"chunk_too_large", 400, "Chunk extensions, trailers or a chunk size are too large."},
    [TG_HTTP_BODY_TOO_LARGE] = {"body_too_large", 413, "The request body is too large."},
    [TG_HTTP_HEAD_TRUNCATED] = {"head_truncated", 400, "The request ends within its head."},
    [TG_HTTP_BODY_TRUNCATED] = {"body_truncated", 400, "The request ends within its body."},
    [TG_HTTP_HEAD_TIMEOUT] = {"head_timeout", 408, "The request head did not come in time."},
    [TG_HTTP_BODY_TIMEOUT] = {"body_timeout", 408, "The request body came too slowly."},
    [TG_HTTP_HANDLER_TIMEOUT] = {"handler_timeout", 503, "The request could not be answered in time."},
    [TG_HTTP_NO_BUDGET] = {"no_budget", 503, "Too many request bodies are in flight; try again."},
    [TG_HTTP_NO_MEMORY] = {"no_memory", 503, "The request could not be taken; try again."},
    [TG_HTTP_METHOD_UNSUPPORTED] = {"method_unsupported", 501, "This method is not served."},
};

static unsigned index_of(tg_http_refusal refusal)
{
    return (unsigned)refusal < TG_HTTP_NUM_REFUSALS ? (unsigned)refusal : TG_HTTP_NOT_REFUSED;
}

const char *tg_http_refusal_name(tg_http_refusal refusal)
{
    return texts[index_of(refusal)].name;
}

unsigned tg_http_refusal_status(tg_http_refusal refusal)
{
    return texts[index_of(refusal)].status;
}

const char *tg_http_refusal_message(tg_http_refusal refusal)
{
    return texts[index_of(refusal)].message;
}

const char *tg_http_error_code(unsigned status)
{
    static const struct {
        unsigned status;
        const char *code;
    } codes[] = {
        {400, "bad_request"},        {403, "forbidden"},
        {404, "not_found"},          {405, "method_not_allowed"},
        {408, "request_timeout"},    {413, "payload_too_large"},
        {414, "uri_too_long"},       {415, "unsupported_media_type"},
        {417, "expectation_failed"}, {421, "misdirected"},
        {429, "too_many_requests"},  {431, "headers_too_large"},
        {500, "internal_error"},     {501, "not_implemented"},
        {502, "bad_gateway"},        {503, "service_unavailable"},
        {504, "gateway_timeout"},    {505, "version_not_supported"},
    };
    for (size_t i = 0; i < TG_COUNT(codes); i++) {
        if (codes[i].status == status) {
            return codes[i].code;
        }
    }
    return status >= 500 ? "internal_error" : "bad_request";
}
