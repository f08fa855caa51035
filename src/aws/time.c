#include "aws/time.h"

#include "base/num.h"
#include "base/text.h"

typedef struct civil_time {
    uint64_t year, month, day, hour, minute, second;
} civil_time;

enum { HTTP_DATE_BYTES = 29, ISO_BYTES = 19, MAX_FRACTION_DIGITS = 9 };

static bool is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01, counted from the first of March so that the leap day is a year's last. */
static uint64_t days_of(const civil_time *time)
{
    uint64_t year = time->month > 2 ? time->year : time->year - 1;
    uint64_t month = time->month > 2 ? time->month - 3 : time->month + 9;
    uint64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + time->day - 1;
    return days - 719468; /* 0000-03-01 to 1970-01-01 */
}

static tg_result seconds_of(const civil_time *time, uint64_t *out_unix_s)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->year < 1970 || time->month < 1 || time->month > 12 || time->day < 1 || time->hour > 23 ||
        time->minute > 59 || time->second > 60) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    bool is_leap_day = time->month == 2 && time->day == 29 && is_leap(time->year);
    if (time->day > month_days[time->month - 1] && !is_leap_day) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_unix_s = days_of(time) * 86400 + time->hour * 3600 + time->minute * 60 + time->second;
    return tg_ok();
}

static tg_result number_at(tg_slice text, size_t at, size_t len, uint64_t *out_number)
{
    return tg_num_parse_u64(tg_slice_first(tg_slice_from(text, at), len), UINT32_MAX, out_number);
}

/* Every byte of `form` that is no `*` stands there as it is. */
static bool has_form(tg_slice text, const char *form)
{
    for (size_t i = 0; form[i] != 0; i++) {
        if (i >= text.len || (form[i] != '*' && text.ptr[i] != (uint8_t)form[i])) {
            return false;
        }
    }
    return true;
}

tg_result tg_aws_time_parse_http(tg_slice text, uint64_t *out_unix_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    civil_time time = {.year = 0};
    if (text.len != HTTP_DATE_BYTES || !has_form(text, "***, ** *** **** **:**:** GMT")) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < 12; i++) {
        if (memcmp(text.ptr + 8, months + 3 * i, 3) == 0) {
            time.month = i + 1;
        }
    }
    TG_TRY(number_at(text, 5, 2, &time.day));
    TG_TRY(number_at(text, 12, 4, &time.year));
    TG_TRY(number_at(text, 17, 2, &time.hour));
    TG_TRY(number_at(text, 20, 2, &time.minute));
    TG_TRY(number_at(text, 23, 2, &time.second));
    return seconds_of(&time, out_unix_s);
}

tg_result tg_aws_time_parse_iso(tg_slice text, uint64_t *out_unix_s)
{
    civil_time time;
    if (!has_form(text, "****-**-**T**:**:**")) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(number_at(text, 0, 4, &time.year));
    TG_TRY(number_at(text, 5, 2, &time.month));
    TG_TRY(number_at(text, 8, 2, &time.day));
    TG_TRY(number_at(text, 11, 2, &time.hour));
    TG_TRY(number_at(text, 14, 2, &time.minute));
    TG_TRY(number_at(text, 17, 2, &time.second));
    tg_slice zone = tg_slice_from(text, ISO_BYTES);
    if (zone.len > 0 && zone.ptr[0] == '.') {
        tg_slice fraction = tg_slice_from(zone, 1);
        fraction = tg_slice_first(fraction, tg_slice_find(fraction, 'Z'));
        uint64_t ignored;
        if (fraction.len > MAX_FRACTION_DIGITS) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        TG_TRY(tg_num_parse_u64(fraction, UINT64_MAX, &ignored));
        zone = tg_slice_from(zone, 1 + fraction.len);
    }
    return tg_slice_equal(zone, TG_LIT("Z")) ? seconds_of(&time, out_unix_s) : tg_fail(TG_ERR_SYNTAX);
}
