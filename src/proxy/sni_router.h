/* The SNI router: a TLS client's first flight tells the domain, its enclave gets every byte. */
#ifndef TG_PROXY_SNI_ROUTER_H
#define TG_PROXY_SNI_ROUTER_H

#include "proxy/connection.h"

extern const tg_connection_service tg_sni_router_service;

#endif
