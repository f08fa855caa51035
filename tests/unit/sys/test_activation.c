#include "support/case.h"
#include "support/child.h"

#include "sys/activation.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char own_pid[40];

static tg_result read_variables(const char *fds, const char *names, tg_activation *out, tg_detail *detail)
{
    snprintf(own_pid, sizeof own_pid, "LISTEN_PID=%d", (int)getpid());
    const char *const environment[] = {own_pid, fds, names, NULL};
    return tg_activation_read(environment, out, detail);
}

/* In a child: descriptors 3 to 5 are the test's own there. */
static int check_three_sockets(void)
{
    tg_activation activation;
    for (int fd = 3; fd < 6; fd++) {
        if (dup2(0, fd) != fd) {
            return 1;
        }
    }
    if (!tg_is_ok(read_variables("LISTEN_FDS=3", "LISTEN_FDNAMES=http:https:http", &activation, NULL)) ||
        activation.num_sockets != 3) {
        return 2;
    }
    for (int fd = 3; fd < 6; fd++) {
        if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) {
            return 3;
        }
    }
    if (tg_activation_take(&activation, "http") != 3 || tg_activation_take(&activation, "http") != 5 ||
        tg_activation_take(&activation, "http") != -1 || tg_activation_take(&activation, "kms") != -1) {
        return 4;
    }
    const char *left = tg_activation_left(&activation);
    if (left == NULL || strcmp(left, "https") != 0) {
        return 5;
    }
    tg_activation_close(&activation);
    if (fcntl(4, F_GETFD) != -1 || fcntl(3, F_GETFD) == -1 || tg_activation_left(&activation) != NULL) {
        return 6;
    }
    return 0;
}

static void read_named_sockets_are_taken_by_name(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_three_sockets), 0);
}

static int check_nameless(void)
{
    tg_activation activation;
    if (dup2(0, 3) != 3 || !tg_is_ok(read_variables("LISTEN_FDS=1", NULL, &activation, NULL))) {
        return 1;
    }
    return tg_activation_take(&activation, "unknown") == 3 ? 0 : 2;
}

static void read_without_names_calls_them_unknown(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_nameless), 0);
}

static int check_closed(void)
{
    tg_activation activation = {.num_sockets = 7};
    tg_detail detail = {0};
    close(3);
    tg_result result = read_variables("LISTEN_FDS=1", NULL, &activation, &detail);
    return result.code == TG_ERR_SYSTEM && strcmp(detail.field, "LISTEN_FDS") == 0 && activation.num_sockets == 7 ? 0
                                                                                                                  : 1;
}

static void read_descriptor_not_open_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_closed), 0);
}

static void read_meant_for_nobody_or_another_gives_none(void **state)
{
    (void)state;
    tg_activation activation = {.num_sockets = 7};
    const char *const none[] = {NULL};
    const char *const other[] = {"LISTEN_PID=1", "LISTEN_FDS=wrong", NULL};
    assert_ok(tg_activation_read(none, &activation, NULL));
    assert_int_equal(activation.num_sockets, 0);
    activation.num_sockets = 7;
    assert_ok(tg_activation_read(other, &activation, NULL));
    assert_int_equal(activation.num_sockets, 0);
    assert_ok(read_variables("LISTEN_FDS=0", "LISTEN_FDNAMES=", &activation, NULL));
    assert_int_equal(activation.num_sockets, 0);
    assert_null(tg_activation_left(&activation));
}

static void read_malformed_variables_are_refused(void **state)
{
    (void)state;
    tg_activation activation;
    tg_detail detail = {0};
    const char *const process[] = {"LISTEN_PID= 1", "LISTEN_FDS=1", NULL};
    assert_code(tg_activation_read(process, &activation, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.field, "LISTEN_PID");
    assert_code(read_variables("LISTEN_FDS=+1", NULL, &activation, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.field, "LISTEN_FDS");
    assert_code(read_variables("LISTEN_FDS=", NULL, &activation, &detail), TG_ERR_SYNTAX);
    assert_code(read_variables("LISTEN_FDS=65", NULL, &activation, &detail), TG_ERR_LIMIT);
    assert_code(read_variables("LISTEN_FDS=4294967297", NULL, &activation, &detail), TG_ERR_RANGE);
}

static void read_malformed_names_are_refused(void **state)
{
    (void)state;
    char names[16 + TG_MAX_ACTIVATED_NAME_BYTES + 2] = "LISTEN_FDNAMES=";
    tg_activation activation;
    tg_detail detail = {0};
    assert_code(read_variables("LISTEN_FDS=2", "LISTEN_FDNAMES=a", &activation, &detail), TG_ERR_MISMATCH);
    assert_string_equal(detail.field, "LISTEN_FDNAMES");
    assert_code(read_variables("LISTEN_FDS=2", "LISTEN_FDNAMES=a:b:c", &activation, &detail), TG_ERR_MISMATCH);
    assert_code(read_variables("LISTEN_FDS=2", "LISTEN_FDNAMES=a:", &activation, &detail), TG_ERR_SYNTAX);
    assert_code(read_variables("LISTEN_FDS=1", "LISTEN_FDNAMES=a b", &activation, &detail), TG_ERR_SYNTAX);
    assert_code(read_variables("LISTEN_FDS=1", "LISTEN_FDNAMES=\xc3\xa4", &activation, &detail), TG_ERR_SYNTAX);
    memset(names + 15, 'n', TG_MAX_ACTIVATED_NAME_BYTES + 1);
    assert_code(read_variables("LISTEN_FDS=1", names, &activation, &detail), TG_ERR_LIMIT);
    names[15 + TG_MAX_ACTIVATED_NAME_BYTES] = 0;
    assert_code(read_variables("LISTEN_FDS=2", names, &activation, &detail), TG_ERR_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_named_sockets_are_taken_by_name),
        cmocka_unit_test(read_without_names_calls_them_unknown),
        cmocka_unit_test(read_descriptor_not_open_is_refused),
        cmocka_unit_test(read_meant_for_nobody_or_another_gives_none),
        cmocka_unit_test(read_malformed_variables_are_refused),
        cmocka_unit_test(read_malformed_names_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
