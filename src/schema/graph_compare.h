/* What one graph seals and another does not: both are walked side by side, position by position. */
#ifndef TG_SCHEMA_GRAPH_COMPARE_H
#define TG_SCHEMA_GRAPH_COMPARE_H

#include "base/buf.h"
#include "schema/pii_graph.h"

enum { TG_MAX_COMPARE_PAIRS = 4000000, TG_MAX_COMPARE_WORK = 200000000 };

typedef struct tg_compare_step {
    enum { TG_STEP_ROOT, TG_STEP_NAME, TG_STEP_UNLISTED, TG_STEP_PATTERN, TG_STEP_INDEX, TG_STEP_REST } kind;
    tg_slice text; /* the name, or the first pattern that matches */
    uint32_t index;
} tg_compare_step;

typedef struct tg_compare_pair {
    tg_pii_state sealing;
    tg_pii_state other;
    uint32_t parent; /* index of the pair above; UINT32_MAX at a root */
    tg_compare_step step;
} tg_compare_pair;

typedef struct tg_compare {
    const tg_pii_graph *sealing; /* what it seals ... */
    const tg_pii_graph *other;   /* ... is looked for here */
    tg_compare_pair *pairs;
    size_t num_pairs, pairs_cap;
    size_t num_walked;
    uint32_t *slots; /* pairs by their states */
    size_t num_slots;
    size_t work;
    tg_compare_pair *losses; /* positions that only `sealing` seals */
    size_t num_losses, losses_cap;
    size_t max_losses;
    bool is_cut; /* a bound was met: there may be more losses */
} tg_compare;

/* tg_compare_init compares two graphs, for at most max_losses (1: is there any?). */
TG_MUST_USE tg_result tg_compare_init(tg_compare *compare, const tg_pii_graph *sealing, const tg_pii_graph *other,
                                      size_t max_losses);
void tg_compare_done(tg_compare *compare);

/* tg_compare_roots adds two starting points and walks from them; may be called for several. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_compare_roots(tg_compare *compare, tg_pii_root sealing, tg_pii_root other);

/* tg_compare_append_path writes the position of a loss, as tg_pii_path writes paths. */
TG_MUST_USE tg_result tg_compare_append_path(const tg_compare *compare, const tg_compare_pair *loss, tg_buf *buf);

/* tg_pii_append_name writes `/name` with `~` and `/` escaped. */
TG_MUST_USE tg_result tg_pii_append_name(tg_slice name, tg_buf *buf);

#endif
