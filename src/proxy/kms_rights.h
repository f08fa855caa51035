/* What a caller of the KMS proxy may do: its CID decides. */
#ifndef TG_PROXY_KMS_RIGHTS_H
#define TG_PROXY_KMS_RIGHTS_H

#include "io/peer.h"
#include "proxy/config.h"
#include "proxy/kms_request.h"

typedef struct tg_kms_rights {
    tg_slice domain; /* whose caller it is, for logs and metrics; "none" for a stranger */
    tg_slice key;    /* the one that it may use; empty: none */
    bool is_known;   /* it has a CID, and a domain has that CID */
    bool allows_plaintext;
} tg_kms_rights;

/* tg_kms_rights_of finds what the configuration allows the peer. Where several domains have its CID, plaintext is
 * allowed only if each that has the key allows it. The slices are the configuration's. */
tg_kms_rights tg_kms_rights_of(const tg_proxy_config *config, const tg_peer *peer);

/* tg_kms_rights_apply holds a request to them and fills in the key where the caller names none.
 * err   TG_ERR_DENIED: refused, TG_ERR_MEMORY; the detail's reason is for the caller, its field the answer's code, its
 *       remedy for the operator
 */
TG_MUST_USE tg_result tg_kms_rights_apply(const tg_kms_rights *rights, tg_kms_request *request, tg_detail *detail);

#endif
