/* The dates of HTTP (RFC 9110 §5.6.7): IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`, and no obsolete form. */
#ifndef TG_HTTP_DATE_H
#define TG_HTTP_DATE_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_HTTP_DATE_LEN = 29 };

/* tg_http_date_format writes it without a NUL. */
void tg_http_date_format(uint64_t unix_s, char out[TG_HTTP_DATE_LEN]);

/* tg_http_date_parse reads the whole text; the day's name is not compared with the date.
 * err   TG_ERR_SYNTAX: another form, a date that no calendar has, a year before 1970
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_date_parse(tg_slice text, uint64_t *out_unix_s);

#endif
