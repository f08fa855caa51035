/* GET /metrics, /version, /status: for operators, on ADMIN_ADDRESS, without TLS. Nothing secret, nothing of a body. */
#ifndef TG_ENCLAVE_ADMIN_API_H
#define TG_ENCLAVE_ADMIN_API_H

#include "enclave/site.h"

/* The process's metrics in Prometheus's text format. */
void tg_admin_api_metrics(tg_site *site, tg_http_request *request);
/* {"program","version","build","cipher"} */
void tg_admin_api_version(tg_site *site, tg_http_request *request);
/* {"status","draining","deks":[{"id","state","fingerprint"}],"schemas":[{"name","pii","kept","sha256"}],...} */
void tg_admin_api_status(tg_site *site, tg_http_request *request);

#endif
