/* The compiled form of one OpenAPI document: an immutable automaton over JSON positions, matched while a body is
 * scanned. A state stands for a position (the set of schemas that may apply there); reading a member name or an
 * element moves to the next state in time that does not depend on the schema's size. State 0 means: nothing below is
 * PII and nothing is checked. Shared between threads without locks. */
#ifndef TG_SCHEMA_PII_GRAPH_H
#define TG_SCHEMA_PII_GRAPH_H

#include "base/result.h"
#include "base/slice.h"

typedef uint32_t tg_pii_state;
enum { TG_PII_NOWHERE = 0 };

enum {
    TG_PII_SEALED = 1u,    /* the value here is PII: sealed whole, what is below is not looked at */
    TG_PII_NO_OBJECT = 2u, /* PII lies below and every alternative says something else than object: schema_mismatch */
    TG_PII_NO_ARRAY = 4u,  /* the same for array */
    TG_PII_IN_OBJECT = 8u, /* some member name leads to a state other than 0 */
    TG_PII_IN_ARRAY = 16u, /* some element index does */
    TG_PII_SEALED_SCALAR = 32u /* PII where the value is neither object nor array; else it is looked into */
};

typedef struct tg_pii_node {
    uint32_t flags;
    uint32_t first_member;   /* where this node's table begins in graph->members */
    uint32_t member_mask;    /* table size - 1 (a power of two), or 0 with num_members 0 */
    uint32_t num_members;    /* 0: every name leads to `other` or to a pattern */
    tg_pii_state other;      /* for a name that stands in no table entry and matches no pattern */
    uint32_t first_pattern;  /* in graph->patterns; see num_patterns */
    uint32_t num_patterns;   /* patternProperties that names outside the table are tried against, at most 8 */
    uint32_t first_combined; /* in graph->states: 2^num_patterns next states, by the set of patterns that match */
    uint32_t first_prefix;   /* in graph->states: next states of elements 0 .. num_prefix-1 */
    uint32_t num_prefix;
    tg_pii_state rest; /* of all later elements */
} tg_pii_node;

/* Open addressing, linear probing; an empty slot has key_len UINT32_MAX. */
typedef struct tg_pii_member {
    uint32_t hash;
    uint32_t key_len;
    uint32_t key_offset; /* in graph->keys: the unescaped name, UTF-8 */
    tg_pii_state next;
} tg_pii_member;

typedef struct tg_pii_pattern tg_pii_pattern; /* a compiled regular expression */

typedef struct tg_pii_graph {
    const tg_pii_node *nodes; /* [0] is TG_PII_NOWHERE */
    const tg_pii_member *members;
    const uint8_t *keys;
    const tg_pii_state *states;
    const tg_pii_pattern *const *patterns;
    uint32_t num_nodes;
} tg_pii_graph;

/* Where matching begins: what `X-Schema-Name: name` or `name#Component` stands for. */
typedef struct tg_pii_root {
    const tg_pii_graph *graph;
    tg_pii_state state;
    bool defines_payload; /* some root alternative is an object with a member `payload`: then it is no wrapper */
} tg_pii_root;

/* tg_pii_hash is the hash of member names, eight bytes at a time; the same on each machine of one byte order. It is not
 * keyed: what it protects from is in the tables, whose probe length is bounded when they are compiled. */
static inline uint32_t tg_pii_hash(tg_slice name)
{
    const uint64_t factor = 0x9fb21c651e98df25;
    uint64_t hash = name.len * factor, last = 0;
    const uint8_t *at = name.ptr;
    size_t left = name.len;
    for (; left > 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    if (left >= 4) { /* both ends of what is left, which may overlap */
        uint32_t low, high;
        memcpy(&low, at, sizeof low);
        memcpy(&high, at + left - sizeof high, sizeof high);
        last = low | (uint64_t)high << 32;
    } else if (left > 0) {
        last = (uint64_t)(at[0] | (unsigned)at[left / 2] << 8 | (unsigned)at[left - 1] << 16);
    }
    hash = (hash ^ last) * factor;
    return (uint32_t)(hash ^ hash >> 32);
}

static inline uint32_t tg_pii_flags(const tg_pii_graph *graph, tg_pii_state state)
{
    return graph->nodes[state].flags;
}

/* tg_pii_match_patterns is the slow way of tg_pii_member_next, for names outside the table.
 * err   TG_ERR_LIMIT where a pattern needs more steps than its bound: the request must be refused
 */
TG_MUST_USE tg_result tg_pii_match_patterns(const tg_pii_graph *graph, const tg_pii_node *node, tg_slice name,
                                            tg_pii_state *out_next);

/* tg_pii_member_next is the state of member `name` (unescaped UTF-8) of an object at `state`.
 * hash  tg_pii_hash(name)
 * err   as tg_pii_match_patterns
 */
TG_MUST_USE static inline tg_result tg_pii_member_next(const tg_pii_graph *graph, tg_pii_state state, tg_slice name,
                                                       uint32_t hash, tg_pii_state *out_next)
{
    const tg_pii_node *node = &graph->nodes[state];
    if (node->num_members > 0) {
        const tg_pii_member *table = graph->members + node->first_member;
        for (uint32_t i = hash & node->member_mask; table[i].key_len != UINT32_MAX; i = (i + 1) & node->member_mask) {
            if (table[i].hash == hash && table[i].key_len == name.len &&
                (name.len == 0 || memcmp(graph->keys + table[i].key_offset, name.ptr, name.len) == 0)) {
                *out_next = table[i].next;
                return tg_ok();
            }
        }
    }
    if (node->num_patterns > 0) {
        return tg_pii_match_patterns(graph, node, name, out_next);
    }
    *out_next = node->other;
    return tg_ok();
}

/* tg_pii_element_next is the state of element `index` (from 0) of an array at `state`. */
static inline tg_pii_state tg_pii_element_next(const tg_pii_graph *graph, tg_pii_state state, size_t index)
{
    const tg_pii_node *node = &graph->nodes[state];
    return index < node->num_prefix ? graph->states[node->first_prefix + index] : node->rest;
}

#endif
