#include "tool/attest_verify.h"

#include "attest/nitro_root.h"
#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tool/attest_fetch.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { MAX_TABLE_BYTES = 65536, LIVE_MAX_AGE_S = 300, MAX_ROOT_PEM_BYTES = 65536, MAX_ROOT_DER_BYTES = 4096 };

static bool is_url(const char *where)
{
    return tg_slice_starts(tg_slice_str(where), TG_LIT("https://")) ||
           tg_slice_starts(tg_slice_str(where), TG_LIT("http://")); /* to be refused as that */
}

static tg_result read_file(const char *path, const tg_console *console, tg_attest_answer *answer, tg_detail *detail)
{
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_ATTEST_ANSWER_BYTES);
    tg_result read =
        strcmp(path, "-") == 0 ? tg_file_read_fd(console->in_fd, &bytes, NULL, NULL) : tg_file_read(path, &bytes);
    tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    if (!tg_is_ok(read)) {
        tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(read));
    } else {
        read = tg_attest_answer_parse(tg_buf_slice(&bytes), answer, detail);
    }
    tg_buf_done(&bytes);
    return read;
}

static tg_result ask(const tg_invocation *invocation, const char *url, tg_attest_answer *answer, tg_detail *detail)
{
    tg_fetch *fetch;
    TG_TRY(tg_fetch_open(invocation, url, &fetch, detail));
    tg_result asked = tg_fail(TG_ERR_SYNTAX);
    if (tg_fetch_target(fetch).len != tg_fetch_path(fetch).len) {
        tg_detail_set_place(detail, tg_slice_str(url), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "has a query: the nonce is the only one");
    } else {
        asked = tg_attest_fetch(fetch, tg_fetch_path(fetch), answer, detail);
    }
    tg_fetch_close(fetch);
    return asked;
}

int tg_attest_load(const tg_invocation *invocation, const char *where, tg_console *console, tg_attest_answer *answer)
{
    tg_detail detail = {0};
    tg_attest_answer_init(answer);
    tg_result loaded =
        is_url(where) ? ask(invocation, where, answer, &detail) : read_file(where, console, answer, &detail);
    return tg_is_ok(loaded) ? TG_EXIT_OK : tg_console_fail(console, &detail);
}

/* The first certificate of a PEM file, in DER. */
static tg_result read_root(const char *path, tg_buf *der)
{
    tg_buf pem;
    unsigned char *bytes = NULL;
    tg_buf_init(&pem, MAX_ROOT_PEM_BYTES);
    tg_result read = tg_file_read(path, &pem);
    BIO *bio = tg_is_ok(read) ? BIO_new_mem_buf(tg_buf_slice(&pem).ptr, (int)tg_buf_len(&pem)) : NULL;
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int len = certificate != NULL ? i2d_X509(certificate, &bytes) : -1;
    if (tg_is_ok(read)) {
        read = len > 0 ? tg_buf_append(der, tg_slice_of(bytes, (size_t)len)) : tg_fail(TG_ERR_SYNTAX);
    }
    OPENSSL_free(bytes);
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    tg_buf_done(&pem);
    return read;
}

/* What the command line says the document must hold; the bytes stand in `storage`. */
typedef struct given {
    uint8_t nonce[TG_MAX_NITRO_FIELD_BYTES];
    uint8_t spki[TG_ATTEST_SPKI_BYTES];
    tg_buf root;
} given;

static tg_result read_hex(const char *text, size_t min, size_t max, uint8_t *out, tg_slice *out_bytes,
                          const char *option, tg_detail *detail)
{
    size_t len = strlen(text);
    if (len % 2 != 0 || len / 2 < min || len / 2 > max || !tg_is_ok(tg_hex_decode(tg_slice_str(text), out))) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(option));
        tg_detail_set_reason(detail, "is of %zu to %zu bytes in hexadecimal", min, max);
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_bytes = tg_slice_of(out, len / 2);
    return tg_ok();
}

