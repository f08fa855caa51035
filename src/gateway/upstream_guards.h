/* Where the gateway may call, and whose word for the other end's name counts: UPSTREAM_ALLOWED_HOSTS and
 * UPSTREAM_CA_SHA256. */
#ifndef TG_GATEWAY_UPSTREAM_GUARDS_H
#define TG_GATEWAY_UPSTREAM_GUARDS_H

#include "outbound/origin.h"
#include "settings/setting_value.h"
#include "tls/authorities.h"

/* The checks of one item (tg_setting_check_fn). A host is HOST, HOST:PORT, *.DOMAIN or *.DOMAIN:PORT; without a port it
 * stands for any. An authority is 64 hexadecimal digits, colons between bytes allowed. */
const char *tg_upstream_host_fault(tg_slice item);
const char *tg_upstream_ca_fault(tg_slice item);

/* tg_upstream_host_is_allowed says whether the list names the origin, without case; an empty list names all. */
bool tg_upstream_host_is_allowed(const tg_setting_list *hosts, const tg_origin *origin);

/* tg_upstream_ca_is_allowed says whether the list holds the SHA-256 of the authorities (of one certificate its
 * fingerprint; of several that of their DER, in order); an empty list holds all.
 */
bool tg_upstream_ca_is_allowed(const tg_setting_list *digests, const tg_tls_authorities *authorities);

#endif
