// room: aws
// Documents and files with credentials: read or refused; what is read has a key id and a secret that can be signed
// with.
#include "aws/key_set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(tg_result result, tg_aws_key_set **out_set)
{
    tg_aws_key_set *set = *out_set;
    if (!tg_is_ok(result)) {
        return;
    }
    if (set->keys.access_key_id.len == 0 || set->keys.secret_access_key.len == 0 || set->num_refs != 1) {
        abort();
    }
    tg_aws_key_set_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    tg_aws_key_set *set = NULL;
    check(tg_aws_key_set_parse_json(text, &set), &set);
    check(tg_aws_key_set_parse_sts(text, &set), &set);
    check(tg_aws_key_set_parse_profile(text, TG_LIT("default"), false, &set), &set);
    check(tg_aws_key_set_parse_profile(text, TG_LIT("p"), true, &set), &set);
    return 0;
}
