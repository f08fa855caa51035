#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

void tg_assert_slice(tg_slice actual, tg_slice expected, const char *file, int line)
{
    if (!tg_slice_equal(actual, expected)) {
        print_error("actual:   \"%.*s\"\nexpected: \"%.*s\"\n", (int)actual.len, (const char *)actual.ptr,
                    (int)expected.len, (const char *)expected.ptr);
        _fail(file, line);
    }
}

tg_slice tg_read_vector(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TG_TEST_VECTORS, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open the vector file %s", path);
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, len, file), len);
    bytes[len] = 0;
    fclose(file);
    return tg_slice_of(bytes, len);
}
