#include "enclave/attestation.h"

#include "attest/nsm.h"
#include "support/case.h"
#include "unit/enclave/parts.h"

#include <unistd.h>

static tg_result open_with(const char *const *environment, bool is_local_mode, tg_attestation **out_attestation,
                           size_t *out_num_faults)
{
    tg_enclave_settings settings;
    tg_faults faults;
    test_settings(&settings, environment);
    settings.is_local_mode = is_local_mode;
    tg_faults_init(&faults);
    tg_result opened = tg_attestation_open(&settings, &faults, out_attestation);
    *out_num_faults = faults.num_faults;
    tg_faults_done(&faults);
    tg_enclave_settings_done(&settings);
    return opened;
}

static void open_by_choice_takes_that_device(void **state)
{
    (void)state;
    tg_attestation *attestation = NULL;
    size_t num_faults = 0;
    assert_ok(open_with((const char *const[]){"ATTESTATION_DEVICE=simulator", NULL}, false, &attestation, &num_faults));
    assert_string_equal(tg_attestation_device(attestation)->calls->name, "simulator");
    tg_attestation_close(attestation);
    assert_ok(open_with((const char *const[]){"ATTESTATION_DEVICE=none", NULL}, true, &attestation, &num_faults));
    assert_null(attestation);
    tg_attestation_close(attestation);
    assert_int_equal(num_faults, 0);
}

static void open_missing_module_is_a_fault_where_it_is_asked_for(void **state)
{
    (void)state;
    if (access(TG_NSM_PATH, F_OK) == 0) {
        skip();
    }
    tg_attestation *attestation = NULL;
    size_t num_faults = 0;
    assert_code(open_with((const char *const[]){"ATTESTATION_DEVICE=nsm", NULL}, true, &attestation, &num_faults),
                TG_ERR_NOT_FOUND);
    assert_int_equal(num_faults, 1);
    assert_ok(open_with(TEST_NO_ENVIRONMENT, false, &attestation, &num_faults)); /* nothing there, nothing asked for */
    assert_null(attestation);
    assert_int_equal(num_faults, 0);
}

#define PCR_OF_1 "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
#define PCR_OF_2 "222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222"

static void open_simulator_pcrs_are_the_settings(void **state)
{
    (void)state;
    tg_attestation *attestation = NULL;
    size_t num_faults = 0;
    tg_attest_pcr pcr;
    assert_ok(open_with((const char *const[]){"SIMULATOR_PCRS=" PCR_OF_1 "," PCR_OF_2, NULL}, true, &attestation,
                        &num_faults));
    assert_ok(tg_attest_describe_pcr(tg_attestation_device(attestation), 1, &pcr, NULL));
    assert_int_equal(pcr.value[47], 0x22);
    tg_attestation_close(attestation);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(open_by_choice_takes_that_device),
        cmocka_unit_test(open_missing_module_is_a_fault_where_it_is_asked_for),
        cmocka_unit_test(open_simulator_pcrs_are_the_settings),
    };
    return cmocka_run_group_tests(cases, test_crypto_set_up, NULL);
}
