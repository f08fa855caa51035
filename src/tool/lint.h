/* What a person should look at in a schema that compiles: members that look personal and are not marked, marked ones
 * whose values can be tabulated. */
#ifndef TG_TOOL_LINT_H
#define TG_TOOL_LINT_H

#include "schema/pii_paths.h"

typedef enum tg_lint_level {
    TG_LINT_WARNING, /* a finding */
    TG_LINT_NOTE     /* worth knowing, no finding */
} tg_lint_level;

typedef struct tg_lint_finding {
    tg_lint_level level;
    const char *kind; /* `suspect`, `small_domain`, `large_domain` */
    const tg_pii_path *path;
    char reason[256];
} tg_lint_finding;

typedef tg_result tg_lint_report_fn(const tg_lint_finding *finding, void *owner);

/* tg_lint_schema reports each finding, in the order of the paths. A part that several paths share is reported once.
 * in    schema of a set built with is_for_lint
 * err   TG_ERR_MEMORY, or what `report` fails with, which ends it
 */
TG_MUST_USE tg_result tg_lint_schema(const tg_schema *schema, tg_lint_report_fn *report, void *owner);

#endif
