#include "gateway/route_members.h"

#include "base/text.h"
#include "gateway/upstream_guards.h"
#include "http/grammar.h"
#include "secrets/bundle.h"
#include "settings/client_name.h"

enum { DEFAULT_TIMEOUT_MS = 30000, DEFAULT_ANSWER_BYTES = 10 << 20, MAX_SCHEMA_NAME_BYTES = 512 };

static void refuse(const tg_config_node *node, const char *reason, const char *remedy)
{
    tg_detail *fault = tg_config_fault(node);
    tg_detail_set_reason(fault, "%s", reason);
    tg_detail_set_remedy(fault, "%s", remedy);
}

/* A list of texts, each once. check: NULL, or what is wrong with an item. */
static bool read_texts(const tg_config_node *node, size_t max_items, size_t max_bytes, tg_setting_check_fn *check,
                       tg_slice **out_items, size_t *out_num)
{
    if (!tg_config_is_array(node, "[\"...\", ...]")) {
        return false;
    }
    size_t num_items = json_array_size(node->value);
    if (num_items == 0 || num_items > max_items) {
        tg_detail *fault = tg_config_fault(node);
        tg_detail_set_reason(fault, num_items == 0 ? "the list is empty" : "the list is too long");
        tg_detail_set_remedy(fault, "name 1 to %zu, or leave the member out", max_items);
        return false;
    }
    tg_slice *items = tg_config_alloc(node->reader, num_items, sizeof *items);
    bool is_good = items != NULL;
    for (size_t i = 0; items != NULL && i < num_items; i++) {
        tg_config_node item = tg_config_item(node, i);
        if (!tg_config_text(&item, max_bytes, &items[i])) {
            is_good = false;
            continue;
        }
        const char *wrong = check != NULL ? check(items[i]) : NULL;
        for (size_t j = 0; wrong == NULL && j < i; j++) {
            wrong = tg_slice_equal(items[i], items[j]) ? "stands in the list twice" : NULL;
        }
        if (wrong != NULL) {
            tg_detail *fault = tg_config_fault(&item);
            tg_detail_set_reason(fault, "%s %s", (const char *)items[i].ptr, wrong);
            is_good = false;
        }
    }
    if (is_good) {
        *out_items = items;
        *out_num = num_items;
    }
    return is_good;
}

static const struct {
    const char *name;
    bool has_body;
} methods[TG_HTTP_NUM_METHODS] = {
    [TG_HTTP_GET] = {"GET", false}, [TG_HTTP_HEAD] = {"HEAD", false},     [TG_HTTP_POST] = {"POST", true},
    [TG_HTTP_PUT] = {"PUT", true},  [TG_HTTP_DELETE] = {"DELETE", false}, [TG_HTTP_PATCH] = {"PATCH", true},
};

static const char *method_fault(tg_slice name)
{
    return methods[tg_http_method_of(name)].name != NULL ? NULL : "is not among GET, HEAD, POST, PUT, DELETE and PATCH";
}

/* The Allow header's list, in one order whatever the file's. */
static void set_allow(tg_config_reader *reader, tg_gateway_route *route)
{
    tg_buf text;
    tg_slice copy;
    tg_buf_init(&text, 64);
    tg_result result = tg_ok();
    for (size_t i = 0; i < TG_COUNT(methods) && tg_is_ok(result); i++) {
        if ((route->methods & 1u << i) != 0) {
            result = tg_buf_printf(&text, "%s%s", tg_buf_len(&text) > 0 ? ", " : "", methods[i].name);
        }
    }
    result = tg_is_ok(result) ? tg_arena_copy(reader->arena, tg_buf_slice(&text), &copy) : result;
    reader->is_out_of_memory = reader->is_out_of_memory || !tg_is_ok(result);
    route->allow = tg_is_ok(result) ? (const char *)copy.ptr : "";
    tg_buf_done(&text);
}

