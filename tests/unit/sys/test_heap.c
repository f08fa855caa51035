#include "support/case.h"

#include "sys/heap.h"
#include "sys/sanitizer.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static size_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &pages, &resident), 2); /* the kernel's own text */
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void trim_gives_back_what_lies_between_blocks_in_use(void **state)
{
    (void)state;
    enum { NUM_BLOCKS = 20000, BLOCK_BYTES = 1000, MUCH_BYTES = NUM_BLOCKS * BLOCK_BYTES / 2 };
    static char *blocks[NUM_BLOCKS];
    if (TG_IS_SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (size_t i = 0; i + 1 < NUM_BLOCKS; i++) { /* the last one keeps the heap's end where it is */
        free(blocks[i]);
    }
    size_t before = resident_bytes();
    tg_heap_trim();
    assert_true(resident_bytes() + MUCH_BYTES < before);
    free(blocks[NUM_BLOCKS - 1]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(return_long_blocks_holds_after_one_was_freed),
        cmocka_unit_test(trim_gives_back_what_lies_between_blocks_in_use),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
