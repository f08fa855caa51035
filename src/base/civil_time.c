#include "base/civil_time.h"

#include "base/text.h"

static bool is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01, counted from the first of March so that the leap day is a year's last. */
static uint64_t days_of(const tg_civil_time *time)
{
    uint64_t year = time->month > 2 ? time->year : time->year - 1;
    uint64_t month = time->month > 2 ? time->month - 3 : time->month + 9;
    uint64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + time->day - 1;
    return days - 719468; /* 0000-03-01 to 1970-01-01 */
}

tg_result tg_civil_time_unix_s(const tg_civil_time *time, uint64_t *out_unix_s)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->year < 1970 || time->year > 9999 || time->month < 1 || time->month > 12 || time->day < 1 ||
        time->hour > 23 || time->minute > 59 || time->second > 60) {
        return tg_fail(TG_ERR_RANGE);
    }
    bool is_leap_day = time->month == 2 && time->day == 29 && is_leap(time->year);
    if (time->day > month_days[time->month - 1] && !is_leap_day) {
        return tg_fail(TG_ERR_RANGE);
    }
    *out_unix_s = days_of(time) * 86400 + time->hour * 3600 + time->minute * 60 + time->second;
    return tg_ok();
}

static uint64_t *member(tg_civil_time *time, char letter)
{
    switch (letter) {
    case 'y':
        return &time->year;
    case 'n':
        return &time->month;
    case 'd':
        return &time->day;
    case 'h':
        return &time->hour;
    case 'm':
        return &time->minute;
    case 's':
        return &time->second;
    default:
        return NULL;
    }
}

tg_result tg_civil_time_scan(tg_slice text, const char *form, tg_civil_time *out_time)
{
    tg_civil_time time = {.year = 0};
    if (text.len != strlen(form)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < text.len; i++) {
        uint64_t *number = member(&time, form[i]);
        bool is_good =
            number != NULL ? tg_ascii_is_digit(text.ptr[i]) : form[i] == '*' || text.ptr[i] == (uint8_t)form[i];
        if (!is_good) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        if (number != NULL) {
            *number = *number * 10 + (text.ptr[i] - '0');
        }
    }
    *out_time = time;
    return tg_ok();
}
