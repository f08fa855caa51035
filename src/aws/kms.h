/* AWS KMS's operations as functions (KMS API reference). Secrets stand in wiped memory while the answer is told. */
#ifndef TG_AWS_KMS_H
#define TG_AWS_KMS_H

#include "aws/call.h"

typedef enum tg_aws_kms_operation {
    TG_AWS_DECRYPT,
    TG_AWS_ENCRYPT,
    TG_AWS_GENERATE_DATA_KEY,
    TG_AWS_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT,
    TG_AWS_GENERATE_RANDOM,
    TG_AWS_NUM_KMS_OPERATIONS
} tg_aws_kms_operation;

/* One pair of an encryption context. */
typedef struct tg_aws_context_pair {
    tg_slice name;
    tg_slice value;
} tg_aws_context_pair;

/* What is empty (or 0) is left out of the request. The slices need to live until tg_aws_kms_start returns. */
typedef struct tg_aws_kms_ask {
    tg_aws_kms_operation operation;
    tg_slice key_id;     /* ARN, id or alias */
    tg_slice ciphertext; /* DECRYPT */
    tg_slice plaintext;  /* ENCRYPT */
    uint32_t num_bytes;  /* of the data key or the random bytes */
    const tg_aws_context_pair *context;
    size_t num_context;
    tg_slice attestation_document; /* Recipient: the answer is sealed to the document's RSA key */
    uint64_t whole_ms;             /* 0: as a call's */
} tg_aws_kms_ask;

/* Empty: the answer holds none. The slices live until the callback returns. */
typedef struct tg_aws_kms_answer {
    tg_slice key_id; /* the key that was used: its ARN */
    tg_slice ciphertext;
    tg_slice plaintext;
    tg_slice sealed; /* CiphertextForRecipient: CMS EnvelopedData in BER */
    tg_slice request_id;
} tg_aws_kms_answer;

/* Called once, from the loop: answer is NULL where failure says why. */
typedef void tg_aws_kms_fn(const tg_aws_kms_answer *answer, const tg_aws_failure *failure, void *owner);

/* tg_aws_kms_start asks; tg_aws_call_cancel gives up.
 * err   TG_ERR_LIMIT: a request over 1 MiB; TG_ERR_MEMORY; tg_aws_call_start's
 */
TG_MUST_USE tg_result tg_aws_kms_start(tg_aws_client *client, const tg_aws_kms_ask *ask, tg_aws_kms_fn *done,
                                       void *owner, tg_aws_call **out_call);

/* tg_aws_kms_operation_name is AWS's name. Static. tg_aws_kms_append_ask writes the request's JSON. err: tg_buf's */
const char *tg_aws_kms_operation_name(tg_aws_kms_operation operation);
TG_MUST_USE tg_result tg_aws_kms_append_ask(tg_buf *buf, const tg_aws_kms_ask *ask);

/* tg_aws_kms_read_answer reads what KMS answered.
 * out   *out_answer, whose bytes stand in `bytes` (initialised by the caller, at best wiped) and in the object
 * err   TG_ERR_SYNTAX: a member is not of its form, or what the operation promises is not there; tg_buf's
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_kms_read_answer(const json_t *json, const tg_aws_kms_ask *ask, tg_buf *bytes,
                                                        tg_aws_kms_answer *out_answer);

#endif
