/* Whom a sealed delivery is for: the key that a verified enclave attests. */
#ifndef TG_TOOL_SECRETS_SEAL_H
#define TG_TOOL_SECRETS_SEAL_H

#include "crypto/ec_key.h"
#include "tool/console.h"
#include "tool/options.h"

/* tg_secrets_seal asks the enclave at the URL to attest itself, makes every check of `attest verify` under the
 * invocation's options, and puts the delivery sealed to the key of its document in the place of the text.
 * in      key: who signs
 * return  TG_EXIT_FINDINGS: not the enclave that it should be; TG_EXIT_CANNOT; both said on the console
 */
TG_MUST_USE int tg_secrets_seal(const tg_invocation *invocation, const char *url, const tg_ec_key *key,
                                tg_console *console, tg_buf *text);

#endif
