#include "proxy/egress_line.h"

#include "base/num.h"
#include "base/text.h"
#include "proxy/ip_class.h"

enum { MAX_NAME_BYTES = 253, MAX_LABEL_BYTES = 63 };

static bool is_name_byte(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == '-' || c == '_';
}

/* Labels of 1 to 63 bytes; one dot may end the name. Whether a name that is all digits means an address is for the
 * resolver to say: what it says is checked. */
static bool is_name(tg_slice host)
{
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    if (host.len == 0 || host.len > MAX_NAME_BYTES) {
        return false;
    }
    size_t label_len = 0;
    for (size_t i = 0; i <= host.len; i++) {
        if (i == host.len || host.ptr[i] == '.') {
            if (label_len == 0 || label_len > MAX_LABEL_BYTES) {
                return false;
            }
            label_len = 0;
        } else if (is_name_byte(host.ptr[i])) {
            label_len++;
        } else {
            return false;
        }
    }
    return true;
}

/* host ":" port; an IPv6 address stands in brackets. */
static tg_result split(tg_slice line, tg_egress_target *target)
{
    uint8_t bytes[16];
    size_t len;
    tg_slice rest = line;
    if (line.len > 0 && line.ptr[0] == '[') {
        rest = tg_slice_from(line, 1);
        target->host = tg_slice_split(&rest, ']');
        if (rest.len == 0 || rest.ptr[0] != ':' || tg_slice_find(target->host, ':') == target->host.len) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        rest = tg_slice_from(rest, 1);
        TG_TRY(tg_ip_parse(target->host, bytes, &len));
        target->is_literal = true;
    } else {
        target->host = tg_slice_split(&rest, ':');
        if (!is_name(target->host)) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        target->is_literal = tg_is_ok(tg_ip_parse(target->host, bytes, &len));
    }
    uint64_t port;
    TG_TRY(tg_num_parse_u64(rest, UINT16_MAX, &port));
    target->port = (uint16_t)port;
    return port > 0 ? tg_ok() : tg_fail(TG_ERR_RANGE);
}

tg_result tg_egress_line_read(tg_slice input, tg_egress_target *out_target)
{
    tg_slice shown = tg_slice_first(input, TG_MAX_EGRESS_LINE_BYTES);
    size_t newline = tg_slice_find(shown, '\n');
    for (size_t i = 0; i < newline; i++) {
        uint8_t c = shown.ptr[i];
        if (!is_name_byte(c) && c != '.' && c != ':' && c != '[' && c != ']') {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    if (newline == shown.len) {
        return tg_fail(shown.len == TG_MAX_EGRESS_LINE_BYTES ? TG_ERR_LIMIT : TG_ERR_AGAIN);
    }
    tg_egress_target target = {.line_len = newline + 1};
    TG_TRY(split(tg_slice_first(shown, newline), &target));
    *out_target = target;
    return tg_ok();
}
