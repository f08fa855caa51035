#include "support/folder.h"
#include "unit/secrets/secrets_case.h"

#include "crypto/init.h"
#include "secrets/files.h"
#include "secrets/store.h"
#include "sys/file.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static tg_bundle parse(const char *text)
{
    const tg_bundle_rules rules = {.is_sealed = true, .now_unix_s = test_now()};
    tg_bundle bundle;
    tg_delivery_fault fault;
    assert_ok(tg_bundle_parse(tg_slice_str(text), &rules, &bundle, &fault));
    return bundle;
}

static tg_bundle parse_parts(const test_parts *parts)
{
    char *text = test_good_delivery(parts);
    tg_bundle bundle = parse(text);
    free(text);
    return bundle;
}

static void check_file(const char *name, unsigned mode, const char *content)
{
    struct stat found;
    tg_buf bytes;
    tg_buf_init(&bytes, 65536);
    assert_int_equal(stat(tg_test_path(name), &found), 0);
    assert_int_equal(found.st_mode & 07777, mode);
    assert_ok(tg_file_read(tg_test_path(name), &bytes));
    assert_int_equal(tg_buf_len(&bytes), strlen(content));
    assert_memory_equal(tg_buf_slice(&bytes).ptr, content, strlen(content));
    tg_buf_done(&bytes);
}

/* No other files than these stand there. */
static void check_only(const char *folder, const char *const *names, size_t num_names)
{
    DIR *directory = opendir(tg_test_path(folder));
    size_t num_found = 0;
    const struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            bool is_known = false;
            for (size_t i = 0; i < num_names; i++) {
                is_known = is_known || strcmp(names[i], entry->d_name) == 0;
            }
            assert_true(is_known);
            num_found++;
        }
    }
    closedir(directory);
    assert_int_equal(num_found, num_names);
}

static const char *const files[] = {"client.crt", "client.key", "ecs-ca.crt"};

static void check_nothing_left(void)
{
    check_only(".", files, TG_COUNT(files));
}

typedef struct listener {
    tg_result answer;
    unsigned num_calls;
    uint64_t version;
} listener;

static tg_result on_changed(tg_secrets *secrets, void *owner)
{
    listener *told = owner;
    told->num_calls++;
    told->version = tg_secrets_version(secrets);
    return told->answer;
}

static void tg_secrets_store_apply_twice_merges_and_replaces_files(void **state)
{
    test_parts first = test_make_parts("first"), second = test_make_parts("second");
    tg_bundle one = parse_parts(&first), two = parse("{\"AWS_ACCESS_KEY_ID\":\"id\",\"AWS_SECRET_ACCESS_KEY\":\"k\"}");
    tg_bundle three = parse_parts(&second);
    listener told = {.answer = {TG_OK, 0}};
    tg_secrets_store *store;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(tg_secrets_store_new(tg_test_folder(), on_changed, &told, &store));
    assert_int_equal(tg_secrets_version(tg_secrets_store_current(store)), 0);
    assert_null(tg_secrets_client(tg_secrets_store_current(store)));
    assert_ok(tg_secrets_store_apply(store, &one, 1, &fault));
    check_file("client.crt", 0644, first.cert);
    check_file("client.key", 0600, first.key);
    check_file("ecs-ca.crt", 0644, first.ca);
    tg_secrets *held = tg_secrets_ref(tg_secrets_store_current(store));
    assert_ok(tg_secrets_store_apply(store, &two, 5, &fault));
    const tg_secrets *now = tg_secrets_store_current(store);
    assert_int_equal(tg_secrets_version(now), 5);
    assert_ptr_equal(tg_secrets_client(now), one.client); /* what a delivery does not name stays */
    assert_non_null(tg_secrets_ca(now));
    assert_null(tg_secrets_server(now));
    assert_int_equal(tg_secret_len(tg_secrets_value(now, "AWS_ACCESS_KEY_ID")), 2);
    assert_non_null(tg_secrets_value(now, "ECS_WATERMARK_ENDPOINT"));
    assert_null(tg_secrets_value(now, "OTHER"));
    assert_ok(tg_secrets_store_apply(store, &three, 6, &fault));
    assert_ptr_equal(tg_secrets_client(tg_secrets_store_current(store)), three.client);
    check_file("client.crt", 0644, second.cert);
    check_file("client.key", 0600, second.key);
    check_nothing_left();
    assert_int_equal(told.num_calls, 3);
    assert_int_equal(told.version, 6);
    assert_ptr_equal(tg_secrets_client(held), one.client); /* who holds the old set keeps it whole */
    assert_null(tg_secrets_value(held, "AWS_ACCESS_KEY_ID"));
    tg_secrets_unref(held);
    tg_bundle_done(&one);
    tg_bundle_done(&two);
    tg_bundle_done(&three);
    tg_secrets_store_free(store);
    test_parts_done(&first);
    test_parts_done(&second);
}

