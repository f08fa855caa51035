#include "attest/manifest.h"
#include "attest/simulator_dev.h"
#include "base/encode.h"
#include "support/case.h"
#include "sys/file.h"
#include "tool/attest_answer.h"
#include "tool/commands.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* `teegate attest` on files: answers of a simulated enclave, and genuine documents. */

static char folder[64];
static char out_text[1 << 18], err_text[16384];

#define VECTOR(name) TG_TEST_VECTORS "/nitro/" name

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % TG_COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, tg_slice bytes)
{
    unlink(path_of(name));
    assert_ok(tg_file_write_new(path_of(name), 0600, bytes));
}

static void read_back(int fd, char *text, size_t cap)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t len = read(fd, text, cap - 1);
    assert_true(len >= 0);
    text[len] = 0;
    close(fd);
}

static int open_temporary(void)
{
    int fd = open(folder, O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* Runs `teegate attest ARGS...` (NULL ends them). */
static int run(const char *first, ...)
{
    const char *argv[32] = {"teegate", "attest", first};
    size_t argc = 3;
    va_list args;
    va_start(args, first);
    for (const char *each; (each = va_arg(args, const char *)) != NULL;) {
        argv[argc++] = each;
    }
    va_end(args);
    tg_console console = {.in_fd = open("/dev/null", O_RDONLY), .out_fd = open_temporary(), .err_fd = open_temporary()};
    int status = tg_tool_main(argc, argv, &console);
    close(console.in_fd);
    read_back(console.out_fd, out_text, sizeof out_text);
    read_back(console.err_fd, err_text, sizeof err_text);
    return status;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not stand in:\n%s", part, text);
    }
}

/* What the row of a check begins with. */
static void assert_row(const char *check, const char *verdict)
{
    char row[64];
    snprintf(row, sizeof row, "%-7s  %-15s ", verdict, check);
    assert_says(out_text, row);
}

static const uint8_t spki[32] = {0x51};
#define SPKI_HEX  "5100000000000000000000000000000000000000000000000000000000000000"
#define NONCE_HEX "6e6f6e63656e6f6e63656e6f6e6365ff"

typedef struct answer_options {
    const char *settings; /* NULL: all closed, production */
    const char *origin;   /* NULL: generated */
    const char *secrets_mode;
    bool is_debug;
    bool is_unvouched;
    bool has_client_ca;
    const char *deks; /* of write_manifest: the member's JSON, and what may follow it; "": there is none */
} answer_options;

static tg_attest_device *open_simulator(bool is_debug)
{
    static const uint8_t zeros[TG_ATTEST_PCR_BYTES];
    tg_simulator_options options = {0};
    tg_attest_device *device = NULL;
    if (is_debug) {
        options.pcrs[0] = tg_slice_of(zeros, sizeof zeros);
    }
    assert_ok(tg_simulator_open_dev(&options, &device));
    return device;
}

/* Writes what /attestation answers of an enclave with that manifest. */
static void write_vouched(const char *name, tg_slice manifest, answer_options with)
{
    tg_buf document, text;
    uint8_t digest[32];
    tg_attest_device *device = open_simulator(with.is_debug);
    tg_buf_init(&document, 65536);
    tg_buf_init(&text, 65536);
    assert_int_equal(EVP_Digest(manifest.ptr, manifest.len, digest, NULL, EVP_sha256(), NULL), 1);
    const tg_attest_request request = {.nonce = TG_LIT("noncenoncenonce\xff"),
                                       .user_data = tg_slice_of(digest, with.is_unvouched ? 31 : 32)};
    assert_ok(tg_attest(device, &request, &document, NULL));
    assert_ok(tg_buf_append_str(&text, "{\"document\":\""));
    assert_ok(tg_base64_append(&text, TG_BASE64_PADDED, tg_buf_slice(&document)));
    assert_ok(tg_buf_append_str(&text, "\",\"manifest\":"));
    assert_ok(tg_buf_append(&text, manifest));
    assert_ok(tg_buf_append_str(&text, "}\n"));
    write_file(name, tg_buf_slice(&text));
    tg_buf_done(&document);
    tg_buf_done(&text);
    tg_attest_device_close(device);
}

static const char closed_settings[] = "{\"build\":\"production\",\"decrypt\":\"listed\",\"encrypt\":\"listed\","
                                      "\"local_mode\":false,\"schema_allow_removal\":false,\"sha256\":\"ab\"}";

static void write_answer(const char *name, answer_options with)
{
    static const tg_manifest_dek deks[] = {{{(const uint8_t *)"0123456789abcdef", 16}, "current"}};
    const tg_manifest described = {.tls_spki = tg_slice_of(spki, sizeof spki),
                                   .tls_key_origin = with.origin != NULL ? with.origin : "generated",
                                   .secrets_mode = with.secrets_mode != NULL ? with.secrets_mode : "none",
                                   .settings = tg_slice_str(with.settings != NULL ? with.settings : closed_settings),
                                   .schemas = tg_slice_of(spki, sizeof spki),
                                   .client_ca =
                                       with.has_client_ca ? tg_slice_of(spki, sizeof spki) : (tg_slice){NULL, 0},
                                   .deks = deks,
                                   .num_deks = 1};
    tg_buf manifest;
    tg_buf_init(&manifest, 65536);
    assert_ok(tg_manifest_append(&described, &manifest));
    write_vouched(name, tg_buf_slice(&manifest), with);
    tg_buf_done(&manifest);
}

/* A manifest as no enclave of ours writes it. */
static void write_manifest(const char *name, answer_options with)
{
    char manifest[1024];
    snprintf(manifest, sizeof manifest,
             "{%s%s%s\"secrets_mode\":\"none\",\"settings\":%s,\"tls_key_origin\":\"generated\",\"v\":1}",
             with.deks[0] != 0 ? "\"deks\":" : "", with.deks, with.deks[0] != 0 ? "," : "", closed_settings);
    write_vouched(name, tg_slice_str(manifest), with);
}

static void verify_good_answer_passes_every_check(void **state)
{
    (void)state;
    write_answer("good.json", (answer_options){0});
    assert_int_equal(run("pcrs", path_of("good.json"), "--name", "v1", NULL), 0);
    assert_says(out_text, "\"name\": \"v1\"");
    write_file("policy.json", tg_slice_str(out_text));
    assert_int_equal(run("verify", path_of("good.json"), "--policy", path_of("policy.json"), "--nonce", NONCE_HEX,
                         "--tls-spki", SPKI_HEX, "--max-age", "3600", "--root", VECTOR("simulator-root.pem"), NULL),
                     0);
    static const char *const passed[] = {"form",           "root",    "signature",      "time",        "nonce",
                                         "debug",          "pcrs",    "manifest",       "tls_key",     "build",
                                         "tls_key_origin", "encrypt", "schema_removal", "secrets_mode"};
    for (size_t i = 0; i < TG_COUNT(passed); i++) {
        assert_row(passed[i], "passed");
    }
    assert_row("deks", "skipped");
    assert_says(out_text, "\nverified\n");
    assert_string_equal(err_text, "");
}

static void verify_simulator_is_refused_unless_allowed(void **state)
{
    (void)state;
    write_answer("good.json", (answer_options){0});
    assert_int_equal(run("verify", path_of("good.json"), "--allow", "any-image", NULL), 1);
    assert_row("root", "failed");
    assert_row("pcrs", "allowed");
    assert_says(out_text, "NOT verified\n");
    assert_int_equal(run("verify", path_of("good.json"), "--allow", "any-image", "--allow", "test-root", NULL), 0);
    assert_row("root", "allowed");
    assert_row("nonce", "skipped");
    assert_int_equal(run("verify", path_of("good.json"), "--allow", "test-root", NULL), 1);
    assert_row("pcrs", "failed");
    assert_int_equal(run("verify", path_of("good.json"), "--allow", "nothing-such", NULL), 2);
}

static void verify_weak_modes_fail_by_name(void **state)
{
    (void)state;
    static const struct {
        answer_options with;
        const char *check;
        const char *word;
    } cases[] = {
        {{.is_debug = true}, "debug", "debug"},
        {{.origin = "image"}, "tls_key_origin", "image-key"},
        {{.origin = "delivered"}, "tls_key_origin", "delivered-key"},
        {{.secrets_mode = "open"}, "secrets_mode", "open-secrets"},
        {{.settings = "{\"build\":\"development\",\"encrypt\":\"listed\",\"local_mode\":false,"
                      "\"schema_allow_removal\":false}"},
         "build",
         "development"},
        {{.settings = "{\"build\":\"production\",\"encrypt\":\"listed\",\"local_mode\":true,"
                      "\"schema_allow_removal\":false}"},
         "build",
         "development"},
        {{.settings = "{\"build\":\"production\",\"encrypt\":\"open\",\"local_mode\":false,"
                      "\"schema_allow_removal\":false}"},
         "encrypt",
         "open-encrypt"},
        {{.settings = "{\"build\":\"production\",\"encrypt\":\"listed\",\"local_mode\":false,"
                      "\"schema_allow_removal\":true}"},
         "schema_removal",
         "schema-removal"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        write_answer("weak.json", cases[i].with);
        assert_int_equal(run("verify", path_of("weak.json"), "--allow", "any-image", "--allow", "test-root", NULL), 1);
        assert_row(cases[i].check, "failed");
        assert_int_equal(run("verify", path_of("weak.json"), "--allow", "any-image", "--allow", "test-root", "--allow",
                             cases[i].word, NULL),
                         0);
        assert_row(cases[i].check, "allowed");
    }
}

static void verify_what_differs_is_named(void **state)
{
    (void)state;
    static const char policy[] =
        "{\"pcr_sets\": [{\"name\": \"other\", \"pcrs\": {\"0\": \"%s\"}}, {\"name\": \"near\", \"pcrs\": "
        "{\"0\": \"%s\", \"1\": \"%s\"}}], \"dek_fingerprints\": [\"00\"], \"schemas\": [\"11\"], \"max_age_s\": 60}";
    char text[1024], ones[97], image[97];
    memset(ones, '1', 96);
    ones[96] = 0;
    for (size_t i = 0; i < 96; i += 2) {
        memcpy(image + i, "a0", 3);
    }
    snprintf(text, sizeof text, policy, ones, image, ones);
    write_file("policy.json", tg_slice_str(text));
    write_answer("good.json", (answer_options){0});
    assert_int_equal(run("verify", path_of("good.json"), "--policy", path_of("policy.json"), "--allow", "test-root",
                         "--nonce", "00", "--tls-spki", NONCE_HEX NONCE_HEX, NULL),
                     1);
    assert_says(out_text, "PCR1 is a1a1");
    assert_says(out_text, "1111... in near, the nearest of 2 allowed images");
    assert_row("nonce", "failed");
    assert_row("tls_key", "failed");
    assert_row("deks", "failed");
    assert_row("schemas", "failed");
    assert_row("time", "passed");
    write_answer("unvouched.json", (answer_options){.is_unvouched = true});
    assert_int_equal(run("verify", path_of("unvouched.json"), "--allow", "test-root", "--allow", "any-image", NULL), 1);
    assert_row("manifest", "failed");
}

#define FINGERPRINT_HEX "30313233343536373839616263646566"

static int verify_by_policy(const char *policy)
{
    write_file("policy.json", tg_slice_str(policy));
    return run("verify", path_of("good.json"), "--policy", path_of("policy.json"), "--allow", "test-root", "--allow",
               "any-image", NULL);
}

static void verify_policy_lists_that_match_pass(void **state)
{
    (void)state;
    static const char *const lists[] = {"deks", "schemas", "client_ca", "settings"};
    write_answer("good.json", (answer_options){.has_client_ca = true});
    assert_int_equal(verify_by_policy("{\"dek_fingerprints\": [\"00\", \"" FINGERPRINT_HEX "\"], \"schemas\": "
                                      "[\"" SPKI_HEX "\"], \"client_ca\": [\"" SPKI_HEX "\"], \"settings\": [\"AB\"]}"),
                     0);
    for (size_t i = 0; i < TG_COUNT(lists); i++) {
        assert_row(lists[i], "passed");
    }
    assert_int_equal(run("verify", path_of("good.json"), "--policy", path_of("policy.json"), "--allow", "test-root",
                         "--allow", "any-image", "--json", NULL),
                     0);
    assert_says(out_text, "{\"verified\":true,\"checks\":[");
    assert_says(out_text, "{\"check\":\"deks\",\"verdict\":\"passed\",\"text\":\"every key in force is allowed\"}");
    assert_says(out_text, "{\"check\":\"schemas\",\"verdict\":\"passed\"");
    assert_says(out_text, "\n],\"manifest\":{\"client_ca\":");
    assert_int_equal(run("verify", path_of("good.json"), "--json", NULL), 1);
    assert_says(out_text, "\n]}\n"); /* not verified: nothing to go on from */
}

static void verify_policy_lists_that_differ_fail(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *check;
    } cases[] = {{"{\"schemas\": [\"00\"]}", "schemas"},     {"{\"schemas\": []}", "schemas"},
                 {"{\"client_ca\": [\"00\"]}", "client_ca"}, {"{\"settings\": [\"00\"]}", "settings"},
                 {"{\"dek_fingerprints\": []}", "deks"},     {"{\"routes\": [\"" SPKI_HEX "\"]}", "routes"}};
    write_answer("good.json", (answer_options){.has_client_ca = true});
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_int_equal(verify_by_policy(cases[i].policy), 1);
        assert_row(cases[i].check, "failed");
    }
}

