/* The stream that is a socket: TCP, vsock or unix. */
#ifndef TG_IO_SOCKET_H
#define TG_IO_SOCKET_H

#include "io/loop.h"
#include "io/peer.h"
#include "io/stream.h"

/* tg_socket_open makes a stream of a connected, non-blocking socket.
 * in    peer: copied
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  the stream owns fd on success, the caller keeps it otherwise; the loop outlives the stream
 */
TG_MUST_USE tg_result tg_socket_open(tg_loop *loop, int fd, const tg_peer *peer, tg_stream **out_stream);

/* tg_socket_open_watched is the same for a descriptor that the loop watches already: that watch becomes the stream's.
 */
TG_MUST_USE tg_result tg_socket_open_watched(tg_loop *loop, int fd, const tg_peer *peer, tg_stream **out_stream);

/* tg_socket_set_return notes in the stream's peer what it said of the way back. The stream is one of the above. */
void tg_socket_set_return(tg_stream *stream, uint32_t port, const uint8_t token[TG_PEER_RETURN_TOKEN_BYTES]);

/* tg_socket_prepare_tcp sets TCP_NODELAY and keep-alive probes (dead peers are noticed after about 2 minutes) on a
 * TCP socket; accepted ones inherit both from their listener. Other sockets are left as they are.
 */
void tg_socket_prepare_tcp(int fd);

#endif
