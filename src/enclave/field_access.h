/* What a request to /encrypt or /decrypt stands on: who asks, and the schema that its header names. A stream of lines
 * asks for both again while it goes on. */
#ifndef TG_ENCLAVE_FIELD_ACCESS_H
#define TG_ENCLAVE_FIELD_ACCESS_H

#include "enclave/site.h"

static inline bool tg_field_access_is_encrypt(const tg_http_request *request)
{
    return tg_slice_equal(request->path, TG_LIT("/encrypt"));
}

/* tg_field_access_list is who may send this request; NULL: anybody. /encrypt is open unless a list is set, /decrypt is
 * closed unless one is. tg_field_access_is_allowed says whether its client is among them, at this moment. */
const tg_setting_list *tg_field_access_list(const tg_site *site, const tg_http_request *request);
bool tg_field_access_is_allowed(const tg_site *site, const tg_http_request *request);

/* tg_field_access_find_schema finds the schema of a snapshot; both outputs live as long as that.
 * err   TG_ERR_EXISTS: the header stands there twice; TG_ERR_NOT_FOUND: it is missing, or no schema has that name
 */
TG_MUST_USE tg_result tg_field_access_find_schema(const tg_site *site, const tg_http_request *request,
                                                  const tg_snapshot *snapshot, tg_pii_root *out_root,
                                                  const tg_schema **out_schema);

#endif
