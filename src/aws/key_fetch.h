/* One look for credentials, through the sources that credentials.h lists. Inside the room only. */
#ifndef TG_AWS_KEY_FETCH_H
#define TG_AWS_KEY_FETCH_H

#include "aws/failure.h"
#include "aws/key_set.h"
#include "aws/transport.h"

typedef struct tg_aws_key_fetch tg_aws_key_fetch;

/* Called once, from the loop: set is the owner's; NULL where failure says why there is none. */
typedef void tg_aws_key_fetch_fn(tg_aws_key_set *set, const tg_aws_failure *failure, void *owner);

/* tg_aws_key_fetch_start looks for the first source that is configured and asks it.
 * out   *out_source: its name, static; *out_fetch: valid until tg_aws_key_fetch_free, which also gives up
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_aws_key_fetch_start(tg_aws_transport *transport, tg_aws_key_fetch_fn *done, void *owner,
                                             const char **out_source, tg_aws_key_fetch **out_fetch);
void tg_aws_key_fetch_free(tg_aws_key_fetch *fetch);

#endif
