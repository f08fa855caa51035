/* Whose calls these are: credentials found where AWS's own programs look for them, kept until they are about to expire,
 * and renewed by one refresh at a time.
 *
 * In this order, the first that is configured: the caller's callback; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
 * (AWS_SESSION_TOKEN); AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (STS); the shared files
 * (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, ~/.aws/; where AWS_PROFILE is set, they alone);
 * AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
 * ..._FULL_URI (ECS, EKS Pod Identity); the EC2 instance's metadata, version 2 (unless AWS_EC2_METADATA_DISABLED). */
#ifndef TG_AWS_CREDENTIALS_H
#define TG_AWS_CREDENTIALS_H

#include "aws/failure.h"
#include "aws/key_set.h"
#include "aws/transport.h"

enum {
    TG_AWS_REFRESH_BEFORE_S = 300,
    TG_AWS_FRESH_S = 10 /* no source is asked again so soon, however near the end of its keys is */
};

typedef struct tg_aws_credentials tg_aws_credentials;

/* A caller's own source, before all others; called on the loop's thread. */
typedef struct tg_aws_key_source {
    /* Sets *out_set, or says why it has none and nobody else may be asked. Leaves *out_set as it is where the others
     * are to be asked. Called again when the keys expire. */
    tg_result (*get)(void *owner, tg_aws_key_set **out_set);
    /* NULL: what it gave is good until it expires. Else its number is asked before each use: another one than before,
     * and keys that are held, of whatever source, are given up and asked for anew. */
    uint64_t (*version)(void *owner);
    void *owner;
} tg_aws_key_source;

/* tg_aws_credentials_new looks at nothing yet. source: copied; NULL: as above.
 * err   TG_ERR_MEMORY. keep: the transport outlives it
 */
TG_MUST_USE tg_result tg_aws_credentials_new(tg_aws_transport *transport, const tg_aws_key_source *source,
                                             tg_aws_credentials **out_credentials);
/* tg_aws_credentials_free: no wait is left. NULL is fine. */
void tg_aws_credentials_free(tg_aws_credentials *credentials);

/* tg_aws_credentials_now gives keys that are good now, or NULL: wait for them. Keys that are good for less than
 * TG_AWS_REFRESH_BEFORE_S are given, too, and renewed meanwhile; and keys that came less than TG_AWS_FRESH_S ago,
 * though they seem to have expired: the clock may be wrong. The set is the credentials' own. */
tg_aws_key_set *tg_aws_credentials_now(tg_aws_credentials *credentials);

/* tg_aws_credentials_drop takes these keys for expired: AWS said so. */
void tg_aws_credentials_drop(tg_aws_credentials *credentials, const tg_aws_key_set *set);

/* tg_aws_credentials_source names where they come from: "environment", "web identity", "shared files", "container",
 * "instance", "callback"; "none" before anything was looked at. Static. */
const char *tg_aws_credentials_source(const tg_aws_credentials *credentials);

/* Who waits. The storage is the waiter's, zeroed before; it leaves with tg_aws_credentials_leave, or when told. */
typedef struct tg_aws_wait tg_aws_wait;
struct tg_aws_wait {
    tg_link link;
    /* set: good keys, of the credentials; NULL: failure says why. From the loop, once. */
    void (*ready)(tg_aws_wait *wait, tg_aws_key_set *set, const tg_aws_failure *failure);
};
void tg_aws_credentials_wait(tg_aws_credentials *credentials, tg_aws_wait *wait);
void tg_aws_credentials_leave(tg_aws_wait *wait);

#endif
