#include "io/hvsock.h"

#include "base/num.h"

#include <stdio.h>

size_t tg_hvsock_format_request(uint32_t port, char out[TG_HVSOCK_REQUEST_BYTES])
{
    return (size_t)snprintf(out, TG_HVSOCK_REQUEST_BYTES, "CONNECT %u\n", port);
}

/* answer = "OK" [ SP 1*10DIGIT ] LF */
tg_result tg_hvsock_parse_answer(tg_slice bytes, size_t *out_len)
{
    static const uint8_t begin[] = {'O', 'K'};
    tg_slice head = tg_slice_first(bytes, sizeof begin);
    if (!tg_slice_starts(tg_slice_of(begin, sizeof begin), head)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    size_t end = tg_slice_find(bytes, '\n');
    if (end >= TG_MAX_HVSOCK_ANSWER_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (end == bytes.len) {
        return tg_fail(TG_ERR_AGAIN);
    }
    tg_slice rest = tg_slice_from(tg_slice_first(bytes, end), sizeof begin);
    uint64_t number = 0;
    bool is_bare = end == sizeof begin;
    if (!is_bare && (rest.len < 2 || rest.ptr[0] != ' ' ||
                     !tg_is_ok(tg_num_parse_u64(tg_slice_from(rest, 1), UINT32_MAX, &number)))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_len = end + 1;
    return tg_ok();
}
