#include "base/text.h"
#include "schema/pii_paths.h"
#include "tool/commands.h"
#include "tool/lint.h"
#include "tool/schema_input.h"

typedef struct linting {
    const tg_invocation *invocation;
    tg_console *console;
    const char *folder;
    tg_buf out;
    bool is_json;
    bool shows_notes;
    size_t num_paths;
    size_t num_warnings;
    size_t num_notes;
    size_t num_in_list; /* entries of the JSON list being written */
} linting;

static tg_result append_json_text(linting *it, const char *name, tg_slice text)
{
    TG_TRY(tg_buf_printf(&it->out, ",\"%s\":", name));
    return tg_json_append_string(&it->out, text);
}

/* `file:line`, or `file#pointer` where there are no lines. */
static tg_result append_place(linting *it, const tg_pii_path *path)
{
    TG_TRY(tg_buf_append_str(&it->out, it->folder));
    TG_TRY(tg_text_append_printable(&it->out, path->file, SIZE_MAX));
    if (path->line > 0) {
        return tg_buf_printf(&it->out, ":%u", path->line);
    }
    TG_TRY(tg_buf_append_byte(&it->out, '#'));
    return tg_text_append_printable(&it->out, path->pointer, SIZE_MAX);
}

static tg_result append_json_place(linting *it, const tg_pii_path *path)
{
    TG_TRY(append_json_text(it, "file", path->file));
    TG_TRY(path->line > 0 ? tg_buf_printf(&it->out, ",\"line\":%u", path->line) : tg_ok());
    return append_json_text(it, "pointer", path->pointer);
}

static tg_slice shown_path(const tg_pii_path *path)
{
    return path->path.len > 0 ? path->path : TG_LIT("/");
}

static tg_result begin_entry(linting *it)
{
    return tg_buf_append_str(&it->out, it->num_in_list++ > 0 ? ",\n    {" : "\n    {");
}

static tg_result append_path(linting *it, const tg_pii_path *path)
{
    bool is_alias = path->kind == TG_PII_PATH_AS;
    if (it->is_json) {
        TG_TRY(begin_entry(it));
        TG_TRY(tg_buf_append_str(&it->out, "\"path\":"));
        TG_TRY(tg_json_append_string(&it->out, path->path));
        if (is_alias) {
            TG_TRY(append_json_text(it, "same_as", path->same_as));
        } else {
            TG_TRY(tg_buf_append_str(&it->out, ",\"types\":\""));
            TG_TRY(tg_type_append(path->types, &it->out));
            TG_TRY(tg_buf_append_byte(&it->out, '"'));
        }
        TG_TRY(append_json_place(it, path));
        return tg_buf_append_byte(&it->out, '}');
    }
    TG_TRY(tg_buf_append_str(&it->out, "  "));
    TG_TRY(tg_text_append_printable(&it->out, shown_path(path), SIZE_MAX));
    TG_TRY(tg_buf_append_str(&it->out, is_alias ? "  as below " : "  "));
    if (is_alias) {
        TG_TRY(tg_text_append_printable(&it->out, path->same_as.len > 0 ? path->same_as : TG_LIT("/"), SIZE_MAX));
        return tg_buf_append_byte(&it->out, '\n');
    }
    TG_TRY(tg_type_append(path->types, &it->out));
    TG_TRY(tg_buf_append_str(&it->out, "  "));
    TG_TRY(append_place(it, path));
    return tg_buf_append_byte(&it->out, '\n');
}

static bool is_accepted(const linting *it, const tg_pii_path *path)
{
    const char *accepted;
    for (size_t i = 0; (accepted = tg_invocation_value_at(it->invocation, "accept", i)) != NULL; i++) {
        if (tg_slice_equal(path->path, tg_slice_str(accepted))) {
            return true;
        }
    }
    return false;
}

