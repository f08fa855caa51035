#include "aws/time.h"

#include "base/civil_time.h"
#include "base/num.h"

enum { ISO_BYTES = 19, MAX_FRACTION_DIGITS = 9 };

tg_result tg_aws_time_parse_iso(tg_slice text, uint64_t *out_unix_s)
{
    tg_civil_time time;
    TG_TRY(tg_civil_time_scan(tg_slice_first(text, ISO_BYTES), "yyyy-nn-ddThh:mm:ss", &time));
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
    bool is_good = tg_slice_equal(zone, TG_LIT("Z")) && tg_is_ok(tg_civil_time_unix_s(&time, out_unix_s));
    return is_good ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}
