#include "tool/lint.h"

#include "tool/domain.h"
#include "tool/suspects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Below the first a few seconds tabulate all values; below the second a patient caller of /encrypt does. */
#define SMALL_DOMAIN 1048576.0
#define LARGE_DOMAIN 17179869184.0

/* Places (file and pointer) that were reported: a table of hashes, never full. */
typedef struct place_set {
    uint64_t *hashes;
    size_t mask;
} place_set;

static uint64_t hash_bytes(uint64_t hash, tg_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.ptr[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static bool is_new_place(place_set *set, const tg_pii_path *path)
{
    uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), path->file);
    hash = hash_bytes(hash ^ path->kind, path->pointer) | 1;
    size_t at = (size_t)hash & set->mask;
    while (set->hashes[at] != 0 && set->hashes[at] != hash) {
        at = (at + 1) & set->mask;
    }
    bool is_new = set->hashes[at] == 0;
    set->hashes[at] = hash;
    return is_new;
}

static tg_result lint_plain(const tg_pii_path *path, tg_lint_report_fn *report, void *owner)
{
    bool may_be_text = (path->types & (TG_TYPE_STRING | TG_TYPE_NUMBER | TG_TYPE_INTEGER)) != 0;
    const tg_suspect *suspect = may_be_text && path->num_enum == 0 ? tg_suspect_find(path->name) : NULL;
    if (suspect == NULL) {
        return tg_ok();
    }
    tg_lint_finding finding = {
        .level = suspect->is_strong ? TG_LINT_WARNING : TG_LINT_NOTE, .kind = "suspect", .path = path};
    snprintf(finding.reason, sizeof finding.reason, "looks personal (%s) and leaves in clear: mark it x-pii: true",
             suspect->words);
    return report(&finding, owner);
}

static tg_result lint_sealed(const tg_pii_path *path, tg_lint_report_fn *report, void *owner)
{
    double count = tg_domain_of_path(path);
    bool is_date = tg_slice_equal(path->format, TG_LIT("date")) && path->num_enum == 0;
    if (!(count < LARGE_DOMAIN)) {
        return tg_ok();
    }
    tg_lint_finding finding = {.level = TG_LINT_NOTE, .kind = "large_domain", .path = path};
    if (is_date) {
        snprintf(finding.reason, sizeof finding.reason,
                 "a date has few values: who may call /encrypt can tabulate all tokens");
    } else if (count < SMALL_DOMAIN) {
        finding.level = TG_LINT_WARNING;
        finding.kind = "small_domain";
        snprintf(finding.reason, sizeof finding.reason, "has about %.0f values: equal values give equal tokens, so %s",
                 count,
                 count <= 1000 ? "frequencies alone tell them apart" : "a table of all tokens is made in seconds");
    } else {
        snprintf(finding.reason, sizeof finding.reason,
                 "has about %.1e values: who may call /encrypt long enough can tabulate all tokens", count);
    }
    return report(&finding, owner);
}

static tg_result lint_paths(const tg_schema *schema, place_set *seen, tg_lint_report_fn *report, void *owner)
{
    for (size_t i = 0; i < tg_schema_num_paths(schema); i++) {
        const tg_pii_path *path = tg_schema_path(schema, i);
        if (path->kind == TG_PII_PATH_AS || !is_new_place(seen, path)) {
            continue;
        }
        TG_TRY(path->kind == TG_PII_PATH_PLAIN ? lint_plain(path, report, owner) : lint_sealed(path, report, owner));
    }
    return tg_ok();
}

tg_result tg_lint_schema(const tg_schema *schema, tg_lint_report_fn *report, void *owner)
{
    size_t num_slots = 16;
    while (num_slots < 2 * tg_schema_num_paths(schema)) {
        num_slots *= 2;
    }
    place_set seen = {calloc(num_slots, sizeof *seen.hashes), num_slots - 1};
    if (seen.hashes == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = lint_paths(schema, &seen, report, owner);
    free(seen.hashes);
    return result;
}
