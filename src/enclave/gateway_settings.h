/* The gateway's part of the settings: the egress address, and the routes, read from their file and checked against the
 * settings that bound them. */
#ifndef TG_ENCLAVE_GATEWAY_SETTINGS_H
#define TG_ENCLAVE_GATEWAY_SETTINGS_H

#include "enclave/enclave_settings.h"
#include "schema/schema_set.h"

/* tg_gateway_settings_set_default gives EGRESS_ADDRESS its default, and makes `off` of it NULL. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_gateway_settings_set_default(tg_enclave_settings *settings);

/* tg_gateway_settings_load reads ROUTES_PATH into settings->routes, when everything else has been read; what is wrong
 * becomes faults. It sets settings->delivered_values too. err: TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_gateway_settings_load(tg_enclave_settings *settings, tg_faults *faults);

/* tg_gateway_settings_check_schemas adds a fault for each schema that a route names and `set` does not hold. While
 * serving such a route answers 503: the schema may come with a refresh.
 */
void tg_gateway_settings_check_schemas(const tg_enclave_settings *settings, const tg_schema_set *set,
                                       tg_faults *faults);

/* tg_gateway_settings_log says once, at start, how many routes there are, and what of them the host decides. */
void tg_gateway_settings_log(const tg_enclave_settings *settings);

/* tg_gateway_settings_note_changes logs where the file of ROUTES_PATH is not what is in force any more: routes are
 * measured, and what the manifest says of them does not change while the process runs.
 */
void tg_gateway_settings_note_changes(const tg_enclave_settings *settings);

#endif
