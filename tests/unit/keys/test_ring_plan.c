#include "keys/ring_plan.h"

#include "crypto/init.h"
#include "support/case.h"

#include <stdio.h>

enum { INTERVAL_MS = 1000 };

/* A case's state: what is in force, and what is remembered. */
static struct {
    tg_key_ring *ring;
    tg_ring_memory memory;
    tg_ring_change change;
} at;

/* Plans for keys written as `aC bP cR`: a letter that stands for key, id and ciphertext, and its state. */
static tg_result plan(const char *text, uint64_t now_ms)
{
    tg_opened_key keys[TG_MAX_RING_KEYS + 1] = {0};
    size_t num_keys = 0;
    tg_key_ring *next = NULL;
    tg_detail detail = {0};
    for (const char *c = text; *c != 0; c += c[2] != 0 ? 3 : 2) {
        uint8_t bytes[TG_DEK_BYTES];
        memset(bytes, c[0], sizeof bytes);
        keys[num_keys] = (tg_opened_key){.id = tg_slice_of(c, 1),
                                         .state = c[1] == 'C'   ? TG_KEY_CURRENT
                                                  : c[1] == 'P' ? TG_KEY_PENDING
                                                                : TG_KEY_RETIRED,
                                         .ciphertext = tg_slice_of(c, 1)};
        assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &keys[num_keys++].key));
    }
    tg_result planned =
        tg_ring_plan(at.ring, keys, num_keys, &at.memory, now_ms, INTERVAL_MS, 1, &next, &at.change, &detail);
    for (size_t i = 0; i < num_keys; i++) {
        tg_secret_free(keys[i].key);
    }
    if (tg_is_ok(planned)) {
        tg_key_ring_unref(at.ring);
        at.ring = next;
    }
    return planned;
}

/* The ring as such a text. */
static void assert_ring(const char *expected)
{
    char text[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < tg_key_ring_len(at.ring); i++) {
        const tg_ring_entry *entry = tg_key_ring_at(at.ring, i);
        text[len++] = (char)tg_secret_bytes(entry->key)[0];
        text[len++] = "CPR"[entry->state];
        text[len++] = ' ';
    }
    text[len > 0 ? len - 1 : 0] = 0;
    assert_string_equal(text, expected);
}

static int begin(void **state)
{
    (void)state;
    memset(&at, 0, sizeof at);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tg_key_ring_unref(at.ring);
    return 0;
}

static void plan_first_ring_is_as_the_secret_says(void **state)
{
    (void)state;
    assert_ok(plan("bP aC zR", 5));
    assert_ring("aC bP zR");
    assert_true(at.change.is_changed);
    assert_ok(plan("bP aC zR", 6));
    assert_false(at.change.is_changed);
}

static void plan_single_key_replaced_writes_at_once_and_keeps_the_old(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    assert_ok(plan("bC", 6));
    assert_ring("bC aR");
    assert_int_equal(at.change.num_kept, 1);
    assert_false(at.change.is_held);
    assert_ok(plan("cC", 7));
    assert_ring("cC bR aR");
    assert_ok(plan("cC", 8));
    assert_false(at.change.is_changed);
}

static void plan_new_current_beside_the_old_waits_an_interval(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    assert_ok(plan("bC aR", 100));
    assert_ring("aC bP");
    assert_true(at.change.is_held);
    assert_int_equal(at.change.due_ms, 100 + INTERVAL_MS);
    assert_ok(plan("bC aR", 99 + INTERVAL_MS));
    assert_ring("aC bP");
    assert_false(at.change.is_changed);
    assert_ok(plan("bC aR", 100 + INTERVAL_MS));
    assert_ring("bC aR");
    assert_true(at.change.is_changed);
    assert_false(at.change.is_held);
}

static void plan_key_seen_pending_for_an_interval_writes_at_once(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    assert_ok(plan("aC bP", 10));
    assert_ring("aC bP");
    assert_ok(plan("bC aR", 10 + INTERVAL_MS));
    assert_ring("bC aR");
    assert_false(at.change.is_held);
}

