/* Small PII graphs by hand, for tests of what follows a graph without the compiler that makes real ones.
 *
 *   value   = "!"                             sealed
 *           / "."                             nothing here or below
 *           / [ "?" ] [ "~" ] "{" member *( "," member ) "}"      an object
 *           / [ "~" ] "[" [ value *( "," value ) "|" ] value "]"   an array: first elements, then all others
 *   member  = name ":" value                  a name ends at the colon
 *           / "*" ":" value                   every other name
 *           / "^" prefix ":" value            names that begin so (the last pattern that matches counts); the prefix
 *                                             `slow` stands for one that takes too many steps
 * "?" before an object or array seals a value there that is neither (TG_PII_SEALED_SCALAR).
 * An object refuses arrays and the reverse (schema_mismatch), unless "~" stands before it. */
#ifndef TG_TESTS_SUPPORT_TINY_GRAPH_H
#define TG_TESTS_SUPPORT_TINY_GRAPH_H

#include "schema/pii_graph.h"

/* tg_tiny_root makes a graph; the memory is static and holds until the 16th call after this one. */
tg_pii_root tg_tiny_root(const char *text, bool defines_payload);

#endif