/* What a policy names must be there: a manifest that holds none of it meets no policy. */
static void verify_policy_lists_without_their_member_fail(void **state)
{
    (void)state;
    static const char *const none[] = {NULL, "[]", "{}", "\"" FINGERPRINT_HEX "\"", "null", "[{}]", "[1]"};
    for (size_t i = 0; i < TG_COUNT(none); i++) {
        write_manifest("good.json", (answer_options){.deks = none[i] != NULL ? none[i] : ""});
        assert_int_equal(verify_by_policy("{\"dek_fingerprints\": [\"" FINGERPRINT_HEX "\"]}"), 1);
        assert_row("deks", "failed");
        assert_int_equal(verify_by_policy("{}"), 0);
        assert_row("deks", "skipped");
    }
    write_answer("good.json", (answer_options){0});
    assert_int_equal(verify_by_policy("{\"client_ca\": [\"" SPKI_HEX "\", \"\"]}"), 1);
    assert_row("client_ca", "failed");
}

/* Whoever passes an answer on could leave the manifest out. */
static void verify_policy_lists_without_a_manifest_fail(void **state)
{
    (void)state;
    static const char *const lists[] = {"dek_fingerprints", "schemas", "client_ca", "settings", "routes"};
    for (size_t i = 0; i < TG_COUNT(lists); i++) {
        char policy[128];
        snprintf(policy, sizeof policy, "{\"%s\": [\"" SPKI_HEX "\"]}", lists[i]);
        write_file("policy.json", tg_slice_str(policy));
        assert_int_equal(
            run("verify", VECTOR("doc-11.cbor"), "--policy", path_of("policy.json"), "--allow", "any-image", NULL), 1);
        assert_row("manifest", "failed");
    }
    write_file("policy.json", TG_LIT("{\"max_age_s\": 999999999}"));
    assert_int_equal(
        run("verify", VECTOR("doc-11.cbor"), "--policy", path_of("policy.json"), "--allow", "any-image", NULL), 0);
    assert_row("manifest", "skipped");
}

