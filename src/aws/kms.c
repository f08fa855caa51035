#include "aws/kms.h"

#include "aws/json.h"
#include "aws/reader.h"
#include "base/text.h"

enum { MAX_ASK_BYTES = 1 << 20, MAX_BYTES = 256 << 10 };

const char *tg_aws_kms_operation_name(tg_aws_kms_operation operation)
{
    static const char *const names[TG_AWS_NUM_KMS_OPERATIONS] = {"Decrypt", "Encrypt", "GenerateDataKey",
                                                                 "GenerateDataKeyWithoutPlaintext", "GenerateRandom"};
    return names[operation];
}

static tg_result append_context(tg_buf *buf, const tg_aws_kms_ask *ask)
{
    TG_TRY(tg_buf_append_str(buf, tg_slice_ends(tg_buf_slice(buf), TG_LIT("{")) ? "\"EncryptionContext\":{"
                                                                                : ",\"EncryptionContext\":{"));
    for (size_t i = 0; i < ask->num_context; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? "," : ""));
        TG_TRY(tg_json_append_string(buf, ask->context[i].name));
        TG_TRY(tg_buf_append_byte(buf, ':'));
        TG_TRY(tg_json_append_string(buf, ask->context[i].value));
    }
    return tg_buf_append_byte(buf, '}');
}

static tg_result append_recipient(tg_buf *buf, tg_slice document)
{
    TG_TRY(
        tg_buf_append_str(buf, tg_slice_ends(tg_buf_slice(buf), TG_LIT("{")) ? "\"Recipient\":{" : ",\"Recipient\":{"));
    TG_TRY(tg_aws_json_append_text(buf, "KeyEncryptionAlgorithm", TG_LIT("RSAES_OAEP_SHA_256")));
    TG_TRY(tg_aws_json_append_bytes(buf, "AttestationDocument", document));
    return tg_buf_append_byte(buf, '}');
}

tg_result tg_aws_kms_append_ask(tg_buf *buf, const tg_aws_kms_ask *ask)
{
    TG_TRY(tg_buf_append_byte(buf, '{'));
    if (ask->key_id.len > 0) {
        TG_TRY(tg_aws_json_append_text(buf, "KeyId", ask->key_id));
    }
    if (ask->ciphertext.len > 0) {
        TG_TRY(tg_aws_json_append_bytes(buf, "CiphertextBlob", ask->ciphertext));
    }
    if (ask->plaintext.len > 0) {
        TG_TRY(tg_aws_json_append_bytes(buf, "Plaintext", ask->plaintext));
    }
    if (ask->num_bytes > 0) {
        bool is_first = tg_slice_ends(tg_buf_slice(buf), TG_LIT("{"));
        TG_TRY(tg_buf_printf(buf, "%s\"NumberOfBytes\":%u", is_first ? "" : ",", (unsigned)ask->num_bytes));
    }
    if (ask->num_context > 0) {
        TG_TRY(append_context(buf, ask));
    }
    if (ask->attestation_document.len > 0) {
        TG_TRY(append_recipient(buf, ask->attestation_document));
    }
    return tg_buf_append_byte(buf, '}');
}

/* A member of base64, behind what `bytes` holds; *out_len 0 where it is not there. */
static tg_result take_bytes(const json_t *json, const char *name, tg_buf *bytes, size_t *out_len)
{
    size_t before = tg_buf_len(bytes);
    tg_result result = tg_aws_json_bytes(json, name, bytes);
    *out_len = tg_buf_len(bytes) - before;
    return result.code == TG_ERR_NOT_FOUND ? tg_ok() : result;
}

static bool is_whole(const tg_aws_kms_ask *ask, const tg_aws_kms_answer *answer)
{
    bool is_sealed = ask->attestation_document.len > 0;
    bool makes_blob = ask->operation != TG_AWS_DECRYPT && ask->operation != TG_AWS_GENERATE_RANDOM;
    bool makes_plaintext =
        ask->operation != TG_AWS_ENCRYPT && ask->operation != TG_AWS_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT;
    bool has_key = ask->operation == TG_AWS_GENERATE_RANDOM || answer->key_id.len > 0;
    return has_key && (!makes_blob || answer->ciphertext.len > 0) &&
           (!makes_plaintext || (is_sealed ? answer->sealed.len > 0 : answer->plaintext.len > 0)) &&
           (!is_sealed || answer->plaintext.len == 0);
}

tg_result tg_aws_kms_read_answer(const json_t *json, const tg_aws_kms_ask *ask, tg_buf *bytes,
                                 tg_aws_kms_answer *out_answer)
{
    size_t lens[3];
    tg_aws_kms_answer answer = {.key_id = {NULL, 0}};
    size_t start = tg_buf_len(bytes);
    (void)tg_aws_json_text(json, "KeyId", &answer.key_id);
    TG_TRY(take_bytes(json, "CiphertextBlob", bytes, &lens[0]));
    TG_TRY(take_bytes(json, "Plaintext", bytes, &lens[1]));
    TG_TRY(take_bytes(json, "CiphertextForRecipient", bytes, &lens[2]));
    tg_slice all = tg_slice_from(tg_buf_slice(bytes), start);
    answer.ciphertext = tg_slice_first(all, lens[0]);
    answer.plaintext = tg_slice_first(tg_slice_from(all, lens[0]), lens[1]);
    answer.sealed = tg_slice_from(all, lens[0] + lens[1]);
    if (!is_whole(ask, &answer)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_answer = answer;
    return tg_ok();
}

typedef struct kms_call {
    tg_aws_reader reader; /* first */
    tg_aws_kms_ask shape; /* what the answer is to hold: its slices' lengths count, not their bytes */
    tg_aws_kms_answer answer;
    tg_aws_kms_fn *done;
    void *owner;
} kms_call;

static tg_result read_call(tg_aws_reader *reader, const tg_aws_answer *came, tg_buf *bytes)
{
    kms_call *own = (kms_call *)reader;
    TG_TRY(tg_aws_kms_read_answer(came->json, &own->shape, bytes, &own->answer));
    own->answer.request_id = came->request_id;
    return tg_ok();
}

static void tell(const tg_aws_reader *reader, const tg_aws_failure *failure)
{
    const kms_call *own = (const kms_call *)reader;
    own->done(failure == NULL ? &own->answer : NULL, failure, own->owner);
}

tg_result tg_aws_kms_start(tg_aws_client *client, const tg_aws_kms_ask *ask, tg_aws_kms_fn *done, void *owner,
                           tg_aws_call **out_call)
{
    tg_buf body;
    const kms_call own = {.reader = {MAX_BYTES, "KMS's answer does not hold what it promises", read_call, tell},
                          .shape = *ask,
                          .done = done,
                          .owner = owner};
    tg_buf_init_wiped(&body, MAX_ASK_BYTES);
    tg_result result = tg_aws_kms_append_ask(&body, ask);
    if (tg_is_ok(result)) {
        const tg_aws_ask call = {.service = TG_AWS_KMS,
                                 .operation = tg_aws_kms_operation_name(ask->operation),
                                 .body = tg_buf_slice(&body),
                                 .whole_ms = ask->whole_ms};
        result = tg_aws_reader_start(client, &call, &own.reader, sizeof own, out_call);
    }
    tg_buf_done(&body);
    return result;
}
