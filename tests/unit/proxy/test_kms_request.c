#include "proxy/kms_request.h"

#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tg_result find(const char *text, size_t *out_len)
{
    tg_kms_extent extent = {.depth = 0};
    return tg_kms_extent_find(&extent, tg_slice_str(text), out_len);
}

static void extent_of_objects_ends_at_their_last_brace(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", " \r\n\t{}", "{\"a\":\"}\"}", "{\"a\":\"\\\"}\"}", "{\"a\":[{},[\"]\"]]}", "{\"\\\\\":1}"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        char more[128];
        size_t len = 0;
        snprintf(more, sizeof more, "%s{\"next\"", texts[i]);
        assert_ok(find(more, &len));
        assert_int_equal(len, strlen(texts[i]));
        for (size_t at = 0; at < strlen(texts[i]); at++) { /* every split */
            tg_kms_extent extent = {.depth = 0};
            assert_code(tg_kms_extent_find(&extent, tg_slice_of(more, at), &len), TG_ERR_AGAIN);
            assert_int_equal(extent.looked_at, at);
            assert_ok(tg_kms_extent_find(&extent, tg_slice_str(more), &len));
            assert_int_equal(len, strlen(texts[i]));
        }
    }
}

static void extent_of_others_is_refused(void **state)
{
    (void)state;
    size_t len;
    assert_code(find("", &len), TG_ERR_AGAIN);
    assert_code(find(" ", &len), TG_ERR_AGAIN);
    assert_code(find("x", &len), TG_ERR_SYNTAX);
    assert_code(find(" [1]", &len), TG_ERR_SYNTAX);
    assert_code(find("}", &len), TG_ERR_SYNTAX);
    tg_kms_extent extent = {.depth = 0};
    assert_code(tg_kms_extent_find(&extent, TG_LIT("\0{}"), &len), TG_ERR_SYNTAX);
}

static void extent_at_its_bounds_succeeds_and_one_over_is_refused(void **state)
{
    (void)state;
    size_t len;
    uint8_t *text = malloc(TG_KMS_MAX_REQUEST_BYTES + 1);
    assert_non_null(text);
    for (size_t over = 0; over < 2; over++) {
        tg_kms_extent extent = {.depth = 0};
        memset(text, ' ', TG_KMS_MAX_REQUEST_BYTES + 1);
        text[0] = '{';
        text[TG_KMS_MAX_REQUEST_BYTES - 1 + over] = '}';
        assert_code(tg_kms_extent_find(&extent, tg_slice_of(text, TG_KMS_MAX_REQUEST_BYTES + over), &len),
                    over > 0 ? TG_ERR_LIMIT : TG_OK);
        extent = (tg_kms_extent){.depth = 0};
        memset(text, '{', TG_KMS_MAX_REQUEST_DEPTH + 1);
        memset(text + TG_KMS_MAX_REQUEST_DEPTH + over, '}', TG_KMS_MAX_REQUEST_DEPTH + over);
        assert_code(tg_kms_extent_find(&extent, tg_slice_of(text, 2 * (TG_KMS_MAX_REQUEST_DEPTH + over)), &len),
                    over > 0 ? TG_ERR_LIMIT : TG_OK);
    }
    free(text);
}

static tg_result parse(const char *text, tg_kms_request *request, tg_detail *detail)
{
    tg_detail_clear(detail);
    return tg_kms_request_parse(tg_slice_str(text), request, detail);
}

static void assert_input(const char *text, const char *expected)
{
    tg_kms_request request;
    tg_detail detail;
    tg_buf buf;
    tg_buf_init(&buf, 4096);
    assert_ok(parse(text, &request, &detail));
    assert_ok(tg_kms_append_json(&buf, request.input));
    tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(expected), __FILE__, __LINE__);
    tg_kms_request_done(&request);
    tg_buf_done(&buf);
}

