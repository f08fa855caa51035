/* Follows the records at the beginning of a connection, before encryption, as far as the lengths that ClientHellos
 * announce: OpenSSL allocates (and clears) 128 KiB for nine bytes that announce as much, and its bound is fixed. */
#ifndef TG_TLS_HELLO_GUARD_H
#define TG_TLS_HELLO_GUARD_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_tls_hello_guard {
    bool is_over; /* no ClientHello can follow */
    uint8_t num_hellos;
    uint8_t record_header_len;
    uint8_t message_header_len;
    uint8_t record_header[5];
    uint8_t message_header[4];
    uint16_t record_left;
    uint32_t message_left;
} tg_tls_hello_guard;

/* tg_tls_hello_guard_take looks at the next bytes from the client, in any pieces; zeroed, the guard is at the start.
 * What is no TLS is let through: OpenSSL says better what is wrong with it.
 * err   TG_ERR_LIMIT: a ClientHello longer than `max_hello_bytes`
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_hello_guard_take(tg_tls_hello_guard *guard, tg_slice bytes,
                                                         size_t max_hello_bytes);

#endif
