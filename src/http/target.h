/* Request targets, hosts and queries (RFC 9112 §3.2, RFC 9110 §4.2, RFC 3986): taken apart strictly, never repaired. */
#ifndef TG_HTTP_TARGET_H
#define TG_HTTP_TARGET_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

enum { TG_HTTP_MAX_HOST_BYTES = 255 };

typedef enum tg_http_target_form {
    TG_HTTP_TARGET_PATH,      /* origin-form: /where?q=now */
    TG_HTTP_TARGET_ABSOLUTE,  /* absolute-form: http://host/where?q=now */
    TG_HTTP_TARGET_AUTHORITY, /* authority-form: host:port, of CONNECT */
    TG_HTTP_TARGET_SERVER     /* asterisk-form, of OPTIONS */
} tg_http_target_form;

typedef struct tg_http_target {
    tg_http_target_form form;
    tg_slice scheme;    /* "http" or "https" in any case; empty where the form has none */
    tg_slice authority; /* empty where the form has none */
    tg_slice path;      /* as it was sent, percent-encoded; "/" for an empty one, "*" in the asterisk form */
    tg_slice query;     /* without the question mark */
    bool has_query;
} tg_http_target;

/* tg_http_target_parse takes a request target apart; the slices are of `text` (or static).
 * in    text; method: CONNECT takes the authority form alone, OPTIONS also the asterisk form
 * err   TG_ERR_SYNTAX: another form, a scheme other than http and https, user information, a fragment, a byte that a
 *       path or query does not hold, or a percent sign without two hexadecimal digits
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_target_parse(tg_slice text, tg_slice method, tg_http_target *out_target);

typedef struct tg_http_authority {
    tg_slice host; /* name, IPv4 address, or IPv6 address without its brackets */
    bool is_ipv6;  /* it stood between brackets */
    unsigned port; /* 1 to 65535; 0 where none is given */
} tg_http_authority;

/* tg_http_authority_parse reads host [ ":" port ], the value of Host.
 * err   TG_ERR_SYNTAX: an empty or encoded host, user information, an IPv6 address that is none, an empty port;
 *       TG_ERR_LIMIT: a host of more than TG_HTTP_MAX_HOST_BYTES; TG_ERR_RANGE: a port outside 1 to 65535
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_authority_parse(tg_slice text, tg_http_authority *out_authority);

/* tg_http_percent_decode replaces %XX (RFC 3986 §2.1); `+` stays.
 * out   at most text.len bytes, and their number; out may be where the text is
 * err   TG_ERR_SYNTAX
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_percent_decode(tg_slice text, uint8_t *out, size_t *out_len);

/* tg_http_path_decode decodes a path for comparison with routes.
 * out   in the arena
 * err   TG_ERR_DENIED: a segment `.` or `..`, however encoded, or an encoded slash, backslash or control character:
 *       two programs would read such a path differently; TG_ERR_SYNTAX, TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_path_decode(tg_arena *arena, tg_slice path, tg_slice *out_path);

/* tg_http_query_get gives the decoded value of the parameter `name` (compared after decoding) of name=value&...;
 * a parameter without `=` has an empty value.
 * out   in the arena
 * err   TG_ERR_NOT_FOUND, TG_ERR_EXISTS where it is given twice, TG_ERR_SYNTAX, TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_query_get(tg_arena *arena, tg_slice query, tg_slice name, tg_slice *out_value);

#endif
