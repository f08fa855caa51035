#include "support/schema_case.h"

#include "base/num.h"

tg_schema_set *tg_build_texts(const schema_text *texts, const tg_schema_options *options, tg_faults *faults)
{
    tg_schema_file files[16];
    size_t num_files = 0;
    for (; texts[num_files].name != NULL; num_files++) {
        assert_true(num_files < TG_COUNT(files));
        files[num_files].name = tg_slice_str(texts[num_files].name);
        files[num_files].bytes = tg_slice_str(texts[num_files].text);
    }
    tg_faults own;
    tg_faults_init(&own);
    tg_schema_set *set = NULL;
    assert_ok(tg_schema_set_build(files, num_files, options, faults != NULL ? faults : &own, &set));
    tg_faults_done(&own);
    return set;
}

tg_schema_set *tg_build_text(const char *text)
{
    const schema_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = tg_build_texts(texts, NULL, &faults);
    if (faults.num_faults > 0) {
        fail_msg("refused: line %u, %s: %s", faults.faults[0].line, faults.faults[0].field, faults.faults[0].reason);
    }
    tg_faults_done(&faults);
    return set;
}

void tg_assert_refused(const char *text, unsigned line, const char *pointer, const char *reason, const char *file,
                       int at)
{
    const schema_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = tg_build_texts(texts, NULL, &faults);
    const tg_detail *fault = tg_faults_kept(&faults) == 1 ? &faults.faults[0] : NULL;
    bool is_right = fault != NULL && tg_schema_set_num_schemas(set) == 0 && tg_schema_set_num_refused(set) == 1 &&
                    strcmp(fault->file, "a.yaml") == 0 && fault->line == line &&
                    (pointer == NULL || strcmp(fault->field, pointer) == 0) && strstr(fault->reason, reason) != NULL;
    if (!is_right) {
        print_error("faults: %zu, the first %s:%u: %s: %s\n", faults.num_faults, fault != NULL ? fault->file : "none",
                    fault != NULL ? fault->line : 0, fault != NULL ? fault->field : "",
                    fault != NULL ? fault->reason : "");
        _fail(file, at);
    }
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

uint32_t tg_flags_at(const tg_schema_set *set, const char *name, const char *path)
{
    tg_pii_root root;
    assert_ok(tg_schema_set_find(set, tg_slice_str(name), &root, NULL));
    tg_slice rest = tg_slice_str(path);
    tg_pii_state state = root.state;
    tg_slice_split(&rest, '/');
    while (rest.ptr != NULL && (tg_pii_flags(root.graph, state) & TG_PII_SEALED) == 0) {
        tg_slice step = tg_slice_split(&rest, '/');
        if (tg_slice_starts(step, TG_LIT("["))) {
            uint64_t index = 0;
            assert_ok(tg_num_parse_u64(tg_slice_of(step.ptr + 1, step.len - 2), UINT32_MAX, &index));
            state = tg_pii_element_next(root.graph, state, (size_t)index);
        } else {
            assert_ok(tg_pii_member_next(root.graph, state, step, tg_pii_hash(step), &state));
        }
    }
    return tg_pii_flags(root.graph, state);
}
