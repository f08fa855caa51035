/* Calls whose answer is read into a struct before the owner is told: what is read stands in wiped memory until then. */
#ifndef TG_AWS_READER_H
#define TG_AWS_READER_H

#include "aws/call.h"

/* The first member of what an operation knows of its call. */
typedef struct tg_aws_reader tg_aws_reader;
struct tg_aws_reader {
    size_t max_bytes;    /* of what is read */
    const char *promise; /* what is said of an answer that cannot be read; static */
    /* Reads a good answer into the operation's own struct; its bytes go to `bytes`. err: any, told with the promise */
    tg_result (*read)(tg_aws_reader *reader, const tg_aws_answer *came, tg_buf *bytes);
    /* Tells the owner, once: what was read, or the failure. */
    void (*tell)(const tg_aws_reader *reader, const tg_aws_failure *failure);
};

/* tg_aws_reader_start asks, with a copy of `shape` (size bytes: the operation's whole struct) that lives as long as the
 * call.
 * err   TG_ERR_MEMORY, tg_aws_call_start's; then nobody is told
 */
TG_MUST_USE tg_result tg_aws_reader_start(tg_aws_client *client, const tg_aws_ask *ask, const tg_aws_reader *shape,
                                          size_t size, tg_aws_call **out_call);

#endif
