#include "enclave/attestation.h"

#include "attest/manifest.h"
#include "attest/nsm.h"
#include "base/encode.h"
#include "crypto/sha256.h"
#include "enclave/enclave_manifest.h"
#include "sys/clock.h"
#include "sys/metric.h"
#ifdef TG_DEVELOPMENT
#include "attest/simulator_dev.h"
#endif

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_DOCUMENT_BYTES = 16384, ENTROPY_BYTES = 256, LOG_EVERY_MS = 60000 };

static tg_metric_family documents = {.name = "teegate_attestations_total",
                                     .help = "Attestation documents asked for, by outcome.",
                                     .kind = TG_METRIC_COUNTER,
                                     .labels = {"outcome"}};

struct tg_attestation {
    tg_attest_device *device;
    tg_buf settings_json; /* does not change while the process runs, nor do the routes */
    uint8_t routes_digest[TG_SHA256_BYTES];
    tg_slice routes;
    pthread_mutex_t lock; /* of everything below; held while the device signs, which takes some milliseconds */
    tg_attestation_rate rate;
    tg_buf kept, kept_manifest; /* a document without nonce, and what it vouches for; empty before the first */
    uint8_t kept_digest[TG_SHA256_BYTES];
    uint64_t kept_ms;
    uint64_t kept_second; /* in which num_kept of these were signed */
    unsigned num_kept;
    uint64_t retry_ms; /* doubles with each failure in a row; 0 without */
    uint64_t retry_from_ms;
    uint64_t failure_logged_ms;
};

/* What one call is about. */
typedef struct demand {
    tg_slice manifest;
    uint8_t digest[TG_SHA256_BYTES]; /* of the manifest */
    tg_slice public_key;
    tg_slice nonce;
    uint64_t now_ms;
} demand;

#ifdef TG_DEVELOPMENT
static tg_result open_simulator(const tg_enclave_settings *settings, tg_attest_device **out_device)
{
    uint8_t values[3][TG_ATTEST_PCR_BYTES];
    tg_simulator_options options = {.ahead_ms = settings->simulator_ahead_s * 1000};
    for (size_t i = 0; i < settings->simulator_pcrs.num_items; i++) {
        TG_TRY(tg_hex_decode(tg_slice_str(settings->simulator_pcrs.items[i]), values[i]));
        options.pcrs[i] = tg_slice_of(values[i], TG_ATTEST_PCR_BYTES);
    }
    tg_log(TG_LOG_WARN, "attest", "simulated_attestation",
           TG_F_STR("remedy", "never trust it: everybody has the key of its root"));
    return tg_simulator_open_dev(&options, out_device);
}
#endif

/* NULL where nothing is to attest. */
static tg_result open_device(const tg_enclave_settings *settings, tg_attest_device **out_device, tg_detail *detail)
{
    size_t choice = settings->attestation_device;
    *out_device = NULL;
    if (choice == TG_ATTEST_BY_WHAT_IS_THERE) {
        choice = access(TG_NSM_PATH, F_OK) == 0 ? TG_ATTEST_BY_NSM
                 : settings->is_local_mode      ? TG_ATTEST_BY_SIMULATOR
                                                : TG_ATTEST_BY_NOTHING;
    }
    if (choice == TG_ATTEST_BY_NSM) {
        return tg_nsm_open(TG_NSM_PATH, NULL, out_device, detail);
    }
#ifdef TG_DEVELOPMENT
    if (choice == TG_ATTEST_BY_SIMULATOR) {
        return open_simulator(settings, out_device);
    }
#endif
    return tg_ok();
}

/* The kernel of an enclave that has just begun knows little that nobody else knows. */
static void credit_entropy(tg_attest_device *device)
{
    tg_detail detail = {0};
    if (strcmp(device->calls->name, "nsm") == 0 &&
        !tg_is_ok(tg_entropy_credit(device, ENTROPY_BYTES, "/dev/random", NULL, &detail))) {
        tg_log_fault(TG_LOG_WARN, "attest", "entropy_not_credited", &detail);
    }
}

