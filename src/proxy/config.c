#include "proxy/config.h"

#include "base/text.h"

#include <stdlib.h>

tg_proxy_config *tg_proxy_config_ref(tg_proxy_config *config)
{
    tg_refs_take(&config->refs);
    return config;
}

void tg_proxy_config_unref(tg_proxy_config *config)
{
    if (config != NULL && tg_refs_drop(&config->refs)) {
        tg_arena_done(&config->arena);
        free(config);
    }
}

const char *tg_proxy_service_name(tg_proxy_service service)
{
    static const char *const names[TG_NUM_PROXY_SERVICES] = {
        [TG_SERVICE_HTTP] = "http",         [TG_SERVICE_HTTPS] = "https",     [TG_SERVICE_KMS] = "kms",
        [TG_SERVICE_INTERNET] = "internet", [TG_SERVICE_FORWARD] = "forward", [TG_SERVICE_SIDECAR] = "sidecar",
        [TG_SERVICE_ADMIN] = "admin",
    };
    return (unsigned)service < TG_NUM_PROXY_SERVICES ? names[service] : "unknown";
}

/* Binary search in a part of the domains that is sorted by name. */
static const tg_proxy_domain *search(const tg_proxy_domain *domains, size_t num_domains, tg_slice name)
{
    while (num_domains > 0) {
        const tg_proxy_domain *middle = &domains[num_domains / 2];
        int order = tg_slice_compare(name, middle->name);
        if (order == 0) {
            return middle;
        }
        if (order > 0) {
            domains = middle + 1;
            num_domains -= num_domains / 2 + 1;
        } else {
            num_domains /= 2;
        }
    }
    return NULL;
}

const tg_proxy_domain *tg_proxy_config_find(const tg_proxy_config *config, tg_slice host)
{
    uint8_t lower[253];
    if (host.len == 0 || host.len > sizeof lower) {
        return NULL;
    }
    for (size_t i = 0; i < host.len; i++) {
        lower[i] = tg_ascii_lower(host.ptr[i]);
    }
    tg_slice name = tg_slice_of(lower, host.len);
    const tg_proxy_domain *found = search(config->domains, config->num_exact, name);
    const tg_proxy_domain *wildcards = config->num_domains > 0 ? config->domains + config->num_exact : NULL;
    size_t num_wildcards = config->num_domains - config->num_exact;
    for (size_t at = 1; found == NULL && num_wildcards > 0 && at < name.len; at++) {
        if (name.ptr[at] == '.') { /* from the left: the longest ending is tried first */
            found = search(wildcards, num_wildcards, tg_slice_from(name, at));
        }
    }
    return found;
}

const tg_proxy_domain *tg_proxy_config_of_cid(const tg_proxy_config *config, uint32_t cid)
{
    for (size_t i = 0; i < config->num_domains; i++) {
        if (config->domains[i].has_cid && config->domains[i].cid == cid) {
            return &config->domains[i];
        }
    }
    return NULL;
}

bool tg_proxy_config_has_keys(const tg_proxy_config *config)
{
    for (size_t i = 0; i < config->num_domains; i++) {
        if (config->domains[i].kms_key.len > 0) {
            return true;
        }
    }
    return false;
}

const tg_egress_rules *tg_proxy_config_rules_of(const tg_proxy_config *config, bool has_cid, uint32_t cid)
{
    for (size_t i = 0; has_cid && i < config->num_domains; i++) {
        const tg_proxy_domain *domain = &config->domains[i];
        if (domain->has_cid && domain->cid == cid && domain->egress.rules != NULL) {
            return &domain->egress;
        }
    }
    return &config->egress;
}
