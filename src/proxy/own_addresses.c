#include "proxy/own_addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct own_address {
    uint8_t bytes[16];
    size_t len;
} own_address;

struct tg_own_addresses {
    int netlink_fd;
    bool is_stale; /* a change was told and the interfaces could not be read since */
    own_address *addresses;
    size_t num_addresses;
};

static tg_slice address_of(const struct sockaddr *address)
{
    if (address != NULL && address->sa_family == AF_INET) {
        return tg_slice_of(&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    if (address != NULL && address->sa_family == AF_INET6) {
        return tg_slice_of(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    }
    return (tg_slice){NULL, 0};
}

static tg_result read_interfaces(tg_own_addresses *own)
{
    struct ifaddrs *interfaces;
    if (getifaddrs(&interfaces) != 0) {
        return tg_fail_os(errno);
    }
    size_t num_max = 0;
    for (const struct ifaddrs *each = interfaces; each != NULL; each = each->ifa_next) {
        num_max++;
    }
    own_address *addresses = calloc(num_max + 1, sizeof *addresses);
    size_t num_addresses = 0;
    for (const struct ifaddrs *each = interfaces; addresses != NULL && each != NULL; each = each->ifa_next) {
        tg_slice bytes = address_of(each->ifa_addr);
        if (bytes.len > 0) {
            memcpy(addresses[num_addresses].bytes, bytes.ptr, bytes.len);
            addresses[num_addresses++].len = bytes.len;
        }
    }
    freeifaddrs(interfaces);
    if (addresses == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    free(own->addresses);
    own->addresses = addresses;
    own->num_addresses = num_addresses;
    return tg_ok();
}

/* True where the kernel has told of a change since the last call; what it said is read again from the interfaces. */
static bool take_changes(int fd)
{
    bool has_changed = false;
    uint8_t message[8192];
    for (;;) {
        ssize_t len = recv(fd, message, sizeof message, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return has_changed;
        }
        has_changed = true;
        if (len <= 0 && errno != ENOBUFS) { /* ENOBUFS: more changes than the socket holds */
            return true;
        }
    }
}

tg_result tg_own_addresses_new(tg_own_addresses **out_own)
{
    tg_own_addresses *own = calloc(1, sizeof *own);
    if (own == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    own->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    tg_result result;
    if (own->netlink_fd < 0 ||
        bind(own->netlink_fd, (const struct sockaddr *)(const void *)&groups, sizeof groups) != 0) {
        result = tg_fail_os(errno);
    } else {
        result = read_interfaces(own);
    }
    if (!tg_is_ok(result)) {
        tg_own_addresses_free(own);
        return result;
    }
    *out_own = own;
    return tg_ok();
}

void tg_own_addresses_free(tg_own_addresses *own)
{
    if (own != NULL) {
        if (own->netlink_fd >= 0) {
            close(own->netlink_fd);
        }
        free(own->addresses);
        free(own);
    }
}

bool tg_own_addresses_has(tg_own_addresses *own, tg_slice address)
{
    if (take_changes(own->netlink_fd) || own->is_stale) {
        own->is_stale = !tg_is_ok(read_interfaces(own));
    }
    for (size_t i = 0; i < own->num_addresses; i++) {
        if (tg_slice_equal(address, tg_slice_of(own->addresses[i].bytes, own->addresses[i].len))) {
            return true;
        }
    }
    return own->is_stale;
}
