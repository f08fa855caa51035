#include "enclave/attestation_api.h"

#include "base/encode.h"
#include "base/text.h"

static bool is_hex(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (tg_ascii_hex_value(text.ptr[i]) < 0) {
            return false;
        }
    }
    return text.len / 2 >= TG_MIN_NONCE_BYTES && text.len % 2 == 0;
}

tg_result tg_nonce_parse(tg_slice query, uint8_t out_nonce[TG_MAX_NONCE_BYTES], size_t *out_len)
{
    const tg_slice name = TG_LIT("nonce=");
    uint8_t bytes[TG_MAX_NONCE_BYTES * 2 + 8];
    size_t len = 0;
    if (query.len == 0) {
        *out_len = 0;
        return tg_ok();
    }
    if (!tg_slice_starts(query, name)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_slice text = tg_slice_from(query, name.len);
    if (text.len / 2 > TG_MAX_NONCE_BYTES || text.len > sizeof bytes) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (is_hex(text)) {
        TG_TRY(tg_hex_decode(text, bytes));
        len = text.len / 2;
    } else {
        TG_TRY(tg_base64_decode(TG_BASE64_URL, text, bytes, &len));
    }
    if (len < TG_MIN_NONCE_BYTES || len > TG_MAX_NONCE_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    memcpy(out_nonce, bytes, len);
    *out_len = len;
    return tg_ok();
}

static void refuse(tg_http_request *request, unsigned status, const char *code, const char *message)
{
    tg_site_refuse(request, status, code, message, (tg_slice){NULL, 0});
}

void tg_attestation_api_document(tg_site *site, tg_http_request *request)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/json"),
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    uint8_t nonce[TG_MAX_NONCE_BYTES];
    size_t nonce_len = 0;
    if (site->attestation == NULL) {
        refuse(request, 404, "not_found", "nothing attests here");
        return;
    }
    if (!tg_is_ok(tg_nonce_parse(request->query, nonce, &nonce_len))) {
        refuse(request, 400, "bad_request", "the query may be nonce= with 16 to 64 bytes in hex or base64url");
        return;
    }
    const tg_attestation_asker asker = tg_attestation_asker_of(tg_stream_peer(request->stream), request->connection_id);
    tg_buf *answer = tg_http_answer_buf(request);
    tg_result put = tg_attestation_append(site->attestation, tg_serving_snapshot(site->serving), &asker,
                                          tg_slice_of(nonce_len > 0 ? nonce : NULL, nonce_len), answer);
    if (tg_is_ok(put)) {
        tg_http_respond(request, 200, headers, TG_COUNT(headers), answer);
    } else if (put.code == TG_ERR_AGAIN) {
        refuse(request, 429, "too_many_requests", "too many attestations are asked for; without a nonce one is kept");
    } else {
        refuse(request, 503, "service_unavailable", "the device that attests gives no document now");
    }
}
