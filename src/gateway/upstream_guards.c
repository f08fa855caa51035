#include "gateway/upstream_guards.h"

#include "base/encode.h"
#include "base/text.h"

#include <stdio.h>

enum { ANY_PORT = 0 };

/* An item taken apart; `name` is of a wildcard what follows `*.`, of IPv6 without brackets. */
typedef struct host_rule {
    tg_slice name;
    bool is_wildcard;
    uint32_t port;
} host_rule;

/* item = [ "*." ] host [ ":" port ]; the host goes through the parser of addresses. */
static bool parse_rule(tg_slice item, host_rule *out_rule, tg_address *storage)
{
    char text[TG_MAX_HOST_BYTES + 16];
    host_rule rule = {.is_wildcard = tg_slice_starts(item, TG_LIT("*."))};
    tg_slice rest = rule.is_wildcard ? tg_slice_from(item, 2) : item;
    tg_slice after_host = tg_slice_starts(rest, TG_LIT("[")) ? tg_slice_from(rest, tg_slice_find(rest, ']')) : rest;
    bool has_port = tg_slice_find(after_host, ':') < after_host.len;
    if (rest.len == 0 || rest.len > TG_MAX_HOST_BYTES + 8) {
        return false;
    }
    (void)snprintf(text, sizeof text, has_port ? "%.*s" : "%.*s:1", (int)rest.len, (const char *)rest.ptr);
    if (!tg_is_ok(tg_address_parse_host_port(tg_slice_str(text), storage, NULL)) ||
        (rule.is_wildcard && storage->is_numeric)) {
        return false;
    }
    rule.name = tg_slice_str(storage->name);
    rule.port = has_port ? storage->port : ANY_PORT;
    *out_rule = rule;
    return true;
}

const char *tg_upstream_host_fault(tg_slice item)
{
    host_rule rule;
    tg_address storage;
    return parse_rule(item, &rule, &storage) ? NULL : "is no host";
}

static bool matches(const host_rule *rule, const tg_origin *origin)
{
    tg_slice name = tg_slice_str(origin->target.name);
    if (rule->port != ANY_PORT && rule->port != origin->target.port) {
        return false;
    }
    if (!rule->is_wildcard) {
        return tg_text_equal_nocase(rule->name, name);
    }
    if (origin->is_literal || name.len < rule->name.len + 2) {
        return false;
    }
    tg_slice end = tg_slice_from(name, name.len - rule->name.len);
    return end.ptr[-1] == '.' && tg_text_equal_nocase(end, rule->name);
}

bool tg_upstream_host_is_allowed(const tg_setting_list *hosts, const tg_origin *origin)
{
    for (size_t i = 0; i < hosts->num_items; i++) {
        host_rule rule;
        tg_address storage;
        if (parse_rule(tg_slice_str(hosts->items[i]), &rule, &storage) && matches(&rule, origin)) {
            return true;
        }
    }
    return hosts->num_items == 0;
}

static bool parse_digest(tg_slice item, uint8_t out[TG_AUTHORITIES_SHA256_BYTES])
{
    uint8_t digits[2 * TG_AUTHORITIES_SHA256_BYTES];
    size_t num_digits = 0;
    for (size_t i = 0; i < item.len; i++) {
        if (item.ptr[i] == ':' && item.len == 3 * TG_AUTHORITIES_SHA256_BYTES - 1 && i % 3 == 2) {
            continue;
        }
        if (num_digits == sizeof digits) {
            return false;
        }
        digits[num_digits++] = item.ptr[i];
    }
    return num_digits == sizeof digits && tg_is_ok(tg_hex_decode(tg_slice_of(digits, sizeof digits), out));
}

const char *tg_upstream_ca_fault(tg_slice item)
{
    uint8_t digest[TG_AUTHORITIES_SHA256_BYTES];
    return parse_digest(item, digest) ? NULL : "is no SHA-256";
}

bool tg_upstream_ca_is_allowed(const tg_setting_list *digests, const tg_tls_authorities *authorities)
{
    tg_slice actual = tg_tls_authorities_sha256(authorities);
    for (size_t i = 0; i < digests->num_items; i++) {
        uint8_t digest[TG_AUTHORITIES_SHA256_BYTES];
        if (parse_digest(tg_slice_str(digests->items[i]), digest) &&
            tg_slice_equal(tg_slice_of(digest, sizeof digest), actual)) {
            return true;
        }
    }
    return digests->num_items == 0;
}
