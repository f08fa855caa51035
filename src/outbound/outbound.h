/* How we reach an origin outside: a carrier (any address: TCP, vsock, unix, hvsock), the egress proxy's line on it
 * where the carrier leads to one, and TLS inside, so that what carries the bytes need not be trusted and no name is
 * resolved in an enclave. It is a connector for http/client.h, immutable and shared by all loops by reference. */
#ifndef TG_OUTBOUND_OUTBOUND_H
#define TG_OUTBOUND_OUTBOUND_H

#include "http/connector.h"
#include "outbound/origin.h"
#include "tls/context.h"

typedef struct tg_outbound tg_outbound;

enum { TG_MAX_PREFACE_BYTES = 64 };

/* Where a URL may be http://. */
typedef enum tg_outbound_plain {
    TG_OUTBOUND_TLS_ONLY,
    TG_OUTBOUND_PLAIN_LOOPBACK, /* on this machine: emulators and tests */
    TG_OUTBOUND_PLAIN_LOCAL     /* there and on link-local addresses: instance metadata, container credentials */
} tg_outbound_plain;

typedef struct tg_outbound_settings {
    tg_slice url;              /* https://HOST[:PORT]; a path is passed over */
    const tg_address *carrier; /* what is dialled; NULL: the URL's host and port, resolved here */
    bool is_egress;            /* the carrier is an egress proxy: `HOST:PORT\n` goes first (nothing is answered) */
    tg_slice preface;          /* bytes that go before all else, at most TG_MAX_PREFACE_BYTES; copied */
    tg_outbound_plain plain;
    tg_tls_context *tls;     /* of a client (outbound/trust.h); NULL for http:// */
    bool is_mutual;          /* an origin that asks for no certificate of ours is none to speak to: TG_ERR_DENIED */
    bool may_be_common_name; /* a certificate without DNS names may name the host as its CN */
    uint64_t dial_ms;        /* 0: 10 s */
    uint64_t handshake_ms;   /* the egress line and TLS together; 0: 10 s */
} tg_outbound_settings;

/* tg_outbound_new makes one.
 * err   those of tg_origin_parse; TG_ERR_DENIED: http:// where `plain` does not allow it, or https:// without `tls`;
 *       TG_ERR_LIMIT: the preface; TG_ERR_MEMORY. The detail says what to do
 * keep  copied; a reference of the TLS context is taken
 */
TG_MUST_USE tg_result tg_outbound_new(const tg_outbound_settings *settings, tg_outbound **out_outbound,
                                      tg_detail *detail);

/* tg_outbound_ref gives one reference more; any thread. The last tg_outbound_unref (NULL is fine) frees it; attempts
 * under way hold one of their own. */
tg_outbound *tg_outbound_ref(tg_outbound *outbound);
void tg_outbound_unref(tg_outbound *outbound);

/* tg_outbound_connector is what tg_http_client_new takes; tg_outbound_origin says where it leads, and what the client's
 * authority is. Both live as long as the outbound. */
tg_http_connector *tg_outbound_connector(tg_outbound *outbound);
const tg_origin *tg_outbound_origin(const tg_outbound *outbound);

#endif
