/* The checks of `teegate attest verify`, in order, each with what was found. */
#ifndef TG_TOOL_ATTEST_CHECKS_H
#define TG_TOOL_ATTEST_CHECKS_H

#include "tool/attest_answer.h"
#include "tool/attest_policy.h"

typedef enum tg_verdict {
    TG_CHECK_PASSED,
    TG_CHECK_ALLOWED, /* weak, and --allow lets it pass */
    TG_CHECK_SKIPPED, /* there is nothing to compare with */
    TG_CHECK_FAILED
} tg_verdict;

/* tg_verdict_name gives `passed`, `allowed`, `skipped`, `failed`. */
const char *tg_verdict_name(tg_verdict verdict);

typedef struct tg_attest_check {
    const char *name;
    tg_verdict verdict;
    char text[320];
} tg_attest_check;

enum { TG_MAX_ATTEST_CHECKS = 24 };
typedef struct tg_attest_report {
    tg_attest_check checks[TG_MAX_ATTEST_CHECKS];
    size_t num_checks;
    bool is_verified; /* none has failed */
} tg_attest_report;

/* What a check compares with, beyond the policy. */
typedef struct tg_attest_expected {
    tg_slice root_der;    /* the root that is believed; ptr NULL: AWS's */
    tg_slice nonce;       /* ptr NULL: none is known */
    tg_slice spki_sha256; /* of the connection; ptr NULL: there is none */
    uint64_t now_unix_ms;
} tg_attest_expected;

/* tg_attest_check_all checks the answer. out: *out_report; never fails */
TG_FOREIGN void tg_attest_check_all(const tg_attest_answer *answer, const tg_attest_policy *policy,
                                    const tg_attest_expected *expected, tg_attest_report *out_report);

#endif
