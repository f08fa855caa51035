// room: envelope
/* Any bytes as binary HTTP: what is read is written in both forms and read back as the same. */
#include "envelope/bhttp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 1 << 22 };

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void need_same_section(const tg_bhttp_section *a, const tg_bhttp_section *b)
{
    need(a->num_fields == b->num_fields && a->num_fields <= TG_MAX_BHTTP_FIELDS);
    for (size_t i = 0; i < a->num_fields; i++) {
        need(tg_slice_equal(a->fields[i].name, b->fields[i].name));
        need(tg_slice_equal(a->fields[i].value, b->fields[i].value));
        need(tg_bhttp_find(a, a->fields[i].name).ptr != NULL || a->fields[i].value.len == 0);
    }
}

static void write_and_read(const tg_bhttp *message, tg_bhttp_form form, size_t size)
{
    tg_buf out;
    tg_arena arena;
    tg_bhttp again;
    tg_buf_init(&out, size + 64);
    tg_arena_init(&arena, ARENA_BYTES, true);
    need(tg_is_ok(tg_bhttp_append(message, form, &out)));
    need(tg_is_ok(tg_bhttp_parse(tg_buf_slice(&out), &arena, &again)));
    need(again.is_request == message->is_request && again.status == message->status);
    need(tg_slice_equal(again.method, message->method) && tg_slice_equal(again.path, message->path));
    need(tg_slice_equal(again.scheme, message->scheme) && tg_slice_equal(again.authority, message->authority));
    need(tg_slice_equal(again.content, message->content));
    need_same_section(&message->header, &again.header);
    need_same_section(&message->trailer, &again.trailer);
    tg_arena_done(&arena);
    tg_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_arena arena;
    tg_bhttp message;
    tg_arena_init(&arena, ARENA_BYTES, true);
    if (tg_is_ok(tg_bhttp_parse(tg_slice_of(data, size), &arena, &message))) {
        write_and_read(&message, TG_BHTTP_KNOWN_LENGTH, size);
        write_and_read(&message, TG_BHTTP_INDETERMINATE_LENGTH, size);
    }
    tg_arena_done(&arena);
    return 0;
}
