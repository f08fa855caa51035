/* What the proxy counts. */
#ifndef TG_PROXY_PROXY_METRICS_H
#define TG_PROXY_PROXY_METRICS_H

#include "proxy/config.h"
#include "sys/metric.h"

/* In all of these `route` is the configured domain or the service's own word (forward, egress): a set that the
 * configuration bounds. Any thread.
 *
 * tg_proxy_count_open counts a connection that begins (1) or ends (-1); tg_proxy_count_end how it ended.
 * tg_proxy_count_refusal counts by the rule that refused, tg_proxy_count_dial how long a dial took,
 * tg_proxy_count_request a request of the HTTP router, tg_proxy_count_unlogged a line that was one too many.
 */
void tg_proxy_count_open(tg_proxy_service service, int change);
void tg_proxy_count_end(tg_proxy_service service, tg_slice route, const char *outcome);
void tg_proxy_count_refusal(tg_proxy_service service, tg_slice rule);
void tg_proxy_count_dial(tg_proxy_service service, uint64_t duration_ns, bool is_good);
void tg_proxy_count_request(tg_slice route, unsigned status);
void tg_proxy_count_unlogged(void);

/* tg_proxy_count_kms counts a call of the KMS proxy by its outcome ("ok", AWS's code or ours), and how long it took; 0:
 * it never reached KMS. `domain` and `operation` are ours, codes of AWS's a small set. */
void tg_proxy_count_kms(tg_slice domain, const char *operation, const char *outcome, uint64_t duration_ns);

/* tg_proxy_byte_counters gives the counters of a route: from the client, and from the other side. */
void tg_proxy_byte_counters(tg_proxy_service service, tg_slice route, tg_metric *out_counters[2]);

#endif