static void tg_secrets_store_apply_that_is_refused_changes_nothing(void **state)
{
    test_parts first = test_make_parts("first"), second = test_make_parts("second");
    tg_bundle one = parse_parts(&first), two = parse_parts(&second);
    listener told = {.answer = {TG_OK, 0}};
    tg_secrets_store *store;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(tg_secrets_store_new(tg_test_folder(), on_changed, &told, &store));
    assert_ok(tg_secrets_store_apply(store, &one, 7, &fault));
    assert_code(tg_secrets_store_apply(store, &two, 7, &fault), TG_ERR_RANGE);
    assert_string_equal(fault.code, "not_newer");
    told.answer = (tg_result){TG_ERR_MEMORY, 0};
    assert_code(tg_secrets_store_apply(store, &two, 8, &fault), TG_ERR_MEMORY);
    assert_string_equal(fault.code, "cannot_apply");
    assert_int_equal(tg_secrets_version(tg_secrets_store_current(store)), 7);
    assert_ptr_equal(tg_secrets_client(tg_secrets_store_current(store)), one.client);
    check_file("client.crt", 0644, first.cert);
    check_nothing_left();
    tg_bundle_done(&one);
    tg_bundle_done(&two);
    tg_secrets_store_free(store);
    test_parts_done(&first);
    test_parts_done(&second);
}

/* Of the first delivery nothing is left; what cannot be put into force is not on the disk either. */
static void tg_secrets_store_apply_that_is_refused_first_leaves_no_file(void **state)
{
    test_parts parts = test_make_parts("first");
    tg_bundle bundle = parse_parts(&parts);
    listener told = {.answer = {TG_ERR_MEMORY, 0}};
    tg_secrets_store *store;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(tg_secrets_store_new(tg_test_folder(), on_changed, &told, &store));
    assert_code(tg_secrets_store_apply(store, &bundle, 1, &fault), TG_ERR_MEMORY);
    assert_string_equal(fault.code, "cannot_apply");
    check_only(".", NULL, 0);
    tg_secrets_store_free(store);
    tg_bundle_done(&bundle);
    test_parts_done(&parts);
}

/* As a process leaves them that is killed between two steps of a replacement. */
static void tg_secrets_files_prepare_after_a_kill_puts_the_old_back(void **state)
{
    tg_detail detail = {0};
    (void)state;
    tg_test_write_file("client.crt", TG_LIT("new")); /* the first has moved, the others have not */
    tg_test_write_file("client.key", TG_LIT("old"));
    tg_test_write_file("ecs-ca.crt", TG_LIT("old"));
    tg_test_write_file("client.key.new", TG_LIT("new"));
    tg_test_write_file("ecs-ca.crt.new", TG_LIT("new"));
    for (size_t i = 0; i < TG_COUNT(files); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.old", files[i]);
        tg_test_write_file(name, TG_LIT("old"));
    }
    assert_ok(tg_secrets_files_prepare(tg_test_folder(), &detail));
    check_nothing_left();
    for (size_t i = 0; i < TG_COUNT(files); i++) {
        check_file(files[i], 0644, "old");
    }
    tg_test_write_file("client.key.old", TG_LIT("older")); /* killed while it forgot the old ones */
    assert_ok(tg_secrets_files_prepare(tg_test_folder(), &detail));
    check_nothing_left();
    check_file("client.key", 0644, "old");
    unlink(tg_test_path("client.key"));
    tg_test_write_file("client.key.old", TG_LIT("old")); /* where there are no links: before the new had its name */
    assert_ok(tg_secrets_files_prepare(tg_test_folder(), &detail));
    check_nothing_left();
    check_file("client.key", 0644, "old");
}