static void read_methods(const tg_config_node *node, tg_gateway_route *route)
{
    tg_config_node member;
    tg_slice *names;
    size_t num_names;
    route->methods = 1u << TG_HTTP_POST;
    if (tg_config_member(node, "methods", &member) &&
        read_texts(&member, TG_HTTP_NUM_METHODS, 16, method_fault, &names, &num_names)) {
        route->methods = 0;
        for (size_t i = 0; i < num_names; i++) {
            route->methods |= 1u << tg_http_method_of(names[i]);
        }
    }
    set_allow(node->reader, route);
}

static void read_clients(const tg_config_node *node, const tg_route_guards *guards, tg_gateway_route *route)
{
    tg_config_node member;
    tg_slice *names;
    size_t num_names;
    if (!tg_config_member(node, "clients", &member) ||
        !read_texts(&member, TG_MAX_ROUTE_CLIENTS, TG_MAX_CLIENT_NAME_BYTES, tg_client_name_fault, &names,
                    &num_names)) {
        return;
    }
    if (!guards->has_client_ca) {
        refuse(&member, "names clients, but CLIENT_CA_PATH is not set: no client can prove its name",
               "set CLIENT_CA_PATH to the authorities of the clients' certificates");
    }
    const char **items = tg_config_alloc(node->reader, num_names, sizeof *items);
    for (size_t i = 0; items != NULL && i < num_names; i++) {
        items[i] = (const char *)names[i].ptr;
    }
    route->clients = (tg_setting_list){items, items != NULL ? num_names : 0};
}

/* path = 1*( "/" segment ); percent signs are refused so that a path has one spelling. */
static const char *path_fault(tg_slice path, const tg_route_guards *guards)
{
    if (path.ptr[0] != '/') {
        return "begins without a slash";
    }
    for (size_t i = 0; i < path.len; i++) {
        if (!tg_http_is(path.ptr[i], TG_HTTP_PCHAR) || path.ptr[i] == '%') {
            return "holds a byte that no path holds as it is (a query, a percent sign, a blank)";
        }
    }
    for (tg_slice rest = tg_slice_from(path, 1); rest.ptr != NULL && path.len > 1;) {
        tg_slice segment = tg_slice_split(&rest, '/');
        if (tg_slice_equal(segment, TG_LIT(".")) || tg_slice_equal(segment, TG_LIT("..")) ||
            (segment.len == 0 && rest.ptr != NULL)) {
            return "has an empty segment, or one that stands for another";
        }
    }
    bool is_taken = guards->is_path_taken != NULL && guards->is_path_taken(path);
    return is_taken || tg_slice_starts(path, TG_LIT("/.well-known/")) ? "is the enclave's own" : NULL;
}

static void read_path(const tg_config_node *node, const tg_route_guards *guards, tg_gateway_route *route)
{
    tg_config_node member;
    if (!tg_config_member(node, "path", &member)) {
        refuse(node, "the route has no path", "write \"path\": \"/process\"");
        return;
    }
    tg_slice path;
    if (!tg_config_text(&member, TG_MAX_ROUTE_PATH_BYTES, &path)) {
        return;
    }
    const char *wrong = path_fault(path, guards);
    if (wrong != NULL) {
        tg_detail *fault = tg_config_fault(&member);
        tg_detail_set_reason(fault, "%s %s", (const char *)path.ptr, wrong);
        tg_detail_set_remedy(fault, "write another path, like /process");
        return;
    }
    route->path = path;
    route->label = (const char *)path.ptr;
}

static bool read_crypto(const tg_config_node *object, const char *key, tg_route_crypto *out_crypto)
{
    tg_config_node member;
    tg_slice name;
    if (!tg_config_member(object, key, &member) || !tg_config_text(&member, 16, &name)) {
        return false;
    }
    for (tg_route_crypto each = TG_CRYPTO_NONE; each <= TG_CRYPTO_OHTTP; each++) {
        if (tg_slice_equal(name, tg_slice_str(tg_route_crypto_name(each)))) {
            *out_crypto = each;
            return true;
        }
    }
    refuse(&member, "there is no such way", "write none, fields, jwe or ohttp");
    return false;
}

