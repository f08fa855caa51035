#include "fields/token.h"

enum {
    VERSION_BYTES = 3, /* `v1.` */
    NONCE_CHARS = 16,
    MIN_BODY_CHARS = 22, /* a tag alone */
    BATCH = 16,
    SHORT_BYTES = 1024 /* decoded on the stack */
};

static const tg_slice kind_aad[] = {
    [TG_TOKEN_STRING] = {(const uint8_t *)"", 0}, [TG_TOKEN_JSON] = {(const uint8_t *)"json", 4}};
static const tg_slice kind_prefix[] = {
    [TG_TOKEN_STRING] = {(const uint8_t *)"", 0}, [TG_TOKEN_JSON] = {(const uint8_t *)"json\0", 5}};

/* The bytes to encode are sealed into the end of the token's own room: n bytes become more than n characters, and the
 * encoder, going forward, writes group i (4 characters) only after having read it, never reaching group i + 1. */
static uint8_t *sealed_place(const tg_token_job *job)
{
    return job->out + tg_token_len(job->plaintext.len) - (job->plaintext.len + TG_SIV_TAG_BYTES);
}

static void write_text(const tg_token_job *job, const uint8_t *nonce, const uint8_t *sealed)
{
    uint8_t *out = job->out;
    memcpy(out, "v1.", VERSION_BYTES);
    tg_base64_encode(TG_BASE64_URL, tg_slice_of(nonce, TG_SIV_NONCE_BYTES), out + VERSION_BYTES);
    out[TG_TOKEN_HEAD_BYTES - 1] = '.';
    tg_base64_encode(TG_BASE64_URL, tg_slice_of(sealed, job->plaintext.len + TG_SIV_TAG_BYTES),
                     out + TG_TOKEN_HEAD_BYTES);
}

static tg_result seal_batch(tg_field_keys *keys, const tg_token_job *jobs, size_t num_jobs)
{
    TG_UNINITIALIZED uint8_t macs[BATCH][TG_HMAC_BYTES]; /* each begins with the nonce */
    TG_UNINITIALIZED tg_hmac_job hmac_jobs[BATCH];
    TG_UNINITIALIZED tg_siv_job siv_jobs[BATCH];
    for (size_t i = 0; i < num_jobs; i++) {
        hmac_jobs[i] = (tg_hmac_job){kind_prefix[jobs[i].kind], jobs[i].plaintext, macs[i]};
        siv_jobs[i] = (tg_siv_job){macs[i], kind_aad[jobs[i].kind], jobs[i].plaintext, sealed_place(&jobs[i])};
    }
    tg_hmac_compute_many(tg_field_keys_hmac(keys), hmac_jobs, num_jobs);
    TG_TRY(tg_siv_seal(tg_field_keys_siv(keys, 0), siv_jobs, num_jobs));
    for (size_t i = 0; i < num_jobs; i++) {
        write_text(&jobs[i], macs[i], siv_jobs[i].out);
    }
    return tg_ok();
}

tg_result tg_token_seal(tg_field_keys *keys, const tg_token_job *jobs, size_t num_jobs)
{
    for (size_t done = 0; done < num_jobs; done += BATCH) {
        TG_TRY(seal_batch(keys, jobs + done, num_jobs - done < BATCH ? num_jobs - done : BATCH));
    }
    return tg_ok();
}

/* token = "v1." 16b64url "." 22*b64url; the length of the last part is none that base64url cannot have. Its characters
 * are checked when it is decoded.
 */
static tg_result split(tg_slice text, uint8_t out_nonce[TG_SIV_NONCE_BYTES], tg_slice *out_body)
{
    size_t nonce_len;
    if (text.len < TG_TOKEN_MIN_BYTES || !tg_slice_starts(text, TG_LIT("v1.")) ||
        text.ptr[TG_TOKEN_HEAD_BYTES - 1] != '.') {
        return tg_fail(TG_ERR_SYNTAX);
    }
    uint8_t nonce[TG_SIV_NONCE_BYTES + 3];
    TG_TRY(tg_base64_decode(TG_BASE64_URL, tg_slice_of(text.ptr + VERSION_BYTES, NONCE_CHARS), nonce, &nonce_len));
    memcpy(out_nonce, nonce, TG_SIV_NONCE_BYTES);
    *out_body = tg_slice_from(text, TG_TOKEN_HEAD_BYTES);
    return tg_ok();
}

