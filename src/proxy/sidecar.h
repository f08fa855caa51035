/* The sidecar of a pod: clients of the pod reach the enclave through it, and the enclave reaches the application beside
 * it by a port that the sidecar tells it, in front of each connection, together with the bytes that prove who dials. */
#ifndef TG_PROXY_SIDECAR_H
#define TG_PROXY_SIDECAR_H

#include "hello/return_port.h"
#include "io/address.h"
#include "proxy/connection.h"

typedef struct tg_proxy_sidecar {
    tg_address listen;
    tg_address enclave;
    bool has_application;
    tg_address application;
    tg_address return_listen;   /* where the enclave dials back */
    tg_return_port return_port; /* its port once it is bound, and the token of this process */
} tg_proxy_sidecar;

/* The two directions; the worker's shared->sidecar is what they serve. */
extern const tg_connection_service tg_sidecar_service;
extern const tg_connection_service tg_sidecar_return_service;

#endif
