#include "proxy/sni_router.h"

#include "hello/client_hello.h"

static tg_result refuse(tg_proxy_decision *decision, const char *event, const char *rule, const char *remedy,
                        bool has_alert)
{
    decision->refused = event;
    decision->rule = tg_slice_str(rule);
    decision->remedy = remedy;
    decision->answer = has_alert ? tg_alert_unrecognized_name() : (tg_slice){NULL, 0};
    return tg_ok();
}

static tg_result refuse_flight(tg_result result, tg_proxy_decision *decision)
{
    if (result.code == TG_ERR_UNSUPPORTED) {
        return refuse(decision, "not TLS", "not_tls", "plain HTTP goes to the http port", false);
    }
    if (result.code == TG_ERR_LIMIT) {
        return refuse(decision, "ClientHello too large", "hello_too_large", NULL, false);
    }
    return result.code == TG_ERR_SYNTAX ? refuse(decision, "malformed ClientHello", "malformed_hello", NULL, false)
                                        : result;
}

static tg_result decide(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision)
{
    tg_client_hello hello;
    tg_result result = tg_client_hello_read(&connection->intake->hello, input, &hello);
    if (result.code == TG_ERR_AGAIN) {
        return result;
    }
    *out_decision = (tg_proxy_decision){.route = TG_LIT("none")};
    if (!tg_is_ok(result)) {
        return refuse_flight(result, out_decision);
    }
    tg_proxy_connection_name(connection, tg_client_hello_sni(&hello));
    if (hello.sni_kind == TG_SNI_NONE) {
        return refuse(out_decision, "no SNI", "no_sni",
                      "the client must send the domain's name (curl: use the name, not an IP address)", true);
    }
    const tg_proxy_domain *domain = NULL;
    if (hello.sni_kind == TG_SNI_HOST) {
        domain = tg_proxy_config_find(connection->visit.config, tg_client_hello_sni(&hello));
    }
    if (domain == NULL) {
        return refuse(out_decision, "domain not found", "no_domain",
                      "add the name to \"domains\", exactly or under a wildcard", true);
    }
    out_decision->target = domain->https;
    out_decision->route = domain->name;
    out_decision->is_announced = connection->visit.door.sends_proxy;
    return tg_ok();
}

const tg_connection_service tg_sni_router_service = {.reads = true, .decide = decide};
