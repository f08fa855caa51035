#include "sys/thread.h"

#include <signal.h>
#include <stdio.h>

enum { MAX_NAME_BYTES = 16 }; /* the kernel's, with its NUL */

tg_result tg_thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *argument), void *argument)
{
    sigset_t all, old;
    char cut[MAX_NAME_BYTES];
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old); /* a thread begins with its maker's mask */
    int failed = pthread_create(out_thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        return tg_fail_os(failed);
    }
    snprintf(cut, sizeof cut, "%.15s", name);
    pthread_setname_np(*out_thread, cut);
    return tg_ok();
}
