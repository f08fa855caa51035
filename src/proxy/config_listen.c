#include "proxy/config_parts.h"

#include "proxy/allowlist.h"

#include <stdio.h>

bool tg_config_address(const tg_config_node *node, tg_address *out_address)
{
    if (!json_is_string(node->value)) {
        tg_detail *fault = tg_config_fault(node);
        tg_detail_set_reason(fault, "an address must stand here");
        tg_detail_set_remedy(fault, "write tcp:HOST:PORT, vsock:CID:PORT, unix:PATH or hvsock:PATH:PORT");
        return false;
    }
    tg_detail found;
    tg_detail_clear(&found);
    tg_slice text = tg_slice_of(json_string_value(node->value), json_string_length(node->value));
    if (tg_is_ok(tg_address_parse(text, out_address, &found))) {
        return true;
    }
    tg_detail *fault = tg_config_fault(node);
    tg_detail_set_reason(fault, "%s", found.reason);
    tg_detail_set_remedy(fault, "%s", found.remedy);
    return false;
}

static void refuse(const tg_config_node *node, const char *reason, const char *remedy)
{
    tg_detail *fault = tg_config_fault(node);
    tg_detail_set_reason(fault, "%s", reason);
    tg_detail_set_remedy(fault, "%s", remedy);
}

bool tg_config_read_listener(const tg_config_node *node, tg_proxy_listener *out_listener)
{
    static const char *const known[] = {"address", "accept_proxy", "send_proxy", NULL};
    tg_proxy_listener listener = {.accepts_proxy = false};
    tg_config_node member;
    if (json_is_string(node->value)) {
        if (!tg_config_address(node, &listener.address)) {
            return false;
        }
        *out_listener = listener;
        return true;
    }
    if (!tg_config_is_object(node, "an address, or {\"address\": ADDRESS, \"accept_proxy\": true}")) {
        return false;
    }
    tg_config_refuse_others(node, known);
    if (tg_config_member(node, "accept_proxy", &member)) {
        (void)tg_config_bool(&member, &listener.accepts_proxy);
    }
    if (tg_config_member(node, "send_proxy", &member)) {
        (void)tg_config_bool(&member, &listener.sends_proxy);
    }
    if (!tg_config_member(node, "address", &member)) {
        refuse(node, "the listener has no address", "add \"address\": ADDRESS");
        return false;
    }
    if (!tg_config_address(&member, &listener.address)) {
        return false;
    }
    *out_listener = listener;
    return true;
}

/* One listener, or a list of them; an empty list turns the service off. */
static void read_listeners(const tg_config_node *node, tg_proxy_listeners *out_listeners)
{
    size_t num_max = json_is_array(node->value) ? json_array_size(node->value) : 1;
    if (num_max > TG_MAX_LISTENERS) {
        refuse(node, "there are more than 16 listeners", "remove some");
        return;
    }
    tg_proxy_listener *listeners = tg_config_alloc(node->reader, num_max + 1, sizeof *listeners);
    size_t num_listeners = 0;
    for (size_t i = 0; listeners != NULL && i < num_max; i++) {
        tg_config_node item = json_is_array(node->value) ? tg_config_item(node, i) : *node;
        num_listeners += tg_config_read_listener(&item, &listeners[num_listeners]);
    }
    *out_listeners = (tg_proxy_listeners){listeners, listeners != NULL ? num_listeners : 0};
}

/* A caller of KMS or of the way out is its CID: no header of anybody's says who it is. */
static void refuse_headers(const tg_config_node *node, const tg_proxy_listeners *listeners)
{
    for (size_t i = 0; i < listeners->num_listeners; i++) {
        if (listeners->listeners[i].accepts_proxy || listeners->listeners[i].sends_proxy) {
            refuse(node, "this service neither takes nor sends PROXY headers", "write the address alone");
            return;
        }
    }
}

typedef struct default_listener {
    tg_proxy_service service;
    const char *key; /* in `listen` and in `ports` */
    tg_address_kind kind;
    uint32_t port;
} default_listener;

static const default_listener defaults[] = {
    {TG_SERVICE_HTTP, "http", TG_ADDRESS_TCP, 80},
    {TG_SERVICE_HTTPS, "https", TG_ADDRESS_TCP, 443},
    {TG_SERVICE_KMS, "kms", TG_ADDRESS_VSOCK, 5000},
    {TG_SERVICE_INTERNET, "internet", TG_ADDRESS_VSOCK, 8444},
};

