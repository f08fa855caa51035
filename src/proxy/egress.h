/* The enclaves' way out: a line says where to, then bytes flow; nothing is answered. */
#ifndef TG_PROXY_EGRESS_H
#define TG_PROXY_EGRESS_H

#include "proxy/connection.h"

extern const tg_connection_service tg_egress_service;

#endif
