#include "attest/simulator_dev.h"

#include "attest/cbor_write.h"
#include "attest/cose.h"
#include "attest/simulator_issuer_dev.h"
#include "sys/clock.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SIGNATURE_BYTES = 96, HALF_BYTES = SIGNATURE_BYTES / 2, MAX_PAYLOAD_BYTES = 12288, MAX_DOCUMENT_BYTES = 16384 };
enum { RENEW_BEFORE_MS = 3600 * 1000 };

#define MODULE_ID "i-0000000000simulator-enc0000000000simulator"

typedef struct simulator {
    tg_attest_device device; /* first */
    pthread_mutex_t lock;    /* of everything below */
    tg_attest_pcr pcrs[TG_SIMULATOR_NUM_PCRS];
    tg_simulator_chain chain;
    uint64_t ahead_ms; /* does not change */
} simulator;

static simulator *of(tg_attest_device *device)
{
    return (simulator *)device;
}

/* As a real device's, the clock does not hang on documents that were made. */
static uint64_t now_unix_ms_of(const simulator *self)
{
    return tg_clock_host_unix_ms() + self->ahead_ms;
}

/* The order is that of genuine documents. */
static tg_result put_payload(simulator *self, const tg_attest_request *request, uint64_t now_unix_ms, tg_buf *out)
{
    size_t num_locked = 0;
    for (size_t i = 0; i < TG_SIMULATOR_NUM_PCRS; i++) {
        num_locked += self->pcrs[i].is_locked;
    }
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_MAP, 9));
    TG_TRY(tg_cbor_put_text(out, "module_id"));
    TG_TRY(tg_cbor_put_text(out, MODULE_ID));
    TG_TRY(tg_cbor_put_text(out, "digest"));
    TG_TRY(tg_cbor_put_text(out, "SHA384"));
    TG_TRY(tg_cbor_put_text(out, "timestamp"));
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_UNSIGNED, now_unix_ms));
    TG_TRY(tg_cbor_put_text(out, "pcrs"));
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_MAP, num_locked));
    for (size_t i = 0; i < TG_SIMULATOR_NUM_PCRS; i++) {
        if (self->pcrs[i].is_locked) {
            TG_TRY(tg_cbor_put_head(out, TG_CBOR_UNSIGNED, i));
            TG_TRY(tg_cbor_put_bytes(out, tg_slice_of(self->pcrs[i].value, TG_ATTEST_PCR_BYTES)));
        }
    }
    TG_TRY(tg_cbor_put_text(out, "certificate"));
    TG_TRY(tg_cbor_put_bytes(out, tg_buf_slice(&self->chain.leaf)));
    TG_TRY(tg_cbor_put_text(out, "cabundle"));
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_ARRAY, 2));
    TG_TRY(tg_cbor_put_bytes(out, self->chain.root));
    TG_TRY(tg_cbor_put_bytes(out, tg_buf_slice(&self->chain.zone)));
    TG_TRY(tg_cbor_put_text(out, "public_key"));
    TG_TRY(tg_cbor_put_bytes_or_null(out, request->public_key));
    TG_TRY(tg_cbor_put_text(out, "user_data"));
    TG_TRY(tg_cbor_put_bytes_or_null(out, request->user_data));
    TG_TRY(tg_cbor_put_text(out, "nonce"));
    return tg_cbor_put_bytes_or_null(out, request->nonce);
}

/* OpenSSL signs in DER; COSE wants r and s side by side (RFC 9053 §2.1). */
static bool to_pair(const unsigned char *der, size_t len, uint8_t out_pair[SIGNATURE_BYTES])
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool is_written = signature != NULL &&
                      BN_bn2binpad(ECDSA_SIG_get0_r(signature), out_pair, HALF_BYTES) == HALF_BYTES &&
                      BN_bn2binpad(ECDSA_SIG_get0_s(signature), out_pair + HALF_BYTES, HALF_BYTES) == HALF_BYTES;
    ECDSA_SIG_free(signature);
    return is_written;
}

static tg_result sign(EVP_PKEY *key, tg_slice text, uint8_t out_pair[SIGNATURE_BYTES])
{
    unsigned char der[SIGNATURE_BYTES + 16];
    size_t len = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
                     EVP_DigestSign(context, der, &len, text.ptr, text.len) == 1 && to_pair(der, len, out_pair);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_signed ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}

/* COSE_Sign1 = [ protected, {}, payload, signature ], untagged as Nitro's are */
static tg_result put_document(simulator *self, const tg_attest_request *request, tg_buf *payload, tg_buf *text,
                              tg_buf *out)
{
    static const tg_slice es384 = {(const uint8_t *)"\xa1\x01\x38\x22", 4}; /* {1: -35} */
    uint8_t signature[SIGNATURE_BYTES];
    uint64_t now_unix_ms = now_unix_ms_of(self);
    if (self->chain.until_unix_ms < now_unix_ms + RENEW_BEFORE_MS) {
        TG_TRY(tg_simulator_issue_dev(now_unix_ms, &self->chain));
    }
    TG_TRY(put_payload(self, request, now_unix_ms, payload));
    TG_TRY(tg_cose_put_signed(text, es384, tg_buf_slice(payload)));
    TG_TRY(sign(self->chain.key, tg_buf_slice(text), signature));
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_ARRAY, 4));
    TG_TRY(tg_cbor_put_bytes(out, es384));
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_MAP, 0));
    TG_TRY(tg_cbor_put_bytes(out, tg_buf_slice(payload)));
    return tg_cbor_put_bytes(out, tg_slice_of(signature, sizeof signature));
}