static tg_result expect(const tg_invocation *invocation, const tg_attest_answer *answer, given *storage,
                        tg_attest_expected *out_expected, tg_detail *detail)
{
    const char *nonce = tg_invocation_value(invocation, "nonce"), *spki = tg_invocation_value(invocation, "tls-spki");
    const char *root = tg_invocation_value(invocation, "root");
    tg_attest_expected expected = {.now_unix_ms = tg_clock_unix_ms()};
    if (answer->is_live && (nonce != NULL || spki != NULL)) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(nonce != NULL ? "--nonce" : "--tls-spki"));
        tg_detail_set_reason(detail, "is for a document from a file: of an endpoint it is the tool's and its own");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (answer->is_live) {
        expected.nonce = tg_slice_of(answer->nonce, sizeof answer->nonce);
        expected.spki_sha256 = tg_slice_of(answer->spki_sha256, sizeof answer->spki_sha256);
    }
    TG_TRY(nonce != NULL ? read_hex(nonce, 1, sizeof storage->nonce, storage->nonce, &expected.nonce, "--nonce", detail)
                         : tg_ok());
    TG_TRY(spki != NULL ? read_hex(spki, sizeof storage->spki, sizeof storage->spki, storage->spki,
                                   &expected.spki_sha256, "--tls-spki", detail)
                        : tg_ok());
    if (root != NULL) {
        tg_result read = read_root(root, &storage->root);
        if (!tg_is_ok(read)) {
            tg_detail_set_place(detail, tg_slice_str(root), 0, (tg_slice){NULL, 0});
            tg_detail_set_reason(detail, "holds no certificate that can be read (PEM)");
            return read;
        }
        expected.root_der = tg_buf_slice(&storage->root);
    }
    *out_expected = expected;
    return tg_ok();
}

tg_result tg_attest_report_append(const tg_attest_report *report, bool is_coloured, tg_buf *out)
{
    static const tg_colour colours[] = {TG_COLOUR_GREEN, TG_COLOUR_YELLOW, TG_COLOUR_DIM, TG_COLOUR_RED};
    for (size_t i = 0; i < report->num_checks; i++) {
        const tg_attest_check *check = &report->checks[i];
        TG_TRY(tg_colour_append(out, is_coloured, colours[check->verdict], tg_verdict_name(check->verdict)));
        TG_TRY(tg_buf_printf(out, "%s  %-15s ",
                             check->verdict == TG_CHECK_PASSED || check->verdict == TG_CHECK_FAILED ? " " : "",
                             check->name));
        TG_TRY(tg_text_append_printable(out, tg_slice_str(check->text), SIZE_MAX));
        TG_TRY(tg_buf_append_byte(out, '\n'));
    }
    return tg_buf_printf(out, "%s\n", report->is_verified ? "verified" : "NOT verified");
}

static int check_by(const tg_invocation *invocation, tg_attest_policy *policy, const tg_attest_answer *answer,
                    tg_console *console, tg_attest_report *out_report)
{
    tg_detail detail = {0};
    tg_attest_expected expected;
    given storage;
    tg_buf_init(&storage.root, MAX_ROOT_DER_BYTES);
    int status = TG_EXIT_OK;
    if (!tg_is_ok(expect(invocation, answer, &storage, &expected, &detail))) {
        status = tg_console_fail(console, &detail);
    } else {
        policy->max_age_s = policy->max_age_s == 0 && answer->is_live ? LIVE_MAX_AGE_S : policy->max_age_s;
        tg_attest_check_all(answer, policy, &expected, out_report);
    }
    tg_buf_done(&storage.root);
    return status;
}

int tg_attest_examine(const tg_invocation *invocation, const tg_attest_answer *answer, tg_console *console,
                      tg_attest_report *out_report)
{
    static tg_attest_policy policy; /* large; the tool does one thing and ends */
    tg_detail detail = {0};
    int status = tg_is_ok(tg_attest_policy_load(invocation, &policy, &detail))
                     ? check_by(invocation, &policy, answer, console, out_report)
                     : tg_console_fail(console, &detail);
    tg_attest_policy_done(&policy);
    return status;
}

int tg_attest_demand(const tg_invocation *invocation, const tg_attest_answer *answer, bool shows_all,
                     tg_console *console)
{
    static tg_attest_report report;
    tg_buf table;
    int status = tg_attest_examine(invocation, answer, console, &report);
    if (status != TG_EXIT_OK || (report.is_verified && !shows_all)) {
        return status;
    }
    tg_buf_init(&table, MAX_TABLE_BYTES);
    tg_result put = tg_attest_report_append(&report, console->is_err_coloured, &table);
    tg_console_say(console, tg_is_ok(put) ? tg_buf_slice(&table) : TG_LIT("NOT verified\n"));
    tg_buf_done(&table);
    return report.is_verified ? TG_EXIT_OK : TG_EXIT_FINDINGS;
}
