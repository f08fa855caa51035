/* For tests of schemas: sets made of texts, and what they do with one position. */
#ifndef TG_TESTS_SUPPORT_SCHEMA_CASE_H
#define TG_TESTS_SUPPORT_SCHEMA_CASE_H

#include "schema/schema_set.h"
#include "support/case.h"

/* A document of OpenAPI 3.1 (or 3.0) that only holds schemas, in YAML's flow notation. */
#define SCHEMAS(schemas)    "openapi: 3.1.0\ncomponents: {schemas: {" schemas "}}\n"
#define SCHEMAS_30(schemas) "openapi: 3.0.3\ncomponents: {schemas: {" schemas "}}\n"

typedef struct schema_text {
    const char *name; /* with ending; NULL ends a list */
    const char *text;
} schema_text;

/* Builds a set of the texts; fails the test where it cannot. Faults may be NULL. */
tg_schema_set *tg_build_texts(const schema_text *texts, const tg_schema_options *options, tg_faults *faults);
/* Builds a.yaml alone and fails the test where it is refused. */
tg_schema_set *tg_build_text(const char *text);
/* Builds a.yaml, which must be refused, and checks the fault's line, pointer (NULL: any) and a part of its reason. */
void tg_assert_refused(const char *text, unsigned line, const char *pointer, const char *reason, const char *file,
                       int at);
#define assert_refused(text, line, pointer, reason) tg_assert_refused(text, line, pointer, reason, __FILE__, __LINE__)

/* The flags at a position of schema `name` (`a`, `a#B`): `/member/[0]/member`; what is below a sealed value is sealed.
 */
uint32_t tg_flags_at(const tg_schema_set *set, const char *name, const char *path);
#define assert_sealed(set, path) assert_true((tg_flags_at(set, "a", path) & TG_PII_SEALED) != 0)
#define assert_open(set, path)   assert_true((tg_flags_at(set, "a", path) & TG_PII_SEALED) == 0)

#endif
