/* What an HTTP request and its answer are (RFC 9110), whatever version carries them: nothing here knows about lines,
 * chunks or connections. */
#ifndef TG_HTTP_MESSAGE_H
#define TG_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "io/stream.h"

typedef struct tg_http_header {
    tg_slice name;  /* a token, as it was spelt */
    tg_slice value; /* without blanks at its ends */
} tg_http_header;

/* TG_HTTP_HEADER makes one of two string literals. */
#define TG_HTTP_HEADER(name, value) ((tg_http_header){TG_LIT(name), TG_LIT(value)})

typedef enum tg_http_method {
    TG_HTTP_OTHER_METHOD, /* see method_name */
    TG_HTTP_GET,
    TG_HTTP_HEAD,
    TG_HTTP_POST,
    TG_HTTP_PUT,
    TG_HTTP_DELETE,
    TG_HTTP_CONNECT,
    TG_HTTP_OPTIONS,
    TG_HTTP_TRACE,
    TG_HTTP_PATCH,
    TG_HTTP_NUM_METHODS
} tg_http_method;

/* One request as its handler sees it. The slices live until it is answered or cancelled. The handler may write the
 * last two members and nothing else. */
typedef struct tg_http_request {
    tg_http_method method;
    tg_slice method_name;
    tg_slice scheme;    /* as the target said it; empty where it did not */
    tg_slice authority; /* host[:port] that the request is for, well-formed; empty only from HTTP/1.0 clients */
    tg_slice path;      /* percent-encoded as sent, begins with "/"; "*" for OPTIONS of the whole server */
    tg_slice query;     /* behind the question mark, percent-encoded */
    bool has_query;
    const tg_http_header *headers;
    size_t num_headers;
    bool has_body;        /* a body was announced */
    bool has_body_length; /* and its length */
    uint64_t body_length;
    tg_slice body;           /* in on_request: all of it, unless it was streamed */
    const tg_stream *stream; /* what it came on: tg_stream_peer, and for TLS the client's certificate and the SNI */
    uint64_t connection_id;  /* unique in the process */
    uint32_t number;         /* of this request on its connection, from 1 */
    tg_arena *arena;         /* memory that ends with the request; wiped */
    const char *route;       /* static label for metrics, NULL until the handler knows it */
    void *user;              /* the handler's own */
} tg_http_request;

/* tg_http_method_of gives the method of this name (RFC 9110 §9.1: case matters), TG_HTTP_OTHER_METHOD for others. */
tg_http_method tg_http_method_of(tg_slice name);

/* tg_http_reason is the reason phrase of a status (RFC 9110 §15), "" for one without; static storage. */
const char *tg_http_reason(unsigned status);

/* tg_http_headers_find gives the first value of `name` (any case); false where there is none.
 * tg_http_headers_find_only refuses a second one.
 * err   TG_ERR_NOT_FOUND, TG_ERR_EXISTS where the header stands there twice
 */
bool tg_http_headers_find(const tg_http_header *headers, size_t num_headers, tg_slice name, tg_slice *out_value);
TG_MUST_USE tg_result tg_http_headers_find_only(const tg_http_header *headers, size_t num_headers, tg_slice name,
                                                tg_slice *out_value);
/* tg_http_request_header is tg_http_headers_find_only on a request. */
TG_MUST_USE tg_result tg_http_request_header(const tg_http_request *request, tg_slice name, tg_slice *out_value);

/* tg_http_is_json is true for a Content-Type of application/json or of any type with the suffix +json (RFC 6839),
 * whose charset parameter, where one stands, is UTF-8.
 */
TG_FOREIGN bool tg_http_is_json(tg_slice content_type);

#endif