static tg_result report(const tg_lint_finding *finding, void *owner)
{
    linting *it = owner;
    bool is_warning = finding->level == TG_LINT_WARNING;
    if (is_accepted(it, finding->path)) {
        return tg_ok();
    }
    it->num_warnings += is_warning;
    it->num_notes += !is_warning;
    if (it->is_json) {
        TG_TRY(begin_entry(it));
        TG_TRY(tg_buf_printf(&it->out, "\"level\":\"%s\",\"kind\":\"%s\"", is_warning ? "warning" : "note",
                             finding->kind));
        TG_TRY(append_json_text(it, "path", finding->path->path));
        TG_TRY(append_json_place(it, finding->path));
        TG_TRY(append_json_text(it, "reason", tg_slice_str(finding->reason)));
        return tg_buf_append_byte(&it->out, '}');
    }
    if (!is_warning && !it->shows_notes) {
        return tg_ok();
    }
    TG_TRY(append_place(it, finding->path));
    TG_TRY(tg_buf_append_str(&it->out, ": "));
    TG_TRY(tg_colour_append(&it->out, it->console->is_out_coloured, is_warning ? TG_COLOUR_YELLOW : TG_COLOUR_DIM,
                            is_warning ? "warning" : "note"));
    TG_TRY(tg_buf_append_str(&it->out, ": "));
    TG_TRY(tg_text_append_printable(&it->out, shown_path(finding->path), SIZE_MAX));
    return tg_buf_printf(&it->out, " %s\n", finding->reason);
}

static tg_result append_paths(linting *it, const tg_schema *schema)
{
    for (size_t i = 0; i < tg_schema_num_paths(schema); i++) {
        const tg_pii_path *path = tg_schema_path(schema, i);
        if (path->kind != TG_PII_PATH_PLAIN) {
            it->num_paths += path->kind == TG_PII_PATH_SEALED;
            TG_TRY(append_path(it, path));
        }
    }
    if (!it->is_json && tg_schema_paths_is_cut(schema)) {
        return tg_buf_printf(&it->out, "  (there are more than %d paths)\n", TG_MAX_PII_PATHS);
    }
    return tg_ok();
}

static tg_result append_schema(linting *it, const tg_schema *schema, bool is_first)
{
    tg_slice name = tg_schema_name(schema);
    if (!it->is_json) {
        TG_TRY(tg_text_append_printable(&it->out, name, SIZE_MAX));
        TG_TRY(tg_buf_printf(&it->out, ": %zu marked x-pii\n", tg_schema_num_marks(schema)));
        TG_TRY(append_paths(it, schema));
        return tg_lint_schema(schema, report, it);
    }
    TG_TRY(tg_buf_append_str(&it->out, is_first ? "\n  {\"name\":" : ",\n  {\"name\":"));
    TG_TRY(tg_json_append_string(&it->out, name));
    TG_TRY(append_json_text(it, "file", tg_schema_file_name(schema)));
    TG_TRY(tg_buf_printf(&it->out, ",\"is_cut\":%s,\"paths\":[", tg_schema_paths_is_cut(schema) ? "true" : "false"));
    it->num_in_list = 0;
    TG_TRY(append_paths(it, schema));
    TG_TRY(tg_buf_append_str(&it->out, "],\n   \"findings\":["));
    it->num_in_list = 0;
    TG_TRY(tg_lint_schema(schema, report, it));
    return tg_buf_append_str(&it->out, "]}");
}

static tg_result append_refused(linting *it, const tg_faults *faults)
{
    it->num_in_list = 0;
    for (size_t i = 0; i < tg_faults_kept(faults); i++) {
        const tg_detail *fault = &faults->faults[i];
        if (it->is_json) {
            TG_TRY(begin_entry(it));
            TG_TRY(tg_buf_append_str(&it->out, "\"file\":"));
            TG_TRY(tg_json_append_string(&it->out, tg_slice_str(fault->file)));
            TG_TRY(fault->line > 0 ? tg_buf_printf(&it->out, ",\"line\":%u", fault->line) : tg_ok());
            TG_TRY(append_json_text(it, "field", tg_slice_str(fault->field)));
            TG_TRY(append_json_text(it, "reason", tg_slice_str(fault->reason)));
            TG_TRY(append_json_text(it, "remedy", tg_slice_str(fault->remedy)));
            TG_TRY(tg_buf_append_byte(&it->out, '}'));
            continue;
        }
        TG_TRY(tg_buf_append_str(&it->out, it->folder));
        TG_TRY(tg_buf_append_str(&it->out, fault->file));
        TG_TRY(fault->line > 0 ? tg_buf_printf(&it->out, ":%u", fault->line) : tg_ok());
        TG_TRY(tg_buf_append_str(&it->out, ": "));
        TG_TRY(tg_colour_append(&it->out, it->console->is_out_coloured, TG_COLOUR_RED, "refused"));
        TG_TRY(fault->field[0] != 0 ? tg_buf_printf(&it->out, ": %s", fault->field) : tg_ok());
        TG_TRY(tg_buf_printf(&it->out, ": %s%s%s\n", fault->reason, fault->remedy[0] != 0 ? "; " : "", fault->remedy));
    }
    return tg_ok();
}

