/* A bound socket that listens: opened once, before threads start, and then listened on by one loop or by several. */
#ifndef TG_IO_BOUND_H
#define TG_IO_BOUND_H

#include "io/address.h"

typedef struct tg_bound tg_bound;

typedef struct tg_bind_options {
    int backlog;         /* 0: 4096 (the kernel's somaxconn cuts it) */
    bool is_port_reused; /* tcp: each loop gets a socket of its own (SO_REUSEPORT), the kernel spreads the load; else
                            all loops accept from one, as vsock and unix sockets do always. Never shared with what
                            listened there before */
    unsigned unix_mode;  /* permissions of a unix socket's file, 0: 0600 */
} tg_bind_options;

/* tg_bound_open binds a socket. An IPv6 wildcard takes IPv6 alone. A unix socket's file that nobody listens on any
 * more is replaced; one that somebody does, or another kind of file, is not.
 * in    options NULL: all zero
 * err   TG_ERR_EXISTS: somebody listens there; TG_ERR_DENIED: permission; TG_ERR_SYSTEM; TG_ERR_UNSUPPORTED for a
 *       tcp name, or where the kernel lacks vsock; detail: place, reason, remedy
 * keep  freed by tg_bound_close, after the last listener
 */
TG_MUST_USE tg_result tg_bound_open(const tg_address *address, const tg_bind_options *options, tg_bound **out_bound,
                                    tg_detail *detail);

/* tg_bound_adopt takes a listening stream socket that somebody else opened (systemd's socket activation), which keeps
 * its file when closed.
 * err   TG_ERR_UNSUPPORTED: not a listening stream socket of a kind that we know; TG_ERR_SYSTEM
 * keep  owns fd on success
 */
TG_MUST_USE tg_result tg_bound_adopt(int fd, tg_bound **out_bound, tg_detail *detail);
/* tg_bound_stand_for says which CID a unix socket stands for; before anybody listens. */
void tg_bound_stand_for(tg_bound *bound, uint32_t cid);

/* tg_bound_close closes the socket and removes the unix socket's file that it made, if it still is that one. */
void tg_bound_close(tg_bound *bound);

/* tg_bound_address is where it listens, with the port that the kernel chose. */
const tg_address *tg_bound_address(const tg_bound *bound);

/* tg_bound_listen gives a descriptor to accept from: a duplicate of the one socket, or a socket of its own where the
 * port is reused. Any thread, while nobody closes `bound`.
 * err   TG_ERR_SYSTEM
 * keep  the caller closes it
 */
TG_MUST_USE tg_result tg_bound_listen(const tg_bound *bound, int *out_fd);

#endif
