/* Asking a live endpoint to attest itself. What the connection is worth is decided afterwards, by its key: the
 * attestation must vouch for it. */
#ifndef TG_TOOL_ATTEST_FETCH_H
#define TG_TOOL_ATTEST_FETCH_H

#include "tool/attest_answer.h"
#include "tool/fetch.h"

/* tg_attest_fetch asks for `path` (empty or "/": /attestation) with a fresh nonce.
 * out   *answer: is_live, with the nonce and the connection's key
 * err   TG_ERR_SYNTAX: the answer; TG_ERR_DENIED: the endpoint refuses, with its status; those of tg_fetch_ask; detail
 */
TG_MUST_USE tg_result tg_attest_fetch(tg_fetch *fetch, tg_slice path, tg_attest_answer *answer, tg_detail *detail);

#endif
