/* Why a message is refused: one name for each rule, with the status that the client is told. */
#ifndef TG_HTTP_REFUSAL_H
#define TG_HTTP_REFUSAL_H

typedef enum tg_http_refusal {
    TG_HTTP_NOT_REFUSED = 0,
    TG_HTTP_BAD_METHOD,          /* no token before the first blank */
    TG_HTTP_BAD_TARGET,          /* a byte or form that no request target has, or one the method does not take */
    TG_HTTP_TARGET_TOO_LONG,     /* over limits.target_bytes */
    TG_HTTP_BAD_VERSION,         /* no HTTP version where one must stand */
    TG_HTTP_VERSION_UNSUPPORTED, /* neither 1.0 nor 1.1 */
    TG_HTTP_BAD_STATUS,          /* of a response: not three digits from 100 to 599 */
    TG_HTTP_BARE_LF,             /* a line that ends without CR */
    TG_HTTP_BAD_BYTE,            /* a control byte: NUL, a CR within a line, any other */
    TG_HTTP_FOLDED_LINE,         /* a line that begins with a blank */
    TG_HTTP_BAD_FIELD_NAME,      /* empty, no token, or a blank before the colon */
    TG_HTTP_HEAD_TOO_LARGE,      /* over limits.head_bytes */
    TG_HTTP_TOO_MANY_FIELDS,     /* over limits.num_fields */
    TG_HTTP_HOST_MISSING,        /* HTTP/1.1 without Host */
    TG_HTTP_HOST_REPEATED,       /* two Host lines */
    TG_HTTP_BAD_HOST,            /* no host[:port], or another than the target's */
    TG_HTTP_BAD_LENGTH,          /* Content-Length that is not 1*DIGIT below 2^63 */
    TG_HTTP_LENGTH_REPEATED,     /* two Content-Length lines or a list, even of equal numbers */
    TG_HTTP_LENGTH_WITH_CODING,  /* Content-Length beside Transfer-Encoding */
    TG_HTTP_CODING_UNSUPPORTED,  /* Transfer-Encoding that is not `chunked` once */
    TG_HTTP_CODING_NOT_IN_1_0,   /* Transfer-Encoding in an HTTP/1.0 message */
    TG_HTTP_BAD_EXPECTATION,     /* Expect other than 100-continue */
    TG_HTTP_BAD_CHUNK,           /* a chunk's size, extension or end is not of its grammar */
    TG_HTTP_CHUNK_TOO_LARGE,     /* extensions or trailers over their bound, or a size of more than 16 digits */
    TG_HTTP_BODY_TOO_LARGE,      /* over the body limit */
    TG_HTTP_HEAD_TRUNCATED,      /* the client ended its side within the head */
    TG_HTTP_BODY_TRUNCATED,      /* the client ended its side within the body */
    TG_HTTP_HEAD_TIMEOUT,        /* the head did not come in time */
    TG_HTTP_BODY_TIMEOUT,        /* the body came below the rate floor */
    TG_HTTP_HANDLER_TIMEOUT,     /* no answer in time */
    TG_HTTP_NO_BUDGET,           /* the bodies in flight together would exceed their budget */
    TG_HTTP_NO_MEMORY,           /* the allocator refused */
    TG_HTTP_METHOD_UNSUPPORTED,  /* CONNECT */
    TG_HTTP_NUM_REFUSALS
} tg_http_refusal;

/* tg_http_refusal_name is a lower-case name for logs and metrics (`bare_lf`); static storage. */
const char *tg_http_refusal_name(tg_http_refusal refusal);

/* tg_http_refusal_status is the status of the answer (400, 408, 413, 414, 417, 431, 501, 503, 505). */
unsigned tg_http_refusal_status(tg_http_refusal refusal);

/* tg_http_refusal_message says in one sentence what was wrong, without a byte of the client's. */
const char *tg_http_refusal_message(tg_http_refusal refusal);

/* tg_http_error_code is the `code` of a JSON error with this status (`bad_request`, `payload_too_large`). */
const char *tg_http_error_code(unsigned status);

#endif
