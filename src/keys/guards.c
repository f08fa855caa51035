#include "keys/guards.h"

#include "base/encode.h"

#include <stdio.h>

static tg_result refuse(tg_detail *detail, const char *field, tg_code code, const char *reason, const char *remedy)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

/* 12 hexadecimal groups of a UUID, or mrk- and 32 digits: what no slash and no colon is enough to tell from an alias or
 * an ARN. */
static bool is_key_id(tg_slice text)
{
    return text.len > 0 && text.len <= 64 && tg_slice_find(text, '/') == text.len &&
           tg_slice_find(text, ':') == text.len;
}

static tg_result set_key(tg_key_guards *guards, tg_slice key_id, tg_detail *detail)
{
    static const char remedy[] = "give the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID";
    tg_aws_arn arn;
    const tg_aws_arn *secret = &guards->secret;
    if (tg_slice_starts(key_id, TG_LIT("alias/"))) {
        return refuse(detail, "KMS_KEY_ID", TG_ERR_UNSUPPORTED,
                      "an alias names no key: whoever may call UpdateAlias points it elsewhere", remedy);
    }
    if (is_key_id(key_id)) {
        snprintf(guards->key_arn, sizeof guards->key_arn, "arn:%.*s:kms:%.*s:%.*s:key/%.*s", (int)secret->partition.len,
                 (const char *)secret->partition.ptr, (int)secret->region.len, (const char *)secret->region.ptr,
                 (int)secret->account.len, (const char *)secret->account.ptr, (int)key_id.len,
                 (const char *)key_id.ptr);
        return tg_ok();
    }
    if (!tg_is_ok(tg_aws_arn_parse(key_id, &arn)) || !tg_slice_equal(arn.service, TG_LIT("kms")) ||
        !tg_slice_starts(arn.resource, TG_LIT("key/")) || arn.account.len == 0 || arn.region.len == 0) {
        return refuse(detail, "KMS_KEY_ID", TG_ERR_SYNTAX, "is neither a key's ARN nor its id", remedy);
    }
    if (!tg_slice_equal(arn.region, secret->region) || !tg_slice_equal(arn.partition, secret->partition)) {
        return refuse(detail, "KMS_KEY_ID", TG_ERR_UNSUPPORTED,
                      "is of another region than SECRET_ARN, in whose region KMS is asked",
                      "seal the data keys by a key of the secret's region, or by a replica there (mrk-...)");
    }
    snprintf(guards->key_arn, sizeof guards->key_arn, "%.*s", (int)key_id.len, (const char *)key_id.ptr);
    return tg_ok();
}

tg_result tg_key_guards_init(tg_key_guards *guards, tg_slice secret_arn, tg_slice key_id, tg_detail *detail)
{
    *guards = (tg_key_guards){.secret_arn = secret_arn};
    tg_aws_arn *secret = &guards->secret;
    if (!tg_is_ok(tg_aws_arn_parse(secret_arn, secret)) || !tg_slice_equal(secret->service, TG_LIT("secretsmanager")) ||
        !tg_slice_starts(secret->resource, TG_LIT("secret:")) || secret->account.len == 0 || secret->region.len == 0) {
        return refuse(detail, "SECRET_ARN", TG_ERR_SYNTAX, "is no ARN of a secret",
                      "give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX");
    }
    return key_id.len > 0 ? set_key(guards, key_id, detail) : tg_ok();
}

tg_result tg_key_guards_pin(tg_key_guards *guards, tg_slice hex, tg_detail *detail)
{
    if (guards->num_fingerprints == TG_MAX_PINNED_KEYS) {
        return refuse(detail, "DEK_FINGERPRINTS", TG_ERR_LIMIT, "names more than 32 keys", "drop those of old keys");
    }
    if (hex.len != (size_t)2 * TG_KEY_FINGERPRINT_BYTES ||
        !tg_is_ok(tg_hex_decode(hex, guards->fingerprints[guards->num_fingerprints]))) {
        return refuse(detail, "DEK_FINGERPRINTS", TG_ERR_SYNTAX, "is not of 32 hexadecimal digits",
                      "`teegate dek pin` shows them");
    }
    guards->num_fingerprints++;
    return tg_ok();
}

tg_result tg_key_guards_check_secret(const tg_key_guards *guards, tg_slice answered, tg_detail *detail)
{
    return tg_slice_equal(guards->secret_arn, answered)
               ? tg_ok()
               : refuse(detail, "ARN", TG_ERR_DENIED, "Secrets Manager answered with another secret than SECRET_ARN",
                        "is SECRET_ARN complete, with the six characters at its end?");
}

tg_result tg_key_guards_check_key_arn(const tg_key_guards *guards, tg_slice answered, tg_detail *detail)
{
    tg_aws_arn arn;
    if (!tg_is_ok(tg_aws_arn_parse(answered, &arn)) || !tg_slice_equal(arn.service, TG_LIT("kms"))) {
        return refuse(detail, "KeyId", TG_ERR_DENIED, "KMS named no key in its answer", "");
    }
    if (guards->key_arn[0] != 0) {
        return tg_slice_equal(answered, tg_slice_str(guards->key_arn))
                   ? tg_ok()
                   : refuse(detail, "KeyId", TG_ERR_DENIED, "the data key was sealed by another key than KMS_KEY_ID",
                            "somebody may have substituted it: see who changed the secret");
    }
    return tg_slice_equal(arn.account, guards->secret.account) && tg_slice_equal(arn.region, guards->secret.region) &&
                   tg_slice_equal(arn.partition, guards->secret.partition)
               ? tg_ok()
               : refuse(detail, "KeyId", TG_ERR_DENIED,
                        "the data key was sealed by a key of another account or region than SECRET_ARN's",
                        "name the key by KMS_KEY_ID, where that is meant");
}

tg_result tg_key_guards_check_key(const tg_key_guards *guards, const tg_secret *key, tg_detail *detail)
{
    uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
    if (guards->num_fingerprints == 0) {
        return tg_ok();
    }
    TG_TRY(tg_key_fingerprint(key, fingerprint));
    for (size_t i = 0; i < guards->num_fingerprints; i++) {
        if (memcmp(guards->fingerprints[i], fingerprint, sizeof fingerprint) == 0) {
            return tg_ok();
        }
    }
    return refuse(detail, "DEK_FINGERPRINTS", TG_ERR_DENIED, "the data key's fingerprint is not pinned",
                  "somebody may have substituted it; else pin the new key before it is put in place");
}