static void verify_routes_are_compared_where_the_manifest_has_them(void **state)
{
    (void)state;
    write_manifest("good.json", (answer_options){.deks = "[],\"routes\":\"" SPKI_HEX "\""});
    assert_int_equal(verify_by_policy("{\"routes\": [\"" SPKI_HEX "\"]}"), 0);
    assert_row("routes", "passed");
    assert_int_equal(verify_by_policy("{}"), 0);
    assert_row("routes", "skipped");
}

static void verify_genuine_documents_by_aws_root(void **state)
{
    (void)state;
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--allow", "any-image", NULL), 0);
    assert_row("root", "passed");
    assert_row("signature", "passed");
    assert_row("time", "skipped");
    assert_row("manifest", "skipped");
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--allow", "any-image", "--max-age", "300", NULL), 1);
    assert_says(out_text, "more than 300 s ago");
    assert_int_equal(run("verify", VECTOR("doc-12.cbor"), "--allow", "any-image", NULL), 1);
    assert_row("debug", "failed");
    assert_int_equal(run("verify", VECTOR("t-good.cbor"), "--allow", "any-image", "--allow", "debug", NULL), 1);
    assert_row("root", "failed");
    assert_int_equal(run("verify", VECTOR("t-good.cbor"), "--allow", "any-image", "--allow", "debug", "--root",
                         VECTOR("TEST-root.pem"), NULL),
                     0);
    assert_int_equal(run("show", VECTOR("doc-12.cbor"), NULL), 0);
    assert_says(out_text, "module      i-");
    assert_says(out_text, "/CN=aws.nitro-enclaves");
    assert_int_equal(run("pcrs", VECTOR("doc-12.cbor"), NULL), 0);
    assert_says(err_text, "debug mode");
}

