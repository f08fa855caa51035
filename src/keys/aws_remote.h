/* The calls that keys are read by, made by aws/: signed, sent, and sent again where AWS asks for that. */
#ifndef TG_KEYS_AWS_REMOTE_H
#define TG_KEYS_AWS_REMOTE_H

#include "aws/call.h"
#include "keys/remote.h"

typedef struct tg_aws_remote tg_aws_remote;

/* tg_aws_remote_new makes one. err: TG_ERR_MEMORY. keep: the client outlives it; tg_aws_remote_free gives up a call */
TG_MUST_USE tg_result tg_aws_remote_new(tg_aws_client *client, tg_aws_remote **out_remote);
void tg_aws_remote_free(tg_aws_remote *remote);

/* The face that a source asks; it lives as long. */
tg_key_remote *tg_aws_remote_face(tg_aws_remote *remote);

#endif
