/* The documents of one set while they are compiled: their trees, what they are called, and where a `$ref` leads. */
#ifndef TG_SCHEMA_LIBRARY_H
#define TG_SCHEMA_LIBRARY_H

#include "base/arena.h"
#include "schema/document.h"

enum { TG_MAX_LIBRARY_NEEDS = 200000 };

typedef enum tg_oas_version {
    TG_OAS_NONE, /* no `openapi`: serves the references of others */
    TG_OAS_30,
    TG_OAS_31
} tg_oas_version;

typedef struct tg_place {
    uint32_t doc; /* index in the library */
    tg_doc_node node;
} tg_place;

typedef struct tg_library_ref {
    tg_doc_node node; /* the map that holds it */
    tg_slice text;
    bool is_mapping; /* a value of discriminator.mapping: a component's name, or a reference */
} tg_library_ref;

typedef struct tg_resource_mark {
    tg_doc_node node;
    uint32_t resource;
} tg_resource_mark;

typedef struct tg_library_doc {
    tg_doc tree;
    tg_slice file; /* path below the prefix */
    tg_slice name; /* without its ending */
    tg_oas_version version;
    bool is_refused;
    uint32_t resource;  /* of its root */
    tg_doc_node *marks; /* the maps that say `x-pii: true` */
    size_t num_marks, marks_cap;
    tg_library_ref *refs;
    size_t num_refs, refs_cap;
    tg_resource_mark *ids; /* schemas with an `$id`, by node */
    size_t num_ids, ids_cap;
    bool *is_mark_reached; /* beside marks, once something was compiled */
    uint8_t digest[32];    /* of its bytes */
} tg_library_doc;

typedef struct tg_resource { /* what an address names: a document, or a schema with an `$id` */
    tg_slice address;
    tg_place place;
} tg_resource;

typedef struct tg_dynamic_anchor {
    tg_slice name;
    tg_place place;
} tg_dynamic_anchor;

typedef struct tg_library_need { /* one document refers to another */
    uint32_t from;
    uint32_t to;
} tg_library_need;

typedef struct tg_library {
    tg_arena arena; /* names and addresses */
    tg_library_doc *docs;
    size_t num_docs;
    tg_resource *resources;
    size_t num_resources, resources_cap;
    tg_name_index addresses; /* address to resource */
    tg_name_index anchors;   /* scope: resource; value: index in anchor_places */
    tg_place *anchor_places;
    size_t num_anchors, anchors_cap;
    tg_dynamic_anchor *dynamic;
    size_t num_dynamic, dynamic_cap;
    tg_library_need *needs; /* in order, each once, after tg_library_check_refs */
    size_t num_needs, needs_cap;
    uint32_t *need_stamps; /* by document: the last that was entered as needing it, plus one */
} tg_library;

/* tg_library_init makes room for num_docs documents, all empty and refused. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_library_init(tg_library *library, size_t num_docs);
void tg_library_done(tg_library *library);

/* tg_library_read parses a file into documents[index] and enters its address, `$id`s and anchors.
 * err   what refuses the file, with detail
 */
TG_FOREIGN TG_MUST_USE tg_result tg_library_read(tg_library *library, uint32_t index, tg_slice file, tg_slice bytes,
                                                 tg_detail *detail);

/* tg_library_check_refs resolves every reference of a document that is not refused, and enters what it needs, when
 * all documents have been read. err: as tg_library_resolve */
TG_MUST_USE tg_result tg_library_check_refs(tg_library *library, uint32_t index, tg_detail *detail);
/* tg_library_sort_needs makes the needs fit to be searched by tg_library_first_need. */
void tg_library_sort_needs(tg_library *library);
/* tg_library_first_need is the index of the first need of `from` (the others follow), or of where it would stand. */
size_t tg_library_first_need(const tg_library *library, uint32_t from);

/* tg_library_resolve finds what `reference` means at `from`.
 * err   TG_ERR_DENIED (remote), TG_ERR_NOT_FOUND (dangling, or in a refused file), with detail
 */
TG_FOREIGN TG_MUST_USE tg_result tg_library_resolve(const tg_library *library, tg_place from, tg_slice reference,
                                                    tg_place *out_target, tg_detail *detail);
/* tg_library_resolve_mapping does so for a discriminator's mapping: a component's name comes first. */
TG_MUST_USE tg_result tg_library_resolve_mapping(const tg_library *library, tg_place from, tg_slice value,
                                                 tg_place *out_target, tg_detail *detail);

static inline const tg_doc *tg_library_tree(const tg_library *library, uint32_t doc)
{
    return &library->docs[doc].tree;
}

/* tg_library_refuse fills the detail with a place and reason, and gives tg_fail(code). */
TG_MUST_USE tg_result tg_library_refuse(const tg_library *library, tg_place place, tg_detail *detail, tg_code code,
                                        const char *reason, const char *remedy);

#endif
