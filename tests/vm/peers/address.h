/* The addresses of the test peer: a static program of its own that shares no code with what it tests. */
#ifndef TG_TESTS_VM_PEERS_ADDRESS_H
#define TG_TESTS_VM_PEERS_ADDRESS_H

#include <sys/socket.h>

struct peer_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* peer_address_parse reads tcp:HOST:PORT (HOST an IPv4 address or an IPv6 one in brackets), vsock:CID:PORT (CID a
 * number, any, host, local or parent) or unix:PATH; it returns 0, or -1 for anything else. */
int peer_address_parse(const char *text, struct peer_address *out_address);

/* peer_listen and peer_dial return a blocking stream socket, or -1 with errno. peer_dial binds to from_port first
 * where that is not 0 (vsock only); dialling vsock:any reaches this machine itself. */
int peer_listen(const struct peer_address *address);
int peer_dial(const struct peer_address *address, unsigned from_port);

/* peer_number reads a whole string of decimal digits, at most max; -1 otherwise. */
long long peer_number(const char *text, long long max);

#endif
