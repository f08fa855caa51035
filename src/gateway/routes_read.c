#include "gateway/routes.h"

#include "gateway/route_members.h"
#include "gateway/routes_parts.h"
#include "secrets/bundle.h"
#include "sys/file.h"
#include "sys/log.h"

#include <stdlib.h>

enum { MAX_ARENA_BYTES = 64 << 20 };

#define EXAMPLE                                                                                                        \
    "{\"routes\": [{\"path\": \"/process\", \"upstream\": {\"url\": \"https://backend.example:8080/process\"}}]}"

static int compare_paths(const void *a, const void *b)
{
    const tg_route_place *left = a;
    const tg_route_place *right = b;
    return tg_slice_compare(left->route->path, right->route->path);
}

/* The names of delivered values, each once. */
static void collect_values(const tg_config_node *list, tg_routes *routes)
{
    routes->value_names = tg_config_alloc(list->reader, routes->num_routes, sizeof *routes->value_names);
    for (size_t i = 0; routes->value_names != NULL && i < routes->num_routes; i++) {
        const char *name = (const char *)routes->routes[i].upstream_value.ptr;
        bool is_new = name != NULL;
        for (size_t j = 0; is_new && j < routes->num_value_names; j++) {
            is_new = strcmp(routes->value_names[j], name) != 0;
        }
        if (is_new) {
            routes->value_names[routes->num_value_names++] = name;
        }
    }
    if (routes->num_value_names > TG_MAX_SECRET_VALUES) {
        tg_detail *fault = tg_config_fault(list);
        tg_detail_set_reason(fault, "the routes refer to more than %d delivered values", TG_MAX_SECRET_VALUES);
        tg_detail_set_remedy(fault, "share some, or write url");
    }
}

static void check_double(const tg_config_node *node, const tg_gateway_route *routes, size_t index)
{
    for (size_t i = 0; i < index && routes[index].path.len > 0; i++) {
        if (tg_slice_equal(routes[i].path, routes[index].path)) {
            tg_detail *fault = tg_config_fault(node);
            tg_detail_set_reason(fault, "/routes/%zu has the path %s too", i, routes[i].label);
            tg_detail_set_remedy(fault, "keep one route for a path; its methods may be several");
            return;
        }
    }
}

static void read_list(const tg_config_node *list, const tg_route_guards *guards, tg_routes *routes)
{
    if (!tg_config_is_array(list, "[{\"path\": \"/process\", ...}]")) {
        return;
    }
    size_t num_routes = json_array_size(list->value);
    if (num_routes > TG_MAX_ROUTES) {
        tg_detail *fault = tg_config_fault(list);
        tg_detail_set_reason(fault, "there are more than %d routes", TG_MAX_ROUTES);
        return;
    }
    tg_gateway_route *read = tg_config_alloc(list->reader, num_routes + 1, sizeof *read);
    routes->by_path = tg_config_alloc(list->reader, num_routes + 1, sizeof *routes->by_path);
    if (read == NULL || routes->by_path == NULL) {
        return;
    }
    for (size_t i = 0; i < num_routes; i++) {
        tg_config_node node = tg_config_item(list, i);
        tg_route_read(&node, guards, &read[i]);
        check_double(&node, read, i);
        routes->by_path[i].route = &read[i];
    }
    routes->routes = read;
    routes->num_routes = num_routes;
    if (num_routes > 0) {
        qsort(routes->by_path, num_routes, sizeof *routes->by_path, compare_paths);
        collect_values(list, routes);
    }
}

static void read_root(const tg_config_node *root, const tg_route_guards *guards, tg_routes *routes)
{
    static const char *const known[] = {"routes", NULL};
    tg_config_node list;
    tg_config_refuse_others(root, known);
    if (!tg_config_member(root, "routes", &list)) {
        tg_detail *fault = tg_config_fault(root);
        tg_detail_set_reason(fault, "there are no routes");
        tg_detail_set_remedy(fault, "write %s", EXAMPLE);
        return;
    }
    read_list(&list, guards, routes);
}

static tg_routes *make(const tg_route_guards *guards)
{
    tg_routes *routes = calloc(1, sizeof *routes);
    if (routes != NULL) {
        tg_refs_init(&routes->refs);
        tg_arena_init(&routes->arena, MAX_ARENA_BYTES, false);
        routes->are_hosts_listed = guards->allowed_hosts.num_items > 0;
        routes->are_authorities_pinned = guards->ca_sha256.num_items > 0;
        routes->are_deliveries_sealed = guards->are_deliveries_sealed;
    }
    return routes;
}

tg_result tg_routes_parse(const char *file, tg_slice json, const tg_route_guards *guards, tg_faults *faults,
                          tg_routes **out_routes)
{
    size_t num_before = faults->num_faults;
    json_t *tree;
    TG_TRY(tg_config_load(file, json, EXAMPLE, faults, &tree));
    tg_routes *routes = make(guards);
    tg_result result = routes != NULL ? tg_arena_copy(&routes->arena, json, &routes->text) : tg_fail(TG_ERR_MEMORY);
    if (tg_is_ok(result)) {
        tg_config_reader reader = {.file = file, .json = json, .arena = &routes->arena, .faults = faults};
        tg_config_node root = {.reader = &reader, .value = tree};
        read_root(&root, guards, routes);
        result = reader.is_out_of_memory           ? tg_fail(TG_ERR_MEMORY)
                 : faults->num_faults > num_before ? tg_fail(TG_ERR_SYNTAX)
                                                   : tg_ok();
    }
    json_decref(tree);
    if (!tg_is_ok(result)) {
        tg_routes_unref(routes);
        return result;
    }
    *out_routes = routes;
    return tg_ok();
}

tg_result tg_routes_read(const char *path, const tg_route_guards *guards, tg_faults *faults, tg_routes **out_routes)
{
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_ROUTES_BYTES);
    tg_result result = tg_file_read_regular(path, &bytes);
    if (tg_is_ok(result)) {
        result = tg_routes_parse(path, tg_buf_slice(&bytes), guards, faults, out_routes);
    } else if (result.code != TG_ERR_MEMORY) {
        tg_detail *fault = tg_faults_add(faults);
        tg_detail_set_place(fault, tg_slice_str(path), 0, TG_LIT(""));
        if (result.code == TG_ERR_LIMIT) {
            tg_detail_set_reason(fault, "the routes are longer than %d bytes", TG_MAX_ROUTES_BYTES);
        } else {
            tg_detail_set_reason(fault, "the routes cannot be read: %s", tg_log_error_text(result));
            tg_detail_set_remedy(fault, "name a readable file by ROUTES_PATH, or write one: %s", EXAMPLE);
        }
        result = tg_fail(TG_ERR_SYNTAX);
    }
    tg_buf_done(&bytes);
    return result;
}