static bool is_among(tg_slice name, const char *const *names)
{
    while (*names != NULL && !tg_slice_equal(name, tg_slice_str(*names))) {
        names++;
    }
    return *names != NULL;
}

const char *tg_route_header_fault(tg_slice name, bool is_plain)
{
    static const char *const framing[] = {"connection", "keep-alive",       "proxy-connection",
                                          "te",         "trailer",          "transfer-encoding",
                                          "upgrade",    "content-length",   "host",
                                          "expect",     "content-encoding", "http2-settings",
                                          NULL};
    static const char *const hops[] = {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", NULL};
    static const char *const credentials[] = {
        "authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate", "cookie", "set-cookie", NULL};
    static const char *const of_body[] = {"accept-encoding", "content-digest", "content-md5", "content-range",
                                          "digest",          "etag",           "repr-digest", NULL};
    static const char *const fixed[] = {"content-type", "x-request-id", "traceparent", "tracestate", NULL};
    if (!tg_http_is_token(name)) {
        return "is no header name (RFC 9110 section 5.1)";
    }
    if (is_among(name, framing)) {
        return "belongs to one connection or one body, and never passes";
    }
    if (is_among(name, hops) || tg_slice_starts(name, TG_LIT("x-forwarded-"))) {
        return "is what the host could say, and never passes";
    }
    if (is_among(name, fixed)) {
        return "is seen to by the gateway, and need not be listed";
    }
    if (!is_plain && is_among(name, credentials)) {
        return "is a credential: it passes on routes alone that neither decrypt nor encrypt";
    }
    if (!is_plain && is_among(name, of_body)) {
        return "is about the body's bytes, which this route changes";
    }
    return NULL;
}

static void read_headers(const tg_config_node *object, bool is_plain, const tg_slice **out_names, size_t *out_num)
{
    tg_config_node member;
    tg_slice *names;
    size_t num_names;
    if (!tg_config_member(object, "headers", &member) ||
        !read_texts(&member, TG_MAX_ROUTE_HEADERS, TG_MAX_ROUTE_HEADER_BYTES, NULL, &names, &num_names)) {
        return;
    }
    for (size_t i = 0; i < num_names; i++) {
        uint8_t *lower = tg_config_alloc(object->reader, names[i].len + 1, 1);
        for (size_t j = 0; lower != NULL && j < names[i].len; j++) {
            lower[j] = tg_ascii_lower(names[i].ptr[j]);
        }
        names[i] = tg_slice_of(lower, lower != NULL ? names[i].len : 0);
        const char *wrong = lower != NULL ? tg_route_header_fault(names[i], is_plain) : NULL;
        if (wrong != NULL) {
            tg_config_node item = tg_config_item(&member, i);
            tg_detail *fault = tg_config_fault(&item);
            tg_detail_set_reason(fault, "%s %s", (const char *)lower, wrong);
            tg_detail_set_remedy(fault, "remove it");
        }
    }
    *out_names = names;
    *out_num = num_names;
}

/* The schema where the way is `fields`, and nowhere else. */
static void read_schema(const tg_config_node *object, bool is_fields, tg_slice *out_schema)
{
    tg_config_node member;
    if (tg_config_member(object, "schema", &member) && tg_config_text(&member, MAX_SCHEMA_NAME_BYTES, out_schema) &&
        !is_fields) {
        refuse(&member, "a schema has no use here", "remove it, or say fields");
    }
}

/* A member that holds an object; absent, an empty one is read, so that the defaults are set. */
static bool object_member(const tg_config_node *node, const char *key, const char *form, tg_config_node *out_member)
{
    return tg_config_member(node, key, out_member) && tg_config_is_object(out_member, form);
}

static void read_request(const tg_config_node *node, const tg_route_guards *guards, bool is_plain,
                         tg_gateway_route *route)
{
    static const char *const known[] = {"decrypt", "schema", "headers", "max_bytes", NULL};
    tg_config_node request, member;
    route->max_request_bytes = guards->max_body_bytes;
    if (!object_member(node, "request", "{\"decrypt\": \"jwe\"}", &request)) {
        return;
    }
    tg_config_refuse_others(&request, known);
    read_schema(&request, route->decrypt == TG_CRYPTO_FIELDS, &route->request_schema);
    read_headers(&request, is_plain, &route->request_headers, &route->num_request_headers);
    if (tg_config_member(&request, "max_bytes", &member)) {
        (void)tg_config_number(&member, 1, guards->max_body_bytes, &route->max_request_bytes);
    }
}

static void read_response(const tg_config_node *node, const tg_route_guards *guards, bool is_plain,
                          tg_gateway_route *route)
{
    static const char *const known[] = {"encrypt", "schema", "headers", "max_bytes", NULL};
    tg_config_node response, member;
    bool has_bound = guards->max_answer_bytes > 0 && guards->max_answer_bytes < TG_MAX_ROUTE_ANSWER_BYTES;
    uint64_t max_bytes = has_bound ? guards->max_answer_bytes : TG_MAX_ROUTE_ANSWER_BYTES;
    route->max_answer_bytes = max_bytes < DEFAULT_ANSWER_BYTES ? max_bytes : DEFAULT_ANSWER_BYTES;
    if (!object_member(node, "response", "{\"encrypt\": \"jwe\"}", &response)) {
        return;
    }
    tg_config_refuse_others(&response, known);
    read_schema(&response, route->encrypt == TG_CRYPTO_FIELDS, &route->response_schema);
    if (route->encrypt == TG_CRYPTO_FIELDS && !tg_config_member(&response, "schema", &member)) {
        refuse(&response, "fields of the answer cannot be encrypted without a schema",
               "add \"schema\": the name of the OpenAPI file that describes the answer");
    }
    if (route->encrypt == TG_CRYPTO_JWE && tg_config_member(&response, "headers", &member)) {
        refuse(&member, "an answer sealed by jwe holds a body and a status, no headers", "remove it");
    }
    read_headers(&response, is_plain, &route->response_headers, &route->num_response_headers);
    if (tg_config_member(&response, "max_bytes", &member)) {
        (void)tg_config_number(&member, 1, max_bytes, &route->max_answer_bytes);
    }
}

static void check_url(const tg_config_node *member, const tg_route_guards *guards, tg_slice url)
{
    tg_origin origin;
    tg_detail found;
    tg_detail_clear(&found);
    if (!tg_is_ok(tg_origin_parse(url, &origin, &found))) {
        refuse(member, found.reason, found.remedy);
        return;
    }
    if (!origin.is_tls && !(guards->allows_plain_loopback && origin.is_loopback)) {
        refuse(member, "the upstream would be called without TLS", "write https://");
    }
    if (!tg_upstream_host_is_allowed(&guards->allowed_hosts, &origin)) {
        tg_detail *fault = tg_config_fault(member);
        tg_detail_set_reason(fault, "UPSTREAM_ALLOWED_HOSTS does not name %s", origin.authority);
        tg_detail_set_remedy(fault, "add the host to that setting, or call another");
    }
}

static void read_upstream(const tg_config_node *node, const tg_route_guards *guards, tg_gateway_route *route)
{
    static const char *const known[] = {"url", "value", "allow_common_name", "timeout_ms", NULL};
    static const char form[] = "\"upstream\": {\"url\": \"https://backend.example:8080/process\"}";
    tg_config_node upstream, url, value, member;
    route->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (!tg_config_member(node, "upstream", &upstream)) {
        tg_detail *fault = tg_config_fault(node);
        tg_detail_set_reason(fault, "the route has no upstream");
        tg_detail_set_remedy(fault, "write %s", form);
        return;
    }
    if (!tg_config_is_object(&upstream, "{\"url\": \"https://backend.example:8080/process\"}")) {
        return;
    }
    tg_config_refuse_others(&upstream, known);
    bool has_url = tg_config_member(&upstream, "url", &url);
    bool has_value = tg_config_member(&upstream, "value", &value);
    if (has_url == has_value) {
        refuse(&upstream, has_url ? "the upstream has both a url and a value" : "the upstream has no url",
               "write url, or value: the name of a delivered value that holds the URL");
    }
    if (has_url && tg_config_text(&url, TG_MAX_ROUTE_URL_BYTES, &route->upstream_url)) {
        check_url(&url, guards, route->upstream_url);
    }
    if (has_value && tg_config_text(&value, TG_MAX_SECRET_NAME_BYTES, &route->upstream_value) &&
        !(tg_secret_name_is_valid(route->upstream_value) && tg_secret_name_is_url(route->upstream_value))) {
        refuse(&value, "no delivered value of that name is checked to be a URL",
               "write letters, digits and underscores that end with _ENDPOINT or _URL");
    }
    if (tg_config_member(&upstream, "allow_common_name", &member)) {
        (void)tg_config_bool(&member, &route->may_be_common_name);
    }
    if (tg_config_member(&upstream, "timeout_ms", &member)) {
        (void)tg_config_number(&member, 1, TG_MAX_ROUTE_TIMEOUT_MS, &route->timeout_ms);
    }
}

static void read_ways(const tg_config_node *node, tg_gateway_route *route)
{
    tg_config_node object;
    if (tg_config_member(node, "request", &object) && json_is_object(object.value)) {
        (void)read_crypto(&object, "decrypt", &route->decrypt);
    }
    if (tg_config_member(node, "response", &object) && json_is_object(object.value)) {
        (void)read_crypto(&object, "encrypt", &route->encrypt);
    }
}

/* What only the members together show. */
static void check_ways(const tg_config_node *node, const tg_gateway_route *route)
{
    tg_config_node member;
    if (route->decrypt == TG_CRYPTO_FIELDS && !tg_config_member(node, "clients", &member)) {
        refuse(node, "decrypt is fields, but no clients are listed: anybody could have any token decrypted",
               "add \"clients\": the names of those who may");
    }
    if (route->encrypt == TG_CRYPTO_JWE && route->decrypt != TG_CRYPTO_JWE) {
        refuse(node, "encrypt is jwe, but decrypt is not: the request would bring no key for the answer",
               "set decrypt to jwe as well");
    }
    if ((route->encrypt == TG_CRYPTO_OHTTP) != (route->decrypt == TG_CRYPTO_OHTTP)) {
        refuse(node, "ohttp seals both ways or none", "set decrypt and encrypt to ohttp");
    }
    for (size_t i = 0; i < TG_COUNT(methods) && route->decrypt != TG_CRYPTO_NONE; i++) {
        if ((route->methods & 1u << i) != 0 && !methods[i].has_body && route->decrypt != TG_CRYPTO_OHTTP) {
            tg_detail *fault = tg_config_fault(node);
            tg_detail_set_reason(fault, "%s has no body that could be decrypted", methods[i].name);
            tg_detail_set_remedy(fault, "take the method out, or set decrypt to none");
        }
    }
}

void tg_route_read(const tg_config_node *node, const tg_route_guards *guards, tg_gateway_route *out_route)
{
    static const char *const known[] = {"path", "methods", "clients", "request", "upstream", "response", NULL};
    if (!tg_config_is_object(node, "{\"path\": \"/process\", \"upstream\": {\"url\": \"https://...\"}}")) {
        return;
    }
    tg_config_refuse_others(node, known);
    read_path(node, guards, out_route);
    read_methods(node, out_route);
    read_clients(node, guards, out_route);
    read_ways(node, out_route);
    bool is_plain = out_route->decrypt == TG_CRYPTO_NONE && out_route->encrypt == TG_CRYPTO_NONE;
    read_request(node, guards, is_plain, out_route);
    read_upstream(node, guards, out_route);
    read_response(node, guards, is_plain, out_route);
    check_ways(node, out_route);
}
