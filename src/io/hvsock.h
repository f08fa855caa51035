/* The handshake of hybrid vsock, as Firecracker and Cloud Hypervisor speak it on their unix socket: the caller writes
 * `CONNECT PORT\n`, and is answered `OK NUMBER\n` once the guest has accepted. */
#ifndef TG_IO_HVSOCK_H
#define TG_IO_HVSOCK_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_MAX_HVSOCK_ANSWER_BYTES = 32, TG_HVSOCK_REQUEST_BYTES = 24 };

/* tg_hvsock_format_request writes the request for a port. out: the bytes and a NUL; returns their number. */
size_t tg_hvsock_format_request(uint32_t port, char out[TG_HVSOCK_REQUEST_BYTES]);

/* tg_hvsock_parse_answer reads what has arrived so far.
 * out   *out_len: the answer's length with its newline; what stands behind it is the guest's
 * err   TG_ERR_AGAIN: not whole yet; TG_ERR_SYNTAX: not an OK; TG_ERR_LIMIT: longer than any answer
 */
TG_FOREIGN TG_MUST_USE tg_result tg_hvsock_parse_answer(tg_slice bytes, size_t *out_len);

#endif
