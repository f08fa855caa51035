/* Who stands at the other side of a stream: plain data, filled in by whoever made the stream. */
#ifndef TG_IO_PEER_H
#define TG_IO_PEER_H

#include "base/result.h"
#include "base/slice.h"
#include "io/address.h"

enum { TG_PEER_KEY_SHA256_BYTES = 32, TG_PEER_RETURN_TOKEN_BYTES = 16 };

typedef enum tg_peer_name_kind { TG_PEER_NAME_DNS, TG_PEER_NAME_URI, TG_PEER_NAME_EMAIL } tg_peer_name_kind;

/* One subject alternative name of the peer's verified certificate (RFC 5280 §4.2.1.6), as the certificate spells it. */
typedef struct tg_peer_name {
    tg_peer_name_kind kind;
    tg_slice text;
} tg_peer_name;

/* What a TLS handshake established. It lives as long as the stream. */
typedef struct tg_peer_tls {
    tg_slice server_name;     /* SNI as the client sent it, "" where it sent none */
    tg_slice protocol;        /* ALPN, "" where none was negotiated */
    const char *version;      /* "TLSv1.3"; static */
    const char *cipher;       /* the suite's name; static */
    bool is_resumed;          /* from a session ticket: no certificate travelled in this handshake */
    bool was_asked;           /* of a client: the server has asked for a certificate, in this handshake */
    bool has_certificate;     /* the peer proved a certificate that a configured authority vouches for */
    int64_t not_after_unix_s; /* the certificate's end, INT64_MAX without one: a long connection may outlive it */
    const tg_peer_name *names;
    size_t num_names; /* 0 without a certificate */
    bool has_key;     /* of a client that verifies no certificate: which key the server has proved to hold */
    uint8_t key_sha256[TG_PEER_KEY_SHA256_BYTES]; /* of its SubjectPublicKeyInfo; valid where has_key */
} tg_peer_tls;

struct tg_peer {
    tg_address_kind kind;
    bool has_cid;
    uint32_t cid;   /* vsock: the kernel's word; unix: what the listener's `?cid=` says; valid where has_cid */
    uint32_t port;  /* tcp and vsock: the peer's port; hvsock: the one that was dialled */
    uint8_t ip[16]; /* tcp: IPv6, or IPv4 as ::ffff:a.b.c.d */
    /* What the peer said of the way back to what stands behind it, in front of all else (hello/return_port.h): the
     * port at its CID, 0 where it said nothing, and what proves who dials it. */
    uint32_t return_port;
    uint8_t return_token[TG_PEER_RETURN_TOKEN_BYTES];
    const tg_peer_tls *tls; /* NULL on a plain stream and until the handshake is done */
};
typedef struct tg_peer tg_peer;

enum { TG_PEER_TEXT_BYTES = 64 };

/* tg_peer_of_sockaddr fills in a peer of the kind that the address family says (AF_UNIX: TG_ADDRESS_UNIX, no name).
 * err   TG_ERR_UNSUPPORTED for another family
 */
TG_MUST_USE tg_result tg_peer_of_sockaddr(const tg_sockaddr *address, tg_peer *out_peer);

/* tg_peer_is_ipv4 says whether `ip` holds a mapped IPv4 address (its last four bytes). */
bool tg_peer_is_ipv4(const tg_peer *peer);

/* tg_peer_format writes the address in the notation of io/address.h: `tcp:192.0.2.1:49152`, `vsock:16:1024`,
 * `unix:`, `unix:?cid=16`, `hvsock::5000`. tg_peer_format_host writes the IP address alone (without brackets), the
 * CID, or "unix".
 * out   at most TG_PEER_TEXT_BYTES with the NUL; returns `out`
 */
const char *tg_peer_format(const tg_peer *peer, char out[TG_PEER_TEXT_BYTES]);
const char *tg_peer_format_host(const tg_peer *peer, char out[TG_PEER_TEXT_BYTES]);

#endif
