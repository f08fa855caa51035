/* One YAML or JSON document as a tree, from foreign bytes. Both notations of one document give the same tree: maps
 * with text keys in their order, lists, text, numbers, booleans, null. Nodes are numbered; text lives in one pool. */
#ifndef TG_SCHEMA_DOCUMENT_H
#define TG_SCHEMA_DOCUMENT_H

#include "base/buf.h"
#include "base/detail.h"
#include "base/result.h"
#include "base/slice.h"
#include "schema/name_index.h"

enum {
    TG_MAX_DOC_NODES = 4000000, /* scalars, lists and maps, aliases counted as often as they are used */
    TG_MAX_DOC_DEPTH = 512,
    TG_MAX_DOC_ANCHORS = 65536,
    TG_MAX_DOC_DIRECTIVES = 16 /* lines that begin with `%`: libyaml compares each with all before it */
};
#define TG_MAX_DOC_BYTES ((size_t)64 << 20)

typedef uint32_t tg_doc_node;
enum { TG_DOC_NONE = UINT32_MAX };

typedef enum tg_doc_kind { TG_DOC_NULL, TG_DOC_BOOL, TG_DOC_NUMBER, TG_DOC_TEXT, TG_DOC_LIST, TG_DOC_MAP } tg_doc_kind;

typedef struct tg_doc_item {
    uint8_t kind;
    bool is_true;
    uint16_t height;    /* 1 for what holds nothing */
    uint32_t line;      /* from 1; 0 in JSON */
    tg_doc_node parent; /* the first place, where an alias gives several; TG_DOC_NONE at the root */
    uint32_t weight;    /* nodes below and itself, aliases expanded */
    union {
        struct {
            uint32_t first; /* of children, members or text */
            uint32_t count;
        };
        double number;
    };
} tg_doc_item;

typedef struct tg_doc_member {
    uint32_t key_offset;
    uint32_t key_len;
    tg_doc_node value;
} tg_doc_member;

typedef struct tg_doc {
    tg_slice file; /* borrowed: the name for messages */
    tg_doc_node root;
    bool has_lines; /* YAML: places are lines; else JSON pointers */
    tg_doc_item *items;
    size_t num_items, items_cap;
    tg_doc_member *members;
    size_t num_members, members_cap;
    tg_doc_node *elements;
    size_t num_elements, elements_cap;
    tg_buf text;
    tg_name_index large_maps; /* members of the maps that are too large to be searched through; built at the end */
} tg_doc;

/* tg_doc_parse reads a whole document. A `file` that ends in `.json` is JSON; else it is YAML 1.2 (core schema, with
 * `<<` merged), or JSON where it begins with `{` and is valid.
 * in    bytes, at most TG_MAX_DOC_BYTES
 * err   TG_ERR_SYNTAX, TG_ERR_LIMIT, TG_ERR_UNSUPPORTED (several documents, unknown tags), TG_ERR_MEMORY, with detail
 * keep  file must outlive the document, which is ended with tg_doc_done (also after a failure, when it is empty)
 */
TG_FOREIGN TG_MUST_USE tg_result tg_doc_parse(tg_doc *doc, tg_slice file, tg_slice bytes, tg_detail *detail);
void tg_doc_done(tg_doc *doc);

static inline tg_doc_kind tg_doc_kind_of(const tg_doc *doc, tg_doc_node node)
{
    return (tg_doc_kind)doc->items[node].kind;
}
static inline bool tg_doc_is(const tg_doc *doc, tg_doc_node node, tg_doc_kind kind)
{
    return node != TG_DOC_NONE && doc->items[node].kind == kind;
}
/* tg_doc_count is a map's or list's number of children, 0 for anything else. */
size_t tg_doc_count(const tg_doc *doc, tg_doc_node node);
tg_doc_node tg_doc_element(const tg_doc *doc, tg_doc_node list, size_t index);
tg_doc_node tg_doc_member_at(const tg_doc *doc, tg_doc_node map, size_t index, tg_slice *out_key);
/* tg_doc_get finds a member; TG_DOC_NONE where there is none, where node is no map, or is TG_DOC_NONE. */
tg_doc_node tg_doc_get(const tg_doc *doc, tg_doc_node node, tg_slice key);
/* tg_doc_text is the text of a text node, the empty slice of any other. */
tg_slice tg_doc_text(const tg_doc *doc, tg_doc_node node);

/* tg_doc_append_pointer writes the node's JSON pointer (RFC 6901), the first one where aliases give several. */
TG_MUST_USE tg_result tg_doc_append_pointer(const tg_doc *doc, tg_doc_node node, tg_buf *buf);
/* tg_doc_set_place fills the detail's file, line and pointer. */
void tg_doc_set_place(const tg_doc *doc, tg_doc_node node, tg_detail *detail);

#endif
