#include "proxy/config_parts.h"

#include "settings/setting_value.h"

#include <stdio.h>

#define COUNT(member, low, high, preset, text)                                                                         \
    {                                                                                                                  \
        .name = #member, .type = TG_SETTING_NUMBER, .unit = TG_UNIT_COUNT,                                             \
        .offset = TG_SETTING_AT(tg_proxy_limits, member, uint64_t), .fallback = preset, .min = (low), .max = (high),   \
        .effect = text                                                                                                 \
    }
#define TIME(member, low, high, preset, text)                                                                          \
    {                                                                                                                  \
        .name = #member, .type = TG_SETTING_NUMBER, .unit = TG_UNIT_MS,                                                \
        .offset = TG_SETTING_AT(tg_proxy_timeouts, member, uint64_t), .fallback = preset, .min = (low), .max = (high), \
        .effect = text                                                                                                 \
    }

enum { MAX_CONNECTIONS = 1000000, MAX_RATE = 1000000, HOUR_MS = 3600000, YEAR_MS = 31536000 };
#define MAX_LONG_MS (UINT64_C(1000) * YEAR_MS)

static const tg_setting limits_table[] = {
    COUNT(connections, 1, MAX_CONNECTIONS, "20000", "connections that are open at a time, in all"),
    COUNT(pending, 1, MAX_CONNECTIONS, "4096",
          "of these, those that have not yet said where to; past it the oldest is closed"),
    COUNT(per_cid, 0, MAX_CONNECTIONS, "8192", "connections from one CID; 0: no limit"),
    COUNT(per_source, 0, MAX_CONNECTIONS, "0", "connections from one IP address (IPv6: one /64); 0: no limit"),
    COUNT(rate_per_cid, 0, MAX_RATE, "0", "new connections a second from one CID; 0: no limit"),
    COUNT(rate_per_source, 0, MAX_RATE, "0", "new connections a second from one IP address; 0: no limit"),
};

static const tg_setting timeouts_table[] = {
    TIME(hello_ms, 100, HOUR_MS, "10s",
         "until a ClientHello, a request's head, an egress line or a PROXY header is whole"),
    TIME(connect_ms, 100, HOUR_MS, "10s", "resolving and connecting, all attempts together"),
    TIME(idle_ms, 0, MAX_LONG_MS, "1h", "no byte in either direction; 0: for ever"),
    TIME(total_ms, 0, MAX_LONG_MS, "0", "a connection's whole life; 0: for ever"),
    TIME(keep_ms, 100, HOUR_MS, "60s", "between two requests of an HTTP connection"),
    TIME(drain_ms, 0, HOUR_MS, "30s", "after SIGTERM, for connections that are open"),
};

enum { MAX_TABLE = 16 };

static void report(const tg_config_node *member, const tg_detail *found)
{
    tg_detail *fault = tg_config_fault(member);
    tg_detail_set_reason(fault, "%s", found->reason);
    tg_detail_set_remedy(fault, "%s", found->remedy);
}

/* A number is in the setting's unit; a text may say another one ("10s"). */
static tg_result read_member(const tg_config_node *member, const tg_setting *setting, void *values)
{
    char digits[24];
    tg_slice text = tg_slice_of(json_string_value(member->value), json_string_length(member->value));
    if (json_is_integer(member->value)) {
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(member->value));
        text = tg_slice_str(digits);
    } else if (!json_is_string(member->value)) {
        text = TG_LIT("");
    }
    tg_detail found;
    tg_detail_clear(&found);
    tg_result result = tg_setting_parse(setting, text, member->reader->arena, values, &found);
    if (result.code == TG_ERR_SYNTAX || result.code == TG_ERR_RANGE) {
        report(member, &found);
        return tg_ok();
    }
    return result;
}

static tg_result read_table(const tg_config_node *node, const tg_setting *table, size_t num_settings, void *values)
{
    const char *known[MAX_TABLE + 1] = {NULL};
    tg_arena none; /* numbers need no memory */
    tg_arena_init(&none, 0, false);
    for (size_t i = 0; i < num_settings; i++) {
        known[i] = table[i].name;
        TG_TRY(tg_setting_parse(&table[i], tg_slice_str(table[i].fallback), &none, values, NULL));
    }
    if (node == NULL || !tg_config_is_object(node, "{\"NAME\": NUMBER, ...}")) {
        return tg_ok();
    }
    tg_config_refuse_others(node, known);
    for (size_t i = 0; i < num_settings; i++) {
        tg_config_node member;
        if (tg_config_member(node, table[i].name, &member)) {
            TG_TRY(read_member(&member, &table[i], values));
        }
    }
    return tg_ok();
}

tg_result tg_config_read_limits(const tg_config_node *node, tg_proxy_limits *out_limits)
{
    return read_table(node, limits_table, TG_COUNT(limits_table), out_limits);
}

tg_result tg_config_read_timeouts(const tg_config_node *node, tg_proxy_timeouts *out_timeouts)
{
    return read_table(node, timeouts_table, TG_COUNT(timeouts_table), out_timeouts);
}

static tg_result append_table(const tg_setting *table, size_t num_settings, const void *values, tg_buf *buf)
{
    for (size_t i = 0; i < num_settings; i++) {
        TG_TRY(tg_buf_printf(buf, "%s\"%s\": ", i > 0 ? ", " : "{", table[i].name));
        TG_TRY(tg_setting_append_json(&table[i], values, buf));
    }
    return tg_buf_append_byte(buf, '}');
}

tg_result tg_config_append_limits(const tg_proxy_limits *limits, tg_buf *buf)
{
    return append_table(limits_table, TG_COUNT(limits_table), limits, buf);
}

tg_result tg_config_append_timeouts(const tg_proxy_timeouts *timeouts, tg_buf *buf)
{
    return append_table(timeouts_table, TG_COUNT(timeouts_table), timeouts, buf);
}

static tg_result append_help(const char *object, const tg_setting *table, size_t num_settings, tg_buf *buf)
{
    for (size_t i = 0; i < num_settings; i++) {
        TG_TRY(tg_buf_printf(buf, "  %s.%-16s [%s] %s\n", object, table[i].name, table[i].fallback, table[i].effect));
    }
    return tg_ok();
}

tg_result tg_config_append_limits_help(tg_buf *buf)
{
    TG_TRY(append_help("limits", limits_table, TG_COUNT(limits_table), buf));
    return append_help("timeouts", timeouts_table, TG_COUNT(timeouts_table), buf);
}
