/* Sockets that the service manager holds (systemd's socket activation), in place of binding listeners of the
 * configuration: each stands for the listener of the service that its name says, at the same address. The
 * configuration stays the one place that says what is served where. */
#ifndef TG_PROXY_ACTIVATED_H
#define TG_PROXY_ACTIVATED_H

#include "io/bound.h"
#include "proxy/config.h"
#include "sys/activation.h"

typedef struct tg_proxy_activated {
    size_t num_sockets;
    struct {
        tg_bound *bound;
        tg_proxy_service service;
        bool is_used; /* some listener was found to be it */
    } sockets[TG_MAX_ACTIVATED];
} tg_proxy_activated;

/* tg_proxy_activated_adopt takes every descriptor, named (FileDescriptorName=) as tg_proxy_service_name says.
 * err   TG_ERR_SYNTAX with a fault for each that is no listening stream socket or names no service
 * keep  ended by tg_proxy_activated_done, on failure too; the sockets outlive any configuration
 */
TG_MUST_USE tg_result tg_proxy_activated_adopt(tg_activation *activation, tg_faults *faults,
                                               tg_proxy_activated *out_activated);
void tg_proxy_activated_done(tg_proxy_activated *activated);

/* tg_proxy_activated_find gives the socket that stands for a listener; NULL where it is to be bound. Same address: the
 * port, and for tcp the IP address, where 0.0.0.0 and [::] are one; vsock sockets do not tell their CID; the path.
 */
tg_bound *tg_proxy_activated_find(tg_proxy_activated *activated, tg_proxy_service service, const tg_address *asked);

/* tg_proxy_activated_check adds a fault for each socket that no listener was found to be: clients would wait there.
 * err   TG_ERR_SYNTAX
 */
TG_MUST_USE tg_result tg_proxy_activated_check(const tg_proxy_activated *activated, tg_faults *faults);

#endif
