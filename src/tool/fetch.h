/* An HTTPS endpoint as a command asks it: one question after the other, each waited for, all under one deadline. Its
 * certificate is believed for nothing: what the endpoint is worth is decided by its key, for which an attestation has
 * to vouch. That key is the same for every question: a connection that shows another one is refused. */
#ifndef TG_TOOL_FETCH_H
#define TG_TOOL_FETCH_H

#include "base/buf.h"
#include "base/detail.h"
#include "http/client.h"
#include "tls/identity.h"
#include "tool/options.h"

typedef struct tg_fetch tg_fetch;

enum { TG_FETCH_TIMEOUT_S = 30, TG_MAX_FETCH_TIMEOUT_S = 3600, TG_FETCH_KEY_BYTES = 32, TG_MAX_FETCH_TYPE_BYTES = 256 };

/* The rows of a command's options that tg_fetch_open reads. */
#define TG_FETCH_OPTIONS                                                                                               \
    {.name = "timeout", .argument = "SECONDS", .help = "for the endpoint to answer, everything together; 30"},         \
    {                                                                                                                  \
        .name = "connect-to", .argument = "ADDRESS",                                                                   \
        .help = "dial this (tcp:, unix:, vsock:, hvsock:) in the place of the URL's host"                              \
    }

/* tg_fetch_open readies one; nothing is dialled. The deadline of all questions begins now.
 * in    url: https://HOST[:PORT][/PATH][?QUERY]; invocation: its --timeout and --connect
 * err   TG_ERR_SYNTAX, TG_ERR_RANGE, TG_ERR_LIMIT: the URL or an option; TG_ERR_DENIED: http://; TG_ERR_MEMORY,
 *       TG_ERR_SYSTEM. The detail says what
 */
TG_MUST_USE tg_result tg_fetch_open(const tg_invocation *invocation, const char *url, tg_fetch **out_fetch,
                                    tg_detail *detail);
void tg_fetch_close(tg_fetch *fetch);

/* tg_fetch_identify shows a certificate of ours from now on: to the endpoint that has been verified, and whose key
 * alone is taken, not to whoever answers first. What is open is closed. err: those of tg_tls_context_new_client; detail
 */
TG_MUST_USE tg_result tg_fetch_identify(tg_fetch *fetch, tg_tls_identity *identity, tg_detail *detail);

/* The URL's path ("/" where it has none) and its path with the query; both live as long as the fetch. */
tg_slice tg_fetch_path(const tg_fetch *fetch);
tg_slice tg_fetch_target(const tg_fetch *fetch);

/* host[:port] as Host says it; lives as long as the fetch. */
tg_slice tg_fetch_authority(const tg_fetch *fetch);

/* tg_fetch_may_be_processed says whether all of the last question's head was sent, so that the endpoint may have acted
 * upon it, whatever came of its answer. */
bool tg_fetch_may_be_processed(const tg_fetch *fetch);

/* tg_fetch_key is the SHA-256 of the endpoint's TLS key (SubjectPublicKeyInfo): TG_FETCH_KEY_BYTES, empty before a
 * connection stood. */
tg_slice tg_fetch_key(const tg_fetch *fetch);

typedef struct tg_fetched {
    unsigned status;
    char content_type[TG_MAX_FETCH_TYPE_BYTES]; /* "" where the answer has none, two, or one that is longer */
    tg_buf body;                                /* wiped when it ends */
} tg_fetched;

/* tg_fetch_ask asks and waits. Redirects are not followed.
 * in    ask: with its max_answer_bytes; its deadlines are the fetch's
 * out   *out_fetched, whatever its status; tg_fetched_done ends it
 * err   TG_ERR_TIMEOUT: the deadline; TG_ERR_CLOSED and others: no connection, no TLS, no HTTP answer, cut off, too
 *       long; TG_ERR_SYNTAX: a header or target that is none. The detail names the stage and the reason
 */
TG_MUST_USE tg_result tg_fetch_ask(tg_fetch *fetch, const tg_http_ask *ask, tg_fetched *out_fetched, tg_detail *detail);
void tg_fetched_done(tg_fetched *fetched);

/* tg_fetch_pause waits a second before the next try. err: TG_ERR_TIMEOUT: the deadline comes first; detail */
TG_MUST_USE tg_result tg_fetch_pause(const tg_fetch *fetch, tg_detail *detail);

#endif
