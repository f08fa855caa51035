/* The enclave's proof of itself: the device that signs, and documents over the manifest of what is in force now. One
 * for the process; every worker asks it. */
#ifndef TG_ENCLAVE_ATTESTATION_H
#define TG_ENCLAVE_ATTESTATION_H

#include "attest/device.h"
#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

typedef struct tg_attestation tg_attestation;

enum {
    TG_MAX_ATTESTATIONS_PER_S = 20, /* documents signed for callers' nonces, in the process; also the burst */
    TG_ATTESTATION_AGE_MS = 60000,  /* how long a document without nonce serves again */
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
 * in    nonce: what the caller wants to find in it; ptr NULL: none, and then a document of up to
 *       TG_ATTESTATION_AGE_MS serves as long as the manifest is the same
 * err   TG_ERR_AGAIN: too many were asked for in this second; what the device says, logged here once a minute
 * thread  any
 */
TG_MUST_USE tg_result tg_attestation_append(tg_attestation *attestation, const tg_snapshot *snapshot, tg_slice nonce,
                                            tg_buf *answer);

#endif
