/* The character classes of HTTP (RFC 9110 §5.6, §5.5) and of URIs (RFC 3986), as tables that no locale changes. */
#ifndef TG_HTTP_GRAMMAR_H
#define TG_HTTP_GRAMMAR_H

#include "base/slice.h"

enum {
    TG_HTTP_TCHAR = 1u,     /* of a token */
    TG_HTTP_VALUE = 2u,     /* of a field value or reason phrase: HTAB, SP, VCHAR, obs-text */
    TG_HTTP_VISIBLE = 4u,   /* VCHAR: 0x21 to 0x7e */
    TG_HTTP_PCHAR = 8u,     /* of a path segment, percent sign and slash included */
    TG_HTTP_QUERY = 16u,    /* of a query, percent sign included */
    TG_HTTP_REG_NAME = 32u, /* of a host name or IPv4 address, percent sign left out: we take no encoded host */
    TG_HTTP_IPV6 = 64u      /* of what stands between brackets: hexadecimal digits, colon, dot */
};

extern const uint8_t tg_http_class[256];

static inline bool tg_http_is(uint8_t byte, unsigned class)
{
    return (tg_http_class[byte] & class) != 0;
}

/* tg_http_all_are is true where every byte is of the class, and for the empty slice. */
bool tg_http_all_are(tg_slice text, unsigned class);

/* tg_http_is_token is 1*tchar (RFC 9110 §5.6.2). tg_http_is_value is field content without blanks at its ends (§5.5).
 */
bool tg_http_is_token(tg_slice text);
bool tg_http_is_value(tg_slice text);

/* tg_http_is_value_bytes is true where no byte is a control character other than HTAB: what a field line may hold. */
bool tg_http_is_value_bytes(tg_slice text);

/* tg_http_list_next takes the next element off a comma-separated list, trimmed (RFC 9110 §5.6.1); empty elements are
 * skipped. False where none is left.
 */
bool tg_http_list_next(tg_slice *rest, tg_slice *out_element);

#endif
