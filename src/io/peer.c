#include "io/peer.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

tg_result tg_peer_of_sockaddr(const tg_sockaddr *address, tg_peer *out_peer)
{
    tg_peer peer = {.kind = TG_ADDRESS_UNIX};
    switch (address->any.sa_family) {
    case AF_INET:
        peer.kind = TG_ADDRESS_TCP;
        peer.port = ntohs(address->in.sin_port);
        memcpy(peer.ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(peer.ip + 12, &address->in.sin_addr, 4);
        break;
    case AF_INET6:
        peer.kind = TG_ADDRESS_TCP;
        peer.port = ntohs(address->in6.sin6_port);
        memcpy(peer.ip, &address->in6.sin6_addr, 16);
        break;
    case AF_VSOCK:
        peer.kind = TG_ADDRESS_VSOCK;
        peer.port = address->vm.svm_port;
        peer.cid = address->vm.svm_cid;
        peer.has_cid = true;
        break;
    case AF_UNIX:
        break;
    default:
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    *out_peer = peer;
    return tg_ok();
}

bool tg_peer_is_ipv4(const tg_peer *peer)
{
    return peer->kind == TG_ADDRESS_TCP && memcmp(peer->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

const char *tg_peer_format_host(const tg_peer *peer, char out[TG_PEER_TEXT_BYTES])
{
    bool is_ipv4 = tg_peer_is_ipv4(peer);
    if (peer->kind == TG_ADDRESS_TCP) {
        inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? peer->ip + 12 : peer->ip, out, TG_PEER_TEXT_BYTES);
    } else if (peer->has_cid) {
        snprintf(out, TG_PEER_TEXT_BYTES, "%u", peer->cid);
    } else {
        snprintf(out, TG_PEER_TEXT_BYTES, "unix");
    }
    return out;
}

const char *tg_peer_format(const tg_peer *peer, char out[TG_PEER_TEXT_BYTES])
{
    char host[TG_PEER_TEXT_BYTES];
    switch (peer->kind) {
    case TG_ADDRESS_TCP:
        tg_peer_format_host(peer, host);
        snprintf(out, TG_PEER_TEXT_BYTES, tg_peer_is_ipv4(peer) ? "tcp:%.45s:%u" : "tcp:[%.45s]:%u", host, peer->port);
        break;
    case TG_ADDRESS_VSOCK:
        snprintf(out, TG_PEER_TEXT_BYTES, "vsock:%u:%u", peer->cid, peer->port);
        break;
    case TG_ADDRESS_UNIX:
        snprintf(out, TG_PEER_TEXT_BYTES, peer->has_cid ? "unix:?cid=%u" : "unix:", peer->cid);
        break;
    case TG_ADDRESS_HVSOCK:
        snprintf(out, TG_PEER_TEXT_BYTES, "hvsock::%u", peer->port);
        break;
    }
    return out;
}
