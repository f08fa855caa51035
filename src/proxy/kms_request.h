/* What a caller of the KMS proxy asks: one JSON object, `{"operation": NAME, "input": {...}}`. */
#ifndef TG_PROXY_KMS_REQUEST_H
#define TG_PROXY_KMS_REQUEST_H

#include "base/detail.h"

#include <jansson.h>

enum { TG_KMS_MAX_REQUEST_BYTES = 65536, TG_KMS_MAX_REQUEST_DEPTH = 32 };

/* Finds where the object ends, however it is split; each byte is looked at once. Zeroed: at the beginning. */
typedef struct tg_kms_extent {
    size_t looked_at;
    size_t depth;
    bool is_in_string;
    bool is_escaped;
} tg_kms_extent;

/* tg_kms_extent_find looks on.
 * in    bytes: since the object's beginning (blanks before it included), those of earlier calls too
 * out   *out_len: bytes up to and with the object's last brace
 * err   TG_ERR_AGAIN: it has not ended; TG_ERR_SYNTAX: no object begins here; TG_ERR_LIMIT: past
 *       TG_KMS_MAX_REQUEST_BYTES or TG_KMS_MAX_REQUEST_DEPTH
 */
TG_FOREIGN TG_MUST_USE tg_result tg_kms_extent_find(tg_kms_extent *extent, tg_slice bytes, size_t *out_len);

typedef enum tg_kms_operation {
    TG_KMS_DECRYPT,
    TG_KMS_ENCRYPT,
    TG_KMS_GENERATE_DATA_KEY,
    TG_KMS_GENERATE_DATA_KEY_SEALED, /* GenerateDataKeyWithoutPlaintext */
    TG_KMS_GENERATE_RANDOM,
    TG_KMS_NUM_OPERATIONS
} tg_kms_operation;

/* How the caller spells members: the answer's are spelt so, too. */
typedef enum tg_kms_spelling {
    TG_KMS_PASCAL, /* KeyId, as AWS does */
    TG_KMS_CAMEL,  /* keyId */
    TG_KMS_SNAKE   /* key_id */
} tg_kms_spelling;

typedef struct tg_kms_request {
    tg_kms_operation operation;
    tg_kms_spelling spelling;
    json_t *input;   /* an object, its members named as AWS names them */
    bool has_key;    /* the operation uses a key */
    bool is_sealed;  /* the answer holds no plaintext but for an enclave's recipient */
    const char *key; /* KeyId, NULL where the caller names none; the input's */
} tg_kms_request;

/* tg_kms_request_parse reads one object. Member names are taken in any case, with underscores or without; bytes must be
 * padded base64.
 * err   TG_ERR_SYNTAX, TG_ERR_UNSUPPORTED (an operation that is not passed on), TG_ERR_MEMORY; the detail's reason is
 *       for the caller, and its field the answer's code
 * keep  ended by tg_kms_request_done
 */
TG_FOREIGN TG_MUST_USE tg_result tg_kms_request_parse(tg_slice json, tg_kms_request *out_request, tg_detail *detail);
void tg_kms_request_done(tg_kms_request *request);

/* tg_kms_request_set_key names the key in the input. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_kms_request_set_key(tg_kms_request *request, tg_slice key);

/* tg_kms_shows_plaintext says whether AWS's answer holds plaintext: for a Recipient, KMS leaves Plaintext out, or has
 * it null or empty. */
bool tg_kms_shows_plaintext(const json_t *output);

/* tg_kms_operation_name is AWS's name. Static. */
const char *tg_kms_operation_name(tg_kms_operation operation);

/* tg_kms_append_json writes a tree as JSON. tg_kms_append_answer writes `{"output":{...}}` and a newline, the members
 * of AWS's `output` spelt in the caller's way. tg_kms_append_error writes `{"error":TEXT,"code":CODE}` and a newline.
 * err   the buffer's
 */
TG_MUST_USE tg_result tg_kms_append_json(tg_buf *buf, const json_t *tree);
TG_MUST_USE tg_result tg_kms_append_answer(tg_buf *buf, const json_t *output, tg_kms_spelling spelling);
TG_MUST_USE tg_result tg_kms_append_error(tg_buf *buf, tg_slice code, tg_slice text);

#endif
