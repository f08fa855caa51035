// room: schema
/* Prints what a schema does with a JSON document: a line for each sealed position, for tests that compare it with an
 * independent evaluation.
 *
 *   pii_positions SCHEMA_DIRECTORY < REQUESTS
 *
 * REQUESTS is a JSON document a line: {"schema": "name", "document": ...}. The answer to each is one line: a JSON
 * object
 * {"sealed": [pointers], "mismatched": [pointers], "payload": bool}, or {"error": text}. Faults of loading go to
 * stderr.
 */
#include "schema/schema_set.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct positions {
    json_t *sealed;
    json_t *mismatched;
} positions;

static void visit(positions *answer, const tg_pii_graph *graph, tg_pii_state state, const json_t *value,
                  const char *pointer);

static void visit_member(positions *answer, const tg_pii_graph *graph, tg_pii_state state, const char *key, size_t len,
                         const json_t *value, const char *pointer)
{
    tg_slice name = tg_slice_of(key, len);
    tg_pii_state next;
    if (!tg_is_ok(tg_pii_member_next(graph, state, name, tg_pii_hash(name), &next))) {
        fprintf(stderr, "pii_positions: a pattern gave up\n");
        exit(2);
    }
    char *below = malloc(strlen(pointer) + 2 * len + 2);
    size_t at = strlen(pointer);
    memcpy(below, pointer, at);
    below[at++] = '/';
    for (size_t i = 0; i < len; i++) {
        if (key[i] == '~' || key[i] == '/') {
            below[at++] = '~';
            below[at++] = key[i] == '~' ? '0' : '1';
        } else {
            below[at++] = key[i];
        }
    }
    below[at] = 0;
    visit(answer, graph, next, value, below);
    free(below);
}

static void visit(positions *answer, const tg_pii_graph *graph, tg_pii_state state, const json_t *value,
                  const char *pointer)
{
    uint32_t flags = tg_pii_flags(graph, state);
    bool is_scalar = !json_is_object(value) && !json_is_array(value);
    if ((flags & TG_PII_SEALED) != 0 || (is_scalar && (flags & TG_PII_SEALED_SCALAR) != 0)) {
        json_array_append_new(answer->sealed, json_string(pointer));
        return;
    }
    bool is_mismatch = (json_is_object(value) && (flags & TG_PII_NO_OBJECT) != 0) ||
                       (json_is_array(value) && (flags & TG_PII_NO_ARRAY) != 0);
    if (is_mismatch) {
        json_array_append_new(answer->mismatched, json_string(pointer));
        return;
    }
    if (json_is_object(value)) {
        json_t *object = json_incref((json_t *)(uintptr_t)value);
        for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
            visit_member(answer, graph, state, json_object_iter_key(at), json_object_iter_key_len(at),
                         json_object_iter_value(at), pointer);
        }
        json_decref(object);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *below = malloc(strlen(pointer) + 24);
        snprintf(below, strlen(pointer) + 24, "%s/%zu", pointer, i);
        visit(answer, graph, tg_pii_element_next(graph, state, i), json_array_get(value, i), below);
        free(below);
    }
}

static void respond(const tg_schema_set *set, const json_t *request)
{
    tg_pii_root root;
    const char *name = json_string_value(json_object_get(request, "schema"));
    if (!tg_is_ok(tg_schema_set_find(set, tg_slice_str(name), &root, NULL))) {
        printf("{\"error\": \"not_found\"}\n");
        return;
    }
    positions answer = {json_array(), json_array()};
    visit(&answer, root.graph, root.state, json_object_get(request, "document"), "");
    json_t *line = json_pack("{s:o, s:o, s:b}", "sealed", answer.sealed, "mismatched", answer.mismatched, "payload",
                             (int)root.defines_payload);
    char *text = json_dumps(line, JSON_COMPACT);
    printf("%s\n", text);
    free(text);
    json_decref(line);
}

int main(int argc, char **argv)
{
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    tg_result result = argc == 2 ? tg_schema_set_load(argv[1], NULL, &faults, &set) : tg_fail(TG_ERR_SYNTAX);
    for (size_t i = 0; i < tg_faults_kept(&faults); i++) {
        const tg_detail *fault = &faults.faults[i];
        fprintf(stderr, "%s:%u: %s: %s; %s\n", fault->file, fault->line, fault->field, fault->reason, fault->remedy);
    }
    tg_faults_done(&faults);
    if (!tg_is_ok(result)) {
        fprintf(stderr, "pii_positions: %s\n", tg_code_name(result.code));
        return 2;
    }
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        json_t *request = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);
        if (request == NULL) {
            printf("{\"error\": \"not_json\"}\n");
            continue;
        }
        respond(set, request);
        json_decref(request);
    }
    free(line);
    tg_schema_set_unref(set);
    return 0;
}
