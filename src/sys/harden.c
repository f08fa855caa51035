#include "sys/harden.h"

#include "base/slice.h"
#include "sys/sanitizer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static tg_result refused(tg_detail *detail, const char *what)
{
    int why = errno;
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT(""), 0, tg_slice_str(what));
    tg_detail_set_reason(detail, "the kernel refused it (error %d)", why);
    return tg_fail_os(why);
}

static tg_result forbid_dumps(tg_detail *detail)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return refused(detail, "RLIMIT_CORE");
    }
    if (!TG_IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return refused(detail, "PR_SET_DUMPABLE");
    }
    return tg_ok();
}

static tg_result raise_max_files(tg_detail *detail)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return refused(detail, "RLIMIT_NOFILE");
    }
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ? tg_ok() : refused(detail, "RLIMIT_NOFILE");
}

tg_result tg_harden_process(tg_detail *detail)
{
    umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return refused(detail, "SIGPIPE");
    }
    TG_TRY(forbid_dumps(detail));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return refused(detail, "PR_SET_NO_NEW_PRIVS");
    }
    return raise_max_files(detail);
}

void tg_harden_hold_hangup(void)
{
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
}

size_t tg_harden_max_files(void)
{
    struct rlimit files;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (size_t)files.rlim_cur : 0;
}

tg_result tg_harden_check_lock(size_t bytes, tg_detail *detail)
{
    if (bytes == 0) {
        return tg_ok();
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return refused(detail, "memory");
    }
    int why = mlock(map, bytes) == 0 ? 0 : errno;
    munmap(map, bytes);
    if (why == 0) {
        return tg_ok();
    }
    struct rlimit lock = {0, 0};
    (void)getrlimit(RLIMIT_MEMLOCK, &lock);
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT(""), 0, TG_LIT("RLIMIT_MEMLOCK"));
    tg_detail_set_reason(detail, "%zu bytes of memory cannot be locked; the limit is %llu", bytes,
                         (unsigned long long)lock.rlim_cur);
    tg_detail_set_remedy(detail, "raise it (ulimit -l, LimitMEMLOCK=) so that keys never reach swap");
    return tg_fail_os(why);
}
