#include "http/message.h"

#include "base/text.h"
#include "http/grammar.h"

static const struct {
    tg_slice name;
    tg_http_method method;
} methods[] = {
    {{(const uint8_t *)"GET", 3}, TG_HTTP_GET},         {{(const uint8_t *)"HEAD", 4}, TG_HTTP_HEAD},
    {{(const uint8_t *)"POST", 4}, TG_HTTP_POST},       {{(const uint8_t *)"PUT", 3}, TG_HTTP_PUT},
    {{(const uint8_t *)"DELETE", 6}, TG_HTTP_DELETE},   {{(const uint8_t *)"CONNECT", 7}, TG_HTTP_CONNECT},
    {{(const uint8_t *)"OPTIONS", 7}, TG_HTTP_OPTIONS}, {{(const uint8_t *)"TRACE", 5}, TG_HTTP_TRACE},
    {{(const uint8_t *)"PATCH", 5}, TG_HTTP_PATCH},
};

tg_http_method tg_http_method_of(tg_slice name)
{
    for (size_t i = 0; i < TG_COUNT(methods); i++) {
        if (tg_slice_equal(methods[i].name, name)) {
            return methods[i].method;
        }
    }
    return TG_HTTP_OTHER_METHOD;
}

const char *tg_http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {503, "Service Unavailable"},
        {100, "Continue"},
        {101, "Switching Protocols"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < TG_COUNT(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "";
}

bool tg_http_headers_find(const tg_http_header *headers, size_t num_headers, tg_slice name, tg_slice *out_value)
{
    for (size_t i = 0; i < num_headers; i++) {
        if (tg_text_equal_nocase(headers[i].name, name)) {
            *out_value = headers[i].value;
            return true;
        }
    }
    return false;
}

tg_result tg_http_headers_find_only(const tg_http_header *headers, size_t num_headers, tg_slice name,
                                    tg_slice *out_value)
{
    const tg_http_header *only = NULL;
    for (size_t i = 0; i < num_headers; i++) {
        if (tg_text_equal_nocase(headers[i].name, name)) {
            if (only != NULL) {
                return tg_fail(TG_ERR_EXISTS);
            }
            only = &headers[i];
        }
    }
    if (only == NULL) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    *out_value = only->value;
    return tg_ok();
}

tg_result tg_http_request_header(const tg_http_request *request, tg_slice name, tg_slice *out_value)
{
    return tg_http_headers_find_only(request->headers, request->num_headers, name, out_value);
}

/* media-type = type "/" subtype *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] ) (RFC 9110 §8.3.1)
 * The values are compared as they stand: a quoted charset is taken, an escaped one is not. */
bool tg_http_is_json(tg_slice content_type)
{
    tg_slice type = tg_slice_trim(tg_slice_split(&content_type, ';'), " \t");
    size_t slash = tg_slice_find(type, '/');
    tg_slice subtype = tg_slice_from(type, slash + 1);
    bool is_json = tg_text_equal_nocase(type, TG_LIT("application/json"));
    if (subtype.len > 5) {
        is_json = is_json || tg_text_equal_nocase(tg_slice_from(subtype, subtype.len - 5), TG_LIT("+json"));
    }
    if (!is_json || !tg_http_is_token(tg_slice_first(type, slash)) || !tg_http_is_token(subtype)) {
        return false;
    }
    while (content_type.ptr != NULL) {
        tg_slice value = tg_slice_trim(tg_slice_split(&content_type, ';'), " \t");
        tg_slice name = tg_slice_split(&value, '=');
        if (name.len > 0 && !tg_http_is_token(name)) {
            return false;
        }
        if (tg_text_equal_nocase(name, TG_LIT("charset")) && !tg_text_equal_nocase(value, TG_LIT("utf-8")) &&
            !tg_text_equal_nocase(value, TG_LIT("\"utf-8\""))) {
            return false;
        }
    }
    return true;
}
