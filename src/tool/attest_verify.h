/* `teegate attest verify` for commands that go on from a verified answer: what they all begin with. */
#ifndef TG_TOOL_ATTEST_VERIFY_H
#define TG_TOOL_ATTEST_VERIFY_H

#include "tool/attest_checks.h"
#include "tool/console.h"
#include "tool/fetch.h"

/* The rows of a command's options by which an enclave is verified; and those for documents from a file. */
#define TG_ATTEST_OPTIONS                                                                                              \
    {.name = "policy",                                                                                                 \
     .argument = "FILE",                                                                                               \
     .completes = TG_COMPLETES_FILES,                                                                                  \
     .help = "what is expected: pcr_sets, dek_fingerprints, schemas, ... (JSON)"},                                     \
        {.name = "pcr",                                                                                                \
         .argument = "N=HEX",                                                                                          \
         .is_repeatable = true,                                                                                        \
         .help = "a register's value; all given are one image"},                                                       \
        {.name = "allow",                                                                                              \
         .argument = "WEAKNESS",                                                                                       \
         .is_repeatable = true,                                                                                        \
         .words = TG_ATTEST_ALLOW_WORDS,                                                                               \
         .completes = TG_COMPLETES_WORDS,                                                                              \
         .help = "let this weakness pass, and say so"},                                                                \
        {.name = "root",                                                                                               \
         .argument = "FILE",                                                                                           \
         .completes = TG_COMPLETES_FILES,                                                                              \
         .help = "believe this root (PEM) instead of AWS's"},                                                          \
    {                                                                                                                  \
        .name = "max-age", .argument = "SECONDS", .help = "how old the document may be; 300 for a URL"                 \
    }
#define TG_ATTEST_FILE_OPTIONS                                                                                         \
    {.name = "nonce", .argument = "HEX", .help = "the nonce that a document from a file must hold"},                   \
    {                                                                                                                  \
        .name = "tls-spki", .argument = "HEX", .help = "SHA-256 of the TLS key that its manifest must name"            \
    }

/* tg_attest_load takes an answer from a URL, asked under TG_FETCH_OPTIONS, or from a file (- is standard input).
 * out   TG_EXIT_OK; TG_EXIT_CANNOT, and why is on standard error
 * keep  *answer is ended with tg_attest_answer_done, in either case
 */
TG_MUST_USE int tg_attest_load(const tg_invocation *invocation, const char *where, tg_console *console,
                               tg_attest_answer *answer);

/* tg_attest_examine makes every check by the invocation's options.
 * out   TG_EXIT_OK: *out_report is filled, whatever it says; TG_EXIT_CANNOT: an option, said on standard error
 */
TG_MUST_USE int tg_attest_examine(const tg_invocation *invocation, const tg_attest_answer *answer, tg_console *console,
                                  tg_attest_report *out_report);

/* tg_attest_demand is tg_attest_examine for who goes on only from a verified enclave.
 * in    shows_all: the table is shown where it is verified, too
 * out   TG_EXIT_OK: verified; TG_EXIT_FINDINGS: not, and the table is on standard error; TG_EXIT_CANNOT as above
 */
TG_MUST_USE int tg_attest_demand(const tg_invocation *invocation, const tg_attest_answer *answer, bool shows_all,
                                 tg_console *console);

/* tg_attest_report_append writes the table. err: those of tg_buf_append */
TG_MUST_USE tg_result tg_attest_report_append(const tg_attest_report *report, bool is_coloured, tg_buf *out);

#endif
