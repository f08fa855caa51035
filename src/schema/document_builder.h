/* Builds a tg_doc from the events of a reader, in document order, and keeps its bounds. Private to the readers. */
#ifndef TG_SCHEMA_DOCUMENT_BUILDER_H
#define TG_SCHEMA_DOCUMENT_BUILDER_H

#include "schema/document.h"

typedef struct tg_doc_frame {
    tg_doc_node node;
    size_t first_pending;
    bool is_map;
} tg_doc_frame;

typedef struct tg_doc_builder {
    tg_doc *doc;
    tg_detail *detail;
    tg_doc_frame frames[TG_MAX_DOC_DEPTH];
    size_t depth;
    tg_doc_member *pending; /* children of the open maps and lists */
    size_t num_pending, pending_cap;
    uint32_t key_offset; /* of the next value, where the open frame is a map and has_key */
    uint32_t key_len;
    unsigned key_line; /* a member's place is its key's */
    bool has_key;
    bool is_merge; /* the key is `<<` */
} tg_doc_builder;

/* tg_doc_builder_init readies a builder for an empty document; tg_doc_builder_done ends it, not the document. */
void tg_doc_builder_init(tg_doc_builder *builder, tg_doc *doc, tg_detail *detail);
void tg_doc_builder_done(tg_doc_builder *builder);

static inline bool tg_doc_builder_wants_key(const tg_doc_builder *builder)
{
    return builder->depth > 0 && builder->frames[builder->depth - 1].is_map && !builder->has_key;
}

/* Each call adds one event; the first value is the root. Errors carry a detail: TG_ERR_LIMIT, TG_ERR_SYNTAX (a key
 * twice, a merge of no map), TG_ERR_MEMORY. `out_node` is what the value became. */
TG_MUST_USE tg_result tg_doc_add_key(tg_doc_builder *builder, tg_slice key, unsigned line);
TG_MUST_USE tg_result tg_doc_add_merge_key(tg_doc_builder *builder, unsigned line);
TG_MUST_USE tg_result tg_doc_add_scalar(tg_doc_builder *builder, tg_doc_item scalar, unsigned line,
                                        tg_doc_node *out_node);
TG_MUST_USE tg_result tg_doc_add_text(tg_doc_builder *builder, tg_slice text, unsigned line, tg_doc_node *out_node);
TG_MUST_USE tg_result tg_doc_begin(tg_doc_builder *builder, tg_doc_kind kind, unsigned line, tg_doc_node *out_node);
TG_MUST_USE tg_result tg_doc_end(tg_doc_builder *builder);
/* tg_doc_add_alias puts a finished node in another place too. */
TG_MUST_USE tg_result tg_doc_add_alias(tg_doc_builder *builder, tg_doc_node node, unsigned line);

/* tg_doc_refuse fills the detail and gives tg_fail(code). */
TG_MUST_USE tg_result tg_doc_refuse(tg_doc_builder *builder, tg_code code, unsigned line, const char *reason);

/* The two readers behind tg_doc_parse. */
TG_MUST_USE tg_result tg_doc_read_json(tg_doc_builder *builder, tg_slice bytes);
TG_MUST_USE tg_result tg_doc_read_yaml(tg_doc_builder *builder, tg_slice bytes);

#endif
