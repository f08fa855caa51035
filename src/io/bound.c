#include "io/bound.h"

#include "io/socket.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_BACKLOG = 4096, DEFAULT_UNIX_MODE = 0600 };

struct tg_bound {
    tg_address address;
    tg_sockaddr sockaddr; /* with the chosen port, for the sockets that share it */
    int fd;               /* listens, but where the port is reused: then it only keeps the port */
    int backlog;
    bool is_port_reused;
    bool owns_file;
    dev_t file_device;
    ino_t file_inode;
};

static tg_result explain(int error, tg_detail *detail)
{
    tg_detail_set_reason(detail, "cannot listen: %s", tg_log_error_text(tg_fail_os(error)));
    switch (error) {
    case EADDRINUSE:
        tg_detail_set_remedy(detail, "stop what listens there, or choose another address");
        return (tg_result){TG_ERR_EXISTS, error};
    case EACCES:
    case EPERM:
        tg_detail_set_remedy(detail, "ports below 1024 need CAP_NET_BIND_SERVICE, unix sockets a folder to write to");
        return (tg_result){TG_ERR_DENIED, error};
    case EAFNOSUPPORT:
        tg_detail_set_remedy(detail, "the kernel lacks this kind of socket (for vsock: modprobe vsock)");
        return (tg_result){TG_ERR_UNSUPPORTED, error};
    case EADDRNOTAVAIL:
        tg_detail_set_remedy(detail, "the address is not one of this machine's");
        return tg_fail_os(error);
    default:
        return tg_fail_os(error);
    }
}

static const char *unix_path(const tg_sockaddr *address)
{
    bool has_file = address->any.sa_family == AF_UNIX && address->un.sun_path[0] != 0;
    return has_file ? address->un.sun_path : NULL;
}

/* Whether a socket's file is left over: nobody answers. Another answer, or none for long, means that somebody may. */
static bool is_abandoned(const tg_sockaddr *address)
{
    TG_CLEANUP(tg_fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && connect(fd, &address->any, address->len) != 0 && errno == ECONNREFUSED;
}

static tg_result remove_abandoned(const tg_sockaddr *address, tg_detail *detail)
{
    struct stat file;
    const char *path = unix_path(address);
    if (path == NULL || lstat(path, &file) != 0) {
        return tg_ok();
    }
    if (!S_ISSOCK(file.st_mode)) {
        tg_detail_set_reason(detail, "a file that is no socket stands there");
        tg_detail_set_remedy(detail, "remove it, or choose another path");
        return tg_fail(TG_ERR_EXISTS);
    }
    if (!is_abandoned(address)) {
        return explain(EADDRINUSE, detail);
    }
    return unlink(path) == 0 || errno == ENOENT ? tg_ok() : explain(errno, detail);
}

static tg_result set_flag(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0 ? tg_ok() : tg_fail_os(errno);
}

static tg_result open_socket(const tg_sockaddr *address, bool is_port_reused, unsigned unix_mode, int *out_fd)
{
    int family = address->any.sa_family;
    TG_CLEANUP(tg_fd_close) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return tg_fail_os(errno);
    }
    if (family == AF_INET || family == AF_INET6) {
        TG_TRY(set_flag(fd, SOL_SOCKET, SO_REUSEADDR));
        if (is_port_reused) {
            TG_TRY(set_flag(fd, SOL_SOCKET, SO_REUSEPORT));
        }
        if (family == AF_INET6) {
            TG_TRY(set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY));
        }
        tg_socket_prepare_tcp(fd);
    }
    if (unix_path(address) != NULL && fchmod(fd, unix_mode) != 0) { /* before bind: never open to more than these */
        return tg_fail_os(errno);
    }
    if (bind(fd, &address->any, address->len) != 0) {
        return tg_fail_os(errno);
    }
    *out_fd = tg_fd_take(&fd);
    return tg_ok();
}

static void note_file(tg_bound *bound)
{
    struct stat file;
    const char *path = unix_path(&bound->sockaddr);
    if (path != NULL && lstat(path, &file) == 0) {
        bound->owns_file = true;
        bound->file_device = file.st_dev;
        bound->file_inode = file.st_ino;
    }
}

/* The port that the kernel chose. A wildcard vsock socket names CID 1 here, so that only the port is taken. */
static tg_result note_port(tg_bound *bound)
{
    tg_sockaddr own = {.len = sizeof(struct sockaddr_un)};
    if (getsockname(bound->fd, &own.any, &own.len) != 0) {
        return tg_fail_os(errno);
    }
    if (own.any.sa_family == AF_INET) {
        bound->address.port = ntohs(own.in.sin_port);
        bound->sockaddr.in.sin_port = own.in.sin_port;
    } else if (own.any.sa_family == AF_INET6) {
        bound->address.port = ntohs(own.in6.sin6_port);
        bound->sockaddr.in6.sin6_port = own.in6.sin6_port;
    } else if (own.any.sa_family == AF_VSOCK) {
        bound->address.port = own.vm.svm_port;
        bound->sockaddr.vm.svm_port = own.vm.svm_port;
    }
    return tg_ok();
}

static tg_result start(tg_bound *bound, unsigned unix_mode)
{
    TG_TRY(open_socket(&bound->sockaddr, false, unix_mode, &bound->fd));
    note_file(bound);
    /* The port is shared only once it is ours: bound with the flag, it would be shared with another process that
     * listens there, and each would get some of the connections. */
    TG_TRY(bound->is_port_reused ? set_flag(bound->fd, SOL_SOCKET, SO_REUSEPORT) : tg_ok());
    if (!bound->is_port_reused && listen(bound->fd, bound->backlog) != 0) {
        return tg_fail_os(errno);
    }
    return note_port(bound);
}

