#include "tool/attest_checks.h"

#include "attest/nitro_root.h"
#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"
#ifdef TG_DEVELOPMENT
#include "attest/simulator_root_dev.h"
#endif

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>

enum { FUTURE_MS = 60000, HEX_SHOWN = 16 };

typedef struct checking {
    const tg_attest_policy *policy;
    const tg_attest_expected *expected;
    tg_attest_report *report;
    tg_nitro_document document;
    json_t *manifest; /* NULL where there is none */
} checking;

const char *tg_verdict_name(tg_verdict verdict)
{
    static const char *const names[] = {"passed", "allowed", "skipped", "failed"};
    return names[verdict];
}

__attribute__((format(printf, 4, 5))) static void note(checking *it, const char *name, tg_verdict verdict,
                                                       const char *format, ...)
{
    tg_attest_report *report = it->report;
    if (report->num_checks == TG_MAX_ATTEST_CHECKS) {
        report->is_verified = false;
        return;
    }
    tg_attest_check *check = &report->checks[report->num_checks++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->text, sizeof check->text, format, arguments);
    va_end(arguments);
    check->name = name;
    check->verdict = verdict;
    report->is_verified = report->is_verified && verdict != TG_CHECK_FAILED;
}

/* A weakness: failed, unless --allow names it. */
static void note_weak(checking *it, const char *name, const char *word, const char *text)
{
    if (tg_attest_policy_allows(it->policy, word)) {
        note(it, name, TG_CHECK_ALLOWED, "%s", text);
    } else {
        note(it, name, TG_CHECK_FAILED, "%s (--allow %s lets it pass)", text, word);
    }
}

static const char *hex_of(tg_slice bytes, size_t num_bytes, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < bytes.len && i < num_bytes && at + 2 < size; i++) {
        at += (size_t)snprintf(out + at, size - at, "%02x", bytes.ptr[i]);
    }
    return out;
}

/* The root that the document names, if it is one that can be believed or let pass. */
static tg_slice check_root(checking *it)
{
    tg_slice named = it->document.bundle[0];
    tg_slice believed = it->expected->root_der.ptr != NULL ? it->expected->root_der : tg_nitro_root();
    if (tg_slice_equal(named, believed)) {
        note(it, "root", TG_CHECK_PASSED, "%s",
             it->expected->root_der.ptr != NULL ? "the root of --root" : "AWS Nitro Enclaves, G1");
        return believed;
    }
#ifdef TG_DEVELOPMENT
    if (tg_slice_equal(named, tg_simulator_root_dev())) {
        note_weak(it, "root", "test-root", "the simulator's: everybody has its key, so this proves nothing");
        return named;
    }
#endif
    note(it, "root", TG_CHECK_FAILED, "the document is not signed under %s",
         it->expected->root_der.ptr != NULL ? "the root of --root" : "AWS's root for Nitro enclaves");
    return believed;
}

static void check_signature(checking *it)
{
    tg_detail detail = {0};
    tg_slice root = check_root(it);
    if (tg_is_ok(tg_nitro_document_verify(&it->document, root, &detail))) {
        note(it, "signature", TG_CHECK_PASSED, "ES384, and %zu certificates up to the root, at the document's own time",
             it->document.num_bundle + 1);
    } else {
        note(it, "signature", TG_CHECK_FAILED, "%s: %s", detail.field, detail.reason);
    }
}

static void check_time(checking *it)
{
    char when[25];
    uint64_t made = it->document.timestamp_unix_ms, now = it->expected->now_unix_ms;
    uint64_t max_age_ms = it->policy->max_age_s * 1000;
    tg_clock_format(made, when);
    if (max_age_ms == 0) {
        note(it, "time", TG_CHECK_SKIPPED, "made %s; no --max-age is given", when);
    } else if (made > now + FUTURE_MS) {
        note(it, "time", TG_CHECK_FAILED, "made %s, which is in the future: is this machine's clock right?", when);
    } else if (made + max_age_ms < now) {
        note(it, "time", TG_CHECK_FAILED, "made %s, more than %llu s ago", when,
             (unsigned long long)it->policy->max_age_s);
    } else {
        note(it, "time", TG_CHECK_PASSED, "made %s", when);
    }
}

