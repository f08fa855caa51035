/* How AWS writes times in its documents; in its headers it writes those of HTTP (http/date.h). */
#ifndef TG_AWS_TIME_H
#define TG_AWS_TIME_H

#include "base/result.h"
#include "base/slice.h"

/* tg_aws_time_parse_iso reads `2026-11-21T08:00:00Z`, with a fraction of a second or without.
 * out   seconds since 1970
 * err   TG_ERR_SYNTAX: another form, a date that no calendar has, a year before 1970
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_time_parse_iso(tg_slice text, uint64_t *out_unix_s);

#endif
