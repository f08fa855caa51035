/* Asking a live endpoint to attest itself: one request over TLS, whose certificate is believed for nothing. What the
 * connection is worth is decided afterwards, by its key: the attestation must vouch for it. */
#ifndef TG_TOOL_ATTEST_FETCH_H
#define TG_TOOL_ATTEST_FETCH_H

#include "tool/attest_answer.h"

/* tg_attest_fetch asks https://HOST[:PORT][/PATH] (443, /attestation) with a fresh nonce, within half a minute.
 * err   TG_ERR_SYNTAX: the URL, or the answer; TG_ERR_CLOSED: no connection, TLS failed, cut off; TG_ERR_DENIED: the
 *       endpoint refused, with its status; TG_ERR_LIMIT, TG_ERR_MEMORY; detail says what
 */
TG_MUST_USE tg_result tg_attest_fetch(const char *url, tg_attest_answer *answer, tg_detail *detail);

#endif