static void listen_at_port(tg_config_reader *reader, const default_listener *service, uint32_t port,
                           tg_proxy_listeners *out_listeners)
{
    tg_proxy_listener *listener = tg_config_alloc(reader, 1, sizeof *listener);
    if (listener == NULL) {
        return;
    }
    listener->address = (tg_address){.kind = service->kind, .port = port};
    if (service->kind == TG_ADDRESS_VSOCK) {
        listener->address.cid = UINT32_MAX;
    } else {
        memcpy(listener->address.name, "0.0.0.0", sizeof "0.0.0.0");
        listener->address.is_numeric = true;
    }
    *out_listeners = (tg_proxy_listeners){listener, 1};
}

void tg_config_read_listeners(tg_config_reader *reader, const tg_config_node *listen, const tg_config_node *ports,
                              tg_proxy_config *config)
{
    static const char *const known[] = {"http", "https", "kms", "internet", NULL};
    if (listen != NULL && tg_config_is_object(listen, "{\"https\": [ADDRESS, ...], ...}")) {
        tg_config_refuse_others(listen, known);
    }
    if (ports != NULL &&
        tg_config_is_object(ports, "{\"http\": 80, \"https\": 443, \"kms\": 5000, \"internet\": 8444}")) {
        tg_config_refuse_others(ports, known);
    }
    for (size_t i = 0; i < TG_COUNT(defaults); i++) {
        const default_listener *service = &defaults[i];
        tg_proxy_listeners *listeners = &config->listeners[service->service];
        tg_config_node node;
        uint64_t port = service->port;
        bool has_port = ports != NULL && tg_config_member(ports, service->key, &node);
        if (has_port) {
            uint64_t max = service->kind == TG_ADDRESS_TCP ? UINT16_MAX : UINT32_MAX - 1;
            (void)tg_config_number(&node, 1, max, &port);
        }
        if (listen != NULL && tg_config_member(listen, service->key, &node)) {
            read_listeners(&node, listeners);
            if (service->service == TG_SERVICE_KMS || service->service == TG_SERVICE_INTERNET) {
                refuse_headers(&node, listeners);
            }
        } else if (has_port || config->num_domains > 0) {
            listen_at_port(reader, service, (uint32_t)port, listeners);
        }
    }
}

/* The six that an enclave's AWS calls need, at base + 1 to base + 6. */
static const struct aws_forward {
    const char *name;
    const char *host; /* NULL: NAME.REGION.amazonaws.com */
    uint16_t port;
} aws_forwards[] = {
    {"kms", NULL, 443}, {"secretsmanager", NULL, 443},
    {"s3", NULL, 443},  {"instance-metadata", "169.254.169.254", 80},
    {"sts", NULL, 443}, {"container-credentials", "169.254.170.2", 80},
};

static void add_aws_forward(tg_config_reader *reader, tg_proxy_config *config, const struct aws_forward *from,
                            uint32_t port, tg_proxy_forward *forward)
{
    int region_len = (int)config->region.len;
    const char *region = (const char *)config->region.ptr;
    bool is_china = tg_slice_starts(config->region, TG_LIT("cn-"));
    char host[TG_MAX_HOST_BYTES + 1];
    if (from->host == NULL) {
        snprintf(host, sizeof host, "%s.%.*s.%s", from->name, region_len, region,
                 is_china ? "amazonaws.com.cn" : "amazonaws.com");
    } else {
        snprintf(host, sizeof host, "%s", from->host);
    }
    *forward = (tg_proxy_forward){.name = from->name};
    forward->listen.address = (tg_address){.kind = TG_ADDRESS_VSOCK, .cid = UINT32_MAX, .port = port};
    forward->connect = (tg_address){.kind = TG_ADDRESS_TCP, .port = from->port, .is_numeric = from->host != NULL};
    memcpy(forward->connect.name, host, strlen(host) + 1);
    uint32_t *cids = tg_config_alloc(reader, config->num_domains + 1, sizeof *cids);
    for (size_t i = 0; cids != NULL && i < config->num_domains; i++) {
        if (config->domains[i].has_cid) {
            cids[forward->num_cids++] = config->domains[i].cid;
        }
    }
    /* credentials lie behind these: where the file names enclaves, only they get to them */
    forward->cids = forward->num_cids > 0 ? cids : NULL;
}

