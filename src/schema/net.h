/* The schemas of one document as a net: nodes are schema objects, links join schemas that speak of one and the same
 * JSON value (`allOf`, `$ref`, ...), steps lead to the value's members and elements. The graph that is matched is
 * made of it (graph_build.h); the path list for people is read from it. Lives while a document is compiled. */
#ifndef TG_SCHEMA_NET_H
#define TG_SCHEMA_NET_H

#include "schema/library.h"
#include "schema/pii_paths.h"

enum { TG_MAX_NET_NODES = 4000000, TG_MAX_NET_STEPS = 16000000, TG_MAX_NET_PATTERNS = 4096, TG_MAX_REF_CHAIN = 64 };
#define TG_MAX_NET_WORK ((uint64_t)1000000000) /* steps of all analyses of one document together */

typedef uint32_t tg_net_id;
enum {
    TG_NET_ANY = 0,     /* the schema `true` */
    TG_NET_NOTHING = 1, /* the schema `false` */
    TG_NET_NONE = UINT32_MAX
};

typedef enum tg_net_bond {
    TG_BOND_ALL,    /* allOf, $ref: holds for every value */
    TG_BOND_ONE_OF, /* one of these holds; so with the next two */
    TG_BOND_ANY_OF,
    TG_BOND_DYNAMIC, /* $dynamicRef: what it may mean */
    TG_BOND_MAYBE    /* if, then, else, dependentSchemas, discriminator: may hold, says nothing of types */
} tg_net_bond;

typedef struct tg_net_link {
    tg_net_id target;
    uint32_t next; /* in net->links; UINT32_MAX ends the list */
    tg_net_bond bond;
} tg_net_link;

typedef struct tg_net_step {
    uint32_t label; /* a name, a pattern, or an index */
    tg_net_id target;
} tg_net_step;

typedef struct tg_net_node {
    tg_place place;
    uint32_t first_link;                     /* UINT32_MAX: none */
    uint32_t first_property, num_properties; /* in net->steps, by label: properties */
    uint32_t first_pattern, num_patterns;    /* patternProperties */
    uint32_t first_prefix, num_prefix;       /* prefixItems */
    tg_net_id additional;                    /* TG_NET_NONE where absent, true or false; so with the others */
    tg_net_id unevaluated;
    tg_net_id items;
    tg_net_id contains;
    tg_net_id unevaluated_items;
    tg_net_id ref; /* target of $ref */
    uint8_t own_types;
    uint8_t types;                                                          /* with what the links say */
    bool has_additional, has_unevaluated, has_items, has_unevaluated_items; /* the keyword is there */
    bool is_marked;                                                         /* says `x-pii: true` */
    bool is_sealed;                                                         /* it or a schema linked to it is marked */
    bool is_live;                                                           /* PII at it or below it */
    bool is_blank;                                                          /* says nothing at all, as {} */
    uint8_t reached;                                                        /* TG_REACHED_BY bits */
} tg_net_node;

enum {
    TG_REACHED_BY_ROOT = 1u,
    TG_REACHED_BY_BODY = 2u /* from what would be the root without x-teegate-root */
};

typedef struct tg_net_component {
    tg_slice name;
    tg_net_id id;
} tg_net_component;

typedef struct tg_net_pair { /* a schema whose allOf refers to base */
    tg_net_id base;
    tg_net_id subtype;
} tg_net_pair;

typedef struct tg_net_dynamic { /* a $dynamicRef that may mean other schemas than its static target */
    tg_net_id from;
    tg_slice name;
} tg_net_dynamic;

typedef struct tg_net_tree { /* what is kept for one document that the net reaches into */
    tg_net_id *ids;          /* by document node */
    bool is_indexed;
} tg_net_tree;

typedef struct tg_net {
    const tg_library *library;
    uint32_t doc; /* the document that is compiled */
    tg_detail *detail;
    uint64_t work;
    tg_net_tree *trees; /* by document */
    tg_net_node *nodes;
    size_t num_nodes, nodes_cap;
    size_t num_read; /* nodes whose schema has been read */
    tg_net_link *links;
    size_t num_links, links_cap;
    tg_net_step *steps;
    size_t num_steps, steps_cap;
    tg_slice *names;
    size_t num_names, names_cap;
    tg_name_index name_ids;
    tg_slice *patterns;
    tg_place *pattern_places;
    size_t num_patterns, patterns_cap, pattern_places_cap;
    tg_name_index pattern_ids;
    tg_net_component *components;
    size_t num_components, components_cap;
    tg_net_id *roots;
    size_t num_roots, roots_cap;
    tg_net_id *bodies; /* the roots before x-teegate-root narrowed them */
    size_t num_bodies, bodies_cap;
    tg_net_pair *pairs;
    size_t num_pairs, pairs_cap;
    tg_net_id *discriminators;
    size_t num_discriminators, discriminators_cap;
    tg_net_dynamic *dynamics;
    size_t num_dynamics, dynamics_cap;
} tg_net;

/* tg_net_build reads every schema that the document's bodies and components reach, and judges it: types, seals, what
 * is live, what is reached.
 * err   TG_ERR_SYNTAX, TG_ERR_UNSUPPORTED, TG_ERR_LIMIT, TG_ERR_MEMORY and what tg_library_resolve fails with
 * keep  ended with tg_net_done, also after a failure
 */
TG_MUST_USE tg_result tg_net_build(tg_net *net, const tg_library *library, uint32_t doc, tg_detail *detail);
void tg_net_done(tg_net *net);

/* The parts of tg_net_build. */
TG_MUST_USE tg_result tg_net_schema(tg_net *net, tg_place place, tg_net_id *out_id); /* enters a schema */
TG_MUST_USE tg_result tg_net_read_schema(tg_net *net, tg_net_id id);                 /* reads its keywords */
TG_MUST_USE tg_result tg_net_find_roots(tg_net *net);
TG_MUST_USE tg_result tg_net_judge(tg_net *net);
TG_MUST_USE tg_result tg_net_add_link(tg_net *net, tg_net_id from, tg_net_id target, tg_net_bond bond);
TG_MUST_USE tg_result tg_net_name(tg_net *net, tg_slice name, uint32_t *out_label);

/* tg_net_spend counts work. err: TG_ERR_LIMIT, with detail */
TG_MUST_USE tg_result tg_net_spend(tg_net *net, uint64_t work);
TG_MUST_USE tg_result tg_net_refuse(tg_net *net, tg_place place, tg_code code, const char *reason, const char *remedy);
TG_MUST_USE tg_result tg_net_refuse_size(tg_net *net);

/* tg_net_push appends to one of the net's lists of ids. */
TG_MUST_USE tg_result tg_net_push(tg_net_id **list, size_t *num, size_t *cap, tg_net_id id);

static inline const tg_doc *tg_net_tree_of(const tg_net *net, tg_place place)
{
    return tg_library_tree(net->library, place.doc);
}

/* tg_net_children appends the target of every step of a node to a list: members, elements, all that lies below. */
TG_MUST_USE tg_result tg_net_children(const tg_net *net, tg_net_id id, tg_net_id **list, size_t *num, size_t *cap);

#endif
