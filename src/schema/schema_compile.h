/* One document of a library, compiled: what tg_schema is. Private to the set. */
#ifndef TG_SCHEMA_SCHEMA_COMPILE_H
#define TG_SCHEMA_SCHEMA_COMPILE_H

#include "base/refs.h"
#include "schema/graph_store.h"
#include "schema/library.h"
#include "schema/listing.h"
#include "schema/schema_set.h"

struct tg_schema {
    tg_refs refs;
    tg_arena arena; /* names */
    tg_slice name;
    tg_slice file;
    tg_pii_store store;
    tg_pii_root root;
    tg_slice *component_names;
    tg_pii_root *components;
    size_t num_components;
    tg_name_index component_index;
    size_t num_marks;
    uint8_t digest[TG_SCHEMA_DIGEST_BYTES];
    tg_listing *listing; /* NULL unless is_for_lint */
};

/* tg_schema_compile makes a schema of a document that is not refused.
 * out   a schema with one reference; digest left zero; the library's is_mark_reached of other documents set;
 *       touched[d] set for each document that its schemas stand in
 * err   what refuses the file, with detail; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_schema_compile(tg_library *library, uint32_t doc, bool is_for_lint, bool *touched,
                                        tg_detail *detail, tg_schema **out_schema);

tg_schema *tg_schema_ref(tg_schema *schema);
void tg_schema_unref(tg_schema *schema);

/* tg_schema_component finds a component's root. err: TG_ERR_NOT_FOUND */
TG_MUST_USE tg_result tg_schema_component(const tg_schema *schema, tg_slice name, tg_pii_root *out_root);

#endif
