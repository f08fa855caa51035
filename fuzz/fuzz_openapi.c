// room: schema
/* A set of one or two hostile files: compiled, walked, refreshed and compared. The first byte says what the files are:
 * bit 0: JSON; bit 1: a second file follows behind the first NUL; bit 2: for lint; bit 3: the second is a refresh. */
#include "schema/pii_paths.h"
#include "schema/schema_set.h"

#include <stdint.h>
#include <stdlib.h>

static void require(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

/* Every state that is named must be there, and each way on must end in a state. */
static void walk(const tg_pii_graph *graph)
{
    static const char *const names[] = {"", "a", "ssn", "payload", "\xff", "p_x"};
    for (uint32_t state = 0; state < graph->num_nodes; state++) {
        for (size_t i = 0; i < TG_COUNT(names); i++) {
            tg_slice name = tg_slice_str(names[i]);
            tg_pii_state next = 0;
            tg_result result = tg_pii_member_next(graph, state, name, tg_pii_hash(name), &next);
            require(!tg_is_ok(result) || next < graph->num_nodes);
            require(tg_is_ok(result) || result.code == TG_ERR_LIMIT || result.code == TG_ERR_SYNTAX);
        }
        for (size_t i = 0; i < 4; i++) {
            require(tg_pii_element_next(graph, state, i) < graph->num_nodes);
        }
    }
}

static void look_at(const tg_schema_set *set)
{
    tg_pii_root root;
    const tg_schema *found;
    require(!tg_is_ok(tg_schema_set_find(set, TG_LIT("b#"), &root, NULL)) || root.graph != NULL);
    for (size_t i = 0; i < tg_schema_set_num_schemas(set); i++) {
        const tg_schema *schema = tg_schema_set_at(set, i);
        require(tg_is_ok(tg_schema_set_find(set, tg_schema_name(schema), &root, &found)) && found == schema);
        require(root.state < root.graph->num_nodes);
        walk(root.graph);
        for (size_t k = 0; k < tg_schema_num_paths(schema); k++) {
            require(tg_schema_path(schema, k)->path.len < 8192);
        }
    }
}

static void compare(const tg_schema_set *old_set, const tg_schema_set *new_set)
{
    if (tg_schema_set_num_schemas(old_set) == 1 && tg_schema_set_num_schemas(new_set) == 1) {
        tg_pii_changes changes;
        if (tg_is_ok(tg_schema_diff(tg_schema_set_at(old_set, 0), tg_schema_set_at(new_set, 0), &changes))) {
            tg_pii_changes_done(&changes);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint8_t kind = data[0];
    tg_slice second = tg_slice_of(data + 1, size - 1);
    tg_slice first = (kind & 2) != 0 ? tg_slice_split(&second, 0) : second;
    bool is_json = (kind & 1) != 0;
    bool is_refresh = (kind & 8) != 0;
    const tg_schema_file files[] = {{is_json ? TG_LIT("a.json") : TG_LIT("a.yaml"), first},
                                    {is_json ? TG_LIT("b.json") : TG_LIT("b.yaml"), second}};
    const tg_schema_file fresh = {files[0].name, second};
    size_t num_files = (kind & 2) != 0 && second.ptr != NULL ? 2 : 1;
    tg_schema_options options = {.is_for_lint = (kind & 4) != 0};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    if (tg_is_ok(tg_schema_set_build(files, is_refresh ? 1 : num_files, &options, &faults, &set))) {
        look_at(set);
        options.previous = set;
        tg_schema_set *next = NULL;
        if (is_refresh && num_files == 2 && tg_is_ok(tg_schema_set_build(&fresh, 1, &options, &faults, &next))) {
            require(tg_schema_set_num_schemas(next) >= tg_schema_set_num_schemas(set));
            look_at(next);
            compare(set, next);
            tg_schema_set_unref(next);
        }
        tg_schema_set_unref(set);
    }
    tg_faults_done(&faults);
    return 0;
}
