#include "base/text.h"
#include "schema/pii_paths.h"
#include "tool/commands.h"
#include "tool/schema_input.h"

static const char *const kind_names[] = {"added", "removed", "retyped"};
static const char *const kind_marks[] = {"+ ", "- ", "~ "};
static const tg_colour kind_colours[] = {TG_COLOUR_GREEN, TG_COLOUR_RED, TG_COLOUR_YELLOW};

typedef struct difference {
    tg_console *console;
    tg_buf out;
    bool is_json;
    bool is_cut;
    size_t num_changes; /* in all schemas */
    size_t num_removed;
} difference;

static tg_result append_types(tg_buf *out, bool is_json, const tg_pii_change *change)
{
    if (change->kind != TG_PII_RETYPED) {
        return tg_ok();
    }
    TG_TRY(tg_buf_append_str(out, is_json ? ",\"old_types\":\"" : "  "));
    TG_TRY(tg_type_append(change->old_types, out));
    TG_TRY(tg_buf_append_str(out, is_json ? "\",\"new_types\":\"" : " -> "));
    TG_TRY(tg_type_append(change->new_types, out));
    return tg_buf_append_str(out, is_json ? "\"" : "");
}

/* A schema whose file is on one side only: `schema` is its name, nothing is compared below. */
static tg_result append_change(difference *it, tg_slice schema, const tg_pii_change *change)
{
    it->num_removed += change->kind == TG_PII_REMOVED;
    if (it->is_json) {
        TG_TRY(tg_buf_printf(&it->out, "%s  {\"change\":\"%s\",\"schema\":", it->num_changes++ > 0 ? ",\n" : "\n",
                             kind_names[change->kind]));
        TG_TRY(tg_json_append_string(&it->out, schema));
        if (change->path != NULL) {
            TG_TRY(tg_buf_append_str(&it->out, ",\"path\":"));
            TG_TRY(tg_json_append_string(&it->out, tg_slice_str(change->path)));
        }
        TG_TRY(append_types(&it->out, true, change));
        return tg_buf_append_byte(&it->out, '}');
    }
    it->num_changes++;
    TG_TRY(
        tg_colour_append(&it->out, it->console->is_out_coloured, kind_colours[change->kind], kind_marks[change->kind]));
    TG_TRY(tg_text_append_printable(&it->out, schema, SIZE_MAX));
    TG_TRY(change->path != NULL ? tg_buf_printf(&it->out, " %s", change->path[0] != 0 ? change->path : "/")
                                : tg_buf_append_str(&it->out, " (the whole schema)"));
    TG_TRY(append_types(&it->out, false, change));
    return tg_buf_append_byte(&it->out, '\n');
}

static tg_result compare(difference *it, const tg_schema *old_schema, const tg_schema *new_schema)
{
    tg_pii_changes changes;
    TG_TRY(tg_schema_diff(old_schema, new_schema, &changes));
    tg_result result = tg_ok();
    for (size_t i = 0; i < changes.num_changes && tg_is_ok(result); i++) {
        result = append_change(it, tg_schema_name(new_schema), &changes.changes[i]);
    }
    it->is_cut = it->is_cut || changes.is_cut;
    tg_pii_changes_done(&changes);
    return result;
}

/* Both sets are in the order of their names: walked together. */
static tg_result compare_sets(difference *it, const tg_schema_set *old_set, const tg_schema_set *new_set)
{
    size_t num_old = tg_schema_set_num_schemas(old_set), num_new = tg_schema_set_num_schemas(new_set);
    for (size_t i = 0, j = 0; i < num_old || j < num_new;) {
        const tg_schema *old_schema = i < num_old ? tg_schema_set_at(old_set, i) : NULL;
        const tg_schema *new_schema = j < num_new ? tg_schema_set_at(new_set, j) : NULL;
        int order = old_schema == NULL   ? 1
                    : new_schema == NULL ? -1
                                         : tg_slice_compare(tg_schema_name(old_schema), tg_schema_name(new_schema));
        if (order == 0) {
            TG_TRY(compare(it, old_schema, new_schema));
        } else {
            const tg_pii_change whole = {.kind = order < 0 ? TG_PII_REMOVED : TG_PII_ADDED};
            TG_TRY(append_change(it, tg_schema_name(order < 0 ? old_schema : new_schema), &whole));
        }
        i += order <= 0;
        j += order >= 0;
    }
    return tg_ok();
}

