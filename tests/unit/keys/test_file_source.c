#include "keys/file_source.h"
#include "support/case.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static int make_folder(void **state)
{
    int is_failed = tg_test_folder_set_up(state);
    snprintf(path, sizeof path, "%s", tg_test_path("dek"));
    return is_failed;
}

static void write_file(tg_slice content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

static void read_raw_and_base64_give_the_same_key(void **state)
{
    (void)state;
    uint8_t raw[32];
    memset(raw, 0xaa, sizeof raw);
    const tg_slice forms[] = {
        tg_slice_of(raw, sizeof raw),
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="),
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n"),
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\r\n"),
    };
    for (size_t i = 0; i < TG_COUNT(forms); i++) {
        tg_key_ring *ring = NULL;
        write_file(forms[i]);
        assert_ok(tg_key_file_read(path, &ring, NULL));
        assert_slice(tg_key_ring_at(ring, 0)->id, "file");
        assert_memory_equal(tg_secret_bytes(tg_key_ring_at(ring, 0)->key), raw, 32);
        tg_key_ring_unref(ring);
    }
}

static void read_other_content_is_refused_without_showing_it(void **state)
{
    (void)state;
    const tg_slice forms[] = {
        TG_LIT(""),
        TG_LIT("0123456789012345678901234567890"),
        TG_LIT("012345678901234567890123456789012"),
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqr="), /* spare bits */
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\nmore"),
        TG_LIT("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"), /* 33 bytes */
    };
    for (size_t i = 0; i < TG_COUNT(forms); i++) {
        tg_key_ring *ring = NULL;
        tg_detail detail = {0};
        write_file(forms[i]);
        assert_code(tg_key_file_read(path, &ring, &detail), TG_ERR_SYNTAX);
        assert_null(ring);
        assert_string_equal(detail.file, path);
        assert_string_equal(detail.reason, "holds neither 32 bytes nor the base64 of 32 bytes");
    }
}

static void read_missing_or_no_file_says_so(void **state)
{
    (void)state;
    tg_key_ring *ring = NULL;
    tg_detail detail = {0};
    assert_code(tg_key_file_read("/nonexistent/dek", &ring, &detail), TG_ERR_NOT_FOUND);
    assert_string_equal(detail.reason, "no such file");
    assert_code(tg_key_file_read(tg_test_folder(), &ring, &detail), TG_ERR_UNSUPPORTED);
    assert_code(tg_key_file_read("/dev/zero", &ring, &detail), TG_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_raw_and_base64_give_the_same_key),
        cmocka_unit_test(read_other_content_is_refused_without_showing_it),
        cmocka_unit_test(read_missing_or_no_file_says_so),
    };
    return cmocka_run_group_tests(cases, make_folder, tg_test_folder_tear_down);
}
