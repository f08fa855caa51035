#include "keys/kms_source.h"

#include "attest/nitro_document.h"
#include "attest/recipient.h"
#include "attest/simulator_dev.h"
#include "attest/simulator_root_dev.h"
#include "base/encode.h"
#include "crypto/init.h"
#include "support/case.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET "arn:aws:secretsmanager:eu-west-1:111122223333:secret:tee-AbCdEf"
#define KEY    "arn:aws:kms:eu-west-1:111122223333:key/k"

/* AWS in memory: it answers one call at a time, in the loop's next turn. */
static struct {
    tg_loop *loop;
    tg_attest_device *device;
    tg_key_guards guards;
    tg_kms_source *source;
    tg_key_remote remote;
    tg_tick tick;
    tg_key_answer_fn *done;
    void *owner;
    tg_key_operation asked;
    json_t *body;
    /* What is served. */
    const char *secret_string; /* JSON text of the members beside ARN and VersionId */
    const char *key_arn;
    const char *refused_code; /* of every call, NULL: none */
    const char *refused_decrypt;
    size_t plaintext_len;
    bool is_in_clear, is_null_in_clear, is_garbled, is_too_long, is_publish_failing;
    unsigned num_secrets, num_decrypts, num_cancels;
    /* What was told. */
    tg_key_ring *published;
    unsigned num_published, num_changed, num_unchanged, num_failed;
    char stage[32], reason[256], code[64], version[64];
    uint64_t next_ms;
    bool is_held;
} at;

static X509 *certificate_of(tg_slice public_der)
{
    const unsigned char *from = public_der.ptr;
    EVP_PKEY *public_key = d2i_PUBKEY(NULL, &from, (long)public_der.len);
    static EVP_PKEY *signer;
    signer = signer != NULL ? signer : EVP_EC_gen("P-256");
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    assert_non_null(public_key);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(made, name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made), 3600));
    assert_int_equal(X509_set_pubkey(made, public_key), 1);
    assert_true(X509_sign(made, signer, EVP_sha256()) > 0);
    EVP_PKEY_free(public_key);
    return made;
}

/* As KMS: to the key in the document. The caller ends the text. */
static char *seal_to(tg_slice public_der, tg_slice plaintext)
{
    X509 *certificate = certificate_of(public_der);
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_STREAM;
    BIO *in = BIO_new_mem_buf(plaintext.ptr, (int)plaintext.len), *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), flags);
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, certificate, CMS_KEY_PARAM);
    EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(info);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0);
    assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int)flags), 1);
    char *bytes = NULL;
    long len = BIO_get_mem_data(out, &bytes);
    char *text = calloc(1, tg_base64_encoded_len(TG_BASE64_PADDED, (size_t)len) + 1);
    assert_non_null(text);
    tg_base64_encode(TG_BASE64_PADDED, tg_slice_of(bytes, (size_t)len), (uint8_t *)text);
    CMS_ContentInfo_free(cms);
    X509_free(certificate);
    BIO_free(in);
    BIO_free(out);
    return text;
}