static tg_result append_count(tg_buf *out, size_t count, const char *what, const char *behind)
{
    return tg_buf_printf(out, "%zu %s%s%s", count, what, count == 1 ? "" : "s", behind);
}

static tg_result append_report(linting *it, const tg_schema_input *input)
{
    size_t num_schemas = tg_schema_set_num_schemas(input->set);
    size_t num_refused = tg_schema_set_num_refused(input->set);
    TG_TRY(it->is_json ? tg_buf_append_str(&it->out, "{\"schemas\":[") : tg_ok());
    for (size_t i = 0; i < num_schemas; i++) {
        TG_TRY(append_schema(it, tg_schema_set_at(input->set, i), i == 0));
    }
    TG_TRY(it->is_json ? tg_buf_append_str(&it->out, "],\n \"refused\":[") : tg_ok());
    TG_TRY(append_refused(it, &input->faults));
    if (it->is_json) {
        return tg_buf_printf(&it->out,
                             "],\n \"num_schemas\":%zu,\"num_refused\":%zu,\"num_paths\":%zu,"
                             "\"num_warnings\":%zu,\"num_notes\":%zu}\n",
                             num_schemas, num_refused, it->num_paths, it->num_warnings, it->num_notes);
    }
    TG_TRY(append_count(&it->out, num_schemas, "schema", ", "));
    TG_TRY(append_count(&it->out, num_refused, "refused file", ", "));
    TG_TRY(append_count(&it->out, it->num_paths, "sealed path", ", "));
    TG_TRY(append_count(&it->out, it->num_warnings, "warning", ", "));
    TG_TRY(append_count(&it->out, it->num_notes, "note",
                        it->num_notes > 0 && !it->shows_notes ? " (--notes shows them)\n" : "\n"));
    if (it->num_paths > 0 && it->shows_notes) {
        return tg_buf_append_str(&it->out, "Of every sealed value a token shows its length, and that it equals another "
                                           "value, in whichever field.\n");
    }
    return tg_ok();
}

static int status_of(const linting *it, const tg_schema_input *input)
{
    if (input->faults.num_faults > 0 || tg_schema_set_num_refused(input->set) > 0) {
        return TG_EXIT_CANNOT;
    }
    return it->num_warnings > 0 ? TG_EXIT_FINDINGS : TG_EXIT_OK;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    tg_schema_input input;
    int status = tg_schema_input_load(&input, invocation->arguments, invocation->num_arguments, true, console);
    if (status == TG_EXIT_OK && tg_schema_set_num_schemas(input.set) == 0 && input.faults.num_faults == 0) {
        status = tg_console_fail_text(console, "there is no OpenAPI document in %.150s", invocation->arguments[0]);
    }
    if (status == TG_EXIT_OK) {
        linting it = {.invocation = invocation,
                      .console = console,
                      .folder = input.folder,
                      .is_json = tg_invocation_has(invocation, "json"),
                      .shows_notes = tg_invocation_has(invocation, "notes")};
        tg_buf_init(&it.out, SIZE_MAX / 2);
        tg_result result = append_report(&it, &input);
        status = tg_is_ok(result) ? tg_console_write(console, tg_buf_slice(&it.out))
                                  : tg_console_fail_result(console, "the schemas cannot be listed", result);
        tg_buf_done(&it.out);
        status = status == TG_EXIT_OK ? status_of(&it, &input) : status;
    }
    tg_schema_input_done(&input);
    return status;
}

static const tg_option options[] = {
    {.name = "json", .help = "one JSON object instead of lines"},
    {.name = "notes", .help = "show notes too: what is worth knowing and no finding"},
    {.name = "accept",
     .argument = "PATH",
     .is_repeatable = true,
     .help = "a path, as listed, whose findings were looked at and accepted"},
};

const tg_command tg_schema_lint_command = {
    .name = "lint",
    .summary = "List what schemas seal, and what looks wrong with them.",
    .description =
        "Names files or one folder. Lists each sealed path with its type and line; what is refused and why; members\n"
        "that look personal and are not marked; marked ones of so few values that their tokens can be tabulated.\n"
        "Files that refer to each other are named together. Exit status: 0 clean, 1 findings, 2 a file is refused\n"
        "or cannot be read.",
    .arguments = "FILE...|FOLDER",
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .completes = TG_COMPLETES_FILES,
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  teegate schema lint examples/schemas\n"
                "  teegate schema lint --json --accept /card/pin payments.yaml",
    .run = run,
};
