/* The end of a connection whose last words must arrive. Closing a socket with unread bytes resets the connection, and
 * the reset may overtake what was sent last (a TLS alert, an error's answer). */
#ifndef TG_IO_LINGER_H
#define TG_IO_LINGER_H

#include "io/loop.h"
#include "io/stream.h"

enum { TG_LINGER_MS = 1000, TG_MAX_LINGER_BYTES = 262144 };

/* tg_linger ends our side of the stream, then reads and drops what comes until the peer's end, TG_LINGER_MS or
 * TG_MAX_LINGER_BYTES, and closes it. Streams that still linger when the loop is freed are closed then.
 * keep  takes the stream in every case
 */
void tg_linger(tg_loop *loop, tg_stream *stream);

#endif