tg_result tg_attestation_open(const tg_enclave_settings *settings, tg_faults *faults, tg_attestation **out_attestation)
{
    tg_attest_device *device = NULL;
    tg_detail detail = {0};
    tg_result opened = open_device(settings, &device, &detail);
    *out_attestation = NULL;
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
        return opened;
    }
    if (device == NULL) {
        tg_log(TG_LOG_WARN, "attest", "nothing_attests",
               TG_F_STR("reason", "there is no device that attests: clients cannot tell this from another program"));
        return tg_ok();
    }
    tg_attestation *self = calloc(1, sizeof *self);
    if (self == NULL) {
        tg_attest_device_close(device);
        return tg_fail(TG_ERR_MEMORY);
    }
    self->device = device;
    pthread_mutex_init(&self->lock, NULL);
    tg_buf_init(&self->settings_json, TG_MAX_MANIFEST_BYTES);
    tg_buf_init(&self->kept, MAX_DOCUMENT_BYTES);
    tg_buf_init(&self->kept_manifest, TG_MAX_MANIFEST_BYTES);
    tg_result described = tg_enclave_manifest_settings(settings, &self->settings_json);
    if (tg_is_ok(described)) {
        described = tg_enclave_manifest_routes(settings, self->routes_digest, &self->routes);
    }
    if (!tg_is_ok(described)) {
        tg_attestation_close(self);
        return described;
    }
    credit_entropy(device);
    tg_log(TG_LOG_INFO, "attest", "device", TG_F_STR("device", device->calls->name));
    *out_attestation = self;
    return tg_ok();
}

void tg_attestation_close(tg_attestation *attestation)
{
    if (attestation != NULL) {
        tg_attest_device_close(attestation->device);
        tg_buf_done(&attestation->settings_json);
        tg_buf_done(&attestation->kept);
        tg_buf_done(&attestation->kept_manifest);
        pthread_mutex_destroy(&attestation->lock);
        free(attestation);
    }
}

tg_attest_device *tg_attestation_device(const tg_attestation *attestation)
{
    return attestation->device;
}

static void log_failure(tg_attestation *self, const tg_detail *detail, uint64_t now_ms)
{
    if (self->failure_logged_ms == 0 || now_ms - self->failure_logged_ms >= LOG_EVERY_MS) {
        self->failure_logged_ms = now_ms;
        tg_log_fault(TG_LOG_ERROR, "attest", "no_document", detail);
    }
}

static tg_result sign(tg_attestation *self, const demand *of, tg_buf *document)
{
    const tg_attest_request request = {
        .nonce = of->nonce, .user_data = tg_slice_of(of->digest, sizeof of->digest), .public_key = of->public_key};
    tg_detail detail = {0};
    tg_result signed_one = tg_attest(self->device, &request, document, &detail);
    if (!tg_is_ok(signed_one)) {
        log_failure(self, &detail, of->now_ms);
    }
    return signed_one;
}

static tg_result put_answer(tg_slice document, tg_slice manifest, tg_buf *answer)
{
    TG_TRY(tg_buf_append_str(answer, "{\"document\":\""));
    TG_TRY(tg_base64_append(answer, TG_BASE64_PADDED, document));
    TG_TRY(tg_buf_append_str(answer, "\",\"manifest\":"));
    TG_TRY(tg_buf_append(answer, manifest));
    return tg_buf_append_str(answer, "}\n");
}

static bool is_kept_fit(const tg_attestation *self, const demand *of)
{
    return tg_buf_len(&self->kept) > 0 && of->now_ms - self->kept_ms < TG_ATTESTATION_AGE_MS &&
           memcmp(self->kept_digest, of->digest, sizeof of->digest) == 0;
}

static void swap(tg_buf *a, tg_buf *b)
{
    tg_buf between = *a;
    *a = *b;
    *b = between;
}

/* All of it changes, or nothing. */
static tg_result keep(tg_attestation *self, const demand *of)
{
    tg_buf document, manifest;
    tg_buf_init(&document, MAX_DOCUMENT_BYTES);
    tg_buf_init(&manifest, TG_MAX_MANIFEST_BYTES);
    tg_result kept = tg_buf_append(&manifest, of->manifest);
    kept = tg_is_ok(kept) ? sign(self, of, &document) : kept;
    if (tg_is_ok(kept)) {
        swap(&self->kept, &document);
        swap(&self->kept_manifest, &manifest);
        memcpy(self->kept_digest, of->digest, sizeof self->kept_digest);
        self->kept_ms = of->now_ms;
    }
    tg_buf_done(&document);
    tg_buf_done(&manifest);
    return kept;
}