static tg_result simulator_attest(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                                  tg_detail *detail)
{
    simulator *self = of(device);
    tg_buf payload, text;
    tg_buf_init(&payload, MAX_PAYLOAD_BYTES);
    tg_buf_init(&text, MAX_DOCUMENT_BYTES);
    pthread_mutex_lock(&self->lock);
    tg_result made = put_document(self, request, &payload, &text, out_document);
    pthread_mutex_unlock(&self->lock);
    tg_buf_done(&payload);
    tg_buf_done(&text);
    if (!tg_is_ok(made)) {
        tg_detail_set_reason(detail, "the simulator could not make a document");
    }
    return made;
}

static tg_result simulator_random(tg_attest_device *device, uint8_t *out, size_t len, tg_detail *detail)
{
    (void)device;
    for (size_t done = 0; done < len;) {
        ssize_t got = getrandom(out + done, len - done, 0);
        if (got < 0 && errno != EINTR) {
            tg_detail_set_reason(detail, "the kernel gave no random bytes");
            return tg_fail_os(errno);
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return tg_ok();
}

static tg_result check_index(unsigned index, tg_detail *detail)
{
    if (index < TG_SIMULATOR_NUM_PCRS) {
        return tg_ok();
    }
    tg_detail_set_reason(detail, "there is no such register");
    return tg_fail(TG_ERR_RANGE);
}

static tg_result simulator_describe_pcr(tg_attest_device *device, unsigned index, tg_attest_pcr *out_pcr,
                                        tg_detail *detail)
{
    simulator *self = of(device);
    TG_TRY(check_index(index, detail));
    pthread_mutex_lock(&self->lock);
    *out_pcr = self->pcrs[index];
    pthread_mutex_unlock(&self->lock);
    return tg_ok();
}

/* A register's new value is the digest of its old one and the bytes. */
static tg_result extend(tg_attest_pcr *pcr, tg_slice bytes)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_done = context != NULL && EVP_DigestInit_ex(context, EVP_sha384(), NULL) == 1 &&
                   EVP_DigestUpdate(context, pcr->value, sizeof pcr->value) == 1 &&
                   EVP_DigestUpdate(context, bytes.ptr, bytes.len) == 1 &&
                   EVP_DigestFinal_ex(context, pcr->value, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}

static tg_result simulator_extend_pcr(tg_attest_device *device, unsigned index, tg_slice bytes,
                                      uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail)
{
    simulator *self = of(device);
    TG_TRY(check_index(index, detail));
    pthread_mutex_lock(&self->lock);
    tg_attest_pcr *pcr = &self->pcrs[index];
    tg_result done = pcr->is_locked ? tg_fail(TG_ERR_DENIED) : extend(pcr, bytes);
    if (tg_is_ok(done)) {
        memcpy(out_value, pcr->value, TG_ATTEST_PCR_BYTES);
    } else {
        tg_detail_set_reason(detail, "the register is locked");
    }
    pthread_mutex_unlock(&self->lock);
    return done;
}

static tg_result simulator_lock_pcr(tg_attest_device *device, unsigned index, tg_detail *detail)
{
    simulator *self = of(device);
    TG_TRY(check_index(index, detail));
    pthread_mutex_lock(&self->lock);
    self->pcrs[index].is_locked = true;
    pthread_mutex_unlock(&self->lock);
    return tg_ok();
}

static void simulator_close(tg_attest_device *device)
{
    simulator *self = of(device);
    tg_simulator_chain_done_dev(&self->chain);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const tg_attest_device_calls calls = {.name = "simulator",
                                             .attest = simulator_attest,
                                             .random = simulator_random,
                                             .describe_pcr = simulator_describe_pcr,
                                             .extend_pcr = simulator_extend_pcr,
                                             .lock_pcr = simulator_lock_pcr,
                                             .close = simulator_close};

static tg_result set_pcrs(simulator *self, const tg_simulator_options *options)
{
    for (unsigned i = 0; i < TG_SIMULATOR_NUM_LOCKED_PCRS; i++) {
        self->pcrs[i].is_locked = true;
    }
    for (unsigned i = 0; i < TG_COUNT(options->pcrs); i++) {
        tg_slice given = options->pcrs[i];
        if (given.ptr != NULL && given.len != TG_ATTEST_PCR_BYTES) {
            return tg_fail(TG_ERR_RANGE);
        }
        if (given.ptr != NULL) {
            memcpy(self->pcrs[i].value, given.ptr, TG_ATTEST_PCR_BYTES);
        } else {
            uint8_t byte = (uint8_t)(0xa0 + i);
            memset(self->pcrs[i].value, byte, TG_ATTEST_PCR_BYTES);
        }
    }
    return tg_ok();
}

tg_result tg_simulator_open_dev(const tg_simulator_options *options, tg_attest_device **out_device)
{
    simulator *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    self->device.calls = &calls;
    self->ahead_ms = options->ahead_ms;
    pthread_mutex_init(&self->lock, NULL);
    tg_simulator_chain_init_dev(&self->chain);
    tg_result made = set_pcrs(self, options);
    if (tg_is_ok(made)) {
        made = tg_simulator_issue_dev(now_unix_ms_of(self), &self->chain);
    }
    if (!tg_is_ok(made)) {
        simulator_close(&self->device);
        return made;
    }
    *out_device = &self->device;
    return tg_ok();
}