static tg_result open_sealed(tg_field_keys *keys, const tg_siv_sealed *sealed, uint8_t *out, tg_opened *out_opened)
{
    for (size_t i = 0; i < tg_field_keys_num(keys); i++) {
        size_t kind;
        tg_result result = tg_siv_open_any(tg_field_keys_siv(keys, i), sealed, out, &kind);
        if (tg_is_ok(result)) {
            *out_opened = (tg_opened){(tg_token_kind)kind, sealed->bytes.len - TG_SIV_TAG_BYTES, i};
        }
        if (result.code != TG_ERR_AUTH) {
            return result;
        }
    }
    return tg_fail(TG_ERR_AUTH);
}

tg_result tg_token_open(tg_field_keys *keys, tg_slice text, uint8_t *out, tg_opened *out_opened)
{
    uint8_t nonce[TG_SIV_NONCE_BYTES];
    TG_UNINITIALIZED uint8_t place[SHORT_BYTES];
    tg_slice body;
    TG_TRY(split(text, nonce, &body));
    uint8_t *decoded = place;
    tg_buf *scratch = tg_field_keys_scratch(keys);
    if (tg_base64_decoded_max(body.len) > sizeof place) {
        TG_TRY(tg_buf_reserve(scratch, tg_base64_decoded_max(body.len), &decoded));
    }
    tg_siv_sealed sealed = {nonce, kind_aad, TG_COUNT(kind_aad), {decoded, 0}};
    TG_TRY(tg_base64_decode(TG_BASE64_URL, body, decoded, &sealed.bytes.len));
    return open_sealed(keys, &sealed, out, out_opened);
}

/* Checks the characters of the last part without room for what they decode to. */
static tg_result check_body(tg_slice body, size_t *out_len)
{
    size_t total = 0;
    while (body.len > 0) {
        uint8_t bytes[48 + 3];
        size_t len;
        TG_TRY(tg_base64_decode(TG_BASE64_URL, tg_slice_first(body, 64), bytes, &len));
        total += len;
        body = tg_slice_from(body, 64);
    }
    *out_len = total;
    return tg_ok();
}

static bool is_other_version(tg_slice text)
{
    size_t at = 1;
    while (at < text.len && at < 5 && text.ptr[at] >= '0' && text.ptr[at] <= '9') {
        at++;
    }
    return text.len > at && text.ptr[0] == 'v' && at > 1 && text.ptr[at] == '.' &&
           !tg_slice_starts(text, TG_LIT("v1."));
}

tg_result tg_token_inspect(tg_slice text, tg_token_facts *out_facts, tg_detail *detail)
{
    uint8_t nonce[TG_SIV_NONCE_BYTES];
    tg_slice body;
    size_t sealed_len;
    if (is_other_version(text)) {
        tg_detail_set_reason(detail, "a token of a version that this program does not read");
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    if (!tg_slice_starts(text, TG_LIT("v1."))) {
        tg_detail_set_reason(detail, "it does not begin with v1.");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (text.len < TG_TOKEN_MIN_BYTES) {
        tg_detail_set_reason(detail, "%zu characters long; the shortest token has %d", text.len, TG_TOKEN_MIN_BYTES);
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (!tg_is_ok(split(text, nonce, &body))) {
        tg_detail_set_reason(detail, "the nonce is not 16 characters of base64url with a full stop behind them");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (!tg_is_ok(check_body(body, &sealed_len))) {
        tg_detail_set_reason(detail, "the part behind the nonce is not canonical base64url without padding");
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_facts = (tg_token_facts){1, TG_SIV_NONCE_BYTES, TG_SIV_TAG_BYTES, sealed_len - TG_SIV_TAG_BYTES};
    return tg_ok();
}
