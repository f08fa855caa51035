/* A regular expression of patternProperties, by PCRE2: not anchored, UTF-8, as near to ECMA-262 as it comes, with
 * bounds on what one match may cost. */
#ifndef TG_SCHEMA_PATTERN_H
#define TG_SCHEMA_PATTERN_H

#include "base/detail.h"
#include "schema/pii_graph.h"

enum {
    TG_MAX_PATTERN_BYTES = 4096,
    TG_MAX_PATTERN_STEPS = 4096,     /* from each place in the name that a match may begin at */
    TG_MAX_PATTERN_NAME_BYTES = 256, /* PCRE2 does not count a loop over characters as steps: a match may take the
                                        square, and more, of the name's length */
    TG_MAX_PATTERN_DEPTH = 1000,
    TG_MAX_PATTERN_HEAP_KIB = 1024
};

/* tg_pii_pattern_new compiles an expression.
 * err   TG_ERR_SYNTAX, with the reason (of the detail, only reason is filled), TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_pii_pattern_new(tg_slice text, tg_pii_pattern **out_pattern, tg_detail *detail);
void tg_pii_pattern_free(tg_pii_pattern *pattern);
tg_slice tg_pii_pattern_text(const tg_pii_pattern *pattern);

/* tg_pii_pattern_match says whether the expression matches somewhere within name. Any thread.
 * err   TG_ERR_LIMIT past the bounds (longer names are not looked at), TG_ERR_SYNTAX where name is not UTF-8,
 *       TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_pii_pattern_match(const tg_pii_pattern *pattern, tg_slice name, bool *out_matches);

#endif
