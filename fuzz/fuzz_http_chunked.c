// room: http
// A chunked body, whole and in steps (first byte): the same content, the same end.
#include "http/chunked.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BODY = 4096 };

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

typedef struct decoded {
    tg_code code;
    size_t num_read;
    size_t len;
    uint8_t content[MAX_BODY];
} decoded;

static void decode(tg_slice bytes, size_t step, decoded *out)
{
    tg_http_chunked decoder;
    tg_result result = tg_fail(TG_ERR_AGAIN);
    tg_http_chunked_start(&decoder, MAX_BODY);
    out->len = 0;
    out->num_read = 0;
    while (out->num_read < bytes.len && result.code == TG_ERR_AGAIN) {
        tg_slice rest = tg_slice_first(tg_slice_from(bytes, out->num_read), step);
        size_t len = rest.len;
        tg_slice piece;
        while (tg_is_ok(result = tg_http_chunked_next(&decoder, &rest, &piece))) {
            expect(piece.len > 0 && piece.len <= MAX_BODY - out->len);
            memcpy(out->content + out->len, piece.ptr, piece.len);
            out->len += piece.len;
        }
        expect(rest.len <= len && (result.code != TG_ERR_AGAIN || rest.len == 0));
        out->num_read += len - rest.len;
    }
    out->code = result.code;
    expect((decoder.refusal != TG_HTTP_NOT_REFUSED) == (result.code == TG_ERR_SYNTAX || result.code == TG_ERR_LIMIT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static decoded whole;
    static decoded parts;
    if (size < 1) {
        return 0;
    }
    tg_slice bytes = tg_slice_of(data + 1, size - 1);
    decode(bytes, bytes.len > 0 ? bytes.len : 1, &whole);
    decode(bytes, data[0] + 1u, &parts);
    expect(whole.code == parts.code && whole.num_read == parts.num_read && whole.len == parts.len);
    expect(memcmp(whole.content, parts.content, whole.len) == 0);
    return 0;
}
