/* The head of an HTTP/1.1 message (RFC 9112 §2 to §5): start line and field lines. One parser for requests and
 * responses, strict, without a copy: what it gives are slices of the bytes it was shown. It may be fed as bytes
 * arrive and never looks at a finished line twice. */
#ifndef TG_HTTP_HEAD_H
#define TG_HTTP_HEAD_H

#include "base/result.h"
#include "base/slice.h"
#include "http/message.h"
#include "http/refusal.h"

/* Bounds of the parser's own storage: no limit can be set higher. */
enum { TG_HTTP_MAX_FIELDS = 128, TG_HTTP_MAX_HEAD_BYTES = 65536 };
/* Empty lines that are skipped before a request line (RFC 9112 §2.2). */
enum { TG_HTTP_MAX_BLANK_LINES = 2 };

typedef struct tg_http_head_limits {
    uint32_t head_bytes;   /* from the start line (and empty lines before it) to the empty line that ends the head */
    uint32_t num_fields;   /* field lines */
    uint32_t target_bytes; /* request target */
} tg_http_head_limits;

typedef enum tg_http_head_kind { TG_HTTP_REQUEST_HEAD, TG_HTTP_RESPONSE_HEAD } tg_http_head_kind;

/* What a whole head says. Slices live as long as the bytes, `headers` as long as the parser is not started anew. */
typedef struct tg_http_head {
    size_t len;             /* bytes of the head: the body begins behind them */
    unsigned minor_version; /* 0 or 1 */
    tg_slice method;        /* request */
    tg_slice target;        /* request: visible ASCII, not empty; http/target.h takes it apart */
    unsigned status;        /* response: 100 to 599 */
    tg_slice reason;        /* response: may be empty, or not ASCII */
    const tg_http_header *headers;
    size_t num_headers;
} tg_http_head;

/* The parser's own: nobody else looks inside. */
typedef struct tg_http_head_parser {
    tg_http_head_kind kind;
    tg_http_head_limits limits;
    bool has_start_line;
    unsigned num_blank_lines;
    uint32_t line_at;   /* where the line begins that is not finished */
    uint32_t looked_at; /* bytes before it hold no LF from line_at on and no byte that a line cannot hold */
    uint32_t start_at;  /* where the start line begins */
    tg_http_head head;  /* lengths are right, pointers are set at the end */
    uint32_t first_at;  /* offsets of the method, the target, the reason phrase */
    uint32_t target_at;
    uint32_t reason_at;
    tg_http_refusal refusal;
    tg_http_header headers[TG_HTTP_MAX_FIELDS];
    uint32_t field_at[TG_HTTP_MAX_FIELDS][2]; /* offsets of name and value */
} tg_http_head_parser;

/* tg_http_head_start begins a new head; limits above the parser's storage are lowered to it. */
void tg_http_head_start(tg_http_head_parser *parser, tg_http_head_kind kind, const tg_http_head_limits *limits);

/* tg_http_head_parse reads on.
 * in    all bytes since the head's beginning, those of earlier calls included (they may have moved)
 * out   *out_head where the head is whole; bytes behind out_head->len were not looked at
 * err   TG_ERR_AGAIN: more is needed; TG_ERR_SYNTAX, TG_ERR_UNSUPPORTED, TG_ERR_LIMIT: refused for good, and
 *       parser->refusal says why
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_head_parse(tg_http_head_parser *parser, tg_slice bytes,
                                                    tg_http_head *out_head);

#endif
