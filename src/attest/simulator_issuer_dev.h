/* The certificates of the simulator: an authority of its own below the simulator's root, and a short-lived one that
 * signs documents, as AWS has it. Not in a production build. */
#ifndef TG_ATTEST_SIMULATOR_ISSUER_DEV_H
#define TG_ATTEST_SIMULATOR_ISSUER_DEV_H

#include "base/buf.h"

#include <openssl/evp.h>

typedef struct tg_simulator_chain {
    tg_slice root;          /* DER, static */
    tg_buf zone, leaf;      /* DER */
    EVP_PKEY *key;          /* the leaf's, P-384; NULL before the first issue */
    uint64_t until_unix_ms; /* of the leaf */
} tg_simulator_chain;

/* The chain is empty after init, and ended by done. */
void tg_simulator_chain_init_dev(tg_simulator_chain *chain);
void tg_simulator_chain_done_dev(tg_simulator_chain *chain);

/* tg_simulator_issue_dev makes new keys and certificates, good for three hours from `now_unix_ms`.
 * err   TG_ERR_LIBRARY, TG_ERR_MEMORY; then the chain is empty
 */
TG_MUST_USE tg_result tg_simulator_issue_dev(uint64_t now_unix_ms, tg_simulator_chain *chain);

#endif
