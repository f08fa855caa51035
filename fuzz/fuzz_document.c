// room: schema
/* One document, as JSON and as YAML: whoever takes it, the tree is whole; where both take it, it is the same tree. */
#include "schema/document.h"
#include "schema/yaml_scalar.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static void require(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static size_t visit(const tg_doc *doc, tg_doc_node node, size_t depth)
{
    require(depth <= TG_MAX_DOC_DEPTH && node < doc->num_items);
    size_t num = 1;
    for (size_t i = 0; i < tg_doc_count(doc, node); i++) {
        tg_slice key;
        bool is_map = tg_doc_is(doc, node, TG_DOC_MAP);
        tg_doc_node child = is_map ? tg_doc_member_at(doc, node, i, &key) : tg_doc_element(doc, node, i);
        require(!is_map || tg_doc_get(doc, node, key) == child);
        num += visit(doc, child, depth + 1);
    }
    return num;
}

static bool is_equal(const tg_doc *a, tg_doc_node x, const tg_doc *b, tg_doc_node y)
{
    tg_doc_kind kind = tg_doc_kind_of(a, x);
    if (kind != tg_doc_kind_of(b, y) || tg_doc_count(a, x) != tg_doc_count(b, y)) {
        return false;
    }
    for (size_t i = 0; i < tg_doc_count(a, x); i++) {
        tg_slice key;
        tg_doc_node child = kind == TG_DOC_MAP ? tg_doc_member_at(a, x, i, &key) : tg_doc_element(a, x, i);
        tg_doc_node other = kind == TG_DOC_MAP ? tg_doc_get(b, y, key) : tg_doc_element(b, y, i);
        if (other == TG_DOC_NONE || !is_equal(a, child, b, other)) {
            return false;
        }
    }
    double left = kind == TG_DOC_NUMBER ? a->items[x].number : 0;
    double right = kind == TG_DOC_NUMBER ? b->items[y].number : 0;
    return fabs(left - right) <= fabs(left) * 1e-9 && a->items[x].is_true == b->items[y].is_true &&
           tg_slice_equal(tg_doc_text(a, x), tg_doc_text(b, y));
}

/* NEL, LS and PS are line breaks to YAML and letters to JSON. */
static bool has_foreign_break(tg_slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if ((text.ptr[i] == 0xc2 && text.ptr[i + 1] == 0x85) || (text.ptr[i] == 0xe2 && text.ptr[i + 1] == 0x80)) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice bytes = tg_slice_of(data, size);
    tg_detail detail = {0};
    tg_doc json;
    tg_doc yaml;
    bool is_json = tg_is_ok(tg_doc_parse(&json, TG_LIT("a.json"), bytes, &detail));
    require(is_json || detail.reason[0] != 0);
    tg_detail_clear(&detail);
    bool is_yaml = tg_is_ok(tg_doc_parse(&yaml, TG_LIT("a.yaml"), bytes, &detail));
    require(is_yaml || detail.reason[0] != 0);
    if (is_json && json.items[json.root].weight < 100000) {
        require(visit(&json, json.root, 1) == json.items[json.root].weight);
    }
    if (is_yaml && yaml.items[yaml.root].weight < 100000) {
        require(visit(&yaml, yaml.root, 1) == yaml.items[yaml.root].weight);
    }
    if (is_json && is_yaml && !has_foreign_break(bytes)) {
        require(is_equal(&json, json.root, &yaml, yaml.root));
    }
    tg_doc_done(&json);
    tg_doc_done(&yaml);
    tg_doc_item item = tg_yaml_resolve_plain(bytes);
    require(item.kind <= TG_DOC_TEXT);
    return 0;
}
