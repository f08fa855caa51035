#include "support/folder.h"

#include "support/case.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tls/authorities.h"
#include "tls/identity.h"
#include "tls/identity_chain.h"
#include "tool/commands.h"
#include "tool/pki.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char err_text[65536];

static int run(const char *const *arguments)
{
    const char *argv[16] = {"teegate", "pki", "init"};
    size_t argc = 3;
    for (; arguments[argc - 3] != NULL; argc++) {
        argv[argc] = arguments[argc - 3];
    }
    tg_console console = {.in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                          .out_fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600),
                          .err_fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600)};
    int status = tg_tool_main(argc, argv, &console);
    assert_int_equal(lseek(console.err_fd, 0, SEEK_SET), 0);
    ssize_t len = read(console.err_fd, err_text, sizeof err_text - 1);
    err_text[len > 0 ? len : 0] = 0;
    close(console.in_fd);
    close(console.out_fd);
    close(console.err_fd);
    return status;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void check_issued(const char *certificate, const char *key, const char *authority)
{
    int64_t now = (int64_t)(tg_clock_unix_ms() / 1000);
    tg_tls_identity *identity;
    tg_tls_authorities *authorities;
    tg_detail detail = {0};
    struct stat found;
    assert_ok(tg_tls_identity_load(tg_test_path(certificate), tg_test_path(key), now, &identity, &detail));
    assert_ok(tg_tls_authorities_load(tg_test_path(authority), now, &authorities, &detail));
    assert_ok(tg_tls_identity_check_chain(identity, authorities, now, &detail));
    assert_int_equal(stat(tg_test_path(key), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_int_equal(stat(tg_test_path(certificate), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0644);
    tg_tls_identity_unref(identity);
    tg_tls_authorities_unref(authorities);
}

static void pki_init_makes_what_verifies_and_overwrites_nothing(void **state)
{
    (void)state;
    assert_int_equal(RUN(tg_test_folder(), "--server", "backend.internal", "--server", "127.0.0.1", "--days", "2"),
                     TG_EXIT_OK);
    check_issued("server.crt", "server.key", "backend-ca.crt");
    check_issued("client.crt", "client.key", "backend-ca.crt");
    check_issued("caller.crt", "caller.key", "caller-ca.crt");
    assert_int_equal(access(tg_test_path("secrets.json"), F_OK), 0);
    assert_int_equal(RUN(tg_test_folder(), "--server", "backend.internal"), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "it exists"));
}

static void pki_init_bad_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(RUN(tg_test_folder()), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "--server NAME is missing"));
    assert_int_equal(RUN(tg_test_folder(), "--server", "a", "--days", "0"), TG_EXIT_CANNOT);
    assert_int_equal(RUN(tg_test_folder(), "--server", "a", "--days", "3651"), TG_EXIT_CANNOT);
    assert_int_equal(RUN(tg_test_path("absent"), "--server", "a"), TG_EXIT_CANNOT);
    assert_int_equal(RUN(tg_test_folder(), "--server", "a,IP:10.0.0.1"), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "no host name"));
}

static void tg_pki_issue_without_a_name_is_refused(void **state)
{
    static const char *const bad_ip[] = {"1.2.3.4.5"};
    tg_pki_request request = {.role = TG_PKI_SERVER, .common_name = "server", .days = 1, .now_unix_s = 1763700000};
    tg_pki_issued *issued;
    tg_detail detail = {0};
    (void)state;
    assert_code(tg_pki_issue(&request, &issued, &detail), TG_ERR_SYNTAX);
    request.names = bad_ip;
    request.num_names = 1;
    assert_code(tg_pki_issue(&request, &issued, &detail), TG_ERR_LIBRARY);
    request.role = TG_PKI_AUTHORITY;
    request.num_names = 0;
    request.common_name = "a/b";
    assert_code(tg_pki_issue(&request, &issued, &detail), TG_ERR_SYNTAX);
    tg_pki_issued_free(NULL);
}

static void tg_pki_issue_rsa_key_is_of_3072_bits(void **state)
{
    const tg_pki_request request = {
        .role = TG_PKI_AUTHORITY, .common_name = "authority", .is_rsa = true, .days = 1, .now_unix_s = 1763700000};
    tg_pki_issued *issued;
    tg_detail detail = {0};
    tg_buf pem;
    (void)state;
    tg_buf_init_wiped(&pem, 65536);
    assert_ok(tg_pki_issue(&request, &issued, &detail));
    assert_ok(tg_pki_append_key(issued, &pem));
    assert_true(tg_buf_len(&pem) > 2400);
    tg_buf_done(&pem);
    tg_pki_issued_free(issued);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pki_init_makes_what_verifies_and_overwrites_nothing, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test_setup_teardown(pki_init_bad_words_are_refused, tg_test_folder_set_up,
                                        tg_test_folder_tear_down),
        cmocka_unit_test(tg_pki_issue_without_a_name_is_refused),
        cmocka_unit_test(tg_pki_issue_rsa_key_is_of_3072_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
