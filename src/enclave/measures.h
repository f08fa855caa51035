/* The enclave's metrics (teegate_*), and the children of them that the hot path counts into. */
#ifndef TG_ENCLAVE_MEASURES_H
#define TG_ENCLAVE_MEASURES_H

#include "enclave/snapshot.h"
#include "http/server.h"
#include "sys/metric.h"

/* tg_measures_start has the computed gauges (ages, schema numbers) follow the publisher's snapshots.
 * err   TG_ERR_LIMIT. keep: the publisher lives as long as the process; thread: main, once
 */
TG_MUST_USE tg_result tg_measures_start(tg_publisher *publisher);

/* tg_measures_add_server has the connections of a worker's server counted; before its thread starts. tg_measures_stop
 * forgets them all, before the servers end.
 */
void tg_measures_add_server(const tg_http_server *server);
void tg_measures_stop(void);

/* What follows may be called by any thread. */

/* tg_measures_set_ready says whether every worker can answer requests. */
void tg_measures_set_ready(bool is_ready);

/* tg_measures_request counts one ended request: by route and status, its duration and bytes. */
void tg_measures_request(const tg_http_record *record);
/* tg_measures_refused counts a request refused for `code` (an error code of the API; static). */
void tg_measures_refused(const char *code);
/* tg_measures_fields counts values sealed or opened under a schema; num_old_key of them opened by another key than the
 * current one. A known schema without a PII value in the body counts as a request all the same. */
void tg_measures_fields(tg_slice schema, bool is_encrypt, size_t num_fields, size_t num_old_key);
/* tg_measures_schema_lookup counts a hit or a miss. */
void tg_measures_schema_lookup(bool is_hit);
/* tg_measures_schema_refresh counts a refresh by outcome: `ok`, `faults`, `failed`. */
void tg_measures_schema_refresh(const char *outcome);
/* tg_measures_tls_fault counts a connection that broke in TLS. tg_measures_accept_fault: accepting failed. */
void tg_measures_tls_fault(void);
void tg_measures_accept_fault(uint64_t num_refused);

#endif
