#include "tls/authorities.h"

#include "unit/tls/issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static test_certificate one;
static test_certificate two;
static test_certificate old;
static tg_buf pem;
static tg_detail detail;
static tg_tls_authorities *authorities;

static int set_up_all(void **state)
{
    (void)state;
    one = test_issue_authority("one");
    two = test_issue_authority("two");
    old = test_issue(
        &(test_request){.subject = "old", .constraints = "critical,CA:TRUE", .from_s = -7200, .to_s = -3600});
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    test_certificate_done(&one);
    test_certificate_done(&two);
    test_certificate_done(&old);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    detail = (tg_detail){0};
    authorities = NULL;
    tg_buf_init(&pem, (size_t)4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_tls_authorities_unref(authorities);
    tg_buf_done(&pem);
    return 0;
}

static tg_result parse(void)
{
    return tg_tls_authorities_parse(tg_buf_slice(&pem), test_now(), &authorities, &detail);
}

static void parse_several_are_counted_and_hashed(void **state)
{
    (void)state;
    test_append_certificate(&one, &pem);
    test_append_certificate(&two, &pem);
    assert_ok(parse());
    assert_int_equal(tg_tls_authorities_num(authorities), 2);
    uint8_t *der = NULL;
    int len = i2d_X509(one.certificate, &der);
    uint8_t *end = NULL;
    int end_len = i2d_X509(two.certificate, &end);
    tg_buf both;
    uint8_t hash[32];
    tg_buf_init(&both, 65536);
    assert_ok(tg_buf_append(&both, tg_slice_of(der, (size_t)len)));
    assert_ok(tg_buf_append(&both, tg_slice_of(end, (size_t)end_len)));
    EVP_Digest(tg_buf_slice(&both).ptr, tg_buf_len(&both), hash, NULL, EVP_sha256(), NULL);
    assert_true(tg_slice_equal(tg_tls_authorities_sha256(authorities), tg_slice_of(hash, sizeof hash)));
    OPENSSL_free(der);
    OPENSSL_free(end);
    tg_buf_done(&both);
}

static void parse_nothing_is_refused(void **state)
{
    (void)state;
    assert_code(parse(), TG_ERR_SYNTAX);
    assert_string_equal(detail.reason, "certificate authorities: no certificate");
    assert_true(strstr(detail.remedy, "BEGIN CERTIFICATE") != NULL);
    assert_ok(tg_buf_append_str(&pem, "no PEM at all\n\0and a NUL"));
    assert_code(parse(), TG_ERR_SYNTAX);
    assert_null(authorities);
}

static void parse_all_expired_is_refused_and_one_valid_is_enough(void **state)
{
    (void)state;
    test_append_certificate(&old, &pem);
    assert_code(parse(), TG_ERR_RANGE);
    assert_string_equal(detail.reason, "certificate authorities: none is valid at this time");
    assert_true(strncmp(detail.remedy, "renew them; the clock says 2", 28) == 0);
    test_append_certificate(&one, &pem);
    assert_ok(parse());
    assert_int_equal(tg_tls_authorities_num(authorities), 2);
}

static void parse_damaged_one_is_refused_by_number(void **state)
{
    (void)state;
    test_append_certificate(&one, &pem);
    assert_ok(tg_buf_append_str(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"));
    assert_code(parse(), TG_ERR_SYNTAX);
    assert_string_equal(detail.remedy, "certificate 2 of the file is damaged or no PEM: make the file anew");
}

static void parse_as_many_as_allowed_are_taken_and_one_more_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TG_MAX_AUTHORITIES; i++) {
        test_append_certificate(i % 2 == 0 ? &one : &two, &pem);
    }
    assert_ok(parse());
    tg_tls_authorities_unref(TG_TAKE(authorities));
    test_append_certificate(&one, &pem);
    assert_code(parse(), TG_ERR_LIMIT);
    assert_string_equal(detail.reason, "certificate authorities: more than 512 certificates");
}

static void parse_longest_text_is_taken_and_a_byte_more_refused(void **state)
{
    (void)state;
    test_append_certificate(&one, &pem);
    while (tg_buf_len(&pem) < TG_MAX_AUTHORITIES_PEM_BYTES) {
        assert_ok(tg_buf_append_byte(&pem, '\n'));
    }
    assert_ok(parse());
    tg_tls_authorities_unref(TG_TAKE(authorities));
    assert_ok(tg_buf_append_byte(&pem, '\n'));
    assert_code(parse(), TG_ERR_LIMIT);
}

static void load_file_is_named_when_it_fails(void **state)
{
    (void)state;
    char path[] = "/tmp/teegate-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_code(tg_tls_authorities_load("/does/not/exist", test_now(), &authorities, &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, "/does/not/exist");
    assert_string_equal(detail.reason, "cannot be read: system: No such file or directory");
    assert_code(tg_tls_authorities_load(path, test_now(), &authorities, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.file, path);
    test_append_certificate(&one, &pem);
    assert_int_equal(write(fd, tg_buf_slice(&pem).ptr, tg_buf_len(&pem)), tg_buf_len(&pem));
    assert_ok(tg_tls_authorities_load(path, test_now(), &authorities, &detail));
    assert_int_equal(ftruncate(fd, TG_MAX_AUTHORITIES_PEM_BYTES + 1), 0);
    tg_tls_authorities *none = NULL;
    assert_code(tg_tls_authorities_load(path, test_now(), &none, &detail), TG_ERR_LIMIT);
    close(fd);
    unlink(path);
}

static void ref_keeps_the_set_until_the_last_unref(void **state)
{
    (void)state;
    test_append_certificate(&one, &pem);
    assert_ok(parse());
    tg_tls_authorities *second = tg_tls_authorities_ref(authorities);
    tg_tls_authorities_unref(second);
    assert_int_equal(tg_tls_authorities_num(authorities), 1);
    tg_tls_authorities_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parse_several_are_counted_and_hashed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_nothing_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_all_expired_is_refused_and_one_valid_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_damaged_one_is_refused_by_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_as_many_as_allowed_are_taken_and_one_more_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_longest_text_is_taken_and_a_byte_more_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_file_is_named_when_it_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ref_keeps_the_set_until_the_last_unref, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
