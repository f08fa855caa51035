#include "tiny_graph.h"

#include "schema/pattern.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_NODES = 64, TABLE = 16, MAX_STATES = 512, MAX_KEYS = 2048, MAX_PATTERNS = 32, GRAPHS = 16 };

typedef struct tiny_graph {
    tg_pii_graph graph;
    tg_pii_node nodes[MAX_NODES];
    tg_pii_member members[MAX_NODES * TABLE];
    uint8_t keys[MAX_KEYS];
    tg_pii_state states[MAX_STATES];
    tg_pii_pattern *patterns[MAX_PATTERNS];
    const tg_pii_pattern *pattern_list[MAX_PATTERNS];
    uint32_t num_nodes, num_keys, num_states, num_patterns;
    const char *at;
} tiny_graph;

static void need(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static tg_pii_state parse_value(tiny_graph *tiny);

static void add_member(tiny_graph *tiny, tg_pii_node *node, tg_slice name, tg_pii_state next)
{
    need(node->num_members < TABLE / 2 && tiny->num_keys + name.len <= MAX_KEYS, "too many names");
    memcpy(tiny->keys + tiny->num_keys, name.ptr, name.len);
    uint32_t hash = tg_pii_hash(name);
    uint32_t slot = hash & (TABLE - 1);
    while (tiny->members[node->first_member + slot].key_len != UINT32_MAX) {
        slot = (slot + 1) & (TABLE - 1);
    }
    tiny->members[node->first_member + slot] = (tg_pii_member){hash, (uint32_t)name.len, tiny->num_keys, next};
    tiny->num_keys += (uint32_t)name.len;
    node->num_members++;
    node->flags |= next != TG_PII_NOWHERE ? TG_PII_IN_OBJECT : 0;
}

static tg_slice parse_name(tiny_graph *tiny)
{
    const char *begin = tiny->at;
    const char *colon = strchr(begin, ':');
    need(colon != NULL, "a member without a colon");
    tiny->at = colon + 1;
    return tg_slice_of(begin, (size_t)(colon - begin));
}

/* `(?R)` calls itself for ever: matching gives up at once. */
static tg_pii_pattern *make_pattern(tg_slice prefix)
{
    char text[64];
    bool is_slow = tg_slice_equal(prefix, TG_LIT("slow"));
    int len = is_slow ? snprintf(text, sizeof text, "(?R)")
                      : snprintf(text, sizeof text, "^%.*s", (int)prefix.len, (const char *)prefix.ptr);
    tg_pii_pattern *pattern = NULL;
    need(len > 0 && (size_t)len < sizeof text, "too long a prefix");
    need(tg_is_ok(tg_pii_pattern_new(tg_slice_str(text), &pattern, NULL)), "no pattern");
    return pattern;
}

static void add_patterns(tiny_graph *tiny, tg_pii_node *node, const tg_slice *prefixes, const tg_pii_state *nexts,
                         uint32_t num)
{
    need(tiny->num_patterns + num <= MAX_PATTERNS && tiny->num_states + (1u << num) <= MAX_STATES, "too many patterns");
    node->num_patterns = num;
    node->first_pattern = tiny->num_patterns;
    node->first_combined = tiny->num_states;
    for (uint32_t i = 0; i < num; i++) {
        tiny->patterns[tiny->num_patterns] = make_pattern(prefixes[i]);
        tiny->pattern_list[tiny->num_patterns] = tiny->patterns[tiny->num_patterns];
        tiny->num_patterns++;
    }
    for (uint32_t matched = 0; matched < 1u << num; matched++) {
        tg_pii_state next = node->other;
        for (uint32_t i = 0; i < num; i++) {
            next = (matched >> i & 1) != 0 ? nexts[i] : next;
        }
        tiny->states[tiny->num_states++] = next;
    }
}

static void parse_object(tiny_graph *tiny, tg_pii_state state)
{
    tg_pii_node *node = &tiny->nodes[state];
    tg_slice prefixes[8];
    tg_pii_state nexts[8];
    uint32_t num_prefixes = 0;
    do {
        tiny->at++;
        tg_slice name = parse_name(tiny);
        tg_pii_state next = parse_value(tiny);
        if (tg_slice_equal(name, TG_LIT("*"))) {
            node->other = next;
            node->flags |= TG_PII_IN_OBJECT;
        } else if (tg_slice_starts(name, TG_LIT("^"))) {
            need(num_prefixes < TG_COUNT(nexts), "too many patterns");
            prefixes[num_prefixes] = tg_slice_from(name, 1);
            nexts[num_prefixes++] = next;
            node->flags |= TG_PII_IN_OBJECT;
        } else {
            add_member(tiny, node, name, next);
        }
    } while (*tiny->at == ',');
    need(*tiny->at++ == '}', "an object does not end");
    if (num_prefixes > 0) {
        add_patterns(tiny, node, prefixes, nexts, num_prefixes);
    }
}

static void parse_array(tiny_graph *tiny, tg_pii_state state)
{
    tg_pii_node *node = &tiny->nodes[state];
    tg_pii_state elements[8];
    uint32_t num_elements = 0;
    node->flags |= TG_PII_IN_ARRAY;
    do {
        tiny->at++;
        need(num_elements < TG_COUNT(elements), "too many elements");
        elements[num_elements++] = parse_value(tiny);
    } while (*tiny->at == ',');
    if (*tiny->at == '|') {
        tiny->at++;
        node->rest = parse_value(tiny);
        node->first_prefix = tiny->num_states;
        node->num_prefix = num_elements;
        memcpy(tiny->states + tiny->num_states, elements, num_elements * sizeof *elements);
        tiny->num_states += num_elements;
    } else {
        node->rest = elements[0];
    }
    need(*tiny->at++ == ']', "an array does not end");
}

static tg_pii_state parse_value(tiny_graph *tiny)
{
    uint32_t scalar_flag = *tiny->at == '?' ? TG_PII_SEALED_SCALAR : 0;
    tiny->at += scalar_flag != 0 ? 1 : 0;
    bool is_strict = *tiny->at != '~';
    tiny->at += is_strict ? 0 : 1;
    if (*tiny->at == '.') {
        tiny->at++;
        return TG_PII_NOWHERE;
    }
    need(tiny->num_nodes < MAX_NODES, "too many values");
    tg_pii_state state = tiny->num_nodes++;
    tg_pii_node *node = &tiny->nodes[state];
    node->first_member = state * TABLE;
    node->member_mask = TABLE - 1;
    switch (*tiny->at) {
    case '!':
        tiny->at++;
        node->flags = TG_PII_SEALED;
        break;
    case '{':
        node->flags = is_strict ? TG_PII_NO_ARRAY : 0;
        parse_object(tiny, state);
        break;
    case '[':
        node->flags = is_strict ? TG_PII_NO_OBJECT : 0;
        parse_array(tiny, state);
        break;
    default:
        need(false, "no value");
    }
    node->flags |= scalar_flag;
    return state;
}

tg_pii_root tg_tiny_root(const char *text, bool defines_payload)
{
    static tiny_graph graphs[GRAPHS];
    static size_t num_made;
    tiny_graph *made = &graphs[num_made++ % GRAPHS];
    for (size_t i = 0; i < made->num_patterns; i++) {
        tg_pii_pattern_free(made->patterns[i]);
    }
    memset(made, 0, sizeof *made);
    for (size_t i = 0; i < TG_COUNT(made->members); i++) {
        made->members[i].key_len = UINT32_MAX;
    }
    made->num_nodes = 1;
    made->at = text;
    tg_pii_state state = parse_value(made);
    need(*made->at == 0, "something follows the value");
    made->graph =
        (tg_pii_graph){made->nodes, made->members, made->keys, made->states, made->pattern_list, made->num_nodes};
    return (tg_pii_root){&made->graph, state, defines_payload};
}
