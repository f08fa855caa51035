/* HTTP to applications beside the enclave, on one loop: at the return ports that sidecars told, or at one address. What
 * goes there is on the host, in plain HTTP: it is for bodies whose PII is sealed already. */
#ifndef TG_ENCLAVE_APPLICATIONS_H
#define TG_ENCLAVE_APPLICATIONS_H

#include "http/client.h"
#include "io/address.h"
#include "io/peer.h"

enum { TG_MAX_APPLICATIONS = 16 /* at one time; the one not called for longest makes room */ };

typedef struct tg_applications tg_applications;

/* tg_applications_new calls nobody yet.
 * in    fixed: where connections lead that told no return port that can be dialled; NULL: nowhere. Lives as long
 *       limits: of the calls of each application
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_applications_new(tg_loop *loop, const tg_address *fixed, const tg_http_client_limits *limits,
                                          tg_applications **out_applications);
/* tg_applications_free ends calls under way; nobody is told. NULL is fine. */
void tg_applications_free(tg_applications *applications);

/* tg_applications_has says whether there is a way from this peer's connection to an application. */
bool tg_applications_has(const tg_applications *applications, const tg_peer *peer);

/* tg_applications_find gives the client of the application behind a peer: a return port told over vsock is dialled at
 * the peer's own CID, all others lead to the fixed address; the token goes first where one was told.
 * err   TG_ERR_NOT_FOUND: there is no way; TG_ERR_LIMIT: all of TG_MAX_APPLICATIONS are being called; TG_ERR_MEMORY
 * keep  the client is good for calls that start in this turn of the loop, and lives as long as they do
 */
TG_MUST_USE tg_result tg_applications_find(tg_applications *applications, const tg_peer *peer,
                                           tg_http_client **out_client);

#endif
