#include "proxy/egress.h"

#include "base/num.h"
#include "proxy/egress_line.h"
#include "proxy/worker.h"

#include <stdio.h>

static tg_result refuse(tg_proxy_decision *decision, const char *rule, const char *remedy)
{
    decision->refused = "egress refused";
    decision->rule = tg_slice_str(rule);
    decision->remedy = remedy;
    return tg_ok();
}

/* A configured domain on its public ports is reached without leaving the host. */
static bool goes_to_enclave(const tg_proxy_config *config, const tg_egress_target *target, tg_proxy_decision *decision)
{
    tg_slice host = target->host;
    if (target->is_literal || (target->port != 80 && target->port != 443)) {
        return false;
    }
    if (host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    const tg_proxy_domain *domain = tg_proxy_config_find(config, host);
    if (domain == NULL) {
        return false;
    }
    decision->target = target->port == 80 ? domain->http : domain->https;
    decision->route = domain->name;
    return true;
}

static void dial_outside(const tg_egress_target *target, tg_proxy_decision *decision)
{
    decision->target = (tg_address){.kind = TG_ADDRESS_TCP, .port = target->port, .is_numeric = target->is_literal};
    memcpy(decision->target.name, target->host.ptr, target->host.len); /* at most 254 with the root's dot */
    if (target->host.len > 0 && decision->target.name[target->host.len - 1] == '.') {
        decision->target.name[target->host.len - 1] = 0;
    }
    decision->is_checked = true;
}

static tg_result decide(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision)
{
    tg_egress_target target;
    const tg_proxy_visit *visit = &connection->visit;
    tg_result result = tg_egress_line_read(input, &target);
    if (result.code == TG_ERR_AGAIN) {
        return result;
    }
    *out_decision = (tg_proxy_decision){.route = TG_LIT("egress")};
    if (!tg_is_ok(result)) {
        return refuse(out_decision, result.code == TG_ERR_LIMIT ? "line_too_long" : "bad_line",
                      "the first line must be host:port and a newline");
    }
    tg_connection_intake *intake = connection->intake;
    tg_proxy_connection_name(connection, target.host);
    out_decision->num_taken = target.line_len;
    if (goes_to_enclave(visit->config, &target, out_decision)) {
        return tg_ok();
    }
    intake->rules = tg_proxy_config_rules_of(visit->config, visit->peer.has_cid, visit->peer.cid);
    intake->port = target.port;
    /* an address that was written is classified, so that the refusal says what it is */
    if (!target.is_literal && !tg_egress_may_name(intake->rules, target.host, target.port)) {
        return refuse(out_decision, "no_rule", "a rule in the domain's \"egress\" list would allow it");
    }
    dial_outside(&target, out_decision);
    return tg_ok();
}

/* Each address that a name has, or the one that was written, before it is dialled. */
static bool filter(const tg_sockaddr *address, void *owner)
{
    tg_proxy_connection *connection = owner;
    tg_connection_intake *intake = connection->intake;
    tg_slice ip = address->any.sa_family == AF_INET ? tg_slice_of(&address->in.sin_addr, 4)
                                                    : tg_slice_of(&address->in6.sin6_addr, 16);
    tg_ip_class class = tg_ip_class_of(ip);
    tg_slice reason;
    if (tg_own_addresses_has(connection->visit.worker->own_addresses, ip) && class != TG_IP_LOOPBACK) {
        class = TG_IP_OWN;
    }
    bool is_allowed = tg_egress_check(intake->rules, tg_slice_str(intake->host), intake->port, ip, class, &reason);
    if (!is_allowed) {
        snprintf(intake->refusal, sizeof intake->refusal, "%.*s", (int)tg_size_min(reason.len, 60),
                 (const char *)reason.ptr);
    }
    return is_allowed;
}

const tg_connection_service tg_egress_service = {.reads = true, .decide = decide, .filter = filter};
