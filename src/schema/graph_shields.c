#include "schema/graph_shields.h"

#include "schema/vector.h"

#include <stdlib.h>

tg_result tg_graph_shields_init(tg_graph_shields *shields, tg_graph_sets *sets)
{
    *shields = (tg_graph_shields){.sets = sets};
    size_t num_nodes = sets->net->num_nodes;
    shields->shield_of = malloc(num_nodes * sizeof *shields->shield_of);
    if (shields->shield_of == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memset(shields->shield_of, 0xff, num_nodes * sizeof *shields->shield_of);
    return tg_ok();
}

void tg_graph_shields_done(tg_graph_shields *shields)
{
    free(shields->shield_of);
    free(shields->shields);
    free(shields->labels);
    *shields = (tg_graph_shields){0};
}

static int compare_labels(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Gathers the labels of one kind of step over the closure. */
static tg_result gather(tg_graph_shields *shields, bool is_pattern, size_t *out_first, size_t *out_num)
{
    const tg_net *net = shields->sets->net;
    size_t first = shields->num_labels;
    for (size_t i = 0; i < shields->sets->num_closure; i++) {
        const tg_net_node *node = &net->nodes[shields->sets->closure[i]];
        uint32_t from = is_pattern ? node->first_pattern : node->first_property;
        uint32_t num = is_pattern ? node->num_patterns : node->num_properties;
        TG_TRY(tg_vector_grow(&shields->labels, &shields->labels_cap, shields->num_labels + num,
                              sizeof *shields->labels, TG_MAX_NET_STEPS));
        for (uint32_t k = 0; k < num; k++) {
            shields->labels[shields->num_labels++] = net->steps[from + k].label;
        }
    }
    *out_first = first;
    *out_num = shields->num_labels - first;
    if (*out_num > 1) {
        qsort(shields->labels + first, *out_num, sizeof *shields->labels, compare_labels);
    }
    return tg_net_spend(shields->sets->net, *out_num);
}

tg_result tg_graph_shields_find(tg_graph_shields *shields, tg_net_id owner, uint32_t *out_shield)
{
    if (shields->shield_of[owner] != UINT32_MAX) {
        *out_shield = shields->shield_of[owner];
        return tg_ok();
    }
    const tg_net *net = shields->sets->net;
    TG_TRY(tg_graph_sets_close(shields->sets, &owner, 1, true));
    tg_graph_shield shield = {.owner = owner};
    for (size_t i = 0; i < shields->sets->num_closure; i++) {
        const tg_net_node *node = &net->nodes[shields->sets->closure[i]];
        bool is_owner = shields->sets->closure[i] == owner;
        shield.has_all = shield.has_all || node->has_additional || (!is_owner && node->has_unevaluated);
    }
    if (!shield.has_all) {
        TG_TRY(gather(shields, false, &shield.first_name, &shield.num_names));
        TG_TRY(gather(shields, true, &shield.first_pattern, &shield.num_patterns));
    }
    TG_TRY(tg_vector_grow(&shields->shields, &shields->shields_cap, shields->num_shields + 1, sizeof *shields->shields,
                          TG_MAX_NET_NODES));
    shields->shields[shields->num_shields] = shield;
    shields->shield_of[owner] = (uint32_t)shields->num_shields++;
    *out_shield = shields->shield_of[owner];
    return tg_ok();
}

static bool has_label(const uint32_t *labels, size_t num, uint32_t label)
{
    return bsearch(&label, labels, num, sizeof *labels, compare_labels) != NULL;
}

static bool has_property(const tg_net *net, tg_net_id owner, uint32_t label)
{
    const tg_net_node *node = &net->nodes[owner];
    size_t low = node->first_property;
    for (size_t high = low + node->num_properties; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (net->steps[middle].label == label) {
            return true;
        }
        if (net->steps[middle].label < label) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool tg_graph_wild_is_shielded(const tg_graph_shields *shields, const tg_graph_wild *wild, uint32_t label,
                               uint32_t matching)
{
    if ((wild->patterns & matching) != 0) {
        return true;
    }
    if (label == UINT32_MAX) { /* a name that no schema lists */
        return false;
    }
    if (wild->shield == UINT32_MAX) {
        return has_property(shields->sets->net, wild->owner, label);
    }
    const tg_graph_shield *shield = &shields->shields[wild->shield];
    return shield->num_names > 0 && has_label(shields->labels + shield->first_name, shield->num_names, label);
}

tg_result tg_graph_shields_first_element(tg_graph_shields *shields, tg_net_id owner, uint32_t *out_first)
{
    const tg_net *net = shields->sets->net;
    TG_TRY(tg_graph_sets_close(shields->sets, &owner, 1, true));
    uint32_t first = 0;
    for (size_t i = 0; i < shields->sets->num_closure; i++) {
        const tg_net_node *node = &net->nodes[shields->sets->closure[i]];
        bool is_owner = shields->sets->closure[i] == owner;
        if (node->has_items || (!is_owner && node->has_unevaluated_items)) {
            first = UINT32_MAX;
            break;
        }
        first = node->num_prefix > first ? node->num_prefix : first;
    }
    *out_first = first;
    return tg_ok();
}
