// room: schema
/* The small languages within a schema: references, addresses, patterns. Input: up to three lines and a document. */
#include "schema/library.h"
#include "schema/pattern.h"
#include "schema/uri.h"

#include <stdint.h>
#include <stdlib.h>

static void require(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void resolve_address(tg_slice base, tg_slice reference)
{
    tg_buf address;
    tg_buf_init(&address, TG_MAX_URI_BYTES);
    if (tg_is_ok(tg_uri_resolve(base, reference, &address)) && tg_uri_is_local(tg_buf_slice(&address))) {
        tg_buf plain;
        tg_buf_init(&plain, TG_MAX_URI_BYTES);
        require(!tg_is_ok(tg_uri_unescape(tg_buf_slice(&address), &plain)) || tg_buf_len(&plain) <= TG_MAX_URI_BYTES);
        tg_buf_done(&plain);
    }
    tg_buf_done(&address);
}

static void match(tg_slice text, tg_slice name)
{
    tg_pii_pattern *pattern = NULL;
    if (tg_is_ok(tg_pii_pattern_new(text, &pattern, NULL))) {
        bool is_match = false;
        tg_result result = tg_pii_pattern_match(pattern, name, &is_match);
        require(tg_is_ok(result) || !is_match);
        tg_pii_pattern_free(pattern);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice rest = tg_slice_of(data, size);
    tg_slice base = tg_slice_split(&rest, '\n');
    tg_slice reference = tg_slice_split(&rest, '\n');
    tg_slice name = tg_slice_split(&rest, '\n');
    resolve_address(base, reference);
    match(reference, name);
    tg_library library;
    if (tg_is_ok(tg_library_init(&library, 1))) {
        tg_detail detail = {0};
        tg_place target;
        if (tg_is_ok(tg_library_read(&library, 0, TG_LIT("x/a.yaml"), rest, &detail))) {
            tg_place from = {0, library.docs[0].tree.root};
            if (tg_is_ok(tg_library_resolve(&library, from, reference, &target, &detail))) {
                require(target.doc == 0 && target.node < library.docs[0].tree.num_items);
            } else {
                require(detail.reason[0] != 0);
            }
        }
        tg_library_done(&library);
    }
    return 0;
}