static void verify_inputs_that_are_none_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {{"", "it is empty"},
                 {"{", "damaged JSON"},
                 {"{}", "no document"},
                 {"{\"document\":\"*\"}", "not in base64"},
                 {"{\"document\":\"AAAA\",\"manifest\":1}", "manifest is no object"},
                 {"not base64!", "not in base64"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        write_file("bad", tg_slice_str(cases[i].text));
        assert_int_equal(run("verify", path_of("bad"), NULL), 2);
        assert_says(err_text, cases[i].reason);
    }
    write_file("bad", TG_LIT("AAAA"));
    assert_int_equal(run("verify", path_of("bad"), NULL), 1);
    assert_row("form", "failed");
    assert_int_equal(run("show", path_of("bad"), NULL), 2);
    assert_int_equal(run("verify", path_of("absent"), NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--root", path_of("bad"), NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--nonce", "0", NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--tls-spki", "00", NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--max-age", "0", NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--pcr", "32=00", NULL), 2);
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--pcr", "1=00", NULL), 2);
}

static void policy_damaged_files_name_the_member(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {{"{", "damaged JSON"},
                 {"[]", "no object"},
                 {"{\"pcrsets\":[]}", "pcrsets"},
                 {"{\"pcr_sets\":[]}", "1 to 64"},
                 {"{\"pcr_sets\":[{}]}", "at least one register"},
                 {"{\"pcr_sets\":[{\"pcrs\":{}}]}", "at least one register"},
                 {"{\"pcr_sets\":[{\"pcrs\":{\"0\":1}}]}", "is a text"},
                 {"{\"pcr_sets\":[{\"pcrs\":{\"0\":\"aa\"},\"extra\":1}]}", "at least one register"},
                 {"{\"pcr_sets\":[{\"pcrs\":{\"x\":\"aa\"}}]}", "0 to 31"},
                 {"{\"pcr_sets\":[{\"pcrs\":{\"0\":\"aa\"}}]}", "96 hexadecimal"},
                 {"{\"schemas\":1}", "schemas"},
                 {"{\"dek_fingerprints\":[1]}", "dek_fingerprints"},
                 {"{\"max_age_s\":0}", "max_age_s"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        write_file("policy.json", tg_slice_str(cases[i].text));
        assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--policy", path_of("policy.json"), NULL), 2);
        assert_says(err_text, cases[i].part);
    }
    assert_int_equal(run("verify", VECTOR("doc-11.cbor"), "--policy", path_of("absent"), NULL), 2);
}

static void verify_urls_that_cannot_be_asked_are_said(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://",    "https://:1",   "https://h:",    "https://h:x", "https://h:70000",
                                       "https://h:0", "https://[::1", "https://h/a b", "https://h#a"};
    for (size_t i = 0; i < TG_COUNT(urls); i++) {
        assert_int_equal(run("verify", urls[i], NULL), 2);
        assert_says(err_text, "https://");
    }
    assert_int_equal(run("verify", "http://h", NULL), 2);
    assert_says(err_text, "http:// is not taken here");
    assert_int_equal(run("verify", "https://127.0.0.1:1/a?b", NULL), 2);
    assert_says(err_text, "has a query");
    assert_int_equal(run("verify", "https://h", "--timeout", "0", NULL), 2);
    assert_says(err_text, "--timeout");
    assert_int_equal(run("verify", "https://127.0.0.1:1", NULL), 2);
    assert_says(err_text, "no connection can be made");
    assert_int_equal(run("show", "https://h", "--connect-to", "tcp:127.0.0.1:1", NULL), 2);
    assert_says(err_text, "no connection can be made");
}

static void answer_parse_over_maximum_is_limit(void **state)
{
    (void)state;
    static uint8_t bytes[TG_MAX_ATTEST_ANSWER_BYTES + 1];
    tg_attest_answer answer;
    tg_detail detail = {0};
    tg_attest_answer_init(&answer);
    assert_code(tg_attest_answer_parse(tg_slice_of(bytes, sizeof bytes), &answer, &detail), TG_ERR_LIMIT);
    tg_attest_answer_done(&answer);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/teegate-attest-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"good.json", "weak.json", "unvouched.json", "policy.json", "bad"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        unlink(path_of(names[i]));
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_good_answer_passes_every_check),
        cmocka_unit_test(verify_simulator_is_refused_unless_allowed),
        cmocka_unit_test(verify_weak_modes_fail_by_name),
        cmocka_unit_test(verify_what_differs_is_named),
        cmocka_unit_test(verify_policy_lists_that_match_pass),
        cmocka_unit_test(verify_policy_lists_that_differ_fail),
        cmocka_unit_test(verify_policy_lists_without_their_member_fail),
        cmocka_unit_test(verify_policy_lists_without_a_manifest_fail),
        cmocka_unit_test(verify_routes_are_compared_where_the_manifest_has_them),
        cmocka_unit_test(verify_genuine_documents_by_aws_root),
        cmocka_unit_test(verify_inputs_that_are_none_are_said),
        cmocka_unit_test(policy_damaged_files_name_the_member),
        cmocka_unit_test(verify_urls_that_cannot_be_asked_are_said),
        cmocka_unit_test(answer_parse_over_maximum_is_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
