#include "support/child.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* gcov's: there only in a coverage build; without it a child that ends by _exit leaves no counts. */
void __gcov_dump(void) __attribute__((weak));

int tg_status_in_child(int (*check)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int status = check();
        if (__gcov_dump != NULL) {
            __gcov_dump();
        }
        _exit(status);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
