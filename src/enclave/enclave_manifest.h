/* What the enclave's manifest says, from its settings and from what is in force. */
#ifndef TG_ENCLAVE_ENCLAVE_MANIFEST_H
#define TG_ENCLAVE_ENCLAVE_MANIFEST_H

#include "crypto/sha256.h"
#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

/* tg_enclave_manifest_settings appends the manifest's `settings`, as canonical JSON: which doors are open, and the
 * SHA-256 over all measured settings, of which no value is shown.
 * err   those of tg_buf_append; TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_enclave_manifest_settings(const tg_enclave_settings *settings, tg_buf *buf);

/* tg_enclave_manifest_routes gives the SHA-256 of the file of ROUTES_PATH as it was read.
 * out   *out_digest is `out`, or empty where there are no routes
 * err   TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_enclave_manifest_routes(const tg_enclave_settings *settings, uint8_t out[TG_SHA256_BYTES],
                                                 tg_slice *out_digest);

/* tg_enclave_manifest_append appends the manifest.
 * in    settings_json: what tg_enclave_manifest_settings wrote; routes: what tg_enclave_manifest_routes gave
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_enclave_manifest_append(const tg_snapshot *snapshot, tg_slice settings_json, tg_slice routes,
                                                 tg_buf *buf);

#endif
