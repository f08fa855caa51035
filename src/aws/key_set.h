/* Credentials that were obtained: immutable, counted by reference on one loop, wiped with the last reference; in locked
 * memory (sys/secret.h), or where none can be had in the heap, as the tool and the host's proxy may have to do. */
#ifndef TG_AWS_KEY_SET_H
#define TG_AWS_KEY_SET_H

#include "aws/sigv4.h"
#include "sys/secret.h"

enum { TG_AWS_MAX_KEY_ID_BYTES = 128, TG_AWS_MAX_SECRET_KEY_BYTES = 128, TG_AWS_MAX_TOKEN_BYTES = 16384 };

typedef struct tg_aws_key_set {
    size_t num_refs;
    tg_aws_keys keys;
    uint64_t expires_unix_s; /* 0: never */
    tg_secret *place;        /* what holds this struct and all its bytes; NULL: the heap */
    size_t num_bytes;        /* that stand behind this struct */
} tg_aws_key_set;

/* tg_aws_key_set_new copies keys that the caller wipes.
 * err   TG_ERR_LIMIT past the maxima; TG_ERR_SYNTAX: no key id or secret, or a byte that is no visible ASCII;
 *       TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_aws_key_set_new(const tg_aws_keys *keys, uint64_t expires_unix_s, tg_aws_key_set **out_set);
tg_aws_key_set *tg_aws_key_set_ref(tg_aws_key_set *set);
/* tg_aws_key_set_unref takes NULL too. */
void tg_aws_key_set_unref(tg_aws_key_set *set);

/* tg_aws_key_set_parse_json reads what instance metadata and container endpoints answer: AccessKeyId, SecretAccessKey,
 * Token, Expiration. tg_aws_key_set_parse_sts reads STS's answer to AssumeRoleWithWebIdentity (XML).
 * err   TG_ERR_SYNTAX: not of its form; TG_ERR_DENIED: a metadata document whose Code is not Success; as above
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_key_set_parse_json(tg_slice json, tg_aws_key_set **out_set);
TG_FOREIGN TG_MUST_USE tg_result tg_aws_key_set_parse_sts(tg_slice xml, tg_aws_key_set **out_set);

/* tg_aws_key_set_parse_profile reads one section of a shared file (~/.aws/credentials: `[NAME]`; ~/.aws/config, where
 * is_config: `[profile NAME]`, and `[default]`): aws_access_key_id, aws_secret_access_key, aws_session_token.
 * err   TG_ERR_NOT_FOUND: no such section, or none of the three in it; TG_ERR_SYNTAX: a line that is no comment,
 * section or `name = value`, or one of the two keys alone
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_key_set_parse_profile(tg_slice text, tg_slice profile, bool is_config,
                                                              tg_aws_key_set **out_set);

#endif
