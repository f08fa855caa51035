// room: tool
/* Any bytes as the answer of an endpoint that wants to be believed: nothing that is not signed is ever verified. */
#include "tool/attest_checks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_invocation nothing_allowed;
    static tg_attest_policy policy;
    static tg_attest_report report;
    static const uint8_t key[TG_ATTEST_SPKI_BYTES];
    const tg_attest_expected expected = {.nonce = TG_LIT("a nonce that no corpus holds"),
                                         .spki_sha256 = tg_slice_of(key, sizeof key)};
    tg_attest_answer answer;
    tg_detail detail = {0};
    policy.allow = &nothing_allowed;
    tg_attest_answer_init(&answer);
    if (tg_is_ok(tg_attest_answer_parse(tg_slice_of(data, size), &answer, &detail))) {
        tg_attest_check_all(&answer, &policy, &expected, &report);
        if (report.is_verified || report.num_checks == 0) {
            abort();
        }
    } else if (detail.reason[0] == 0) {
        abort();
    }
    tg_attest_answer_done(&answer);
    return 0;
}
