/* Forward mode's part of the settings: which paths lead to an application beside the enclave, by which schemas their
 * bodies are sealed on the way, and which headers pass. */
#ifndef TG_ENCLAVE_FORWARD_SETTINGS_H
#define TG_ENCLAVE_FORWARD_SETTINGS_H

#include "gateway/routes.h"
#include "io/address.h"

typedef struct tg_enclave_settings tg_enclave_settings;

/* One path of FORWARD_SCHEMAS. */
typedef struct tg_forward {
    const char *path;
    tg_setting_list schemas; /* as the schema header names them; never empty */
} tg_forward;

/* All of them; immutable, in the settings' memory. */
typedef struct tg_forwards {
    tg_forward *paths;
    size_t num_paths;
    tg_gateway_route policy; /* of headers alone (gateway/header_policy.h) */
    bool has_application;
    tg_address application; /* APP_ENDPOINT */
} tg_forwards;

/* tg_forward_fault and tg_forward_header_fault are checks of one item of FORWARD_SCHEMAS and FORWARD_HEADERS
 * (tg_setting_check_fn). The grammar of the first: PATH "=" SCHEMA *( "|" SCHEMA ). */
const char *tg_forward_fault(tg_slice item);
const char *tg_forward_header_fault(tg_slice name);

/* tg_forward_settings_load makes settings->forwards (NULL without FORWARD_SCHEMAS), when all else has been read; what
 * is wrong becomes faults. err: TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_forward_settings_load(tg_enclave_settings *settings, tg_faults *faults);

/* tg_forwards_find gives the entry of a path as it was sent, or NULL; forwards may be NULL. */
const tg_forward *tg_forwards_find(const tg_forwards *forwards, tg_slice path);

#endif
