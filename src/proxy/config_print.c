#include "proxy/config.h"

#include "base/text.h"
#include "proxy/config_parts.h"

static tg_result append_address(tg_buf *buf, const char *key, const tg_address *address)
{
    char text[TG_MAX_ADDRESS_BYTES];
    TG_TRY(tg_buf_printf(buf, "\"%s\": ", key));
    return tg_json_append_string(buf, tg_slice_str(tg_address_format(address, text)));
}

static tg_result append_rules(tg_buf *buf, const tg_egress_rules *rules)
{
    TG_TRY(tg_buf_append_str(buf, "\"egress\": ["));
    for (size_t i = 0; i < rules->num_rules; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? ", " : ""));
        TG_TRY(tg_json_append_string(buf, rules->rules[i].text));
    }
    return tg_buf_append_byte(buf, ']');
}

static tg_result append_domain(tg_buf *buf, const tg_proxy_domain *domain)
{
    TG_TRY(tg_buf_append_str(buf, domain->is_wildcard ? "\"*" : "\""));
    TG_TRY(tg_buf_append(buf, domain->name)); /* letters, digits, hyphens, underscores and dots */
    TG_TRY(tg_buf_append_str(buf, "\": {"));
    if (domain->has_cid) {
        TG_TRY(tg_buf_printf(buf, "\"cid\": %u, ", domain->cid));
    }
    if (domain->kms_key.len > 0) {
        TG_TRY(tg_buf_append_str(buf, "\"kms_key\": "));
        TG_TRY(tg_json_append_string(buf, domain->kms_key));
        TG_TRY(tg_buf_append_str(buf, ", "));
    }
    TG_TRY(append_address(buf, "http", &domain->http));
    TG_TRY(tg_buf_append_str(buf, ", "));
    TG_TRY(append_address(buf, "https", &domain->https));
    if (domain->egress.rules != NULL) {
        TG_TRY(tg_buf_append_str(buf, ", "));
        TG_TRY(append_rules(buf, &domain->egress));
    }
    return tg_buf_printf(buf, ", \"allow_plaintext\": %s}", domain->allows_plaintext ? "true" : "false");
}

static tg_result append_listener(tg_buf *buf, const tg_proxy_listener *listener)
{
    TG_TRY(tg_buf_append_byte(buf, '{'));
    TG_TRY(append_address(buf, "address", &listener->address));
    return tg_buf_printf(buf, ", \"accept_proxy\": %s, \"send_proxy\": %s}", listener->accepts_proxy ? "true" : "false",
                         listener->sends_proxy ? "true" : "false");
}

static tg_result append_listeners(tg_buf *buf, const tg_proxy_config *config)
{
    static const tg_proxy_service services[] = {TG_SERVICE_HTTP, TG_SERVICE_HTTPS, TG_SERVICE_KMS, TG_SERVICE_INTERNET};
    for (size_t i = 0; i < TG_COUNT(services); i++) {
        const tg_proxy_listeners *of = &config->listeners[services[i]];
        TG_TRY(tg_buf_printf(buf, "%s\n    \"%s\": [", i > 0 ? "," : "", tg_proxy_service_name(services[i])));
        for (size_t j = 0; j < of->num_listeners; j++) {
            TG_TRY(tg_buf_append_str(buf, j > 0 ? ", " : ""));
            TG_TRY(append_listener(buf, &of->listeners[j]));
        }
        TG_TRY(tg_buf_append_byte(buf, ']'));
    }
    return tg_ok();
}

static tg_result append_forward(tg_buf *buf, const tg_proxy_forward *forward)
{
    TG_TRY(tg_buf_append_str(buf, "{\"listen\": "));
    TG_TRY(append_listener(buf, &forward->listen));
    TG_TRY(tg_buf_append_str(buf, ", "));
    TG_TRY(append_address(buf, "connect", &forward->connect));
    for (size_t i = 0; i < forward->num_cids; i++) {
        TG_TRY(tg_buf_printf(buf, "%s%u", i > 0 ? ", " : ", \"cids\": [", forward->cids[i]));
    }
    return tg_buf_append_str(buf, forward->num_cids > 0 ? "]}" : "}");
}

tg_result tg_proxy_config_append(const tg_proxy_config *config, tg_buf *buf)
{
    TG_TRY(tg_buf_append_str(buf, "{\n  \"domains\": {"));
    for (size_t i = 0; i < config->num_domains; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? ",\n    " : "\n    "));
        TG_TRY(append_domain(buf, &config->domains[i]));
    }
    TG_TRY(tg_buf_append_str(buf, "\n  },\n"));
    if (config->region.len > 0) {
        TG_TRY(tg_buf_append_str(buf, "  \"aws\": {\"region\": "));
        TG_TRY(tg_json_append_string(buf, config->region));
        TG_TRY(tg_buf_append_str(buf, "},\n"));
    }
    TG_TRY(tg_buf_append_str(buf, "  \"listen\": {"));
    TG_TRY(append_listeners(buf, config));
    TG_TRY(tg_buf_append_str(buf, "\n  },\n"));
    if (config->listeners[TG_SERVICE_ADMIN].num_listeners > 0) {
        TG_TRY(tg_buf_append_str(buf, "  "));
        TG_TRY(append_address(buf, "admin", &config->listeners[TG_SERVICE_ADMIN].listeners[0].address));
        TG_TRY(tg_buf_append_str(buf, ",\n"));
    }
    TG_TRY(tg_buf_append_str(buf, "  \"forwards\": ["));
    for (size_t i = 0; i < config->num_forwards; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? ",\n    " : "\n    "));
        TG_TRY(append_forward(buf, &config->forwards[i]));
    }
    TG_TRY(tg_buf_append_str(buf, "\n  ],\n"));
    if (config->egress.rules != NULL) {
        TG_TRY(tg_buf_append_str(buf, "  "));
        TG_TRY(append_rules(buf, &config->egress));
        TG_TRY(tg_buf_append_str(buf, ",\n"));
    }
    TG_TRY(tg_buf_append_str(buf, "  \"limits\": "));
    TG_TRY(tg_config_append_limits(&config->limits, buf));
    TG_TRY(tg_buf_append_str(buf, ",\n  \"timeouts\": "));
    TG_TRY(tg_config_append_timeouts(&config->timeouts, buf));
    return tg_buf_append_str(buf, "\n}\n");
}
