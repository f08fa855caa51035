/* What enclaves are made of, for tests: settings, key rings, schema sets. */
#ifndef TG_TESTS_UNIT_ENCLAVE_PARTS_H
#define TG_TESTS_UNIT_ENCLAVE_PARTS_H

#include "crypto/init.h"
#include "enclave/enclave_settings.h"
#include "keys/ring.h"
#include "support/schema_case.h"

#define TEST_NO_ENVIRONMENT ((const char *const[]){NULL})

/* A schema `a` of two marked members, one of them a number. */
#define TEST_SCHEMA                                                                                                    \
    SCHEMAS("P: {type: object, properties: {ssn: {type: string, x-pii: true}, age: {type: integer, x-pii: true}}}")

/* Local mode's settings, and NAME=value over them; the caller ends them. */
static inline void test_settings(tg_enclave_settings *settings, const char *const *environment)
{
    const tg_enclave_settings_source source = {.environment = environment, .is_local_mode = true};
    tg_faults faults;
    tg_faults_init(&faults);
    assert_ok(tg_enclave_settings_load(settings, &source, &faults));
    if (faults.num_faults > 0) {
        fail_msg("%s: %s", faults.faults[0].field, faults.faults[0].reason);
    }
    tg_faults_done(&faults);
}

/* A ring of one key for each byte of `fills` (32 times that byte), the first current, the others retired. */
static inline tg_key_ring *test_ring(const char *fills)
{
    static const char *const ids[] = {"first", "second", "third"};
    tg_ring_entry entries[TG_COUNT(ids)];
    size_t num_keys = strlen(fills);
    assert_in_range(num_keys, 1, TG_COUNT(ids));
    for (size_t i = 0; i < num_keys; i++) {
        uint8_t bytes[TG_DEK_BYTES];
        memset(bytes, fills[i], sizeof bytes);
        entries[i] = (tg_ring_entry){.id = tg_slice_str(ids[i]), .state = i == 0 ? TG_KEY_CURRENT : TG_KEY_RETIRED};
        assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &entries[i].key));
    }
    tg_key_ring *ring = NULL;
    assert_ok(tg_key_ring_new(entries, num_keys, 1000, &ring, NULL));
    return ring;
}

/* As set-up of a group: nothing is logged but where a case asks for it (support/logged.h). */
static inline int test_crypto_set_up(void **state)
{
    (void)state;
    tg_log_set_level(TG_LOG_OFF);
    return tg_is_ok(tg_crypto_init(4)) ? 0 : -1;
}

#endif
