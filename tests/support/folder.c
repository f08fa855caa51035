#include "support/folder.h"

#include "support/case.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUM_PATHS = 8 };

static char folder[32];

int tg_test_folder_set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/teegate-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *at)
{
    (void)facts;
    (void)kind;
    (void)at;
    return remove(path);
}

int tg_test_folder_tear_down(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *tg_test_folder(void)
{
    return folder;
}

const char *tg_test_path(const char *name)
{
    static char paths[NUM_PATHS][256];
    static size_t num_given;
    char *path = paths[num_given++ % NUM_PATHS];
    assert_in_range(snprintf(path, sizeof paths[0], "%s/%s", folder, name), 1, sizeof paths[0] - 1);
    return path;
}

void tg_test_write_file(const char *name, tg_slice content)
{
    FILE *file = fopen(tg_test_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}
