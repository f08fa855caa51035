#include "outbound/trust.h"

tg_result tg_trust_new(const tg_trust_settings *settings, tg_tls_context **out_context, tg_detail *detail)
{
    tg_tls_authorities *authorities = NULL;
    const char *path = settings->ca_path != NULL ? settings->ca_path : TG_TRUST_SYSTEM_BUNDLE;
    TG_TRY(settings->ca_pem.len > 0
               ? tg_tls_authorities_parse(settings->ca_pem, settings->now_unix_s, &authorities, detail)
               : tg_tls_authorities_load(path, settings->now_unix_s, &authorities, detail));
    const tg_tls_client_settings client = {.issuers = authorities, .identity = settings->identity};
    tg_result result = tg_tls_context_new_client(&client, out_context, detail);
    tg_tls_authorities_unref(authorities);
    return result;
}