/* The plaintext of a ciphertext is its first byte, over and over. */
static json_t *decrypt(void)
{
    uint8_t bytes[16384], plaintext[64];
    size_t len = 0;
    tg_nitro_document document;
    tg_detail detail = {0};
    const json_t *recipient = json_object_get(at.body, "Recipient");
    assert_string_equal(json_string_value(json_object_get(recipient, "KeyEncryptionAlgorithm")), "RSAES_OAEP_SHA_256");
    assert_string_equal(json_string_value(json_object_get(json_object_get(at.body, "EncryptionContext"), "app")),
                        "tee");
    assert_string_equal(json_string_value(json_object_get(at.body, "KeyId")), KEY);
    assert_ok(tg_base64_decode(
        TG_BASE64_PADDED, tg_slice_str(json_string_value(json_object_get(at.body, "CiphertextBlob"))), bytes, &len));
    memset(plaintext, bytes[0], sizeof plaintext);
    assert_ok(tg_base64_decode(TG_BASE64_PADDED,
                               tg_slice_str(json_string_value(json_object_get(recipient, "AttestationDocument"))),
                               bytes, &len));
    assert_ok(tg_nitro_document_parse(tg_slice_of(bytes, len), &document, &detail));
    assert_ok(tg_nitro_document_verify(&document, tg_simulator_root_dev(), &detail));
    char *sealed = seal_to(document.public_key, tg_slice_of(plaintext, at.plaintext_len));
    if (at.is_too_long) {
        free(sealed);
        sealed = malloc(2 * TG_MAX_ENVELOPED_BYTES + 1);
        assert_non_null(sealed);
        memset(sealed, 'A', 2 * TG_MAX_ENVELOPED_BYTES);
        sealed[2 * TG_MAX_ENVELOPED_BYTES] = 0;
    }
    json_t *answer =
        json_pack("{s:s, s:s}", "KeyId", at.key_arn, "CiphertextForRecipient", at.is_garbled ? "AAAA" : sealed);
    if (at.is_in_clear) {
        json_object_set_new(answer, "Plaintext", json_string("AAAA"));
    }
    if (at.is_null_in_clear) {
        json_object_set_new(answer, "Plaintext", json_null());
    }
    free(sealed);
    return answer;
}

static json_t *give_secret(void)
{
    assert_string_equal(json_string_value(json_object_get(at.body, "SecretId")), SECRET);
    json_t *answer = json_loads(at.secret_string, 0, NULL);
    assert_non_null(answer);
    if (json_object_get(answer, "ARN") == NULL) {
        json_object_set_new(answer, "ARN", json_string(SECRET));
    }
    json_object_set_new(answer, "VersionId", json_string("version-1"));
    return answer;
}

static void answer_now(tg_tick *tick)
{
    (void)tick;
    tg_key_answer answer = {.status = 200, .code = "", .message = "", .request_id = "request"};
    bool is_decrypt = at.asked == TG_KEY_DECRYPT;
    json_t *json = NULL;
    const char *refused = at.refused_code != NULL ? at.refused_code : is_decrypt ? at.refused_decrypt : NULL;
    if (refused != NULL) {
        answer.status = 400;
        answer.code = refused;
        answer.message = "not for you";
    } else {
        json = is_decrypt ? decrypt() : give_secret();
        answer.json = json;
    }
    at.num_decrypts += is_decrypt;
    at.num_secrets += !is_decrypt;
    tg_key_answer_fn *done = TG_TAKE(at.done);
    done(&answer, at.owner);
    json_decref(json);
}

static tg_result ask(tg_key_remote *remote, tg_key_operation operation, tg_slice body, tg_key_answer_fn *done,
                     void *owner)
{
    (void)remote;
    assert_null(at.done);
    json_decref(at.body);
    at.body = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(at.body);
    at.asked = operation;
    at.done = done;
    at.owner = owner;
    at.tick.run = answer_now;
    tg_loop_tick(at.loop, &at.tick);
    return tg_ok();
}

static void cancel(tg_key_remote *remote)
{
    (void)remote;
    tg_tick_cancel(&at.tick);
    at.done = NULL;
    at.num_cancels++;
}

