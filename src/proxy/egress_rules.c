#include "proxy/egress_rules.h"

#include "base/num.h"
#include "base/text.h"

enum { MAX_RULE_BYTES = 300 };

static tg_result refuse(tg_code code, const char *reason, tg_detail *detail)
{
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "write host:port, *.domain:port, *:port, 10.0.0.0/8:443 or [fd00::/8]:443");
    return tg_fail(code);
}

static bool is_name(tg_slice name)
{
    size_t label_len = 0;
    for (size_t i = 0; i <= name.len; i++) {
        if (i == name.len || name.ptr[i] == '.') {
            if (label_len == 0 || label_len > 63) {
                return false;
            }
            label_len = 0;
        } else if (tg_ascii_is_alpha(name.ptr[i]) || tg_ascii_is_digit(name.ptr[i]) || name.ptr[i] == '-' ||
                   name.ptr[i] == '_') {
            label_len++;
        } else {
            return false;
        }
    }
    return name.len <= 253;
}

/* Takes `:port` off the end, where there is one. A bare IPv6 block has colons of its own: with a port it stands in
 * brackets. */
static tg_result take_port(tg_slice *text, uint16_t *out_port)
{
    uint64_t port = 0;
    tg_slice rest = *text;
    if (text->len > 0 && text->ptr[0] == '[') {
        rest = tg_slice_from(*text, 1);
        *text = tg_slice_split(&rest, ']');
        if (rest.ptr == NULL || (rest.len > 0 && rest.ptr[0] != ':')) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        rest = tg_slice_from(rest, 1);
        if (rest.len == 0) {
            *out_port = 0;
            return tg_ok();
        }
    } else {
        tg_slice front = tg_slice_split(&rest, ':');
        if (rest.ptr == NULL || tg_slice_find(rest, ':') < rest.len) {
            *out_port = 0;
            return tg_ok();
        }
        *text = front;
    }
    TG_TRY(tg_num_parse_u64(rest, UINT16_MAX, &port));
    *out_port = (uint16_t)port;
    return port > 0 ? tg_ok() : tg_fail(TG_ERR_RANGE);
}

static tg_result copy_lower(tg_arena *arena, tg_slice text, tg_slice *out_copy)
{
    uint8_t *copy = tg_arena_alloc(arena, text.len > 0 ? text.len : 1);
    if (copy == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = tg_ascii_lower(text.ptr[i]);
    }
    *out_copy = tg_slice_of(copy, text.len);
    return tg_ok();
}

tg_result tg_egress_rule_parse(tg_slice text, tg_arena *arena, tg_egress_rule *out_rule, tg_detail *detail)
{
    tg_egress_rule rule = {.kind = TG_RULE_HOST};
    tg_slice front = text;
    if (text.len == 0 || text.len > MAX_RULE_BYTES) {
        return refuse(TG_ERR_SYNTAX, "an egress rule is of 1 to 300 bytes", detail);
    }
    tg_result result = take_port(&front, &rule.port);
    if (!tg_is_ok(result)) {
        return refuse(result.code, "the port is no number from 1 to 65535", detail);
    }
    result = tg_cidr_parse(front, &rule.cidr);
    tg_slice name = front;
    if (tg_is_ok(result)) {
        rule.kind = TG_RULE_CIDR;
        name = (tg_slice){NULL, 0};
    } else if (tg_slice_find(front, '/') < front.len || tg_slice_find(front, ':') < front.len) {
        return refuse(result.code,
                      result.code == TG_ERR_MISMATCH ? "address bits are set behind the block's prefix"
                                                     : "this is no block of addresses",
                      detail);
    } else if (front.len > 0 && front.ptr[0] == '*') {
        rule.kind = TG_RULE_WILDCARD;
        name = tg_slice_from(front, 1);
        if (name.len > 0 && (name.ptr[0] != '.' || !is_name(tg_slice_from(name, 1)))) {
            return refuse(TG_ERR_SYNTAX, "`*` stands alone or before a dot and a domain", detail);
        }
    } else if (!is_name(front)) {
        return refuse(TG_ERR_SYNTAX, "this is no host name", detail);
    }
    TG_TRY(copy_lower(arena, name, &rule.name));
    TG_TRY(tg_arena_copy(arena, text, &rule.text));
    *out_rule = rule;
    return tg_ok();
}

static tg_slice without_root_dot(tg_slice host)
{
    return tg_slice_ends(host, TG_LIT(".")) ? tg_slice_first(host, host.len - 1) : host;
}

static bool matches_name(const tg_egress_rule *rule, tg_slice host)
{
    if (rule->kind == TG_RULE_HOST) {
        return tg_text_equal_nocase(rule->name, host);
    }
    return rule->kind == TG_RULE_WILDCARD && host.len > rule->name.len &&
           tg_text_equal_nocase(tg_slice_from(host, host.len - rule->name.len), rule->name);
}

bool tg_egress_may_name(const tg_egress_rules *rules, tg_slice host, uint16_t port)
{
    tg_slice name = without_root_dot(host);
    for (size_t i = 0; i < rules->num_rules; i++) {
        const tg_egress_rule *rule = &rules->rules[i];
        if ((rule->port == 0 || rule->port == port) && (rule->kind == TG_RULE_CIDR || matches_name(rule, name))) {
            return true;
        }
    }
    return rules->rules == NULL;
}

/* A wide block must not open by accident what lies inside it: 0.0.0.0/0 is every public address, 10.0.0.0/8 not the
 * host's own one, 169.254.0.0/16 not the metadata service. */
static bool opens_class(const tg_cidr *cidr, tg_ip_class class)
{
    bool is_single = cidr->num_bits == cidr->len * 8;
    if (class == TG_IP_PUBLIC || is_single) {
        return true;
    }
    return class != TG_IP_OWN && class != TG_IP_METADATA && cidr->num_bits >= 4 &&
           tg_ip_class_of(tg_slice_of(cidr->bytes, cidr->len)) == class;
}

static bool allows(const tg_egress_rule *rule, tg_slice host, tg_slice address, tg_ip_class class)
{
    if (rule->kind == TG_RULE_CIDR) {
        return tg_cidr_holds(&rule->cidr, address) && opens_class(&rule->cidr, class);
    }
    bool is_open = class == TG_IP_PUBLIC;
    if (rule->kind == TG_RULE_HOST) {
        is_open = is_open || class == TG_IP_PRIVATE || class == TG_IP_SHARED;
    }
    return is_open && matches_name(rule, host);
}

bool tg_egress_check(const tg_egress_rules *rules, tg_slice host, uint16_t port, tg_slice address, tg_ip_class class,
                     tg_slice *out_reason)
{
    tg_slice name = without_root_dot(host);
    for (size_t i = 0; i < rules->num_rules; i++) {
        const tg_egress_rule *rule = &rules->rules[i];
        if ((rule->port == 0 || rule->port == port) && allows(rule, name, address, class)) {
            *out_reason = rule->text;
            return true;
        }
    }
    bool is_public = class == TG_IP_PUBLIC;
    *out_reason = is_public && rules->rules != NULL ? TG_LIT("no_rule") : tg_slice_str(tg_ip_class_name(class));
    return is_public && rules->rules == NULL;
}
