/* Addresses as people write them:
 *
 *   tcp:HOST:PORT        an IPv4 address, an IPv6 address in brackets, or a name
 *   vsock:CID:PORT       a number, or any, local (1), host (2), parent (3)
 *   unix:PATH            @NAME is abstract; `unix:PATH?cid=16` stands for a vsock peer of that CID
 *   hvsock:PATH:PORT     vsock over a unix socket, as Firecracker and Cloud Hypervisor offer it
 *
 * Everything that listens or dials takes any of them. Nothing is guessed: no blank, no sign, no leading zero in an
 * IPv4 address, no name whose last label is a number. */
#ifndef TG_IO_ADDRESS_H
#define TG_IO_ADDRESS_H

#include "base/buf.h"
#include "base/detail.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef enum tg_address_kind { TG_ADDRESS_TCP, TG_ADDRESS_VSOCK, TG_ADDRESS_UNIX, TG_ADDRESS_HVSOCK } tg_address_kind;

enum {
    TG_MAX_HOST_BYTES = 253,      /* RFC 1035 §2.3.4, without the root's dot */
    TG_MAX_UNIX_PATH_BYTES = 107, /* sun_path without its NUL */
    TG_MAX_ADDRESS_BYTES = 512,   /* text of one address */
    TG_MAX_ADDRESSES = 16         /* in a list */
};

#define TG_VSOCK_PORT_ANY UINT32_MAX /* listening: the kernel chooses; for tcp that is port 0 */

typedef struct tg_address {
    tg_address_kind kind;
    uint32_t port; /* tcp: at most 65535; unix: 0 */
    uint32_t cid;  /* vsock: UINT32_MAX is any; unix: the label, where has_cid */
    bool has_cid;
    bool is_numeric;                  /* tcp: `name` is an IP address, nothing has to be resolved */
    char name[TG_MAX_HOST_BYTES + 1]; /* tcp: the host, without brackets; unix, hvsock: the path, `@` if abstract */
} tg_address;

typedef struct tg_address_list {
    size_t num_addresses;
    tg_address addresses[TG_MAX_ADDRESSES];
} tg_address_list;

/* What the kernel takes. */
typedef struct tg_sockaddr {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_vm vm;
        struct sockaddr_un un;
    };
    socklen_t len;
} tg_sockaddr;

/* tg_address_parse reads one address, the whole text.
 * err   TG_ERR_SYNTAX, TG_ERR_RANGE (a number), TG_ERR_LIMIT (a name or path too long), TG_ERR_UNSUPPORTED (an unknown
 *       kind); detail: field is the text, reason and remedy are set
 */
TG_FOREIGN TG_MUST_USE tg_result tg_address_parse(tg_slice text, tg_address *out_address, tg_detail *detail);

/* tg_address_parse_host_port reads `HOST:PORT` alone, as tcp: takes it; port 0 is refused. Errors as above. */
TG_FOREIGN TG_MUST_USE tg_result tg_address_parse_host_port(tg_slice text, tg_address *out_address, tg_detail *detail);

/* tg_address_parse_list reads 1 to TG_MAX_ADDRESSES addresses separated by commas. Errors as above. */
TG_FOREIGN TG_MUST_USE tg_result tg_address_parse_list(tg_slice text, tg_address_list *out_list, tg_detail *detail);

/* tg_address_append writes what tg_address_parse reads back as the same address. CIDs are written as numbers, but
 * for `any`. tg_address_format does so into a fixed buffer and returns it.
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_address_append(const tg_address *address, tg_buf *buf);
const char *tg_address_format(const tg_address *address, char out[TG_MAX_ADDRESS_BYTES]);

/* tg_address_equal compares what is written; the case of host names does not count. */
bool tg_address_equal(const tg_address *a, const tg_address *b);

/* tg_address_to_sockaddr gives what to dial (is_listening false) or to bind. An hvsock address is the unix socket PATH
 * for who dials and PATH_PORT for who listens.
 * err   TG_ERR_UNSUPPORTED for a tcp name, TG_ERR_LIMIT where PATH_PORT does not fit
 */
TG_MUST_USE tg_result tg_address_to_sockaddr(const tg_address *address, bool is_listening, tg_sockaddr *out_sockaddr);

#endif