static void check_nonce(checking *it)
{
    tg_slice wanted = it->expected->nonce, found = it->document.nonce;
    if (wanted.ptr == NULL) {
        note(it, "nonce", TG_CHECK_SKIPPED, "none is known: the document may be an old one (--nonce HEX)");
    } else if (found.ptr != NULL && tg_slice_equal(wanted, found)) {
        note(it, "nonce", TG_CHECK_PASSED, "the one that was asked with");
    } else {
        note(it, "nonce", TG_CHECK_FAILED, found.ptr == NULL ? "the document has none" : "not the one asked with");
    }
}

static void check_debug(checking *it)
{
    if (tg_nitro_document_is_debug(&it->document)) {
        note_weak(it, "debug", "debug",
                  "PCR0 is zeros: the enclave runs in debug mode, and its host can read all of it");
    } else {
        note(it, "debug", TG_CHECK_PASSED, "PCR0 is not zeros");
    }
}

/* The number of registers that match, and the first that does not (TG_NITRO_NUM_PCRS: none). */
static size_t compare_set(const tg_nitro_document *document, const tg_pcr_set *set, size_t *out_first_other)
{
    size_t num_equal = 0;
    *out_first_other = TG_NITRO_NUM_PCRS;
    for (size_t i = 0; i < TG_NITRO_NUM_PCRS; i++) {
        bool is_equal = set->has[i] && document->pcrs[i].ptr != NULL &&
                        tg_slice_equal(document->pcrs[i], tg_slice_of(set->values[i], TG_NITRO_PCR_BYTES));
        num_equal += is_equal;
        if (set->has[i] && !is_equal && *out_first_other == TG_NITRO_NUM_PCRS) {
            *out_first_other = i;
        }
    }
    return num_equal;
}

static void check_pcrs(checking *it)
{
    size_t best = 0, best_equal = 0, best_other = TG_NITRO_NUM_PCRS;
    char found[2 * HEX_SHOWN + 1], wanted[2 * HEX_SHOWN + 1];
    if (it->policy->num_sets == 0) {
        note_weak(it, "pcrs", "any-image", "nothing says which image is expected: give --policy FILE or --pcr N=HEX");
        return;
    }
    for (size_t i = 0; i < it->policy->num_sets; i++) {
        size_t other = 0, num_equal = compare_set(&it->document, &it->policy->sets[i], &other);
        if (other == TG_NITRO_NUM_PCRS) {
            note(it, "pcrs", TG_CHECK_PASSED, "%zu registers are those of %.64s", num_equal, it->policy->sets[i].name);
            return;
        }
        if (i == 0 || num_equal > best_equal) {
            best = i;
            best_equal = num_equal;
            best_other = other;
        }
    }
    const tg_pcr_set *set = &it->policy->sets[best];
    note(it, "pcrs", TG_CHECK_FAILED, "PCR%zu is %s..., and %s... in %.64s, the nearest of %zu allowed images",
         best_other, hex_of(it->document.pcrs[best_other], HEX_SHOWN, found, sizeof found),
         hex_of(tg_slice_of(set->values[best_other], TG_NITRO_PCR_BYTES), HEX_SHOWN, wanted, sizeof wanted), set->name,
         it->policy->num_sets);
}

static bool asks_for_manifest(const tg_attest_policy *policy)
{
    return policy->dek_fingerprints != NULL || policy->schemas != NULL || policy->client_ca != NULL ||
           policy->settings != NULL || policy->routes != NULL;
}

