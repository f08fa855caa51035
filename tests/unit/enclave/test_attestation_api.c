#include "attest/nitro_document.h"
#include "attest/simulator_root_dev.h"
#include "base/encode.h"
#include "crypto/sha256.h"
#include "enclave/attestation_api.h"
#include "sys/clock.h"
#include "unit/enclave/site_case.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

/* The site with a simulator. */
static void open_attesting(void)
{
    tg_faults faults;
    tg_faults_init(&faults);
    site_open_ready(TEST_NO_ENVIRONMENT);
    assert_ok(tg_attestation_open(&at.settings, &faults, &at.site.attestation));
    assert_non_null(at.site.attestation);
    tg_faults_done(&faults);
}

static void close_attesting(void)
{
    tg_attestation *attestation = at.site.attestation;
    site_close();
    tg_attestation_close(attestation);
}

/* The document of a good answer, and its manifest; the caller frees the bytes. */
static tg_slice take_document(const char *answer, tg_nitro_document *out_document, tg_slice *out_manifest)
{
    static char text[1 << 16];
    assert_int_equal(site_status(answer), 200);
    snprintf(text, sizeof text, "%s", site_body(answer));
    char *manifest = strstr(text, ",\"manifest\":");
    assert_non_null(manifest);
    *out_manifest = tg_slice_of(manifest + 12, strlen(manifest + 12) - 2); /* without `}` and its newline */
    json_t *tree = json_loads(text, 0, NULL);
    assert_non_null(tree);
    const char *encoded = json_string_value(json_object_get(tree, "document"));
    uint8_t *bytes = malloc(strlen(encoded));
    size_t len = 0;
    tg_detail detail = {0};
    assert_non_null(bytes);
    assert_ok(tg_base64_decode(TG_BASE64_PADDED, tg_slice_str(encoded), bytes, &len));
    assert_ok(tg_nitro_document_parse(tg_slice_of(bytes, len), out_document, &detail));
    assert_ok(tg_nitro_document_verify(out_document, tg_simulator_root_dev(), &detail));
    json_decref(tree);
    return tg_slice_of(bytes, len);
}

static void assert_vouches_for(const tg_nitro_document *document, tg_slice manifest)
{
    uint8_t digest[TG_SHA256_BYTES];
    assert_ok(tg_sha256(manifest, digest));
    assert_true(tg_slice_equal(document->user_data, tg_slice_of(digest, sizeof digest)));
    assert_null(document->public_key.ptr);
}

