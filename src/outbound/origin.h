/* Where a URL of a setting points: scheme, host and port, checked strictly. */
#ifndef TG_OUTBOUND_ORIGIN_H
#define TG_OUTBOUND_ORIGIN_H

#include "base/detail.h"
#include "http/target.h"
#include "io/address.h"

typedef struct tg_origin {
    bool is_tls;
    bool is_literal;   /* the host is an IP address */
    bool is_loopback;  /* localhost, 127.0.0.0/8, ::1 */
    bool is_on_link;   /* 169.254.0.0/16, fe80::/10, and the addresses in fd00:ec2::/32 where AWS's metadata live */
    tg_address target; /* host and port, as TCP; the name in lower case */
    char authority[TG_MAX_HOST_BYTES + 10]; /* Host: host[:port] in lower case, without the scheme's own port */
    tg_slice path;                          /* of the URL's text: "/" where there is none */
} tg_origin;

/* tg_origin_parse reads `https://HOST[:PORT][/PATH]` or `http://...`.
 * err   TG_ERR_SYNTAX: another form, user information, a query, a fragment; TG_ERR_RANGE, TG_ERR_LIMIT: port, host.
 *       The detail's field is the text
 */
TG_FOREIGN TG_MUST_USE tg_result tg_origin_parse(tg_slice url, tg_origin *out_origin, tg_detail *detail);

/* tg_origin_append_host_port writes `host:port`, an IPv6 address in brackets. err: tg_buf_append's */
TG_MUST_USE tg_result tg_origin_append_host_port(const tg_origin *origin, tg_buf *buf);

#endif