static void parse_names_members_as_aws_does(void **state)
{
    (void)state;
    assert_input("{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"YQ==\",\"KeyId\":\"k\"}}",
                 "{\"CiphertextBlob\":\"YQ==\",\"KeyId\":\"k\"}");
    assert_input("{\"INPUT\":{\"ciphertext_blob\":\"YQ==\",\"key_id\":null,\"grant_tokens\":[\"g\"]},"
                 "\"Operation\":\"decrypt\"}",
                 "{\"CiphertextBlob\":\"YQ==\",\"GrantTokens\":[\"g\"]}");
    assert_input("{\"operation\":\"generate_data_key\",\"input\":{\"numberOfBytes\":32,\"encryptionContext\":{\"a_B\":"
                 "\"c\"},\"dry_run\":false}}",
                 "{\"NumberOfBytes\":32,\"EncryptionContext\":{\"a_B\":\"c\"},\"DryRun\":false}");
    assert_input(
        "{\"operation\":\"GENERATERANDOM\",\"input\":{\"recipient\":{\"attestation_document\":\"YWI=\","
        "\"key_encryption_algorithm\":\"RSAES_OAEP_SHA_256\"}}}",
        "{\"Recipient\":{\"AttestationDocument\":\"YWI=\",\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}}");
    assert_input("{\"operation\":\"Encrypt\",\"input\":{}}", "{}");
}

static void parse_tells_operation_key_and_seal(void **state)
{
    (void)state;
    tg_kms_request request;
    tg_detail detail;
    assert_ok(parse("{\"operation\":\"Encrypt\",\"input\":{\"KeyId\":\"k\"}}", &request, &detail));
    assert_int_equal(request.operation, TG_KMS_ENCRYPT);
    assert_string_equal(request.key, "k");
    assert_true(request.has_key && !request.is_sealed);
    assert_ok(tg_kms_request_set_key(&request, TG_LIT("other")));
    assert_string_equal(request.key, "other");
    tg_kms_request_done(&request);
    assert_ok(parse("{\"operation\":\"GenerateRandom\",\"input\":{\"NumberOfBytes\":1,\"Recipient\":{"
                    "\"AttestationDocument\":\"YWI=\",\"KeyEncryptionAlgorithm\":\"x\"}}}",
                    &request, &detail));
    assert_true(!request.has_key && request.is_sealed && request.key == NULL);
    assert_string_equal(tg_kms_operation_name(request.operation), "GenerateRandom");
    tg_kms_request_done(&request);
    assert_ok(parse("{\"operation\":\"GenerateDataKeyWithoutPlaintext\",\"input\":{\"KeySpec\":\"AES_256\"}}", &request,
                    &detail));
    assert_int_equal(request.operation, TG_KMS_GENERATE_DATA_KEY_SEALED);
    assert_true(request.has_key && request.is_sealed);
    tg_kms_request_done(&request);
}

static void parse_other_requests_is_refused_with_a_code(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"", "bad_request"},
        {"[]", "bad_request"},
        {"{}", "bad_request"},
        {"{\"operation\":\"Decrypt\"}", "bad_request"},
        {"{\"operation\":1,\"input\":{}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":1}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{},\"more\":1}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"OPERATION\":\"Decrypt\",\"input\":{}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"operation\":\"Decrypt\",\"input\":{}}", "bad_request"},
        {"{\"operation\":\"Decry\",\"input\":{}}", "unknown_operation"},
        {"{\"operation\":\"Decrypts\",\"input\":{}}", "unknown_operation"},
        {"{\"operation\":\"\",\"input\":{}}", "unknown_operation"},
        {"{\"operation\":\"GenerateRandom\",\"input\":{\"KeyId\":\"k\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"a\",\"keyid\":\"b\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"YQ\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"YR==\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"GrantTokens\":[1]}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"GrantTokens\":{}}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"EncryptionContext\":{\"a\":1}}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"DryRun\":\"true\"}}", "bad_request"},
        {"{\"operation\":\"GenerateDataKeyWithoutPlaintext\",\"input\":{\"Recipient\":{"
         "\"AttestationDocument\":\"YWI=\",\"KeyEncryptionAlgorithm\":\"x\"}}}",
         "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"Recipient\":{}}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"Recipient\":\"x\"}}", "bad_request"},
        {"{\"operation\":\"GenerateRandom\",\"input\":{\"NumberOfBytes\":0}}", "bad_request"},
        {"{\"operation\":\"GenerateRandom\",\"input\":{\"NumberOfBytes\":1.5}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"\\u0000\"}}", "bad_request"},
        {"{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"\xff\"}}", "bad_request"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_kms_request request = {.key = "untouched"};
        tg_detail detail;
        assert_false(tg_is_ok(parse(cases[i].text, &request, &detail)));
        assert_string_equal(detail.field, cases[i].code);
        assert_true(strlen(detail.reason) > 10);
        assert_string_equal(request.key, "untouched");
    }
}

