#include "http/date.h"

#include "base/civil_time.h"

#include <time.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void put_two_digits(char *at, int value)
{
    at[0] = (char)('0' + value / 10 % 10);
    at[1] = (char)('0' + value % 10);
}

/* strftime would follow the locale */
void tg_http_date_format(uint64_t unix_s, char out[TG_HTTP_DATE_LEN])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    time_t seconds = (time_t)unix_s;
    struct tm utc;
    memcpy(out, "Fri, 31 Dec 9999 23:59:59 GMT", TG_HTTP_DATE_LEN);
    if (gmtime_r(&seconds, &utc) == NULL || utc.tm_year > 9999 - 1900) {
        return;
    }
    memcpy(out, days + (size_t)utc.tm_wday * 3, 3);
    put_two_digits(out + 5, utc.tm_mday);
    memcpy(out + 8, months + (size_t)utc.tm_mon * 3, 3);
    put_two_digits(out + 12, (utc.tm_year + 1900) / 100);
    put_two_digits(out + 14, (utc.tm_year + 1900) % 100);
    put_two_digits(out + 17, utc.tm_hour);
    put_two_digits(out + 20, utc.tm_min);
    put_two_digits(out + 23, utc.tm_sec);
}

tg_result tg_http_date_parse(tg_slice text, uint64_t *out_unix_s)
{
    tg_civil_time time;
    TG_TRY(tg_civil_time_scan(text, "***, dd *** yyyy hh:mm:ss GMT", &time));
    for (size_t i = 0; i < 12; i++) {
        if (memcmp(text.ptr + 8, months + 3 * i, 3) == 0) {
            time.month = i + 1;
        }
    }
    return tg_is_ok(tg_civil_time_unix_s(&time, out_unix_s)) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}