static void plan_sealed_keys_stay_and_others_go(void **state)
{
    (void)state;
    assert_ok(plan("aC bP zR", 5));
    assert_ok(plan("cC", 6 + INTERVAL_MS));
    assert_ring("cC aR"); /* b and z never sealed here, and the secret has dropped them */
    assert_int_equal(at.change.num_kept, 1);
}

static void plan_older_kept_keys_give_way_where_there_is_no_room(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    assert_ok(plan("bC", 6));
    assert_int_equal(at.change.num_dropped, 0);
    assert_ok(plan("cC dR eR fR gR hR iR", 7));
    assert_ring("cC dR eR fR gR hR iR bR");
    assert_int_equal(at.change.num_kept, 1);
    assert_int_equal(at.change.num_dropped, 1);
}

static void plan_no_room_for_the_key_in_use_is_refused(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    assert_code(plan("bC cR dR eR fR gR hR iR", 6), TG_ERR_LIMIT);
    assert_ring("aC");
    assert_int_equal(at.memory.num_keys, 1);
    assert_ok(plan("bC cR dR eR fR gR hR aR", 6 + INTERVAL_MS));
    assert_ring("aC bP cR dR eR fR gR hR");
}

static void plan_key_in_use_that_is_dropped_stops_writing_at_once(void **state)
{
    (void)state;
    assert_ok(plan("aC zR", 5));
    assert_ok(plan("bC zR", 6));
    assert_ring("bC zR aR");
    assert_false(at.change.is_held);
    assert_false(at.change.is_back);
}

static void plan_key_of_before_that_is_current_again_went_back(void **state)
{
    (void)state;
    assert_ok(plan("aC bP", 5));
    assert_ok(plan("bC aR", 5 + INTERVAL_MS));
    assert_false(at.change.is_back);
    assert_ok(plan("aC bP", 6 + INTERVAL_MS)); /* an older version of the secret */
    assert_ring("aC bP");
    assert_true(at.change.is_back);
    assert_ok(plan("aC bP", 7 + INTERVAL_MS));
    assert_false(at.change.is_back);
    assert_ok(plan("cC aR", 8 + INTERVAL_MS));
    assert_false(at.change.is_back); /* held: nothing has changed hands */
}

/* One key, `letter` 32 times, sealed as `ciphertext`. */
static tg_result plan_sealed(char letter, const char *ciphertext)
{
    uint8_t bytes[TG_DEK_BYTES];
    tg_opened_key key = {.id = TG_LIT("x"), .state = TG_KEY_CURRENT, .ciphertext = tg_slice_str(ciphertext)};
    tg_key_ring *next = NULL;
    tg_detail detail = {0};
    memset(bytes, letter, sizeof bytes);
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &key.key));
    tg_result planned = tg_ring_plan(at.ring, &key, 1, &at.memory, 5, INTERVAL_MS, 1, &next, &at.change, &detail);
    tg_secret_free(key.key);
    if (tg_is_ok(planned)) {
        tg_key_ring_unref(at.ring);
        at.ring = next;
    } else {
        assert_string_equal(detail.reason, "this ciphertext was opened to another key before");
    }
    return planned;
}

static void plan_ciphertext_that_opens_to_another_key_is_refused(void **state)
{
    (void)state;
    assert_ok(plan_sealed('a', "one"));
    assert_ok(plan_sealed('a', "two")); /* sealed anew: what it stood in before is still known */
    assert_ok(plan_sealed('a', "one"));
    assert_code(plan_sealed('b', "one"), TG_ERR_MISMATCH);
    assert_code(plan_sealed('b', "two"), TG_ERR_MISMATCH);
    assert_ring("aC");
    assert_ok(plan_sealed('b', "three"));
    assert_ring("bC aR");
}

