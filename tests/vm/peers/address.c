#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { BACKLOG = 1024 };

long long peer_number(const char *text, long long max)
{
    long long value = 0;
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (max - (*text - '0')) / 10) {
            return -1;
        }
        value = value * 10 + (*text - '0');
    }
    return value;
}

static long long parse_cid(const char *text)
{
    static const struct {
        const char *name;
        unsigned cid;
    } names[] = {{"any", VMADDR_CID_ANY}, {"host", VMADDR_CID_HOST}, {"local", VMADDR_CID_LOCAL}, {"parent", 3}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i].name) == 0) {
            return names[i].cid;
        }
    }
    return peer_number(text, UINT32_MAX - 1LL);
}

static int parse_vsock(const char *host, const char *port, struct peer_address *out_address)
{
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&out_address->storage;
    long long cid = parse_cid(host);
    long long number = peer_number(port, UINT32_MAX - 1LL);
    if (cid < 0 || number < 0) {
        return -1;
    }
    vm->svm_family = AF_VSOCK;
    vm->svm_cid = (unsigned)cid;
    vm->svm_port = (unsigned)number;
    out_address->len = sizeof *vm;
    return 0;
}

static int parse_tcp(char *host, const char *port, struct peer_address *out_address)
{
    struct sockaddr_in *ip4 = (struct sockaddr_in *)&out_address->storage;
    struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)&out_address->storage;
    size_t host_len = strlen(host);
    long long number = peer_number(port, UINT16_MAX);
    if (number < 0) {
        return -1;
    }
    if (host_len > 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        ip6->sin6_family = AF_INET6;
        ip6->sin6_port = htons((uint16_t)number);
        out_address->len = sizeof *ip6;
        return inet_pton(AF_INET6, host + 1, &ip6->sin6_addr) == 1 ? 0 : -1;
    }
    ip4->sin_family = AF_INET;
    ip4->sin_port = htons((uint16_t)number);
    out_address->len = sizeof *ip4;
    return inet_pton(AF_INET, host, &ip4->sin_addr) == 1 ? 0 : -1;
}

int peer_address_parse(const char *text, struct peer_address *out_address)
{
    char copy[sizeof((struct sockaddr_un *)0)->sun_path + 8];
    memset(out_address, 0, sizeof *out_address);
    if (strlen(text) >= sizeof copy) {
        return -1;
    }
    strcpy(copy, text);
    if (strncmp(copy, "unix:", 5) == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)&out_address->storage;
        if (strlen(copy + 5) >= sizeof un->sun_path) {
            return -1;
        }
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, copy + 5);
        out_address->len = sizeof *un;
        return 0;
    }
    char *host = strchr(copy, ':');
    char *port = strrchr(copy, ':');
    if (host == NULL || host == port) {
        return -1;
    }
    *host++ = '\0';
    *port++ = '\0';
    if (strcmp(copy, "vsock") == 0) {
        return parse_vsock(host, port, out_address);
    }
    return strcmp(copy, "tcp") == 0 ? parse_tcp(host, port, out_address) : -1;
}

static int close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int peer_listen(const struct peer_address *address)
{
    int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (address->storage.ss_family != AF_VSOCK) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0 || listen(fd, BACKLOG) != 0) {
        return close_keeping_errno(fd);
    }
    return fd;
}

int peer_dial(const struct peer_address *address, unsigned from_port)
{
    int on = 1;
    struct peer_address to = *address;
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&to.storage;
    if (to.storage.ss_family == AF_VSOCK && vm->svm_cid == VMADDR_CID_ANY) {
        vm->svm_cid = VMADDR_CID_LOCAL;
    }
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (from_port != 0) {
        struct sockaddr_vm own = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = from_port};
        if (bind(fd, (const struct sockaddr *)&own, sizeof own) != 0) {
            return close_keeping_errno(fd);
        }
    }
    if (connect(fd, (const struct sockaddr *)&to.storage, to.len) != 0) {
        return close_keeping_errno(fd);
    }
    if (address->storage.ss_family == AF_INET || address->storage.ss_family == AF_INET6) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd;
}
