/* A folder of the test's own below /tmp, removed with all that is in it. */
#ifndef TG_TESTS_SUPPORT_FOLDER_H
#define TG_TESTS_SUPPORT_FOLDER_H

#include "base/slice.h"

/* Makes the folder: a test has one at a time. As set-up and tear-down of a group or a case; 0, or -1. */
int tg_test_folder_set_up(void **state);
int tg_test_folder_tear_down(void **state);

/* The folder's path, and that of something in it; the path holds until the eighth call after this one. */
const char *tg_test_folder(void);
const char *tg_test_path(const char *name);

/* Writes a file of the folder (and what stood there before is gone); fails the test where it cannot. */
void tg_test_write_file(const char *name, tg_slice content);

#endif
