#include "schema/schema_directory.h"
#include "support/schema_case.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static int make_top(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/tg-schemas-XXXXXX");
    return mkdtemp(top) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *at)
{
    (void)facts;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_top(void **state)
{
    (void)state;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void load_directory_takes_schemas_of_all_depths(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("bank"), 0755), 0);
    assert_int_equal(mkdir(path_of("bank/eu"), 0755), 0);
    assert_int_equal(mkdir(path_of(".git"), 0755), 0);
    write_file("a.yaml", SCHEMAS("A: {x-pii: true}"));
    write_file("bank/eu/sepa.json", "{\"openapi\": \"3.1.0\"}");
    write_file("bank/b.yml", "openapi: [\n");
    write_file(".git/x.yaml", "openapi: [\n");
    write_file(".hidden.yaml", "openapi: [\n");
    write_file("notes.txt", "not read\n");
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    assert_ok(tg_schema_set_load(top, NULL, &faults, &set));
    assert_int_equal(tg_schema_set_num_schemas(set), 2);
    assert_slice(tg_schema_name(tg_schema_set_at(set, 1)), "bank/eu/sepa");
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].file, "bank/b.yml");
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

static void load_links_are_followed_below_the_directory_alone(void **state)
{
    (void)state;
    char outside[80];
    snprintf(outside, sizeof outside, "%s.outside.yaml", top);
    FILE *file = fopen(outside, "w");
    assert_non_null(file);
    fputs(SCHEMAS("A: {}"), file);
    fclose(file);
    assert_int_equal(mkdir(path_of("..data"), 0755), 0);
    write_file("..data/real.yaml", SCHEMAS("A: {}"));
    assert_int_equal(symlink("..data/real.yaml", path_of("mounted.yaml")), 0);
    assert_int_equal(symlink(outside, path_of("absolute.yaml")), 0);
    char relative[80];
    snprintf(relative, sizeof relative, "..%s", strrchr(outside, '/'));
    assert_int_equal(symlink(relative, path_of("relative.yaml")), 0);
    assert_int_equal(symlink("nowhere.yaml", path_of("dangling.yaml")), 0);
    assert_int_equal(symlink(".", path_of("loop")), 0);
    assert_int_equal(mkfifo(path_of("pipe.yaml"), 0644), 0);
    assert_int_equal(symlink("..data", path_of("directory.yaml")), 0);
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    assert_ok(tg_schema_set_load(top, NULL, &faults, &set));
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    assert_slice(tg_schema_name(tg_schema_set_at(set, 0)), "mounted");
    assert_int_equal(faults.num_faults, 5);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
    assert_int_equal(unlink(outside), 0);
}

static void load_missing_directory_is_told(void **state)
{
    (void)state;
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    tg_result result = tg_schema_set_load(path_of("no"), NULL, &faults, &set);
    assert_code(result, TG_ERR_SYSTEM);
    assert_int_equal(result.os_error, ENOENT);
    assert_null(set);
    assert_int_equal(faults.num_faults, 1);
    assert_true(strstr(faults.faults[0].reason, "No such file") != NULL);
    write_file("file", "x");
    assert_code(tg_schema_set_load(path_of("file"), NULL, &faults, &set), TG_ERR_SYSTEM);
    tg_faults_done(&faults);
}

static void load_oversized_or_unreadable_file_is_left_out(void **state)
{
    (void)state;
    write_file("good.yaml", SCHEMAS("A: {}"));
    write_file("large.yaml", "");
    assert_int_equal(truncate(path_of("large.yaml"), (off_t)TG_MAX_SCHEMA_FILE_BYTES + 1), 0);
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    assert_ok(tg_schema_set_load(top, NULL, &faults, &set));
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    assert_int_equal(faults.num_faults, 1);
    assert_true(strstr(faults.faults[0].reason, "larger than 64 MiB") != NULL);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

static void load_files_larger_together_than_a_set_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d.yaml", i);
        write_file(name, "");
        assert_int_equal(truncate(path_of(name), (off_t)TG_MAX_SCHEMA_FILE_BYTES), 0);
    }
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_files files;
    assert_code(tg_schema_files_read(&files, top, &faults), TG_ERR_LIMIT);
    assert_int_equal(faults.num_faults, 1);
    tg_schema_files_done(&files);
    tg_faults_done(&faults);
}

static void load_directories_nested_too_deep_are_told(void **state)
{
    (void)state;
    char path[1024] = "";
    for (unsigned i = 0; i <= TG_MAX_SCHEMA_DIRECTORY_DEPTH; i++) {
        strcat(path, i == 0 ? "d" : "/d");
        assert_int_equal(mkdir(path_of(path), 0755), 0);
    }
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    assert_ok(tg_schema_set_load(top, NULL, &faults, &set));
    assert_int_equal(tg_schema_set_num_schemas(set), 0);
    assert_int_equal(faults.num_faults, 1);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(load_directory_takes_schemas_of_all_depths, make_top, remove_top),
        cmocka_unit_test_setup_teardown(load_links_are_followed_below_the_directory_alone, make_top, remove_top),
        cmocka_unit_test_setup_teardown(load_missing_directory_is_told, make_top, remove_top),
        cmocka_unit_test_setup_teardown(load_oversized_or_unreadable_file_is_left_out, make_top, remove_top),
        cmocka_unit_test_setup_teardown(load_files_larger_together_than_a_set_are_refused, make_top, remove_top),
        cmocka_unit_test_setup_teardown(load_directories_nested_too_deep_are_told, make_top, remove_top),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
