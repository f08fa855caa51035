/* Data keys from Secrets Manager and KMS, opened in the enclave alone: the secret's ciphertexts are decrypted by KMS
 * for a key pair that is made for each reading and stands in an attestation document, and what comes back is opened
 * here. Read at start, at an interval and when asked; a failure keeps the keys in use, and is tried again. */
#ifndef TG_KEYS_KMS_SOURCE_H
#define TG_KEYS_KMS_SOURCE_H

#include "attest/device.h"
#include "aws/kms.h"
#include "io/loop.h"
#include "keys/guards.h"
#include "keys/remote.h"
#include "keys/ring_plan.h"

enum {
    TG_MIN_ASKED_READING_MS = 30000, /* between two readings that an unknown token asks for */
    TG_FIRST_RETRY_MS = 1000,        /* doubles with each failure, with full jitter, up to */
    TG_MAX_RETRY_MS = 300000
};

typedef enum tg_key_event_kind {
    TG_KEYS_CHANGED,   /* another ring is in force */
    TG_KEYS_UNCHANGED, /* read, and as before */
    TG_KEYS_FAILED     /* the keys in use stay */
} tg_key_event_kind;

/* What a reading came to, for who logs and counts. Lives until `told` returns. */
typedef struct tg_key_event {
    tg_key_event_kind kind;
    const tg_key_ring *ring; /* in force; NULL before the first */
    tg_ring_change change;   /* CHANGED, UNCHANGED */
    const char *version;     /* of the secret, "" where unknown */
    const char *stage;       /* FAILED: secret, form, attest, decrypt, recipient, guard, ring, publish */
    tg_detail detail;        /* FAILED */
    unsigned status;         /* FAILED: HTTP's, AWS's code and request id; 0 and "" without */
    const char *code;
    const char *request_id;
    uint64_t next_ms; /* in how long it is read again */
} tg_key_event;

typedef struct tg_kms_source_settings {
    const tg_key_guards *guards;        /* outlive the source, as all below */
    const tg_aws_context_pair *context; /* KMS's encryption context */
    size_t num_context;                 /* at most TG_MAX_CONTEXT_PAIRS */
    uint64_t interval_ms;
    tg_attest_device *device;
    tg_key_remote *remote;
    /* Takes a new ring (a reference of its own). err: TG_ERR_MEMORY; then it is tried again */
    tg_result (*publish)(tg_key_ring *ring, void *owner);
    void (*told)(const tg_key_event *event, void *owner);
    void *owner;
} tg_kms_source_settings;

typedef struct tg_kms_source tg_kms_source;

/* tg_kms_source_new makes a source; the first reading begins with the loop's next turn. Callbacks are on the loop.
 * err   TG_ERR_MEMORY
 * keep  ended with tg_kms_source_free when the loop runs no more (a task may still be posted), which gives up what is
 *       under way
 */
TG_MUST_USE tg_result tg_kms_source_new(tg_loop *loop, const tg_kms_source_settings *settings,
                                        tg_kms_source **out_source);
void tg_kms_source_free(tg_kms_source *source);

/* tg_kms_source_ask has the secret read soon: a token came that no key opens. At most one reading in
 * TG_MIN_ASKED_READING_MS comes of it. tg_kms_source_now has it read at once. Any thread. */
void tg_kms_source_ask(tg_kms_source *source);
void tg_kms_source_now(tg_kms_source *source);

#endif
