/* References between the documents of a set: RFC 3986 §5.2 (resolution) and §2.1 (percent-encoding). A document of
 * the set has its path as its address, `/bank/payments.yaml`, without scheme or authority. */
#ifndef TG_SCHEMA_URI_H
#define TG_SCHEMA_URI_H

#include "base/buf.h"

enum { TG_MAX_URI_BYTES = 4096 };

/* tg_uri_resolve appends the address that `reference` (without fragment) has, seen from `base`.
 * err   TG_ERR_DENIED where a reference within the set climbs above its top, TG_ERR_LIMIT past TG_MAX_URI_BYTES,
 *       TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_uri_resolve(tg_slice base, tg_slice reference, tg_buf *out_address);

/* tg_uri_is_local says that an address belongs to the set: neither scheme nor authority. */
bool tg_uri_is_local(tg_slice address);

/* tg_uri_unescape appends text with its %XX decoded. err: TG_ERR_SYNTAX for a % without two hexadecimal digits */
TG_FOREIGN TG_MUST_USE tg_result tg_uri_unescape(tg_slice text, tg_buf *out_text);

#endif
