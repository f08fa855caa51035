/* What a sidecar tells its enclave in front of each connection, in a TLV of our own in a PROXY header: the vsock port
 * on which the enclave reaches the application beside the sidecar, and the bytes that prove who dials it. */
#ifndef TG_HELLO_RETURN_PORT_H
#define TG_HELLO_RETURN_PORT_H

#include "base/buf.h"

enum { TG_RETURN_TOKEN_BYTES = 16, TG_RETURN_PORT_BYTES = 1 + 4 + TG_RETURN_TOKEN_BYTES };

typedef struct tg_return_port {
    uint32_t port; /* vsock port of the sidecar's side, never 0 or VMADDR_PORT_ANY */
    uint8_t token[TG_RETURN_TOKEN_BYTES];
} tg_return_port;

/* tg_return_port_read reads the value of a TLV of type TG_PROXY_TLV_RETURN_PORT: version 1, port, token.
 * err   TG_ERR_SYNTAX: another length or a port that cannot be; TG_ERR_UNSUPPORTED: another version
 */
TG_FOREIGN TG_MUST_USE tg_result tg_return_port_read(tg_slice value, tg_return_port *out_port);

/* tg_return_port_append appends the whole TLV with its header; errors as tg_buf_append. */
TG_MUST_USE tg_result tg_return_port_append(tg_buf *buf, const tg_return_port *port);

#endif
