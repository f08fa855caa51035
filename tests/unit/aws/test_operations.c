#include "aws/json.h"
#include "aws/kms.h"
#include "aws/secrets_manager.h"
#include "support/case.h"

#include <string.h>

static void assert_ask(const tg_aws_kms_ask *ask, const char *expected)
{
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(tg_aws_kms_append_ask(&buf, ask));
    tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(expected), __FILE__, __LINE__);
    tg_buf_done(&buf);
}

static void append_ask_writes_what_is_given(void **state)
{
    (void)state;
    const tg_aws_context_pair pairs[] = {{TG_LIT("a"), TG_LIT("\"")}, {TG_LIT("b"), TG_LIT("c")}};
    assert_ask(&(tg_aws_kms_ask){.operation = TG_AWS_GENERATE_RANDOM, .num_bytes = 7}, "{\"NumberOfBytes\":7}");
    assert_ask(&(tg_aws_kms_ask){.context = pairs, .num_context = 2},
               "{\"EncryptionContext\":{\"a\":\"\\\"\",\"b\":\"c\"}}");
    assert_ask(&(tg_aws_kms_ask){.attestation_document = TG_LIT("ab")},
               "{\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"YWI=\"}}");
    assert_ask(&(tg_aws_kms_ask){.key_id = TG_LIT("k"),
                                 .ciphertext = TG_LIT("a"),
                                 .plaintext = TG_LIT("b"),
                                 .num_bytes = 1,
                                 .context = pairs + 1,
                                 .num_context = 1,
                                 .attestation_document = TG_LIT("ab")},
               "{\"KeyId\":\"k\",\"CiphertextBlob\":\"YQ==\",\"Plaintext\":\"Yg==\",\"NumberOfBytes\":1,"
               "\"EncryptionContext\":{\"b\":\"c\"},\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\","
               "\"AttestationDocument\":\"YWI=\"}}");
}

static tg_code read_kms(const char *text, tg_aws_kms_operation operation, bool is_sealed, tg_aws_kms_answer *out,
                        tg_buf *bytes)
{
    json_t *root;
    tg_aws_kms_ask ask = {.operation = operation};
    ask.attestation_document = is_sealed ? TG_LIT("document") : (tg_slice){NULL, 0};
    assert_ok(tg_aws_json_parse(tg_slice_str(text), &root));
    tg_result result = tg_aws_kms_read_answer(root, &ask, bytes, out);
    json_decref(root);
    return result.code;
}

static void read_kms_answers_gives_their_bytes(void **state)
{
    (void)state;
    tg_aws_kms_answer answer;
    tg_buf bytes;
    tg_buf_init_wiped(&bytes, 4096);
    assert_ok(tg_buf_append_str(&bytes, "before"));
    assert_int_equal(read_kms("{\"KeyId\":\"k\",\"CiphertextBlob\":\"YQ==\",\"Plaintext\":\"YmI=\"}",
                              TG_AWS_GENERATE_DATA_KEY, false, &answer, &bytes),
                     TG_OK);
    assert_slice(answer.ciphertext, "a");
    assert_slice(answer.plaintext, "bb");
    assert_int_equal(answer.sealed.len, 0);
    tg_buf_clear(&bytes);
    assert_int_equal(read_kms("{\"KeyId\":\"k\",\"Plaintext\":null,\"CiphertextForRecipient\":\"Y2Nj\"}",
                              TG_AWS_DECRYPT, true, &answer, &bytes),
                     TG_OK);
    assert_slice(answer.sealed, "ccc");
    tg_buf_done(&bytes);
}

