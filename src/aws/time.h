/* The two ways in which AWS writes times. */
#ifndef TG_AWS_TIME_H
#define TG_AWS_TIME_H

#include "base/result.h"
#include "base/slice.h"

/* tg_aws_time_parse_http reads IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7); the day's name is not
 * compared with the date. tg_aws_time_parse_iso reads `2026-11-21T08:00:00Z`, with a fraction of a second or without.
 * out   seconds since 1970
 * err   TG_ERR_SYNTAX: another form, a date that no calendar has, a year before 1970
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_time_parse_http(tg_slice text, uint64_t *out_unix_s);
TG_FOREIGN TG_MUST_USE tg_result tg_aws_time_parse_iso(tg_slice text, uint64_t *out_unix_s);

#endif
