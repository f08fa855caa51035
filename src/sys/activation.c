#include "sys/activation.h"

#include "base/num.h"
#include "sys/environment.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static tg_result fault(tg_detail *detail, tg_result result, const char *variable, const char *reason)
{
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT("environment"), 0, tg_slice_str(variable));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "the service manager sets it (systemd.socket(5)); unset it where there is none");
    return result;
}

static bool is_name(tg_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x21 || name.ptr[i] > 0x7e) {
            return false;
        }
    }
    return name.len > 0;
}

/* names = name *( ":" name ), as many as there are sockets */
static tg_result read_names(const char *text, tg_activation *activation, tg_detail *detail)
{
    static const char variable[] = "LISTEN_FDNAMES";
    tg_slice rest = tg_slice_str(text);
    size_t num_names = 0;
    while (rest.ptr != NULL) {
        tg_slice name = tg_slice_split(&rest, ':');
        if (!is_name(name)) {
            return fault(detail, tg_fail(TG_ERR_SYNTAX), variable, "a name is empty or not printable ASCII");
        }
        if (name.len > TG_MAX_ACTIVATED_NAME_BYTES) {
            return fault(detail, tg_fail(TG_ERR_LIMIT), variable, "a name is longer than 255 bytes");
        }
        if (num_names < activation->num_sockets) {
            memcpy(activation->sockets[num_names].name, name.ptr, name.len);
            activation->sockets[num_names].name[name.len] = 0;
        }
        num_names++;
    }
    return num_names == activation->num_sockets
               ? tg_ok()
               : fault(detail, tg_fail(TG_ERR_MISMATCH), variable, "not as many names as LISTEN_FDS says");
}

static tg_result guard(const tg_activation *activation, tg_detail *detail)
{
    for (size_t i = 0; i < activation->num_sockets; i++) {
        int fd = activation->sockets[i].fd;
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) {
            return fault(detail, tg_fail_os(errno), "LISTEN_FDS", "a descriptor that it counts is not open");
        }
    }
    return tg_ok();
}

tg_result tg_activation_read(const char *const *environment, tg_activation *out_activation, tg_detail *detail)
{
    const char *process = tg_environment_get(environment, "LISTEN_PID");
    const char *count = tg_environment_get(environment, "LISTEN_FDS");
    const char *names = tg_environment_get(environment, "LISTEN_FDNAMES");
    tg_activation activation = {.num_sockets = 0};
    uint64_t pid = 0, num_sockets = 0;
    if (process == NULL || count == NULL) {
        out_activation->num_sockets = 0;
        return tg_ok();
    }
    tg_result read = tg_num_parse_u64(tg_slice_str(process), INT32_MAX, &pid);
    if (!tg_is_ok(read)) {
        return fault(detail, read, "LISTEN_PID", "not the number of a process");
    }
    if (pid != (uint64_t)getpid()) { /* meant for the parent, who did not clear it */
        out_activation->num_sockets = 0;
        return tg_ok();
    }
    read = tg_num_parse_u64(tg_slice_str(count), INT32_MAX, &num_sockets);
    if (!tg_is_ok(read)) {
        return fault(detail, read, "LISTEN_FDS", "not a number of descriptors");
    }
    if (num_sockets > TG_MAX_ACTIVATED) {
        return fault(detail, tg_fail(TG_ERR_LIMIT), "LISTEN_FDS", "more than 64 descriptors");
    }
    activation.num_sockets = (size_t)num_sockets;
    for (size_t i = 0; i < activation.num_sockets; i++) {
        activation.sockets[i].fd = TG_FIRST_ACTIVATED_FD + (int)i;
        memcpy(activation.sockets[i].name, "unknown", sizeof "unknown");
    }
    if (names != NULL && activation.num_sockets > 0) {
        TG_TRY(read_names(names, &activation, detail));
    }
    TG_TRY(guard(&activation, detail));
    *out_activation = activation;
    return tg_ok();
}

int tg_activation_take(tg_activation *activation, const char *name)
{
    for (size_t i = 0; i < activation->num_sockets; i++) {
        if (activation->sockets[i].fd >= 0 && strcmp(activation->sockets[i].name, name) == 0) {
            return tg_fd_take(&activation->sockets[i].fd);
        }
    }
    return -1;
}

const char *tg_activation_left(const tg_activation *activation)
{
    for (size_t i = 0; i < activation->num_sockets; i++) {
        if (activation->sockets[i].fd >= 0) {
            return activation->sockets[i].name;
        }
    }
    return NULL;
}

void tg_activation_close(tg_activation *activation)
{
    for (size_t i = 0; i < activation->num_sockets; i++) {
        tg_fd_close(&activation->sockets[i].fd);
    }
}
