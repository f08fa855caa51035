/* GET /health, /live, /ready: for load balancers and orchestrators. */
#ifndef TG_ENCLAVE_HEALTH_API_H
#define TG_ENCLAVE_HEALTH_API_H

#include "enclave/site.h"

/* 200 or 503 with {"status":"ok|degraded","dek_ready":bool,"schemas_loaded":n} */
void tg_health_api_health(tg_site *site, tg_http_request *request);
/* 200 while the process serves: a 503 here would have it restarted, which mends nothing. */
void tg_health_api_live(tg_site *site, tg_http_request *request);
/* 503 while degraded or draining: no new work should be sent. */
void tg_health_api_ready(tg_site *site, tg_http_request *request);

#endif