static void check_manifest(checking *it, tg_slice text)
{
    uint8_t digest[32];
    json_error_t error;
    if (text.len == 0 && asks_for_manifest(it->policy)) {
        note(it, "manifest", TG_CHECK_FAILED, "there is none beside the document, and the policy says what it holds");
        return;
    }
    if (text.len == 0) {
        note(it, "manifest", TG_CHECK_SKIPPED, "there is none beside the document");
        return;
    }
    if (EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL) != 1 || it->document.user_data.ptr == NULL ||
        !tg_slice_equal(it->document.user_data, tg_slice_of(digest, sizeof digest))) {
        note(it, "manifest", TG_CHECK_FAILED, "the document vouches for another one: its user_data is not its SHA-256");
        return;
    }
    it->manifest = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (json_integer_value(json_object_get(it->manifest, "v")) != 1) {
        note(it, "manifest", TG_CHECK_FAILED, "its version is not 1: a newer teegate can read it");
        json_decref(it->manifest);
        it->manifest = NULL;
        return;
    }
    note(it, "manifest", TG_CHECK_PASSED, "the one that the document vouches for");
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static void check_tls_key(checking *it)
{
    char hex[65];
    tg_slice key = it->expected->spki_sha256;
    const char *named = text_of(it->manifest, "tls_spki"), *origin = text_of(it->manifest, "tls_key_origin");
    if (key.ptr == NULL) {
        note(it, "tls_key", TG_CHECK_SKIPPED, "no connection to compare with: the manifest names %.16s...", named);
    } else if (strcmp(hex_of(key, key.len, hex, sizeof hex), named) == 0) {
        note(it, "tls_key", TG_CHECK_PASSED, "the connection's own: %.16s...", named);
    } else {
        note(it, "tls_key", TG_CHECK_FAILED, "the connection has %.16s..., the manifest %.16s...: somebody is between",
             hex, named);
    }
    if (strcmp(origin, "generated") == 0) {
        note(it, "tls_key_origin", TG_CHECK_PASSED, "generated: it was made in the enclave and never left it");
    } else if (strcmp(origin, "delivered") == 0) {
        note_weak(it, "tls_key_origin", "delivered-key", "delivered: whoever sends secrets has the key too");
    } else {
        note_weak(it, "tls_key_origin", "image-key", "image: whoever has the image has the key too");
    }
}

static void check_modes(checking *it)
{
    const json_t *settings = json_object_get(it->manifest, "settings");
    const char *secrets = text_of(it->manifest, "secrets_mode");
    bool is_production =
        strcmp(text_of(settings, "build"), "production") == 0 && json_is_false(json_object_get(settings, "local_mode"));
    if (is_production) {
        note(it, "build", TG_CHECK_PASSED, "production");
    } else {
        note_weak(it, "build", "development",
                  "a development build, or local mode: its keys are not kept from its host");
    }
    if (strcmp(text_of(settings, "encrypt"), "listed") == 0) {
        note(it, "encrypt", TG_CHECK_PASSED, "only listed clients may call /encrypt");
    } else {
        note_weak(it, "encrypt", "open-encrypt", "anybody may call /encrypt, and so tabulate small domains");
    }
    if (json_is_false(json_object_get(settings, "schema_allow_removal"))) {
        note(it, "schema_removal", TG_CHECK_PASSED, "a refresh cannot unmark PII");
    } else {
        note_weak(it, "schema_removal", "schema-removal", "a refresh may unmark PII");
    }
    if (strcmp(secrets, "sealed") == 0 || strcmp(secrets, "none") == 0) {
        note(it, "secrets_mode", TG_CHECK_PASSED, "%s", secrets);
    } else {
        note_weak(it, "secrets_mode", "open-secrets", "open: the host can read and replace what is delivered");
    }
}

/* What is compared is of hexadecimal digits: their case does not count. */
static bool has_text(const json_t *texts, const char *text)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(texts, i, one)
    {
        if (tg_text_equal_nocase(tg_slice_str(json_string_value(one)), tg_slice_str(text))) {
            return true;
        }
    }
    return false;
}