static void parse_of_long_base64_is_read_to_its_end(void **state)
{
    (void)state;
    char text[1200];
    for (size_t len = 252; len <= 520; len += 4) {
        tg_kms_request request;
        tg_detail detail;
        char blob[521];
        memset(blob, 'A', len);
        blob[len] = 0;
        snprintf(text, sizeof text, "{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"%s\"}}", blob);
        assert_ok(parse(text, &request, &detail));
        tg_kms_request_done(&request);
        blob[len - 1] = '!';
        snprintf(text, sizeof text, "{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"%s\"}}", blob);
        assert_code(parse(text, &request, &detail), TG_ERR_SYNTAX);
        memset(blob, 'A', len);
        blob[251] = '=';
        snprintf(text, sizeof text, "{\"operation\":\"Decrypt\",\"input\":{\"CiphertextBlob\":\"%sAAAA\"}}", blob);
        assert_code(parse(text, &request, &detail), TG_ERR_SYNTAX);
    }
}

static void shows_plaintext_of_none_and_empty_is_false(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool shows;
    } cases[] = {
        {"{\"CiphertextForRecipient\":\"YQ==\"}", false},
        {"{\"Plaintext\":null}", false},
        {"{\"Plaintext\":\"\"}", false},
        {"{\"Plaintext\":\"YQ==\"}", true},
        {"{\"Plaintext\":7}", true},
        {"{\"Plaintext\":[]}", true},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        json_t *output = json_loads(cases[i].json, 0, NULL);
        assert_non_null(output);
        assert_int_equal(tg_kms_shows_plaintext(output), cases[i].shows);
        json_decref(output);
    }
}

static void answer_is_spelt_as_the_request_is(void **state)
{
    (void)state;
    static const struct {
        const char *input, *answer;
    } cases[] = {
        {"{}", "{\"output\":{\"KeyId\":\"k\",\"Plaintext\":\"YQ==\"}}\n"},
        {"{\"KeyId\":\"k\"}", "{\"output\":{\"KeyId\":\"k\",\"Plaintext\":\"YQ==\"}}\n"},
        {"{\"key_id\":\"k\"}", "{\"output\":{\"key_id\":\"k\",\"plaintext\":\"YQ==\"}}\n"},
        {"{\"keyId\":\"k\"}", "{\"output\":{\"keyId\":\"k\",\"plaintext\":\"YQ==\"}}\n"},
        {"{\"plaintext\":\"YQ==\"}", "{\"output\":{\"key_id\":\"k\",\"plaintext\":\"YQ==\"}}\n"},
        {"{\"plaintext\":\"YQ==\",\"keyId\":\"k\"}", "{\"output\":{\"keyId\":\"k\",\"plaintext\":\"YQ==\"}}\n"},
    };
    json_t *output = json_pack("{s:s,s:s,s:s}", "KeyId", "k", "Plaintext", "YQ==", "not a name", "x");
    tg_buf buf, small;
    tg_buf_init(&buf, 4096);
    tg_buf_init(&small, 20);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char text[128];
        tg_kms_request request;
        tg_detail detail;
        snprintf(text, sizeof text, "{\"operation\":\"Encrypt\",\"input\":%s}", cases[i].input);
        assert_ok(parse(text, &request, &detail));
        tg_buf_clear(&buf);
        assert_ok(tg_kms_append_answer(&buf, output, request.spelling));
        tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(cases[i].answer), __FILE__, __LINE__);
        tg_kms_request_done(&request);
    }
    assert_code(tg_kms_append_answer(&small, output, TG_KMS_PASCAL), TG_ERR_LIMIT);
    json_decref(output);
    tg_buf_clear(&buf);
    assert_ok(tg_kms_append_error(&buf, TG_LIT("code"), TG_LIT("a \"text\"")));
    assert_slice(tg_buf_slice(&buf), "{\"error\":\"a \\\"text\\\"\",\"code\":\"code\"}\n");
    tg_buf_done(&buf);
    tg_buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extent_of_objects_ends_at_their_last_brace),
        cmocka_unit_test(extent_of_others_is_refused),
        cmocka_unit_test(extent_at_its_bounds_succeeds_and_one_over_is_refused),
        cmocka_unit_test(parse_names_members_as_aws_does),
        cmocka_unit_test(parse_tells_operation_key_and_seal),
        cmocka_unit_test(parse_other_requests_is_refused_with_a_code),
        cmocka_unit_test(parse_of_long_base64_is_read_to_its_end),
        cmocka_unit_test(shows_plaintext_of_none_and_empty_is_false),
        cmocka_unit_test(answer_is_spelt_as_the_request_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