static void document_with_nonce_holds_it_and_the_manifest(void **state)
{
    (void)state;
    open_attesting();
    tg_nitro_document document;
    tg_slice manifest;
    const char *answer = site_get("/attestation?nonce=00112233445566778899aabbccddeeff");
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    tg_slice bytes = take_document(answer, &document, &manifest);
    assert_vouches_for(&document, manifest);
    assert_slice(document.nonce, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    free((void *)(uintptr_t)bytes.ptr);
    bytes = take_document(site_get("/attestation?nonce=AAECAwQFBgcICQoLDA0ODw"), &document, &manifest);
    assert_int_equal(document.nonce.len, 16);
    assert_int_equal(document.nonce.ptr[15], 15);
    free((void *)(uintptr_t)bytes.ptr);
    close_attesting();
}

static void document_without_nonce_is_kept_while_manifest_is_the_same(void **state)
{
    (void)state;
    open_attesting();
    char first[1 << 15];
    tg_nitro_document document;
    tg_slice manifest;
    snprintf(first, sizeof first, "%s", site_body(site_get("/attestation")));
    for (int i = 0; i < 2 * TG_MAX_ATTESTATIONS_PER_S; i++) {
        assert_string_equal(site_body(site_get("/attestation")), first);
    }
    site_set_ring("\xBB");
    const char *answer = site_get("/attestation");
    assert_string_not_equal(site_body(answer), first);
    tg_slice bytes = take_document(answer, &document, &manifest);
    assert_vouches_for(&document, manifest);
    assert_null(document.nonce.ptr);
    free((void *)(uintptr_t)bytes.ptr);
    close_attesting();
}

#define FRESH "/attestation?nonce=00112233445566778899aabbccddeeff"

static void client_has_ip(uint8_t last)
{
    at.peer.ip[15] = last;
}

/* Waits for the beginning of a second of the rate's, so that what follows falls into one. */
static void begin_second(void)
{
    while (tg_clock_monotonic_ms() % 1000 > 100) {
        usleep(1000);
    }
}

static void document_past_ones_share_is_429_and_others_have_theirs(void **state)
{
    (void)state;
    open_attesting();
    begin_second();
    unsigned num_signed = 0;
    for (int i = 0; i < 3 * TG_MAX_ATTESTATIONS_PER_S; i++) { /* one client, each time by another connection */
        unsigned status = site_status(site_get(FRESH));
        assert_true(status == 200 || status == 429);
        num_signed += status == 200;
    }
    assert_true(num_signed >= TG_MAX_ATTESTATIONS_PER_ASKER_S);
    client_has_ip(2);
    assert_int_equal(site_status(site_get(FRESH)), 200);
    client_has_ip(1);
    if (!TG_TEST_IS_SANITIZED) { /* there, all of it may take a second */
        assert_int_equal(num_signed, TG_MAX_ATTESTATIONS_PER_ASKER_S);
        const char *answer = site_get(FRESH);
        assert_int_equal(site_status(answer), 429);
        assert_non_null(strstr(answer, "\"too_many_requests\""));
        assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    }
    assert_int_equal(site_status(site_get("/attestation")), 200); /* nobody is limited here */
    close_attesting();
}

static void document_with_bad_query_is_400(void **state)
{
    (void)state;
    open_attesting();
    static const char *const queries[] = {
        "nonce=",
        "nonce=00",
        "x=1",
        "nonce=AAECAwQFBgcICQoLDA0OD",
        "nonce=00112233445566778899aabbccddeef%30",
        "nonce=00112233445566778899aabbccddeeff&nonce=00112233445566778899aabbccddeeff"};
    for (size_t i = 0; i < TG_COUNT(queries); i++) {
        char path[256];
        snprintf(path, sizeof path, "/attestation?%s", queries[i]);
        const char *answer = site_get(path);
        assert_int_equal(site_status(answer), 400);
        assert_non_null(strstr(answer, "\"bad_request\""));
    }
    assert_int_equal(site_status(site_post("/attestation", SITE_JSON, "{}")), 405);
    close_attesting();
}

static void document_without_device_is_404(void **state)
{
    (void)state;
    site_open_ready(TEST_NO_ENVIRONMENT);
    assert_answer(site_get("/attestation"), 404, "{\"code\":\"not_found\",\"message\":\"nothing attests here\"}");
    site_close();
}

static tg_result fail_to_attest(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                                tg_detail *detail)
{
    (void)device;
    (void)request;
    tg_detail_set_reason(detail, "the module is out of order");
    tg_result put = tg_buf_append(out_document, TG_LIT("half"));
    return tg_is_ok(put) ? tg_fail(TG_ERR_LIBRARY) : put;
}

/* A device that fails, or counts what it is asked for. */
static struct {
    tg_attest_device_calls calls;
    const tg_attest_device_calls *good;
    unsigned num_asked;
    bool is_broken;
} counted;

static tg_result attest_counted(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document,
                                tg_detail *detail)
{
    counted.num_asked++;
    return (counted.is_broken ? fail_to_attest : counted.good->attest)(device, request, out_document, detail);
}

static void count_device(void)
{
    tg_attest_device *device = tg_attestation_device(at.site.attestation);
    counted.good = device->calls;
    counted.calls = *device->calls;
    counted.calls.attest = attest_counted;
    counted.num_asked = 0;
    counted.is_broken = false;
    device->calls = &counted.calls;
}

static void document_that_device_refuses_is_503(void **state)
{
    (void)state;
    open_attesting();
    count_device();
    counted.is_broken = true;
    assert_int_equal(site_status(site_get(FRESH)), 503);
    assert_int_equal(counted.num_asked, 1);
    for (int i = 0; i < 20; i++) { /* it is not asked for each of them */
        assert_int_equal(site_status(site_get("/attestation")), 503);
    }
    assert_in_range(counted.num_asked, 2, TG_TEST_IS_SANITIZED ? 5 : 3);
    counted.is_broken = false;
    for (int i = 0; i < 500 && site_status(site_get("/attestation")) == 503; i++) {
        usleep(20000);
    }
    assert_int_equal(site_status(site_get("/attestation")), 200);
    close_attesting();
}

static void document_without_nonce_serves_on_while_the_device_fails(void **state)
{
    (void)state;
    open_attesting();
    count_device();
    char first[1 << 15];
    snprintf(first, sizeof first, "%s", site_body(site_get("/attestation")));
    counted.is_broken = true;
    site_set_ring("\xBB"); /* another manifest, and nobody to vouch for it */
    for (int i = 0; i < 20; i++) {
        const char *answer = site_get("/attestation");
        assert_int_equal(site_status(answer), 200);
        assert_string_equal(site_body(answer), first);
    }
    assert_in_range(counted.num_asked, 2, TG_TEST_IS_SANITIZED ? 5 : 3);
    close_attesting();
}

static void document_without_nonce_of_alternating_manifests_spares_the_device(void **state)
{
    (void)state;
    open_attesting();
    count_device();
    begin_second();
    for (int i = 0; i < 40; i++) {
        tg_nitro_document document;
        tg_slice manifest;
        site_set_ring(i % 2 == 0 ? "\xBB" : "\xAA");
        tg_slice bytes = take_document(site_get("/attestation"), &document, &manifest);
        assert_vouches_for(&document, manifest);
        free((void *)(uintptr_t)bytes.ptr);
    }
    assert_in_range(counted.num_asked, TG_MAX_KEPT_ATTESTATIONS_PER_S, TG_TEST_IS_SANITIZED ? 40 : 8);
    close_attesting();
}

static void nonce_parse_bounds_each_spelling(void **state)
{
    (void)state;
    static const struct {
        size_t num_chars;
        char fill;
        tg_code code;
    } cases[] = {{30, 'a', TG_OK},                                  /* base64url of 22 bytes */
                 {31, 'a', TG_OK},                                  /* odd: base64url too */
                 {32, 'a', TG_OK},                                  /* hex of 16 */
                 {128, 'a', TG_OK},                                 /* hex of 64 */
                 {130, 'a', TG_ERR_RANGE}, {20, 'Q', TG_ERR_RANGE}, /* base64url of 15 bytes */
                 {24, 'Q', TG_OK},         {84, 'Q', TG_OK},        {88, 'Q', TG_ERR_RANGE},
                 {24, '+', TG_ERR_SYNTAX}, {24, 0, TG_ERR_SYNTAX},  {24, '=', TG_ERR_SYNTAX}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char query[256] = "nonce=";
        uint8_t nonce[TG_MAX_NONCE_BYTES];
        size_t len = 0;
        memset(query + 6, cases[i].fill, cases[i].num_chars);
        if (cases[i].num_chars % 4 != 0 && cases[i].fill == 'a' && cases[i].num_chars < 32) {
            query[6 + cases[i].num_chars - 1] = 'A'; /* no spare bits */
        }
        assert_code(tg_nonce_parse(tg_slice_of(query, 6 + cases[i].num_chars), nonce, &len), cases[i].code);
    }
    uint8_t nonce[TG_MAX_NONCE_BYTES];
    size_t len = 1;
    assert_ok(tg_nonce_parse((tg_slice){NULL, 0}, nonce, &len));
    assert_int_equal(len, 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(document_with_nonce_holds_it_and_the_manifest),
        cmocka_unit_test(document_without_nonce_is_kept_while_manifest_is_the_same),
        cmocka_unit_test(document_past_ones_share_is_429_and_others_have_theirs),
        cmocka_unit_test(document_with_bad_query_is_400),
        cmocka_unit_test(document_without_device_is_404),
        cmocka_unit_test(document_that_device_refuses_is_503),
        cmocka_unit_test(document_without_nonce_serves_on_while_the_device_fails),
        cmocka_unit_test(document_without_nonce_of_alternating_manifests_spares_the_device),
        cmocka_unit_test(nonce_parse_bounds_each_spelling),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
