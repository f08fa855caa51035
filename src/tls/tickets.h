/* The keys that seal session tickets (RFC 5077, RFC 8446 §4.6.1): made here, rotated, never stored. What resumes a
 * session is a client's ticket alone: the server keeps nothing for it, and all workers share the keys. */
#ifndef TG_TLS_TICKETS_H
#define TG_TLS_TICKETS_H

#include "base/result.h"

#include <stdint.h>

typedef struct tg_tls_tickets tg_tls_tickets;

enum {
    TG_TICKET_PERIOD_MS = 3600 * 1000,   /* a key seals for this long and opens for as long again */
    TG_MAX_SESSION_AGE_S = 24 * 60 * 60, /* from a whole handshake to the last resumption that descends from it */
};

/* tg_tls_tickets_new makes the first key.
 * in    period_ms: at least 1; TG_TICKET_PERIOD_MS but in tests
 * err   TG_ERR_RANGE, TG_ERR_MEMORY, TG_ERR_SYSTEM where memory cannot be locked
 */
TG_MUST_USE tg_result tg_tls_tickets_new(uint64_t period_ms, tg_tls_tickets **out_tickets);

/* tg_tls_tickets_rotate puts a fresh key in front: tickets sealed by the one before are still taken, older ones are
 * not. It happens by itself when a ticket is used after the period. Any thread.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM; the keys are then as they were
 */
TG_MUST_USE tg_result tg_tls_tickets_rotate(tg_tls_tickets *tickets);

/* tg_tls_tickets_ref gives one reference more; any thread. The last tg_tls_tickets_unref (NULL is fine) wipes the keys.
 */
tg_tls_tickets *tg_tls_tickets_ref(tg_tls_tickets *tickets);
void tg_tls_tickets_unref(tg_tls_tickets *tickets);

#endif
