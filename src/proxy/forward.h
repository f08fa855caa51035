/* A forward: any listen address to any connect address, bytes opaque. */
#ifndef TG_PROXY_FORWARD_H
#define TG_PROXY_FORWARD_H

#include "proxy/connection.h"

extern const tg_connection_service tg_forward_service;

#endif