static void read_cids(const tg_config_node *node, tg_proxy_forward *forward)
{
    if (!tg_config_is_array(node, "a list of CIDs: [16, 17]")) {
        return;
    }
    size_t num_cids = json_array_size(node->value);
    if (num_cids == 0 || num_cids > TG_MAX_FORWARD_CIDS) {
        refuse(node, "the list of CIDs is empty or too long", "name 1 to 64 CIDs, or leave it out for everybody");
        return;
    }
    uint32_t *cids = tg_config_alloc(node->reader, num_cids, sizeof *cids);
    for (size_t i = 0; cids != NULL && i < num_cids; i++) {
        tg_config_node item = tg_config_item(node, i);
        uint64_t cid;
        if (tg_config_number(&item, 1, UINT32_MAX - 1, &cid)) {
            cids[forward->num_cids++] = (uint32_t)cid;
        }
    }
    forward->cids = cids;
}

/* As vsock-proxy does: an address that its list does not name is no place to forward to. */
static void check_allowlist(const tg_config_node *node, const tg_proxy_forward *forward)
{
    tg_config_reader *reader = node->reader;
    tg_slice path;
    tg_egress_rules rules = {NULL, 0};
    if (!tg_config_text(node, 4095, &path)) {
        return;
    }
    tg_config_note_file(reader, path);
    tg_result read = tg_allowlist_read((const char *)path.ptr, reader->arena, reader->faults, &rules);
    reader->is_out_of_memory = reader->is_out_of_memory || read.code == TG_ERR_MEMORY;
    if (!tg_is_ok(read)) {
        return;
    }
    tg_slice reason, host = tg_slice_str(forward->connect.name);
    uint8_t bytes[16] = {0};
    size_t len = 4;
    bool is_literal = tg_is_ok(tg_ip_parse(host, bytes, &len));
    if (forward->connect.kind != TG_ADDRESS_TCP ||
        !tg_egress_check(&rules, host, (uint16_t)forward->connect.port, tg_slice_of(bytes, len),
                         is_literal ? tg_ip_class_of(tg_slice_of(bytes, len)) : TG_IP_PUBLIC, &reason)) {
        refuse(node, "the allowlist does not name the address that this forward connects to", "add it there");
    }
}

static bool read_forward(const tg_config_node *node, tg_proxy_forward *forward)
{
    static const char *const known[] = {"listen", "connect", "cids", "allowlist", NULL};
    tg_config_node member;
    *forward = (tg_proxy_forward){.name = "forward"};
    if (!tg_config_is_object(node, "{\"listen\": ADDRESS, \"connect\": ADDRESS}")) {
        return false;
    }
    tg_config_refuse_others(node, known);
    bool has_listen = tg_config_member(node, "listen", &member);
    bool is_good = has_listen && tg_config_read_listener(&member, &forward->listen);
    bool has_connect = tg_config_member(node, "connect", &member);
    is_good = has_connect && tg_config_address(&member, &forward->connect) && is_good;
    if (!has_listen || !has_connect) {
        refuse(node, "a forward lacks one of its two addresses", "write {\"listen\": ADDRESS, \"connect\": ADDRESS}");
    }
    if (tg_config_member(node, "cids", &member)) {
        read_cids(&member, forward);
    }
    if (is_good && tg_config_member(node, "allowlist", &member)) {
        check_allowlist(&member, forward);
    }
    return is_good;
}

void tg_config_read_forwards(tg_config_reader *reader, const tg_config_node *forwards, uint64_t base_port,
                             tg_proxy_config *config)
{
    size_t num_own = 0;
    if (forwards != NULL && tg_config_is_array(forwards, "[{\"listen\": ADDRESS, \"connect\": ADDRESS}, ...]")) {
        num_own = json_array_size(forwards->value);
    }
    if (num_own > TG_MAX_FORWARDS) {
        refuse(forwards, "there are more than 256 forwards", "remove some");
        return;
    }
    tg_proxy_forward *all = tg_config_alloc(reader, num_own + TG_COUNT(aws_forwards), sizeof *all);
    size_t num_forwards = 0;
    for (size_t i = 0; all != NULL && i < num_own; i++) {
        tg_config_node item = tg_config_item(forwards, i);
        num_forwards += read_forward(&item, &all[num_forwards]);
    }
    for (size_t i = 0; all != NULL && base_port > 0 && i < TG_COUNT(aws_forwards); i++) {
        add_aws_forward(reader, config, &aws_forwards[i], (uint32_t)(base_port + 1 + i), &all[num_forwards++]);
    }
    config->forwards = all;
    config->num_forwards = num_forwards;
}