static void plan_last_ciphertexts_are_remembered_and_older_ones_forgotten(void **state)
{
    (void)state;
    char text[16];
    for (int i = 0; i <= TG_MAX_REMEMBERED_CIPHERTEXTS; i++) {
        snprintf(text, sizeof text, "c%d", i);
        assert_ok(plan_sealed('a', text));
    }
    assert_code(plan_sealed('b', text), TG_ERR_MISMATCH);
    assert_code(plan_sealed('b', "c1"), TG_ERR_MISMATCH);
    assert_ok(plan_sealed('b', "c0"));
}

static void plan_same_id_for_another_key_keeps_both(void **state)
{
    (void)state;
    assert_ok(plan("aC", 5));
    tg_opened_key key = {.id = TG_LIT("a"), .state = TG_KEY_CURRENT, .ciphertext = TG_LIT("other")};
    tg_key_ring *next = NULL;
    assert_ok(tg_secret_random(TG_DEK_BYTES, &key.key));
    assert_ok(tg_ring_plan(at.ring, &key, 1, &at.memory, 6, INTERVAL_MS, 1, &next, &at.change, NULL));
    assert_int_equal(tg_key_ring_len(next), 2);
    assert_true(tg_slice_starts(tg_key_ring_at(next, 1)->id, TG_LIT("kept-")));
    tg_key_ring_unref(next);
    tg_secret_free(key.key);
}

static void plan_no_or_two_current_keys_are_refused(void **state)
{
    (void)state;
    assert_code(plan("aR", 5), TG_ERR_NOT_FOUND);
    assert_code(plan("aC bC", 5), TG_ERR_EXISTS);
    assert_code(plan("", 5), TG_ERR_RANGE);
    assert_null(at.ring);
    assert_int_equal(at.memory.num_keys, 0);
}

static void plan_memory_is_bounded(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < TG_MAX_REMEMBERED_KEYS + 20; i++) {
        tg_opened_key key = {.id = TG_LIT("x"), .state = TG_KEY_CURRENT, .ciphertext = tg_slice_of(&i, 1)};
        tg_key_ring *next = NULL;
        assert_ok(tg_secret_random(TG_DEK_BYTES, &key.key));
        assert_ok(tg_ring_plan(at.ring, &key, 1, &at.memory, i + 1u, INTERVAL_MS, 1, &next, &at.change, NULL));
        assert_true(at.memory.num_keys <= TG_MAX_REMEMBERED_KEYS);
        tg_key_ring_unref(at.ring);
        at.ring = next;
        tg_secret_free(key.key);
    }
    assert_int_equal(tg_key_ring_len(at.ring), TG_MAX_RING_KEYS);
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(plan_first_ring_is_as_the_secret_says, begin, end),
        cmocka_unit_test_setup_teardown(plan_single_key_replaced_writes_at_once_and_keeps_the_old, begin, end),
        cmocka_unit_test_setup_teardown(plan_new_current_beside_the_old_waits_an_interval, begin, end),
        cmocka_unit_test_setup_teardown(plan_key_seen_pending_for_an_interval_writes_at_once, begin, end),
        cmocka_unit_test_setup_teardown(plan_sealed_keys_stay_and_others_go, begin, end),
        cmocka_unit_test_setup_teardown(plan_older_kept_keys_give_way_where_there_is_no_room, begin, end),
        cmocka_unit_test_setup_teardown(plan_no_room_for_the_key_in_use_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(plan_key_in_use_that_is_dropped_stops_writing_at_once, begin, end),
        cmocka_unit_test_setup_teardown(plan_key_of_before_that_is_current_again_went_back, begin, end),
        cmocka_unit_test_setup_teardown(plan_ciphertext_that_opens_to_another_key_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(plan_last_ciphertexts_are_remembered_and_older_ones_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(plan_same_id_for_another_key_keeps_both, begin, end),
        cmocka_unit_test_setup_teardown(plan_no_or_two_current_keys_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(plan_memory_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
