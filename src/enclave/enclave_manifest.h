/* What the enclave's manifest says, from its settings and from what is in force. */
#ifndef TG_ENCLAVE_ENCLAVE_MANIFEST_H
#define TG_ENCLAVE_ENCLAVE_MANIFEST_H

#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

/* tg_enclave_manifest_settings appends the manifest's `settings`, as canonical JSON: which doors are open, and the
 * SHA-256 over all measured settings, of which no value is shown.
 * err   those of tg_buf_append; TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_enclave_manifest_settings(const tg_enclave_settings *settings, tg_buf *buf);

/* tg_enclave_manifest_append appends the manifest.
 * in    settings_json: what tg_enclave_manifest_settings wrote
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_enclave_manifest_append(const tg_snapshot *snapshot, tg_slice settings_json, tg_buf *buf);

#endif