static void tg_secrets_store_apply_without_its_directory_keeps_the_old(void **state)
{
    test_parts parts = test_make_parts("first");
    tg_bundle bundle = parse_parts(&parts);
    tg_secrets_store *store;
    tg_delivery_fault fault;
    char gone[256];
    (void)state;
    snprintf(gone, sizeof gone, "%s/gone", tg_test_folder());
    assert_ok(tg_secrets_store_new(gone, NULL, NULL, &store));
    assert_code(tg_secrets_store_apply(store, &bundle, 1, &fault), TG_ERR_SYSTEM);
    assert_string_equal(fault.code, "cannot_store");
    assert_non_null(strstr(fault.detail.file, "client.crt.new"));
    assert_null(tg_secrets_client(tg_secrets_store_current(store)));
    tg_detail detail = {0};
    assert_ok(tg_secrets_files_prepare(gone, &detail));
    assert_ok(tg_secrets_store_apply(store, &bundle, 1, &fault));
    check_file("gone/client.crt", 0644, parts.cert);
    tg_secrets_store_free(store);
    assert_int_equal(mkdir(tg_test_path("blocked"), 0755), 0);
    assert_int_equal(mkdir(tg_test_path("blocked/client.key"), 0755), 0); /* no file, and nothing to replace */
    tg_test_write_file("blocked/client.crt", TG_LIT("old"));
    assert_ok(tg_secrets_store_new(tg_test_path("blocked"), NULL, NULL, &store));
    assert_code(tg_secrets_store_apply(store, &bundle, 1, &fault), TG_ERR_UNSUPPORTED);
    assert_string_equal(fault.code, "cannot_store");
    assert_non_null(strstr(fault.detail.file, "blocked/client.key"));
    assert_int_equal(tg_secrets_version(tg_secrets_store_current(store)), 0);
    check_file("blocked/client.crt", 0644, "old");
    check_only("blocked", (const char *const[]){"client.crt", "client.key"}, 2);
    tg_secrets_store_free(store);
    tg_bundle_done(&bundle);
    test_parts_done(&parts);
}

/* A limit of file sizes stands for a disk that is full. */
static void tg_secrets_store_apply_on_a_full_disk_keeps_the_old(void **state)
{
    test_parts first = test_make_parts("first"), second = test_make_parts("second");
    tg_bundle one = parse_parts(&first), two = parse_parts(&second);
    struct rlimit before, small;
    tg_secrets_store *store;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(tg_secrets_store_new(tg_test_folder(), NULL, NULL, &store));
    assert_ok(tg_secrets_store_apply(store, &one, 1, &fault));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 300; /* the first file begins, and does not end */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    tg_result result = tg_secrets_store_apply(store, &two, 2, &fault);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_code(result, TG_ERR_SYSTEM);
    assert_string_equal(fault.code, "cannot_store");
    assert_int_equal(tg_secrets_version(tg_secrets_store_current(store)), 1);
    check_file("client.crt", 0644, first.cert);
    check_file("client.key", 0600, first.key);
    check_nothing_left();
    tg_secrets_store_free(store);
    tg_bundle_done(&one);
    tg_bundle_done(&two);
    test_parts_done(&first);
    test_parts_done(&second);
}

static void tg_secrets_files_prepare_makes_what_is_missing(void **state)
{
    tg_detail detail = {0};
    struct stat found;
    char path[256];
    (void)state;
    snprintf(path, sizeof path, "%s/a/b/c/", tg_test_folder());
    assert_ok(tg_secrets_files_prepare(path, &detail));
    assert_ok(tg_secrets_files_prepare(path, &detail));
    assert_int_equal(stat(tg_test_path("a/b/c"), &found), 0);
    tg_test_write_file("file", TG_LIT("x"));
    snprintf(path, sizeof path, "%s/file/below", tg_test_folder());
    assert_code(tg_secrets_files_prepare(path, &detail), TG_ERR_SYSTEM);
    assert_code(tg_secrets_files_prepare("", &detail), TG_ERR_LIMIT);
}

static void tg_secrets_store_apply_in_memory_writes_no_file(void **state)
{
    test_parts parts = test_make_parts("first");
    tg_bundle bundle = parse_parts(&parts);
    tg_secrets_store *store;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(tg_secrets_store_new(NULL, NULL, NULL, &store));
    assert_ok(tg_secrets_store_apply(store, &bundle, 1, &fault));
    assert_non_null(tg_secrets_client(tg_secrets_store_current(store)));
    tg_secrets_store_free(store);
    tg_secrets_store_free(NULL);
    tg_bundle_done(&bundle);
    test_parts_done(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tg_secrets_store_apply_twice_merges_and_replaces_files, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_store_apply_that_is_refused_changes_nothing, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_store_apply_that_is_refused_first_leaves_no_file,
                                        tg_test_folder_set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_files_prepare_after_a_kill_puts_the_old_back, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_store_apply_without_its_directory_keeps_the_old,
                                        tg_test_folder_set_up, tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_store_apply_on_a_full_disk_keeps_the_old, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(tg_secrets_files_prepare_makes_what_is_missing, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test(tg_secrets_store_apply_in_memory_writes_no_file),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
