#include "support/case.h"

#include "sys/heap.h"
#include "sys/sanitizer.h"

#include <malloc.h>
#include <stdlib.h>

/* Bytes in blocks that are mapped for themselves. */
static size_t mapped_bytes(void)
{
    return mallinfo2().hblkhd;
}

static void return_long_blocks_holds_after_one_was_freed(void **state)
{
    (void)state;
    enum { LONG_BYTES = 4 * TG_HEAP_MAPPED_BYTES };
    assert_ok(tg_heap_return_long_blocks());
    if (TG_IS_SANITIZED) { /* its heap is another one */
        skip();
    }
    size_t before = mapped_bytes();
    for (unsigned i = 0; i < 3; i++) {
        char *volatile block = malloc(LONG_BYTES);
        assert_non_null(block);
        assert_true(mapped_bytes() >= before + LONG_BYTES);
        free(block);
        assert_int_equal(mapped_bytes(), before);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(return_long_blocks_holds_after_one_was_freed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
