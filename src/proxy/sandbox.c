#include "proxy/sandbox.h"

#include "base/num.h"
#include "proxy/sandbox_filter.h"
#include "proxy/sandbox_paths.h"
#include "sys/log.h"
#include "sys/sanitizer.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static tg_result fault(tg_detail *detail, tg_result result, const char *step, const char *reason, const char *remedy)
{
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT("sandbox"), 0, tg_slice_str(step));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return result;
}

static tg_result refused(tg_detail *detail, const char *step)
{
    tg_result result = tg_fail_os(errno);
    return fault(detail, result, step, tg_log_error_text(result), "");
}

typedef struct identity {
    uid_t uid;
    gid_t gid;
} identity;

/* A number needs no entry: containers run under users that no file knows. */
static tg_result find_user(const char *user, identity *out, tg_detail *detail)
{
    uint64_t number;
    bool is_number = tg_is_ok(tg_num_parse_u64(tg_slice_str(user), UINT32_MAX - 1, &number));
    const struct passwd *entry = is_number ? getpwuid((uid_t)number) : getpwnam(user);
    if (entry == NULL && !is_number) {
        return fault(detail, tg_fail(TG_ERR_NOT_FOUND), "user", "there is no such user", "useradd --system it");
    }
    *out = entry != NULL ? (identity){entry->pw_uid, entry->pw_gid} : (identity){(uid_t)number, (gid_t)number};
    return tg_ok();
}

static tg_result become(const char *user, tg_detail *detail)
{
    identity wanted = {0, 0};
    if (user == NULL) {
        return tg_ok();
    }
    TG_TRY(find_user(user, &wanted, detail));
    if (wanted.uid == 0) {
        return fault(detail, tg_fail(TG_ERR_DENIED), "user", "it is root", "name a user without rights");
    }
    if (geteuid() == wanted.uid) {
        return tg_ok();
    }
    if (geteuid() != 0) {
        return fault(detail, tg_fail(TG_ERR_DENIED), "user", "only root may become another user",
                     "start as root, or as this user, or leave it out");
    }
    if (setgroups(0, NULL) != 0 || setresgid(wanted.gid, wanted.gid, wanted.gid) != 0 ||
        setresuid(wanted.uid, wanted.uid, wanted.uid) != 0) {
        return refused(detail, "user");
    }
    return tg_ok();
}

/* Before the user changes, while the right to do so is there. True where none is left. */
static bool empty_bounding_set(void)
{
    bool is_empty = true;
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
            is_empty = prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 && is_empty;
        }
    }
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                               SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                               SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    (void)prctl(PR_SET_SECUREBITS, bits, 0, 0, 0); /* without the right to, there is nothing to give up either */
    return is_empty;
}

static tg_result drop_capabilities(tg_detail *detail)
{
    const struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* they go with the permitted ones in any case */
    return syscall(SYS_capset, &self, none) == 0 ? tg_ok() : refused(detail, "capabilities");
}

static tg_result enter_filter(const tg_sandbox_options *options, bool *out_has_filter, tg_detail *detail)
{
    static tg_sandbox_filter filter; /* too large for a stack, and needed once */
    const tg_sandbox_filter_options how = {.pid = getpid(),
                                           .allows_sockets_in_folders = options->num_socket_folders > 0};
    tg_result built = tg_sandbox_filter_build(&how, &filter);
    if (!tg_is_ok(built)) {
        return fault(detail, built, "seccomp", "the filter does not fit", "");
    }
    const struct sock_fprog program = {.len = (unsigned short)filter.num_instructions, .filter = filter.instructions};
    long entered = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (entered == 0) {
        *out_has_filter = true;
        return tg_ok();
    }
    if (entered > 0) { /* the number of a thread that has another filter */
        return fault(detail, tg_fail(TG_ERR_MISMATCH), "seccomp", "a thread is confined already in another way", "");
    }
    return errno == ENOSYS || errno == EINVAL ? tg_ok() : refused(detail, "seccomp");
}

static tg_result enter_paths(const tg_sandbox_options *options, int *out_abi, tg_detail *detail)
{
    const tg_sandbox_paths paths = {options->read_paths, options->num_read_paths, options->socket_folders,
                                    options->num_socket_folders};
    int abi = tg_sandbox_paths_abi();
    if (abi == 0) {
        return tg_ok();
    }
    tg_result entered = tg_sandbox_paths_enter(&paths, abi);
    if (!tg_is_ok(entered)) {
        return fault(detail, entered, "landlock", tg_log_error_text(entered), "");
    }
    *out_abi = abi;
    return tg_ok();
}

static const char *first_unreadable(const tg_sandbox_options *options)
{
    for (size_t i = 0; i < options->num_read_paths; i++) {
        if (access(options->read_paths[i], R_OK) != 0) {
            return options->read_paths[i];
        }
    }
    return NULL;
}

tg_result tg_sandbox_enter(const tg_sandbox_options *options, tg_sandbox_report *out_report, tg_detail *detail)
{
    tg_sandbox_report report = {0};
    report.has_no_bounding_set = empty_bounding_set();
    TG_TRY(become(options->user, detail));
    TG_TRY(drop_capabilities(detail));
    report.has_no_capabilities = true;
    report.uid = geteuid();
    report.gid = getegid();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return refused(detail, "no_new_privs");
    }
    report.has_no_new_privileges = true;
    report.unreadable = first_unreadable(options);
    if (!TG_IS_SANITIZED) {
        TG_TRY(enter_paths(options, &report.landlock_abi, detail));
        TG_TRY(enter_filter(options, &report.has_filter, detail));
    }
    *out_report = report;
    return tg_ok();
}

void tg_sandbox_log(const tg_sandbox_report *report)
{
    bool is_whole = report->uid != 0 && report->landlock_abi > 0 && report->has_filter && report->unreadable == NULL;
    const char *remedy = is_whole                     ? ""
                         : report->unreadable != NULL ? "let this user read the file, or a reload will fail"
                         : report->uid == 0           ? "name a user to become"
                                                      : "use a kernel with Landlock and seccomp (Debian's has both)";
    tg_log(is_whole ? TG_LOG_INFO : TG_LOG_WARN, "proxy", "sandbox", TG_F_UINT("uid", report->uid),
           TG_F_UINT("gid", report->gid), TG_F_BOOL("capabilities", !report->has_no_capabilities),
           TG_F_BOOL("bounding_set", !report->has_no_bounding_set),
           TG_F_BOOL("no_new_privileges", report->has_no_new_privileges),
           TG_F_INT("landlock_abi", report->landlock_abi), TG_F_BOOL("seccomp", report->has_filter),
           TG_F_STR("unreadable", report->unreadable != NULL ? report->unreadable : ""), TG_F_STR("remedy", remedy));
}
