/* AWS Signature Version 4 in the Authorization header (AWS IAM user guide, "Create a signed AWS API request"). */
#ifndef TG_AWS_SIGV4_H
#define TG_AWS_SIGV4_H

#include "base/buf.h"
#include "http/message.h"

enum {
    TG_SIGV4_DATE_BYTES = 17,  /* of "20150830T123600Z" with its NUL */
    TG_SIGV4_MAX_HEADERS = 32, /* that one request signs */
    TG_SIGV4_MAX_PARAMETERS = 64
};

/* What signs. The secret's bytes are the caller's, who wipes them; session_token is empty for long-term keys. */
typedef struct tg_aws_keys {
    tg_slice access_key_id;
    tg_slice secret_access_key;
    tg_slice session_token;
} tg_aws_keys;

typedef struct tg_sigv4_scope {
    tg_slice region;
    tg_slice service; /* the signing name: kms, secretsmanager, s3, sts */
    uint64_t unix_s;  /* when it is signed: AWS takes five minutes either way */
} tg_sigv4_scope;

/* The request as it will be sent, but for Authorization. */
typedef struct tg_sigv4_request {
    tg_slice method;
    tg_slice path;  /* percent-encoded as sent */
    tg_slice query; /* percent-encoded as sent, by RFC 3986's unreserved set; without the question mark */
    const tg_http_header *headers; /* all are signed: Host, X-Amz-Date, and the others that are to be */
    size_t num_headers;
    tg_slice payload_hash; /* hexadecimal SHA-256 of the body, or TG_SIGV4_UNSIGNED_PAYLOAD */
    bool is_path_verbatim; /* S3: the path is signed as it stands, neither normalized nor encoded again */
} tg_sigv4_request;

/* The SHA-256 of an empty body, and what S3 takes over TLS in place of a body's digest. */
#define TG_SIGV4_EMPTY_PAYLOAD    TG_LIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
#define TG_SIGV4_UNSIGNED_PAYLOAD TG_LIT("UNSIGNED-PAYLOAD")

/* tg_sigv4_format_date writes the value of X-Amz-Date. Years past 9999 are shown as 9999. */
void tg_sigv4_format_date(uint64_t unix_s, char out[TG_SIGV4_DATE_BYTES]);

/* tg_sigv4_sign appends the value of the Authorization header.
 * err   TG_ERR_LIMIT past TG_SIGV4_MAX_HEADERS, TG_SIGV4_MAX_PARAMETERS or the buffer's maximum, TG_ERR_MEMORY,
 *       TG_ERR_LIBRARY; buf may then hold a part
 * thread  any
 */
TG_MUST_USE tg_result tg_sigv4_sign(const tg_aws_keys *keys, const tg_sigv4_scope *scope,
                                    const tg_sigv4_request *request, tg_buf *buf);

/* The steps, for tests and for whoever looks for a difference: the canonical request, the names of its signed headers,
 * and the string that is signed. Errors as above. */
TG_MUST_USE tg_result tg_sigv4_append_canonical(const tg_sigv4_request *request, tg_buf *buf);
TG_MUST_USE tg_result tg_sigv4_append_signed_names(const tg_sigv4_request *request, tg_buf *buf);
TG_MUST_USE tg_result tg_sigv4_append_string_to_sign(const tg_sigv4_scope *scope, tg_slice canonical, tg_buf *buf);

/* tg_aws_uri_append appends `text` percent-encoded as AWS does it: all but RFC 3986's unreserved characters, and the
 * slash where `keeps_slash`. */
TG_MUST_USE tg_result tg_aws_uri_append(tg_slice text, bool keeps_slash, tg_buf *buf);

#endif
