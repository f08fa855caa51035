/* How many values a schema's place can take: deterministic tokens of few values can be tabulated. */
#ifndef TG_TOOL_DOMAIN_H
#define TG_TOOL_DOMAIN_H

#include "schema/pii_paths.h"

/* tg_domain_of_pattern estimates how many strings a regular expression matches, reading anchors, classes, groups,
 * alternatives and bounded repeats; INFINITY where it is not bounded or not understood.
 */
TG_FOREIGN double tg_domain_of_pattern(tg_slice pattern);

/* tg_domain_of_path estimates it from the enum, type, pattern, format and length of a sealed place. */
double tg_domain_of_path(const tg_pii_path *path);

#endif