static void read_kms_answers_without_what_they_promise_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tg_aws_kms_operation operation;
        bool is_sealed;
    } cases[] = {
        {"{}", TG_AWS_DECRYPT, false},
        {"{\"Plaintext\":\"YQ==\"}", TG_AWS_DECRYPT, false},
        {"{\"KeyId\":\"k\"}", TG_AWS_DECRYPT, false},
        {"{\"KeyId\":\"k\",\"Plaintext\":\"YQ\"}", TG_AWS_DECRYPT, false},
        {"{\"KeyId\":\"k\",\"Plaintext\":7}", TG_AWS_DECRYPT, false},
        {"{\"KeyId\":\"k\",\"Plaintext\":\"YQ==\"}", TG_AWS_DECRYPT, true},
        {"{\"KeyId\":\"k\",\"Plaintext\":\"YQ==\",\"CiphertextForRecipient\":\"YQ==\"}", TG_AWS_DECRYPT, true},
        {"{\"KeyId\":\"k\"}", TG_AWS_ENCRYPT, false},
        {"{\"KeyId\":\"k\",\"CiphertextBlob\":\"YQ==\"}", TG_AWS_GENERATE_DATA_KEY, false},
        {"{}", TG_AWS_GENERATE_RANDOM, false},
    };
    tg_buf bytes;
    tg_buf_init_wiped(&bytes, 4096);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_aws_kms_answer answer = {.request_id = TG_LIT("kept")};
        assert_int_equal(read_kms(cases[i].text, cases[i].operation, cases[i].is_sealed, &answer, &bytes),
                         TG_ERR_SYNTAX);
        assert_slice(answer.request_id, "kept");
    }
    tg_buf_done(&bytes);
}

static tg_code read_secret(const char *text, bool is_read, tg_aws_secret *out, tg_buf *bytes)
{
    json_t *root;
    assert_ok(tg_aws_json_parse(tg_slice_str(text), &root));
    tg_result result = tg_aws_secret_read(root, is_read, bytes, out);
    json_decref(root);
    return result.code;
}

static void read_secrets_gives_text_or_bytes(void **state)
{
    (void)state;
    tg_aws_secret secret;
    tg_buf bytes;
    tg_buf_init_wiped(&bytes, 64);
    assert_int_equal(read_secret("{\"ARN\":\"a\",\"VersionId\":\"v\",\"SecretString\":\"s\"}", true, &secret, &bytes),
                     TG_OK);
    assert_slice(secret.value, "s");
    assert_false(secret.is_binary);
    assert_int_equal(
        read_secret("{\"ARN\":\"a\",\"VersionId\":\"v\",\"SecretBinary\":\"YQ==\"}", true, &secret, &bytes), TG_OK);
    assert_slice(secret.value, "a");
    assert_true(secret.is_binary);
    assert_int_equal(read_secret("{\"ARN\":\"a\",\"VersionId\":\"v\"}", false, &secret, &bytes), TG_OK);
    assert_int_equal(read_secret("{\"ARN\":\"a\",\"VersionId\":\"v\"}", true, &secret, &bytes), TG_ERR_SYNTAX);
    assert_int_equal(read_secret("{\"ARN\":\"a\"}", false, &secret, &bytes), TG_ERR_SYNTAX);
    assert_int_equal(read_secret("{\"ARN\":\"a\",\"VersionId\":\"v\",\"SecretBinary\":\"?\"}", true, &secret, &bytes),
                     TG_ERR_SYNTAX);
    tg_buf_done(&bytes);
}

static void names_of_operations_are_those_of_kms(void **state)
{
    (void)state;
    assert_string_equal(tg_aws_kms_operation_name(TG_AWS_DECRYPT), "Decrypt");
    assert_string_equal(tg_aws_kms_operation_name(TG_AWS_GENERATE_RANDOM), "GenerateRandom");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_ask_writes_what_is_given),
        cmocka_unit_test(read_kms_answers_gives_their_bytes),
        cmocka_unit_test(read_kms_answers_without_what_they_promise_is_refused),
        cmocka_unit_test(read_secrets_gives_text_or_bytes),
        cmocka_unit_test(names_of_operations_are_those_of_kms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