/* The first key in force that is not allowed; "" where it has no fingerprint; NULL where every one is. */
static const char *find_other_dek(const json_t *deks, const json_t *allowed)
{
    size_t i = 0;
    json_t *dek = NULL;
    json_array_foreach(deks, i, dek)
    {
        const char *fingerprint = text_of(dek, "fingerprint");
        if (!has_text(allowed, fingerprint)) {
            return fingerprint;
        }
    }
    return NULL;
}

/* A policy that names keys is met by keys: an enclave that shows none has yet to load its own, whichever these are. */
static void check_deks(checking *it)
{
    const json_t *deks = json_object_get(it->manifest, "deks"), *allowed = it->policy->dek_fingerprints;
    const char *other = find_other_dek(deks, allowed);
    if (allowed == NULL) {
        note(it, "deks", TG_CHECK_SKIPPED, "the policy names no fingerprints; %zu keys are in force",
             json_array_size(deks));
    } else if (!json_is_array(deks) || json_array_size(deks) == 0) {
        note(it, "deks", TG_CHECK_FAILED, "the policy names fingerprints, and the manifest shows no key in force");
    } else if (other == NULL) {
        note(it, "deks", TG_CHECK_PASSED, "every key in force is allowed");
    } else {
        note(it, "deks", TG_CHECK_FAILED, "a key in force is not allowed: %.64s", other);
    }
}

/* A digest of the manifest that a policy may list. */
static void check_digest(checking *it, const char *name, const char *digest, const json_t *allowed, const char *what)
{
    if (allowed == NULL) {
        note(it, name, TG_CHECK_SKIPPED, "the policy names none; in force: %.16s", *digest != 0 ? digest : "none");
    } else if (*digest != 0 && has_text(allowed, digest)) {
        note(it, name, TG_CHECK_PASSED, "%s is allowed", what);
    } else {
        note(it, name, TG_CHECK_FAILED, "%s is not allowed: %.64s", what,
             *digest != 0 ? digest : "the manifest names none");
    }
}

static void check_lists(checking *it)
{
    const tg_attest_policy *policy = it->policy;
    const json_t *manifest = it->manifest;
    check_deks(it);
    check_digest(it, "schemas", text_of(manifest, "schemas"), policy->schemas, "the set in force");
    check_digest(it, "client_ca", text_of(manifest, "client_ca"), policy->client_ca, "who vouches for clients");
    check_digest(it, "settings", text_of(json_object_get(manifest, "settings"), "sha256"), policy->settings,
                 "what the measured settings say");
    if (policy->routes != NULL || json_object_get(manifest, "routes") != NULL) {
        check_digest(it, "routes", text_of(manifest, "routes"), policy->routes, "the set in force");
    }
}

void tg_attest_check_all(const tg_attest_answer *answer, const tg_attest_policy *policy,
                         const tg_attest_expected *expected, tg_attest_report *out_report)
{
    tg_detail detail = {0};
    *out_report = (tg_attest_report){.is_verified = true};
    checking it = {.policy = policy, .expected = expected, .report = out_report};
    if (!tg_is_ok(tg_nitro_document_parse(tg_buf_slice(&answer->document), &it.document, &detail))) {
        note(&it, "form", TG_CHECK_FAILED, "%s: %s", detail.field, detail.reason);
        return;
    }
    note(&it, "form", TG_CHECK_PASSED, "a document of %zu bytes, as Nitro enclaves give them",
         tg_buf_len(&answer->document));
    check_signature(&it);
    check_time(&it);
    check_nonce(&it);
    check_debug(&it);
    check_pcrs(&it);
    check_manifest(&it, tg_buf_slice(&answer->manifest));
    if (it.manifest != NULL) {
        check_tls_key(&it);
        check_modes(&it);
        check_lists(&it);
        json_decref(it.manifest);
    } else if (expected->spki_sha256.ptr != NULL) {
        note(&it, "tls_key", TG_CHECK_FAILED, "no manifest vouches for the connection's key");
    }
}
