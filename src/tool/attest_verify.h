/* `teegate attest verify` for commands that go on from a verified answer. */
#ifndef TG_TOOL_ATTEST_VERIFY_H
#define TG_TOOL_ATTEST_VERIFY_H

#include "tool/attest_checks.h"
#include "tool/console.h"

enum { TG_NUM_ATTEST_VERIFY_OPTIONS = 8 };
extern const tg_option tg_attest_verify_options[TG_NUM_ATTEST_VERIFY_OPTIONS];

/* tg_attest_verify_argument loads what the first argument names and checks it by the invocation's options.
 * out   TG_EXIT_OK: *out_report is filled, whatever it says; TG_EXIT_CANNOT, and why is on standard error
 * keep  *answer is ended with tg_attest_answer_done, in either case
 */
TG_MUST_USE int tg_attest_verify_argument(const tg_invocation *invocation, tg_console *console,
                                          tg_attest_answer *answer, tg_attest_report *out_report);

/* tg_attest_report_append writes the table. err: those of tg_buf_append */
TG_MUST_USE tg_result tg_attest_report_append(const tg_attest_report *report, bool is_coloured, tg_buf *out);

#endif
