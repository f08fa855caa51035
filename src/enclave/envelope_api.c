#include "enclave/envelope_api.h"

typedef tg_result append_fn(const tg_envelope_keys *keys, tg_buf *out);

/* An hour: half of what is published stays readable a whole epoch longer, so a copy of yesterday does no harm. */
static void answer(tg_site *site, tg_http_request *request, append_fn *append, const char *content_type)
{
    const tg_envelope_keys *keys = tg_snapshot_envelope_keys(tg_serving_snapshot(site->serving));
    const tg_http_header headers[] = {{TG_LIT("Content-Type"), tg_slice_str(content_type)},
                                      TG_HTTP_HEADER("Cache-Control", "max-age=3600")};
    tg_buf *body = tg_http_answer_buf(request);
    if (keys == NULL || !tg_is_ok(append(keys, body))) {
        tg_site_refuse(request, 503, "service_unavailable", "there is no data key to derive others from",
                       (tg_slice){NULL, 0});
        return;
    }
    tg_http_respond(request, 200, headers, TG_COUNT(headers), body);
}

void tg_envelope_api_jwks(tg_site *site, tg_http_request *request)
{
    answer(site, request, tg_envelope_keys_append_jwks, "application/jwk-set+json");
}

void tg_envelope_api_ohttp_keys(tg_site *site, tg_http_request *request)
{
    answer(site, request, tg_envelope_keys_append_ohttp, "application/ohttp-keys");
}
