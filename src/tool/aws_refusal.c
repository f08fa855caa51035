#include "tool/aws_refusal.h"

#include "base/text.h"

static const struct {
    const char *code;
    const char *meaning;
} known[] = {
    {"AccessDeniedException", "KMS looked at key policy, IAM policies and grants, and they do not allow the call"},
    {"IncorrectKeyException", "the ciphertext was made under another key than KeyId names: compare KMS_KEY_ID with the "
                              "key of `teegate dek create`"},
    {"InvalidCiphertextException",
     "the ciphertext is not whole, or the encryption context is not the one it was made with: names and values must "
     "agree byte for byte (KMS_ENCRYPTION_CONTEXT)"},
    {"NotFoundException", "there is no such key in this account and region: compare the ARN's account and region"},
    {"DisabledException", "the key is disabled: `aws kms enable-key`"},
    {"KMSInvalidStateException",
     "the key is being deleted, or its material is missing: `aws kms describe-key` says which"},
    {"KeyUnavailableException", "the key cannot be used just now: the enclave asks again by itself"},
    {"DependencyTimeoutException", "a fault inside KMS: the enclave asks again by itself"},
    {"KMSInternalException", "a fault inside KMS: the enclave asks again by itself"},
    {"ThrottlingException", "too many calls in this account and region: the enclave backs off by itself"},
    {"LimitExceededException", "a quota of the account is used up"},
    {"InvalidKeyUsageException", "the key is not for ENCRYPT_DECRYPT: make a symmetric one"},
    {"InvalidGrantTokenException", "a grant token is not valid"},
    {"UnsupportedOperationException", "the key is of a kind that cannot do this: make a symmetric one"},
    {"ValidationException",
     "KMS cannot read the request: where it speaks of the attestation document, that is older than five minutes (the "
     "clock), not from AWS's own hardware (the simulator), or its public key is no RSA key"},
    {"ExpiredTokenException", "the credentials are past their end: the role's session was not refreshed"},
    {"UnrecognizedClientException",
     "the access key is not known: the credentials belong to another partition or are gone"},
    {"InvalidClientTokenId", "the access key is not known: the credentials belong to another partition or are gone"},
    {"InvalidSignatureException",
     "signature or time is wrong: look at the clock (more than five minutes off is refused) "
     "and at the secret key"},
    {"SignatureDoesNotMatch", "signature or time is wrong: look at the clock (more than five minutes off is refused) "
                              "and at the secret key"},
    {"RequestExpired", "the clock is off by more than five minutes"},
    {"DryRunOperationException", "the call was a dry run, and would have been allowed"},
};

static bool is_name_byte(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c);
}

/* The first place where `word` stands by itself, SIZE_MAX where it does not. */
static size_t find_word(tg_slice text, tg_slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        bool is_whole = (i == 0 || !is_name_byte(text.ptr[i - 1])) &&
                        (i + word.len == text.len || !is_name_byte(text.ptr[i + word.len]));
        if (is_whole && memcmp(text.ptr + i, word.ptr, word.len) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool has(tg_slice text, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

/* What stands behind `label`, up to a blank, a quote or a comma. */
static tg_slice behind(tg_slice text, const char *label)
{
    size_t len = strlen(label);
    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, label, len) != 0) {
            continue;
        }
        tg_slice rest = tg_slice_from(text, i + len);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] > ' ' && rest.ptr[end] < 0x7f && rest.ptr[end] != '"' &&
               rest.ptr[end] != ',' && rest.ptr[end] != '\\') {
            end++;
        }
        return tg_slice_first(rest, end);
    }
    return (tg_slice){NULL, 0};
}

bool tg_aws_refusal_read(tg_slice text, tg_aws_refusal *out_refusal)
{
    size_t first = SIZE_MAX;
    tg_aws_refusal refusal = {.meaning = NULL};
    for (size_t i = 0; i < TG_COUNT(known); i++) {
        tg_slice code = tg_slice_str(known[i].code);
        size_t at = find_word(text, code);
        if (at < first) {
            first = at;
            refusal.code = tg_slice_of(text.ptr + at, code.len);
            refusal.meaning = known[i].meaning;
        }
    }
    if (first == SIZE_MAX) {
        return false;
    }
    refusal.principal = behind(text, "User: ");
    refusal.action = behind(text, "perform: ");
    refusal.resource = behind(text, "on resource: ");
    refusal.is_explicit_deny = has(text, "explicit deny");
    refusal.is_by_identity = has(text, "identity-based policy");
    *out_refusal = refusal;
    return true;
}
