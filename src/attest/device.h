/* What attests: a device that signs documents about the code that was measured. `/dev/nsm` of a Nitro enclave
 * (attest/nsm.h) and a simulator for development stand behind this one face; any thread may call it. */
#ifndef TG_ATTEST_DEVICE_H
#define TG_ATTEST_DEVICE_H

#include "base/buf.h"
#include "base/detail.h"
#include "base/result.h"

enum {
    TG_ATTEST_PCR_BYTES = 48,           /* SHA-384 */
    TG_MAX_ATTEST_FIELD_BYTES = 1024,   /* of each of a request's three fields */
    TG_MAX_ATTEST_EXTENSION_BYTES = 512 /* that one call may extend a register by */
};

/* What a document is to carry. ptr NULL: nothing. */
typedef struct tg_attest_request {
    tg_slice nonce;      /* the verifier's, so that the document is fresh */
    tg_slice user_data;  /* ours */
    tg_slice public_key; /* ours: what others may encrypt to */
} tg_attest_request;

typedef struct tg_attest_pcr {
    bool is_locked;
    uint8_t value[TG_ATTEST_PCR_BYTES];
} tg_attest_pcr;

typedef struct tg_attest_device tg_attest_device;

typedef struct tg_attest_device_calls {
    const char *name; /* `nsm`, `simulator`: for logs */
    tg_result (*attest)(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                        tg_detail *detail);
    tg_result (*random)(tg_attest_device *device, uint8_t *out, size_t len, tg_detail *detail);
    tg_result (*describe_pcr)(tg_attest_device *device, unsigned index, tg_attest_pcr *out_pcr, tg_detail *detail);
    tg_result (*extend_pcr)(tg_attest_device *device, unsigned index, tg_slice bytes,
                            uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail);
    tg_result (*lock_pcr)(tg_attest_device *device, unsigned index, tg_detail *detail);
    void (*close)(tg_attest_device *device);
} tg_attest_device_calls;

/* The first member of what an implementation allocates. */
struct tg_attest_device {
    const tg_attest_device_calls *calls;
};

/* tg_attest appends a signed document to *out_document. The time that it is signed with becomes a floor of our own
 * clock (sys/clock.h): the device is asked over nothing that the host could speak on.
 * err   TG_ERR_LIMIT: a field longer than TG_MAX_ATTEST_FIELD_BYTES, or the document than the buffer may hold; what the
 *       device says, with detail: TG_ERR_SYSTEM (the call failed), TG_ERR_DENIED, TG_ERR_LIBRARY, and what parsing its
 *       answer says; then nothing is appended
 */
TG_MUST_USE tg_result tg_attest(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                                tg_detail *detail);

/* tg_attest_random fills `out` from the device's own generator. err: as tg_attest */
TG_MUST_USE tg_result tg_attest_random(tg_attest_device *device, uint8_t *out, size_t len, tg_detail *detail);

/* tg_attest_describe_pcr reads a register. tg_attest_extend_pcr mixes bytes into one that is not locked and gives its
 * new value; tg_attest_lock_pcr keeps it as it is from then on.
 * err   TG_ERR_RANGE: no such register; TG_ERR_DENIED: it is locked; TG_ERR_LIMIT: past TG_MAX_ATTEST_EXTENSION_BYTES
 */
TG_MUST_USE tg_result tg_attest_describe_pcr(tg_attest_device *device, unsigned index, tg_attest_pcr *out_pcr,
                                             tg_detail *detail);
TG_MUST_USE tg_result tg_attest_extend_pcr(tg_attest_device *device, unsigned index, tg_slice bytes,
                                           uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail);
TG_MUST_USE tg_result tg_attest_lock_pcr(tg_attest_device *device, unsigned index, tg_detail *detail);

/* tg_attest_device_close ends it; NULL is fine. */
void tg_attest_device_close(tg_attest_device *device);

#endif
