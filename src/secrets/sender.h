/* Delivers a text: connects, sends it, ends the sending side and reads the answer. */
#ifndef TG_SECRETS_SENDER_H
#define TG_SECRETS_SENDER_H

#include "base/buf.h"
#include "base/detail.h"
#include "io/address.h"

enum { TG_MAX_SEND_ANSWER_BYTES = 65536 };

/* tg_secrets_send does so on a loop of its own, and returns when the other side has ended.
 * in    timeout_ms: for everything together
 * out   answer: what came back; empty where the other side says nothing
 * err   TG_ERR_TIMEOUT; TG_ERR_CLOSED: no connection, or it broke; TG_ERR_LIMIT: an answer that is none; TG_ERR_MEMORY,
 *       TG_ERR_SYSTEM; detail says what
 */
TG_MUST_USE tg_result tg_secrets_send(const tg_address *address, tg_slice text, uint64_t timeout_ms, tg_buf *answer,
                                      tg_detail *detail);

#endif
