/* Who may call what: allow lists of names that verified client certificates hold, and the names that we answer to. */
#ifndef TG_ENCLAVE_CLIENTS_H
#define TG_ENCLAVE_CLIENTS_H

#include "io/peer.h"
#include "settings/setting_value.h"

/* tg_clients_allow says whether the peer's verified certificate holds one of the names, of the kind that it
 * looks like (with a colon a URI, else with an at sign an e-mail address, else DNS): DNS names without case, others
 * byte for byte. A plain stream, no certificate, or one whose end has passed at `now_unix_s`, is allowed
 * nothing. Asked for each request: a connection may outlive its certificate.
 */
TG_FOREIGN bool tg_clients_allow(const tg_setting_list *names, const tg_peer *peer, int64_t now_unix_s);

/* tg_server_names_match says whether the host of `authority` (`host[:port]`) and the SNI, where one was sent, are among
 * the names (without case, one trailing dot ignored). An empty list answers to all.
 */
TG_FOREIGN bool tg_server_names_match(const tg_setting_list *names, const tg_peer *peer, tg_slice authority);

#endif
