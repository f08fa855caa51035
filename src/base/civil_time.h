/* A date and time of day (UTC, proleptic Gregorian) as seconds since 1970, without the C library's locale and zone. */
#ifndef TG_BASE_CIVIL_TIME_H
#define TG_BASE_CIVIL_TIME_H

#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

typedef struct tg_civil_time {
    uint64_t year, month, day, hour, minute, second; /* month and day from 1 */
} tg_civil_time;

/* tg_civil_time_unix_s counts the seconds; second 60 is a leap second, and the first of the next minute.
 * err   TG_ERR_RANGE: a date that no calendar has, a time that no day has, a year before 1970 or after 9999
 */
TG_MUST_USE tg_result tg_civil_time_unix_s(const tg_civil_time *time, uint64_t *out_unix_s);

/* tg_civil_time_scan reads a text of a fixed form: `y`, `n`, `d`, `h`, `m`, `s` stand for a digit of the year, the
 * month's number, the day, hour, minute and second, `*` for any byte, all else for itself (`yyyy-nn-ddThh:mm:ssZ`).
 * Members that the form does not have become 0.
 * err   TG_ERR_SYNTAX: of another length or form
 */
TG_FOREIGN TG_MUST_USE tg_result tg_civil_time_scan(tg_slice text, const char *form, tg_civil_time *out_time);

#endif