/* Two files are compared whatever they are called. */
static tg_result compare_inputs(difference *it, const tg_schema_set *old_set, const tg_schema_set *new_set)
{
    bool are_files = tg_schema_set_num_schemas(old_set) == 1 && tg_schema_set_num_schemas(new_set) == 1;
    TG_TRY(it->is_json ? tg_buf_append_str(&it->out, "{\"changes\":[") : tg_ok());
    TG_TRY(are_files ? compare(it, tg_schema_set_at(old_set, 0), tg_schema_set_at(new_set, 0))
                     : compare_sets(it, old_set, new_set));
    if (it->is_json) {
        return tg_buf_printf(&it->out, "],\"num_changes\":%zu,\"num_removed\":%zu,\"is_cut\":%s}\n", it->num_changes,
                             it->num_removed, it->is_cut ? "true" : "false");
    }
    TG_TRY(it->is_cut ? tg_buf_append_str(&it->out, "(there are more differences than are listed)\n") : tg_ok());
    return it->num_removed == 0 ? tg_ok()
                                : tg_buf_printf(&it->out,
                                                "%zu removed: a running enclave keeps the old graph unless "
                                                "SCHEMA_ALLOW_REMOVAL is true\n",
                                                it->num_removed);
}

static int load(tg_schema_input *input, const char *path, tg_console *console)
{
    int status = tg_schema_input_load(input, &path, 1, true, console);
    if (status == TG_EXIT_OK && input->faults.num_faults > 0) {
        tg_schema_input_say_faults(input, console);
        status = tg_console_fail_text(console, "%.150s cannot be compared: part of it is refused", path);
    } else if (status == TG_EXIT_OK && tg_schema_set_num_schemas(input->set) == 0) {
        status = tg_console_fail_text(console, "%.150s holds no schema", path);
    }
    return status;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    tg_schema_input old_input = {.set = NULL}, new_input = {.set = NULL};
    difference it = {.console = console, .is_json = tg_invocation_has(invocation, "json")};
    tg_buf_init(&it.out, SIZE_MAX / 2);
    int status = load(&old_input, invocation->arguments[0], console);
    if (status == TG_EXIT_OK) {
        status = load(&new_input, invocation->arguments[1], console);
    }
    if (status == TG_EXIT_OK) {
        tg_result result = compare_inputs(&it, old_input.set, new_input.set);
        status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&it.out))
                                  : tg_console_fail_result(console, "the schemas cannot be compared", result);
    }
    tg_buf_done(&it.out);
    tg_schema_input_done(&old_input);
    tg_schema_input_done(&new_input);
    return status == TG_EXIT_OK && (it.num_changes > 0 || it.is_cut) ? TG_EXIT_FINDINGS : status;
}

static const tg_option options[] = {{.name = "json", .help = "one JSON object instead of lines"}};

const tg_command tg_schema_diff_command = {
    .name = "diff",
    .summary = "Compare what two schemas seal.",
    .description =
        "Two files, whatever their names, or two folders, schema by schema. `+` is sealed by NEW only, `-` by OLD\n"
        "only, `~` by both with another type. Exit status: 0 the same, 1 they differ, 2 one cannot be loaded.",
    .arguments = "OLD NEW",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = TG_COMPLETES_FILES,
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  teegate schema diff payments-1.yaml payments-2.yaml",
    .run = run,
};