tg_result tg_bound_open(const tg_address *address, const tg_bind_options *options, tg_bound **out_bound,
                        tg_detail *detail)
{
    static const tg_bind_options none = {0};
    char text[TG_MAX_ADDRESS_BYTES];
    const tg_bind_options *chosen = options != NULL ? options : &none;
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT(""), 0, tg_slice_str(tg_address_format(address, text)));
    tg_sockaddr sockaddr;
    tg_result result = tg_address_to_sockaddr(address, true, &sockaddr);
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(detail, result.code == TG_ERR_LIMIT ? "the path with the port is longer than 107 bytes"
                                                                 : "a name cannot be listened on");
        tg_detail_set_remedy(detail, "write the IP address of an interface, or 0.0.0.0 or [::]");
        return result;
    }
    TG_TRY(remove_abandoned(&sockaddr, detail));
    tg_bound *bound = calloc(1, sizeof *bound);
    if (bound == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    bound->address = *address;
    bound->sockaddr = sockaddr;
    bound->fd = -1;
    bound->backlog = chosen->backlog > 0 ? chosen->backlog : DEFAULT_BACKLOG;
    bound->is_port_reused = chosen->is_port_reused && address->kind == TG_ADDRESS_TCP;
    result = start(bound, chosen->unix_mode != 0 ? chosen->unix_mode : DEFAULT_UNIX_MODE);
    if (!tg_is_ok(result)) {
        tg_bound_close(bound);
        return explain(result.os_error, detail);
    }
    *out_bound = bound;
    return tg_ok();
}

static bool is_listening_stream(int fd)
{
    int type = 0;
    int accepts = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts != 0;
}

/* Fills in the address from what the kernel says of the descriptor. */
static bool name_adopted(tg_bound *bound)
{
    tg_address *address = &bound->address;
    tg_sockaddr *own = &bound->sockaddr;
    own->len = sizeof own->un;
    if (getsockname(bound->fd, &own->any, &own->len) != 0) {
        return false;
    }
    switch (own->any.sa_family) {
    case AF_INET:
    case AF_INET6:
        address->kind = TG_ADDRESS_TCP;
        address->is_numeric = true;
        address->port = ntohs(own->any.sa_family == AF_INET ? own->in.sin_port : own->in6.sin6_port);
        return inet_ntop(own->any.sa_family,
                         own->any.sa_family == AF_INET ? (void *)&own->in.sin_addr : (void *)&own->in6.sin6_addr,
                         address->name, sizeof address->name) != NULL;
    case AF_VSOCK:
        address->kind = TG_ADDRESS_VSOCK;
        address->cid = own->vm.svm_cid;
        address->has_cid = true;
        address->port = own->vm.svm_port;
        return true;
    case AF_UNIX: {
        size_t path_len = own->len - offsetof(struct sockaddr_un, sun_path);
        address->kind = TG_ADDRESS_UNIX;
        memcpy(address->name, own->un.sun_path,
               tg_slice_first(tg_slice_of(own->un.sun_path, path_len), sizeof own->un.sun_path).len);
        if (path_len > 0 && address->name[0] == 0) {
            address->name[0] = '@';
        }
        return true;
    }
    default:
        return false;
    }
}

tg_result tg_bound_adopt(int fd, tg_bound **out_bound, tg_detail *detail)
{
    tg_detail_clear(detail);
    if (!is_listening_stream(fd)) {
        tg_detail_set_reason(detail, "descriptor %d is not a listening stream socket", fd);
        tg_detail_set_remedy(detail, "in the .socket unit use ListenStream= and leave out Accept=yes");
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(tg_fd_prepare(fd));
    tg_bound *bound = calloc(1, sizeof *bound);
    if (bound == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    bound->fd = fd;
    if (!name_adopted(bound)) {
        tg_detail_set_reason(detail, "descriptor %d is a socket of an unknown kind", fd);
        free(bound);
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    if (bound->address.kind == TG_ADDRESS_TCP) {
        tg_socket_prepare_tcp(fd);
    }
    *out_bound = bound;
    return tg_ok();
}

void tg_bound_stand_for(tg_bound *bound, uint32_t cid)
{
    bound->address.has_cid = true;
    bound->address.cid = cid;
}

void tg_bound_close(tg_bound *bound)
{
    if (bound == NULL) {
        return;
    }
    struct stat file;
    const char *path = unix_path(&bound->sockaddr);
    if (bound->owns_file && lstat(path, &file) == 0 && file.st_dev == bound->file_device &&
        file.st_ino == bound->file_inode) {
        unlink(path);
    }
    tg_fd_close(&bound->fd);
    free(bound);
}

const tg_address *tg_bound_address(const tg_bound *bound)
{
    return &bound->address;
}

tg_result tg_bound_listen(const tg_bound *bound, int *out_fd)
{
    TG_CLEANUP(tg_fd_close) int fd = -1;
    if (!bound->is_port_reused) {
        fd = fcntl(bound->fd, F_DUPFD_CLOEXEC, 0);
    } else {
        TG_TRY(open_socket(&bound->sockaddr, true, 0, &fd));
        if (listen(fd, bound->backlog) != 0) {
            return tg_fail_os(errno);
        }
    }
    if (fd < 0) {
        return tg_fail_os(errno);
    }
    *out_fd = tg_fd_take(&fd);
    return tg_ok();
}
