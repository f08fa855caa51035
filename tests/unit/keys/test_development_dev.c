#include "keys/development_dev.h"
#include "support/case.h"
#include "support/folder.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

static void random_each_time_another_key(void **state)
{
    (void)state;
    tg_key_ring *first = NULL, *second = NULL;
    assert_ok(tg_key_random_dev(&first));
    assert_ok(tg_key_random_dev(&second));
    assert_int_equal(tg_key_ring_len(first), 1);
    assert_slice(tg_key_ring_at(first, 0)->id, "development");
    assert_int_equal(tg_secret_len(tg_key_ring_at(first, 0)->key), TG_DEK_BYTES);
    assert_false(tg_key_ring_equal(first, second));
    tg_key_ring_unref(first);
    tg_key_ring_unref(second);
}

static void kept_second_time_the_same_key(void **state)
{
    (void)state;
    tg_key_ring *first = NULL, *second = NULL;
    tg_detail detail = {0};
    struct stat facts;
    assert_ok(tg_key_kept_dev(tg_test_folder(), &first, &detail));
    assert_int_equal(stat(tg_test_path("dek"), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(facts.st_size, TG_DEK_BYTES);
    assert_ok(tg_key_kept_dev(tg_test_folder(), &second, &detail));
    assert_true(tg_secret_equal(tg_key_ring_at(first, 0)->key, tg_key_ring_at(second, 0)->key));
    tg_key_ring_unref(first);
    tg_key_ring_unref(second);
}

static void kept_in_a_folder_that_is_none_says_where(void **state)
{
    (void)state;
    tg_key_ring *ring = NULL;
    tg_detail detail = {0};
    assert_code(tg_key_kept_dev("/nonexistent", &ring, &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, "/nonexistent/dek");
    assert_string_equal(detail.remedy, "make the folder, writable for this user");
    char long_path[PATH_MAX + 1];
    memset(long_path, 'a', PATH_MAX);
    long_path[PATH_MAX - 4] = 0; /* with `/dek` and its NUL one byte too long */
    assert_code(tg_key_kept_dev(long_path, &ring, &detail), TG_ERR_LIMIT);
    assert_null(ring);
}

static void kept_file_that_holds_no_key_is_not_replaced(void **state)
{
    (void)state;
    tg_key_ring *ring = NULL;
    tg_detail detail = {0};
    tg_test_write_file("dek", TG_LIT("not a key"));
    assert_code(tg_key_kept_dev(tg_test_folder(), &ring, &detail), TG_ERR_SYNTAX);
    assert_null(ring);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(random_each_time_another_key),
        cmocka_unit_test(kept_second_time_the_same_key),
        cmocka_unit_test(kept_in_a_folder_that_is_none_says_where),
        cmocka_unit_test(kept_file_that_holds_no_key_is_not_replaced),
    };
    return cmocka_run_group_tests(cases, tg_test_folder_set_up, tg_test_folder_tear_down);
}
