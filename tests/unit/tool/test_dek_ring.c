#include "tool/dek_ring.h"

#include "crypto/init.h"
#include "support/case.h"

#include <stdlib.h>
#include <string.h>

static json_t *ring_of(const char *answer)
{
    json_t *tree = json_loads(answer, 0, NULL), *ring = NULL;
    assert_non_null(tree);
    assert_ok(tg_dek_ring_read(tree, &ring, NULL));
    json_decref(tree);
    return ring;
}

static void assert_ring(const json_t *ring, const char *expected)
{
    char *text = json_dumps(ring, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

#define KEY(id, base64, state) "{\"id\":\"" id "\",\"ciphertext\":\"" base64 "\",\"state\":\"" state "\"}"

static void ring_read_each_form_gives_one_ring(void **state)
{
    (void)state;
    static const char *const answers[] = {"{\"SecretString\":\"AQIDBA==\"}", "{\"SecretBinary\":\"AQIDBA==\"}"};
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        json_t *ring = ring_of(answers[i]);
        assert_ring(ring, "{\"keys\":[" KEY("kms-9f64a747", "AQIDBA==", "current") "]}");
        json_decref(ring);
    }
    json_t *ring = ring_of("{\"SecretString\":\"{\\\"keys\\\":[{\\\"id\\\":\\\"a\\\",\\\"ciphertext\\\":\\\"AQ==\\\","
                           "\\\"state\\\":\\\"current\\\"}]}\"}");
    assert_ring(ring, "{\"keys\":[" KEY("a", "AQ==", "current") "]}");
    json_decref(ring);
}

static void ring_read_without_value_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {"{}", "{\"SecretBinary\":\"*\"}", "{\"SecretString\":\"*\"}"};
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        json_t *tree = json_loads(answers[i], 0, NULL), *ring = NULL;
        tg_detail detail = {0};
        assert_code(tg_dek_ring_read(tree, &ring, &detail), TG_ERR_SYNTAX);
        assert_null(ring);
        assert_true(detail.reason[0] != 0);
        json_decref(tree);
    }
}

static void ring_changes_go_by_states(void **state)
{
    (void)state;
    tg_detail detail = {0};
    json_t *ring = ring_of("{\"SecretString\":\"AQIDBA==\"}");
    assert_code(tg_dek_ring_finish(ring, &detail), TG_ERR_NOT_FOUND);
    assert_code(tg_dek_ring_add(ring, "kms-9f64a747", "Ag==", "pending", &detail), TG_ERR_EXISTS);
    assert_ok(tg_dek_ring_add(ring, "b", "Ag==", "pending", &detail));
    assert_code(tg_dek_ring_add(ring, "c", "Aw==", "pending", &detail), TG_ERR_EXISTS);
    assert_ok(tg_dek_ring_finish(ring, &detail));
    assert_ring(ring, "{\"keys\":[" KEY("b", "Ag==", "current") "," KEY("kms-9f64a747", "AQIDBA==", "retired") "]}");
    assert_code(tg_dek_ring_drop(ring, "b", &detail), TG_ERR_DENIED);
    assert_code(tg_dek_ring_drop(ring, "x", &detail), TG_ERR_NOT_FOUND);
    assert_ok(tg_dek_ring_drop(ring, "kms-9f64a747", &detail));
    assert_ring(ring, "{\"keys\":[" KEY("b", "Ag==", "current") "]}");
    json_decref(ring);
}

static void ring_add_takes_no_id_that_enclaves_refuse(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "", "a b", "a/b", "\x1b[31m", "\xc3\xa9", "12345678901234567890123456789012345678901234567890123456789012345"};
    json_t *ring = ring_of("{\"SecretString\":\"AQIDBA==\"}");
    for (size_t i = 0; i < TG_COUNT(ids); i++) {
        tg_detail detail = {0};
        assert_code(tg_dek_ring_add(ring, ids[i], "Ag==", "pending", &detail), TG_ERR_SYNTAX);
        assert_true(detail.reason[0] != 0);
    }
    assert_ok(tg_dek_ring_add(ring, ids[5] + 1, "Ag==", "pending", NULL));
    json_decref(ring);
}

static void ring_holds_eight_keys_and_no_more(void **state)
{
    (void)state;
    tg_detail detail = {0};
    json_t *ring = ring_of("{\"SecretString\":\"AQIDBA==\"}");
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < TG_COUNT(ids); i++) {
        assert_ok(tg_dek_ring_add(ring, ids[i], "Ag==", "retired", &detail));
    }
    assert_code(tg_dek_ring_add(ring, "h", "Ag==", "pending", &detail), TG_ERR_LIMIT);
    json_decref(ring);
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_read_each_form_gives_one_ring),
        cmocka_unit_test(ring_read_without_value_is_refused),
        cmocka_unit_test(ring_changes_go_by_states),
        cmocka_unit_test(ring_add_takes_no_id_that_enclaves_refuse),
        cmocka_unit_test(ring_holds_eight_keys_and_no_more),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