/* Where workers that have taken up a change and workers that have not are asked by turns, manifests alternate. */
static bool may_renew(tg_attestation *self, uint64_t now_ms)
{
    if (self->kept_second != now_ms / 1000) {
        self->kept_second = now_ms / 1000;
        self->num_kept = 0;
    }
    return now_ms >= self->retry_from_ms && self->num_kept < TG_MAX_KEPT_ATTESTATIONS_PER_S;
}

/* At a pace that the device bears, whoever asks; while it fails ever more slowly. */
static tg_result renew(tg_attestation *self, const demand *of)
{
    if (!may_renew(self, of->now_ms)) {
        return tg_fail(TG_ERR_DENIED);
    }
    self->num_kept++;
    tg_result kept = keep(self, of);
    if (tg_is_ok(kept)) {
        self->retry_ms = 0;
        return kept;
    }
    self->retry_ms = self->retry_ms == 0 ? TG_MIN_ATTESTATION_RETRY_MS : self->retry_ms * 2;
    self->retry_ms = self->retry_ms < TG_MAX_ATTESTATION_RETRY_MS ? self->retry_ms : TG_MAX_ATTESTATION_RETRY_MS;
    self->retry_from_ms = of->now_ms + self->retry_ms;
    return kept;
}

/* For those who give no nonce: they cannot tell a new document from one that is a minute old. Where no other can be had
 * the last one serves on, with the manifest that it vouches for. */
static tg_result put_kept(tg_attestation *self, const demand *of, const char **out_outcome, tg_buf *answer)
{
    *out_outcome = "kept";
    if (!is_kept_fit(self, of)) {
        tg_result renewed = renew(self, of);
        bool is_stale = tg_buf_len(&self->kept) == 0 || of->now_ms - self->kept_ms >= TG_ATTESTATION_STALE_MS;
        if (tg_is_ok(renewed)) {
            *out_outcome = "signed";
        } else if (is_stale) {
            return renewed;
        }
    }
    return put_answer(tg_buf_slice(&self->kept), tg_buf_slice(&self->kept_manifest), answer);
}

static tg_result put_fresh(tg_attestation *self, const demand *of, const tg_attestation_asker *asker,
                           const char **out_outcome, tg_buf *answer)
{
    *out_outcome = "signed";
    if (!tg_attestation_rate_take(&self->rate, asker, of->now_ms)) {
        *out_outcome = "limited";
        return tg_fail(TG_ERR_AGAIN);
    }
    tg_buf document;
    tg_buf_init(&document, MAX_DOCUMENT_BYTES);
    tg_result put = sign(self, of, &document);
    put = tg_is_ok(put) ? put_answer(tg_buf_slice(&document), of->manifest, answer) : put;
    tg_buf_done(&document);
    return put;
}

static tg_result put_any(tg_attestation *self, demand *of, const tg_attestation_asker *asker, tg_buf *answer)
{
    const char *outcome = "failed";
    TG_TRY(tg_sha256(of->manifest, of->digest));
    pthread_mutex_lock(&self->lock);
    of->now_ms = tg_clock_monotonic_ms(); /* with the lock: the second never goes back */
    tg_result put =
        of->nonce.ptr == NULL ? put_kept(self, of, &outcome, answer) : put_fresh(self, of, asker, &outcome, answer);
    pthread_mutex_unlock(&self->lock);
    bool is_failed = !tg_is_ok(put) && put.code != TG_ERR_AGAIN;
    tg_metric_add(tg_metric_of(&documents, tg_slice_str(is_failed ? "failed" : outcome)), 1);
    return put;
}

tg_result tg_attestation_append(tg_attestation *attestation, const tg_snapshot *snapshot,
                                const tg_attestation_asker *asker, tg_slice nonce, tg_buf *answer)
{
    tg_buf manifest;
    tg_buf_init(&manifest, TG_MAX_MANIFEST_BYTES);
    tg_result put =
        tg_enclave_manifest_append(snapshot, tg_buf_slice(&attestation->settings_json), attestation->routes, &manifest);
    if (tg_is_ok(put)) {
        demand asked = {
            .manifest = tg_buf_slice(&manifest), .public_key = tg_snapshot_secrets_key(snapshot), .nonce = nonce};
        put = put_any(attestation, &asked, asker, answer);
    }
    tg_buf_done(&manifest);
    return put;
}
