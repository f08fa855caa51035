#include "aws/reader.h"

#include <stdlib.h>

static void on_answer(tg_aws_call *call, const tg_aws_answer *came, void *owner)
{
    tg_aws_reader *reader = owner;
    tg_aws_failure failure;
    tg_buf bytes;
    (void)call;
    if (came->failure != NULL) {
        reader->tell(reader, came->failure);
        return;
    }
    tg_buf_init_wiped(&bytes, reader->max_bytes);
    tg_result result = reader->read(reader, came, &bytes);
    if (tg_is_ok(result)) {
        reader->tell(reader, NULL);
    } else {
        tg_aws_failure_set(&failure, result, TG_AWS_GIVE_UP, tg_slice_str(reader->promise));
        reader->tell(reader, &failure);
    }
    tg_buf_done(&bytes);
}

tg_result tg_aws_reader_start(tg_aws_client *client, const tg_aws_ask *ask, const tg_aws_reader *shape, size_t size,
                              tg_aws_call **out_call)
{
    tg_aws_reader *reader = malloc(size);
    if (reader == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memcpy(reader, shape, size);
    tg_result result = tg_aws_call_start(client, ask, on_answer, free, reader, out_call);
    if (!tg_is_ok(result)) {
        free(reader);
    }
    return result;
}
