#include "support/child.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TG_COVERAGE
void __gcov_dump(void); /* a child that ends by _exit leaves no counts without it */
#endif

int tg_status_in_child(int (*check)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int status = check();
#ifdef TG_COVERAGE
        __gcov_dump();
#endif
        _exit(status);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tg_drop_capabilities(void)
{
    struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capset, &self, none) == 0 ? 0 : -1;
}
