/* One call of an enclave's gateway, step by step: attestation, keys, request, answer. Nothing is sent before the
 * enclave is verified, and nothing is given back that it did not make for this request. */
#ifndef TG_TOOL_CALL_EXCHANGE_H
#define TG_TOOL_CALL_EXCHANGE_H

#include "tls/identity.h"
#include "tool/call_envelope.h"
#include "tool/console.h"
#include "tool/options.h"

/* How a call ended; also the command's exit status. */
typedef enum tg_call_end {
    TG_CALL_ANSWERED = 0,     /* verified, of status 200 to 299 */
    TG_CALL_NOT_VERIFIED = 1, /* not the enclave that it should be, or not its keys: nothing was sent */
    TG_CALL_NOT_DONE = 2,     /* usage, a file, no connection, no whole answer */
    TG_CALL_REFUSED = 3,      /* the answer is not the enclave's, or not to this request */
    TG_CALL_ERROR_STATUS = 4, /* verified, of another status */
    TG_CALL_NOT_SEALED = 5    /* somebody answered in the clear: an error before the envelope was opened, or the host */
} tg_call_end;

/* tg_call_end_name gives `answered`, `not_verified`, `not_done`, `refused`, `error_status`, `not_sealed`. Static. */
const char *tg_call_end_name(tg_call_end end);

typedef struct tg_call_plan {
    const tg_invocation *invocation; /* for TG_ATTEST_OPTIONS and TG_FETCH_OPTIONS */
    const char *url;
    tg_call_envelope envelope;
    tg_slice method, content_type, body;
    const tg_http_header *headers;
    size_t num_headers;
    tg_tls_identity *identity; /* shown to the verified enclave; NULL: none */
    bool is_verbose;           /* each step on standard error, without a byte of what is sealed */
} tg_call_plan;

typedef struct tg_call_outcome {
    tg_call_end end;
    tg_call_answer answer; /* with TG_CALL_ANSWERED and TG_CALL_ERROR_STATUS; ended with tg_call_answer_done */
    bool may_be_processed; /* the request was sent */
    tg_detail detail;      /* otherwise: why. Its reason is empty where the console has been told already */
} tg_call_outcome;

/* tg_call_exchange makes the call. */
void tg_call_exchange(const tg_call_plan *plan, tg_console *console, tg_call_outcome *out_outcome);

#endif
