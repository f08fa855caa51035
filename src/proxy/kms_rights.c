#include "proxy/kms_rights.h"

#include "aws/arn.h"

tg_kms_rights tg_kms_rights_of(const tg_proxy_config *config, const tg_peer *peer)
{
    tg_kms_rights rights = {.domain = TG_LIT("none")};
    for (size_t i = 0; peer->has_cid && i < config->num_domains; i++) {
        const tg_proxy_domain *domain = &config->domains[i];
        if (!domain->has_cid || domain->cid != peer->cid) {
            continue;
        }
        if (!rights.is_known) {
            rights.is_known = true;
            rights.domain = domain->name;
        }
        if (domain->kms_key.len > 0) { /* one CID with two keys is no configuration */
            rights.allows_plaintext = (rights.key.len == 0 || rights.allows_plaintext) && domain->allows_plaintext;
            rights.domain = rights.key.len == 0 ? domain->name : rights.domain;
            rights.key = domain->kms_key;
        }
    }
    return rights;
}

static tg_result refuse(tg_detail *detail, const char *code, const char *reason, const char *remedy)
{
    tg_detail_set_place(detail, TG_LIT(""), 0, tg_slice_str(code));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(TG_ERR_DENIED);
}

tg_result tg_kms_rights_apply(const tg_kms_rights *rights, tg_kms_request *request, tg_detail *detail)
{
    if (!rights->is_known) {
        return refuse(detail, "unknown_caller", "no domain has the caller's CID",
                      "give the domain the enclave's CID; callers without a CID are never served");
    }
    if (rights->key.len == 0) {
        return refuse(detail, "no_key", "the caller's domain has no KMS key",
                      "add \"kms_key\" to the domain, or set its variable (TEE_K_KMS_KEY for tee-k)");
    }
    if (request->key != NULL && !tg_aws_key_matches(rights->key, tg_slice_str(request->key))) {
        return refuse(detail, "wrong_key", "this is not the key that belongs to the caller's CID",
                      "leave KeyId out, or name the domain's kms_key");
    }
    bool shows_plaintext = request->operation == TG_KMS_ENCRYPT || !request->is_sealed;
    if (shows_plaintext && !rights->allows_plaintext) {
        return refuse(detail, "plaintext_refused",
                      request->operation == TG_KMS_ENCRYPT
                          ? "Encrypt would show the plaintext to the host"
                          : "without Recipient the answer would show the plaintext to the host",
                      "have the enclave send a Recipient, or set \"allow_plaintext\": true for its domain");
    }
    return request->has_key ? tg_kms_request_set_key(request, rights->key) : tg_ok();
}