static tg_result publish(tg_key_ring *ring, void *owner)
{
    assert_ptr_equal(owner, &at);
    if (at.is_publish_failing) {
        tg_key_ring_unref(ring);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_key_ring_unref(at.published);
    at.published = ring;
    at.num_published++;
    return tg_ok();
}

static void told(const tg_key_event *event, void *owner)
{
    assert_ptr_equal(owner, &at);
    at.num_changed += event->kind == TG_KEYS_CHANGED;
    at.num_unchanged += event->kind == TG_KEYS_UNCHANGED;
    at.num_failed += event->kind == TG_KEYS_FAILED;
    snprintf(at.stage, sizeof at.stage, "%s", event->stage != NULL ? event->stage : "");
    snprintf(at.reason, sizeof at.reason, "%s", event->detail.reason);
    snprintf(at.code, sizeof at.code, "%s", event->code);
    snprintf(at.version, sizeof at.version, "%s", event->version);
    at.next_ms = event->next_ms;
    at.is_held = event->change.is_held;
}

#define ONE(base64) "{\"SecretString\":\"" base64 "\"}"
#define RING(keys)  "{\"SecretString\":\"{\\\"keys\\\":[" keys "]}\"}"
#define ENTRY(id, base64, state)                                                                                       \
    "{\\\"id\\\":\\\"" id "\\\",\\\"ciphertext\\\":\\\"" base64 "\\\",\\\"state\\\":\\\"" state "\\\"}"

static void open_with(uint64_t interval_ms)
{
    static const tg_aws_context_pair context[] = {{{(const uint8_t *)"app", 3}, {(const uint8_t *)"tee", 3}}};
    const tg_simulator_options options = {0};
    memset(&at, 0, sizeof at);
    at.remote = (tg_key_remote){.ask = ask, .cancel = cancel};
    at.key_arn = KEY;
    at.plaintext_len = TG_DEK_BYTES;
    at.secret_string = ONE("AQ==");
    assert_ok(tg_loop_new(&at.loop));
    assert_ok(tg_simulator_open_dev(&options, &at.device));
    assert_ok(tg_key_guards_init(&at.guards, TG_LIT(SECRET), TG_LIT(KEY), NULL));
    const tg_kms_source_settings settings = {.guards = &at.guards,
                                             .context = context,
                                             .num_context = 1,
                                             .interval_ms = interval_ms,
                                             .device = at.device,
                                             .remote = &at.remote,
                                             .publish = publish,
                                             .told = told,
                                             .owner = &at};
    assert_ok(tg_kms_source_new(at.loop, &settings, &at.source));
}

static int open_case(void **state)
{
    (void)state;
    open_with(3600000);
    return 0;
}

static int open_hasty_case(void **state)
{
    (void)state;
    open_with(200);
    return 0;
}

static int close_case(void **state)
{
    (void)state;
    tg_kms_source_free(at.source);
    tg_loop_free(at.loop);
    tg_attest_device_close(at.device);
    tg_key_ring_unref(at.published);
    json_decref(at.body);
    return 0;
}

static unsigned num_told(void)
{
    return at.num_changed + at.num_unchanged + at.num_failed;
}

/* Until one more reading has been told of. */
static void wait_told(void)
{
    unsigned before = num_told();
    while (num_told() == before) {
        tg_loop_turn(at.loop);
    }
}

static void read_again(void)
{
    tg_kms_source_now(at.source);
    wait_told();
}

static uint8_t key_at(size_t index)
{
    return tg_secret_bytes(tg_key_ring_at(at.published, index)->key)[TG_DEK_BYTES - 1];
}

static void source_first_reading_publishes_the_key(void **state)
{
    (void)state;
    wait_told();
    assert_int_equal(at.num_changed, 1);
    assert_int_equal(tg_key_ring_len(at.published), 1);
    assert_int_equal(key_at(0), 1);
    assert_string_equal(at.version, "version-1");
    assert_int_equal(at.next_ms, 3600000);
    read_again();
    assert_int_equal(at.num_unchanged, 1);
    assert_int_equal(at.num_decrypts, 1); /* the same secret is not decrypted again */
    assert_int_equal(at.num_published, 1);
}

static void source_rotation_keeps_the_old_key_readable(void **state)
{
    (void)state;
    wait_told();
    at.secret_string = ONE("Ag==");
    read_again();
    assert_int_equal(at.num_changed, 2);
    assert_int_equal(tg_key_ring_len(at.published), 2);
    assert_int_equal(key_at(0), 2);
    assert_int_equal(key_at(1), 1);
}

static void source_new_current_of_a_ring_waits(void **state)
{
    (void)state;
    at.secret_string = RING(ENTRY("a", "AQ==", "current"));
    wait_told();
    at.secret_string = RING(ENTRY("b", "Ag==", "current") "," ENTRY("a", "AQ==", "retired"));
    read_again();
    assert_true(at.is_held);
    assert_int_equal(key_at(0), 1);
    assert_int_equal(tg_key_ring_at(at.published, 1)->state, TG_KEY_PENDING);
    assert_true(at.next_ms <= 3600001);
    read_again();
    assert_int_equal(at.num_unchanged, 1);
    assert_true(at.is_held);
}

/* The secret is as it was when the key was held back: it is decrypted again all the same. */
static void source_held_key_seals_when_it_is_due(void **state)
{
    (void)state;
    at.secret_string = RING(ENTRY("a", "AQ==", "current"));
    wait_told();
    at.secret_string = RING(ENTRY("b", "Ag==", "current") "," ENTRY("a", "AQ==", "retired"));
    for (unsigned i = 0; i < 50 && key_at(0) != 2; i++) {
        wait_told();
    }
    assert_int_equal(key_at(0), 2);
    assert_int_equal(key_at(1), 1);
    assert_false(at.is_held);
    assert_int_equal(at.num_published, 3);
}

static void source_failures_keep_the_key_and_say_why(void **state)
{
    (void)state;
    wait_told();
    at.secret_string = ONE("Ag==");
    static const struct {
        const char *refused, *refused_decrypt, *secret, *key_arn, *stage, *reason;
        size_t plaintext_len;
        bool is_in_clear, is_too_long, is_garbled;
    } cases[] = {
        {.refused = "ThrottlingException", .stage = "secret", .reason = "not for you"},
        {.refused_decrypt = "AccessDeniedException", .stage = "decrypt", .reason = "not for you"},
        {.secret = "{\"SecretString\":\"*\"}", .stage = "form", .reason = "base64"},
        {.secret = "{}", .stage = "form", .reason = "neither or both"},
        {.secret = "{\"SecretBinary\":\"*\"}", .stage = "form", .reason = "SecretBinary"},
        {.secret = "{\"ARN\":\"arn:other\",\"SecretString\":\"Ag==\"}", .stage = "form", .reason = "another secret"},
        {.key_arn = "arn:aws:kms:eu-west-1:999999999999:key/k", .stage = "guard", .reason = "another key"},
        {.plaintext_len = 31, .stage = "recipient", .reason = "shorter"},
        {.plaintext_len = 33, .stage = "recipient", .reason = "longer"},
        {.is_in_clear = true, .stage = "recipient", .reason = "in clear"},
        {.secret = "{\"SecretString\":\"Ag==\",\"SecretBinary\":\"Ag==\"}",
         .stage = "form",
         .reason = "neither or both"},
        {.is_too_long = true, .stage = "recipient", .reason = "too long"},
        {.is_garbled = true, .stage = "recipient", .reason = "no CMS"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        at.refused_code = cases[i].refused;
        at.refused_decrypt = cases[i].refused_decrypt;
        at.secret_string = cases[i].secret != NULL ? cases[i].secret : ONE("Ag==");
        at.key_arn = cases[i].key_arn != NULL ? cases[i].key_arn : KEY;
        at.plaintext_len = cases[i].plaintext_len > 0 ? cases[i].plaintext_len : TG_DEK_BYTES;
        at.is_in_clear = cases[i].is_in_clear;
        at.is_too_long = cases[i].is_too_long;
        at.is_garbled = cases[i].is_garbled;
        read_again();
        assert_int_equal(at.num_failed, i + 1);
        assert_string_equal(at.stage, cases[i].stage);
        if (strstr(at.reason, cases[i].reason) == NULL) {
            fail_msg("\"%s\" does not stand in \"%s\"", cases[i].reason, at.reason);
        }
        assert_true(at.next_ms <= TG_MAX_RETRY_MS);
        assert_int_equal(at.num_published, 1);
        assert_int_equal(key_at(0), 1);
    }
    at.is_garbled = false;
    at.is_null_in_clear = true; /* as KMS answers for a Recipient */
    read_again();
    at.is_null_in_clear = false;
    assert_int_equal(at.num_changed, 2);
    assert_int_equal(key_at(0), 2);
}

static void source_refusal_carries_awss_code(void **state)
{
    (void)state;
    at.refused_code = "AccessDeniedException";
    wait_told();
    assert_string_equal(at.code, "AccessDeniedException");
    assert_int_equal(at.num_published, 0);
    assert_null(at.published);
    assert_true(at.next_ms <= TG_FIRST_RETRY_MS);
    at.refused_code = NULL;
    wait_told(); /* by itself, after the pause */
    assert_int_equal(at.num_published, 1);
}

static void source_unpinned_key_is_refused(void **state)
{
    (void)state;
    assert_ok(tg_key_guards_pin(&at.guards, TG_LIT("00112233445566778899aabbccddeeff"), NULL));
    wait_told();
    assert_string_equal(at.stage, "guard");
    assert_non_null(strstr(at.reason, "not pinned"));
    assert_null(at.published);
}

static void source_publish_failure_is_tried_again(void **state)
{
    (void)state;
    at.is_publish_failing = true;
    wait_told();
    assert_string_equal(at.stage, "publish");
    at.is_publish_failing = false;
    read_again();
    assert_int_equal(at.num_published, 1);
}

static void source_asked_by_tokens_reads_at_a_bounded_rate(void **state)
{
    (void)state;
    wait_told();
    tg_kms_source_ask(at.source);
    wait_told();
    assert_int_equal(at.num_secrets, 2);
    for (int i = 0; i < 20; i++) {
        tg_kms_source_ask(at.source);
        tg_loop_turn(at.loop);
    }
    assert_int_equal(at.num_secrets, 2);
}

/* Tokens that anybody can make up must not undo the back-off. */
static void source_asked_by_tokens_while_readings_fail_waits(void **state)
{
    (void)state;
    at.refused_code = "ThrottlingException";
    wait_told();
    assert_int_equal(at.num_failed, 1);
    uint64_t due_ms = tg_loop_now_ms(at.loop) + at.next_ms; /* then it is read again by itself */
    for (int i = 0; i < 20 && tg_loop_now_ms(at.loop) < due_ms; i++) {
        assert_int_equal(at.num_failed, 1);
        tg_kms_source_ask(at.source);
        tg_loop_turn(at.loop);
        tg_loop_turn(at.loop);
    }
}

static void source_freed_while_reading_gives_up(void **state)
{
    (void)state;
    while (at.done == NULL) {
        tg_loop_turn(at.loop);
    }
    tg_kms_source_free(TG_TAKE(at.source));
    tg_loop_turn(at.loop);
    assert_int_equal(at.num_cancels, 1);
    assert_int_equal(num_told(), 0);
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(source_first_reading_publishes_the_key, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_rotation_keeps_the_old_key_readable, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_new_current_of_a_ring_waits, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_held_key_seals_when_it_is_due, open_hasty_case, close_case),
        cmocka_unit_test_setup_teardown(source_failures_keep_the_key_and_say_why, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_refusal_carries_awss_code, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_unpinned_key_is_refused, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_publish_failure_is_tried_again, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_asked_by_tokens_reads_at_a_bounded_rate, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_asked_by_tokens_while_readings_fail_waits, open_case, close_case),
        cmocka_unit_test_setup_teardown(source_freed_while_reading_gives_up, open_case, close_case),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
