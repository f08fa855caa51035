/* The enclave's proof of itself: the device that signs, and documents over the manifest of what is in force now. One
 * for the process; every worker asks it. */
#ifndef TG_ENCLAVE_ATTESTATION_H
#define TG_ENCLAVE_ATTESTATION_H

#include "attest/device.h"
#include "enclave/attestation_rate.h"
#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

typedef struct tg_attestation tg_attestation;

enum {
    TG_ATTESTATION_AGE_MS = 60000,      /* how long a document without nonce serves before another is signed */
    TG_MAX_KEPT_ATTESTATIONS_PER_S = 4, /* how many of these are signed in a second, where the manifest changes */
    TG_MIN_ATTESTATION_RETRY_MS = 500,  /* after the device failed; doubles with each failure, up to */
    TG_MAX_ATTESTATION_RETRY_MS = 30000,
    TG_ATTESTATION_STALE_MS = 600000, /* how long one serves at all, while no other can be had */
    TG_MIN_NONCE_BYTES = 16,
    TG_MAX_NONCE_BYTES = 64,
    TG_MAX_ATTESTATION_BYTES = 65536 /* of an answer */
};

/* tg_attestation_open opens the device that ATTESTATION_DEVICE names, and gives the kernel of its entropy where it is
 * the security module.
 * out   *out_attestation NULL where there is no device and none is asked for
 * err   what the device says, also added to faults; TG_ERR_MEMORY
 * keep  ended with tg_attestation_close (NULL is fine), after everybody who asks
 */
TG_MUST_USE tg_result tg_attestation_open(const tg_enclave_settings *settings, tg_faults *faults,
                                          tg_attestation **out_attestation);
void tg_attestation_close(tg_attestation *attestation);

/* The device, for whoever needs documents of its own; it lives as long. */
tg_attest_device *tg_attestation_device(const tg_attestation *attestation);

/* tg_attestation_append writes `{"document":BASE64,"manifest":{...}}`: a document whose user_data is the SHA-256 of the
 * manifest, byte for byte as it stands there.
 * in    nonce: what the caller wants to find in it; ptr NULL: none, and then the answer before serves again while it is
 *       younger than TG_ATTESTATION_AGE_MS and the manifest is the same, and also while the device fails or was asked
 *       often enough
 *       asker: who shares the device with others (enclave/attestation_rate.h); without a nonce nobody is limited
 * err   TG_ERR_AGAIN: too many were asked for in this second; what the device says, logged here once a minute;
 *       TG_ERR_DENIED: it failed just now, and is not asked again yet
 * thread  any
 */
TG_MUST_USE tg_result tg_attestation_append(tg_attestation *attestation, const tg_snapshot *snapshot,
                                            const tg_attestation_asker *asker, tg_slice nonce, tg_buf *answer);

#endif
